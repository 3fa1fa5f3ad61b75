//! The wording of what came of an audit.

use super::escape;
use crate::audit::{Compared, Findings, Kind};

/// Files of a baseline that are named.
const FILES: usize = 3;

/// The files that a baseline was read from, safe to show: `a.ndjson, b.ndjson`.
pub(super) fn files(compared: &Compared) -> String {
    let files = compared.files.iter().take(FILES);
    let files: Vec<_> = files.map(|file| escape(file).to_string()).collect();
    match compared.files.len().saturating_sub(FILES) {
        0 => files.join(", "),
        more => format!("{} and {more} more", files.join(", ")),
    }
}

/// `2 opened, 1 closed`, of the kinds that there are; `number` writes numbers.
pub(super) fn sums(kinds: &[Kind], findings: &Findings, number: impl Fn(u64) -> String) -> String {
    let counts = kinds.iter().map(|kind| (findings.count(*kind), kind));
    let counts = counts
        .filter(|(n, _)| *n > 0)
        .map(|(n, kind)| format!("{} {}", number(n), kind.as_str()));
    let counts = counts.collect::<Vec<_>>().join(", ");
    match (counts.is_empty(), findings.not_listed()) {
        (true, _) => "nothing found".into(),
        (false, 0) => counts,
        (false, more) => format!("{counts} ({} of them not listed)", number(more)),
    }
}
