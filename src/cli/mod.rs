//! The program: what was typed, what it means, and how a run is shown.

pub(crate) mod args;
mod beside;
pub(crate) mod destination;
pub(crate) mod dry;
mod outputs;
pub(crate) mod plan;
pub(crate) mod progress;
mod prompt;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod saving;
pub(crate) mod shard;
pub(crate) mod signals;
mod sink;
mod targets;
mod values;
mod zone;

use std::process::ExitCode;

/// How the program ends; `--help` and the README tell what the codes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every planned probe has its verdict.
    Complete,
    /// The results could not be written, or the system refused what a scan needs.
    Failed,
    /// Wrong usage, or a target that cannot be read or resolved.
    Usage,
    /// Something is unscanned, or nobody reads the results.
    Incomplete,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Interrupted => signals::INTERRUPTED,
        })
    }
}
