//! What should be open: rules by host and port.
//!
//! ```toml
//! default = "deny"                        # ports that no rule names: "deny" or "allow"
//!
//! [[rule]]
//! hosts = ["10.0.0.0/24", "web.example"]  # as targets are written; without it: every host
//! required = "22,443"                     # must be open
//! allowed = [80, "8000-8100"]             # may be open
//! forbidden = "telnet"                    # must not be open
//! forbid = ["telnet", "ftp"]              # services that must not answer, on whatever port
//! certificate-days = 30                   # how long certificates must be valid, at least
//! comment = "web servers"
//!
//! [[rule]]
//! hosts = "10.0.0.7"
//! allowed = 23
//! until = 2026-12-31                      # the last day on which the rule holds
//! comment = "old printer, to be replaced"
//! ```
//!
//! Of the rules that hold for a host, the last one that names a port decides on it, and the last one that
//! forbids what answers there or lets the port be open on that. The default of a
//! host is that of the last rule that has one, else the policy's, else `deny`.

mod index;
mod parse;

use std::str::FromStr;

use jiff::civil::Date;

use super::RuleRef;
use crate::target::{HostSpec, PortSet, Target};

use index::{Index, folded};

pub(super) use index::Place;
pub use parse::{MAX_SIZE, PolicyError};

/// A policy: its rules in the order of its file.
#[derive(Clone, Debug)]
pub struct Policy {
    file: String,
    access: Access,
    rules: Vec<Rule>,
    index: Index,
}

/// Whether a port that no rule names may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Deny,
    Allow,
}

/// What a policy says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// It must be open.
    Required,
    /// It may be open.
    Allowed,
    /// It must not be open.
    Forbidden,
    /// No rule names it.
    Unnamed(Access),
}

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    line: u64,
    name: Option<String>,
    comment: Option<String>,
    /// The last day on which it holds.
    until: Option<Date>,
    /// Empty: every host.
    pub(super) hosts: Vec<HostPattern>,
    pub(super) required: PortSet,
    allowed: PortSet,
    pub(super) forbidden: PortSet,
    /// Services that must not answer, by name: `ftp`, inside TLS also `ftps`.
    pub(super) forbid: Vec<String>,
    /// Days for which certificates must be valid.
    pub(super) certificate_days: Option<u32>,
    access: Option<Access>,
}

/// Hosts that a rule is for.
#[derive(Clone, Debug)]
pub(super) struct HostPattern {
    spec: HostSpec,
    /// Interface of a link-local address; `None`: any.
    scope_id: Option<u32>,
}

/// Which rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that hold on the day.
    InForce(Date),
    /// Those without a date.
    Lasting,
    /// All, as if none had expired.
    Ever,
}

/// What a policy says of a host, by ports.
#[derive(Clone, Debug)]
pub(super) struct Stances {
    pub(super) required: PortSet,
    pub(super) forbidden: PortSet,
    /// What is required if rules with a date are left out.
    pub(super) required_lasting: PortSet,
    pub(super) access: Access,
}

impl Policy {
    /// How many rules it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has no rule, only a default.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Its file, as named.
    pub fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules for `target`, by their number, ascending.
    pub(super) fn rules_for(&self, target: &Target) -> Vec<u32> {
        self.index.rules_for(&self.rules, target)
    }

    /// The patterns among the hosts of rules that mean `target`.
    pub(super) fn meant(&self, target: &Target) -> impl Iterator<Item = Place> {
        self.index.meant(&self.rules, target)
    }

    /// A pattern and its rule.
    pub(super) fn pattern(&self, place: Place) -> Option<(&Rule, &HostPattern)> {
        let rule = self.rules.get(place.0 as usize)?;
        Some((rule, index::pattern(&self.rules, place)?))
    }

    /// What those of `rules` that hold on `day` say.
    pub(super) fn stances(&self, rules: &[u32], day: Date) -> Stances {
        let mut stances = Stances {
            required: PortSet::default(),
            forbidden: PortSet::default(),
            required_lasting: PortSet::default(),
            access: self.access,
        };
        for rule in self.chosen(rules, Which::InForce(day)) {
            let named = rule.named();
            stances.required = stances.required.difference(&named).union(&rule.required);
            stances.forbidden = stances.forbidden.difference(&named).union(&rule.forbidden);
            stances.access = rule.access.unwrap_or(stances.access);
        }
        for rule in self.chosen(rules, Which::Lasting) {
            let others = stances.required_lasting.difference(&rule.named());
            stances.required_lasting = others.union(&rule.required);
        }
        stances
    }

    /// What `rules` say of `port`, and the rule that decides it.
    pub(super) fn stance(&self, rules: &[u32], port: u16, which: Which) -> (Stance, Option<&Rule>) {
        let mut access = None;
        for rule in self.chosen(rules, which).rev() {
            if let Some(stance) = rule.stance(port) {
                return (stance, Some(rule));
            }
            if access.is_none() {
                access = rule.access.map(|access| (access, rule));
            }
        }
        match access {
            Some((access, rule)) => (Stance::Unnamed(access), Some(rule)),
            None => (Stance::Unnamed(self.access), None),
        }
    }

    /// How a finding names `rule`.
    pub(super) fn reference(&self, rule: &Rule) -> RuleRef {
        RuleRef {
            file: self.file.clone(),
            line: rule.line,
            name: rule.name.clone(),
            comment: rule.comment.clone(),
            until: rule.until,
        }
    }

    /// Those of `rules` that count, in order.
    pub(super) fn chosen(
        &self,
        rules: &[u32],
        which: Which,
    ) -> impl DoubleEndedIterator<Item = &Rule> {
        let rules = rules
            .iter()
            .filter_map(|number| self.rules.get(*number as usize));
        rules.filter(move |rule| match which {
            Which::InForce(day) => rule.holds_on(day),
            Which::Lasting => rule.until.is_none(),
            Which::Ever => true,
        })
    }
}

impl Stance {
    /// Whether it is against the policy that a port is open, or is not.
    pub(super) fn is_broken_by(self, open: bool) -> bool {
        match self {
            Stance::Required => !open,
            Stance::Allowed | Stance::Unnamed(Access::Allow) => false,
            Stance::Forbidden | Stance::Unnamed(Access::Deny) => open,
        }
    }
}

impl Rule {
    pub(super) fn until(&self) -> Option<Date> {
        self.until
    }

    pub(super) fn holds_on(&self, day: Date) -> bool {
        self.until.is_none_or(|until| day <= until)
    }

    pub(super) fn stance(&self, port: u16) -> Option<Stance> {
        let stances = [
            (&self.required, Stance::Required),
            (&self.allowed, Stance::Allowed),
            (&self.forbidden, Stance::Forbidden),
        ];
        let named = stances.into_iter().find(|(ports, _)| ports.contains(port));
        named.map(|(_, stance)| stance)
    }

    fn named(&self) -> PortSet {
        self.required.union(&self.allowed).union(&self.forbidden)
    }
}

impl HostPattern {
    /// Whether it is meant by this pattern. A name means the hosts that were given by it.
    pub(super) fn is_for(&self, target: &Target) -> bool {
        match &self.spec {
            HostSpec::Name(name) => {
                let given = target.name.as_deref();
                given.is_some_and(|given| folded(given) == folded(name))
            }
            spec => {
                let scope = self.scope_id.is_none_or(|scope| scope == target.scope_id);
                scope && spec.contains(target.addr)
            }
        }
    }

    /// The one address it stands for, if it does.
    pub(super) fn target(&self) -> Option<Target> {
        match self.spec {
            HostSpec::Address { addr, .. } => Some(Target {
                addr,
                scope_id: self.scope_id.unwrap_or(0),
                name: None,
            }),
            _ => None,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPattern, String> {
        let spec = HostSpec::of_any_size(text).map_err(|error| error.to_string())?;
        let scope_id = spec.scope().map(|scope| scope.parse());
        let scope_id = scope_id.transpose().map_err(|_| {
            "an interface is told by its index here, as results have it: fe80::1%2".to_string()
        })?;
        Ok(HostPattern { spec, scope_id })
    }
}

/// As it was meant; an escaped piece of the policy.
impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::output::escape(&self.spec.to_string()).fmt(f)
    }
}

#[cfg(test)]
mod tests;
