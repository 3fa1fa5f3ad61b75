//! Windows.
//!
//! Left alone, its TCP sends a refused SYN again twice, half a second apart, before it believes the
//! refusal, and takes no notice of ICMP. `winsock` asks for better, where the system has it: refusals at
//! once since Windows 10 1709, ICMP errors since 2004. Without either a refusal takes two seconds, and
//! an ICMP error is silence.
//!
//! There is no limit of sockets to ask for: handles are bounded by memory alone.

use std::io;

use mio::net::TcpStream;
use socket2::{Domain, Socket};

use super::{Queued, plain, winsock};
use crate::net::budget::{FlowTable, Memory, SourcePorts};

pub(in crate::net) use super::plain::connect;

pub(in crate::net) const REUSE: bool = false;

/// The system tells of a socket once; mio asks again only after a read or a write that would block, or
/// when it is told to.
pub(in crate::net) const REARM: bool = true;

/// A new non-blocking socket.
pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
    let socket = plain::open(domain)?;
    winsock::believe_refusals(&socket);
    winsock::believe_icmp(&socket);
    Ok(socket)
}

/// Reads the one message that the system keeps.
#[derive(Debug)]
pub(in crate::net) struct ErrorQueue;

impl ErrorQueue {
    pub(in crate::net) fn new() -> ErrorQueue {
        ErrorQueue
    }

    /// The message that ended the attempt of `stream`, where the system tells.
    pub(in crate::net) fn take(&mut self, stream: &TcpStream) -> io::Result<Queued> {
        Ok(Queued {
            first: winsock::icmp(stream),
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

/// Without bound.
pub(in crate::net) fn descriptors_left() -> usize {
    usize::MAX
}

/// Not asked for.
pub(in crate::net) fn free_memory() -> Option<Memory> {
    None
}

/// Not asked for.
pub(in crate::net) fn source_ports() -> Option<SourcePorts> {
    None
}

/// There is none that is told.
pub(in crate::net) fn flow_table() -> Option<FlowTable> {
    None
}
