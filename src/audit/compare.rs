//! A result held against an earlier one, host by host.

use std::collections::BTreeMap;

use super::baseline::{Baseline, Host};
use super::facts::Facts;
use super::known::Known;
use super::{Compared, Finding, Findings, Kind, LEFT_OUT};
use crate::engine::State;
use crate::output::Show;
use crate::report::Address;
use crate::target::PortSet;

/// A comparison under way.
#[derive(Debug)]
pub(super) struct Comparison {
    baseline: Baseline,
    /// The ports of each host now, if that is known, and which of them both sides have.
    ports: Option<PortSet>,
    common: Option<PortSet>,
    /// The states that are listed now.
    show: Show,
    findings: Findings,
    compared: u64,
    /// Hosts without an open port that the baseline does not have.
    new: Few,
    /// Ports without a verdict of hosts that both sides have: now, and in the baseline.
    unscanned: [Unscanned; 2],
}

/// How many ports have no verdict.
#[derive(Clone, Copy, Debug, Default)]
struct Unscanned {
    all: u64,
    /// Of these, what was left out on purpose.
    left_out: u64,
}

/// Hosts of which not each has a finding.
#[derive(Debug, Default)]
struct Few {
    count: u64,
    first: Vec<String>,
}

/// The finding that groups ports of a host which cannot be compared for the same reason.
type Groups = BTreeMap<(Known, Known), Vec<u16>>;

impl Comparison {
    /// With `baseline`, of a result that has `ports` of each host and lists what `show` says.
    pub(super) fn new(mut baseline: Baseline, ports: Option<PortSet>, show: Show) -> Comparison {
        baseline.seal();
        let common = match (baseline.ports(), &ports) {
            (Some(before), Some(now)) => Some(before.difference(&before.difference(now))),
            _ => None,
        };
        Comparison {
            baseline,
            ports,
            common,
            show,
            findings: Findings::default(),
            compared: 0,
            new: Few::default(),
            unscanned: Default::default(),
        }
    }

    /// The ports of a host whose state matters here, beyond those that are open.
    pub(super) fn wanted(&mut self, ip: Address) -> PortSet {
        let host = self.baseline.host_mut(ip);
        let listed = host.iter().flat_map(|host| host.listed());
        listed.map(|(port, _)| *port).collect()
    }

    /// Compares a host.
    pub(super) fn host(&mut self, facts: &Facts) {
        let ip = Address::from(&facts.target);
        let by_ports = self.baseline.by_ports();
        let before_ports = self.baseline.ports().cloned();
        let Some(host) = self.baseline.host_mut(ip) else {
            return self.new_host(facts);
        };
        host.seen = true;
        if host.accepts_all || facts.accepts_all {
            let when = match (host.accepts_all, facts.accepts_all) {
                (true, true) => "accepts every connection, as in the baseline",
                (true, false) => "accepted every connection in the baseline",
                (false, _) => "accepts every connection now",
            };
            let message = format!("{when}: what is open there tells nothing");
            return self.add(facts, Finding::new(Kind::NotComparable, message));
        }
        let mut ports: Vec<u16> = host.listed().iter().map(|(port, _)| *port).collect();
        ports.extend_from_slice(&facts.open);
        ports.sort_unstable();
        ports.dedup();
        let ports_before = before_ports.as_ref();
        let side = Side::of(host, ports_before, by_ports);
        let states = ports.into_iter().map(|port| {
            let before = host.known(port, ports_before, side.rest);
            (port, before, facts.known(port))
        });
        let states: Vec<_> = states.collect();
        let [now, before] = &mut self.unscanned;
        if !side.is_whole() {
            before.add(host.unscanned());
        }
        now.add((facts.counts.unscanned, facts.left_out));
        let (opened, closed) = self.ports(facts, &states, side.is_whole());
        self.presence(facts, side, opened, closed);
    }

    /// Compares ports by their states before and now; whether any was opened, and closed.
    fn ports(
        &mut self,
        facts: &Facts,
        states: &[(u16, Known, Known)],
        whole: bool,
    ) -> (bool, bool) {
        let (mut opened, mut closed) = (false, false);
        let mut groups = Groups::new();
        let mut known = 0;
        for &(port, before, now) in states {
            let kind = match (before.is_open(), now.is_open()) {
                (Some(false), Some(true)) => Kind::Opened,
                (Some(true), Some(false)) => Kind::Closed,
                (Some(true), Some(true)) => {
                    known += 1;
                    continue;
                }
                (Some(false), Some(false)) => {
                    known += 1;
                    if !self.is_change(before, now) {
                        continue;
                    }
                    Kind::Changed
                }
                _ => {
                    groups.entry((before, now)).or_default().push(port);
                    continue;
                }
            };
            opened |= kind == Kind::Opened;
            closed |= kind == Kind::Closed;
            known += u64::from(kind != Kind::Changed);
            let message = format!("is {}, was {}", now.words(), before.words());
            let finding = Finding {
                port: Some(port),
                before: before.state(),
                now: now.state(),
                ..Finding::new(kind, message)
            };
            self.add(facts, finding);
        }
        self.groups(facts, groups);
        self.compared += match &self.common {
            Some(common) if whole && facts.is_whole() => common.len().into(),
            _ => known,
        };
        (opened, closed)
    }

    /// Whether a port that is not open is so in another way. Only what both sides list is told apart,
    /// so that a result saved and read back is compared as it was when it was made.
    fn is_change(&self, before: Known, now: Known) -> bool {
        let (Known::Is(before), Known::Is(now)) = (before, now) else {
            return false;
        };
        before != now && self.show.lists(now) && self.baseline.lists(before)
    }

    /// Ports that cannot be compared and are open on one side, or contradictory.
    fn groups(&mut self, facts: &Facts, groups: Groups) {
        for ((before, now), ports) in groups {
            let open = [before, now].contains(&Known::Is(State::Open));
            if !open && before != Known::Two {
                continue;
            }
            let message = match before {
                Known::Two => "has two verdicts in the baseline".into(),
                _ => {
                    let (state, aside) = facts.words(now);
                    let before = before.words();
                    format!("is {state} now{aside}, was {before} in the baseline")
                }
            };
            let finding = Finding {
                before: before.state(),
                now: now.state(),
                ..Finding::new(Kind::NotComparable, message).on(ports.into_iter().collect())
            };
            self.add(facts, finding);
        }
    }

    /// Whether the host came or went.
    fn presence(&mut self, facts: &Facts, before: Side, opened: bool, closed: bool) {
        let same = self.ports.is_some() && self.ports.as_ref() == self.baseline.ports();
        if before.is_whole() && !before.answered && (opened || same && facts.answered()) {
            let message = "answers, did not in the baseline".into();
            self.add(facts, Finding::new(Kind::HostAppeared, message));
        }
        if facts.is_whole() && !facts.answered() && (closed || same && before.answered) {
            let message = "does not answer, did in the baseline".into();
            self.add(facts, Finding::new(Kind::HostGone, message));
        }
    }

    fn new_host(&mut self, facts: &Facts) {
        if facts.open.is_empty() {
            return self.new.add(facts.target.to_string());
        }
        let finding = |message: &str| Finding::new(Kind::NotComparable, message.into());
        let finding = match facts.accepts_all {
            true => finding("accepts every connection now, was not scanned in the baseline"),
            false => finding("is open now, was not scanned in the baseline").on(facts
                .open
                .iter()
                .copied()
                .collect()),
        };
        self.add(
            facts,
            Finding {
                now: Some(State::Open),
                ..finding
            },
        );
    }

    fn add(&mut self, facts: &Facts, mut finding: Finding) {
        finding.host = Some(facts.target.clone());
        self.findings.add(finding);
    }

    /// What it came to.
    pub(super) fn finish(mut self) -> Compared {
        self.finish_hosts();
        for message in self.gaps() {
            self.findings
                .add(Finding::new(Kind::NotComparable, message));
        }
        self.finish_ports();
        self.findings.sort();
        Compared {
            files: self.baseline.files().to_vec(),
            started: self.baseline.started(),
            ports: self.compared,
            findings: self.findings,
        }
    }

    /// Hosts of the baseline that were not met.
    fn finish_hosts(&mut self) {
        let mut gone = Few::default();
        for (ip, host) in self.baseline.unseen() {
            let open = host.listed().iter();
            let open = open.filter(|(_, known)| *known == Known::Is(State::Open));
            let open: PortSet = open.map(|(port, _)| *port).collect();
            if open.is_empty() && !host.accepts_all {
                gone.add(ip.to_string());
                continue;
            }
            let finding = |message: &str| Finding::new(Kind::NotComparable, message.into());
            let finding = match host.accepts_all {
                true => finding("was not scanned now, accepted every connection in the baseline"),
                false => finding("was not scanned now, was open in the baseline").on(open),
            };
            self.findings.add(Finding {
                host: Some(ip.target(host.name.as_deref())),
                before: Some(State::Open),
                ..finding
            });
        }
        for (few, what) in [
            (gone, "of the baseline without an open port not scanned now"),
            (
                std::mem::take(&mut self.new),
                "without an open port not scanned in the baseline",
            ),
        ] {
            if let Some(message) = few.told(what) {
                self.findings
                    .add(Finding::new(Kind::NotComparable, message));
            }
        }
    }

    /// What is missing on either side as a whole.
    fn gaps(&self) -> Vec<String> {
        let mut gaps: Vec<String> = self.baseline.gap().into_iter().collect();
        for (ports, when) in self.unscanned.iter().zip(["now", "in the baseline"]) {
            let others = ports.all.saturating_sub(ports.left_out);
            for (ports, what) in [(others, "unscanned"), (ports.left_out, LEFT_OUT)] {
                if ports > 0 {
                    let s = if ports == 1 { "" } else { "s" };
                    gaps.push(format!(
                        "{ports} port{s} of hosts that were scanned: {what} {when}"
                    ));
                }
            }
        }
        let unknown = [
            (self.baseline.ports().is_none(), "the baseline does"),
            (self.ports.is_none(), "the result does"),
        ];
        let unknown = unknown.into_iter().filter(|(unknown, _)| *unknown);
        gaps.extend(unknown.map(|(_, what)| {
            format!("{what} not tell which ports were scanned: only those listed can be compared")
        }));
        gaps
    }

    /// Ports that only one side scanned.
    fn finish_ports(&mut self) {
        let (Some(before), Some(now)) = (self.baseline.ports(), &self.ports) else {
            return;
        };
        for (ports, message) in [
            (now.difference(before), "not scanned in the baseline"),
            (before.difference(now), "scanned in the baseline, not now"),
        ] {
            if !ports.is_empty() {
                let finding = Finding::new(Kind::NotComparable, message.into());
                self.findings.add(finding.on(ports));
            }
        }
    }
}

/// What the baseline tells of a host as a whole.
#[derive(Clone, Copy)]
struct Side {
    /// What it tells of a port that is planned and not listed.
    rest: Known,
    answered: bool,
}

impl Unscanned {
    fn add(&mut self, (all, left_out): (u64, u64)) {
        self.all = self.all.saturating_add(all);
        self.left_out = self.left_out.saturating_add(left_out);
    }
}

impl Side {
    fn of(host: &Host, ports: Option<&PortSet>, by_ports: u32) -> Side {
        Side {
            rest: ports.map_or(Known::Nothing, |ports| host.rest(ports, by_ports)),
            answered: host.answered(),
        }
    }

    fn is_whole(self) -> bool {
        self.rest == Known::NotOpen
    }
}

impl Few {
    fn add(&mut self, host: String) {
        /// Hosts told by their address.
        const TOLD: usize = 3;
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(host);
        }
    }

    fn told(&self, what: &str) -> Option<String> {
        let more = if self.count > self.first.len() as u64 {
            ", …"
        } else {
            ""
        };
        let hosts = if self.count == 1 { "host" } else { "hosts" };
        let first = self.first.join(", ");
        (self.count > 0).then(|| format!("{} {hosts} {what}: {first}{more}", self.count))
    }
}
