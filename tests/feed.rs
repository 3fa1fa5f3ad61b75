//! The library in another program: hosts handed to a scan while it runs, scans in another loop.

#[path = "support/readme.rs"]
mod readme;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use nishad::engine::{Options, Report, State};
use nishad::net::{self, Control, Embedded, Event, FeedClosed, RunReport, Scan};
use nishad::target::{HostSet, PortSet, Target, TargetSpace};

/// A host of this machine's own network.
fn host(n: u8) -> Target {
    Target::new(Ipv4Addr::new(127, 0, 0, n).into())
}

/// Port 1 of `hosts`, which may be none.
fn space(hosts: &[u8]) -> TargetSpace {
    let mut set = HostSet::default();
    for n in hosts {
        set.insert_range(host(*n).addr, host(*n).addr, 0);
    }
    TargetSpace::new(set, PortSet::from_iter([1]), &[], 3)
}

/// Scans and tells each complete host to `seen`.
fn scan(scan: Scan, mut seen: impl FnMut(IpAddr)) -> RunReport {
    let run = scan.run(&Control::default(), &mut |event| {
        if let Event::Report(Report::Host(host)) = event {
            seen(host.target.addr);
        }
        ControlFlow::Continue(())
    });
    run.expect("the machine has an event queue")
}

#[test]
fn hosts_of_many_threads_are_scanned_each_once() {
    let (feeder, feed) = net::feed();
    // Before there is a scan, too.
    feeder.send(host(9)).expect("the feed is there");
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let feeder = feeder.clone();
            std::thread::spawn(move || {
                for n in 0..40 {
                    feeder
                        .send(host(n))
                        .expect("the scan waits for all feeders");
                    if n % 10 == thread {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            })
        })
        .collect();
    drop(feeder);
    let mut seen = Vec::new();
    let run = scan(
        Scan::new(space(&[1, 2, 50]), Options::default()).feed(feed),
        |host| {
            seen.push(host);
        },
    );
    for thread in threads {
        thread.join().expect("no panic");
    }
    let wanted: BTreeSet<IpAddr> = (0..40).chain([50]).map(|n| host(n).addr).collect();
    assert_eq!((seen.len(), run.hosts, run.counts.total()), (41, 41, 41));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
}

/// What a program finds may lead it to more.
#[test]
fn hosts_may_be_sent_from_within_the_scan() {
    let (feeder, feed) = net::feed();
    let mut feeder = Some(feeder);
    let mut seen = Vec::new();
    scan(
        Scan::new(space(&[10]), Options::default()).feed(feed),
        |addr| {
            seen.push(addr);
            match seen.len() {
                5 => feeder = None,
                n => {
                    let feeder = feeder.as_ref().expect("until the fifth");
                    feeder.send(host(10 + n as u8)).expect("the scan is here");
                }
            }
        },
    );
    assert_eq!(seen, [10, 11, 12, 13, 14].map(|n| host(n).addr));
}

#[test]
fn a_feed_without_hosts_ends_with_its_feeders() {
    let (feeder, feed) = net::feed();
    let another = feeder.clone();
    drop(feeder);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        drop(another);
    });
    let run = scan(Scan::new(space(&[]), Options::default()).feed(feed), |_| {});
    thread.join().expect("no panic");
    assert_eq!((run.hosts, run.counts.total()), (0, 0));
}

#[test]
fn a_scan_that_was_ended_takes_no_more() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let space = TargetSpace::new(HostSet::default(), PortSet::from_iter([port]), &[], 3);
    let (feeder, feed) = net::feed();
    feeder.send(host(1)).expect("the feed is there");
    let control = Control::default();
    // The feeder is still there: only the cancellation ends the scan.
    let run = Scan::new(space, Options::default())
        .feed(feed)
        .run(&control, &mut |event| {
            if let Event::Report(Report::Host(_)) = event {
                control.cancel();
            }
            ControlFlow::Continue(())
        });
    let run = run.expect("the machine has an event queue");
    assert_eq!((run.counts.open, run.counts.total()), (1, 1));
    assert_eq!(feeder.send(host(2)), Err(FeedClosed));
}

/// Two scans and a server of the program's own share one event queue; hosts come on the way.
#[test]
fn scans_run_in_the_loop_of_another() {
    const SERVER: Token = Token(7);
    let mut poll = Poll::new().expect("an event queue");
    let mut server =
        mio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let port = server.local_addr().expect("bound").port();
    poll.registry()
        .register(&mut server, SERVER, Interest::READABLE)
        .expect("registered");
    let space = |ports: &[u16]| {
        let mut hosts = HostSet::default();
        hosts.insert_range(host(1).addr, host(1).addr, 0);
        TargetSpace::new(hosts, ports.iter().copied().collect(), &[], 3)
    };
    let (feeder, feed) = net::feed();
    let control = Control::default();
    let mut scans = [
        Scan::new(space(&[port, 1]), Options::default()).feed(feed),
        Scan::new(space(&(1..=3000).collect::<Vec<_>>()), Options::default()),
    ]
    .into_iter()
    .zip([Token(1_000), Token(1_000 + net::TOKENS)])
    .map(|(scan, first)| scan.embed(poll.registry(), first, &control).expect("room"))
    .collect::<Vec<_>>();
    let mut feeder = Some(feeder);
    let mut events = Events::with_capacity(64);
    let (mut open, mut served) = (Vec::new(), false);
    while !scans.iter().all(Embedded::is_done) {
        let wait = scans.iter().map(Embedded::timeout).min();
        poll.poll(&mut events, wait).expect("polled");
        served |= events.iter().any(|event| event.token() == SERVER);
        for (which, scan) in scans.iter_mut().enumerate() {
            scan.handle(&events, &mut |event| {
                match event {
                    Event::Report(Report::Port(found)) if found.verdict.state() == State::Open => {
                        open.push((which, found.target.addr, found.port));
                    }
                    Event::Report(Report::Host(_)) if which == 0 => {
                        if let Some(feeder) = feeder.take() {
                            feeder.send(host(2)).expect("the scan is here");
                        }
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            });
        }
    }
    assert!(served, "the program's own events are not taken from it");
    let found: Vec<_> = open.iter().filter(|(which, ..)| *which == 0).collect();
    // The server listens at the first of both addresses only.
    assert_eq!(found, [&(0, host(1).addr, port)]);
    let totals = [0, 1].map(|which: usize| scans[which].report().counts.total());
    assert_eq!(totals, [4, 3000]);
    // Once done, a turn is none.
    scans[0].handle(&events, &mut |event| panic!("{event:?}"));
}

/// Ended from without, an embedded scan accounts for all; a pause keeps it from sending.
#[test]
fn an_embedded_scan_pauses_and_ends_when_told_to() {
    let mut poll = Poll::new().expect("an event queue");
    let mut events = Events::with_capacity(64);
    let mut hosts = HostSet::default();
    hosts.insert_range(host(1).addr, host(1).addr, 0);
    let space = TargetSpace::new(hosts, (1..=2000).collect(), &[], 3);
    let options = Options {
        rate: Some(100.0),
        ..Options::default()
    };
    let control = Control::default();
    control.pause();
    let scan = Scan::new(space, options).embed(poll.registry(), Token(0), &control);
    let mut scan = scan.expect("room for its tokens");
    let mut turns = 0;
    let mut sent = 0;
    while !scan.is_done() {
        poll.poll(&mut events, Some(scan.timeout()))
            .expect("polled");
        scan.handle(&events, &mut |_| ControlFlow::Continue(()));
        turns += 1;
        match turns {
            1..3 => assert_eq!(scan.report().attempts, 0),
            3 => control.resume(),
            _ if sent == 0 => sent = scan.report().attempts,
            _ => control.cancel(),
        }
    }
    let run = scan.report();
    assert!(sent > 0 && run.attempts >= sent);
    assert_eq!(run.counts.total(), 2000);
    assert!(run.counts.unscanned > 1000, "{run:?}");
    assert_eq!(scan.timeout(), Duration::MAX);
}

#[test]
fn tokens_that_do_not_fit_are_refused() {
    let poll = Poll::new().expect("an event queue");
    let first = Token(usize::MAX - net::TOKENS + 1);
    let scan = Scan::new(space(&[1]), Options::default());
    let refused = scan.embed(poll.registry(), first, &Control::default());
    let error = refused.expect_err("no room").to_string();
    assert!(error.contains("tokens"), "{error}");
}

/// The README's example, which scans a network and so is not run.
fn documented() -> Result<u64, Box<dyn Error>> {
    use std::ops::ControlFlow;

    use nishad::engine::{Options, Report, State};
    use nishad::net::{self, Event};
    use nishad::target::{HostSet, PortSet, TargetSpace};

    let mut hosts = HostSet::default();
    hosts.insert_spec(&"10.0.0.0/24".parse()?, 0);
    let ports = PortSet::parse("22,80,443", nishad::service::port)?;
    let space = TargetSpace::new(hosts, ports, nishad::service::popular(), 42);
    let control = net::Control::default();
    let run = net::scan(space, Options::default(), &control, &mut |event| {
        if let Event::Report(Report::Port(found)) = event
            && found.verdict.state() == State::Open
        {
            println!("{} {}", found.target, found.port);
        }
        ControlFlow::Continue(())
    })?;
    Ok(run.counts.total())
}

#[test]
fn the_readmes_example_is_one_that_compiles() {
    let _compiles: fn() -> Result<u64, Box<dyn Error>> = documented;
    let squeezed = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    };
    let example = squeezed(&readme::example("tests/feed.rs compiles this", "net::scan"));
    assert!(
        squeezed(include_str!("feed.rs")).contains(&example),
        "{example}"
    );
}
