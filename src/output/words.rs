//! The wording of what people read: chances, counts, reasons, times.

use std::fmt::{self, Write as _};

use crate::engine::{Counts, State, Verdict};
use crate::output::ndjson::HostLine;

/// Why there is no chance to tell. In results put together from shards, which know nothing of each
/// other, what answered in one says nothing of the silence in another.
pub(super) fn unknown(counts: &Counts, merged: bool) -> &'static str {
    match (counts.open + counts.closed, merged) {
        (0, _) => "cannot be known, nothing answered",
        (_, true) => "cannot be known for the shards in which nothing answered",
        (_, false) => "cannot be known",
    }
}

/// What a chance is the chance of.
pub(super) fn chance_of(counts: &Counts) -> &'static str {
    match counts.unscanned {
        0 => "Chance that an open port was missed",
        _ => "Chance that an open port was missed among those scanned",
    }
}

pub(super) fn trust_lines(text: &mut String, host: &HostLine<'_>, merged: bool) -> fmt::Result {
    let counts = &Counts::from(host.counts);
    if host.suspect.is_some() {
        let n = host.suspect_ports.unwrap_or(1);
        writeln!(
            text,
            "suspect: accepts-all ({n} of {n} unlikely ports open)"
        )?;
    }
    if let (Some(how), Some(ports)) = (host.alike.as_deref(), host.alike_ports) {
        let how = match how {
            "silent" => "accept and say nothing",
            "closes" => "accept and close at once",
            "resets" => "accept and reset at once",
            _ => "say the same",
        };
        writeln!(text, "suspect: all {ports} open ports asked {how}")?;
    }
    if host.refusals_limited {
        writeln!(
            text,
            "Refusals are limited here: filtered ports may be closed, but none of them is open"
        )?;
    }
    if let Some(loss) = host.loss.filter(|loss| *loss >= 0.0005) {
        writeln!(text, "Estimated loss on the path: {:.1}%", loss * 100.0)?;
    }
    if counts.total() == counts.unscanned {
        return Ok(());
    }
    match host.miss {
        Some(miss) => {
            let all_answered = counts.open + counts.closed == counts.total();
            let chance = Chance { miss, all_answered };
            writeln!(text, "{}: {chance}", chance_of(counts))
        }
        None => writeln!(text, "{}: {}", chance_of(counts), unknown(counts, merged)),
    }
}

/// A chance in words.
pub(super) struct Chance {
    pub(super) miss: f64,
    pub(super) all_answered: bool,
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all_answered {
            return f.write_str("none, every port answered");
        }
        match self.miss {
            miss if miss < 1e-6 => f.write_str("below 1 in 1,000,000"),
            miss if miss <= 0.02 => write!(f, "about 1 in {}", Thousands(two_digits(1.0 / miss))),
            miss => write!(f, "about {:.0}%", (miss * 100.0).min(100.0)),
        }
    }
}

/// `value`, 1 to 1,000,000, rounded down to two significant digits: the chance is not understated.
fn two_digits(value: f64) -> u64 {
    let mut unit = 1;
    // The small addition keeps 1 / 0.001 from becoming 990.
    let value = (value + 1e-6) as u64;
    while value / unit >= 100 {
        unit *= 10;
    }
    value / unit * unit
}

/// A number with commas between thousands.
pub(super) struct Thousands(pub(super) u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// `2 open, 1020 closed, 2 filtered, 0 unscanned`.
pub(super) struct Sums<'a>(pub(super) &'a Counts);

impl fmt::Display for Sums<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, state) in State::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", self.0.get(state), state.as_str())?;
        }
        Ok(())
    }
}

/// A state as port lines have it.
pub(super) struct Word {
    pub(super) state: State,
    pub(super) color: bool,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, color) = match self.state {
            State::Open => ("OPEN", 32),
            State::Closed => ("CLOSED", 31),
            State::Filtered => ("FILTERED", 33),
            State::Unscanned => ("UNSCANNED", 35),
        };
        if self.color {
            write!(f, "\x1b[{color}m{word}\x1b[0m")
        } else {
            f.write_str(word)
        }
    }
}

/// Why a verdict is what it is.
pub(super) struct Because<'a> {
    pub(super) verdict: &'a Verdict,
    /// With round-trip time and attempts.
    pub(super) details: bool,
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            reason,
            attempts,
            rtt,
            from,
        } = self.verdict;
        f.write_str(reason.as_str())?;
        if let Some(from) = from {
            write!(f, " from {from}")?;
        }
        if !self.details {
            return Ok(());
        }
        if let Some(rtt) = rtt {
            write!(f, ", {:.2} ms", rtt.as_secs_f64() * 1e3)?;
        }
        if *attempts > 1 {
            write!(f, ", {attempts} attempts")?;
        }
        Ok(())
    }
}

pub(super) fn ports(n: u64) -> String {
    format!("{n} port{}", if n == 1 { "" } else { "s" })
}

pub(super) fn hosts(n: u64) -> String {
    format!("{n} host{}", if n == 1 { "" } else { "s" })
}

pub(super) fn digits(port: u16) -> usize {
    port.checked_ilog10().unwrap_or(0) as usize + 1
}
