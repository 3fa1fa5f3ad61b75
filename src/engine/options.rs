//! What bounds a scan.

use std::time::Duration;

/// Bounds and goals of a scan. `Options::default()` is what the program does without flags. A value
/// that makes no sense (no socket, a timeout of a century) is taken as the nearest that does.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an attempt is waited for before it counts as unanswered (the hard deadline).
    pub timeout: Duration,
    /// How often a silent port is tried again at most.
    pub retries: u8,
    /// Wanted upper bound of the chance that an open port is missed, 0 to 1. The number of
    /// attempts follows from it and from the loss met, up to `retries`.
    pub miss: f64,
    /// Connection attempts a second over the whole run, canaries and retries included.
    pub rate: Option<f64>,
    /// Connection attempts in any one second to any one network, an IPv4 /24 or an IPv6 /64, canaries
    /// and retries included.
    pub net_rate: Option<f64>,
    /// Sockets in use at once over the whole run.
    pub max_sockets: usize,
    /// Sockets in use at once for one host.
    pub host_sockets: usize,
    /// Ports of the hosts that are scanned at once, at two bytes each: how much memory that takes,
    /// however many targets there are. A host is begun only when there is room for all its ports,
    /// but one at a time is always scanned, and none counts as fewer than 256.
    pub active_ports: u32,
    /// Lower bound of the adaptive (soft) deadline.
    pub min_rtt_timeout: Duration,
    /// Soft deadline while no round-trip time is known.
    pub initial_rtt_timeout: Duration,
    /// Probes in the window of a host at the start: 4 KiB of SYNs, and one round trip less
    /// to any window than with half as many.
    pub initial_window: usize,
    /// How long a network that has gone away, or a path on which nothing answers any more, is waited
    /// for.
    pub give_up: Duration,
    /// End the probes of a host once one of its ports is found open: those without a verdict are
    /// unscanned, [`Reason::FirstOpen`](super::Reason::FirstOpen).
    pub stop_at_first_open: bool,
    /// Probe ports that a limit on refusals hides at the rate it allows, to tell closed from filtered.
    pub exact: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            timeout: Duration::from_secs(1),
            retries: 6,
            miss: 1e-3,
            rate: None,
            net_rate: None,
            max_sockets: 32_768,
            host_sockets: 32_768,
            active_ports: 1 << 19,
            min_rtt_timeout: Duration::from_millis(20),
            initial_rtt_timeout: Duration::from_millis(400),
            initial_window: 64,
            give_up: Duration::from_secs(60),
            stop_at_first_open: false,
            exact: false,
        }
    }
}

/// Bounds within which deadlines can be added up and a scan comes to its end.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3_600));
const RATE_MIN: f64 = 1e-3;

impl Options {
    /// The same, each value within what makes sense: timeouts of a millisecond to an hour, a rate of
    /// at least one a thousand seconds, at least one socket.
    pub(super) fn within_bounds(self) -> Options {
        let rate = |value: Option<f64>| {
            let some = value.filter(|rate| *rate > 0.0);
            some.map(|rate| rate.max(RATE_MIN))
        };
        let timeout = |value: Duration| value.clamp(TIMEOUT.0, TIMEOUT.1);
        Options {
            timeout: timeout(self.timeout),
            min_rtt_timeout: timeout(self.min_rtt_timeout),
            initial_rtt_timeout: timeout(self.initial_rtt_timeout),
            rate: rate(self.rate),
            net_rate: rate(self.net_rate),
            max_sockets: self.max_sockets.max(1),
            host_sockets: self.host_sockets.max(1),
            initial_window: self.initial_window.max(1),
            ..self
        }
    }
}
