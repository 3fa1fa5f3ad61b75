//! What Unix systems share: error names and the descriptor limit.

use std::io;

use nix::errno::Errno as Raw;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::net::outcome::Errno;

/// macOS refuses a soft limit above this (OPEN_MAX) even if the hard limit is "unlimited".
const OPEN_MAX: rlim_t = 10_240;

/// The error's number by name.
pub(in crate::net) fn errno(error: &io::Error) -> Errno {
    match Raw::from_raw(error.raw_os_error().unwrap_or(0)) {
        Raw::EACCES => Errno::AccessDenied,
        Raw::EADDRINUSE => Errno::AddrInUse,
        Raw::EADDRNOTAVAIL => Errno::AddrNotAvailable,
        Raw::EINPROGRESS | Raw::EALREADY | Raw::EINTR => Errno::Pending,
        Raw::EAGAIN => Errno::Again,
        Raw::EPIPE => Errno::BrokenPipe,
        Raw::ECONNREFUSED => Errno::ConnectionRefused,
        Raw::ECONNRESET => Errno::ConnectionReset,
        Raw::EAFNOSUPPORT | Raw::EPROTONOSUPPORT | Raw::EPFNOSUPPORT => Errno::FamilyUnsupported,
        Raw::EHOSTDOWN => Errno::HostDown,
        Raw::EHOSTUNREACH => Errno::HostUnreachable,
        Raw::EINVAL => Errno::Invalid,
        Raw::EISCONN => Errno::IsConnected,
        Raw::EMSGSIZE => Errno::MessageSize,
        Raw::ENETDOWN => Errno::NetworkDown,
        Raw::ENETUNREACH => Errno::NetworkUnreachable,
        Raw::ENOBUFS => Errno::NoBuffers,
        Raw::ENOMEM => Errno::NoMemory,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Raw::ENONET => Errno::NoNetwork,
        Raw::ENOPROTOOPT => Errno::NoProtocolOption,
        Raw::ENOSPC => Errno::NoSpace,
        Raw::EPERM => Errno::NotPermitted,
        Raw::EOPNOTSUPP => Errno::NotSupported,
        Raw::EMFILE => Errno::ProcessFiles,
        Raw::EPROTO => Errno::Protocol,
        Raw::ENFILE => Errno::SystemFiles,
        Raw::ETIMEDOUT => Errno::TimedOut,
        _ => Errno::Other,
    }
}

/// See [`crate::net::raise_descriptor_limit`].
pub(in crate::net) fn raise_descriptor_limit(wanted: usize) -> usize {
    // Signed on FreeBSD.
    let wanted = rlim_t::try_from(wanted).unwrap_or(rlim_t::MAX);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return usize::MAX;
    };
    if soft < wanted {
        let most = wanted.min(hard);
        for limit in [most, most.min(OPEN_MAX)] {
            if limit > soft && setrlimit(Resource::RLIMIT_NOFILE, limit, hard).is_ok() {
                break;
            }
        }
    }
    descriptor_limit()
}

/// Descriptors that this process may still open.
pub(in crate::net) fn descriptors_left() -> usize {
    descriptor_limit().saturating_sub(open_descriptors())
}

/// Descriptors that this process may have open.
pub(in crate::net) fn descriptor_limit() -> usize {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) => usize::try_from(soft).unwrap_or(usize::MAX),
        Err(_) => usize::MAX,
    }
}

fn open_descriptors() -> usize {
    // /dev/fd lists three on a FreeBSD without fdescfs; then a shortage shows as EMFILE, which the
    // scanner lives with.
    for list in ["/proc/self/fd", "/dev/fd"] {
        if let Ok(entries) = std::fs::read_dir(list) {
            // The list itself is open while it is read.
            return entries.count().saturating_sub(1);
        }
    }
    3
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in crate::net) use without_queue::{ErrorQueue, open};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod without_queue {
    use std::io;

    use mio::net::TcpStream;
    use socket2::{Domain, Protocol, Socket, Type};

    use crate::net::sys::Queued;

    /// A new non-blocking socket.
    pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// There is none on this system.
    #[derive(Debug)]
    pub(in crate::net) struct ErrorQueue;

    impl ErrorQueue {
        pub(in crate::net) fn new() -> ErrorQueue {
            ErrorQueue
        }

        /// Nothing.
        pub(in crate::net) fn take(&mut self, _stream: &TcpStream) -> io::Result<Queued> {
            Ok(Queued {
                first: None,
                empty: true,
            })
        }
    }
}
