//! Input as an error message may show it.

/// Longest piece of input that a message repeats, in characters.
const SHOWN: usize = 60;

/// `piece` with control, bidirectional and other unprintable characters escaped, cut after 60
/// characters.
pub(super) fn shown(piece: &str) -> String {
    shown_within(piece, SHOWN)
}

/// The same, cut after `most` characters.
pub(crate) fn shown_within(piece: &str, most: usize) -> String {
    let mut text = String::new();
    for (count, c) in piece.chars().enumerate() {
        if count == most {
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

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn unprintable_is_escaped_and_long_is_cut() {
        assert_eq!(shown("a'b\"c\\d é"), "a'b\"c\\d é");
        assert_eq!(
            shown("\x1b]0;\u{202e}\u{2066}\u{200b}\u{feff}\n\u{9b}"),
            "\\u{1b}]0;\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\n\\u{9b}"
        );
        assert_eq!(shown(&"x".repeat(60)), "x".repeat(60));
        assert_eq!(shown(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }
}
