//! Asynchronous tasks on tokio's current-thread runtime: as many as may be in flight, each taking the
//! next port when it has the verdict of its last. One timer and one socket a port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::TcpSocket;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time;

use super::job::{Found, Job, Patience, State, self_connected, state_of, threads};

pub fn scan(job: &Job) -> io::Result<Found> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicU32::new(1));
        let mut workers = JoinSet::new();
        for _ in 0..job.workers() {
            workers.spawn(worker(*job, Arc::clone(&next)));
        }
        let mut found = Found {
            threads: threads(),
            ..Found::default()
        };
        while let Some(part) = workers.join_next().await {
            found.merge(part.map_err(io::Error::other)??);
        }
        Ok(found)
    })
}

async fn worker(job: Job, next: Arc<AtomicU32>) -> io::Result<Found> {
    let mut found = Found::default();
    loop {
        let port = next.fetch_add(1, Ordering::Relaxed);
        let Some(port) = u16::try_from(port).ok().filter(|port| *port <= job.top) else {
            return Ok(found);
        };
        let mut patience = Patience::default();
        loop {
            match time::timeout(job.timeout, probe(job.addr(port))).await {
                Err(_elapsed) => found.add(port, State::Filtered),
                Ok(Ok(state)) => found.add(port, state),
                Ok(Err(error)) => {
                    time::sleep(patience.after(error)?).await;
                    continue;
                }
            }
            break;
        }
    }
}

async fn probe(addr: SocketAddr) -> io::Result<State> {
    let socket = TcpSocket::new_v4()?;
    // Closed with a RST: no TIME_WAIT.
    socket.set_zero_linger()?;
    match socket.connect(addr).await {
        Ok(stream) if stream.local_addr()? == addr => Err(self_connected()),
        Ok(_) => Ok(State::Open),
        Err(error) => state_of(error),
    }
}
