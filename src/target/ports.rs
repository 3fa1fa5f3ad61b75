//! Sets of TCP ports.
//!
//! A set is kept as its runs of neighbouring ports: 4 bytes a run, the first port of the run and
//! the number of ports before it, shared by all copies. The length of a run is told by the start
//! of the next. Rank and selection are binary searches. Sets are put together in a bitmap of
//! 8 KiB that lives only for the operation.

use std::sync::Arc;

/// A set of TCP ports. Copies are cheap: they share the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet {
    runs: Arc<[Run]>,
    len: u32,
}

/// Neighbouring ports that are all in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run {
    first: u16,
    /// Ports in the set below `first`.
    before: u16,
}

impl PortSet {
    /// All ports but port 0.
    pub fn all() -> PortSet {
        let mut bits = Bits::default();
        bits.insert_range(1, u16::MAX);
        bits.into()
    }

    /// Ports in the set, 0 to 65,536.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The `index`th port, ascending.
    pub fn nth(&self, index: u32) -> Option<u16> {
        if index >= self.len {
            return None;
        }
        let after = self
            .runs
            .partition_point(|run| u32::from(run.before) <= index);
        let run = self.runs[after - 1];
        Some((u32::from(run.first) + index - u32::from(run.before)) as u16)
    }

    /// The place of `port` among the ports of the set, ascending: the inverse of
    /// [`nth`](Self::nth).
    pub fn index_of(&self, port: u16) -> Option<u32> {
        let after = self.runs.partition_point(|run| run.first <= port);
        let run = self.runs[after.checked_sub(1)?];
        let index = u32::from(run.before) + u32::from(port - run.first);
        (index < self.end(after - 1)).then_some(index)
    }

    /// Whether `port` is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.index_of(port).is_some()
    }

    /// The ports, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ranges().flat_map(|(first, last)| first..=last)
    }

    /// The runs of neighbouring ports, first and last of each, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.runs.iter().enumerate().map(|(i, run)| {
            let more = self.end(i) - u32::from(run.before) - 1;
            (run.first, (u32::from(run.first) + more) as u16)
        })
    }

    /// The ports that are in this set or in `other`.
    pub fn union(&self, other: &PortSet) -> PortSet {
        let mut bits = Bits::from(self);
        for (first, last) in other.ranges() {
            bits.insert_range(first, last);
        }
        bits.into()
    }

    /// The ports of this set that are not in `other`.
    pub fn difference(&self, other: &PortSet) -> PortSet {
        let mut bits = Bits::from(self);
        for (word, other) in bits.words.iter_mut().zip(&Bits::from(other).words) {
            *word &= !other;
        }
        bits.into()
    }

    /// Ports in the set up to the end of run `i`.
    fn end(&self, i: usize) -> u32 {
        self.runs
            .get(i + 1)
            .map_or(self.len, |next| u32::from(next.before))
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> PortSet {
        let mut bits = Bits::default();
        for port in ports {
            bits.insert_range(port, port);
        }
        bits.into()
    }
}

/// As the command line takes it: `22,80,8000-8100`.
impl std::fmt::Display for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (first, last)) in self.ranges().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

/// One bit a port.
pub(super) struct Bits {
    words: [u64; 1024],
}

impl Default for Bits {
    fn default() -> Bits {
        Bits { words: [0; 1024] }
    }
}

impl Bits {
    pub(super) fn insert_range(&mut self, first: u16, last: u16) {
        let (low, high) = (usize::from(first) / 64, usize::from(last) / 64);
        for word in low..=high {
            let mut mask = u64::MAX;
            if word == low {
                mask &= u64::MAX << (first % 64);
            }
            if word == high {
                mask &= u64::MAX >> (63 - last % 64);
            }
            self.words[word] |= mask;
        }
    }

    pub(super) fn contains(&self, port: u16) -> bool {
        self.words[usize::from(port) / 64] >> (port % 64) & 1 == 1
    }

    /// The first port from `from` on whose bit is `set`.
    fn next(&self, from: u32, set: bool) -> Option<u32> {
        let mut word = from as usize / 64;
        let mut mask = u64::MAX << (from % 64);
        while word < self.words.len() {
            let bits = if set {
                self.words[word]
            } else {
                !self.words[word]
            } & mask;
            if bits != 0 {
                return Some(word as u32 * 64 + bits.trailing_zeros());
            }
            word += 1;
            mask = u64::MAX;
        }
        None
    }
}

impl From<&PortSet> for Bits {
    fn from(set: &PortSet) -> Bits {
        let mut bits = Bits::default();
        for (first, last) in set.ranges() {
            bits.insert_range(first, last);
        }
        bits
    }
}

impl From<Bits> for PortSet {
    fn from(bits: Bits) -> PortSet {
        let mut runs = Vec::new();
        let (mut from, mut len) = (0, 0);
        while let Some(first) = bits.next(from, true) {
            let end = bits.next(first, false).unwrap_or(1 << 16);
            runs.push(Run {
                first: first as u16,
                before: len as u16,
            });
            len += end - first;
            from = end;
        }
        PortSet {
            runs: runs.into(),
            len,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Ports in runs, so that merging and both ends of the range are met.
    fn ports() -> impl Strategy<Value = BTreeSet<u16>> {
        let start = prop_oneof![0..200u16, 0..=u16::MAX, 65_400..=u16::MAX];
        let run = (start, 0..80u16).prop_map(|(first, len)| first..=first.saturating_add(len));
        proptest::collection::vec(run, 0..40).prop_map(|runs| runs.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn set_is_like_a_sorted_set(model in ports()) {
            let set: PortSet = model.iter().rev().copied().collect();
            prop_assert_eq!(set.len() as usize, model.len());
            prop_assert!(set.iter().eq(model.iter().copied()));
            for (index, &port) in model.iter().enumerate() {
                prop_assert_eq!(set.nth(index as u32), Some(port));
                prop_assert_eq!(set.index_of(port), Some(index as u32));
            }
            prop_assert_eq!(set.nth(set.len()), None);
            for port in model.iter().flat_map(|&port| [port.wrapping_sub(1), port.wrapping_add(1)]) {
                prop_assert_eq!(set.contains(port), model.contains(&port));
            }
        }

        #[test]
        fn union_and_difference(a in ports(), b in ports()) {
            let set = |model: &BTreeSet<u16>| model.iter().copied().collect::<PortSet>();
            let union: BTreeSet<u16> = a.union(&b).copied().collect();
            let difference: BTreeSet<u16> = a.difference(&b).copied().collect();
            prop_assert_eq!(set(&a).union(&set(&b)), set(&union));
            prop_assert_eq!(set(&a).difference(&set(&b)), set(&difference));
        }
    }

    #[test]
    fn empty_and_full() {
        let empty = PortSet::default();
        assert_eq!(empty, PortSet::from_iter([]));
        assert!(empty.is_empty());
        assert_eq!((empty.nth(0), empty.index_of(0)), (None, None));
        let full: PortSet = (0..=u16::MAX).collect();
        assert_eq!(full.len(), 65_536);
        assert_eq!(full.nth(65_535), Some(u16::MAX));
        assert_eq!(full.nth(65_536), None);
        assert_eq!(full.index_of(u16::MAX), Some(65_535));
        let all = PortSet::all();
        assert_eq!((all.len(), all.nth(0)), (65_535, Some(1)));
    }

    #[test]
    fn copies_share_and_runs_are_small() {
        assert_eq!(std::mem::size_of::<Run>(), 4);
        assert_eq!(PortSet::all().runs.len(), 1);
        let set = PortSet::all();
        assert!(Arc::ptr_eq(&set.runs, &set.clone().runs));
    }

    #[test]
    fn shown_as_typed() {
        let set = PortSet::from_iter([22, 80, 8000, 8001, 8002, 65_535]);
        assert_eq!(set.to_string(), "22,80,8000-8002,65535");
    }
}
