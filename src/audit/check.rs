//! A result held against a policy, host by host.

mod services;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::civil::Date;

use super::facts::Facts;
use super::known::Known;
use super::policy::{Access, Place, Policy, Rule, Stance, Stances, Which};
use super::{Checked, Finding, Findings, Kind, LEFT_OUT, RuleRef};
use crate::engine::State;
use crate::target::{PortSet, Target};

/// Sets of rules whose sum is kept; networks of hosts have few.
const KEPT: usize = 1024;

/// A check under way.
#[derive(Debug)]
pub(super) struct Check {
    policy: Policy,
    /// The day on which exceptions must hold.
    day: Date,
    /// The ports of each host, if that is known.
    ports: Option<PortSet>,
    findings: Findings,
    checked: u64,
    /// What rules come to together, by their numbers.
    sums: HashMap<Vec<u32>, Rc<Stances>>,
    /// Hosts of rules with required ports, of which none was met yet.
    unmet: BTreeSet<Place>,
    /// Forbidden ports that were not to be scanned, by the rule that forbids them.
    unplanned: BTreeMap<u64, (RuleRef, PortSet)>,
    /// Ports without a verdict that must not be open: those left out on purpose, and the others.
    left_out: u64,
    unscanned: u64,
}

impl Check {
    /// Of a result that has `ports` of each host, made on `day`.
    pub(super) fn new(policy: Policy, ports: Option<PortSet>, day: Date) -> Check {
        let rules = policy.rules().iter().zip(0..);
        let rules = rules.filter(|(rule, _)| rule.holds_on(day) && !rule.required.is_empty());
        let unmet = rules.flat_map(|(rule, at)| {
            let hosts = rule.hosts.iter().zip(0..);
            hosts.map(move |(_, host)| (at, host))
        });
        Check {
            unmet: unmet.collect(),
            policy,
            day,
            ports,
            findings: Findings::default(),
            checked: 0,
            sums: HashMap::new(),
            unplanned: BTreeMap::new(),
            left_out: 0,
            unscanned: 0,
        }
    }

    /// The ports of a host whose state matters here, beyond those that are open.
    pub(super) fn wanted(&mut self, target: &Target) -> PortSet {
        let rules = self.policy.rules_for(target);
        let stances = self.stances(&rules);
        stances.required.union(&stances.required_lasting)
    }

    /// Checks a host.
    pub(super) fn host(&mut self, facts: &Facts) {
        let rules = self.policy.rules_for(&facts.target);
        let stances = self.stances(&rules);
        for place in self.policy.meant(&facts.target) {
            self.unmet.remove(&place);
        }
        let denies = stances.access == Access::Deny
            || !stances.forbidden.is_empty()
            || self.asks_for_services(&rules).is_some();
        if facts.accepts_all {
            if denies || !stances.required.is_empty() {
                let message = "accepts every connection: what is open there tells nothing";
                self.add(facts, Finding::new(Kind::Unclear, message.into()));
            }
            return;
        }
        self.checked = self.checked.saturating_add(facts.counts.total());
        if denies {
            let others = facts.counts.unscanned.saturating_sub(facts.left_out);
            self.unscanned = self.unscanned.saturating_add(others);
            self.left_out = self.left_out.saturating_add(facts.left_out);
        }
        for port in &facts.open {
            self.open(facts, &rules, *port);
        }
        self.services(facts, &rules);
        self.required(facts, &rules, &stances);
    }

    /// Checks a port that is open.
    fn open(&mut self, facts: &Facts, rules: &[u32], port: u16) {
        let (stance, rule) = self.policy.stance(rules, port, Which::InForce(self.day));
        if !stance.is_broken_by(true) {
            if let Some(finding) = self.excepted(rules, port, true, rule) {
                self.add_port(facts, port, Known::Is(State::Open), finding);
            }
            return;
        }
        let rule = rule.map(|rule| self.policy.reference(rule));
        let expired = self.expired(rules, port, true);
        let place = bracketed(rule.as_ref());
        let (kind, message) = match stance {
            Stance::Forbidden => (Kind::ForbiddenOpen, format!("is open, forbidden{place}")),
            _ => (
                Kind::NotAllowed,
                format!("is open, allowed by no rule{place}"),
            ),
        };
        let finding = Finding {
            message: message + &ended(expired.as_ref()),
            rule,
            expired,
            ..Finding::new(kind, String::new())
        };
        self.add_port(facts, port, Known::Is(State::Open), finding);
    }

    /// Checks the ports that must be open, or would have to be but for an exception.
    fn required(&mut self, facts: &Facts, rules: &[u32], stances: &Stances) {
        let mut unplanned: BTreeMap<u64, (RuleRef, Vec<u16>)> = BTreeMap::new();
        for port in stances.required.iter() {
            let known = facts.known(port);
            if known.is_open() == Some(true) {
                continue;
            }
            let (_, rule) = self.policy.stance(rules, port, Which::InForce(self.day));
            let Some(rule) = rule.map(|rule| self.policy.reference(rule)) else {
                continue;
            };
            if known == Known::NotPlanned {
                let ports = unplanned.entry(rule.line).or_insert((rule, Vec::new()));
                ports.1.push(port);
                continue;
            }
            let (kind, expired) = match known.is_open() {
                Some(_) => (Kind::RequiredMissing, self.expired(rules, port, false)),
                None => (Kind::Unclear, None),
            };
            let place = bracketed(Some(&rule));
            let ended = ended(expired.as_ref());
            let (state, aside) = facts.words(known);
            let message = format!("is {state}{aside}, required{place}{ended}");
            let finding = Finding {
                expired,
                rule: Some(rule),
                ..Finding::new(kind, message)
            };
            self.add_port(facts, port, known, finding);
        }
        for (rule, ports) in unplanned.into_values() {
            let message = format!(
                "not among the ports scanned, required{}",
                bracketed(Some(&rule))
            );
            let finding = Finding {
                rule: Some(rule),
                ..Finding::new(Kind::Unclear, message).on(ports.into_iter().collect())
            };
            self.add(facts, finding);
        }
        for port in stances
            .required_lasting
            .difference(&stances.required)
            .iter()
        {
            let known = facts.known(port);
            if known.is_open() != Some(false) {
                continue;
            }
            let (_, rule) = self.policy.stance(rules, port, Which::InForce(self.day));
            if let Some(finding) = self.excepted(rules, port, false, rule) {
                self.add_port(facts, port, known, finding);
            }
        }
    }

    /// That a port would be against the policy if the rule that decides on it had expired.
    fn excepted(
        &self,
        rules: &[u32],
        port: u16,
        open: bool,
        rule: Option<&Rule>,
    ) -> Option<Finding> {
        let (rule, until) = rule.and_then(|rule| Some((rule, rule.until()?)))?;
        let (lasting, _) = self.policy.stance(rules, port, Which::Lasting);
        if !lasting.is_broken_by(open) {
            return None;
        }
        let rule = self.policy.reference(rule);
        let is = if open { "is open" } else { "is not open" };
        let message = format!("{is}, excepted until {until}{}", bracketed(Some(&rule)));
        Some(Finding {
            rule: Some(rule),
            ..Finding::new(Kind::Excepted, message)
        })
    }

    /// The rule that would make it good that a port is open, or is not, if it had not expired.
    fn expired(&self, rules: &[u32], port: u16, open: bool) -> Option<RuleRef> {
        let (stance, rule) = self.policy.stance(rules, port, Which::Ever);
        let rule = rule.filter(|rule| !rule.holds_on(self.day))?;
        (!stance.is_broken_by(open)).then(|| self.policy.reference(rule))
    }

    /// What `rules` come to together.
    fn stances(&mut self, rules: &[u32]) -> Rc<Stances> {
        if let Some(known) = self.sums.get(rules) {
            return Rc::clone(known);
        }
        let stances = Rc::new(self.policy.stances(rules, self.day));
        self.unplanned(rules, &stances);
        if self.sums.len() >= KEPT {
            self.sums.clear();
        }
        self.sums.insert(rules.to_vec(), Rc::clone(&stances));
        stances
    }

    /// Notes the forbidden ports that were not to be scanned.
    fn unplanned(&mut self, rules: &[u32], stances: &Stances) {
        let Some(ports) = &self.ports else {
            return;
        };
        let mut missing = stances.forbidden.difference(ports);
        // Each turn takes all ports of one rule.
        while let Some(port) = missing.nth(0) {
            let (_, rule) = self.policy.stance(rules, port, Which::InForce(self.day));
            let Some(rule) = rule else {
                return;
            };
            let others = missing.difference(&rule.forbidden);
            let reference = self.policy.reference(rule);
            let entry = self.unplanned.entry(reference.line);
            let (_, ports) = entry.or_insert((reference, PortSet::default()));
            *ports = ports.union(&missing.difference(&others));
            missing = others;
        }
    }

    fn add(&mut self, facts: &Facts, mut finding: Finding) {
        finding.host = Some(facts.target.clone());
        self.findings.add(finding);
    }

    fn add_port(&mut self, facts: &Facts, port: u16, now: Known, mut finding: Finding) {
        finding.port = Some(port);
        finding.now = now.state();
        self.add(facts, finding);
    }

    /// What it came to.
    pub(super) fn finish(mut self) -> Checked {
        for place in &self.unmet {
            let Some((rule, pattern)) = self.policy.pattern(*place) else {
                continue;
            };
            let reference = self.policy.reference(rule);
            let place = bracketed(Some(&reference));
            let host = pattern.target();
            let message = match &host {
                Some(_) => format!("not scanned, required{place}"),
                None => format!("no host of {pattern} was scanned, required{place}"),
            };
            self.findings.add(Finding {
                host,
                rule: Some(reference),
                ..Finding::new(Kind::Unclear, message).on(rule.required.clone())
            });
        }
        for (rule, ports) in std::mem::take(&mut self.unplanned).into_values() {
            let message = format!(
                "not among the ports scanned, forbidden{}",
                bracketed(Some(&rule))
            );
            self.findings.add(Finding {
                rule: Some(rule),
                ..Finding::new(Kind::Unclear, message).on(ports)
            });
        }
        for (ports, what) in [(self.unscanned, "unscanned"), (self.left_out, LEFT_OUT)] {
            if ports > 0 {
                let s = if ports == 1 { "" } else { "s" };
                let message = format!("{ports} port{s} {what} that may be open");
                self.findings.add(Finding::new(Kind::Unclear, message));
            }
        }
        self.findings.sort();
        Checked {
            file: self.policy.file().into(),
            rules: self.policy.len() as u64,
            ports: self.checked,
            findings: self.findings,
        }
    }
}

/// ` [p.toml:9: old]`.
fn bracketed(rule: Option<&RuleRef>) -> String {
    rule.map_or(String::new(), |rule| format!(" [{rule}]"))
}

/// What to say of a rule that has expired.
fn ended(expired: Option<&RuleRef>) -> String {
    let ended = expired.and_then(|rule| Some((rule, rule.until?)));
    ended.map_or(String::new(), |(rule, until)| {
        format!("; what allowed it expired on {until} [{rule}]")
    })
}
