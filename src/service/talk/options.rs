//! What a talk is allowed, and how long it waits.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Connections to a port at most, the one that found it open included.
pub const MAX_CONNECTIONS: u8 = 3;

/// Bytes read of a port at most, over all its connections. What comes beyond is not looked at.
pub const MAX_READ: usize = 64 << 10;

/// Bytes of one answer that are kept and matched.
pub const MAX_ANSWER: usize = 16 << 10;

/// Round-trip time assumed where none was measured.
const UNKNOWN_RTT: Duration = Duration::from_millis(100);

/// What is needed to talk to a port.
#[derive(Clone, Debug)]
pub struct Options {
    /// The target, a name or an address: what HTTP's `Host` and TLS's server name say.
    pub target: Arc<str>,
    /// The host's round-trip time, if known: how long is waited follows from it.
    pub rtt: Option<Duration>,
    /// Whether ports 9100 to 9107 are sent anything. Printers there print it.
    pub ask_printers: bool,
    /// The time of day, by which certificates are valid or not.
    pub wall: Timestamp,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// For a greeting where nothing is known of the port.
    pub greeting: Duration,
    /// For a greeting where the client usually speaks first.
    pub brief: Duration,
    /// For the next byte of an answer, before it is taken for complete.
    pub quiet: Duration,
    /// For an answer, or a greeting where the server usually speaks first.
    pub answer: Duration,
    /// For the port, waiting for connections not counted.
    pub total: Duration,
}

impl Moments {
    /// The moments for a host with this round-trip time. A server needs time of its own: 2 s for an
    /// answer are what a busy database or a mail server with name lookups takes.
    pub fn of(rtt: Option<Duration>) -> Moments {
        let rtt = rtt.unwrap_or(UNKNOWN_RTT).min(Duration::from_secs(1));
        let ms = Duration::from_millis;
        Moments {
            greeting: 2 * rtt + ms(250),
            brief: rtt + ms(20),
            quiet: (rtt + ms(60)).min(ms(500)),
            answer: 3 * rtt + ms(2000),
            total: 8 * rtt + ms(8000),
        }
    }
}
