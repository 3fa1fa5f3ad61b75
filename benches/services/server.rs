//! Ports of loopback that talk: some by this thread, some by nginx.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::model::Talk;

/// Serves `ports` of every address of loopback, each by the talk that is its turn, until the process
/// ends.
pub fn serve(ports: &[u16], talks: &'static [Talk]) -> std::io::Result<()> {
    let poll = Poll::new()?;
    let mut listeners = Vec::new();
    for port in ports {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)))?;
        let token = Token(listeners.len());
        poll.registry()
            .register(&mut listener, token, Interest::READABLE)?;
        listeners.push(listener);
    }
    let server = Server {
        poll,
        listeners,
        talks,
        streams: Slab::new(),
    };
    thread::spawn(move || server.run());
    Ok(())
}

/// All ports, served by one thread.
struct Server {
    poll: Poll,
    listeners: Vec<TcpListener>,
    talks: &'static [Talk],
    streams: Slab<(TcpStream, &'static [u8])>,
}

impl Server {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return,
                _ => {}
            }
            for event in &events {
                match event.token().0.checked_sub(self.listeners.len()) {
                    None => self.accept(event.token().0),
                    Some(key) => self.answer(key),
                }
            }
        }
    }

    fn accept(&mut self, index: usize) {
        while let Ok((mut stream, _)) = self.listeners[index].accept() {
            let Talk { greeting, answer } = self.talks[index % self.talks.len()];
            if stream.write_all(greeting).is_err() {
                continue;
            }
            let entry = self.streams.vacant_entry();
            let token = Token(self.listeners.len() + entry.key());
            let registered = self
                .poll
                .registry()
                .register(&mut stream, token, Interest::READABLE);
            if registered.is_ok() {
                entry.insert((stream, answer));
            }
        }
    }

    /// Something was said on a connection, or it has ended.
    fn answer(&mut self, key: usize) {
        let Some((stream, answer)) = self.streams.get_mut(key) else {
            return;
        };
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(count @ 1..) => {
                    // Whoever is gone wants no answer.
                    if buffer[..count].ends_with(b"\n") && stream.write_all(answer).is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
        self.streams.remove(key);
    }
}

/// nginx, as long as this lives.
pub struct Nginx {
    process: Child,
    dir: PathBuf,
}

impl Nginx {
    /// nginx on `ports` of every address of loopback; `None` where it is not installed.
    pub fn start(ports: &[u16]) -> std::io::Result<Option<Nginx>> {
        let mut version = Command::new("nginx");
        let version = version.arg("-v").stderr(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let dir = std::env::temp_dir().join(format!("nishad-nginx-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let listen: String = ports.iter().map(|port| format!("listen {port};")).collect();
        let conf = format!(
            "daemon off; master_process off; pid pid; error_log stderr; events {{ worker_connections 8000; }}
            http {{ access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
            uwsgi_temp_path t4; scgi_temp_path t5; server {{ {listen} return 200; }} }}"
        );
        std::fs::write(dir.join("conf"), conf)?;
        let process = Command::new("nginx")
            .arg("-p")
            .arg(&dir)
            .args(["-c", "conf"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Nginx { process, dir };
        let last = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.last().copied().unwrap_or(0)));
        for _ in 0..200 {
            if std::net::TcpStream::connect(last).is_ok() {
                return Ok(Some(nginx));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(std::io::Error::other("nginx does not accept"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
