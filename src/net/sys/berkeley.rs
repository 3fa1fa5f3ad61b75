//! What macOS and the BSDs share: sockets that keep no ICMP messages.

use std::io;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::Queued;

/// A new non-blocking socket.
pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// There is none.
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
