//! The loop between the scanner and its sockets.
//!
//! One turn: wait for events → read the clock → hand every event's outcome to the scanner → tell it
//! the time → do what it asks for, at most [`CONNECTS`] connections, then the next turn, without a
//! wait if there was more to do. Outcomes come before the time, so that a busy machine does not take its
//! own queue for lateness.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mio::Events;

use super::control::Control;
use super::feed::{Feed, Taken};
use super::sockets::Sockets;
use super::talks::Talks;
use super::watch::Watch;
use super::{Event, RunReport, Scan, ScanError, limits, sys};
use crate::engine::{Action, Report, Scanner};

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
    control: &Control,
    observe: &mut Observe,
) -> Result<RunReport, ScanError> {
    let sockets = Sockets::new(1, sys::REUSE).map_err(ScanError::Poll)?;
    let mut driver = Driver::new(scan, sockets, control.clone())?;
    driver.begin(observe);
    while !driver.is_done() {
        driver.wait().map_err(ScanError::Poll)?;
        driver.turn(observe);
    }
    Ok(driver.report())
}

/// What takes the events of a scan; `Break` ends it.
pub(super) type Observe<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// A scan and its sockets.
#[derive(Debug)]
pub(super) struct Driver {
    scanner: Scanner,
    sockets: Sockets,
    /// With open ports, where that is wanted.
    talks: Option<Talks>,
    /// When the last turn ended, and how long nothing was done after it.
    turned: Instant,
    idle: Duration,
    control: Control,
    /// Where more hosts come from, as long as they may.
    feed: Option<Feed>,
    /// The last reading of the clock.
    now: Instant,
    watch: Watch,
    /// How often a snapshot is wanted, and when the last one was handed out.
    snapshots: Option<Duration>,
    saved: Instant,
    /// When progress was told last.
    told: Instant,
    /// There is more to do at once.
    more: bool,
    /// `observe` wants no more.
    stopped: bool,
    done: bool,
}

impl Driver {
    pub(super) fn new(
        scan: Scan,
        mut sockets: Sockets,
        control: Control,
    ) -> Result<Driver, ScanError> {
        let Scan {
            space,
            mut options,
            feed,
            resume,
            snapshots,
            services,
            unanswered,
        } = scan;
        if let Some(feed) = &feed
            && let Some(waker) = sockets.waker().map_err(ScanError::Poll)?
        {
            feed.wakes(waker);
        }
        // Asked for after the event queue has taken its descriptors.
        options.max_sockets = options.max_sockets.min(limits::available_sockets()).max(1);
        let now = Instant::now();
        let mut talks = None;
        if let Some(services) = services {
            let beside = sockets.beside().map_err(ScanError::Poll)?;
            let made = talks.insert(Talks::new(services, beside, &mut options, now));
            for (target, port) in &unanswered {
                made.again(target, *port);
            }
        }
        sockets.set_capacity(options.max_sockets);
        let mut scanner = match resume {
            Some(snapshot) => Scanner::resume(space, options, &snapshot, now)?,
            None => Scanner::new(space, options, now),
        };
        scanner.expect_hosts(feed.is_some());
        Ok(Driver {
            scanner,
            sockets,
            talks,
            turned: now,
            idle: Duration::ZERO,
            control,
            feed,
            now,
            watch: Watch::start(now),
            snapshots,
            saved: now,
            told: now,
            more: true,
            stopped: false,
            done: false,
        })
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// How long nothing is to be done.
    pub(super) fn timeout(&self) -> Duration {
        if self.more {
            return Duration::ZERO;
        }
        let until = |due: Instant| due.saturating_duration_since(self.now);
        let scan = self.scanner.poll_timeout().map(until);
        let talks = self.talks.as_ref().and_then(|talks| talks.wait(self.now));
        let both = scan.into_iter().chain(talks);
        both.fold(LONGEST_WAIT, Duration::min)
    }

    /// The first things to do.
    fn begin(&mut self, observe: &mut Observe) {
        self.more = self.take_hosts() | self.act(observe);
        self.end_if_over(observe);
    }

    /// Waits for events and hands them to the scanner.
    fn wait(&mut self) -> io::Result<()> {
        if !self.more {
            self.sockets.close_spare();
        }
        let timeout = self.timeout();
        let mut full = self.sockets.wait(timeout)?;
        self.read_clock(timeout);
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

    /// Hands the scanner those of `events` that are its own.
    pub(super) fn take(&mut self, events: &Events) {
        self.read_clock(self.timeout());
        let (scanner, now) = (&mut self.scanner, self.now);
        self.sockets.take(events, |id, outcome| {
            scanner.handle_outcome(now, id, outcome)
        });
    }

    /// Reads the clock after a wait of at most `timeout`.
    fn read_clock(&mut self, timeout: Duration) {
        self.now = Instant::now();
        if let Some(talks) = &self.talks {
            self.idle = self.now.saturating_duration_since(self.turned);
            self.sockets.keep(talks.room());
        }
        if let Some(from) = self.watch.gap(timeout, self.now) {
            self.scanner.handle_gap(from, self.now);
        }
    }

    /// Does what is to be done now.
    pub(super) fn turn(&mut self, observe: &mut Observe) {
        if self.done {
            return;
        }
        self.scanner.set_paused(self.control.is_paused(), self.now);
        self.talk(observe);
        self.scanner.handle_timeout(self.now);
        self.more = self.take_hosts() | self.act(observe);
        self.tell_progress(observe);
        self.save_if_due(observe);
        self.end_if_over(observe);
        if self.talks.is_some() {
            self.turned = Instant::now();
        }
    }

    /// Goes on with the talks.
    fn talk(&mut self, observe: &mut Observe) {
        let Some(talks) = &mut self.talks else {
            return;
        };
        for token in self.sockets.take_beside() {
            talks.wake(token);
        }
        if self.scanner.is_done() {
            self.sockets.close_free();
            talks.scan_ended();
        }
        let scanner = &mut self.scanner;
        talks.turn(self.idle, self.now, &mut |target, now| {
            scanner.admit(target, now)
        });
        self.tell_services(observe);
    }

    fn tell_services(&mut self, observe: &mut Observe) {
        while let Some(found) = self.talks.as_mut().and_then(Talks::take) {
            self.tell(Event::Service(found), observe);
        }
    }

    /// Tells what the scanner reports; a port that is open is talked to.
    fn tell_report(&mut self, report: Report, observe: &mut Observe) {
        if let Some(talks) = &mut self.talks {
            let sockets = &mut self.sockets;
            talks.report(&report, |addr| sockets.take_kept(addr), self.now);
        }
        self.tell(Event::Report(report), observe);
    }

    /// Ends the scan if it is complete, or before its time if that is wanted.
    fn end_if_over(&mut self, observe: &mut Observe) {
        let talks_done = self.talks.as_ref().is_none_or(Talks::is_done);
        if !self.scanner.is_done() || !talks_done {
            if !self.stopped && !self.control.is_cancelled() {
                return;
            }
            self.scanner.interrupt(self.now);
            while self.act(observe) {}
            if let Some(talks) = &mut self.talks {
                talks.end();
                self.tell_services(observe);
            }
        }
        if self.snapshots.is_some() && !self.scanner.is_ending() {
            self.save(observe);
        }
        self.tell(Event::Progress(self.scanner.progress()), observe);
        self.done = true;
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

    /// Does what the scanner asks for; whether it may have more to ask for.
    fn act(&mut self, observe: &mut Observe) -> bool {
        let mut connects = 0;
        for _ in 0..ACTIONS {
            match self.scanner.poll_action(self.now) {
                None => return false,
                Some(Action::Connect { id, addr }) => {
                    // All that was found was told, and nobody took them.
                    self.sockets.close_kept();
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
                Some(Action::Report(report)) => self.tell_report(report, observe),
                Some(Action::Ending) if self.snapshots.is_some() => self.save(observe),
                Some(Action::Ending) => {}
            }
        }
        true
    }

    fn save_if_due(&mut self, observe: &mut Observe) {
        let due = self
            .snapshots
            .is_some_and(|every| self.now.saturating_duration_since(self.saved) >= every);
        if due {
            self.save(observe);
        }
    }

    /// Hands out a snapshot, unless reports wait to be polled: then it is the next turn's.
    fn save(&mut self, observe: &mut Observe) {
        if let Some(snapshot) = self.scanner.snapshot() {
            self.saved = self.now;
            self.tell(Event::Snapshot(Box::new(snapshot)), observe);
        }
    }

    fn tell_progress(&mut self, observe: &mut Observe) {
        if self.now.saturating_duration_since(self.told) >= PROGRESS_EVERY {
            self.told = self.now;
            self.tell(Event::Progress(self.scanner.progress()), observe);
        }
    }

    fn tell(&mut self, event: Event, observe: &mut Observe) {
        if observe(event).is_break() {
            self.stopped = true;
        }
    }

    /// What the run came to so far.
    pub(super) fn report(&self) -> RunReport {
        let progress = self.scanner.progress();
        let summary = self.scanner.summary();
        RunReport {
            counts: progress.counts,
            hosts: summary.hosts,
            miss: summary.miss,
            silent_hosts: summary.silent_hosts,
            attempts: progress.attempts,
            talks_cut: self.talks.as_ref().map_or(0, Talks::cut),
        }
    }
}
