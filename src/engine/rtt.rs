//! Round-trip time and the soft deadline that follows from it: RFC 6298.
//!
//! Each attempt has a socket, and so a source port, of its own: an answer is known to belong to its
//! attempt, which is what Karn's rule asks for. The one ambiguity left is the kernel's own
//! retransmission of a SYN after a second (RFC 6298 §2.1): later samples are not taken.

use std::time::Duration;

/// After this an answer may be one to the kernel's retransmitted SYN (initial RTO, RFC 6298 §2).
const KERNEL_RTO: Duration = Duration::from_secs(1);

/// The least that an answer is waited for beyond the smoothed round-trip time: RFC 6298's G, for what clocks
/// do not tell. A turn of this machine's loop takes some ms, and so does one of a busy router or host; the
/// answers of even round trips, which those hold up, were taken for lost all at once.
const GRANULARITY: u64 = 10_000_000;

/// Smoothed round-trip time of a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rtt {
    smoothed: Option<Smoothed>,
}

/// In nanoseconds: each answer brings a sample, and a Duration is slow to divide.
#[derive(Clone, Copy, Debug)]
struct Smoothed {
    srtt: u64,
    rttvar: u64,
    min: u64,
}

impl Rtt {
    /// Takes a sample; whether it is the first that was taken.
    pub fn sample(&mut self, rtt: Duration) -> bool {
        let Some(rtt) = nanos(rtt) else {
            return false;
        };
        let next = match self.smoothed {
            // RFC 6298 (2.2)
            None => Smoothed {
                srtt: rtt,
                rttvar: rtt / 2,
                min: rtt,
            },
            // RFC 6298 (2.3), alpha 1/8, beta 1/4
            Some(Smoothed { srtt, rttvar, min }) => Smoothed {
                rttvar: (rttvar * 3 + srtt.abs_diff(rtt)) / 4,
                srtt: (srtt * 7 + rtt) / 8,
                min: min.min(rtt),
            },
        };
        self.smoothed.replace(next).is_none()
    }

    /// Smoothed round-trip time, its variation and the shortest sample.
    pub fn parts(&self) -> Option<[Duration; 3]> {
        let parts = self.smoothed.map(|s| [s.srtt, s.rttvar, s.min]);
        parts.map(|parts| parts.map(Duration::from_nanos))
    }

    /// The same from its [`parts`](Self::parts); nothing if they are no round-trip times.
    pub fn from_parts(parts: Option<[Duration; 3]>) -> Rtt {
        let smoothed = parts.and_then(|[srtt, rttvar, min]| {
            Some(Smoothed {
                srtt: nanos(srtt)?,
                rttvar: nanos(rttvar)?,
                min: nanos(min)?,
            })
        });
        Rtt { smoothed }
    }

    /// The smoothed round-trip time, once there is a sample.
    pub fn srtt(&self) -> Option<Duration> {
        self.smoothed.map(|s| Duration::from_nanos(s.srtt))
    }

    /// The shortest sample.
    pub fn min(&self) -> Option<Duration> {
        self.smoothed.map(|s| Duration::from_nanos(s.min))
    }

    /// How long an answer is expected to take at most: srtt + max(G, 4 rttvar) within the bounds, `initial`
    /// while there is no sample.
    pub fn soft_timeout(&self, initial: Duration, floor: Duration, ceiling: Duration) -> Duration {
        let estimate = match self.smoothed {
            None => initial,
            Some(Smoothed { srtt, rttvar, .. }) => {
                Duration::from_nanos(srtt + GRANULARITY.max(rttvar * 4))
            }
        };
        estimate.max(floor).min(ceiling)
    }
}

/// What is taken as a round-trip time.
fn nanos(rtt: Duration) -> Option<u64> {
    (rtt < KERNEL_RTO).then(|| u64::from(rtt.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn follows_rfc_6298() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.soft_timeout(400 * MS, 20 * MS, 1000 * MS), 400 * MS);
        rtt.sample(100 * MS);
        assert_eq!(rtt.soft_timeout(400 * MS, 20 * MS, 1000 * MS), 300 * MS);
        rtt.sample(200 * MS);
        // rttvar = 3/4 * 50 + 1/4 * 100 = 62.5; srtt = 7/8 * 100 + 1/8 * 200 = 112.5
        assert_eq!(rtt.srtt(), Some(Duration::from_micros(112_500)));
        assert_eq!(
            rtt.soft_timeout(400 * MS, 20 * MS, 1000 * MS),
            Duration::from_micros(362_500)
        );
    }

    /// All that was under way was taken for lost where somebody was late by 5 ms.
    #[test]
    fn even_round_trips_leave_room_for_who_is_busy() {
        let mut rtt = Rtt::default();
        (0..100).for_each(|_| {
            rtt.sample(40 * MS);
        });
        assert_eq!(rtt.soft_timeout(400 * MS, 20 * MS, 1000 * MS), 50 * MS);
    }

    #[test]
    fn stays_within_floor_and_ceiling() {
        let mut rtt = Rtt::default();
        rtt.sample(MS / 10);
        assert_eq!(rtt.soft_timeout(400 * MS, 20 * MS, 1000 * MS), 20 * MS);
        rtt.sample(900 * MS);
        assert_eq!(rtt.soft_timeout(400 * MS, 20 * MS, 500 * MS), 500 * MS);
    }

    #[test]
    fn takes_no_sample_that_may_answer_a_retransmitted_syn() {
        let mut rtt = Rtt::default();
        assert!(!rtt.sample(Duration::from_millis(1_002)));
        assert_eq!(rtt.srtt(), None);
        assert_eq!([rtt.sample(MS), rtt.sample(MS)], [true, false]);
    }
}
