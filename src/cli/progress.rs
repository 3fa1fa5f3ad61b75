//! Standard error while a scan runs: a progress bar where it is a terminal, and lines that do not
//! break it.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use console::Term;

use nishad::engine::Progress;

use super::events::{self, Speed};

/// Columns of the bar between its brackets.
const BAR: usize = 30;

/// Time between two events of progress.
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// Time over which rates are smoothed.
const SMOOTHING: Duration = Duration::from_secs(3);

/// Standard error, with or without a bar.
pub(crate) struct Screen {
    bar: Option<Bar>,
    pace: Pace,
    /// Whether programs are told of progress, and when they were last.
    tells: bool,
    told: Option<Instant>,
}

impl Screen {
    /// A screen for a run that starts at `now`, with a bar if `wanted` and standard error is a
    /// terminal.
    pub(crate) fn new(wanted: bool, now: Instant) -> Screen {
        let tells = wanted && events::are_wanted();
        let wanted = wanted && !events::are_wanted();
        let bar = (wanted && io::stderr().is_terminal() && !is_dumb()).then(|| Bar {
            terminal: Term::buffered_stderr(),
            line: String::new(),
        });
        Screen {
            bar,
            pace: Pace::new(now),
            tells,
            told: None,
        }
    }

    /// Shows how far the run is.
    pub(crate) fn progress(&mut self, now: Instant, progress: &Progress) {
        self.pace.update(now, progress);
        if self.tells && self.tells_programs(now, progress) {
            self.told = Some(now);
            events::progress(progress, &self.pace.speed(progress));
        }
        if let Some(bar) = &mut self.bar {
            bar.line = line(progress, &self.pace.describe(progress));
            bar.draw();
        }
    }

    /// Whether an event of progress is due: at the end too.
    fn tells_programs(&self, now: Instant, progress: &Progress) -> bool {
        let last = |told: Instant| now.saturating_duration_since(told) < EVENT_EVERY;
        progress.counts.total() == progress.planned || !self.told.is_some_and(last)
    }

    /// How far the run is, in words.
    pub(crate) fn describe(&self, progress: &Progress) -> String {
        self.pace.describe(progress)
    }

    /// Whether the run is paused, which is shown.
    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.pace.paused = paused;
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: fmt::Arguments<'_>) {
        self.without_bar(|| say(text));
    }

    /// Does what writes to the terminal while the bar is away.
    pub(crate) fn without_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => {
                bar.erase();
                let written = write();
                bar.draw();
                written
            }
            None => write(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.erase();
        }
    }
}

/// The last line of the terminal while a scan runs. The cursor stays behind its text, not at the right
/// margin: the `^C` that a terminal shows would go to the next line and stay there.
struct Bar {
    terminal: Term,
    /// What it says; nothing before the first progress.
    line: String,
}

impl Bar {
    /// Writes it in the place of what is there, as much of it as there is room for: behind the last
    /// column some terminals begin a new line.
    fn draw(&self) {
        if self.line.is_empty() {
            return;
        }
        let room = usize::from(self.terminal.size().1).saturating_sub(1);
        let line = self.line.get(..room).unwrap_or(&self.line);
        let _ = self.terminal.clear_line();
        let _ = self.terminal.write_str(line);
        let _ = self.terminal.flush();
    }

    fn erase(&self) {
        if !self.line.is_empty() {
            let _ = self.terminal.clear_line();
            let _ = self.terminal.flush();
        }
    }
}

/// `[======>        ] tail`, of ASCII.
fn line(progress: &Progress, tail: &str) -> String {
    let share = done(progress) as f64 / progress.planned.max(1) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    let tip = if full < BAR { ">" } else { "" };
    format!("[{:<BAR$}] {tail}", "=".repeat(full) + tip)
}

/// Whether the terminal is one that only prints, and shows whatever is to move its cursor.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// A line on standard error. That it cannot be written is nothing to stop for.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    if events::are_wanted() {
        return events::said(&text.to_string());
    }
    let _ = writeln!(io::stderr(), "{text}");
}

/// Smoothed rates of a run.
struct Pace {
    last: Instant,
    attempts: u64,
    done: u64,
    attempts_rate: Option<f64>,
    done_rate: f64,
    paused: bool,
}

impl Pace {
    fn new(now: Instant) -> Pace {
        Pace {
            last: now,
            attempts: 0,
            done: 0,
            attempts_rate: None,
            done_rate: 0.0,
            paused: false,
        }
    }

    fn update(&mut self, now: Instant, progress: &Progress) {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        if passed < 0.01 {
            return;
        }
        let done = done(progress);
        let attempts_rate = progress.attempts.saturating_sub(self.attempts) as f64 / passed;
        let done_rate = done.saturating_sub(self.done) as f64 / passed;
        // The share that the new value has: all of it the first time. (Exponential smoothing to first
        // order, without exp() and so without libm.)
        let share = match self.attempts_rate {
            Some(_) => passed / (passed + SMOOTHING.as_secs_f64()),
            None => 1.0,
        };
        let old = self.attempts_rate.unwrap_or(0.0);
        self.attempts_rate = Some(old + share * (attempts_rate - old));
        self.done_rate += share * (done_rate - self.done_rate);
        (self.last, self.attempts, self.done) = (now, progress.attempts, done);
    }

    fn speed(&self, progress: &Progress) -> Speed {
        let done = done(progress);
        Speed {
            done,
            rate: self.attempts_rate.unwrap_or(0.0),
            left: progress.planned.saturating_sub(done) as f64 / self.done_rate,
            paused: self.paused,
        }
    }

    /// `45%, 12000/s, 3 s left, 5 open`.
    fn describe(&self, progress: &Progress) -> String {
        let Speed {
            done, rate, left, ..
        } = self.speed(progress);
        let share = done as f64 / progress.planned.max(1) as f64;
        // 100% only when it is.
        let percent = (share * 100.0).floor();
        let open = progress.counts.open;
        if self.paused {
            return format!("paused, {percent:.0}%, {open} open");
        }
        format!(
            "{percent:.0}%, {rate:.0}/s, {} left, {open} open",
            time(left)
        )
    }
}

/// Probes that need nothing more: silent ones have their verdict at the end of their host only.
fn done(progress: &Progress) -> u64 {
    progress.counts.total() + progress.silent
}

/// Seconds in the unit that suits them; `?` if unknown.
pub(crate) fn time(seconds: f64) -> String {
    match seconds.ceil() {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 360_000.0 => format!("{:.0} h", s / 3600.0),
        s if s < 3e9 => format!("{:.0} days", s / 86_400.0),
        _ => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nishad::engine::Counts;

    fn progress(planned: u64, closed: u64, attempts: u64) -> Progress {
        let counts = Counts {
            open: 5,
            closed,
            ..Counts::default()
        };
        Progress {
            planned,
            counts,
            silent: 100,
            sockets: 1,
            attempts,
        }
    }

    #[test]
    fn rates_and_the_time_left() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(
            pace.describe(&progress(1000, 0, 0)),
            "10%, 0/s, ? left, 5 open"
        );
        let half = progress(1000, 395, 2000);
        pace.update(start + Duration::from_secs(2), &half);
        assert_eq!(pace.describe(&half), "50%, 1000/s, 2 s left, 5 open");
        // Stalled: the rates fall, and nothing is divided by zero.
        for second in 3..200 {
            pace.update(start + Duration::from_secs(second), &half);
        }
        assert_eq!(pace.describe(&half), "50%, 0/s, ? left, 5 open");
        let nearly = progress(1000, 894, 2000);
        assert!(pace.describe(&nearly).starts_with("99%, "));
    }

    #[test]
    fn the_bar_is_as_full_as_the_run() {
        let shown = [0, 5, 450, 895, 900].map(|closed| {
            let progress = Progress {
                silent: 95,
                ..progress(1000, closed, 0)
            };
            line(&progress, "tail")
        });
        let bars = [3, 3, 16, 29].map(|full| format!("[{:<30}] tail", "=".repeat(full) + ">"));
        assert_eq!(shown[..4], bars);
        assert_eq!(shown[4], format!("[{}] tail", "=".repeat(30)));
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let shown = [0.2, 99.0, 100.0, 7200.0, 1e6, 1e12, f64::INFINITY, f64::NAN].map(time);
        assert_eq!(
            shown,
            ["1 s", "99 s", "2 min", "2 h", "12 days", "?", "?", "?"]
        );
    }
}
