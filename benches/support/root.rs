//! The same bench again as the root of a user namespace of its own, where that is needed.

use std::process::ExitCode;

use crate::lab;

/// Set within that namespace.
const INSIDE: &str = "NISHAD_WORLD_INSIDE";

/// How the bench ended in a namespace of its own; `None`: it is to go on here, as root or where no
/// such namespace can be made.
pub fn again() -> Option<ExitCode> {
    let mut command = lab::as_root()?;
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let can = lab::as_root()?.arg("true").status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("neither root nor able to make a user namespace");
        return None;
    }
    let status = std::env::current_exe().and_then(|program| {
        command
            .env(INSIDE, "1")
            .arg(program)
            .args(std::env::args_os().skip(1))
            .status()
    });
    Some(match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start again in a user namespace: {error}");
            ExitCode::FAILURE
        }
    })
}
