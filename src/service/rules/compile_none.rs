//! What stands for the crate `regex` without the feature `services`: no pattern can be compiled, and
//! so there are no rules.

use std::marker::PhantomData;

use super::{BUILTIN_NAME, Rules, RulesError};

const NONE: &str = "rules take the feature `services`, which this was built without";

/// A compiled pattern. There is none.
#[derive(Debug)]
pub(crate) enum Regex {}

impl Regex {
    pub(super) fn captures<'a>(&self, _text: &'a [u8]) -> Option<Captures<'a>> {
        match *self {}
    }

    pub(super) fn captures_len(&self) -> usize {
        match *self {}
    }
}

/// What the groups of a pattern matched.
pub(super) struct Captures<'a>(Regex, PhantomData<&'a str>);

impl<'a> Captures<'a> {
    pub(super) fn get(&self, _group: usize) -> Option<&'a str> {
        match self.0 {}
    }
}

pub(super) fn compile(_pattern: &str) -> Result<Regex, &'static str> {
    Err(NONE)
}

/// Says that there are none.
pub(super) fn no_rules() -> Result<Rules, RulesError> {
    Err(RulesError {
        file: BUILTIN_NAME.into(),
        line: 1,
        column: 1,
        message: NONE.into(),
    })
}
