//! Makes text from outside safe to show: no control characters, no change of direction, nothing
//! invisible, no unbounded length.

use std::fmt;

/// Longest text shown, in characters; a host name has at most 253.
const MAX_CHARS: usize = 256;

/// Text from outside, safe to show on a terminal: dangerous characters as `\u{…}`, and at most
/// 256 characters of it, then `…`.
pub fn escape(text: &str) -> Escaped<'_> {
    escape_up_to(text, MAX_CHARS)
}

/// The same with at most `most` characters of it.
pub(super) fn escape_up_to(text: &str, most: usize) -> Escaped<'_> {
    Escaped(text, most)
}

/// See [`escape`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(&'a str, usize);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (index, c) in self.0.chars().enumerate() {
            if index == self.1 {
                return f.write_char('…');
            }
            if is_dangerous(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Whether `c` can move the cursor, change what a line seems to say, or hide in it: controls, line
/// and paragraph separators, bidirectional marks and overrides (UAX 9), zero-width characters,
/// tags, interlinear annotation, variation selectors. Noncharacters, too, which XML cannot have.
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_characters_are_written_out() {
        let text = "a\u{1b}[2Jb\r\nc\u{202e}d\u{200b}e\u{9b}f\u{7f}";
        let shown = escape(text).to_string();
        assert_eq!(
            shown,
            "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d\\u{200b}e\\u{9b}f\\u{7f}"
        );
        assert_eq!(escape("bücher.example").to_string(), "bücher.example");
    }

    #[test]
    fn long_text_is_cut() {
        let shown = escape(&"x".repeat(100_000)).to_string();
        assert_eq!(shown.chars().count(), MAX_CHARS + 1);
        assert!(shown.ends_with('…'));
    }
}
