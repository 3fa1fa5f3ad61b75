use super::*;
use crate::engine::{LocalFault, Outcome, Reason};
use crate::net::outcome::{of_connect, of_error, of_socket};

/// A system's way from an error's number to its name.
type Table = fn(i32) -> Errno;

const TABLES: [(System, Table); 5] = [
    (System::Linux, linux),
    (System::Linux, linux_on_mips),
    (System::Apple, apple),
    (System::Bsd, bsd),
    (System::Windows, windows),
];

fn answer(reason: Reason) -> Option<Outcome> {
    Some(Outcome::Answered { reason, from: None })
}

/// What an attempt under way ends with, by the number that SO_ERROR gives on each system, in the
/// order of [`TABLES`].
#[test]
fn answers_by_the_numbers_of_each_system() {
    for (numbers, reason) in [
        ([111, 146, 61, 61, 10061], Reason::ConnRefused),
        ([104, 131, 54, 54, 10054], Reason::SynAckReset),
        ([113, 148, 65, 65, 10065], Reason::HostUnreach),
        ([112, 147, 64, 64, 10064], Reason::HostUnreach),
        ([101, 128, 51, 51, 10051], Reason::NetUnreach),
        ([92, 99, 42, 42, 10042], Reason::ProtoUnreach),
        ([95, 122, 102, 45, 10045], Reason::IcmpError),
        ([90, 97, 40, 40, 10040], Reason::IcmpError),
    ] {
        for ((system, table), number) in TABLES.into_iter().zip(numbers) {
            let outcome = of_error(system, table(number));
            assert_eq!(outcome, answer(reason), "{system:?} {number}");
        }
    }
    for ((system, table), number) in TABLES.into_iter().zip([110, 145, 60, 60, 10060]) {
        assert_eq!(of_error(system, table(number)), None, "{system:?} {number}");
    }
}

/// What runs out on this machine is no verdict, whichever call tells of it.
#[test]
fn shortages_by_the_numbers_of_each_system() {
    for (numbers, fault) in [
        ([24, 24, 24, 24, 10024], LocalFault::ProcessDescriptors),
        ([105, 132, 55, 55, 10055], LocalFault::Memory),
        ([12, 12, 12, 12, 8], LocalFault::Memory),
        ([98, 125, 48, 48, 10048], LocalFault::Ports),
        ([11, 11, 35, 35, 9999], LocalFault::Busy),
    ] {
        for ((system, table), number) in TABLES.into_iter().zip(numbers) {
            let fault = Outcome::Fault(fault);
            let errno = table(number);
            let to = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
            assert_eq!(of_socket(errno), fault, "{system:?} {number}");
            assert_eq!(
                of_connect(system, errno, to),
                Some(fault),
                "{system:?} {number}"
            );
            assert_eq!(of_error(system, errno), Some(fault), "{system:?} {number}");
        }
    }
    let ports = Some(Outcome::Fault(LocalFault::Ports));
    let to = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
    // All 16,384 ports of macOS are in use.
    assert_eq!(of_connect(System::Apple, apple(49), to), ports);
    assert_eq!(of_connect(System::Linux, linux(99), to), ports);
}

/// What connect() says of an attempt that is under way.
#[test]
fn under_way_by_the_numbers_of_each_system() {
    let to = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
    for numbers in [
        [115, 150, 36, 36, 10035],
        [114, 149, 37, 37, 10037],
        [4, 4, 4, 4, 10036],
    ] {
        for ((system, table), number) in TABLES.into_iter().zip(numbers) {
            let outcome = of_connect(system, table(number), to);
            assert_eq!(outcome, None, "{system:?} {number}");
        }
    }
    let connected = TABLES.into_iter().zip([106, 133, 56, 56, 10056]);
    for ((system, table), number) in connected {
        assert_eq!(table(number), Errno::IsConnected, "{system:?} {number}");
    }
}

/// The table of the system that this runs on is that of its headers.
#[cfg(unix)]
#[test]
fn the_table_of_this_system_is_that_of_its_headers() {
    use nix::errno::Errno as Raw;
    let here = |raw: Raw| named(crate::net::sys::SYSTEM, raw as i32);
    for (raw, name) in [
        (Raw::EACCES, Errno::AccessDenied),
        (Raw::EADDRINUSE, Errno::AddrInUse),
        (Raw::EADDRNOTAVAIL, Errno::AddrNotAvailable),
        (Raw::EINPROGRESS, Errno::Pending),
        (Raw::EALREADY, Errno::Pending),
        (Raw::EINTR, Errno::Pending),
        (Raw::EAGAIN, Errno::Again),
        (Raw::EPIPE, Errno::BrokenPipe),
        (Raw::ECONNREFUSED, Errno::ConnectionRefused),
        (Raw::ECONNRESET, Errno::ConnectionReset),
        (Raw::EAFNOSUPPORT, Errno::FamilyUnsupported),
        (Raw::EPROTONOSUPPORT, Errno::FamilyUnsupported),
        (Raw::EPFNOSUPPORT, Errno::FamilyUnsupported),
        (Raw::EHOSTDOWN, Errno::HostDown),
        (Raw::EHOSTUNREACH, Errno::HostUnreachable),
        (Raw::EINVAL, Errno::Invalid),
        (Raw::EISCONN, Errno::IsConnected),
        (Raw::EMSGSIZE, Errno::MessageSize),
        (Raw::ENETDOWN, Errno::NetworkDown),
        (Raw::ENETUNREACH, Errno::NetworkUnreachable),
        (Raw::ENOBUFS, Errno::NoBuffers),
        (Raw::ENOMEM, Errno::NoMemory),
        (Raw::ENOPROTOOPT, Errno::NoProtocolOption),
        (Raw::ENOSPC, Errno::NoSpace),
        (Raw::EPERM, Errno::NotPermitted),
        (Raw::EOPNOTSUPP, Errno::NotSupported),
        (Raw::EMFILE, Errno::ProcessFiles),
        (Raw::ENFILE, Errno::SystemFiles),
        (Raw::ETIMEDOUT, Errno::TimedOut),
        (Raw::ENOTCONN, Errno::Other),
        (Raw::EBADF, Errno::Other),
    ] {
        assert_eq!(here(raw), name, "{raw}");
    }
}
