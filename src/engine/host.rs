//! One active host: what it has shown so far, and what to send it next.

use std::time::{Duration, Instant};

use super::away::Away;
use super::canary::Canaries;
use super::ledger::Ledger;
use super::loss::{HostTrials, Kinds, Trials};
use super::pace::{self, LONG_OUTAGE, Pace};
use super::path::{Moment, Path};
use super::rtt::Rtt;
use super::scanner::CANARY_SOCKETS;
use super::{Counts, Options};
use crate::target::{PortOrder, Target};

/// Attempts made on a silent port at least, if retries are allowed at all: a single silence says
/// nothing where a burst of loss is shorter than the time between two canaries.
const LEAST_ATTEMPTS: u8 = 2;
/// Silences after which a canary is asked at once, rather than at leisure.
const QUIET: u32 = 8;
/// Time between canaries while silence is met: half a round trip within these bounds.
const CANARY_MIN: Duration = Duration::from_millis(10);
const CANARY_MAX: Duration = Duration::from_millis(100);
/// While it is not known what the path bears, a canary goes with each so many probes, so that few
/// silences are in doubt when it breaks down.
const CLOSE: u32 = 32;
/// Probes after which that is known, unless a table of flows has filled up: then one goes with each so
/// many. Not by time alone: the probes of a burst may meet a table that is full, and the canary after
/// them the place that another one leaves.
const CLOSE_UNTIL: u32 = 8_192;
const CLOSE_LATER: u32 = 128;
/// That is for hosts on which at least one probe in so many is met with silence.
const CLOSE_SHARE: u64 = 8;
/// Ports wait at most this share of an outage after its end.
const HOLD_SHARE: u32 = 32;
/// With fewer silences than [`QUIET`], canaries are this many times rarer.
const LEISURE: u32 = 4;
/// Of a limited rate, canaries may take one probe in so many.
const CANARY_SHARE: f64 = 20.0;
/// Closed canaries that must be lost before refusals can be called limited, and by how much their
/// loss must exceed that of open ports.
const REFUSALS_LOST: f64 = 6.0;
const REFUSALS_EXCESS: f64 = 0.3;
/// Unlikely ports, all of them open, that show something which accepts everything.
pub const ACCEPTS_ALL: u32 = 32;

/// The state of a host.
#[derive(Debug)]
pub struct Host {
    /// Its position in the run.
    pub position: u64,
    pub target: Target,
    pub order: PortOrder,
    /// Its network, where those have a rate of their own.
    pub net: u32,
    pub ledger: Ledger,
    pub pace: Pace,
    pub rtt: Rtt,
    pub path: Path,
    pub canaries: Canaries,
    pub counts: Counts,
    pub started: Instant,
    /// Attempts on its ports that have a socket.
    pub live: u32,
    /// Attempts on canaries that have a socket.
    pub asked: Vec<u32>,
    /// Whether it is in the queue of hosts that may have something to send.
    pub is_ready: bool,
    pub pause_until: Option<Instant>,
    /// This machine has lost its route to it.
    pub away: Option<Away>,
    /// Only canaries are sent until then: the path was just found again.
    pub hold_until: Option<Instant>,
    /// Since when ports have been tried without the path being lost.
    pub busy_since: Instant,
    /// Attempts wanted on a silent port.
    pub wanted: u8,
    /// Trials on ports found open, and on ports found closed.
    pub trials: HostTrials,
    /// Closed and open canaries asked at the same time, to tell one's loss from the other's.
    pub refusals: Trials,
    pub accepts: Trials,
    pub refusals_limited: bool,
    /// Silences since the last canary was asked.
    pub quiet: u32,
    pub last_canary: Option<Instant>,
    /// Probes sent, and those since the last canary.
    pub sent: u32,
    pub since_canary: u32,
    /// The path was lost for as long as a table of flows takes to empty.
    table_filled: bool,
    /// Attempts whose soft deadline passed.
    pub silences: u32,
    /// Silences looked at since the rate was last judged by them, and those of them in doubt.
    pub checked: u32,
    pub doubtful: u32,
    /// The least time between canaries while each costs an attempt its socket.
    pub scarce: Duration,
    /// Probes that go before the next canary once it is due. Probes leave in bursts, and the first
    /// of a burst fares best at a limit: canaries that always went first would see too little of it.
    pub canary_behind: u8,
    /// Ports that are not popular: found open, found otherwise, silent at the first attempt.
    pub unlikely_open: u32,
    pub unlikely_other: u32,
    pub unlikely_silent: u32,
    pub fate: Fate,
}

/// Signs that the host cannot be reached at all.
#[derive(Debug, Default)]
pub struct Fate {
    /// Something of the host itself answered.
    pub answered: bool,
    /// Host-level rejections, or refusals of this machine to send.
    pub signs: u32,
    /// When the first sign came.
    pub first: Option<Instant>,
    /// A sign came for a probe that was sent after the first one.
    pub confirmed: bool,
}

/// What to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A port that was never tried.
    Fresh,
    /// A port that wants another attempt.
    Again,
    /// A canary.
    Canary,
}

impl Host {
    pub fn new(
        position: u64,
        target: Target,
        order: PortOrder,
        ports: u32,
        options: &Options,
        now: Instant,
    ) -> Host {
        Host {
            position,
            target,
            order,
            net: 0,
            ledger: Ledger::new(ports),
            pace: Pace::new(options.initial_window, options.host_sockets, None),
            rtt: Rtt::default(),
            path: Path::new(),
            canaries: Canaries::default(),
            counts: Counts::default(),
            started: now,
            live: 0,
            asked: Vec::new(),
            is_ready: false,
            pause_until: None,
            away: None,
            hold_until: None,
            busy_since: now,
            wanted: least_attempts(options),
            trials: HostTrials::default(),
            refusals: Trials::default(),
            accepts: Trials::default(),
            refusals_limited: false,
            quiet: 0,
            last_canary: None,
            sent: 0,
            since_canary: 0,
            table_filled: false,
            silences: 0,
            checked: 0,
            doubtful: 0,
            scarce: Duration::ZERO,
            canary_behind: 0,
            unlikely_open: 0,
            unlikely_other: 0,
            unlikely_silent: 0,
            fate: Fate::default(),
        }
    }

    /// What may be sent now, `None` if nothing.
    pub fn next(&mut self, options: &Options, now: Instant) -> Option<Next> {
        if self.pause_until.is_some_and(|until| until > now) || self.pace.wait_until(now).is_some()
        {
            return None;
        }
        let holds_all = self.holds_all(options, self.reserve(options));
        let wants = self.ledger.has_fresh() || self.ledger.queued() > 0;
        let lost = self.path.lost_since().is_some() || self.hold_until.is_some_and(|t| t > now);
        let blocked = lost || holds_all || !wants || !self.pace.has_room();
        let due = self.canary_due(options).is_some_and(|due| due <= now);
        let due = due && !self.holds_all(options, 0);
        if due && (blocked || self.canary_behind == 0) {
            return Some(Next::Canary);
        }
        if blocked {
            return None;
        }
        self.canary_behind = self.canary_behind.saturating_sub(u8::from(due));
        Some(if self.ledger.has_fresh() {
            Next::Fresh
        } else {
            Next::Again
        })
    }

    /// Whether it may have no more sockets, if `reserve` of them are for something else.
    fn holds_all(&self, options: &Options, reserve: usize) -> bool {
        self.live as usize + self.asked.len() + reserve >= options.host_sockets
    }

    /// Sockets that ports leave to the next canary.
    fn reserve(&self, options: &Options) -> usize {
        let none = self.canaries.is_empty() || !self.asked.is_empty();
        usize::from(!none && options.host_sockets >= CANARY_SOCKETS)
    }

    /// Whether every port is answered or silent and nothing is waited for.
    pub fn is_complete(&self) -> bool {
        self.live == 0 && self.ledger.is_settled()
    }

    /// When to ask [`next`](Self::next) again although nothing happened.
    pub fn wake_at(&self, options: &Options, now: Instant) -> Option<Instant> {
        let wants = self.path.lost_since().is_none()
            && (self.ledger.has_fresh() || self.ledger.queued() > 0);
        let blocked = self
            .pause_until
            .filter(|until| *until > now)
            .max(self.pace.wait_until(now));
        let canary = self
            .canary_due(options)
            .filter(|_| !self.holds_all(options, 0))
            .map(|due| due.max(blocked.unwrap_or(due)));
        let send = blocked.max(self.hold_until.filter(|until| *until > now));
        let send = send.filter(|_| wants);
        let round = self.pace.round_end().filter(|_| wants);
        let look = self.pace.next_look().filter(|_| self.live > 0);
        [canary, send, round, look].into_iter().flatten().min()
    }

    /// When the next canary is due, if silence is to be checked at all.
    fn canary_due(&self, options: &Options) -> Option<Instant> {
        if self.canaries.is_empty() {
            return None;
        }
        let last = self.last_canary.unwrap_or(self.started);
        let srtt = self.rtt.srtt().unwrap_or(CANARY_MAX);
        if self.path.lost_since().is_some() {
            return Some(last + self.path.pause(last, srtt));
        }
        let close = match self.sent < CLOSE_UNTIL || self.table_filled {
            true => CLOSE,
            false => CLOSE_LATER,
        };
        if self.since_canary >= close && self.meets_silence() && self.scarce.is_zero() {
            return Some(last);
        }
        if self.quiet == 0 {
            return None;
        }
        let rare = self.pace.rate().map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(CANARY_SHARE / rate)
        });
        let gap = (srtt / 2)
            .clamp(CANARY_MIN, CANARY_MAX)
            .max(rare.min(options.timeout))
            .max(self.scarce);
        Some(
            last + if self.quiet >= QUIET {
                gap
            } else {
                gap * LEISURE
            },
        )
    }

    /// Whether a good part of what is known of probes is silence. Not of all that were sent: a burst is not
    /// known to be met with it before it is over.
    fn meets_silence(&self) -> bool {
        let silences = u64::from(self.silences);
        self.silences >= QUIET && silences >= (silences + self.counts.total()) / CLOSE_SHARE
    }

    /// How long an answer is expected to take at most.
    pub fn soft_timeout(&self, options: &Options) -> Duration {
        self.rtt.soft_timeout(
            options.initial_rtt_timeout,
            options.min_rtt_timeout,
            options.timeout,
        )
    }

    /// Whether round trips have grown as they do when a queue fills.
    pub fn is_queueing(&self) -> bool {
        pace::queueing(self.rtt.srtt(), self.rtt.min())
    }

    /// Before the first probe.
    pub fn begin(&self) -> Moment {
        Moment {
            at: self.started,
            order: 0,
        }
    }

    /// Trials that tell about the path: not refusals that the host holds back.
    pub fn path_trials(&self, exact: bool) -> Trials {
        let Kinds { open, closed } = self.trials.kinds();
        match (self.refusals_limited, exact) {
            (true, true) => closed,
            (true, false) => open,
            (false, _) => open.plus(closed),
        }
    }

    /// Whether canaries of this kind tell about the path.
    pub fn tells_path(&self, open: bool, exact: bool) -> bool {
        if exact && self.refusals_limited {
            !open
        } else {
            open || !self.canaries.has_open()
        }
    }

    /// The path is found again after `after`. If a table of flows on the way was full, it empties
    /// over as long a time as it was filled in; what is sent before that would take each place
    /// among lost canaries, in doubt. A short outage is worth no long wait.
    pub fn on_path_found(&mut self, after: Duration, options: &Options, now: Instant) {
        let mut hold = now;
        if after >= LONG_OUTAGE {
            let lost_at = now.checked_sub(after).unwrap_or(now);
            let busy = lost_at.saturating_duration_since(self.busy_since);
            hold += busy.min(after / HOLD_SHARE);
            self.busy_since = hold;
            self.table_filled = true;
            self.trials.on_table_emptied();
        }
        self.hold_until = Some(hold);
        let unnoticed = self.soft_timeout(options);
        self.pace.on_path_found(after, unnoticed, hold);
    }

    /// Works out anew how often a silent port is to be tried.
    pub fn want(&mut self, options: &Options, path_trials: Trials) {
        let trials = if self.canaries.is_empty() {
            path_trials
        } else {
            self.path_trials(options.exact)
        };
        let (least, most) = (least_attempts(options), most_attempts(options));
        // Where nothing ever answered, no number of attempts makes the silence mean more.
        let wanted = match trials.ok {
            0.0 => least,
            // A closed port called filtered is a wrong answer too: all that answer count as found.
            _ => {
                let found = self.counts.open + self.counts.closed;
                trials.attempts_for(options.miss, found, least, most)
            }
        };
        if wanted != self.wanted {
            self.wanted = wanted;
            self.ledger.restage_all(wanted);
        }
    }

    /// Whether lost closed canaries, against open ones that answer, show a limit on refusals.
    pub fn shows_refusal_limit(&self) -> bool {
        !self.refusals_limited
            && self.canaries.has_open()
            && self.refusals.lost >= REFUSALS_LOST
            && self.accepts.ok >= REFUSALS_LOST * 2.0
            && self.refusals.share() > self.accepts.share() + REFUSALS_EXCESS
            && self.accepts.share() < REFUSALS_EXCESS / 2.0
    }

    /// Whether every unlikely port, and enough of them, is open.
    pub fn accepts_all(&self) -> bool {
        // A quarter may be lost on the way, for now; none may stay silent in the end.
        let few_silent = match self.ledger.is_settled() {
            true => self.ledger.silent() == 0,
            false => self.unlikely_silent <= self.unlikely_open / 4,
        };
        self.unlikely_open >= ACCEPTS_ALL && self.unlikely_other == 0 && few_silent
    }
}

/// Attempts that `options` allow on a silent port.
pub fn most_attempts(options: &Options) -> u8 {
    options
        .retries
        .saturating_add(1)
        .min(super::ledger::MAX_COUNTED)
}

fn least_attempts(options: &Options) -> u8 {
    LEAST_ATTEMPTS.min(most_attempts(options))
}
