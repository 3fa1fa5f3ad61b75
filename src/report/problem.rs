//! What is wrong with saved results, each in one line.

use std::fmt;

/// Something wrong with saved results. `Display` is one line, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    weight: Weight,
    text: String,
}

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The results are what they would be without it.
    Note,
    /// Results are missing or in doubt.
    Incomplete,
    /// The input is not what was asked for.
    Wrong,
}

impl Problem {
    pub(super) fn new(weight: Weight, text: String) -> Problem {
        Problem { weight, text }
    }

    /// How much it weighs.
    pub fn weight(&self) -> Weight {
        self.weight
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Ascending numbers as ranges: `2,4-6`.
pub(super) fn ranges(numbers: impl Iterator<Item = u32>) -> String {
    let mut text = String::new();
    let mut range: Option<(u32, u32)> = None;
    let mut put = |range: Option<(u32, u32)>| {
        if let Some((first, last)) = range {
            let comma = if text.is_empty() { "" } else { "," };
            text += &match first == last {
                true => format!("{comma}{first}"),
                false => format!("{comma}{first}-{last}"),
            };
        }
    };
    for number in numbers {
        match range {
            Some((first, last)) if last.checked_add(1) == Some(number) => {
                range = Some((first, number));
            }
            _ => {
                put(range);
                range = Some((number, number));
            }
        }
    }
    put(range);
    text
}
