//! One talk and its connection.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockRef};

use super::super::outcome::{self, Errno};
use super::super::socket::{self, Inspector, Step};
use super::super::sockets::canonical;
use super::super::{Services, sys};
use super::Admit;
use crate::engine::{Outcome, Reason};
use crate::service::Service;
use crate::service::talk::{Ended, Options, Talk, Want};
use crate::target::Target;

/// How long a connection may take to be made: three of the kernel's SYNs.
const CONNECT: Duration = Duration::from_millis(3_500);

/// Failures of this machine in a row after which a talk is given up, and the pauses between them:
/// from the first to the longest, each twice the one before. Half a minute together.
const FAULTS: u32 = 18;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// After what time an open port that made no connection is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a talk does before others have their turn: so many buffers read, or written.
const STEPS: usize = 16;

/// Bytes that the kernel may hold of what came, about as many as a talk reads in all.
const RECEIVE: usize = 64 << 10;

const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A talk, its connection, and what it waits for.
#[derive(Debug)]
pub(super) struct Line {
    target: Target,
    port: u16,
    addr: SocketAddr,
    token: Token,
    talk: Talk,
    link: Link,
    /// Failures of this machine since there was a connection.
    faults: u32,
    /// A connection could not be made.
    has_failed: bool,
    pub(super) is_ready: bool,
}

#[derive(Debug)]
enum Link {
    /// A connection is wanted.
    Wanted,
    /// One that was made for a probe waits to be taken over.
    Kept(TcpStream),
    /// It is being made, until then at most.
    Connecting(TcpStream, Instant),
    Made(TcpStream),
}

/// What a line does its work with.
pub(super) struct Net<'a> {
    pub(super) registry: &'a Registry,
    pub(super) inspector: &'a mut Inspector,
    pub(super) buffer: &'a mut [u8],
    pub(super) admit: Admit<'a>,
}

/// How far a line has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits for an event, until then at most.
    Until(Instant),
    /// It has more to read.
    More,
    /// Something of this machine ran out; to be tried again then.
    Fault(Instant),
    /// The talk has ended.
    Over,
}

impl Line {
    pub(super) fn new(
        services: &Services,
        target: Target,
        port: u16,
        rtt: Option<Duration>,
        token: Token,
        now: Instant,
    ) -> Line {
        let addr = canonical(target.socket_addr(port));
        let options = Options {
            target: match &target.name {
                Some(name) => name.clone(),
                None => target.addr.to_string().into(),
            },
            rtt,
            ask_printers: services.ask_printers,
            wall: Timestamp::try_from(SystemTime::now()).unwrap_or_default(),
        };
        let talk = Talk::new(services.rules.clone(), port, &options, now);
        Line {
            target,
            port,
            addr,
            token,
            talk,
            link: Link::Wanted,
            faults: 0,
            has_failed: false,
            is_ready: true,
        }
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The connection that was made for a probe is this talk's. It is taken over in the talk's own
    /// time.
    pub(super) fn take_up(&mut self, stream: TcpStream) {
        self.link = Link::Kept(stream);
    }

    /// Whether a connection could not be made, though the port is open.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// A connection was made, and reset before anybody looked.
    pub(super) fn was_reset(&mut self, now: Instant) {
        self.talk.connected(now);
        self.lost(Ended::Reset, now);
    }

    /// What is known at the end.
    pub(super) fn end(self) -> (Target, u16, Service) {
        (self.target, self.port, self.talk.into_service())
    }

    /// The time has come that it waited for.
    pub(super) fn late(&mut self, now: Instant) {
        match self.link {
            Link::Connecting(_, until) if now >= until => drop(self.not_made(now)),
            Link::Wanted | Link::Kept(_) | Link::Connecting(..) => {}
            Link::Made(_) => self.talk.timeout(now),
        }
    }

    /// Does all that can be done now.
    pub(super) fn go_on(&mut self, net: &mut Net, now: Instant) -> Progress {
        for _ in 0..STEPS {
            let wait = match (self.talk.want(), &mut self.link) {
                (Want::Done, _) => return Progress::Over,
                (Want::Connect, Link::Made(_)) => {
                    // The former connection goes first.
                    self.link = Link::Wanted;
                    None
                }
                (_, Link::Wanted) => self.connect(net, now),
                (_, Link::Kept(_)) => self.keep(net.registry, now),
                (_, Link::Connecting(..)) => self.check(net, now),
                (Want::Send(bytes), Link::Made(stream)) => match stream.write(bytes) {
                    Ok(n) => {
                        self.talk.sent(now, n);
                        None
                    }
                    Err(error) => self.failed(&error, now),
                },
                (Want::Read(most), Link::Made(stream)) => {
                    let most = most.min(net.buffer.len());
                    match stream.read(&mut net.buffer[..most]) {
                        Ok(0) => {
                            self.lost(Ended::Closed, now);
                            None
                        }
                        Ok(n) => {
                            self.talk.received(now, &net.buffer[..n]);
                            None
                        }
                        Err(error) => self.failed(&error, now),
                    }
                }
            };
            if let Some(progress) = wait {
                return progress;
            }
        }
        Progress::More
    }

    /// Takes over the connection that was made for a probe. If it cannot be registered, another one
    /// is made.
    fn keep(&mut self, registry: &Registry, now: Instant) -> Option<Progress> {
        if let Link::Kept(mut stream) = std::mem::replace(&mut self.link, Link::Wanted)
            && registry
                .reregister(&mut stream, self.token, INTEREST)
                .is_ok()
        {
            hold_little(&stream);
            self.talk.connected(now);
            self.link = Link::Made(stream);
        }
        None
    }

    /// Begins to connect, if that may be now.
    fn connect(&mut self, net: &mut Net, now: Instant) -> Option<Progress> {
        if let Err(at) = (net.admit)(&self.target, now) {
            return Some(Progress::Until(at.max(now + Duration::from_millis(1))));
        }
        let mut stream = match socket::open(Domain::for_address(self.addr)) {
            Ok(stream) => stream,
            Err(error) => return self.refused(outcome::of_socket(sys::errno(&error)), now),
        };
        hold_little(&stream);
        // Connected before it is registered: epoll reports an unconnected socket as hung up.
        let step = net.inspector.start(&stream, self.addr);
        if let Step::Over { outcome, .. } = step {
            return self.refused(outcome, now);
        }
        if let Err(error) = net.registry.register(&mut stream, self.token, INTEREST) {
            return self.refused(outcome::of_socket(sys::errno(&error)), now);
        }
        self.link = Link::Connecting(stream, now + CONNECT);
        self.decide(step, now)
    }

    /// Looks at a connection that is being made.
    fn check(&mut self, net: &mut Net, now: Instant) -> Option<Progress> {
        let Link::Connecting(stream, _) = &mut self.link else {
            return None;
        };
        // Whatever event there was, a connection that is made has a peer. Where one that is being made has it
        // too, that is asked of the socket itself.
        let step = match net.inspector.check(stream, self.addr, true) {
            Step::Connected { .. } if sys::PEER_EARLY && !is_made(stream) => Step::Pending,
            step => step,
        };
        if sys::REARM && step == Step::Pending {
            // It was registered; if it is not any more, it is late one day.
            let _ = net.registry.reregister(stream, self.token, INTEREST);
        }
        self.decide(step, now)
    }

    fn decide(&mut self, step: Step, now: Instant) -> Option<Progress> {
        let Link::Connecting(_, until) = self.link else {
            return None;
        };
        match step {
            Step::Pending => Some(Progress::Until(until)),
            Step::Silent => self.not_made(now),
            Step::Over { outcome, .. } => self.refused(outcome, now),
            // This machine's own address, and a source port that is the target: another socket.
            Step::Connected {
                local: Some(local),
                peer,
            } if local == peer => self.refused(Outcome::SelfConnect, now),
            Step::Connected { .. } => {
                if let Link::Connecting(stream, _) = std::mem::replace(&mut self.link, Link::Wanted)
                {
                    self.link = Link::Made(stream);
                    self.faults = 0;
                    self.talk.connected(now);
                }
                None
            }
        }
    }

    /// There is no connection, for the reason that `outcome` tells.
    fn refused(&mut self, outcome: Outcome, now: Instant) -> Option<Progress> {
        self.link = Link::Wanted;
        let again = matches!(outcome, Outcome::Fault(_) | Outcome::SelfConnect);
        if again && self.faults < FAULTS {
            let pause = FIRST_PAUSE * (1 << self.faults.min(10));
            self.faults += 1;
            let at = now + pause.min(LONGEST_PAUSE);
            return Some(match outcome {
                Outcome::Fault(_) => Progress::Fault(at),
                _ => Progress::Until(at),
            });
        }
        let reset = Outcome::Answered {
            reason: Reason::SynAckReset,
            from: None,
        };
        if outcome != reset {
            return self.not_made(now);
        }
        self.was_reset(now);
        None
    }

    /// An open port makes no connection. That may be too many at once for the host: it is tried once
    /// more.
    fn not_made(&mut self, now: Instant) -> Option<Progress> {
        if !std::mem::replace(&mut self.has_failed, true) {
            self.link = Link::Wanted;
            return Some(Progress::Until(now + AGAIN));
        }
        self.lost(Ended::Failed, now);
        None
    }

    /// Reading or writing ended with `error`.
    fn failed(&mut self, error: &io::Error, now: Instant) -> Option<Progress> {
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => {
                // A talk that wants something always has a deadline.
                let until = self.talk.poll_timeout().unwrap_or(now + CONNECT);
                return Some(Progress::Until(until));
            }
            _ => self.lost(
                match sys::errno(error) {
                    Errno::ConnectionReset | Errno::BrokenPipe => Ended::Reset,
                    _ => Ended::Failed,
                },
                now,
            ),
        }
        None
    }

    fn lost(&mut self, how: Ended, now: Instant) {
        self.link = Link::Wanted;
        self.talk.closed(now, how);
    }
}

/// Whether a connection is there to be read from, if it has not failed.
fn is_made(stream: &TcpStream) -> bool {
    let read = stream.peek(&mut [0]);
    !read.is_err_and(|error| error.kind() == io::ErrorKind::NotConnected)
}

/// Keeps the kernel from holding more for the socket than is read of it. That it cannot be set costs
/// memory, and nothing else.
fn hold_little(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_recv_buffer_size(RECEIVE);
}

#[cfg(all(test, feature = "services"))]
mod tests {
    use super::*;
    use crate::service::Rules;
    use mio::Poll;
    use socket2::Socket;

    /// Events that mean nothing come on every system; here they are looked for as often as can be.
    #[test]
    fn a_connection_that_is_being_made_is_not_taken_for_one() {
        // What is full takes no more.
        let socket = Socket::new(Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let local: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&local.into()).expect("a free port");
        socket.listen(0).expect("listening");
        let local = socket.local_addr().expect("bound");
        let addr = local.as_socket().expect("of IPv4");
        let wait = Duration::from_millis(300);
        let mut queued = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&addr, wait) {
            queued.push(stream);
            assert!(queued.len() < 100, "the queue does not fill");
        }

        let poll = Poll::new().expect("an event queue");
        let mut net = Net {
            registry: poll.registry(),
            inspector: &mut Inspector::new(false),
            buffer: &mut [0; 64],
            admit: &mut |_, _| Ok(()),
        };
        let rules = Rules::new(&[]).expect("they are compiled in");
        let services = Services::new(std::sync::Arc::new(rules));
        let (target, port) = (Target::new(addr.ip()), addr.port());
        let now = Instant::now();
        let mut line = Line::new(&services, target, port, None, Token(1), now);
        for _ in 0..5 {
            assert_eq!(line.go_on(&mut net, now), Progress::Until(now + CONNECT));
            assert!(matches!(line.link, Link::Connecting(..)), "{:?}", line.link);
        }
        // One that is made is one, also while nothing came.
        let made = queued.pop().expect("the queue took one");
        made.set_nonblocking(true).expect("a socket");
        assert!(is_made(&TcpStream::from_std(made)));
    }
}
