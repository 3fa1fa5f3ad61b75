//! What macOS and the BSDs share: sockets that keep no ICMP messages.

use std::io;

use mio::net::TcpStream;

use super::Queued;

pub(in crate::net) use super::plain::{connect, open};

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
