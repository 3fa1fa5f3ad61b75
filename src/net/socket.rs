//! One connecting socket: opening it, starting an attempt, and looking at what became of it.
//!
//! There are two ways to look. Where a refused socket may be connected again (Linux), connect() is
//! called a second time: it returns the attempt's error once and resets the socket, so that a
//! refused port costs two calls. Elsewhere SO_ERROR and getpeername() tell, as connect(2) has it.
//! Which bits an event has is not asked: an ICMP message that arrives while connect() holds the
//! socket gives an error bit alone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use super::outcome::{self, Errno, Icmp};
use super::sys::{self, SYSTEM};
use crate::engine::{Outcome, Reason};

/// Addresses remembered as this machine's own or not.
const KNOWN_ADDRESSES: usize = 64;

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Under way.
    Pending,
    /// The system gave up without an answer; nothing more will come.
    Silent,
    /// The handshake completed.
    Connected {
        local: Option<SocketAddr>,
        peer: SocketAddr,
    },
    /// It ended otherwise.
    Over {
        outcome: Outcome,
        /// The socket is as good as new, except that it is registered.
        reusable: bool,
    },
}

/// Looks at sockets.
#[derive(Debug)]
pub(super) struct Inspector {
    /// Look with a second connect(), see the module.
    reuse: bool,
    queue: sys::ErrorQueue,
    own: OwnAddresses,
}

/// A new socket for `domain`: non-blocking, not inherited, reset on close so that no TIME_WAIT
/// keeps a port.
pub(super) fn open(domain: Domain) -> io::Result<TcpStream> {
    let socket = sys::open(domain)?;
    // A failure costs a port for a minute, no verdict.
    let _ = socket.set_linger(Some(Duration::ZERO));
    Ok(TcpStream::from_std(socket.into()))
}

impl Inspector {
    pub(super) fn new(reuse: bool) -> Inspector {
        Inspector {
            reuse,
            queue: sys::ErrorQueue::new(),
            own: OwnAddresses::default(),
        }
    }

    /// Starts an attempt on a socket that has none.
    pub(super) fn start(&mut self, stream: &TcpStream, addr: SocketAddr) -> Step {
        let error = match sys::connect(stream, addr) {
            Ok(()) => return connected(stream, addr),
            Err(error) => sys::errno(&error),
        };
        if error == Errno::IsConnected {
            return connected(stream, addr);
        }
        match outcome::of_connect(SYSTEM, error, addr) {
            None => Step::Pending,
            // Linux has one error for "no source port left" and for "no source address".
            Some(Outcome::Fault(_)) if error == Errno::AddrNotAvailable && lacks_source(addr) => {
                Step::Over {
                    outcome: Outcome::Unsendable(Reason::NoRoute),
                    reusable: self.reuse,
                }
            }
            Some(outcome) => {
                let local = !matches!(outcome, Outcome::Answered { .. });
                Step::Over {
                    outcome,
                    reusable: self.reuse && local,
                }
            }
        }
    }

    /// Looks at an attempt under way, on any event of its socket. `writable`: the event said so.
    pub(super) fn check(&mut self, stream: &TcpStream, addr: SocketAddr, writable: bool) -> Step {
        if self.reuse {
            self.check_by_connect(stream, addr)
        } else {
            self.check_by_error(stream, addr, writable)
        }
    }

    fn check_by_connect(&mut self, stream: &TcpStream, addr: SocketAddr) -> Step {
        let error = match sys::connect(stream, addr) {
            Ok(()) => return connected(stream, addr),
            Err(error) => sys::errno(&error),
        };
        match error {
            Errno::IsConnected => connected(stream, addr),
            // Still SYN_SENT: a spurious event, or an ICMP message that arrived while connect() held
            // the socket. The kernel queues the message before it sets the error.
            Errno::Pending => match stream.take_error() {
                Ok(Some(error)) => self.ended(stream, addr, sys::errno(&error), false),
                Ok(None) => self.rejected(stream, addr),
                Err(error) => unreadable(&error),
            },
            error => self.ended(stream, addr, error, true),
        }
    }

    fn check_by_error(&mut self, stream: &TcpStream, addr: SocketAddr, writable: bool) -> Step {
        match stream.take_error() {
            Ok(None) => {}
            Ok(Some(error)) => return self.ended(stream, addr, sys::errno(&error), false),
            Err(error) => return unreadable(&error),
        }
        match stream.peer_addr() {
            // Windows knows the peer of a connection that is still being made.
            Ok(_) if writable => connected(stream, addr),
            _ => self.rejected(stream, addr),
        }
    }

    /// The attempt ended with `error`. The error queue must be emptied even if it is not needed,
    /// for the next attempt on the socket.
    fn ended(&mut self, stream: &TcpStream, addr: SocketAddr, error: Errno, reset: bool) -> Step {
        let (rejected, empty) = match self.queued(stream, addr) {
            Ok(queued) => queued,
            Err(error) => return unreadable(&error),
        };
        let after_handshake = matches!(error, Errno::ConnectionReset | Errno::BrokenPipe);
        let outcome = match rejected {
            Some(outcome) if !after_handshake => outcome,
            _ => match outcome::of_error(SYSTEM, error) {
                None => return Step::Silent,
                Some(outcome) => outcome,
            },
        };
        // An error that no network causes may have come before the kernel looked at the socket: then
        // this attempt's answer is still in it.
        let local = matches!(outcome, Outcome::Fault(_));
        Step::Over {
            outcome,
            reusable: reset && self.reuse && empty && !after_handshake && !local,
        }
    }

    /// What the error queue says of an attempt that has no error; that may come yet.
    fn rejected(&mut self, stream: &TcpStream, addr: SocketAddr) -> Step {
        match self.queued(stream, addr) {
            Ok((Some(outcome), _)) => Step::Over {
                outcome,
                reusable: false,
            },
            Ok((None, _)) => Step::Pending,
            Err(error) => unreadable(&error),
        }
    }

    /// What the error queue says, and whether it is empty now.
    fn queued(
        &mut self,
        stream: &TcpStream,
        addr: SocketAddr,
    ) -> io::Result<(Option<Outcome>, bool)> {
        let queued = self.queue.take(stream)?;
        let outcome = match queued.first {
            Some(icmp) => outcome::of_icmp(&icmp, self.is_about_another(&icmp, addr.ip())?),
            None => None,
        };
        Ok((outcome, queued.empty))
    }

    /// Whether this machine sent the message about another one.
    fn is_about_another(&mut self, icmp: &Icmp, target: IpAddr) -> io::Result<bool> {
        let target = target.to_canonical();
        match icmp.from {
            Some(from) if from != target => {
                Ok(self.own.contains(from, icmp.scope_id)? && !self.own.contains(target, 0)?)
            }
            _ => Ok(false),
        }
    }
}

/// This machine could not say what became of the attempt: it is made again, on another socket.
fn unreadable(error: &io::Error) -> Step {
    Step::Over {
        outcome: Outcome::Fault(outcome::local_fault(sys::errno(error))),
        reusable: false,
    }
}

fn connected(stream: &TcpStream, addr: SocketAddr) -> Step {
    Step::Connected {
        local: stream.local_addr().ok(),
        // A peer that reset the connection since is not named any more.
        peer: stream.peer_addr().unwrap_or(addr),
    }
}

/// Whether it is known that this machine has no address to send from to `addr`. Sends nothing.
fn lacks_source(addr: SocketAddr) -> bool {
    matches!(source(addr), Ok(None))
}

/// The address that this machine would send from to `addr`; `None`: it cannot send there. A UDP
/// socket is given that address by connect(), which sends nothing. An error is a shortage, which
/// tells neither.
fn source(addr: SocketAddr) -> io::Result<Option<IpAddr>> {
    let socket = match Socket::new(Domain::for_address(addr), Type::DGRAM, None) {
        Ok(socket) => socket,
        Err(error) if is_final(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    match socket.connect(&addr.into()) {
        Ok(()) => Ok(socket.local_addr()?.as_socket().map(|own| own.ip())),
        Err(error) if is_final(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the system says that it never sends there, rather than that something ran out. Here
/// "address not available" means the source address: a UDP socket without a free port is told
/// "again".
fn is_final(error: &io::Error) -> bool {
    !matches!(
        sys::errno(error),
        Errno::AddrInUse
            | Errno::Again
            | Errno::NoBuffers
            | Errno::NoMemory
            | Errno::Pending
            | Errno::ProcessFiles
            | Errno::SystemFiles
    )
}

/// Tells this machine's addresses from others; remembers the last ones asked for.
#[derive(Debug, Default)]
struct OwnAddresses {
    known: Vec<(IpAddr, bool)>,
    next: usize,
}

impl OwnAddresses {
    fn contains(&mut self, ip: IpAddr, scope_id: u32) -> io::Result<bool> {
        if let Some((_, own)) = self.known.iter().find(|(known, _)| *known == ip) {
            return Ok(*own);
        }
        // Only to itself does a machine send from the very address. Binding to it would be fooled
        // by ip_nonlocal_bind. The port does not matter (9, discard).
        let mut addr = SocketAddr::new(ip, 9);
        if let SocketAddr::V6(v6) = &mut addr {
            v6.set_scope_id(scope_id);
        }
        let own = ip.is_loopback() || source(addr)? == Some(ip);
        if self.known.len() < KNOWN_ADDRESSES {
            self.known.push((ip, own));
        } else {
            self.known[self.next % KNOWN_ADDRESSES] = (ip, own);
            self.next += 1;
        }
        Ok(own)
    }
}
