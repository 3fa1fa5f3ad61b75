//! A run at one moment, to be gone on with later, perhaps by another process.
//!
//! Hosts are taken in the order of their positions, so what is finished is "all below the next
//! one" but for the hosts that are active. Of those it is kept which ports have their verdict and
//! how often the others were silent: half a byte a port. Attempts under way are made again. What
//! was learned of a host (ports that answer, loss, round-trip time) is kept too; how much its path
//! bears is found out anew.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::canary::Canaries;
use super::host::Host;
use super::ledger::Ledger;
use super::loss::{HostTrials, Kinds, Trials};
use super::rtt::Rtt;
use super::scanner::Scanner;
use super::{Counts, Options};
use crate::target::{Target, TargetSpace};

/// A run at one moment. It fits the [`TargetSpace`] it was made with, and no other: who keeps it
/// keeps what tells the two apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Position of the next host to begin: those before it are finished, or active.
    pub next_host: u64,
    /// Hosts added while the run went on, in the order in which they came.
    pub late: Vec<LateHost>,
    /// Hosts begun and not finished.
    pub hosts: Vec<HostSnapshot>,
    /// Verdicts reported so far, those on ports of active hosts included.
    pub counts: Counts,
    /// Connection attempts started.
    pub attempts: u64,
    /// Chance that nothing was missed on the finished hosts that answered.
    pub none_missed: Option<f64>,
    /// Finished hosts that never answered.
    pub silent_hosts: u64,
    /// Trials of the run's loss.
    pub trials: Trials,
}

/// A host that was added while the run went on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateHost {
    /// Its address.
    pub addr: IpAddr,
    /// IPv6 scope of a link-local address, else 0.
    pub scope_id: u32,
    /// The name it was given by.
    pub name: Option<String>,
}

/// An active host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSnapshot {
    /// Its position in the run.
    pub position: u64,
    /// Ports tried so far: the first so many in the host's order.
    pub tried: u32,
    /// Of each port tried, four bits, the first port's the lower ones of the first byte: 15 if it
    /// has its verdict, else how often it was silent.
    #[serde(with = "base64_bytes")]
    pub ports: Vec<u8>,
    /// Verdicts reported.
    pub counts: Counts,
    /// Indices of ports that answer, and whether they are open.
    pub answering: Vec<(u32, bool)>,
    /// Smoothed round-trip time, its variation and the shortest one.
    pub rtt: Option<[Duration; 3]>,
    /// Trials on open and on closed ports, then of refusals against accepts.
    pub trials: [Trials; 4],
    /// Whether refusals were found to be limited.
    pub refusals_limited: bool,
    /// Whether it ever answered.
    pub answered: bool,
    /// Unlikely ports found open, found otherwise, and silent at first.
    pub unlikely: [u32; 3],
}

/// Why a run cannot be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It is of another run: more hosts or ports than there are.
    #[error("it belongs to a run with other hosts or ports")]
    OtherRun,
    /// Its parts contradict each other.
    #[error("what it says of host number {0} contradicts itself")]
    Contradiction(u64),
}

impl Scanner {
    /// The run as it is now; `None` while reports wait to be polled, as they would be lost. Between
    /// [`Action::Ending`](super::Action::Ending) and the next call of
    /// [`poll_action`](Self::poll_action) it is the run as it was before it was ended.
    pub fn snapshot(&self) -> Option<Snapshot> {
        if !self.actions.is_empty() {
            return None;
        }
        Some(Snapshot {
            next_host: self.next_host,
            late: self.late.all().iter().map(LateHost::from).collect(),
            hosts: self.hosts.iter().map(|(_, host)| host.snapshot()).collect(),
            counts: self.counts,
            attempts: self.attempts,
            none_missed: self.none_missed,
            silent_hosts: self.silent_hosts,
            trials: self.run_trials,
        })
    }

    /// Whether the run is being ended before its time.
    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// A scan that goes on where `snapshot` was taken; `space` and `options` are those of then.
    ///
    /// # Errors
    /// If the snapshot does not fit `space` or itself.
    pub fn resume(
        space: TargetSpace,
        options: Options,
        snapshot: &Snapshot,
        now: Instant,
    ) -> Result<Scanner, SnapshotError> {
        let mut scanner = Scanner::new(space, options, now);
        for late in &snapshot.late {
            scanner.add_host(late.into());
        }
        if snapshot.next_host > scanner.total_hosts() {
            return Err(SnapshotError::OtherRun);
        }
        scanner.next_host = snapshot.next_host;
        scanner.counts = snapshot.counts;
        scanner.attempts = snapshot.attempts;
        scanner.none_missed = snapshot.none_missed;
        scanner.silent_hosts = snapshot.silent_hosts;
        scanner.run_trials = snapshot.trials;
        let mut positions = std::collections::BTreeSet::new();
        for saved in &snapshot.hosts {
            let position = saved.position;
            if position >= snapshot.next_host || !positions.insert(position) {
                return Err(SnapshotError::Contradiction(position));
            }
            if saved.tried > scanner.space.ports() {
                return Err(SnapshotError::OtherRun);
            }
            let mut host = scanner.make_host(position, now);
            host.restore(saved)
                .ok_or(SnapshotError::Contradiction(position))?;
            host.want(&scanner.options, scanner.run_trials);
            host.ledger.restage_all(host.wanted);
            let slot = scanner.hosts.insert(host) as u32;
            scanner.wake(slot);
        }
        Ok(scanner)
    }
}

impl Host {
    fn snapshot(&self) -> HostSnapshot {
        let Kinds { open, closed } = self.trials.kinds();
        HostSnapshot {
            position: self.position,
            tried: self.ledger.tried(),
            ports: self.ledger.marks(),
            counts: self.counts,
            answering: self.canaries.all().collect(),
            rtt: self.rtt.parts(),
            trials: [open, closed, self.refusals, self.accepts],
            refusals_limited: self.refusals_limited,
            answered: self.fate.answered,
            unlikely: [
                self.unlikely_open,
                self.unlikely_other,
                self.unlikely_silent,
            ],
        }
    }

    /// Takes over what was saved; `None` if that contradicts itself.
    fn restore(&mut self, saved: &HostSnapshot) -> Option<()> {
        self.ledger = Ledger::restore(self.ledger.len(), saved.tried, &saved.ports)?;
        if saved.counts.total() != u64::from(self.ledger.done()) {
            return None;
        }
        self.counts = saved.counts;
        self.canaries = Canaries::default();
        for &(index, open) in &saved.answering {
            if index >= saved.tried {
                return None;
            }
            self.canaries.add(index, open);
        }
        self.rtt = Rtt::from_parts(saved.rtt);
        let sound = |trials: &Trials| trials.ok >= 0.0 && trials.lost >= 0.0;
        if !saved.trials.iter().all(sound) {
            return None;
        }
        let [open, closed, refusals, accepts] = saved.trials;
        self.trials = HostTrials::from(Kinds { open, closed });
        (self.refusals, self.accepts) = (refusals, accepts);
        self.refusals_limited = saved.refusals_limited;
        self.fate.answered = saved.answered;
        [
            self.unlikely_open,
            self.unlikely_other,
            self.unlikely_silent,
        ] = saved.unlikely;
        Some(())
    }
}

impl From<&Target> for LateHost {
    fn from(target: &Target) -> LateHost {
        LateHost {
            addr: target.addr,
            scope_id: target.scope_id,
            name: target.name.as_deref().map(str::to_owned),
        }
    }
}

impl From<&LateHost> for Target {
    fn from(late: &LateHost) -> Target {
        Target {
            addr: late.addr,
            scope_id: late.scope_id,
            name: late.name.as_deref().map(Into::into),
        }
    }
}

/// Bytes as text, a third longer than they are.
mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}
