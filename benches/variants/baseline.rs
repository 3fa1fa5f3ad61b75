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

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{SockaddrIn, connect};
use socket2::{Domain, Socket, Type};

use super::job::{Found, Job, threads};

const EVENTS: usize = 1_024;

struct Baseline {
    job: Job,
    epoll: Epoll,
    /// The socket of each place and the port it is connecting to.
    places: Vec<(Socket, u16)>,
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
    scan.run()?;
    scan.found.threads = threads();
    Ok(scan.found)
}

impl Baseline {
    fn run(&mut self) -> io::Result<()> {
        while self.places.len() < self.job.workers()
            && let Some(port) = self.take()
        {
            let socket = new_socket()?;
            begin(&socket, self.job, port)?;
            self.register(&socket, self.places.len())?;
            self.places.push((socket, port));
            self.busy += 1;
        }
        let timeout = EpollTimeout::try_from(self.job.timeout).map_err(io::Error::other)?;
        let mut events = [EpollEvent::empty(); EVENTS];
        while self.busy > 0 {
            let ready = self.epoll.wait(&mut events, timeout)?;
            for event in &events[..ready] {
                self.answered(event.data() as usize)?;
            }
            if ready == 0 {
                self.all_silent()?;
            }
        }
        Ok(())
    }

    /// The next port, if there is one.
    fn take(&mut self) -> Option<u16> {
        let port = u16::try_from(self.next).ok()?;
        self.next += 1;
        (port <= self.job.top).then_some(port)
    }

    fn answered(&mut self, place: usize) -> io::Result<()> {
        let (socket, port) = &self.places[place];
        match again(socket, self.job, *port) {
            Err(Errno::EALREADY) => Ok(()),
            Err(Errno::ECONNREFUSED) => {
                self.found.closed += 1;
                match self.take() {
                    Some(port) => {
                        self.places[place].1 = port;
                        begin(&self.places[place].0, self.job, port)
                    }
                    None => {
                        self.busy -= 1;
                        Ok(())
                    }
                }
            }
            Ok(()) | Err(Errno::EISCONN) => {
                let (socket, port) = &self.places[place];
                let own = socket.local_addr()?.as_socket() == Some(self.job.addr(*port));
                let port = *port;
                if own {
                    return self.renew(place, Some(port));
                }
                self.found.open.push(port);
                let next = self.take();
                self.renew(place, next)
            }
            Err(_) => {
                self.found.filtered += 1;
                let next = self.take();
                self.renew(place, next)
            }
        }
    }

    fn all_silent(&mut self) -> io::Result<()> {
        self.found.filtered += self.busy as u32;
        self.busy = 0;
        let places = self.places.len();
        self.places.clear();
        for place in 0..places {
            let Some(port) = self.take() else { break };
            let socket = new_socket()?;
            begin(&socket, self.job, port)?;
            self.register(&socket, place)?;
            self.places.push((socket, port));
            self.busy += 1;
        }
        Ok(())
    }

    /// A new socket in place of one that cannot be used again, if there is a port for it.
    fn renew(&mut self, place: usize, port: Option<u16>) -> io::Result<()> {
        let socket = new_socket()?;
        match port {
            Some(port) => {
                begin(&socket, self.job, port)?;
                self.register(&socket, place)?;
                self.places[place] = (socket, port);
            }
            None => {
                self.places[place].0 = socket;
                self.busy -= 1;
            }
        }
        Ok(())
    }

    fn register(&self, socket: &Socket, place: usize) -> io::Result<()> {
        let flags = EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        let event = EpollEvent::new(flags, place as u64);
        Ok(self.epoll.add(socket, event)?)
    }
}

fn new_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
    // Closed with a RST: no TIME_WAIT.
    socket.set_linger(Some(std::time::Duration::ZERO))?;
    Ok(socket)
}

/// Starts a port. Linux never has the answer at once: a refusal too is told with the next event.
fn begin(socket: &Socket, job: Job, port: u16) -> io::Result<()> {
    match again(socket, job, port) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn again(socket: &Socket, job: Job, port: u16) -> Result<(), Errno> {
    let addr = SockaddrIn::from(SocketAddrV4::new(job.target, port));
    connect(socket.as_raw_fd(), &addr)
}
