//! What all but Linux share.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A new non-blocking socket.
pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// connect().
pub(in crate::net) fn connect(stream: &TcpStream, addr: SocketAddr) -> io::Result<()> {
    SockRef::from(stream).connect(&addr.into())
}
