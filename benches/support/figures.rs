//! Figures of several runs.

use std::fmt;

/// The figures of several runs; printed as `median (least–most)`, or alone if there is one.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn new(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_unstable_by(f64::total_cmp);
        Spread(figures)
    }

    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self) -> Option<f64> {
        let upper = self.0.get(self.0.len() / 2)?;
        let lower = self.0.get((self.0.len() - 1) / 2)?;
        Some((lower + upper) / 2.0)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        match (&self.0[..], self.median()) {
            ([], _) | (_, None) => f.write_str("–"),
            ([figure], _) => write!(f, "{figure:.places$}"),
            ([least, .., most], Some(median)) => {
                write!(f, "{median:.places$} ({least:.places$}–{most:.places$})")
            }
        }
    }
}
