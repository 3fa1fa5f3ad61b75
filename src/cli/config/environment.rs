//! Options in the environment: `NISHAD_TIMEOUT` is `--timeout`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use nishad::output::escape;

use super::entry::{Entry, Origin, Value};
use super::{Named, Names, OWN};

const PREFIX: &str = "NISHAD_";

/// Variables of the tests, among which the program may run.
pub(super) const OF_TESTS: [&str; 10] = [
    "NISHAD_FEW",
    "NISHAD_LAB",
    "NISHAD_LAB_INSIDE",
    "NISHAD_NETWORK",
    "NISHAD_NETWORKS",
    "NISHAD_PROBES",
    "NISHAD_SIM_VERBOSE",
    "NISHAD_WINE",
    "NISHAD_WORLD_INSIDE",
    "NISHAD_WORLD_SEED",
];

/// What `variables` say, and the file that they name. One that is set to nothing says nothing.
pub(super) fn entries(
    names: &Names<'_>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Vec<Entry>, Option<PathBuf>), String> {
    let mut entries = Vec::new();
    let mut path = None;
    let mut variables: Vec<_> = variables
        .filter(|(name, value)| is_ours(name) && !value.is_empty())
        .collect();
    variables.sort();
    for (variable, value) in variables {
        let variable = variable.to_string_lossy().into_owned();
        let name = variable[PREFIX.len()..]
            .to_ascii_lowercase()
            .replace('_', "-");
        if variable != upper(&name) {
            let is_known = !matches!(names.find(&name), Named::Unknown(_));
            return Err(unknown(&variable, Some(&*name).filter(|_| is_known)));
        }
        if name == OWN[0] {
            path = Some(value.into());
            continue;
        }
        match names.find(&name) {
            Named::Option(arg) => {
                entries.push(Entry::new(
                    arg,
                    Value::Text(value),
                    Origin::Variable(variable),
                )?);
            }
            Named::Elsewhere => {}
            Named::Unknown(near) => return Err(unknown(&variable, near)),
        }
    }
    Ok((entries, path))
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(PREFIX) && !OF_TESTS.contains(&&*name)
}

/// The variable of an option.
fn upper(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn unknown(variable: &str, near: Option<&str>) -> String {
    let variable = escape(variable);
    match near {
        Some(near) => format!(
            "{variable}: no such variable; did you mean {}?",
            upper(near)
        ),
        None => {
            format!("{variable}: no such variable; {PREFIX} and the name of a long option make one")
        }
    }
}
