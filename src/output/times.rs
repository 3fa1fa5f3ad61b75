//! Times as formats show them, those that files tell included.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

// jiff's own now(), strftime() and parser would bring all of its formats and errors into the program.

/// The system's time, or 1970 if that is out of bounds.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or_default()
}

/// A time as RFC 3339 has it; years before 0 with a sign and six digits, as jiff writes them.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let rest = &mut rest;
    let year = match one_of(rest, b"-+") {
        Some(b'-') => -number(rest, 6)?,
        Some(_) => number(rest, 6)?,
        None => number(rest, 4)?,
    };
    one_of(rest, b"-")?;
    let month = number(rest, 2)?;
    one_of(rest, b"-")?;
    let day = number(rest, 2)?;
    one_of(rest, b"Tt ")?;
    let hour = number(rest, 2)?;
    one_of(rest, b":")?;
    let minute = number(rest, 2)?;
    one_of(rest, b":")?;
    let second = match number(rest, 2)? {
        // A leap second; no clock of a computer has it.
        60 => 59,
        second => second,
    };
    let nanos = match one_of(rest, b".") {
        Some(_) => {
            let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
            number(rest, digits.min(9))? * 10_i32.checked_pow(9_u32.checked_sub(digits as u32)?)?
        }
        None => 0,
    };
    let offset = match one_of(rest, b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let hours = number(rest, 2)?;
            one_of(rest, b":")?;
            let minutes = number(rest, 2)?;
            let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => 0,
    };
    let small = |number: i32| i8::try_from(number).ok();
    let date = DateTime::new(
        year.try_into().ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanos,
    );
    let time = Offset::from_seconds(offset).ok()?.to_timestamp(date.ok()?);
    time.ok().filter(|_| rest.is_empty())
}

/// The first byte, taken if it is one of `bytes`.
fn one_of(rest: &mut &[u8], bytes: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first().filter(|(c, _)| bytes.contains(c))?;
    *rest = after;
    Some(*first)
}

/// A number of so many digits, taken; of one to nine.
fn number(rest: &mut &[u8], digits: usize) -> Option<i32> {
    let (number, after) = rest.split_at_checked(digits)?;
    let is_one = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    *rest = after;
    is_one.then(|| {
        number
            .iter()
            .fold(0, |sum, c| sum * 10 + i32::from(c - b'0'))
    })
}

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
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let time = zone.to_datetime(time);
    // Both are in bounds: days from 0, months from 1 on.
    let day = DAYS[time.weekday().to_monday_zero_offset() as usize % 7];
    let month = MONTHS[(time.month() as usize + 11) % 12];
    let clock = time.time();
    format!(
        "{day} {month} {:>2} {clock:.0} {:04}",
        time.day(),
        time.year()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A library that reads more kinds of times reads these alike, days of each month and all.
        #[test]
        fn times_are_read_as_a_library_reads_them(
            text in "([0-9]{4}|[-+]00[0-9]{3}[1-9])-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?([Zz]|[-+](0[0-9]|1[0-9]|2[0-3]):[0-6][0-9])"
        ) {
            prop_assert_eq!(read(&text), text.parse::<Timestamp>().ok());
        }

        /// Nothing ends the program.
        #[test]
        fn any_text_is_read_or_is_not(text in "[-+0-9TtZz:. ]{0,40}|.{0,40}") {
            if let Some(time) = read(&text) {
                prop_assert_eq!(read(&time.to_string()), Some(time));
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "2026-11-28T14:08:51Z",
            "2026-11-28T14:08:51.000001Z",
            "1969-12-31T23:59:59.999999999Z",
            "0000-02-29T00:00:00Z",
            "-000001-01-01T00:00:00.5Z",
        ] {
            let time = read(text).expect(text);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse().ok(), Some(time), "{text}");
        }
        for bound in [Timestamp::MIN, Timestamp::MAX, now()] {
            assert_eq!(read(&bound.to_string()), Some(bound), "{bound}");
        }
    }

    #[test]
    fn times_of_other_programs_are_read() {
        for (text, utc) in [
            ("2026-11-28t14:08:51z", "2026-11-28T14:08:51Z"),
            ("2026-11-28 14:08:51+01:30", "2026-11-28T12:38:51Z"),
            ("2026-11-28T23:59:60.25-00:01", "2026-11-29T00:00:59.25Z"),
        ] {
            assert_eq!(read(text).expect(text).to_string(), utc, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        let whole = "2026-11-28T14:08:51.000001+01:00";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{}", &whole[..end]);
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.0000000001Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00Z ",
            "2026-1-01T00:00:00Z",
            "2026-01-01T00:00:\u{0665}Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn ctime_has_names() {
        let time = read("2026-11-08T04:08:51.9Z").expect("a time");
        assert_eq!(ctime(time, &TimeZone::UTC), "Sun Nov  8 04:08:51 2026");
    }
}
