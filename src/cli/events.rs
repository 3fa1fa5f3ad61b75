//! Standard error for programs: one JSON object a line, whatever is told.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use nishad::engine::Progress;
use nishad::output::Clock;

use super::Exit;

/// Whether that is what standard error is. For the whole program, since anything in it may have to
/// tell of a mistake, before options are known too.
static WANTED: AtomicBool = AtomicBool::new(false);

/// What comes to be told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Event<'a> {
    Progress {
        planned: u64,
        done: u64,
        open: u64,
        closed: u64,
        filtered: u64,
        unscanned: u64,
        attempts: u64,
        sockets: usize,
        rate: f64,
        eta_s: Option<f64>,
        paused: bool,
    },
    Note {
        message: &'a str,
    },
    Error {
        message: &'a str,
    },
    End {
        exit: u8,
        outcome: &'static str,
    },
}

/// A line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: Event<'a>,
    time: String,
}

/// How fast a run is.
pub(crate) struct Speed {
    /// Probes that need nothing more.
    pub(crate) done: u64,
    /// Attempts a second.
    pub(crate) rate: f64,
    /// Seconds left, not finite if unknown.
    pub(crate) left: f64,
    pub(crate) paused: bool,
}

/// From now on standard error is for programs.
pub(crate) fn want() {
    WANTED.store(true, Ordering::Relaxed);
}

/// The same if what was typed says so, before it is known to be right.
pub(crate) fn want_if_typed() {
    let typed = std::env::args_os().take_while(|word| word != "--");
    let set = std::env::var_os("NISHAD_EVENTS").is_some_and(|value| value == "true");
    let on = |word: &OsStr| word == "--events" || word == "--events=true";
    if typed.fold(set, |wanted, word| match word == "--events=false" {
        true => false,
        false => wanted || on(&word),
    }) {
        want();
    }
}

/// Whether standard error is for programs.
pub(crate) fn are_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Tells what a line for people would.
pub(crate) fn said(text: &str) {
    write(match text.strip_prefix("error: ") {
        Some(message) => Event::Error { message },
        None => Event::Note { message: text },
    });
}

/// Tells how far a run is.
pub(crate) fn progress(progress: &Progress, speed: &Speed) {
    let counts = progress.counts;
    write(Event::Progress {
        planned: progress.planned,
        done: speed.done,
        open: counts.open,
        closed: counts.closed,
        filtered: counts.filtered,
        unscanned: counts.unscanned,
        attempts: progress.attempts,
        sockets: progress.sockets,
        rate: (speed.rate * 10.0).round() / 10.0,
        eta_s: (!speed.paused && speed.left.is_finite())
            .then(|| (speed.left * 10.0).round() / 10.0),
        paused: speed.paused,
    });
}

/// Tells how the program ends, if anybody is told.
pub(crate) fn end(exit: Exit) {
    if are_wanted() {
        let outcome = exit.name();
        let exit = exit.code();
        write(Event::End { exit, outcome });
    }
}

/// That it cannot be written is nothing to stop for.
fn write(event: Event<'_>) {
    let time = format!("{:.6}", Clock::start().started());
    if let Ok(mut line) = serde_json::to_vec(&Line { event, time }) {
        line.push(b'\n');
        let _ = io::stderr().write_all(&line);
    }
}
