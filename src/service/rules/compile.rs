//! Patterns, compiled by the crate `regex`.

use regex::bytes::RegexBuilder;

use super::{Rules, RulesError};

pub(super) use regex::bytes::{Captures, Regex};

/// Memory of one compiled pattern at most, in bytes, and of what is remembered while it is matched;
/// the largest built-in one takes a tenth.
const MAX_COMPILED: usize = 1 << 18;

/// Depth of groups within groups.
const MAX_NESTING: u32 = 32;

/// Rules to read others into.
pub(super) fn no_rules() -> Result<Rules, RulesError> {
    Ok(Rules::default())
}

/// `pattern` compiled, over bytes: `\xff` is a byte, `.` any but a line feed, classes are ASCII's.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(MAX_NESTING)
        .build()
}
