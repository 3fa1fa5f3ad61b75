//! The loop between the scanner and its sockets.
//!
//! One turn: wait for events → read the clock → hand every event's outcome to the scanner → tell it
//! the time → do what it asks for, at most [`CONNECTS`] connections, then the next turn, without a
//! wait if there was more to do. Outcomes come before the time, so that a busy machine does not take its
//! own queue for lateness.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::feed::{Feed, Taken};
use super::sockets::Sockets;
use super::watch::Watch;
use super::{Event, RunReport, Scan, ScanError, limits, sys};
use crate::engine::{Action, Scanner};

/// Connections started a turn: few enough (about a millisecond of connect() calls) that answers are
/// seen soon after they arrive and round-trip times stay true.
const CONNECTS: usize = 128;

/// Actions of all kinds a turn.
const ACTIONS: usize = 1024;

/// Hosts of a feed taken a turn: about a millisecond's worth.
const HOSTS: usize = 1024;

/// Connections started on one reading of the clock: 0.1 ms at most.
const CONNECTS_A_READING: usize = 16;

/// Times that the event queue is asked again because it was full.
const FULL_QUEUES: usize = 32;

/// Longest wait, so that `cancel` is seen in time.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Time between two progress events.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// See [`super::scan`].
pub(super) fn run(
    scan: Scan,
    cancel: &AtomicBool,
    observe: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<RunReport, ScanError> {
    let Scan {
        space,
        mut options,
        feed,
        resume,
        snapshots,
    } = scan;
    let mut sockets = Sockets::new(1, sys::REUSE).map_err(ScanError::Poll)?;
    if let Some(feed) = &feed {
        feed.wakes(sockets.waker().map_err(ScanError::Poll)?);
    }
    // Asked for after the event queue has taken its descriptors.
    options.max_sockets = options.max_sockets.min(limits::available_sockets()).max(1);
    sockets.set_capacity(options.max_sockets);
    let now = Instant::now();
    let mut scanner = match resume {
        Some(snapshot) => Scanner::resume(space, options, &snapshot, now)?,
        None => Scanner::new(space, options, now),
    };
    scanner.expect_hosts(feed.is_some());
    let mut driver = Driver {
        scanner,
        sockets,
        feed,
        observe,
        now,
        watch: Watch::start(now),
        snapshots,
        saved: now,
        told: now,
        stopped: false,
    };
    driver.run(cancel).map_err(ScanError::Poll)?;
    Ok(driver.report())
}

struct Driver<'a> {
    scanner: Scanner,
    sockets: Sockets,
    /// Where more hosts come from, as long as they may.
    feed: Option<Feed>,
    observe: &'a mut dyn FnMut(Event) -> ControlFlow<()>,
    /// The last reading of the clock.
    now: Instant,
    watch: Watch,
    /// How often a snapshot is wanted, and when the last one was handed out.
    snapshots: Option<Duration>,
    saved: Instant,
    /// When progress was told last.
    told: Instant,
    /// `observe` wants no more.
    stopped: bool,
}

impl Driver<'_> {
    fn run(&mut self, cancel: &AtomicBool) -> io::Result<()> {
        let mut more = self.take_hosts() | self.act();
        while !self.scanner.is_done() {
            if self.stopped || cancel.load(Ordering::Relaxed) {
                self.scanner.interrupt(self.now);
                while self.act() {}
                break;
            }
            if !more {
                self.sockets.close_spare();
            }
            self.take_events(if more { Duration::ZERO } else { self.wait() })?;
            self.scanner.handle_timeout(self.now);
            more = self.take_hosts() | self.act();
            self.tell_progress();
            self.save_if_due();
        }
        if self.snapshots.is_some() && !self.scanner.is_ending() {
            self.save();
        }
        Ok(())
    }

    /// How long nothing is to be done.
    fn wait(&self) -> Duration {
        match self.scanner.poll_timeout() {
            Some(due) => due.saturating_duration_since(self.now).min(LONGEST_WAIT),
            None => LONGEST_WAIT,
        }
    }

    /// Hands the scanner the hosts that have come; whether there may be more.
    fn take_hosts(&mut self) -> bool {
        let Some(feed) = &self.feed else {
            return false;
        };
        for _ in 0..HOSTS {
            match feed.take() {
                Taken::Host(target) => {
                    self.scanner.add_host(target);
                }
                Taken::NothingYet => return false,
                Taken::End => {
                    self.scanner.expect_hosts(false);
                    self.feed = None;
                    return false;
                }
            }
        }
        true
    }

    fn take_events(&mut self, timeout: Duration) -> io::Result<()> {
        let mut full = self.sockets.wait(timeout)?;
        self.now = Instant::now();
        if let Some(from) = self.watch.gap(timeout, self.now) {
            self.scanner.handle_gap(from, self.now);
        }
        for _ in 0..FULL_QUEUES {
            let (scanner, now) = (&mut self.scanner, self.now);
            self.sockets
                .drain(|id, outcome| scanner.handle_outcome(now, id, outcome));
            if !full {
                break;
            }
            full = self.sockets.wait(Duration::ZERO)?;
            self.now = Instant::now();
        }
        Ok(())
    }

    /// Does what the scanner asks for; whether it may have more to ask for.
    fn act(&mut self) -> bool {
        let mut connects = 0;
        for _ in 0..ACTIONS {
            match self.scanner.poll_action(self.now) {
                None => return false,
                Some(Action::Connect { id, addr }) => {
                    if let Some(outcome) = self.sockets.connect(id, addr) {
                        self.scanner.handle_outcome(self.now, id, outcome);
                    }
                    connects += 1;
                    if connects % CONNECTS_A_READING == 0 {
                        self.now = Instant::now();
                    }
                    if connects == CONNECTS {
                        return true;
                    }
                }
                Some(Action::Close { id }) => self.sockets.close(id),
                Some(Action::Report(report)) => self.tell(Event::Report(report)),
                Some(Action::Ending) if self.snapshots.is_some() => self.save(),
                Some(Action::Ending) => {}
            }
        }
        true
    }

    fn save_if_due(&mut self) {
        let due = self
            .snapshots
            .is_some_and(|every| self.now.saturating_duration_since(self.saved) >= every);
        if due {
            self.save();
        }
    }

    /// Hands out a snapshot, unless reports wait to be polled: then it is the next turn's.
    fn save(&mut self) {
        if let Some(snapshot) = self.scanner.snapshot() {
            self.saved = self.now;
            self.tell(Event::Snapshot(Box::new(snapshot)));
        }
    }

    fn tell_progress(&mut self) {
        if self.now.saturating_duration_since(self.told) >= PROGRESS_EVERY {
            self.told = self.now;
            self.tell(Event::Progress(self.scanner.progress()));
        }
    }

    fn tell(&mut self, event: Event) {
        if (self.observe)(event).is_break() {
            self.stopped = true;
        }
    }

    fn report(&self) -> RunReport {
        let progress = self.scanner.progress();
        let summary = self.scanner.summary();
        RunReport {
            counts: progress.counts,
            hosts: summary.hosts,
            miss: summary.miss,
            silent_hosts: summary.silent_hosts,
            attempts: progress.attempts,
        }
    }
}
