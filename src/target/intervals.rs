//! Disjoint ranges of addresses: collected, merged, subtracted, and indexed.

/// An address as the bound of a range.
pub(super) trait Bound: Copy + Ord {
    /// What counts the addresses before a range, as small as the family allows.
    type Start: Copy + Into<u64> + TryFrom<u64>;

    /// The next address, if there is one in the same scope.
    fn next(self) -> Option<Self>;
    /// The address before, if there is one in the same scope.
    fn prev(self) -> Option<Self>;
    /// Addresses from `self` to `last`, at most `u64::MAX`.
    fn count(self, last: Self) -> u64;
    /// The address `offset` after this one, which must exist.
    fn plus(self, offset: u64) -> Self;
}

impl Bound for u32 {
    type Start = u32;

    fn next(self) -> Option<u32> {
        self.checked_add(1)
    }
    fn prev(self) -> Option<u32> {
        self.checked_sub(1)
    }
    fn count(self, last: u32) -> u64 {
        u64::from(last - self) + 1
    }
    fn plus(self, offset: u64) -> u32 {
        self.wrapping_add(offset as u32)
    }
}

/// An IPv6 address in its scope. Kept as two halves: a `u128` would be padded to 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scoped {
    pub(super) scope_id: u32,
    high: u64,
    low: u64,
}

impl Scoped {
    pub(super) fn new(scope_id: u32, bits: u128) -> Scoped {
        Scoped {
            scope_id,
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    pub(super) fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

impl Bound for Scoped {
    type Start = u64;

    fn next(self) -> Option<Scoped> {
        let bits = self.bits().checked_add(1)?;
        Some(Scoped::new(self.scope_id, bits))
    }
    fn prev(self) -> Option<Scoped> {
        let bits = self.bits().checked_sub(1)?;
        Some(Scoped::new(self.scope_id, bits))
    }
    fn count(self, last: Scoped) -> u64 {
        let more = last.bits() - self.bits();
        u64::try_from(more).unwrap_or(u64::MAX).saturating_add(1)
    }
    fn plus(self, offset: u64) -> Scoped {
        Scoped::new(self.scope_id, self.bits().wrapping_add(u128::from(offset)))
    }
}

/// Ranges as they come in. They are merged when as many new ones as merged ones have come, so
/// that n insertions cost O(n log n) and memory follows the merged ranges.
#[derive(Clone, Debug)]
pub(super) struct Intervals<B> {
    ranges: Vec<(B, B)>,
    /// How many ranges, from the first on, are merged: ascending, disjoint and not adjacent.
    merged: usize,
}

impl<B> Default for Intervals<B> {
    fn default() -> Intervals<B> {
        Intervals {
            ranges: Vec::new(),
            merged: 0,
        }
    }
}

/// Fewest ranges that are merged on the way.
const MERGE_FROM: usize = 4096;

impl<B: Bound> Intervals<B> {
    /// Adds the addresses from `first` to `last`, which is not below it.
    pub(super) fn insert(&mut self, first: B, last: B) {
        if let Some(end) = self.ranges.last_mut()
            && end.0 <= first
            && touches(end.1, first)
        {
            end.1 = end.1.max(last);
            return;
        }
        if self.ranges.len() >= MERGE_FROM.max(2 * self.merged) {
            self.merge();
        }
        let ascending = self.ranges.last().is_none_or(|end| end.1 < first);
        if self.merged == self.ranges.len() && ascending {
            self.merged += 1;
        }
        self.ranges.push((first, last));
    }

    /// The ranges: ascending, disjoint and not adjacent.
    pub(super) fn merge(&mut self) -> &[(B, B)] {
        if self.merged < self.ranges.len() {
            self.ranges.sort_unstable();
            self.ranges.dedup_by(|later, earlier| {
                let touches = touches(earlier.1, later.0);
                if touches {
                    earlier.1 = earlier.1.max(later.1);
                }
                touches
            });
            self.merged = self.ranges.len();
        }
        &self.ranges
    }

    /// Merges the ranges and gives back memory that is not needed.
    pub(super) fn compact(&mut self) {
        self.merge();
        self.ranges.shrink_to_fit();
    }

    /// Whether there is no address at all.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `addr` lies in one of the ranges; a binary search if they are merged.
    pub(super) fn contains(&self, addr: B) -> bool {
        let (merged, others) = self.ranges.split_at(self.merged);
        let after = merged.partition_point(|range| range.0 <= addr);
        let before = after.checked_sub(1).map(|i| merged[i]);
        before.is_some_and(|range| addr <= range.1)
            || others
                .iter()
                .any(|range| range.0 <= addr && addr <= range.1)
    }

    /// Takes the addresses of `others` out.
    pub(super) fn subtract(&mut self, others: &mut Intervals<B>) {
        let others = others.merge();
        if others.is_empty() {
            return;
        }
        self.merge();
        let mut kept = Vec::with_capacity(self.ranges.len());
        let mut begin = 0;
        for &(first, last) in &self.ranges {
            while others.get(begin).is_some_and(|other| other.1 < first) {
                begin += 1;
            }
            let mut rest = Some(first);
            for other in &others[begin..] {
                let Some(from) = rest.filter(|_| other.0 <= last) else {
                    break;
                };
                if let Some(before) = other.0.prev().filter(|before| from <= *before) {
                    kept.push((from, before));
                }
                rest = other.1.next().filter(|next| *next <= last);
            }
            kept.extend(rest.map(|from| (from, last)));
        }
        self.merged = kept.len();
        self.ranges = kept;
    }
}

/// Whether a range that ends with `last` goes on in one that begins with `first`, not before it.
fn touches<B: Bound>(last: B, first: B) -> bool {
    first <= last || last.next() == Some(first)
}

/// Merged ranges with the number of addresses before each. The end of a range is told by the
/// start of the next one.
#[derive(Clone, Debug)]
pub(super) struct Index<B: Bound> {
    firsts: Box<[B]>,
    starts: Box<[B::Start]>,
    len: u64,
}

impl<B: Bound> Index<B> {
    /// The index of all addresses in `intervals`.
    pub(super) fn new(intervals: &Intervals<B>) -> Index<B> {
        let mut copy;
        let ranges = if intervals.merged == intervals.ranges.len() {
            &intervals.ranges[..]
        } else {
            copy = intervals.clone();
            copy.merge()
        };
        let mut len: u64 = 0;
        let mut firsts = Vec::with_capacity(ranges.len());
        let mut starts = Vec::with_capacity(ranges.len());
        for &(first, last) in ranges {
            // Fails for IPv4 only past its last address. IPv6 ends at 2^64 − 1: more is not counted.
            let Ok(start) = B::Start::try_from(len) else {
                break;
            };
            if len == u64::MAX {
                break;
            }
            firsts.push(first);
            starts.push(start);
            len = len.saturating_add(first.count(last));
        }
        Index {
            firsts: firsts.into(),
            starts: starts.into(),
            len,
        }
    }

    /// Addresses in all ranges, at most `u64::MAX`.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How many ranges there are.
    pub(super) fn ranges(&self) -> usize {
        self.firsts.len()
    }

    /// Hands out the ranges, first and last of each, ascending.
    pub(super) fn for_each(&self, mut each: impl FnMut(B, B)) {
        for (i, &first) in self.firsts.iter().enumerate() {
            let start: u64 = self.starts[i].into();
            let end = self.starts.get(i + 1).map_or(self.len, |&next| next.into());
            each(first, first.plus(end - start - 1));
        }
    }

    /// Bytes that the ranges take up.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        std::mem::size_of_val(&self.firsts[..]) + std::mem::size_of_val(&self.starts[..])
    }

    /// The `index`th address, ascending.
    pub(super) fn nth(&self, index: u64) -> Option<B> {
        if index >= self.len {
            return None;
        }
        let after = self.starts.partition_point(|&start| start.into() <= index);
        let start: u64 = self.starts[after - 1].into();
        Some(self.firsts[after - 1].plus(index - start))
    }

    /// Whether `addr` lies in one of the ranges.
    pub(super) fn contains(&self, addr: B) -> bool {
        let after = self.firsts.partition_point(|&first| first <= addr);
        let Some(i) = after.checked_sub(1) else {
            return false;
        };
        let start: u64 = self.starts[i].into();
        let end = self.starts.get(after).map_or(self.len, |&next| next.into());
        self.firsts[i].plus(end - start - 1) >= addr
    }
}
