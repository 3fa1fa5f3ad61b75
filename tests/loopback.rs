//! Whole scans over real sockets of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nishad::engine::{LocalFault, Note, Options, PortReport, Reason, Report, State};
use nishad::net::{Control, Event, RunReport, available_sockets, scan};
use nishad::target::{HostSet, PortSet, TargetSpace};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

#[path = "support/lab.rs"]
mod lab;
#[path = "support/wine.rs"]
mod wine;

use lab::{Lab, skip};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What a scan told.
#[derive(Debug)]
struct Scanned {
    ports: Vec<PortReport>,
    bulk: Vec<(Reason, PortSet)>,
    hosts: usize,
    run: RunReport,
}

impl Scanned {
    fn open(&self) -> Vec<SocketAddr> {
        let open = self
            .ports
            .iter()
            .filter(|port| port.verdict.state() == State::Open);
        let mut open: Vec<_> = open
            .map(|port| port.target.socket_addr(port.port))
            .collect();
        open.sort();
        open
    }

    fn reason(&self, port: u16) -> Reason {
        let single = self.ports.iter().find(|report| report.port == port);
        let single = single.map(|report| report.verdict.reason);
        let bulk = self.bulk.iter().find(|(_, ports)| ports.contains(port));
        single
            .or(bulk.map(|(reason, _)| *reason))
            .expect("the port was reported")
    }
}

fn space(ip: IpAddr, ports: impl IntoIterator<Item = u16>, seed: u64) -> TargetSpace {
    let mut hosts = HostSet::default();
    hosts.insert_range(ip, ip, 0);
    TargetSpace::new(hosts, ports.into_iter().collect(), &[], seed)
}

/// Scans to the end; every planned probe must be told once.
fn scan_all(space: TargetSpace, options: Options) -> Scanned {
    scan_until(space, options, |_| false)
}

/// Scans until `enough` says so of an event.
fn scan_until(
    space: TargetSpace,
    options: Options,
    mut enough: impl FnMut(&Event) -> bool,
) -> Scanned {
    let planned = space.planned();
    let (mut ports, mut bulk, mut hosts) = (Vec::new(), Vec::new(), 0);
    let run = scan(space, options, &Control::default(), &mut |event| {
        let enough = enough(&event);
        match event {
            Event::Report(Report::Port(port)) => ports.push(port),
            Event::Report(Report::Bulk(report)) => bulk.push((report.verdict.reason, report.ports)),
            Event::Report(Report::Host(_)) => hosts += 1,
            _ => (),
        }
        if enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .expect("the event queue works");
    let told = ports.len() as u64
        + bulk
            .iter()
            .map(|(_, set)| u64::from(set.len()))
            .sum::<u64>();
    assert_eq!(run.counts.total(), planned);
    assert_eq!(told, planned);
    Scanned {
        ports,
        bulk,
        hosts,
        run,
    }
}

fn listen(ip: IpAddr) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip, 0)).expect("a listener");
    let addr = listener.local_addr().expect("a bound address");
    (listener, addr)
}

/// The loopback addresses of this machine.
fn families(test: &str) -> Vec<IpAddr> {
    match TcpListener::bind((V6, 0)) {
        Ok(_) => vec![V4, V6],
        Err(error) => {
            skip(test, &format!("::1 cannot be listened on: {error}"));
            vec![V4]
        }
    }
}

/// A listener that accepts nothing more: its queue is full, so that SYNs to it are dropped.
#[cfg(target_os = "linux")]
fn full_listener() -> (Socket, Vec<TcpStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SockAddr::from(SocketAddr::new(V4, 0)))
        .expect("a port");
    socket.listen(0).expect("a listener");
    let addr = socket
        .local_addr()
        .ok()
        .and_then(|addr| addr.as_socket())
        .expect("bound");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(100)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue of listen(0) takes no end");
    }
    (socket, waiting, addr)
}

#[test]
fn open_and_closed_in_both_families() {
    for ip in families("open_and_closed_in_both_families") {
        let (_listener, open) = listen(ip);
        let held = Socket::new(Domain::for_address(open), Type::STREAM, None).expect("a socket");
        held.bind(&SockAddr::from(SocketAddr::new(ip, 0)))
            .expect("a port");
        let closed = held
            .local_addr()
            .ok()
            .and_then(|addr| addr.as_socket())
            .expect("bound");
        let found = scan_all(
            space(ip, [open.port(), closed.port()], 1),
            Options::default(),
        );
        assert_eq!(found.open(), [open]);
        assert_eq!(found.reason(closed.port()), Reason::ConnRefused);
        assert_eq!(found.hosts, 1);
        assert_eq!((found.run.counts.open, found.run.counts.closed), (1, 1));
        for port in &found.ports {
            assert!(port.verdict.rtt.is_some(), "{port:?}");
            assert_eq!(port.verdict.attempts, 1, "{port:?}");
        }
    }
}

/// Every port of this machine, the ephemeral ones included, where a self-connect looks like an open
/// port: exactly the listeners are found. `NISHAD_LAB=required`: 20 runs, else 3.
#[cfg(target_os = "linux")]
#[test]
fn all_ports_of_this_machine_without_a_false_open() {
    let test = "all_ports_of_this_machine_without_a_false_open";
    let Some(_lab) = Lab::enter(test) else { return };
    let runs = if std::env::var_os("NISHAD_LAB").is_some() {
        20
    } else {
        3
    };
    for ip in [V4, V6] {
        let listeners: Vec<_> = (0..10).map(|_| listen(ip)).collect();
        let mut expected: Vec<SocketAddr> = listeners.iter().map(|(_, addr)| *addr).collect();
        expected.sort();
        for seed in 0..runs {
            let found = scan_all(space(ip, 1..=65535, seed), Options::default());
            assert_eq!(found.open(), expected, "{ip} seed {seed}");
            assert_eq!(
                found.run.counts.closed, 65_525,
                "{ip} seed {seed}: {:?}",
                found.run
            );
        }
    }
}

/// With 20 descriptors the scan is slower and finds the same.
#[cfg(unix)]
#[test]
fn twenty_descriptors_are_enough() {
    let test = "twenty_descriptors_are_enough";
    if std::env::var_os("NISHAD_FEW").is_none() {
        let exe = std::env::current_exe().expect("a test knows its own program");
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 20 && exec \"$0\" --exact \"$1\" --nocapture",
            ])
            .arg(exe)
            .arg(test)
            .env("NISHAD_FEW", "1")
            .output()
            .expect("sh runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    assert!(available_sockets() < 20, "{}", available_sockets());
    let (_listener, open) = listen(V4);
    let ports = (1..=3000).chain([open.port()]);
    let found = scan_all(space(V4, ports, 7), Options::default());
    assert!(found.open().contains(&open));
    assert_eq!(found.run.counts.unscanned, 0, "{:?}", found.run);
    assert_eq!(found.run.counts.filtered, 0, "{:?}", found.run);
}

/// Descriptors that run out during the scan, because something else takes them.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_that_vanish_are_no_verdict() {
    let test = "descriptors_that_vanish_are_no_verdict";
    let Some(_lab) = Lab::enter(test) else { return };
    if std::env::var_os("NISHAD_FEW").is_none() {
        let exe = std::env::current_exe().expect("a test knows its own program");
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 200 && exec \"$0\" --exact \"$1\" --nocapture",
            ])
            .arg(exe)
            .arg(test)
            .env("NISHAD_FEW", "1")
            .output()
            .expect("sh runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let (_listener, open) = listen(V4);
    let mut taken = Vec::new();
    let mut short = false;
    let ports = (1..=20_000).chain([open.port()]);
    let found = scan_until(space(V4, ports, 7), Options::default(), |event| {
        if taken.is_empty() {
            taken.extend((0..200).map_while(|_| std::fs::File::open("/dev/null").ok()));
        }
        let fault = LocalFault::ProcessDescriptors;
        short |= matches!(
            event,
            Event::Report(Report::Note(Note::LocalFault { fault: told, .. })) if *told == fault
        );
        false
    });
    assert!(short, "the shortage was told");
    assert_eq!(found.open(), [open]);
    assert_eq!(found.run.counts.closed, 20_000, "{:?}", found.run);
}

#[test]
fn a_listener_that_resets_at_once_is_open() {
    let test = "a_listener_that_resets_at_once_is_open";
    if wine::differs(test, "an attempt is forgotten that was reset at once") {
        return;
    }
    let (listener, addr) = listen(V4);
    let done = Arc::new(AtomicBool::new(false));
    let accepting = std::thread::spawn({
        let done = done.clone();
        move || {
            while let Ok((stream, _)) = listener.accept() {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    });
    for seed in 0..50 {
        let found = scan_all(space(V4, [addr.port()], seed), Options::default());
        assert_eq!(found.open(), [addr]);
        let reason = found.reason(addr.port());
        assert!(
            matches!(reason, Reason::SynAck | Reason::SynAckReset),
            "{reason:?}"
        );
    }
    done.store(true, Ordering::Relaxed);
    let _ = TcpStream::connect(addr);
    accepting.join().expect("the listener ends");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_backlog_is_filtered() {
    let (_socket, _waiting, addr) = full_listener();
    let options = Options {
        timeout: Duration::from_millis(200),
        retries: 1,
        ..Options::default()
    };
    let found = scan_all(space(V4, [addr.port()], 1), options);
    assert_eq!(found.reason(addr.port()), Reason::NoResponse);
    assert_eq!(found.run.counts.filtered, 1);
}

/// In a namespace with nothing but its loopback device.
#[cfg(target_os = "linux")]
#[test]
fn no_route_is_unscanned() {
    let Some(_lab) = Lab::enter("no_route_is_unscanned") else {
        return;
    };
    for ip in ["192.0.2.1", "2001:db8::1"] {
        let ip = ip.parse().expect("an address");
        let found = scan_all(space(ip, 1..=1024, 1), Options::default());
        assert_eq!(found.run.counts.unscanned, 1024);
        assert_eq!(found.reason(80), Reason::NoRoute);
    }
}

/// One firewall that resets, rejects, drops and lets through.
#[cfg(target_os = "linux")]
#[test]
fn a_firewall_in_a_namespace() {
    let test = "a_firewall_in_a_namespace";
    if !lab::runs("nft --version") {
        return skip(test, "nft (nftables) is not installed");
    }
    let Some(mut lab) = Lab::enter(test) else {
        return;
    };
    lab.add_peer();
    for rule in [
        "add table inet t",
        "add chain inet t c { type filter hook input priority 0 ; }",
        "add rule inet t c tcp dport 1001 reject with icmpx type port-unreachable",
        "add rule inet t c tcp dport 1002 reject with icmpx type admin-prohibited",
        "add rule inet t c tcp dport 1003 reject with tcp reset",
        "add rule inet t c tcp dport 1004 drop",
    ] {
        lab.peer(&format!("nft {rule}"));
    }
    lab.peer("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    for ip in ["192.0.2.2", "2001:db8::2"] {
        let ip: IpAddr = ip.parse().expect("an address");
        let options = Options {
            timeout: Duration::from_millis(300),
            retries: 1,
            ..Options::default()
        };
        let found = scan_all(space(ip, 1001..=1005, 1), options);
        for (port, reason) in [
            (1001, Reason::PortUnreach),
            (1002, Reason::AdminProhibited),
            (1003, Reason::ConnRefused),
            (1004, Reason::NoResponse),
            (1005, Reason::ConnRefused),
        ] {
            assert_eq!(found.reason(port), reason, "{ip} {port}");
        }
        let rejected = found.ports.iter().find(|report| report.port == 1001);
        assert_eq!(rejected.and_then(|report| report.verdict.from), Some(ip));
    }
}

/// A cancelled scan accounts for every port; so does one whose user has seen enough.
#[cfg(target_os = "linux")]
#[test]
fn a_scan_ends_when_told_to() {
    let (_socket, _waiting, addr) = full_listener();
    let options = Options {
        timeout: Duration::from_secs(3600),
        ..Options::default()
    };
    let control = Control::default();
    let (mut unscanned, mut hosts) = (0, 0);
    let later = std::thread::spawn({
        let control = control.clone();
        move || {
            std::thread::sleep(Duration::from_millis(200));
            control.cancel();
        }
    });
    let run = scan(
        space(V4, [addr.port()], 1),
        options.clone(),
        &control,
        &mut |event| {
            match event {
                Event::Report(Report::Bulk(report)) => unscanned += report.ports.len(),
                Event::Report(Report::Port(report)) => {
                    assert_eq!(report.verdict.reason, Reason::Interrupted);
                    unscanned += 1;
                }
                Event::Report(Report::Host(_)) => hosts += 1,
                _ => (),
            }
            ControlFlow::Continue(())
        },
    );
    later.join().expect("the thread ends");
    assert_eq!(run.expect("the event queue works").counts.unscanned, 1);
    assert_eq!((unscanned, hosts), (1, 1));

    let ports = [addr.port()].into_iter().chain(1..=100);
    let found = scan_until(space(V4, ports, 1), options, |event| {
        matches!(event, Event::Report(Report::Port(_)))
    });
    assert_eq!(found.reason(addr.port()), Reason::Interrupted);
    assert_eq!(found.hosts, 1);
}
