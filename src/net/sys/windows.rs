//! Windows: error numbers of Winsock (winerror.h). It has no error queue, and no limit of sockets
//! to ask for.

use std::io;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::Queued;
use crate::net::outcome::Errno;

/// The error's number by name.
pub(in crate::net) fn errno(error: &io::Error) -> Errno {
    match error.raw_os_error().unwrap_or(0) {
        10004 | 10035 | 10036 | 10037 => Errno::Pending,
        10013 => Errno::AccessDenied,
        10022 => Errno::Invalid,
        10024 => Errno::ProcessFiles,
        10040 => Errno::MessageSize,
        10042 => Errno::NoProtocolOption,
        10045 => Errno::NotSupported,
        10043 | 10046 | 10047 => Errno::FamilyUnsupported,
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

/// There is no limit to raise.
pub(in crate::net) fn raise_descriptor_limit(_wanted: usize) -> usize {
    usize::MAX
}

/// There is none.
pub(in crate::net) fn descriptor_limit() -> usize {
    usize::MAX
}

/// Handles are bounded by memory alone.
pub(in crate::net) fn descriptors_left() -> usize {
    usize::MAX
}
