//! Pairs of bytes in one: for the build, which packs all names, and for the program, which packs one.

/// Puts `code` in the place of each `pair` of bytes, from the left.
pub fn replace(bytes: &mut Vec<u8>, pair: [u8; 2], code: u8) {
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        let here = bytes[from..].starts_with(&pair);
        bytes[to] = if here { code } else { bytes[from] };
        from += if here { 2 } else { 1 };
        to += 1;
    }
    bytes.truncate(to);
}
