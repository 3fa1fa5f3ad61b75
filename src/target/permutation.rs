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

/// Rounds of the network. Four make a Feistel network look random; six leave a margin for the
/// plain round function.
const ROUNDS: u32 = 6;

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
}

impl Domain {
    /// The domain `0..len`.
    pub(super) fn new(len: u64) -> Domain {
        let root = len.isqrt();
        let a = if root * root < len { root + 1 } else { root }.max(1);
        let b = len.div_ceil(a).max(1);
        Domain { len, a, b }
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
        for round in (0..ROUNDS).step_by(2) {
            l = add(l, shift(r, key, round, self.a), self.a);
            r = add(r, shift(l, key, round + 1, self.b), self.b);
        }
        // At most (a − 1)·b + b − 1 = a·b − 1, which is below 2^64.
        l * self.b + r
    }

    fn backward(&self, key: u64, x: u64) -> u64 {
        let (mut l, mut r) = (x / self.b, x % self.b);
        for round in (0..ROUNDS).step_by(2).rev() {
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
