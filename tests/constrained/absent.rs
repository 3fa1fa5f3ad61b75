//! Kernels and containers that lack what a scan likes to have: it is found out when it is asked for,
//! and the verdicts are the same but for the finer reason.

use crate::model::{Host, Port, World, ms, spread};
use crate::trial::{Ran, Trial, is_there, plenty};

const TOP: u16 = 500;

/// Ports of every kind. What rejects does so by a code whose error differs from a refusal's: without
/// the error queue nothing tells a port-unreachable from a RST.
fn world(name: &'static str) -> World {
    let host = |kind, code| {
        Host::all(Port::Closed)
            .with(spread(40, TOP), Port::RouterReject(kind, code))
            .with(spread(4, TOP), Port::Silent)
            .open(spread(30, TOP))
            .rtt(ms(3), ms(1))
    };
    World::new(name)
        .host("198.18.0.1", host(3, 13))
        .host("fd00:18::1", host(1, 1))
}

/// Scans once with all there is and once with `faults` by strace, and compares the states.
fn without(test: &'static str, faults: &[&str]) -> Option<Ran> {
    if !is_there(&["strace", "-qq", "-o", "/dev/null", "true"]) {
        return None;
    }
    let mut trial = Trial::new(test, world("absent"), TOP);
    trial.args = &["--timeout", "300ms"];
    let plenty = plenty(&trial)?;
    let faults = faults.iter().map(|fault| format!("--inject={fault}"));
    let faults: Vec<String> = faults.collect();
    let mut strace = vec!["strace", "-qq", "-o", "/dev/null"];
    strace.extend(faults.iter().map(String::as_str));
    let old = trial
        .run(&strace, |_| ())
        .expect("a world was made already");
    old.must_be_but_for_reasons(&plenty);
    Some(old)
}

/// Without an error queue an ICMP rejection is known by the error alone.
fn without_queue(test: &'static str, faults: &[&str]) {
    if let Some(old) = without(test, faults) {
        assert!(!old.reasons.is_empty(), "the queue was there");
    }
}

/// Linux before 5.8 queues no ICMP message for a connecting socket.
#[test]
fn an_error_queue_that_stays_empty() {
    let test = "absent::an_error_queue_that_stays_empty";
    without_queue(test, &["recvmsg:error=EAGAIN"]);
}

/// What plays Linux may know nothing of error queues at all.
#[test]
fn no_error_queue_to_ask_for() {
    let test = "absent::no_error_queue_to_ask_for";
    without_queue(
        test,
        &["setsockopt:error=ENOPROTOOPT", "recvmsg:error=EINVAL"],
    );
}

/// No limit of descriptors can be read or raised, and no list of the open ones.
#[test]
fn no_limits_to_ask_for() {
    let test = "absent::no_limits_to_ask_for";
    let faults = ["prlimit64,getrlimit,setrlimit:error=ENOSYS"];
    if let Some(old) = without(test, &faults) {
        old.must_say("descriptors without limit");
    }
}
