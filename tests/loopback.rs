//! Whole scans over real sockets of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nishad::engine::{Options, PortReport, Reason, Report, State};
use nishad::net::{Control, Event, RunReport, scan};
use nishad::target::{HostSet, PortSet, TargetSpace};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

#[cfg_attr(windows, allow(dead_code, reason = "there is no lab"))]
#[path = "support/lab.rs"]
mod lab;
#[cfg(target_os = "linux")]
#[path = "loopback/linux.rs"]
mod linux;
#[path = "support/wine.rs"]
mod wine;

use lab::skip;

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

/// Runs `test` in a process of its own with so many descriptors; false in that process.
#[cfg(unix)]
fn has_rerun_with_few(test: &str, descriptors: u32) -> bool {
    if std::env::var_os("NISHAD_FEW").is_some() {
        return false;
    }
    let exe = std::env::current_exe().expect("a test knows its own program");
    let command = "ulimit -n \"$2\" && exec \"$0\" --exact \"$1\" --nocapture";
    let output = std::process::Command::new("sh")
        .args(["-c", command])
        .arg(exe)
        .args([test, &descriptors.to_string()])
        .env("NISHAD_FEW", "1")
        .output()
        .expect("sh runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    true
}

/// With 20 descriptors the scan is slower and finds the same.
#[cfg(unix)]
#[test]
fn twenty_descriptors_are_enough() {
    use nishad::net::available_sockets;

    let test = "twenty_descriptors_are_enough";
    if has_rerun_with_few(test, 20) {
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
