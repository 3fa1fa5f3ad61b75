//! Hosts handed to a scan while it runs, as a program that embeds it would.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nishad::engine::{Options, Report};
use nishad::net::{self, Event, FeedClosed, RunReport, Scan};
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
    let cancel = Default::default();
    let run = scan.run(&cancel, &mut |event| {
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
    let cancel = Arc::new(AtomicBool::new(false));
    // The feeder is still there: only the cancellation ends the scan.
    let run = Scan::new(space, Options::default())
        .feed(feed)
        .run(&cancel, &mut |event| {
            if let Event::Report(Report::Host(_)) = event {
                cancel.store(true, Ordering::SeqCst);
            }
            ControlFlow::Continue(())
        });
    let run = run.expect("the machine has an event queue");
    assert_eq!((run.counts.open, run.counts.total()), (1, 1));
    assert_eq!(feeder.send(host(2)), Err(FeedClosed));
}
