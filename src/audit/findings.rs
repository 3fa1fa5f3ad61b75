//! What an audit found, as plain data: outputs write it, nothing here decides it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::engine::State;
use crate::output::escape;
use crate::target::{PortSet, Target};

/// Findings of one kind that are kept one by one, some 400 bytes each; more are only counted.
pub const LISTED: u64 = 20_000;

/// What came of an audit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// The comparison with an earlier result, if one was asked for.
    pub baseline: Option<Compared>,
    /// The check against a policy, if one was asked for.
    pub policy: Option<Checked>,
    /// Whether the result that was audited is itself incomplete, and so never clean.
    pub incomplete: bool,
    /// When the run that was audited began.
    pub started: Timestamp,
    /// Seconds it took.
    pub elapsed_s: f64,
}

/// A comparison with an earlier result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The files it was read from, as named: escape before showing.
    pub files: Vec<String>,
    /// When the earlier scan began.
    pub started: Option<Timestamp>,
    /// Ports that both sides know.
    pub ports: u64,
    /// What differs and what cannot be compared.
    pub findings: Findings,
}

/// A check against a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// The policy's file, as named: escape before showing.
    pub file: String,
    /// Rules in it.
    pub rules: u64,
    /// Ports that were checked.
    pub ports: u64,
    /// What breaks it, what is excepted and what is unclear.
    pub findings: Findings,
}

/// Findings in order: by kind, host and port. Those beyond [`LISTED`] of a kind are only counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    list: Vec<Finding>,
    counts: BTreeMap<Kind, u64>,
}

/// One thing found. `Display` is one line, safe to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The host; `None`: not one host alone.
    pub host: Option<Target>,
    /// The port; `None`: not one port alone.
    pub port: Option<u16>,
    /// Several ports, where it is about several.
    pub ports: Option<PortSet>,
    /// State in the baseline, as far as it is known.
    pub before: Option<State>,
    /// State now, as far as it is known.
    pub now: Option<State>,
    /// The rule of the policy that it follows from.
    pub rule: Option<RuleRef>,
    /// The rule that would have allowed it and has expired.
    pub expired: Option<RuleRef>,
    /// What is the matter, without host and port: one line, safe to show.
    pub message: String,
}

/// Kinds of findings, in the order in which outputs have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A port is open that was not.
    Opened,
    /// A port was open and is not.
    Closed,
    /// A port that is not open has another state than it had.
    Changed,
    /// A host answers that did not.
    HostAppeared,
    /// A host answered and does not.
    HostGone,
    /// One side did not scan it or could not tell.
    NotComparable,
    /// A required port is not open.
    RequiredMissing,
    /// A forbidden port is open.
    ForbiddenOpen,
    /// A port is open that no rule allows.
    NotAllowed,
    /// A service answers that is forbidden, on whatever port.
    ForbiddenService,
    /// A certificate is not valid as long as it must be.
    Certificate,
    /// Against the policy, but for an exception that still holds.
    Excepted,
    /// Whether the policy is kept cannot be told.
    Unclear,
}

/// What a finding or a whole audit means for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All is as it was and as it should be.
    Clean,
    /// It cannot be told whether all is.
    Incomplete,
    /// Something drifted from the baseline or breaks the policy.
    Failed,
}

/// A rule of a policy, as a finding names it. Texts are as in the file: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// The policy's file.
    pub file: String,
    /// The line where the rule begins, from 1 on.
    pub line: u64,
    /// What the rule is called.
    pub name: Option<String>,
    /// What the rule says of itself.
    pub comment: Option<String>,
    /// The last day on which it holds.
    pub until: Option<Date>,
}

impl Audit {
    /// What it all means.
    pub fn outcome(&self) -> Outcome {
        let own = match self.incomplete {
            true => Outcome::Incomplete,
            false => Outcome::Clean,
        };
        let kinds = self.parts().flat_map(|findings| findings.counts.keys());
        kinds.map(|kind| kind.outcome()).fold(own, Outcome::max)
    }

    /// All findings, those of the baseline first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.parts().flat_map(|findings| &findings.list)
    }

    /// How many findings of `kind` there are, listed or not.
    pub fn count(&self, kind: Kind) -> u64 {
        self.parts().map(|findings| findings.count(kind)).sum()
    }

    /// How many findings there are that are not listed.
    pub fn not_listed(&self) -> u64 {
        self.parts().map(Findings::not_listed).sum()
    }

    fn parts(&self) -> impl Iterator<Item = &Findings> {
        let baseline = self.baseline.iter().map(|compared| &compared.findings);
        baseline.chain(self.policy.iter().map(|checked| &checked.findings))
    }
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= LISTED {
            self.list.push(finding);
        }
    }

    /// Puts them in order, each once: a host that was scanned twice under two names has them twice.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| a.place().cmp(&b.place()));
        let counts = &mut self.counts;
        self.list.dedup_by(|a, b| {
            let same = a == b;
            if let (true, Some(count)) = (same, counts.get_mut(&a.kind)) {
                *count -= 1;
            }
            same
        });
    }

    /// The findings that are kept.
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many of `kind` there are, kept or not.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// How many there are that are not kept.
    pub fn not_listed(&self) -> u64 {
        self.counts.values().sum::<u64>() - self.list.len() as u64
    }
}

impl Finding {
    /// One of `kind` of which only the message is known.
    pub fn new(kind: Kind, message: String) -> Finding {
        Finding {
            kind,
            host: None,
            port: None,
            ports: None,
            before: None,
            now: None,
            rule: None,
            expired: None,
            message,
        }
    }

    /// The same about `ports` of its host, one or several.
    pub(super) fn on(mut self, ports: PortSet) -> Finding {
        match (ports.len(), ports.nth(0)) {
            (1, only) => self.port = only,
            _ => self.ports = Some(ports),
        }
        self
    }

    /// The ports that it is about, as text of a bounded length: `port 22`, `ports 22,80-82`.
    pub fn ports_in_short(&self) -> Option<String> {
        match (self.port, &self.ports) {
            (Some(port), _) => Some(format!("port {port}")),
            (None, Some(ports)) => Some(format!("ports {}", Brief(ports))),
            (None, None) => None,
        }
    }

    /// What findings are ordered by; what is of no host comes last.
    fn place(&self) -> impl Ord + '_ {
        let host = self.host.as_ref();
        let host = host.map(|host| (host.addr, host.scope_id, host.name.as_deref()));
        let first = self.ports.as_ref().and_then(|ports| ports.nth(0));
        (
            self.kind,
            host.is_none(),
            host,
            self.port.or(first),
            &*self.message,
        )
    }
}

/// `192.0.2.7 (web.example) port 22: is open, was not`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
            if let Some(name) = &host.name {
                write!(f, " ({})", escape(name))?;
            }
            f.write_str(match (self.port, &self.ports) {
                (None, None) => ": ",
                _ => " ",
            })?;
        }
        if let Some(ports) = self.ports_in_short() {
            write!(f, "{ports}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Ports as text of a bounded length.
struct Brief<'a>(&'a PortSet);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Ranges told one by one.
        const TOLD: usize = 12;
        let mut told = 0;
        for (index, (first, last)) in self.0.ranges().take(TOLD).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            told += u32::from(last - first) + 1;
        }
        match self.0.len() - told {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Kind {
    /// All kinds, in the order in which outputs have them.
    pub const ALL: [Kind; 13] = [
        Kind::Opened,
        Kind::Closed,
        Kind::Changed,
        Kind::HostAppeared,
        Kind::HostGone,
        Kind::NotComparable,
        Kind::RequiredMissing,
        Kind::ForbiddenOpen,
        Kind::NotAllowed,
        Kind::ForbiddenService,
        Kind::Certificate,
        Kind::Excepted,
        Kind::Unclear,
    ];

    /// Those of a comparison.
    pub const BASELINE: [Kind; 6] = [
        Kind::Opened,
        Kind::Closed,
        Kind::Changed,
        Kind::HostAppeared,
        Kind::HostGone,
        Kind::NotComparable,
    ];

    /// Those of a policy.
    pub const POLICY: [Kind; 7] = [
        Kind::RequiredMissing,
        Kind::ForbiddenOpen,
        Kind::NotAllowed,
        Kind::ForbiddenService,
        Kind::Certificate,
        Kind::Excepted,
        Kind::Unclear,
    ];

    /// Whether it comes from a comparison, else from a policy.
    pub fn is_of_baseline(self) -> bool {
        Kind::BASELINE.contains(&self)
    }

    /// The name used by every output format.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Opened => "opened",
            Kind::Closed => "closed",
            Kind::Changed => "changed",
            Kind::HostAppeared => "host-appeared",
            Kind::HostGone => "host-gone",
            Kind::NotComparable => "not-comparable",
            Kind::RequiredMissing => "required-missing",
            Kind::ForbiddenOpen => "forbidden-open",
            Kind::NotAllowed => "not-allowed",
            Kind::ForbiddenService => "forbidden-service",
            Kind::Certificate => "certificate",
            Kind::Excepted => "excepted",
            Kind::Unclear => "unclear",
        }
    }

    /// What it stands for, in a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Opened => "A port is open that was not open in the baseline.",
            Kind::Closed => "A port that was open in the baseline is not open.",
            Kind::Changed => "A port that is not open has another state than in the baseline.",
            Kind::HostAppeared => "A host answers that did not in the baseline.",
            Kind::HostGone => "A host that answered in the baseline does not answer.",
            Kind::NotComparable => {
                "One of baseline and scan did not scan it or could not tell its state."
            }
            Kind::RequiredMissing => "A port that the policy requires is not open.",
            Kind::ForbiddenOpen => "A port that the policy forbids is open.",
            Kind::NotAllowed => "A port is open that no rule of the policy allows.",
            Kind::ForbiddenService => "A service answers that the policy forbids.",
            Kind::Certificate => {
                "A certificate has expired, or does sooner than the policy wants it."
            }
            Kind::Excepted => "It is against the policy, but for an exception that still holds.",
            Kind::Unclear => "Whether the policy is kept cannot be told.",
        }
    }

    /// What one finding of this kind makes of an audit.
    pub fn outcome(self) -> Outcome {
        match self {
            Kind::Excepted => Outcome::Clean,
            Kind::NotComparable | Kind::Unclear => Outcome::Incomplete,
            Kind::Opened
            | Kind::Closed
            | Kind::Changed
            | Kind::HostAppeared
            | Kind::HostGone
            | Kind::RequiredMissing
            | Kind::ForbiddenOpen
            | Kind::NotAllowed
            | Kind::ForbiddenService
            | Kind::Certificate => Outcome::Failed,
        }
    }
}

impl Outcome {
    /// The name used by every output format.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Incomplete => "incomplete",
            Outcome::Failed => "failed",
        }
    }
}

/// `policy.toml:9: why there is this rule`, safe to show.
impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", escape(&self.file), self.line)?;
        for text in [&self.name, &self.comment].into_iter().flatten() {
            write!(f, ": {}", escape(text))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
