//! What is said to a port, and what its answers mean: probes and matches, read from TOML.
//!
//! `builtin.toml` is compiled in and explains its own format, which is also that of a user's files.
//! Patterns are those of the crate `regex`, which take time linear in the answer; each is compiled
//! when an answer first begins as it asks for. Without the feature `services` there are no rules.

#[cfg_attr(not(feature = "services"), path = "compile_none.rs")]
mod compile;
mod parse;
mod pattern;

use std::sync::Arc;

use parse::Origin;

use super::found::{self, Service};
use super::read;

pub(crate) use parse::GREETING;
pub use parse::RulesError;
pub(crate) use pattern::Match;

/// The rules that are compiled in.
const BUILTIN: &str = include_str!("builtin.toml");

/// Name under which the compiled-in rules are known in errors.
const BUILTIN_NAME: &str = "builtin.toml";

/// Probes and matches. Read once, then shared.
#[derive(Debug)]
#[cfg_attr(feature = "services", derive(Default))]
pub struct Rules {
    /// In the order in which they are tried.
    probes: Vec<Arc<Probe>>,
    /// How many of them are the user's: they come first.
    own_probes: usize,
    /// The user's matches, in the order in which they are tried; the first that matches counts.
    own: Vec<Match>,
    /// The built-in ones, behind those.
    builtin: Vec<Match>,
    /// Ports where the server speaks first.
    greets: Vec<(u16, u16)>,
    /// Without `services` there is no such value.
    #[cfg(not(feature = "services"))]
    pub(crate) never: std::convert::Infallible,
}

/// Something to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) name: String,
    pub(crate) say: Say,
    /// Where it is tried first.
    pub(crate) ports: Vec<(u16, u16)>,
    /// Services that tell more when they are sent this.
    pub(crate) services: Vec<String>,
    /// Whether it is tried where nothing is known.
    pub(crate) anywhere: bool,
}

/// What a probe says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// These bytes; `{host}` in them is the target.
    Bytes(Vec<u8>),
    /// The beginning of a TLS handshake.
    Tls,
}

impl Probe {
    /// Whether it is tried first on `port`.
    pub(crate) fn is_for(&self, port: u16) -> bool {
        contains(&self.ports, port)
    }

    /// Whether it asks `service` for more.
    pub(crate) fn asks(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }
}

/// `send` with the target's name in it.
pub(crate) fn with_host(send: &[u8], host: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{host}";
    let Some(at) = send.windows(PLACE.len()).position(|at| at == PLACE) else {
        return send.to_vec();
    };
    [&send[..at], host.as_bytes(), &send[at + PLACE.len()..]].concat()
}

/// What an answer means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identified {
    /// What it tells.
    pub service: Service,
    /// The probe to go on with.
    pub then: Option<String>,
}

impl Rules {
    /// The compiled-in rules, behind those of `files`: name and text of each, the first before the
    /// others.
    ///
    /// # Errors
    /// The first fault, with file, line and column.
    pub fn new(files: &[(&str, &str)]) -> Result<Rules, RulesError> {
        let mut rules = compile::no_rules()?;
        rules.read(BUILTIN_NAME, BUILTIN, Origin::Builtin)?;
        for (name, text) in files {
            rules.read(name, text, Origin::User)?;
        }
        Ok(rules)
    }

    /// The names of all probes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.probes.iter().map(|probe| probe.name.as_str())
    }

    pub(crate) fn probes(&self) -> &[Arc<Probe>] {
        &self.probes
    }

    /// Whether servers on `port` usually speak first.
    pub(crate) fn greets(&self, port: u16) -> bool {
        contains(&self.greets, port)
    }

    /// What `answer` to `probe` tells: user's rules, readers of binary protocols, built-in rules.
    pub fn identify(&self, probe: &str, answer: &[u8]) -> Option<Identified> {
        let parts = read::parts(answer);
        let by = |matches: &[Match]| {
            let mut matches = matches.iter();
            matches.find_map(|rule| rule.apply(probe, answer, parts))
        };
        let by_rule = by(&self.own).or_else(|| by(&self.builtin));
        // One that only says how to go on says nothing of the service.
        let is_hint = |found: &Identified| found.then.is_some() && found.service.name.is_none();
        let read = match &by_rule {
            Some(found) if is_hint(found) => None,
            _ => read::read(probe, answer),
        };
        if by_rule.is_none() && read.is_none() {
            return None;
        }
        let mut found = by_rule.unwrap_or_default();
        found.service.complete_with(read.unwrap_or_default());
        found.service.probe = Some(probe.into());
        found.service.evidence = found::evidence(answer);
        Some(found)
    }
}

/// Whether one of `ranges` has `port`.
fn contains(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&port))
}

/// The built-in rules, read once for all tests.
#[cfg(all(test, feature = "services"))]
pub(crate) fn shared() -> Arc<Rules> {
    static SHARED: std::sync::LazyLock<Arc<Rules>> =
        std::sync::LazyLock::new(|| Arc::new(Rules::new(&[]).expect("the built-in rules")));
    Arc::clone(&SHARED)
}

#[cfg(all(test, feature = "services"))]
mod tests;
#[cfg(all(test, feature = "services"))]
mod transcripts;
