//! A network namespace with nothing but loopback, for the calling thread and what it starts.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// Enters it. An error says what is lacking.
pub fn enter() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace: {error}"))?;
    run("ip link set lo up")
}

/// Runs `command`, words apart by blanks.
fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .output()
        .map_err(|error| format!("{command}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
    }
}
