//! Standard error while a scan runs: a progress bar where it is a terminal, and lines that do not
//! break it.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use nishad::engine::Progress;

use super::events::{self, Speed};

/// Redraws a second at most.
const REDRAWS: u8 = 10;

/// Time between two events of progress.
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// Time over which rates are smoothed.
const SMOOTHING: Duration = Duration::from_secs(3);

/// Standard error, with or without a bar.
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    /// What stands behind the bar; drawn with it.
    tail: Arc<Mutex<String>>,
    pace: Pace,
    /// Whether programs are told of progress, and when they were last.
    tells: bool,
    told: Option<Instant>,
}

impl Screen {
    /// A screen for a run that starts at `now`, with a bar if `wanted` and standard error is a
    /// terminal.
    pub(crate) fn new(wanted: bool, planned: u64, now: Instant) -> Screen {
        let tail = Arc::<Mutex<String>>::default();
        let tells = wanted && events::are_wanted();
        let wanted = wanted && !events::are_wanted();
        let bar = (wanted && io::stderr().is_terminal()).then(|| {
            let terminal = Box::new(Terminal(Term::buffered_stderr()));
            let target = ProgressDrawTarget::term_like_with_hz(terminal, REDRAWS);
            ProgressBar::with_draw_target(Some(planned), target).with_style(style(&tail))
        });
        let pace = Pace::new(now);
        Screen {
            bar,
            tail,
            pace,
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
        if let Some(bar) = &self.bar {
            *lock(&self.tail) = self.pace.describe(progress);
            bar.set_length(progress.planned);
            bar.set_position(done(progress));
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
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A terminal on which a bar is not filled up with blanks to the right margin, where indicatif would
/// have the cursor: the `^C` that a terminal shows would go to the next line and stay there.
#[derive(Debug)]
struct Terminal(Term);

impl TermLike for Terminal {
    fn write_str(&self, text: &str) -> io::Result<()> {
        // The line is cleared before it is written, and its blanks come by themselves.
        match text.bytes().all(|byte| byte == b' ') {
            true => Ok(()),
            false => self.0.write_str(text),
        }
    }

    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

fn style(tail: &Arc<Mutex<String>>) -> ProgressStyle {
    let tail = tail.clone();
    ProgressStyle::with_template("[{bar:30}] {tail}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("tail", move |_: &ProgressState, to: &mut dyn fmt::Write| {
            let _ = to.write_str(&lock(&tail));
        })
        .progress_chars("=> ")
}

/// Nothing panics while the text is held; if it did, the text would be as good as any.
fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
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
        // The share that the new value has: all of it the first time.
        let share = match self.attempts_rate {
            Some(_) => 1.0 - (-passed / SMOOTHING.as_secs_f64()).exp(),
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
    fn times_have_the_unit_that_suits_them() {
        let shown = [0.2, 99.0, 100.0, 7200.0, 1e6, 1e12, f64::INFINITY, f64::NAN].map(time);
        assert_eq!(
            shown,
            ["1 s", "99 s", "2 min", "2 h", "12 days", "?", "?", "?"]
        );
    }
}
