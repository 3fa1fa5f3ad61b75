//! What runs out in the middle of a run, and comes back.

use std::process::Command;
use std::thread::sleep;

use nix::unistd::Pid;

use crate::lab::sysctl;
use crate::model::{Host, Port, World, ms, spread};
use crate::trial::{Trial, both, is_there, plenty};
use crate::{TOP, world};

/// The scan takes a second and more, so that there is a middle.
const SLOW: &[&str] = &["--rate", "2500/s", "--timeout", "500ms"];

#[test]
fn descriptors_taken_away_and_given_back() {
    let mut trial = Trial::new(
        "faults::descriptors_taken_away_and_given_back",
        world("descriptors"),
        TOP,
    );
    trial.args = SLOW;
    if !is_there(&["prlimit", "--version"]) {
        return;
    }
    let limit = |pid: Pid, soft: u32| {
        let status = Command::new("prlimit")
            .args([&format!("--pid={pid}"), &format!("--nofile={soft}:")])
            .status();
        assert!(status.unwrap().success());
    };
    let ran = both(&trial, |trial| {
        trial.run(&[], |pid| {
            for few in [7, 12, 7] {
                sleep(ms(150));
                limit(pid, few);
                sleep(ms(150));
                limit(pid, 1_000);
            }
        })
    });
    if let Some(ran) = ran {
        ran.must_say("out of file descriptors");
    }
}

#[test]
fn source_ports_taken_away_and_given_back() {
    let mut trial = Trial::new(
        "faults::source_ports_taken_away_and_given_back",
        world("ports"),
        TOP,
    );
    trial.args = SLOW;
    let reserve = |ports: &str| sysctl("net/ipv4/ip_local_reserved_ports", ports).unwrap();
    let ran = both(&trial, |trial| {
        trial.run(&[], |_| {
            for _ in 0..3 {
                sleep(ms(200));
                reserve("1-65535");
                sleep(ms(150));
                reserve("\n");
            }
        })
    });
    if let Some(ran) = ran {
        ran.must_say("out of ephemeral ports");
    }
}

/// strace lets every few calls fail, from one on to another: a dozen failures.
fn injected(test: &'static str, faults: &[(&str, &str)]) {
    if !is_there(&["strace", "-qq", "-o", "/dev/null", "true"]) {
        return;
    }
    let host = |kind, code| {
        Host::all(Port::Closed)
            .with(spread(40, 500), Port::Reject(kind, code))
            .with(spread(40, 499), Port::RouterReject(kind, code))
            .with(spread(2, 500), Port::Silent)
            .open(spread(30, 500))
            .rtt(ms(3), ms(1))
    };
    let world = World::new("injected")
        .host("198.18.0.1", host(3, 3))
        .host("fd00:18::1", host(1, 4));
    let mut trial = Trial::new(test, world, 500);
    trial.args = &["--timeout", "300ms"];
    let Some(plenty) = plenty(&trial) else { return };
    for (fault, told) in faults {
        let inject = format!("--inject={fault}");
        let strace = ["strace", "-qq", "-o", "/dev/null", &inject];
        let scarce = trial
            .run(&strace, |_| ())
            .expect("a world was made already");
        scarce.must_be(&plenty);
        scarce.must_say(told);
    }
}

const MEMORY: &str = "out of memory for sockets";
const PORTS: &str = "out of ephemeral ports";
const FILES: &str = "out of file descriptors";

#[test]
fn connect_fails() {
    injected(
        "faults::connect_fails",
        &[
            ("connect:error=ENOBUFS:when=20..104+7", MEMORY),
            ("connect:error=ENOMEM:when=1..133+11", MEMORY),
            ("connect:error=EADDRNOTAVAIL:when=20..104+7", PORTS),
            ("connect:error=EAGAIN:when=2..62+5", "the system is busy"),
        ],
    );
}

#[test]
fn sockets_cannot_be_made() {
    injected(
        "faults::sockets_cannot_be_made",
        &[
            ("socket:error=EMFILE:when=10..46+3", FILES),
            ("socket:error=ENFILE:when=1..37+3", FILES),
            ("socket:error=ENOBUFS:when=2..26+2", MEMORY),
            ("socket:error=ENOMEM:when=20..80+5", MEMORY),
            ("setsockopt:error=ENOBUFS:when=3..51+4", MEMORY),
            ("epoll_ctl:error=ENOMEM:when=4..40+3", MEMORY),
            ("epoll_ctl:error=ENOSPC:when=10..46+3", MEMORY),
        ],
    );
}

/// The kernel does not say what became of an attempt.
#[test]
fn answers_cannot_be_read() {
    injected(
        "faults::answers_cannot_be_read",
        &[
            ("recvmsg:error=ENOMEM:when=5..53+4", MEMORY),
            ("recvmsg:error=ENOBUFS:when=1..109+9", MEMORY),
            (
                "getsockname:error=ENOBUFS:when=2..38+3",
                "the system is busy",
            ),
            ("getpeername:error=ENOBUFS:when=1..25+2", ""),
            ("epoll_wait:error=EINTR:when=3..51+4", ""),
        ],
    );
}
