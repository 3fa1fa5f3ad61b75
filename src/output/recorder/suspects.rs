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
