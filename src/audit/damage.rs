//! Texts damaged at random.

use proptest::prelude::*;

/// One thing done to a text.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    /// Characters are gone.
    Cut(prop::sample::Index, usize),
    /// Something is there that was not.
    Insert(prop::sample::Index, String),
    /// A piece is there a second time, elsewhere.
    Copy(prop::sample::Index, usize, prop::sample::Index),
}

/// A few things done to a text.
pub(super) fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let piece = prop_oneof![
        "[\\[\\]{}\"'=,.0-9:%/\n-]{1,4}",
        "\\PC{1,3}",
        Just("\u{1b}[2J\u{202e}\0".to_string()),
        Just("18446744073709551616".to_string()),
        Just("\"closed\"".to_string()),
    ];
    let one = prop_oneof![
        (at(), 0..40usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        (at(), piece).prop_map(|(at, text)| Damage::Insert(at, text)),
        (at(), 1..400usize, at()).prop_map(|(from, length, to)| Damage::Copy(from, length, to)),
    ];
    prop::collection::vec(one, 1..6)
}

/// `text` with all of that done to it.
pub(super) fn damaged(text: &str, damage: &[Damage]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for damage in damage {
        let place = |at: &prop::sample::Index, text: &[char]| at.index(text.len() + 1);
        let end = |from: usize, length: usize, text: &[char]| (from + length).min(text.len());
        match damage {
            Damage::Cut(at, length) => {
                let from = place(at, &text);
                text.drain(from..end(from, *length, &text));
            }
            Damage::Insert(at, piece) => {
                let at = place(at, &text);
                text.splice(at..at, piece.chars());
            }
            Damage::Copy(from, length, to) => {
                let from = place(from, &text);
                let piece = text[from..end(from, *length, &text)].to_vec();
                let to = place(to, &text);
                text.splice(to..to, piece);
            }
        }
    }
    text.into_iter().collect()
}

/// Whether `text` is one line that can be shown as it is.
pub(super) fn is_safe(text: &str) -> bool {
    text.chars()
        .all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c))
}
