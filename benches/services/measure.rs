//! Serves the ports, scans them with and without `--services`, and prints figures in Markdown.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::Value;
use slab::Slab;

use crate::figures::Spread;
use crate::loopback_net;

const OPEN: u16 = 1_000;
/// The ports scanned to see what talks cost the scan: the open ones are spread over them.
const TOP: u16 = 30_000;
const RUNS: usize = 5;

/// What the ports say: to whom connects, or to whom asks.
const SAID: [(bool, &[u8]); 3] = [
    (true, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
    (true, b"220 mail.test ESMTP Postfix (Debian/GNU)\r\n"),
    (
        false,
        b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ),
];

/// One run of the program.
struct Run {
    /// Until the program ended, and until the last verdict.
    wall: f64,
    scan: f64,
    /// The processor's time.
    cpu: f64,
    identified: usize,
}

pub fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("services: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), String> {
    loopback_net::enter()?;
    let open: Vec<u16> = (1..=OPEN).map(|n| n * (TOP / OPEN)).collect();
    let server = Server::new(&open).map_err(|error| format!("cannot serve: {error}"))?;
    thread::spawn(move || server.serve());
    // As many closed ones: a host of which all ports are open is taken for one that accepts anything.
    let typed: Vec<_> = open
        .iter()
        .map(|port| format!("{port}-{}", port + 1))
        .collect();
    let (typed, range) = (typed.join(","), format!("1-{TOP}"));
    println!("| network | ports | identified | seconds | a second | processor, µs a port |");
    println!("|---|---|---|---|---|---|");
    let mut slowed = Vec::new();
    for network in ["no latency", "20 ms"] {
        if network == "20 ms"
            && let Err(error) =
                loopback_net::run("tc qdisc add dev lo root netem delay 10ms limit 100000")
        {
            eprintln!("services: without latency only: {error}");
            break;
        }
        let with = runs(&["-V", "-p", &typed])?;
        let without = runs(&["-p", &typed])?;
        let wall = Spread::new(with.iter().map(|run| run.wall));
        let rate = Spread::new(with.iter().map(|run| run.identified as f64 / run.wall));
        let cpu = |runs: &[Run]| Spread::new(runs.iter().map(|run| run.cpu)).median();
        let cpu = (cpu(&with).unwrap_or(0.0) - cpu(&without).unwrap_or(0.0)) / f64::from(OPEN);
        let identified = Spread::new(with.iter().map(|run| run.identified as f64));
        println!(
            "| {network} | {OPEN} | {identified:.0} | {wall} | {rate:.0} | {:.0} |",
            cpu * 1e6
        );
        let scan = |runs: &[Run]| Spread::new(runs.iter().map(|run| run.scan));
        slowed.push((
            network,
            scan(&runs(&["-V", "-p", &range])?),
            scan(&runs(&["-p", &range])?),
        ));
    }
    println!(
        "\n| network | ports, of them open | seconds of the scan with `-V` | without | slower |"
    );
    println!("|---|---|---|---|---|");
    for (network, with, without) in slowed {
        let ratio = with.median().unwrap_or(0.0) / without.median().unwrap_or(1.0);
        let slower = (ratio - 1.0) * 100.0;
        println!("| {network} | {TOP}, {OPEN} | {with} | {without} | {slower:.0}% |");
    }
    Ok(())
}

fn runs(args: &[&str]) -> Result<Vec<Run>, String> {
    (0..RUNS).map(|_| run(args)).collect()
}

fn run(args: &[&str]) -> Result<Run, String> {
    let (start, before) = (Instant::now(), cpu_of_children());
    let output = Command::new(env!("CARGO_BIN_EXE_nishad"))
        .args(["-q", "--format", "ndjson", "127.0.0.1"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let (wall, cpu) = (start.elapsed(), cpu_of_children().saturating_sub(before));
    let said = String::from_utf8_lossy(&output.stdout);
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines: Vec<Value> = lines.collect();
    let named = |line: &&Value| line["service"]["product"].is_string();
    let host = lines.iter().find(|line| line["type"] == "host");
    Ok(Run {
        wall: wall.as_secs_f64(),
        scan: host
            .and_then(|host| host["elapsed_s"].as_f64())
            .unwrap_or(0.0),
        cpu: cpu.as_secs_f64(),
        identified: lines.iter().filter(named).count(),
    })
}

/// The processor time of the programs that were waited for.
fn cpu_of_children() -> Duration {
    let micros = |time: TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    usage.map_or(Duration::ZERO, |usage| {
        Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
    })
}

/// All ports, served by one thread.
struct Server {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// Connections, and what is said there.
    streams: Slab<(TcpStream, bool, &'static [u8])>,
}

impl Server {
    fn new(ports: &[u16]) -> std::io::Result<Server> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for port in ports {
            let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))?;
            let token = Token(listeners.len());
            poll.registry()
                .register(&mut listener, token, Interest::READABLE)?;
            listeners.push(listener);
        }
        Ok(Server {
            poll,
            listeners,
            streams: Slab::new(),
        })
    }

    fn serve(mut self) {
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
            let (first, said) = SAID[index % SAID.len()];
            if first && stream.write_all(said).is_err() {
                continue;
            }
            let entry = self.streams.vacant_entry();
            let token = Token(self.listeners.len() + entry.key());
            let registered = self.poll.registry();
            if registered
                .register(&mut stream, token, Interest::READABLE)
                .is_ok()
            {
                entry.insert((stream, !first, said));
            }
        }
    }

    /// Something was said on a connection, or it has ended.
    fn answer(&mut self, key: usize) {
        let Some((stream, answers, said)) = self.streams.get_mut(key) else {
            return;
        };
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Ok(n) if *answers && buffer[..n].starts_with(b"GET") => {
                // Whoever is gone wants no answer.
                let _ = stream.write_all(said);
            }
            _ => {}
        }
        self.streams.remove(key);
    }
}
