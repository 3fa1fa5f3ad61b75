//! What all targets want of what the library says.

use std::fmt::Display;

/// Longest message, in characters: a few pieces of input, each cut, and the words around them.
const LONGEST: usize = 4096;

/// Asserts that `message` is one bounded line that drives no terminal.
pub fn is_one_safe_line(message: &impl Display) {
    let message = message.to_string();
    assert!(!message.is_empty(), "nothing is said");
    assert!(message.chars().count() <= LONGEST, "{message:?}");
    let unsafe_to_show =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!message.contains(unsafe_to_show), "{message:?}");
}
