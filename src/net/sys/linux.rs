//! Linux, and Android.
//!
//! The socket's error queue gives an unprivileged socket the type, the code and the sender of the ICMP
//! message that ended its connection attempt (ip(7), IP_RECVERR). Whatever a kernel lacks of this is
//! found out when it is asked for, and done without.

#[path = "linux/resources.rs"]
mod resources;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use mio::net::TcpStream;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Queued, unix};
use crate::net::outcome::Icmp;

pub(in crate::net) use super::unix::descriptor_limit;
pub(in crate::net) use resources::{flow_table, free_memory, source_ports};

/// Linux resets a socket when connect() reports its error (`__inet_stream_connect`).
pub(in crate::net) const REUSE: bool = true;

/// epoll tells of everything that comes.
pub(in crate::net) const REARM: bool = false;

/// Entries read for one socket at most: an attempt has one SYN or a few, and so a few messages.
const ENTRIES_MAX: usize = 16;

/// A new non-blocking socket that has the error queue.
///
/// A kernel that knows no such queue for TCP (before 5.8) is used without: there an ICMP
/// port-unreachable looks like a RST, and everything else is read from the errno. Any other failure
/// is one of this machine, for without the queue an answer would be taken for another one.
pub(in crate::net) fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    let asked = if domain == Domain::IPV6 {
        setsockopt(&socket, sockopt::Ipv6RecvErr, &true)
    } else {
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true)
    };
    match asked {
        Ok(()) => Ok(socket),
        Err(error) if is_unknown(error) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// connect() with an address of its family's size: an attempt takes two of these calls, and one large
/// enough for any family is cleared and copied each time.
pub(in crate::net) fn connect(stream: &TcpStream, addr: SocketAddr) -> io::Result<()> {
    let fd = stream.as_raw_fd();
    match addr {
        SocketAddr::V4(addr) => nix::sys::socket::connect(fd, &SockaddrIn::from(addr)),
        SocketAddr::V6(addr) => nix::sys::socket::connect(fd, &SockaddrIn6::from(addr)),
    }
    .map_err(io::Error::from)
}

/// Whether a kernel, or what plays one, says so that it does not have what it is asked for.
fn is_unknown(error: Errno) -> bool {
    matches!(
        error,
        Errno::EINVAL | Errno::ENOPROTOOPT | Errno::ENOSYS | Errno::EOPNOTSUPP
    )
}

/// See [`crate::net::raise_descriptor_limit`].
pub(in crate::net) fn raise_descriptor_limit(wanted: usize) -> usize {
    unix::raise_descriptor_limit(wanted, usize::MAX)
}

/// Descriptors that this process may still open.
pub(in crate::net) fn descriptors_left() -> usize {
    descriptor_limit().saturating_sub(unix::open_descriptors("/proc/self/fd"))
}

/// Reads error queues; keeps the buffer for it.
#[derive(Debug)]
pub(in crate::net) struct ErrorQueue {
    control: Vec<u8>,
}

impl ErrorQueue {
    pub(in crate::net) fn new() -> ErrorQueue {
        ErrorQueue {
            control: nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6),
        }
    }

    /// Empties the queue of `stream`; an error is one of this machine, and tells nothing of the
    /// queue.
    pub(in crate::net) fn take(&mut self, stream: &TcpStream) -> io::Result<Queued> {
        let mut first = None;
        for _ in 0..ENTRIES_MAX {
            match self.next(stream.as_raw_fd()) {
                Ok(entry) => first = first.or(entry),
                Err(error) if error == Errno::EAGAIN || is_unknown(error) => {
                    return Ok(Queued { first, empty: true });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Queued {
            first,
            empty: false,
        })
    }

    fn next(&mut self, fd: RawFd) -> nix::Result<Option<Icmp>> {
        // The queue's data is the rejected packet, which is not needed. Yet some is asked for: qemu-user
        // does nothing where there is no room for any, and says that it went well.
        let mut data = [0];
        let mut data = [IoSliceMut::new(&mut data)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(fd, &mut data, Some(&mut self.control), flags)?;
        Ok(message.cmsgs()?.find_map(|control| icmp_of(&control)))
    }
}

fn icmp_of(control: &ControlMessageOwned) -> Option<Icmp> {
    let (error, from, scope_id) = match control {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let from = from.filter(|from| i32::from(from.sin_family) == libc::AF_INET);
            let from = from.map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)));
            (error, from.map(IpAddr::V4), 0)
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let from = from.filter(|from| i32::from(from.sin6_family) == libc::AF_INET6);
            let scope_id = from.map_or(0, |from| from.sin6_scope_id);
            let from = from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr));
            (
                error,
                from.map(|from| IpAddr::V6(from).to_canonical()),
                scope_id,
            )
        }
        _ => return None,
    };
    let v6 = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => false,
        libc::SO_EE_ORIGIN_ICMP6 => true,
        _ => return None,
    };
    Some(Icmp {
        v6,
        kind: error.ee_type,
        code: error.ee_code,
        from,
        scope_id,
    })
}
