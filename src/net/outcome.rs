//! What an errno and an ICMP message say of a connection attempt. Pure: every system's table can be
//! tested on any system.
//!
//! An error means different things at different moments: from connect() itself it is this machine
//! speaking (no route, no port left), later it is the network. A failure of this machine never
//! becomes a verdict on the port; what is not understood is put back as a fault.
//!
//! Sources: Linux `icmp_err_convert` (net/ipv4/icmp.c), `tab_unreach` (net/ipv6/icmp.c),
//! connect(2), tcp(7), ip(7) IP_RECVERR; RFC 792, RFC 1812 5.2.7, RFC 4443; xnu `inetctlerrmap`.

use std::net::{IpAddr, SocketAddr};

use crate::engine::{LocalFault, Outcome, Reason};

/// Systems whose connect() differs in what its errors mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    Apple,
    /// FreeBSD and its relatives.
    Bsd,
    Windows,
}

/// An error number by its name, so that the tables do not depend on the system they run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    AccessDenied,
    AddrInUse,
    AddrNotAvailable,
    /// The kernel has nothing to say yet: EINPROGRESS, EALREADY, EINTR, WSAEWOULDBLOCK.
    Pending,
    Again,
    BrokenPipe,
    ConnectionRefused,
    ConnectionReset,
    FamilyUnsupported,
    HostDown,
    HostUnreachable,
    Invalid,
    IsConnected,
    MessageSize,
    NetworkDown,
    NetworkUnreachable,
    NoBuffers,
    NoMemory,
    /// ENONET: "source host isolated" on Linux.
    NoNetwork,
    NoProtocolOption,
    NoSpace,
    NotPermitted,
    NotSupported,
    ProcessFiles,
    Protocol,
    SystemFiles,
    TimedOut,
    Other,
}

/// An ICMP message that the error queue holds for a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Icmp {
    /// ICMPv6 rather than ICMP.
    pub v6: bool,
    /// The message's type.
    pub kind: u8,
    /// The message's code.
    pub code: u8,
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// Scope of a link-local `from`, else 0.
    pub scope_id: u32,
}

/// What making or registering a socket failed with.
pub(super) fn of_socket(errno: Errno) -> Outcome {
    match errno {
        Errno::AccessDenied | Errno::NotPermitted => Outcome::Unsendable(Reason::LocalPolicy),
        // No IPv6 (or no IPv4) on this machine.
        Errno::FamilyUnsupported | Errno::NotSupported | Errno::Protocol => {
            Outcome::Unsendable(Reason::NoRoute)
        }
        other => Outcome::Fault(local_fault(other)),
    }
}

/// What connect() itself returned for a new attempt; `None` if the attempt is under way.
///
/// `EISCONN` is not for this function: the caller looks at the connection.
pub(super) fn of_connect(system: System, errno: Errno, addr: SocketAddr) -> Option<Outcome> {
    let reason = match errno {
        Errno::Pending => return None,
        Errno::ConnectionRefused => return Some(refused_at_once(system, addr)),
        Errno::ConnectionReset | Errno::BrokenPipe => return answered(Reason::SynAckReset),
        // BSD says so when the neighbour did not answer; Linux never does at once.
        Errno::HostDown => return answered(Reason::HostUnreach),
        Errno::AccessDenied | Errno::NotPermitted => Reason::LocalPolicy,
        Errno::NetworkUnreachable | Errno::HostUnreachable if is_group(addr.ip()) => {
            Reason::BadAddress
        }
        // Also a local `unreachable` route.
        Errno::NetworkUnreachable
        | Errno::HostUnreachable
        | Errno::NetworkDown
        | Errno::NoNetwork
        | Errno::FamilyUnsupported => Reason::NoRoute,
        // Linux: a `blackhole` route, or a link-local address that names no interface.
        Errno::Invalid if system == System::Linux && !lacks_scope(addr) => Reason::LocalPolicy,
        Errno::Invalid => Reason::BadAddress,
        // There these say that no connection can be made to port 0 or to such an address.
        Errno::AddrNotAvailable if system == System::Windows => Reason::BadAddress,
        Errno::AddrNotAvailable if system != System::Linux && addr.port() == 0 => {
            Reason::BadAddress
        }
        other => return Some(Outcome::Fault(local_fault(other))),
    };
    Some(Outcome::Unsendable(reason))
}

/// What an attempt under way ended with (SO_ERROR, or what a second connect() returned), where the
/// error queue had nothing to add; `None` if the attempt simply has no answer.
pub(super) fn of_error(system: System, errno: Errno) -> Option<Outcome> {
    let reason = match errno {
        // The system gave up waiting. The scanner's own deadline decides that.
        Errno::TimedOut | Errno::Pending => return None,
        // On Linux that is a RST; elsewhere possibly an ICMP rejection, which nothing tells apart.
        Errno::ConnectionRefused => Reason::ConnRefused,
        // Only an established connection can be reset.
        Errno::ConnectionReset | Errno::BrokenPipe => Reason::SynAckReset,
        Errno::HostUnreachable | Errno::HostDown | Errno::NoNetwork => Reason::HostUnreach,
        Errno::NetworkUnreachable => Reason::NetUnreach,
        Errno::NoProtocolOption => Reason::ProtoUnreach,
        // ICMPv6 "administratively prohibited" on Linux; elsewhere this machine's own firewall.
        Errno::AccessDenied if system == System::Linux => Reason::AdminProhibited,
        Errno::AccessDenied | Errno::NotPermitted => {
            return Some(Outcome::Unsendable(Reason::LocalPolicy));
        }
        Errno::NetworkDown => return Some(Outcome::Unsendable(Reason::NoRoute)),
        Errno::AddrNotAvailable if system == System::Windows => {
            return Some(Outcome::Unsendable(Reason::BadAddress));
        }
        Errno::NotSupported | Errno::Protocol | Errno::MessageSize => Reason::IcmpError,
        other => return Some(Outcome::Fault(local_fault(other))),
    };
    answered(reason)
}

/// What an ICMP message ends an attempt with; `None` if it is not one that ends attempts.
///
/// `own` says that this machine sent the message to itself about another host: its neighbour did
/// not answer, or its own firewall rejects what it sends.
pub(super) fn of_icmp(icmp: &Icmp, own: bool) -> Option<Outcome> {
    let reason = if icmp.v6 {
        icmp_v6_reason(icmp.kind, icmp.code)?
    } else {
        icmp_v4_reason(icmp.kind, icmp.code)?
    };
    Some(match (own, reason) {
        (false, _) | (true, Reason::HostUnreach) => Outcome::Answered {
            reason,
            from: icmp.from,
        },
        (true, Reason::NetUnreach) => Outcome::Unsendable(Reason::NoRoute),
        (true, _) => Outcome::Unsendable(Reason::LocalPolicy),
    })
}

fn answered(reason: Reason) -> Option<Outcome> {
    Some(Outcome::Answered { reason, from: None })
}

/// Linux never reports a RST from connect() itself on a non-blocking socket; ECONNREFUSED there
/// comes from a security module that drops the packet (selinux `NF_DROP_ERR(-ECONNREFUSED)`).
/// Systems that emulate it, and others on their own addresses, may know the answer at once.
fn refused_at_once(system: System, addr: SocketAddr) -> Outcome {
    if system == System::Linux && !addr.ip().to_canonical().is_loopback() {
        Outcome::Unsendable(Reason::LocalPolicy)
    } else {
        Outcome::Answered {
            reason: Reason::ConnRefused,
            from: None,
        }
    }
}

/// What this machine lacks.
pub(super) fn local_fault(errno: Errno) -> LocalFault {
    match errno {
        Errno::ProcessFiles => LocalFault::ProcessDescriptors,
        Errno::SystemFiles => LocalFault::SystemDescriptors,
        Errno::AddrNotAvailable | Errno::AddrInUse => LocalFault::Ports,
        // ENOSPC: epoll's limit of watches (fs.epoll.max_user_watches) is one of memory.
        Errno::NoBuffers | Errno::NoMemory | Errno::NoSpace => LocalFault::Memory,
        _ => LocalFault::Busy,
    }
}

fn icmp_v4_reason(kind: u8, code: u8) -> Option<Reason> {
    Some(match (kind, code) {
        (3, 0 | 6 | 11) => Reason::NetUnreach,
        (3, 1 | 7 | 8 | 12) => Reason::HostUnreach,
        (3, 2) => Reason::ProtoUnreach,
        (3, 3) => Reason::PortUnreach,
        // Path MTU discovery; no SYN is that long.
        (3, 4) => return None,
        (3, 9 | 10 | 13) => Reason::AdminProhibited,
        (11, _) => Reason::TimeExceeded,
        (3 | 12, _) => Reason::IcmpError,
        _ => return None,
    })
}

fn icmp_v6_reason(kind: u8, code: u8) -> Option<Reason> {
    Some(match (kind, code) {
        (1, 0) => Reason::NetUnreach,
        // RFC 4443 3.1: codes 5 and 6 are more informative subsets of code 1.
        (1, 1 | 5 | 6) => Reason::AdminProhibited,
        (1, 2 | 3) => Reason::HostUnreach,
        (1, 4) => Reason::PortUnreach,
        (3, _) => Reason::TimeExceeded,
        (1 | 4, _) => Reason::IcmpError,
        _ => return None,
    })
}

/// Multicast or broadcast: not an address that one connects to.
fn is_group(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

/// Link-local without an interface.
fn lacks_scope(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEMS: [System; 4] = [System::Linux, System::Apple, System::Bsd, System::Windows];

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn answer(reason: Reason) -> Option<Outcome> {
        Some(Outcome::Answered { reason, from: None })
    }

    #[test]
    fn later_errors_are_answers() {
        for system in SYSTEMS {
            for (errno, reason) in [
                (Errno::ConnectionRefused, Reason::ConnRefused),
                (Errno::ConnectionReset, Reason::SynAckReset),
                (Errno::BrokenPipe, Reason::SynAckReset),
                (Errno::HostUnreachable, Reason::HostUnreach),
                (Errno::HostDown, Reason::HostUnreach),
                (Errno::NetworkUnreachable, Reason::NetUnreach),
                (Errno::NoProtocolOption, Reason::ProtoUnreach),
                (Errno::Protocol, Reason::IcmpError),
                (Errno::NotSupported, Reason::IcmpError),
            ] {
                assert_eq!(
                    of_error(system, errno),
                    answer(reason),
                    "{system:?} {errno:?}"
                );
            }
            assert_eq!(of_error(system, Errno::TimedOut), None, "{system:?}");
        }
        assert_eq!(
            of_error(System::Linux, Errno::AccessDenied),
            answer(Reason::AdminProhibited)
        );
        for system in [System::Apple, System::Bsd, System::Windows] {
            assert_eq!(
                of_error(system, Errno::AccessDenied),
                Some(Outcome::Unsendable(Reason::LocalPolicy))
            );
        }
    }

    #[test]
    fn shortages_of_this_machine_are_never_verdicts() {
        for system in SYSTEMS {
            for (errno, fault) in [
                (Errno::ProcessFiles, LocalFault::ProcessDescriptors),
                (Errno::SystemFiles, LocalFault::SystemDescriptors),
                (Errno::NoBuffers, LocalFault::Memory),
                (Errno::NoMemory, LocalFault::Memory),
                (Errno::NoSpace, LocalFault::Memory),
                (Errno::AddrInUse, LocalFault::Ports),
                (Errno::Again, LocalFault::Busy),
                (Errno::Other, LocalFault::Busy),
            ] {
                let fault = Some(Outcome::Fault(fault));
                let to = addr("192.0.2.1:80");
                assert_eq!(of_connect(system, errno, to), fault, "{system:?} {errno:?}");
                assert_eq!(of_error(system, errno), fault, "{system:?} {errno:?}");
                assert_eq!(Some(of_socket(errno)), fault, "{system:?} {errno:?}");
            }
            let ports = of_connect(system, Errno::AddrNotAvailable, addr("192.0.2.1:80"));
            let expected = match system {
                System::Windows => Outcome::Unsendable(Reason::BadAddress),
                _ => Outcome::Fault(LocalFault::Ports),
            };
            assert_eq!(ports, Some(expected), "{system:?}");
        }
    }

    #[test]
    fn errors_of_connect_itself_are_about_this_machine() {
        let host = "192.0.2.1:80";
        for (errno, to, reason) in [
            (Errno::NetworkUnreachable, host, Reason::NoRoute),
            (Errno::HostUnreachable, host, Reason::NoRoute),
            (Errno::NetworkDown, host, Reason::NoRoute),
            (Errno::AccessDenied, host, Reason::LocalPolicy),
            (Errno::NotPermitted, host, Reason::LocalPolicy),
            (Errno::Invalid, host, Reason::LocalPolicy),
            (Errno::Invalid, "[fe80::1]:80", Reason::BadAddress),
            (Errno::ConnectionRefused, host, Reason::LocalPolicy),
            (
                Errno::NetworkUnreachable,
                "224.0.0.1:80",
                Reason::BadAddress,
            ),
            (
                Errno::NetworkUnreachable,
                "255.255.255.255:80",
                Reason::BadAddress,
            ),
            (
                Errno::NetworkUnreachable,
                "[ff02::1]:80",
                Reason::BadAddress,
            ),
        ] {
            assert_eq!(
                of_connect(System::Linux, errno, addr(to)),
                Some(Outcome::Unsendable(reason)),
                "{errno:?} {to}"
            );
        }
        for system in SYSTEMS {
            assert_eq!(of_connect(system, Errno::Pending, addr(host)), None);
            assert_eq!(
                of_connect(system, Errno::ConnectionRefused, addr("127.0.0.1:80")),
                answer(Reason::ConnRefused)
            );
        }
        assert_eq!(
            of_connect(System::Apple, Errno::AddrNotAvailable, addr("192.0.2.1:0")),
            Some(Outcome::Unsendable(Reason::BadAddress))
        );
    }

    #[test]
    fn icmp_codes_have_their_reasons() {
        let from = Some(IpAddr::from([192, 0, 2, 254]));
        for (v6, kind, code, reason) in [
            (false, 3, 0, Some(Reason::NetUnreach)),
            (false, 3, 1, Some(Reason::HostUnreach)),
            (false, 3, 2, Some(Reason::ProtoUnreach)),
            (false, 3, 3, Some(Reason::PortUnreach)),
            (false, 3, 4, None),
            (false, 3, 5, Some(Reason::IcmpError)),
            (false, 3, 9, Some(Reason::AdminProhibited)),
            (false, 3, 10, Some(Reason::AdminProhibited)),
            (false, 3, 13, Some(Reason::AdminProhibited)),
            (false, 3, 15, Some(Reason::IcmpError)),
            (false, 11, 0, Some(Reason::TimeExceeded)),
            (false, 12, 0, Some(Reason::IcmpError)),
            (false, 0, 0, None),
            (true, 1, 0, Some(Reason::NetUnreach)),
            (true, 1, 1, Some(Reason::AdminProhibited)),
            (true, 1, 3, Some(Reason::HostUnreach)),
            (true, 1, 4, Some(Reason::PortUnreach)),
            (true, 1, 6, Some(Reason::AdminProhibited)),
            (true, 2, 0, None),
            (true, 3, 0, Some(Reason::TimeExceeded)),
            (true, 4, 1, Some(Reason::IcmpError)),
        ] {
            let icmp = Icmp {
                v6,
                kind,
                code,
                from,
                scope_id: 0,
            };
            let expected = reason.map(|reason| Outcome::Answered { reason, from });
            assert_eq!(of_icmp(&icmp, false), expected, "{icmp:?}");
        }
    }

    #[test]
    fn own_icmp_is_the_neighbour_or_local_policy() {
        let from = Some(IpAddr::from([192, 0, 2, 7]));
        let icmp = |code| Icmp {
            v6: false,
            kind: 3,
            code,
            from,
            scope_id: 0,
        };
        assert_eq!(
            of_icmp(&icmp(1), true),
            Some(Outcome::Answered {
                reason: Reason::HostUnreach,
                from
            })
        );
        assert_eq!(
            of_icmp(&icmp(0), true),
            Some(Outcome::Unsendable(Reason::NoRoute))
        );
        for code in [3, 9, 10, 13] {
            assert_eq!(
                of_icmp(&icmp(code), true),
                Some(Outcome::Unsendable(Reason::LocalPolicy))
            );
        }
    }
}
