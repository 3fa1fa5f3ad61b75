//! The numbers that errors have on each system, from the headers named; all of it is compiled and
//! tested on every system.

use crate::net::outcome::{Errno, System};

/// The name of error `number` of `system`.
pub(super) fn named(system: System, number: i32) -> Errno {
    match system {
        System::Linux if MIPS => linux_on_mips(number),
        System::Linux => linux(number),
        System::Apple => apple(number),
        System::Bsd => bsd(number),
        System::Windows => windows(number),
    }
}

/// Linux took MIPS's numbers from IRIX.
const MIPS: bool = cfg!(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
));

/// What all Unix systems have from the seventh edition.
fn old_unix(number: i32) -> Errno {
    match number {
        1 => Errno::NotPermitted,
        4 => Errno::Pending,
        12 => Errno::NoMemory,
        13 => Errno::AccessDenied,
        22 => Errno::Invalid,
        23 => Errno::SystemFiles,
        24 => Errno::ProcessFiles,
        28 => Errno::NoSpace,
        32 => Errno::BrokenPipe,
        _ => Errno::Other,
    }
}

/// include/uapi/asm-generic/errno.h
fn linux(number: i32) -> Errno {
    match number {
        11 => Errno::Again,
        64 => Errno::NoNetwork,
        71 => Errno::Protocol,
        90 => Errno::MessageSize,
        92 => Errno::NoProtocolOption,
        93 | 96 | 97 => Errno::FamilyUnsupported,
        95 => Errno::NotSupported,
        98 => Errno::AddrInUse,
        99 => Errno::AddrNotAvailable,
        100 => Errno::NetworkDown,
        101 => Errno::NetworkUnreachable,
        104 => Errno::ConnectionReset,
        105 => Errno::NoBuffers,
        106 => Errno::IsConnected,
        110 => Errno::TimedOut,
        111 => Errno::ConnectionRefused,
        112 => Errno::HostDown,
        113 => Errno::HostUnreachable,
        114 | 115 => Errno::Pending,
        other => old_unix(other),
    }
}

/// arch/mips/include/uapi/asm/errno.h
fn linux_on_mips(number: i32) -> Errno {
    match number {
        11 => Errno::Again,
        64 => Errno::NoNetwork,
        71 => Errno::Protocol,
        97 => Errno::MessageSize,
        99 => Errno::NoProtocolOption,
        120 | 123 | 124 => Errno::FamilyUnsupported,
        122 => Errno::NotSupported,
        125 => Errno::AddrInUse,
        126 => Errno::AddrNotAvailable,
        127 => Errno::NetworkDown,
        128 => Errno::NetworkUnreachable,
        131 => Errno::ConnectionReset,
        132 => Errno::NoBuffers,
        133 => Errno::IsConnected,
        145 => Errno::TimedOut,
        146 => Errno::ConnectionRefused,
        147 => Errno::HostDown,
        148 => Errno::HostUnreachable,
        149 | 150 => Errno::Pending,
        other => old_unix(other),
    }
}

/// What 4.4BSD has, and so macOS too: sys/errno.h.
fn berkeley(number: i32) -> Errno {
    match number {
        35 => Errno::Again,
        36 | 37 => Errno::Pending,
        40 => Errno::MessageSize,
        42 => Errno::NoProtocolOption,
        43 | 46 | 47 => Errno::FamilyUnsupported,
        45 => Errno::NotSupported,
        48 => Errno::AddrInUse,
        49 => Errno::AddrNotAvailable,
        50 => Errno::NetworkDown,
        51 => Errno::NetworkUnreachable,
        54 => Errno::ConnectionReset,
        55 => Errno::NoBuffers,
        56 => Errno::IsConnected,
        60 => Errno::TimedOut,
        61 => Errno::ConnectionRefused,
        64 => Errno::HostDown,
        65 => Errno::HostUnreachable,
        other => old_unix(other),
    }
}

/// xnu bsd/sys/errno.h
fn apple(number: i32) -> Errno {
    match number {
        100 => Errno::Protocol,
        102 => Errno::NotSupported,
        other => berkeley(other),
    }
}

/// FreeBSD's and DragonFly's sys/errno.h. NetBSD and OpenBSD have another number for EPROTO, which
/// their TCP never gives.
fn bsd(number: i32) -> Errno {
    match number {
        92 => Errno::Protocol,
        other => berkeley(other),
    }
}

/// winerror.h
fn windows(number: i32) -> Errno {
    match number {
        // ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_NO_SYSTEM_RESOURCES
        8 | 14 | 1450 => Errno::NoMemory,
        10004 | 10035 | 10036 | 10037 => Errno::Pending,
        10013 => Errno::AccessDenied,
        10022 => Errno::Invalid,
        10024 => Errno::ProcessFiles,
        10040 => Errno::MessageSize,
        10042 => Errno::NoProtocolOption,
        10043 | 10046 | 10047 => Errno::FamilyUnsupported,
        10045 => Errno::NotSupported,
        10048 => Errno::AddrInUse,
        10049 => Errno::AddrNotAvailable,
        10050 => Errno::NetworkDown,
        10051 => Errno::NetworkUnreachable,
        10054 => Errno::ConnectionReset,
        10055 => Errno::NoBuffers,
        10056 => Errno::IsConnected,
        10060 => Errno::TimedOut,
        10061 => Errno::ConnectionRefused,
        10064 => Errno::HostDown,
        10065 => Errno::HostUnreachable,
        _ => Errno::Other,
    }
}

#[cfg(test)]
mod tests;
