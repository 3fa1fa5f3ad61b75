//! Servers that nobody would like to meet, on ports of 127.0.0.1.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// A server whose every connection is served by a thread of its own, as long as the test runs.
pub struct Server {
    pub port: u16,
    served: Arc<AtomicU64>,
}

impl Server {
    /// A server that does `serve` with each connection.
    pub fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        Server::on(0, serve)
    }

    /// The same on a certain port of 127.0.0.1.
    pub fn on(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (serve, served) = (Arc::new(serve), Arc::new(AtomicU64::new(0)));
        let count = served.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        Server { port, served }
    }

    /// Connections so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    /// Says `greeting` and then nothing.
    pub fn greets(greeting: impl Into<Vec<u8>>) -> Server {
        let greeting = greeting.into();
        Server::new(move |mut stream| {
            let _ = stream.write_all(&greeting);
            drain(&mut stream);
        })
    }

    /// Says `answer` once something was said, and ends the connection.
    pub fn answers(answer: impl Into<Vec<u8>>) -> Server {
        let answer = answer.into();
        Server::new(move |mut stream| {
            if stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                let _ = stream.write_all(&answer);
                let _ = stream.shutdown(Shutdown::Write);
                drain(&mut stream);
            }
        })
    }

    /// Never says anything.
    pub fn silent() -> Server {
        Server::new(|mut stream| drain(&mut stream))
    }

    /// Says one byte a tenth of a second, for ever.
    pub fn drips() -> Server {
        Server::new(|mut stream| {
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        })
    }

    /// Says `start`, and then `more` without end.
    pub fn endless(start: &[u8], more: &[u8]) -> Server {
        let (start, more) = (start.to_vec(), more.repeat(65_536 / more.len()));
        Server::new(move |mut stream| {
            let mut said = stream.write_all(&start);
            while said.is_ok() {
                said = stream.write_all(&more);
            }
        })
    }

    /// Ends each connection at once.
    pub fn closes() -> Server {
        Server::new(drop)
    }

    /// Resets each connection at once.
    pub fn resets() -> Server {
        Server::new(|stream| {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        })
    }

    /// Answers a TLS handshake with one that goes on and on: records of a certificate that never
    /// ends, a piece of it in each.
    pub fn endless_tls() -> Server {
        Server::new(|mut stream| {
            let mut hello = [0; 4096];
            match stream.read(&mut hello) {
                Ok(n) if n > 0 && hello[0] == 22 => {}
                _ => return,
            }
            // A handshake message of 16 MB is announced.
            let mut record = vec![22, 3, 3, 0, 8, 11, 0xff, 0xff, 0xff, 0, 0, 0, 0];
            while stream.write_all(&record).is_ok() {
                record = vec![22, 3, 3, 0, 1, 0];
                thread::sleep(Duration::from_millis(50));
            }
        })
    }
}

/// Reads until the other side ends.
fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}
