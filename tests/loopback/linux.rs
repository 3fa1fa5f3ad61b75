//! Scans of what only Linux can be made to have: full queues, namespaces, firewalls.

use nishad::engine::{LocalFault, Note};

use super::*;
use crate::lab::Lab;

/// A listener that accepts nothing more: its queue is full, so that SYNs to it are dropped.
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

/// Every port of this machine, the ephemeral ones included, where a self-connect looks like an open
/// port: exactly the listeners are found. `NISHAD_LAB=required`: 20 runs, else 3.
#[test]
fn all_ports_of_this_machine_without_a_false_open() {
    let test = "linux::all_ports_of_this_machine_without_a_false_open";
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

/// Descriptors that run out during the scan, because something else takes them.
#[test]
fn descriptors_that_vanish_are_no_verdict() {
    let test = "linux::descriptors_that_vanish_are_no_verdict";
    let Some(_lab) = Lab::enter(test) else { return };
    if has_rerun_with_few(test, 200) {
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
#[test]
fn no_route_is_unscanned() {
    let Some(_lab) = Lab::enter("linux::no_route_is_unscanned") else {
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
#[test]
fn a_firewall_in_a_namespace() {
    let test = "linux::a_firewall_in_a_namespace";
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
