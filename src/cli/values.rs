//! Values of flags: durations, rates, sizes, chances; each error says what would be right.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A week, in seconds.
const MAX_PATIENCE: f64 = 604_800.0;
/// Longest time for any of the flags of attempts.
const MAX_SECONDS: f64 = 60.0;

/// `1s`, `500ms`, `1.5s`, `2`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1.0), ("ms", 1e-3)];
    let seconds = seconds(text, &units)
        .ok_or("not a duration; write 1s, 500ms, 1.5s or a number of seconds")?;
    if !(1e-3..=MAX_SECONDS).contains(&seconds) {
        return Err("out of range: 1ms to 60s".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// `90s`, `10m`, `2h`, or seconds without a unit.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let units = [("s", 1.0), ("ms", 1e-3), ("m", 60.0), ("h", 3_600.0)];
    let seconds =
        seconds(text, &units).ok_or("not a duration; write 90s, 10m, 2h or a number of seconds")?;
    if !(1.0..=MAX_PATIENCE).contains(&seconds) {
        return Err("out of range: 1s to 168h".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A number and its unit, the first of `units` if it has none, in seconds.
fn seconds(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, units[0].0),
    };
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Some(positive(number)? * scale)
}

/// `500/s`, `0.5/s`, `500`.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match positive(number) {
        Some(rate) if (0.01..=1e7).contains(&rate) => Ok(rate),
        Some(_) => Err("out of range: 0.01/s to 10000000/s".into()),
        None => Err("not a rate; write 500/s or 0.5/s".into()),
    }
}

/// Bounds of `--max-memory`, in bytes; below f64's last exact whole number.
const MEMORY_LEAST: f64 = 3_145_728.0;
const MEMORY_MOST: f64 = 1_125_899_906_842_624.0;

/// A chance above 0 and below 1.
pub(super) fn chance(text: &str) -> Result<f64, String> {
    match positive(text) {
        Some(chance) if (1e-9..=0.5).contains(&chance) => Ok(chance),
        Some(_) => Err("out of range: 0.000000001 to 0.5".into()),
        None => Err("not a chance; write 0.001 or 1e-3".into()),
    }
}

/// `16M`, `64MiB`, `1G`, `8000000`: bytes.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(at.unwrap_or(text.len()));
    let bits = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "ki" | "kb" | "kib" => 10,
        "m" | "mi" | "mb" | "mib" => 20,
        "g" | "gi" | "gb" | "gib" => 30,
        _ => return Err("not a size; write 16M, 64MiB or 1G".into()),
    };
    let bytes =
        positive(number).ok_or("not a size; write 16M, 64MiB or 1G")? * f64::from(1 << bits);
    if !(MEMORY_LEAST..=MEMORY_MOST).contains(&bytes) {
        return Err("out of range: 3M, which the program itself needs, to 1048576G".into());
    }
    Ok(bytes as u64)
}

/// Sockets at most. Slab keys and the kernel's own tables end well below.
pub(super) fn sockets(text: &str) -> Result<usize, String> {
    // It fits by the range.
    whole(text, 1..=1_000_000).map(|n| n as usize)
}

/// How often something is tried again.
pub(super) fn retries(text: &str) -> Result<u8, String> {
    whole(text, 0..=50).map(|n| n as u8)
}

/// The seed of an order.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0..=u64::MAX)
}

/// How many of the popular ports.
pub(super) fn top_ports(text: &str) -> Result<usize, String> {
    let known = nishad::service::popular().len();
    let number = whole(text, 1..=known as u64);
    let all = |error| format!("{error}; --ports - is all ports");
    number.map(|n| n as usize).map_err(all)
}

/// Digits alone that make a number in `range`.
fn whole(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = (range.start(), range.end());
    match (digits, text.parse()) {
        (true, Ok(number)) if range.contains(&number) => Ok(number),
        (true, _) => Err(format!("out of range: {least} to {most}")),
        (false, _) => Err(format!(
            "not a whole number; write one of {least} to {most}"
        )),
    }
}

/// A decimal number, neither negative nor infinite.
fn positive(text: &str) -> Option<f64> {
    // f64's own syntax also has inf, nan, and signs.
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_longer() {
        for (text, seconds) in [
            ("90", 90),
            ("1s", 1),
            ("2m", 120),
            ("1.5h", 5_400),
            ("168h", 604_800),
        ] {
            assert_eq!(patience(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "999ms", "1d", "169h", "m"] {
            assert!(patience(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        let ms = Duration::from_millis;
        for (text, wanted) in [
            ("1s", 1000),
            ("500ms", 500),
            ("1.5s", 1500),
            ("2", 2000),
            (".5", 500),
            ("60", 60_000),
        ] {
            assert_eq!(duration(text), Ok(ms(wanted)), "{text}");
        }
        for text in [
            "", "s", "1h", "1 s", "-1s", "+1s", "nan", "inf", "infs", "1e3", "0", "0.0001ms", "61",
            "1ss",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_and_chances() {
        assert_eq!(rate("500/s"), Ok(500.0));
        assert_eq!(rate("0.5/s"), Ok(0.5));
        assert_eq!(rate("1000"), Ok(1000.0));
        for text in ["", "/s", "0", "-1/s", "500/m", "inf/s", "1e99"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(chance("1e-3"), Ok(0.001));
        for text in ["0", "1", "-0.1", "x", "nan"] {
            assert!(chance(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_numbers_say_which_are_right() {
        assert_eq!(retries("0"), Ok(0));
        assert_eq!(retries("050"), Ok(50));
        assert_eq!(sockets("1000000"), Ok(1_000_000));
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        let lesson = "not a whole number; write one of 0 to 50";
        for text in ["", "x", "-1", "+1", "1.0", "1e3", " 1", "\u{662}"] {
            assert_eq!(retries(text), Err(lesson.into()), "{text}");
        }
        for text in ["51", "99999999999999999999999999"] {
            assert_eq!(retries(text), Err("out of range: 0 to 50".into()), "{text}");
        }
        let known = nishad::service::popular().len();
        assert_eq!(top_ports(&known.to_string()), Ok(known));
        for (text, start) in [
            ("0", "out of range: 1 to "),
            ("99999", "out of"),
            ("all", "not"),
        ] {
            let error = top_ports(text).expect_err(text);
            assert!(error.starts_with(start), "{error}");
            assert!(error.ends_with("; --ports - is all ports"), "{error}");
        }
    }

    #[test]
    fn sizes_of_memory() {
        for (text, bytes) in [
            ("16M", 16 << 20),
            ("16m", 16 << 20),
            ("16MiB", 16 << 20),
            ("16MB", 16 << 20),
            ("16Mi", 16 << 20),
            ("4096K", 4 << 20),
            ("1.5G", 3 << 29),
            ("8000000", 8_000_000),
            ("8000000B", 8_000_000),
            ("1048576G", 1 << 50),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "MiB",
            "-16M",
            "+16M",
            "16 M",
            "16X",
            "16iB",
            "16MM",
            "1e9",
            "inf",
            "nanM",
            "infG",
            "0",
            "2M",
            "1048577G",
            "99999999999999999999G",
            "16Mb/s",
        ] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
