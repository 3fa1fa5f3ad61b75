//! What is said of a probe: states, reasons and counts.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The state of a port, or the fact that it has none because it was not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The handshake completed.
    Open,
    /// The host refused the connection with a RST.
    Closed,
    /// Rejected by something on the path, or no answer within the timeout on any attempt.
    Filtered,
    /// No verdict: this machine, or its user, kept the probe from being made.
    Unscanned,
}

impl State {
    /// All states, in the order in which outputs list them.
    pub const ALL: [State; 4] = [
        State::Open,
        State::Closed,
        State::Filtered,
        State::Unscanned,
    ];

    /// The lower-case name used by every output format.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Closed => "closed",
            State::Filtered => "filtered",
            State::Unscanned => "unscanned",
        }
    }
}

/// Why a port has its state. Each reason belongs to exactly one [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// Open: the handshake completed.
    SynAck,
    /// Open: the handshake completed and the peer reset the connection at once.
    SynAckReset,
    /// Closed: a RST answered the SYN.
    ConnRefused,
    /// Filtered: ICMP port unreachable (a firewall's REJECT).
    PortUnreach,
    /// Filtered: ICMP communication administratively prohibited.
    AdminProhibited,
    /// Filtered: ICMP host unreachable, or the neighbour did not answer ARP or ND.
    HostUnreach,
    /// Filtered: ICMP network unreachable.
    NetUnreach,
    /// Filtered: ICMP protocol unreachable.
    ProtoUnreach,
    /// Filtered: ICMP time exceeded, a routing loop or a path too long.
    TimeExceeded,
    /// Filtered: another ICMP error ended the connection attempt.
    IcmpError,
    /// Filtered: no attempt was answered within the timeout.
    NoResponse,
    /// Unscanned: the run was ended before this port had a verdict.
    Interrupted,
    /// Unscanned: the host had an open port already, and no more was asked for
    /// ([`Options::stop_at_first_open`](super::Options::stop_at_first_open)).
    FirstOpen,
    /// Unscanned: this machine had no descriptor, port or memory for it, however often it was tried.
    OutOfSockets,
    /// Unscanned: ports known to answer did not either whenever this one was tried, or for longer
    /// than the scan waits: its silence means nothing.
    PathLost,
    /// Unscanned: this machine has no route to the host, or its interface is down.
    NoRoute,
    /// Unscanned: this machine's own policy (firewall, sandbox, prohibit route) forbade the connection.
    LocalPolicy,
    /// Unscanned: the system does not accept the address as one to connect to.
    BadAddress,
}

impl Reason {
    /// The state that this reason stands for.
    pub fn state(self) -> State {
        use Reason::*;
        match self {
            SynAck | SynAckReset => State::Open,
            ConnRefused => State::Closed,
            PortUnreach | AdminProhibited | HostUnreach | NetUnreach | ProtoUnreach
            | TimeExceeded | IcmpError | NoResponse => State::Filtered,
            Interrupted | FirstOpen | OutOfSockets | PathLost | NoRoute | LocalPolicy
            | BadAddress => State::Unscanned,
        }
    }

    /// The name used by every output format: nmap's where nmap has one.
    pub fn as_str(self) -> &'static str {
        use Reason::*;
        match self {
            SynAck => "syn-ack",
            SynAckReset => "syn-ack-reset",
            ConnRefused => "conn-refused",
            PortUnreach => "port-unreach",
            AdminProhibited => "admin-prohibited",
            HostUnreach => "host-unreach",
            NetUnreach => "net-unreach",
            ProtoUnreach => "proto-unreach",
            TimeExceeded => "time-exceeded",
            IcmpError => "icmp-error",
            NoResponse => "no-response",
            Interrupted => "interrupted",
            FirstOpen => "first-open",
            OutOfSockets => "out-of-sockets",
            PathLost => "path-lost",
            NoRoute => "no-route",
            LocalPolicy => "local-policy",
            BadAddress => "bad-address",
        }
    }
}

/// The final word on one planned probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why; the state follows from it.
    pub reason: Reason,
    /// How many attempts were made; 0 if none was needed or possible.
    pub attempts: u8,
    /// Round-trip time of the attempt that was answered.
    pub rtt: Option<Duration>,
    /// The address that sent an ICMP rejection, where the system tells it.
    pub from: Option<IpAddr>,
}

impl Verdict {
    /// The state that the reason stands for.
    pub fn state(&self) -> State {
        self.reason.state()
    }
}

/// How many probes ended in each state. Their sum is what was planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Probes that ended open.
    pub open: u64,
    /// Probes that ended closed.
    pub closed: u64,
    /// Probes that ended filtered.
    pub filtered: u64,
    /// Probes without a verdict on the port.
    pub unscanned: u64,
    /// Of these, those that nobody wanted any more, as their host had an open port
    /// ([`Reason::FirstOpen`]).
    #[serde(default)]
    pub left_out: u64,
}

impl Counts {
    /// Counts `n` more probes that ended for `reason`.
    pub fn add_reason(&mut self, reason: Reason, n: u64) {
        self.add(reason.state(), n);
        if reason == Reason::FirstOpen {
            self.left_out += n;
        }
    }

    /// Whether every probe that was wanted has its verdict.
    pub fn is_complete(&self) -> bool {
        self.unscanned == self.left_out
    }

    /// Counts `n` more probes in `state`.
    pub fn add(&mut self, state: State, n: u64) {
        match state {
            State::Open => self.open += n,
            State::Closed => self.closed += n,
            State::Filtered => self.filtered += n,
            State::Unscanned => self.unscanned += n,
        }
    }

    /// Probes in `state`.
    pub fn get(&self, state: State) -> u64 {
        match state {
            State::Open => self.open,
            State::Closed => self.closed,
            State::Filtered => self.filtered,
            State::Unscanned => self.unscanned,
        }
    }

    /// All probes counted.
    pub fn total(&self) -> u64 {
        self.open + self.closed + self.filtered + self.unscanned
    }
}
