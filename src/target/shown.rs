//! Input as an error message may show it.

/// Longest piece of input that a message repeats, in characters.
const SHOWN: usize = 60;

/// `piece` with control, bidirectional and other unprintable characters escaped, cut after 60
/// characters.
pub(super) fn shown(piece: &str) -> String {
    let mut text = String::new();
    for (count, c) in piece.chars().enumerate() {
        if count == SHOWN {
            text.push('…');
            break;
        }
        match c {
            '\'' | '"' | '\\' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    text
}
