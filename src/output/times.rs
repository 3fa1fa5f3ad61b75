//! Times as formats show them, those that files tell included.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds from a file as a duration, of a century at most.
pub(crate) fn duration(seconds: f64) -> Duration {
    const CENTURY: f64 = 100.0 * 366.0 * 86_400.0;
    Duration::try_from_secs_f64(seconds.min(CENTURY)).unwrap_or_default()
}

/// When something ended that took `elapsed_s` seconds.
pub(crate) fn end(started: Timestamp, elapsed_s: f64) -> Timestamp {
    started.checked_add(duration(elapsed_s)).unwrap_or(started)
}

/// Seconds with two decimals.
pub(super) struct Seconds(pub(super) f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", duration(self.0).as_secs_f64())
    }
}

/// `Sat Nov 28 14:08:51 2026`, as ctime(3) and nmap have it.
pub(super) fn ctime(time: Timestamp, zone: &TimeZone) -> String {
    let time = time.to_zoned_datetime(zone.clone());
    time.strftime("%a %b %e %H:%M:%S %Y").to_string()
}
