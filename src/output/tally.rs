//! Counts by reason, for the few reasons a host or a run meets.

use std::fmt;

use crate::engine::{Reason, State};

/// How often each reason was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(Vec<(Reason, u64)>);

impl Tally {
    pub(super) fn add(&mut self, reason: Reason, n: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count = count.saturating_add(n),
            None => self.0.push((reason, n)),
        }
    }

    pub(super) fn of_reasons(reasons: impl IntoIterator<Item = (Reason, u64)>) -> Tally {
        let mut tally = Tally::default();
        for (reason, n) in reasons {
            tally.add(reason, n);
        }
        tally
    }

    pub(super) fn merge(&mut self, other: &Tally) {
        for (reason, n) in &other.0 {
            self.add(*reason, *n);
        }
    }

    /// Every reason with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().copied()
    }

    /// The reasons of `state`, most frequent first.
    pub(super) fn of(&self, state: State) -> Reasons {
        let mut reasons: Vec<_> = self
            .0
            .iter()
            .filter(|(reason, _)| reason.state() == state)
            .copied()
            .collect();
        reasons.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.as_str().cmp(b.as_str())));
        Reasons(reasons)
    }
}

/// Reasons with their counts; `Display` is `980 interrupted, 20 out-of-sockets`.
pub(super) struct Reasons(Vec<(Reason, u64)>);

impl Reasons {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, n)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{n} {}", reason.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_reason_most_frequent_first() {
        let mut tally = Tally::default();
        tally.add(Reason::NoResponse, 2);
        tally.add(Reason::OutOfSockets, 1);
        let mut other = Tally::default();
        other.add(Reason::Interrupted, 7);
        other.add(Reason::OutOfSockets, 1);
        tally.merge(&other);
        let unscanned = tally.of(State::Unscanned);
        assert_eq!(unscanned.to_string(), "7 interrupted, 2 out-of-sockets");
        assert!(tally.of(State::Open).is_empty());
    }
}
