//! About the least that a scan by connect() can cost on Linux: one epoll queue, sockets that are
//! connected again after a refusal, and nothing else.
//!
//! A second connect() on a refused socket returns the error and resets the socket; a third one
//! starts the next port. There are no timers: when nothing came for the timeout, everything in
//! flight is silent. No errors are told apart but a refusal, no limit is looked for, nothing is
//! tried twice.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{SockaddrIn, connect};
use socket2::{Domain, Socket, Type};

use super::job::{Found, Job, threads};

const EVENTS: usize = 1_024;

struct Baseline {
    job: Job,
    epoll: Epoll,
    /// The socket of each place and the port it is connecting to. A place without a port to connect
    /// to has no socket: an idle one would be reported as hung up.
    places: Vec<Option<(Socket, u16)>>,
    next: u32,
    busy: usize,
    found: Found,
}

pub fn scan(job: &Job) -> io::Result<Found> {
    let mut scan = Baseline {
        job: *job,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        places: Vec::new(),
        next: 1,
        busy: 0,
        found: Found::default(),
    };
    scan.places.resize_with(job.workers(), || None);
    scan.run()?;
    scan.found.threads = threads();
    Ok(scan.found)
}

impl Baseline {
    fn run(&mut self) -> io::Result<()> {
        self.fill()?;
        let timeout = EpollTimeout::try_from(self.job.timeout).map_err(io::Error::other)?;
        let mut events = [EpollEvent::empty(); EVENTS];
        while self.busy > 0 {
            let ready = self.epoll.wait(&mut events, timeout)?;
            for event in &events[..ready] {
                self.answered(event.data() as usize)?;
            }
            if ready == 0 {
                self.found.filtered += self.busy as u32;
                self.fill()?;
            }
        }
        Ok(())
    }

    /// New sockets in all places, as far as there are ports for them.
    fn fill(&mut self) -> io::Result<()> {
        self.busy = self.places.len();
        for place in 0..self.places.len() {
            let port = take(&mut self.next, self.job.top);
            self.renew(place, port)?;
        }
        Ok(())
    }

    fn answered(&mut self, place: usize) -> io::Result<()> {
        let Some((socket, port)) = &mut self.places[place] else {
            return Ok(());
        };
        match again(socket, &self.job, *port) {
            Err(Errno::EALREADY) => return Ok(()),
            Err(Errno::ECONNREFUSED) => {
                self.found.closed += 1;
                if let Some(next) = take(&mut self.next, self.job.top) {
                    *port = next;
                    return begin(socket, &self.job, next);
                }
            }
            Ok(()) | Err(Errno::EISCONN) => {
                let port = *port;
                if socket.local_addr()?.as_socket() == Some(self.job.addr(port)) {
                    return self.renew(place, Some(port));
                }
                self.found.open.push(port);
            }
            Err(_) => self.found.filtered += 1,
        }
        let next = take(&mut self.next, self.job.top);
        self.renew(place, next)
    }

    /// A new socket in place of one that cannot be used again, if there is a port for it.
    fn renew(&mut self, place: usize, port: Option<u16>) -> io::Result<()> {
        self.places[place] = None;
        let Some(port) = port else {
            self.busy -= 1;
            return Ok(());
        };
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
        // Closed with a RST: no TIME_WAIT.
        socket.set_linger(Some(Duration::ZERO))?;
        begin(&socket, &self.job, port)?;
        let flags = EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        self.epoll
            .add(&socket, EpollEvent::new(flags, place as u64))?;
        self.places[place] = Some((socket, port));
        Ok(())
    }
}

/// The port after the last one taken, if there is one.
fn take(next: &mut u32, top: u16) -> Option<u16> {
    let port = u16::try_from(*next).ok()?;
    *next += 1;
    (port <= top).then_some(port)
}

/// Starts a port. Linux never has the answer at once: a refusal too is told with the next event.
fn begin(socket: &Socket, job: &Job, port: u16) -> io::Result<()> {
    match again(socket, job, port) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn again(socket: &Socket, job: &Job, port: u16) -> Result<(), Errno> {
    let addr = SockaddrIn::from(SocketAddrV4::new(job.target, port));
    connect(socket.as_raw_fd(), &addr)
}
