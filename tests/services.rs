//! What answers on open ports, and what hostile servers can not do to who asks: by the library, and in
//! `told` by the program.

#[path = "support/hostile.rs"]
mod hostile;
#[path = "services/memory.rs"]
mod memory;
#[path = "support/program.rs"]
mod program;
#[path = "services/told.rs"]
mod told;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use nishad::engine::{Options, Report};
use nishad::net::{Control, Event, RunReport, Scan, Services};
use nishad::service::{Manner, Rules, Service};
use nishad::target::{HostSet, PortSet, TargetSpace};
use peak_alloc::PeakAlloc;

use hostile::Server;
use program::Closed;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";

fn space(ports: impl IntoIterator<Item = u16>) -> TargetSpace {
    let mut hosts = HostSet::default();
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    hosts.insert_range(localhost, localhost, 0);
    TargetSpace::new(hosts, PortSet::from_iter(ports), &[], 7)
}

fn services() -> Services {
    Services::new(Arc::new(Rules::new(&[]).expect("they are compiled in")))
}

/// The services of a scan of `ports`, and its end.
fn scan(
    ports: impl IntoIterator<Item = u16>,
    options: Options,
) -> (BTreeMap<u16, Service>, RunReport) {
    let mut found = BTreeMap::new();
    let mut open = Vec::new();
    let scan = Scan::new(space(ports), options).services(services());
    let run = scan.run(&Default::default(), &mut |event| {
        match event {
            Event::Report(Report::Port(port)) => open.push(port.port),
            Event::Service(answer) => {
                assert!(open.contains(&answer.port), "told before its port");
                let before = found.insert(answer.port, Service::clone(&answer.service));
                assert_eq!(before, None, "told twice");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    (found, run.expect("the machine has an event queue"))
}

fn name(service: &Service) -> Option<&str> {
    service.name.as_deref()
}

/// Each of them is told within the bounds of a talk, in little memory and few bytes.
#[test]
fn hostile_servers_are_survived() {
    let flood = b"HTTP/1.1 200 OK\r\nServer: flood\r\n";
    let servers = [
        Server::silent(),
        Server::drips(),
        Server::endless(b"", b"\0"),
        Server::endless(b"", b"garbage \xff\x1b[2J\r\n"),
        Server::endless(b"SSH-2.0-", b"x"),
        Server::endless(flood, b"X-More: of the same\r\n"),
        Server::closes(),
        Server::resets(),
        Server::endless_tls(),
    ];
    let ssh = Server::greets(SSH);
    let ports = servers.iter().chain([&ssh]).map(|server| server.port);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let (found, run) = scan(ports, Options::default());
    let peak = MEMORY.peak_usage() - before;
    assert_eq!((run.counts.open, found.len()), (10, 10));
    assert!(peak < 12 << 20, "{peak} bytes for ten talks");
    assert_eq!(found[&ssh.port].product.as_deref(), Some("OpenSSH"));
    let manner = |n: usize| found[&servers[n].port].manner;
    assert_eq!(manner(0), Manner::Silent);
    assert_eq!(manner(6), Manner::Closes);
    assert_eq!(manner(7), Manner::Resets);
    for server in &servers {
        let told = serde_json::to_string(&found[&server.port]).expect("JSON");
        assert!(told.len() < 8 << 10, "{told}");
        assert!(server.served() <= 3, "{} connections", server.served());
    }
}

/// What a scan finds does not depend on whether it is talked to, nor on what answers, nor on how few
/// sockets there are.
#[test]
fn verdicts_are_the_same_with_services_and_without() {
    let closed = [Closed::new(), Closed::new()];
    let servers = [
        Server::silent(),
        Server::resets(),
        Server::greets(SSH),
        Server::closes(),
    ];
    let ssh = servers[2].port;
    let ports: Vec<u16> = closed
        .iter()
        .map(Closed::port)
        .chain(servers.iter().map(|server| server.port))
        .collect();
    thread::scope(|scope| {
        for (max_sockets, host_sockets) in [(1, 1), (1, 9), (4, 1), (4, 3), (9, 2), (9_999, 9_999)]
        {
            let ports = ports.clone();
            scope.spawn(move || {
                let options = Options {
                    host_sockets,
                    max_sockets,
                    ..Options::default()
                };
                let (found, run) = scan(ports, options);
                assert_eq!((run.counts.open, run.counts.closed), (4, 2));
                assert_eq!((run.counts.total(), found.len()), (6, 4));
                assert_eq!(name(&found[&ssh]), Some("ssh"));
            });
        }
    });
}

/// A rate holds for what talks send, too.
#[test]
fn a_rate_counts_connections_of_talks() {
    let servers: Vec<_> = (0..4).map(|_| Server::closes()).collect();
    let options = Options {
        rate: Some(8.0),
        ..Options::default()
    };
    let began = Instant::now();
    let (found, run) = scan(servers.iter().map(|server| server.port), options);
    let served: u64 = servers.iter().map(Server::served).sum();
    assert_eq!(found.len(), 4);
    assert!(served > 4, "each was asked again");
    assert!(run.attempts >= served, "{} of {served}", run.attempts);
    // What was sent in a time is at most what the rate allows in it.
    let most = 1.0 + 8.0 * began.elapsed().as_secs_f64();
    assert!(served as f64 <= most, "{served} of {most}");
}

/// In another program's loop as in its own.
#[test]
fn an_embedded_scan_talks_too() {
    let (ssh, closes) = (Server::greets(SSH), Server::closes());
    let mut poll = mio::Poll::new().expect("an event queue");
    let mut events = mio::Events::with_capacity(64);
    let mut found = BTreeMap::new();
    let scan = Scan::new(space([ssh.port, closes.port]), Options::default()).services(services());
    let control = Control::default();
    let mut scan = scan
        .embed(poll.registry(), mio::Token(77), &control)
        .expect("it can be shared");
    while !scan.is_done() {
        let timeout = Some(scan.timeout());
        if let Err(error) = poll.poll(&mut events, timeout) {
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
        }
        scan.handle(&events, &mut |event| {
            if let Event::Service(answer) = event {
                found.insert(answer.port, answer.service);
            }
            ControlFlow::Continue(())
        });
    }
    assert_eq!(found.len(), 2);
    assert_eq!(name(&found[&ssh.port]), Some("ssh"));
    assert_eq!(found[&closes.port].manner, Manner::Closes);
}

/// Each connection is one more that a server sees: the one that found the port open is used.
#[test]
fn the_connection_that_found_the_port_is_kept() {
    let ssh = Server::greets(SSH);
    let (found, run) = scan([ssh.port], Options::default());
    assert_eq!(name(&found[&ssh.port]), Some("ssh"));
    assert_eq!((ssh.served(), run.attempts), (1, 1));
}
