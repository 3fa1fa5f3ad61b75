//! What all but Linux share.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

/// A new non-blocking socket.
pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
