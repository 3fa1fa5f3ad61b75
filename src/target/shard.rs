//! One of N parts of a run, each scanned by itself, together the whole run.
//!
//! Where there are at least as many hosts as shards, shard I takes every Nth host of the run's
//! order, from the Ith on: shards differ by one host at most, and a host's result is whole in one of
//! them. With fewer hosts it takes every Nth port of each host's own order, popular ones included.
//! Both orders follow from the seed, so all shards must have the same one.

use serde::{Deserialize, Serialize};

use super::permutation::mix;

/// One of several parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// From 0 on.
    position: u32,
    count: u32,
}

/// What is dealt out to the shards of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dealt {
    /// Whole hosts.
    Hosts,
    /// The ports of each host.
    Ports,
}

/// Why a shard cannot be what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no shard {index} of {count}; shards are 1 to {most} of at most {most}", most = Shard::MOST)]
pub struct ShardError {
    index: u64,
    count: u64,
}

impl Shard {
    /// Most shards of a run.
    pub const MOST: u32 = 1_000_000;

    /// Shard `index`, from 1 on, of `count`.
    ///
    /// # Errors
    /// If `index` is 0 or above `count`, or `count` above [`MOST`](Self::MOST).
    pub fn new(index: u64, count: u64) -> Result<Shard, ShardError> {
        let error = ShardError { index, count };
        if index == 0 || index > count || count > u64::from(Shard::MOST) {
            return Err(error);
        }
        Ok(Shard {
            position: (index - 1) as u32,
            count: count as u32,
        })
    }

    /// Which one, from 1 on.
    pub fn index(&self) -> u32 {
        self.position + 1
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether this shard resolves and scans the host of this `name`, where hosts are dealt out and
    /// this one has no position in the run's order because its address is not known at the start.
    /// Exactly one shard of those with one `seed` does, whatever each shard's resolver answers.
    /// Capitals and a last dot do not count.
    pub fn takes_name(&self, name: &str, seed: u64) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let hash = name.bytes().fold(mix(seed), |hash, byte| {
            mix(hash ^ u64::from(byte.to_ascii_lowercase()))
        });
        self.is_dealt(hash)
    }

    /// How many of `total` things this shard has: those at positions I−1, I−1+N, I−1+2N, …
    pub(super) fn share(&self, total: u64) -> u64 {
        total
            .saturating_sub(self.position.into())
            .div_ceil(self.count.into())
    }

    /// The position in the whole run of this shard's `nth` thing.
    pub(super) fn position_of(&self, nth: u64) -> u64 {
        u64::from(self.position) + nth * u64::from(self.count)
    }

    /// The inverse of [`position_of`](Self::position_of), for positions that are this shard's.
    pub(super) fn nth_of(&self, position: u64) -> Option<u64> {
        let count = u64::from(self.count);
        (position % count == u64::from(self.position)).then_some(position / count)
    }

    /// Multiply and shift (Lemire, 2019), as the permutation does.
    fn is_dealt(&self, hash: u64) -> bool {
        ((hash >> 32) * u64::from(self.count)) >> 32 == u64::from(self.position)
    }
}

/// As `--shard` takes it: `2/4`.
impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(count: u64) -> impl Iterator<Item = Shard> {
        (1..=count).map(move |index| Shard::new(index, count).expect("a shard"))
    }

    #[test]
    fn only_shards_that_exist() {
        let shard = Shard::new(2, 4).expect("a shard");
        assert_eq!((shard.index(), shard.count()), (2, 4));
        assert_eq!(shard.to_string(), "2/4");
        for (index, count) in [(0, 4), (5, 4), (1, 0), (1, 1_000_001), (u64::MAX, u64::MAX)] {
            let error = Shard::new(index, count).expect_err("no shard");
            assert!(
                error
                    .to_string()
                    .contains(&format!("no shard {index} of {count};"))
            );
        }
    }

    proptest! {
        #[test]
        fn names_go_to_exactly_one_shard(
            name in "[a-zA-Z0-9.-]{0,20}", count in 1..40u64, seed: u64,
        ) {
            let one = |takes: &dyn Fn(&Shard) -> bool| all(count).filter(takes).count();
            prop_assert_eq!(one(&|shard| shard.takes_name(&name, seed)), 1);
            let other = format!("{}.", name.to_ascii_uppercase());
            for shard in all(count) {
                if !name.ends_with('.') {
                    prop_assert_eq!(shard.takes_name(&name, seed), shard.takes_name(&other, seed));
                }
            }
        }
    }

    #[test]
    fn names_are_spread_evenly() {
        for shard in all(4) {
            let names = (0..4000).map(|n| format!("host-{n}.example"));
            let names = names.filter(|name| shard.takes_name(name, 7)).count();
            // 1000 ± 27.
            assert!((850..1150).contains(&names), "{shard}: {names}");
        }
    }
}
