//! The program: what was typed, what it means, and how a run is shown.

pub(crate) mod args;
mod audit;
mod beside;
mod closed;
pub(crate) mod command;
mod config;
pub(crate) mod destination;
pub(crate) mod docs;
pub(crate) mod dry;
pub(crate) mod events;
mod habits;
pub(crate) mod keys;
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

use std::io::{self, Write};
use std::process::ExitCode;

use progress::say;

/// What the small program says of `what` it leaves out, where the feature `full` is not compiled in.
pub(crate) fn left_out(what: &str) -> String {
    format!("{what}: this program was built small, without the feature `full`")
}

/// What `--help` says of all that is left out, if anything is.
pub(crate) fn all_left_out() -> Option<String> {
    let full = (!cfg!(feature = "full")).then_some(
        "report, completions, man, --config, --baseline, --expect, --junit, --sarif, and formats other \
         than text, ndjson, csv and list",
    );
    let services = (!cfg!(feature = "services")).then_some("--services");
    let all: Vec<&str> = [services, full].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("Built small, without {}.", all.join(", ")))
}

/// How the program ends; `--help` and the README tell what the codes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every planned probe has its verdict.
    Complete,
    /// An audit found something, the results could not be written, or the system refused what a scan
    /// needs.
    Failed,
    /// Wrong usage, or a target that cannot be read or resolved.
    Usage,
    /// Something is unscanned, or nobody reads the results.
    Incomplete,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Exit {
    /// The code that the system is given.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Interrupted => signals::INTERRUPTED,
        }
    }

    /// The same in a word, for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Exit::Complete => "complete",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Incomplete => "incomplete",
            Exit::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Prints a whole text to standard output. That nobody reads it is no failure.
pub(crate) fn print(text: &str) -> Exit {
    let write = || {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    };
    printed(write)
}

/// How the program ends if `write` prints to standard output all that was asked for.
pub(crate) fn printed(write: impl FnOnce() -> io::Result<()>) -> Exit {
    match closed::check().and_then(|()| write()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(format_args!(
                "error: cannot write to standard output: {error}"
            ));
            Exit::Failed
        }
        _ => Exit::Complete,
    }
}
