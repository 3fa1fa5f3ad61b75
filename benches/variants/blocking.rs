//! connect() with a timeout, in a pool of threads or one port after the other.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::job::{Found, Job, Patience, State, self_connected, state_of, threads};

/// Enough for connect() and a little more, so that thousands of threads fit.
const STACK: usize = 64 * 1024;

/// As many threads as attempts may be in flight, each taking the next port when it has the verdict
/// of its last.
pub fn pool(job: &Job) -> io::Result<Found> {
    let next = AtomicU32::new(1);
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 0..job.workers() {
            let thread = thread::Builder::new().stack_size(STACK);
            workers.push(thread.spawn_scoped(scope, || worker(job, &next))?);
        }
        let mut found = Found {
            threads: workers.len() + 1,
            ..Found::default()
        };
        for worker in workers {
            found.merge(
                worker
                    .join()
                    .map_err(|_| io::Error::other("a thread panicked"))??,
            );
        }
        Ok(found)
    })
}

pub fn sequential(job: &Job) -> io::Result<Found> {
    let mut found = worker(job, &AtomicU32::new(1))?;
    found.threads = threads();
    Ok(found)
}

fn worker(job: &Job, next: &AtomicU32) -> io::Result<Found> {
    let mut found = Found::default();
    loop {
        let port = next.fetch_add(1, Ordering::Relaxed);
        let Some(port) = u16::try_from(port).ok().filter(|port| *port <= job.top) else {
            return Ok(found);
        };
        let mut patience = Patience::default();
        let state = loop {
            match probe(job, port) {
                Ok(state) => break state,
                Err(error) => thread::sleep(patience.after(error)?),
            }
        };
        found.add(port, state);
    }
}

fn probe(job: &Job, port: u16) -> io::Result<State> {
    let addr = job.addr(port);
    match TcpStream::connect_timeout(&addr, job.timeout) {
        Ok(stream) => {
            let own = stream.local_addr()? == addr;
            // Closed with a RST: no TIME_WAIT.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            if own {
                Err(self_connected())
            } else {
                Ok(State::Open)
            }
        }
        Err(error) => state_of(error),
    }
}
