//! What to say next: a pure choice among the probes, by the port and by what was learned.

use crate::service::rules::{Rules, Say};

/// How a port took what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It said something.
    Answered,
    /// Not a byte, and the connection stayed.
    Silent,
    /// Closed without a byte.
    Closed,
    /// Reset without a byte.
    Reset,
}

/// One exchange that is over: what was sent (`None`: nothing, a greeting was waited for), whether
/// inside TLS, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) probe: Option<usize>,
    pub(super) inside: bool,
    pub(super) reaction: Reaction,
}

/// What is known when a choice is made.
pub(super) struct Known<'a> {
    pub(super) port: u16,
    /// The protocol, if it is known.
    pub(super) service: Option<&'a str>,
    /// Whether this is inside TLS.
    pub(super) inside: bool,
    /// The probe that the last answer calls for.
    pub(super) then: Option<&'a str>,
    pub(super) past: &'a [Exchange],
}

impl Known<'_> {
    /// The next probe, an index into those of `rules`.
    pub(super) fn next(&self, rules: &Rules) -> Option<usize> {
        let probes = rules.probes();
        let asked = |index: usize| {
            let same = |past: &&Exchange| past.probe == Some(index) && past.inside == self.inside;
            self.past.iter().any(|past| same(&past))
        };
        let nested = |index: usize| self.inside && probes[index].say == Say::Tls;
        let mut left = (0..probes.len()).filter(|&index| !asked(index) && !nested(index));
        if let Some(then) = self.then {
            return left.find(|&index| probes[index].name == then);
        }
        if let Some(service) = self.service {
            return left.find(|&index| probes[index].asks(service));
        }
        let left: Vec<usize> = left.collect();
        let by = |wanted: &dyn Fn(usize) -> bool| left.iter().copied().find(|&index| wanted(index));
        by(&|index| probes[index].is_for(self.port)).or_else(|| by(&|index| probes[index].anywhere))
    }
}
