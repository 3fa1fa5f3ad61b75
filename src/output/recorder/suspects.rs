//! Open ports whose lines wait, because their host may accept everything: then they mean nothing.
//!
//! The engine is sure of that when a few dozen unlikely ports are open, and the likely ones, many of them,
//! go before. So from some number of open ports on they wait for as long as hardly any port answered
//! otherwise: until one more does, or to the end of their host.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use super::{HeldPort, Record, Recorder, Tally};
use crate::engine::State;
use crate::output::pending::PendingPort;
use crate::target::Target;

/// Open ports of a host that have their lines at once, however many of its ports refuse. Few hosts have
/// more, and what somebody waits for is among them.
const AT_ONCE: u64 = 15;

/// One port of so many that answers otherwise shows that a host does not accept everything.
const OTHERWISE: u64 = 8;

/// The hosts of which open ports wait.
#[derive(Debug, Default)]
pub(super) struct Suspects(HashMap<(IpAddr, u32), Suspect>);

#[derive(Debug, Default)]
struct Suspect {
    /// The engine has told; until the host's end that holds.
    told: bool,
    held: Vec<HeldPort>,
}

impl Suspects {
    /// The engine tells that `target` accepts everything.
    pub(super) fn tell(&mut self, target: &Target) {
        let suspect = self.0.entry((target.addr, target.scope_id)).or_default();
        suspect.told = true;
    }

    /// The ports of a host that is complete.
    pub(super) fn take(&mut self, key: (IpAddr, u32)) -> Vec<HeldPort> {
        self.0.remove(&key).unwrap_or_default().held
    }

    /// Whether the engine has told, and the ports that wait.
    pub(super) fn pending(&self, key: (IpAddr, u32)) -> (bool, Vec<PendingPort>) {
        let Some(suspect) = self.0.get(&key) else {
            return (false, Vec::new());
        };
        let held = suspect.held.iter().map(|held| PendingPort {
            service: held.service.as_deref().cloned(),
            ..PendingPort::new(held.port, held.verdict, held.found)
        });
        (suspect.told, held.collect())
    }

    /// Goes on with what was pending.
    pub(super) fn take_up(&mut self, key: (IpAddr, u32), told: bool, held: Vec<HeldPort>) {
        if told || !held.is_empty() {
            self.0.insert(key, Suspect { told, held });
        }
    }
}

impl Recorder {
    /// Hands out the line of an open port that is counted, unless it has to wait.
    pub(super) fn open_port(
        &mut self,
        target: &Target,
        port: HeldPort,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let key = (target.addr, target.scope_id);
        if let Some(suspect) = self.suspects.0.get_mut(&key) {
            suspect.held.push(port);
            return Ok(());
        }
        if !self.show.is_explicit() && self.tallies.get(&key).is_some_and(may_accept_all) {
            let suspect = self.suspects.0.entry(key).or_default();
            suspect.held.push(port);
            return Ok(());
        }
        each(&port.record(target.into(), target.name.as_deref()))
    }

    /// Hands out the lines that wait if ports of `target` that answered otherwise, just counted, show that
    /// it does not accept everything.
    pub(super) fn clear(
        &mut self,
        target: &Target,
        each: &mut impl FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let key = (target.addr, target.scope_id);
        let waits = self.suspects.0.get(&key);
        if waits.is_none_or(|suspect| suspect.told)
            || self.tallies.get(&key).is_some_and(may_accept_all)
        {
            return Ok(());
        }
        let mut held = self.suspects.take(key).into_iter();
        held.try_for_each(|port| each(&port.record(target.into(), target.name.as_deref())))
    }
}

/// Whether so many ports are open, and so few are not, that everything may be.
fn may_accept_all(tally: &Tally) -> bool {
    let of = |is_open: bool| {
        let reasons = tally.iter();
        let reasons = reasons.filter(|(reason, _)| (reason.state() == State::Open) == is_open);
        reasons.map(|(_, ports)| ports).fold(0, u64::saturating_add)
    };
    let open = of(true);
    open > AT_ONCE && of(false) < open / OTHERWISE
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::{BulkReport, Note, Reason, Report, Trust};
    use crate::output::Show;
    use crate::output::made::{counts, host, port, recorder, target, verdict};
    use crate::output::ndjson::Line;
    use crate::service::Service;

    /// The ports told, and those that were counted only.
    #[derive(Default)]
    struct Told(Vec<u16>, Option<u64>);

    impl Told {
        fn take(&mut self, record: &Record<'_>) -> io::Result<()> {
            match record {
                Record::Line(Line::Port(line)) if line.state == State::Open => {
                    assert_eq!(self.1, None, "a port behind its host");
                    self.0.push(line.port);
                }
                Record::Line(Line::Host(line)) => self.1 = Some(line.open_not_listed),
                _ => {}
            }
            Ok(())
        }
    }

    proptest! {
        /// In whatever order a host answers, its services are found and the run is saved and gone on with,
        /// each open port has one line, or is counted where all are open.
        #[test]
        fn no_open_port_is_lost_or_told_twice(
            steps in prop::collection::vec(0..20u8, 0..150),
            accepts_all in any::<bool>(),
            services in any::<bool>(),
        ) {
            let fresh = || {
                let mut recorder = recorder(Show::default());
                if services {
                    recorder.expect_services();
                }
                recorder
            };
            let (mut now, mut told) = (fresh(), Told::default());
            let (mut open, mut unanswered) = (Vec::new(), Vec::new());
            let whose = target(None);
            for (number, step) in (1..).zip(steps) {
                let report = match step {
                    0 => port(None, number, Reason::ConnRefused),
                    1 => Report::Bulk(BulkReport {
                        target: whose.clone(),
                        verdict: verdict(Reason::NoResponse),
                        ports: (1000..1003).collect(),
                    }),
                    2 if accepts_all => Report::Note(Note::AcceptsAll {
                        target: whose.clone(),
                        ports: 32,
                    }),
                    3 => {
                        let saved = serde_json::to_string(&now.pending()).expect("JSON");
                        now = fresh();
                        now.take_up(&serde_json::from_str(&saved).expect("the same again"));
                        continue;
                    }
                    4..8 if !unanswered.is_empty() => {
                        let port = unanswered.swap_remove(usize::from(step) % unanswered.len());
                        let found = Arc::new(Service::default());
                        now.service(&whose, port, &found, &mut |r| told.take(r)).expect("told");
                        continue;
                    }
                    _ => {
                        open.push(number);
                        unanswered.extend(services.then_some(number));
                        port(None, number, Reason::SynAck)
                    }
                };
                now.report(&report, &mut |r| told.take(r)).expect("told");
            }
            let trust = Trust { accepts_all: accepts_all.into(), ..Trust::default() };
            let all = counts(open.len() as u64, 0, 0, 0);
            now.report(&host(None, all, trust), &mut |r| told.take(r)).expect("told");
            for port in unanswered {
                let found = Arc::new(Service::default());
                now.service(&whose, port, &found, &mut |r| told.take(r)).expect("told");
            }
            let Told(mut told, counted) = told;
            let counted = counted.expect("the host has its line");
            told.sort_unstable();
            prop_assert!(told.iter().all(|port| open.binary_search(port).is_ok()));
            prop_assert!(told.windows(2).all(|two| two[0] != two[1]), "{told:?}");
            prop_assert_eq!(told.len() as u64 + counted, open.len() as u64);
            prop_assert!(accepts_all || counted == 0);
        }
    }
}
