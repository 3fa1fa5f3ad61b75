//! What the engine tells its user while it runs.

use std::time::{Duration, Instant};

use super::verdict::{Counts, Reason, Verdict};
use crate::target::{PortSet, Target};

/// One thing to tell. Ports come as they are found, a host after the last of its ports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {
    /// A port has its verdict. Every planned probe of a host that was begun is reported exactly
    /// once, here or in a [`BulkReport`]; hosts that were never begun are only counted.
    Port(PortReport),
    /// Many ports of one host have the same verdict at once.
    Bulk(BulkReport),
    /// A host is complete.
    Host(HostReport),
    /// Something the engine decided or met that a user may want to know.
    Note(Note),
}

/// The verdict on one port of one host.
#[derive(Clone, Debug)]
pub struct PortReport {
    /// The host.
    pub target: Target,
    /// The TCP port.
    pub port: u16,
    /// The verdict.
    pub verdict: Verdict,
}

/// One verdict on all ports of a host that had none when it was given up or the run was ended.
#[derive(Clone, Debug)]
pub struct BulkReport {
    /// The host.
    pub target: Target,
    /// The verdict on each of the ports.
    pub verdict: Verdict,
    /// The ports, ascending.
    pub ports: PortSet,
}

/// A complete host: every planned port of it is counted.
#[derive(Clone, Debug)]
pub struct HostReport {
    /// The host.
    pub target: Target,
    /// Ports in each state; their sum is the number of planned ports.
    pub counts: Counts,
    /// When the first probe was sent, or would have been.
    pub started: Instant,
    /// When the last verdict was reached.
    pub finished: Instant,
    /// What is known about how far the counts can be trusted.
    pub trust: Trust,
}

/// How far silence can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trust {
    /// Estimated chance that at least one open port was missed: 0 if every port answered, `None`
    /// if it cannot be known because nothing ever answered.
    pub miss: Option<f64>,
    /// Estimated share of probes lost on the path.
    pub loss: Option<f64>,
    /// The host limits its refusals: some ports counted filtered may be closed. None of them is open.
    pub refusals_limited: bool,
    /// Every one of this many unlikely ports was open: something before the host, or the host
    /// itself, accepts everything. 0 if that is not so.
    pub accepts_all: u16,
}

/// Progress of a run at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Probes planned.
    pub planned: u64,
    /// Probes that have their verdict.
    pub counts: Counts,
    /// Probes that were silent as often as asked for; their verdict comes with their host's end.
    pub silent: u64,
    /// Sockets in use.
    pub sockets: usize,
    /// Connection attempts started, retries and canaries included.
    pub attempts: u64,
}

/// What the engine decided or met. `Display` is one line without a line break.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A resource of this machine ran out; the scan goes on within what there is.
    LocalFault {
        /// What ran out.
        fault: LocalFault,
        /// Sockets the scan goes on with.
        sockets: usize,
    },
    /// A host was given up before all its ports were probed.
    HostGivenUp {
        /// The host.
        target: Target,
        /// Why its remaining ports have the verdict they have.
        reason: Reason,
    },
    /// The path or the host passes only so many probes a second.
    LimitFound {
        /// The host, or `None` for a limit common to the run.
        target: Option<Target>,
        /// Probes a second from now on.
        rate: f64,
        /// Loss that led to it, 0 to 1.
        loss: f64,
    },
    /// Nothing answers any more: sending stops until something does.
    PathLost {
        /// The host, or `None` for the whole run.
        target: Option<Target>,
    },
    /// The path answers again.
    PathFound {
        /// The host, or `None` for the whole run.
        target: Option<Target>,
        /// How long it was silent.
        after: Duration,
    },
    /// This machine has no route any more where it had one: sending stops until it has.
    NetworkGone {
        /// The first host that could not be sent to.
        target: Target,
    },
    /// This machine can send again.
    NetworkBack {
        /// The host that shows it.
        target: Target,
        /// How long it could not.
        after: Duration,
    },
    /// Nobody looked at the answers for a while: the process was stopped, or the machine slept.
    Gap {
        /// How long.
        length: Duration,
    },
    /// Refusals dry up while open ports answer: the host limits them.
    RefusalsLimited {
        /// The host.
        target: Target,
    },
    /// Every unlikely port of the host is open.
    AcceptsAll {
        /// The host.
        target: Target,
        /// Ports that showed it.
        ports: u16,
    },
    /// How far a host has come: window, rate, loss and attempts as they stand.
    HostState {
        /// The host.
        target: Target,
        /// Probes that may be in the window at once.
        window: usize,
        /// Smoothed round-trip time.
        srtt: Option<Duration>,
        /// Estimated loss.
        loss: Option<f64>,
        /// Attempts made for a silent port.
        attempts: u8,
    },
}

/// A resource of this machine that ran out or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalFault {
    /// No descriptor left for the process (EMFILE).
    ProcessDescriptors,
    /// No descriptor left on the system (ENFILE).
    SystemDescriptors,
    /// No ephemeral port left (EADDRNOTAVAIL, EADDRINUSE).
    Ports,
    /// No memory for a socket (ENOBUFS, ENOMEM).
    Memory,
    /// Any other temporary failure of the system (EAGAIN).
    Busy,
}

impl std::fmt::Display for LocalFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LocalFault::ProcessDescriptors => "out of file descriptors (raise `ulimit -n`)",
            LocalFault::SystemDescriptors => "the system is out of file descriptors (fs.file-max)",
            LocalFault::Ports => {
                "out of ephemeral ports (net.ipv4.ip_local_port_range, or lower --max-sockets)"
            }
            LocalFault::Memory => "out of memory for sockets (lower --max-sockets)",
            LocalFault::Busy => "the system is busy",
        })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Note::LocalFault { fault, sockets } => {
                let s = if *sockets == 1 { "" } else { "s" };
                write!(f, "{fault}; going on with {sockets} socket{s}")
            }
            Note::HostGivenUp { target, reason } => {
                write!(
                    f,
                    "{target}: remaining ports are {}: {}",
                    reason.state().as_str(),
                    reason.as_str()
                )
            }
            Note::LimitFound { target, rate, loss } => write!(
                f,
                "{}: limit found, {:.0}% lost; going on with {rate:.0} probes a second",
                Whose(target),
                loss * 100.0
            ),
            Note::PathLost { target } => {
                write!(
                    f,
                    "{}: canary lost and nothing answers, waiting",
                    Whose(target)
                )
            }
            Note::PathFound { target, after } => write!(
                f,
                "{}: canary answers again after {:.2} s, silences since are tried again",
                Whose(target),
                after.as_secs_f64()
            ),
            Note::NetworkGone { target } => {
                write!(f, "{target}: no route any more, waiting for the network")
            }
            Note::NetworkBack { target, after } => write!(
                f,
                "{target}: can be sent to again after {:.2} s, silences since are tried again",
                after.as_secs_f64()
            ),
            Note::Gap { length } => write!(
                f,
                "stopped or asleep for {:.1} s; what was silent meanwhile is tried again",
                length.as_secs_f64()
            ),
            Note::RefusalsLimited { target } => write!(
                f,
                "{target}: refusals are limited while open ports answer; silent ports are not open, but closed and filtered look alike"
            ),
            Note::AcceptsAll { target, ports } => {
                write!(
                    f,
                    "{target}: suspect: accepts-all, {ports} of {ports} unlikely ports are open"
                )
            }
            Note::HostState {
                target,
                window,
                srtt,
                loss,
                attempts,
            } => host_state(f, (target, *window, *srtt, *loss, *attempts)),
        }
    }
}

/// A host, or the run.
struct Whose<'a>(&'a Option<Target>);

impl std::fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(target) => write!(f, "{target}"),
            None => f.write_str("all hosts"),
        }
    }
}

/// The fields of [`Note::HostState`].
type HostState<'a> = (&'a Target, usize, Option<Duration>, Option<f64>, u8);

fn host_state(
    f: &mut std::fmt::Formatter<'_>,
    (target, window, srtt, loss, attempts): HostState<'_>,
) -> std::fmt::Result {
    write!(f, "{target}: window {window}")?;
    if let Some(srtt) = srtt {
        write!(f, ", srtt {:.2} ms", srtt.as_secs_f64() * 1e3)?;
    }
    if let Some(loss) = loss {
        write!(f, ", loss {:.1}%", loss * 100.0)?;
    }
    write!(f, ", {attempts} attempts for a silent port")
}
