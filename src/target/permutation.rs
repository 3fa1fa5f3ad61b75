//! A keyed permutation of `0..len`, computed and never listed.
//!
//! An unbalanced Feistel network over the rectangle a × b with a = ⌈√len⌉ and b = ⌈len / a⌉, as in
//! Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002). An index x is split
//! into (l, r) = (x div b, x mod b). The rounds take turns: l ← l + F(r) mod a, r ← r + F(l) mod b.
//! Each is undone by a subtraction, so the whole is a bijection of 0..a·b whatever F is.
//!
//! Since len ≤ a·b < len + a, at most a − 1 ≤ √len values lie outside. A value there is put
//! through the network again ("cycle walking") until it falls below len. It must, for the walk
//! follows a cycle that began inside, and the inverse walks the same cycle back. On average that
//! takes less than 1 + 1/√len turns for large len, and below two for any len above 1.
//!
//! F mixes one half with key and round by two multiplications, in the manner of splitmix64, and
//! maps the upper 32 bits to the other side by multiply and shift (Lemire, "Fast Random Integer
//! Generation in an Interval", 2019), so the only division is the split. This spreads load and
//! hides the order from nobody who wants to know it: it is no cipher.

/// Rounds of the network. Four make a Feistel network with good round functions look random even
/// to one who may also ask for inverses (Luby and Rackoff, 1988).
const ROUNDS: u32 = 4;

/// A keyed permutation of `0..len`.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    domain: Domain,
    key: u64,
}

impl Permutation {
    /// The permutation of `0..len` that `key` selects.
    pub fn new(len: u64, key: u64) -> Permutation {
        Permutation {
            domain: Domain::new(len),
            key: mix(key),
        }
    }

    /// The order as it is: every value at its own index.
    pub fn identity(len: u64) -> Permutation {
        Permutation {
            domain: Domain::unmixed(len),
            key: 0,
        }
    }

    /// How many values are permuted.
    pub fn len(&self) -> u64 {
        self.domain.len
    }

    /// Whether there is nothing to permute.
    pub fn is_empty(&self) -> bool {
        self.domain.len == 0
    }

    /// The image of `index`.
    ///
    /// # Panics
    /// If `index` is not below the length.
    pub fn nth(&self, index: u64) -> u64 {
        self.domain.nth(self.key, index)
    }

    /// The index whose image is `value`: the inverse of [`nth`](Self::nth).
    ///
    /// # Panics
    /// If `value` is not below the length.
    pub fn index_of(&self, value: u64) -> u64 {
        self.domain.index_of(self.key, value)
    }
}

/// What the permutations of one length have in common, so that many keys can share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    len: u64,
    /// ⌈√len⌉, 1 to 2^32.
    a: u64,
    /// ⌈len / a⌉, 1 to 2^32.
    b: u64,
    /// Rounds of the network; without any, values are split and put together again.
    rounds: u32,
}

impl Domain {
    /// The domain `0..len`.
    pub(super) fn new(len: u64) -> Domain {
        let root = len.isqrt();
        let a = if root * root < len { root + 1 } else { root }.max(1);
        let b = len.div_ceil(a).max(1);
        Domain {
            len,
            a,
            b,
            rounds: ROUNDS,
        }
    }

    /// The domain `0..len` whose permutations are all the identity.
    pub(super) fn unmixed(len: u64) -> Domain {
        Domain {
            rounds: 0,
            ..Domain::new(len)
        }
    }

    /// The image of `index` under the permutation of `key`, which should come from [`mix`].
    pub(super) fn nth(&self, key: u64, index: u64) -> u64 {
        assert!(
            index < self.len,
            "index {index} of a permutation of {}",
            self.len
        );
        let mut value = index;
        loop {
            value = self.forward(key, value);
            if value < self.len {
                return value;
            }
        }
    }

    /// The inverse of [`nth`](Self::nth).
    pub(super) fn index_of(&self, key: u64, value: u64) -> u64 {
        assert!(
            value < self.len,
            "value {value} of a permutation of {}",
            self.len
        );
        let mut index = value;
        loop {
            index = self.backward(key, index);
            if index < self.len {
                return index;
            }
        }
    }

    fn forward(&self, key: u64, x: u64) -> u64 {
        let (mut l, mut r) = (x / self.b, x % self.b);
        for round in (0..self.rounds).step_by(2) {
            l = add(l, shift(r, key, round, self.a), self.a);
            r = add(r, shift(l, key, round + 1, self.b), self.b);
        }
        // At most (a − 1)·b + b − 1 = a·b − 1, which is below 2^64.
        l * self.b + r
    }

    fn backward(&self, key: u64, x: u64) -> u64 {
        let (mut l, mut r) = (x / self.b, x % self.b);
        for round in (0..self.rounds).step_by(2).rev() {
            r = subtract(r, shift(l, key, round + 1, self.b), self.b);
            l = subtract(l, shift(r, key, round, self.a), self.a);
        }
        l * self.b + r
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood, 2014): spreads a key over 64 bits.
pub(super) fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// F: what `half` moves the other side by in `round`, below `size`, which is at most 2^32.
fn shift(half: u64, key: u64, round: u32, size: u64) -> u64 {
    let mut z = half.wrapping_add(key.rotate_left(11 * round));
    z = (z ^ u64::from(round)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z >> 32) * size) >> 32
}

fn add(x: u64, y: u64, size: u64) -> u64 {
    let sum = x + y;
    if sum >= size { sum - size } else { sum }
}

fn subtract(x: u64, y: u64, size: u64) -> u64 {
    if x >= y { x - y } else { x + size - y }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [u64; 4] = [0, 1, 0x5eed, u64::MAX];

    #[test]
    fn bijection_for_every_length_to_3000() {
        let mut seen = vec![false; 3000];
        for len in 0..=3000 {
            // All keys for the short ones, where a mistake in the sides of the rectangle shows.
            let keys = if len < 600 { &KEYS[..] } else { &KEYS[1..3] };
            for &key in keys {
                let order = Permutation::new(len, key);
                seen.fill(false);
                for index in 0..len {
                    let value = order.nth(index);
                    assert!(value < len, "len {len} key {key}: {index} gives {value}");
                    let twice = std::mem::replace(&mut seen[value as usize], true);
                    assert!(!twice, "len {len} key {key}: {value} twice");
                }
                for value in (0..len).step_by(7) {
                    assert_eq!(
                        order.nth(order.index_of(value)),
                        value,
                        "len {len} key {key}"
                    );
                }
            }
        }
    }

    #[test]
    fn inverse_holds_for_large_lengths() {
        let lens = (12..64)
            .flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])
            .chain([65_535, 4_294_967_291, u64::MAX - 1, u64::MAX]);
        for len in lens {
            for key in KEYS {
                let order = Permutation::new(len, key);
                for sample in 0..50 {
                    let index = match sample {
                        0 => 0,
                        1 => len - 1,
                        _ => mix(sample) % len,
                    };
                    let value = order.nth(index);
                    assert!(value < len, "len {len} key {key}: {index} gives {value}");
                    assert_eq!(order.index_of(value), index, "len {len} key {key}");
                }
            }
        }
    }

    #[test]
    fn every_port_once() {
        let order = Permutation::new(65_535, 7);
        let mut seen = vec![false; 65_535];
        for index in 0..65_535 {
            let value = order.nth(index) as usize;
            assert!(!std::mem::replace(&mut seen[value], true), "{value} twice");
        }
    }

    #[test]
    fn the_identity_leaves_everything_where_it_is() {
        for len in [0, 1, 2, 3, 10, 65_535, 1 << 32, u64::MAX] {
            let order = Permutation::identity(len);
            for index in [0, 1, 2, 9, 65_534, len / 2, len.saturating_sub(1)] {
                if index < len {
                    assert_eq!((order.nth(index), order.index_of(index)), (index, index));
                }
            }
        }
    }

    #[test]
    fn keys_differ_and_repeat() {
        let image = |key| -> Vec<u64> {
            let order = Permutation::new(1000, key);
            (0..1000).map(|index| order.nth(index)).collect()
        };
        assert_eq!(image(1), image(1));
        let first = image(1);
        for key in 2..50 {
            let same = first.iter().zip(image(key)).filter(|(a, b)| **a == *b);
            // One in a thousand agrees by chance: 12 or more would be one in 10^9.
            assert!(same.count() < 12, "key {key} is much like key 1");
        }
    }

    /// Chi-squared of where the first tenth of the indices goes, in 16 equal parts.
    #[test]
    fn the_first_indices_are_spread_evenly() {
        for len in [1_000, 65_535, 1 << 24, u64::MAX] {
            let mut total = 0.0;
            for key in 0..200 {
                let order = Permutation::new(len, key);
                let mut parts = [0u32; 16];
                for index in 0..96 {
                    parts[(u128::from(order.nth(index)) * 16 / u128::from(len)) as usize] += 1;
                }
                let off = |n: &u32| (f64::from(*n) - 6.0).powi(2) / 6.0;
                total += parts.iter().map(off).sum::<f64>();
            }
            // Mean 15 (a little less for a small len), deviation √30/√200 ≈ 0.39.
            let mean = total / 200.0;
            assert!((12.5..17.0).contains(&mean), "len {len}: mean {mean}");
        }
    }

    #[test]
    fn neighbours_are_torn_apart() {
        for key in 0..20 {
            let order = Permutation::new(65_536, key);
            let near = (0..10_000)
                .filter(|&index| order.nth(index).abs_diff(order.nth(index + 1)) < 256)
                .count();
            // By chance 2 · 256/65,536 of them: 78 ± 9.
            assert!((30..130).contains(&near), "key {key}: {near} near");
        }
    }

    #[test]
    #[should_panic(expected = "index 5 of a permutation of 5")]
    fn an_index_past_the_end_panics() {
        Permutation::new(5, 0).nth(5);
    }
}
