//! The real program on hosts that have nearly nothing, and when something runs out in the middle of
//! a run: every verdict is the one that a scan without want gives.
//!
//! Each test scans a world (see tests/world) twice, once with all that this machine has and once in
//! want. The worlds lose nothing, so both must say what is there.
#![cfg(target_os = "linux")]
// The worlds' other users need what these tests do not.
#![allow(clippy::unwrap_used, dead_code)]

mod absent;
mod faults;
mod groups;
#[path = "../world/lab.rs"]
mod lab;
#[path = "../world/model.rs"]
mod model;
#[path = "../world/packet.rs"]
mod packet;
#[path = "../world/sim.rs"]
mod sim;
#[path = "../world/tally.rs"]
mod tally;
mod trial;
#[path = "../world/truth.rs"]
mod truth;

use groups::Group;
use model::{Host, Port, World, ms, spread};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use trial::{Trial, both};

/// Ports 1 to this one are scanned.
const TOP: u16 = 1_500;

/// Two hosts with ports of every kind.
fn world(name: &'static str) -> World {
    let host = |rejects: (u8, u8)| {
        Host::all(Port::Closed)
            .with(spread(60, TOP), Port::RouterReject(rejects.0, rejects.1))
            .with(spread(8, TOP), Port::Silent)
            .open(spread(50, TOP))
            .rtt(ms(3), ms(1))
    };
    World::new(name)
        .host("198.18.0.1", host((3, 13)))
        .host("fd00:18::1", host((1, 1)))
}

#[test]
fn sixteen_descriptors() {
    let trial = Trial::new("sixteen_descriptors", world("descriptors"), TOP);
    let few = ["prlimit", "--nofile=16:16"];
    if let Some(ran) = both(&trial, |trial| trial.run(&few, |_| ())) {
        ran.must_say(" of 16 descriptors left");
    }
}

#[test]
fn an_ephemeral_range_of_64_ports() {
    let plain = Trial::new("an_ephemeral_range_of_64_ports", world("ports"), TOP);
    let few = Trial {
        world: world("few-ports").source_ports(40_000, 40_063),
        ..plain.clone()
    };
    if let Some(ran) = both(&plain, |_| few.run(&[], |_| ())) {
        ran.must_say(" 64 source ports ");
    }
}

#[test]
fn one_core() {
    let trial = Trial::new("one_core", world("core"), TOP);
    let one = |trial: &Trial| {
        // The thread that plays the world and the program inherit it.
        let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu) == Ok(true));
        let mut one = CpuSet::new();
        one.set(first.unwrap()).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        trial.run(&[], |_| ())
    };
    both(&trial, one);
}

#[test]
fn a_tenth_of_a_core() {
    let trial = Trial::new("a_tenth_of_a_core", world("tenth"), TOP);
    both(&trial, |trial| match Group::tenth_of_a_core() {
        Ok(group) => trial.run(&group.enter(), |_| ()),
        Err(why) => {
            println!("no control group ({why}): the program is stopped nine tenths of the time");
            trial.run(&[], groups::stop_and_go)
        }
    });
}

/// Without a budget the sockets of this scan would take all of it and more, and the kernel would end
/// the program.
#[test]
fn sixteen_megabytes() {
    const PORTS: u16 = 20_000;
    let host = Host::all(Port::Silent)
        .with(spread(500, PORTS), Port::Closed)
        .open(spread(50, PORTS))
        .rtt(ms(3), ms(1));
    let world = World::new("memory").host("198.18.0.1", host);
    let mut trial = Trial::new("sixteen_megabytes", world, PORTS);
    trial.args = &["--timeout", "250ms", "--min-rtt-timeout", "100ms"];
    let ran = both(&trial, |trial| match Group::of_memory(16 << 20) {
        Ok(group) => trial.run(&group.enter(), |_| ()),
        Err(why) => {
            println!("no control group ({why}): ulimit -v and --max-memory");
            let args = ["--max-memory", "16M"];
            let bounded = Trial {
                args: &[trial.args, &args].concat(),
                ..trial.clone()
            };
            bounded.run(&["prlimit", "--as=67108864"], |_| ())
        }
    });
    if let Some(ran) = ran {
        let group = "memory left in the control group";
        assert!(
            ran.stderr.contains(group) || ran.stderr.contains("16 MiB memory allowed"),
            "{}",
            ran.stderr
        );
    }
}

/// The user's bound holds whatever else there is: four megabytes, with many hosts.
#[test]
fn four_megabytes_by_the_users_word() {
    let host = Host::all(Port::Closed)
        .open([3, 77, 150])
        .with(300..=302, Port::Silent)
        .rtt(ms(3), ms(1));
    let world = World::new("four").subnet("198.18.8.0", 64, vec![host], |_| 0);
    let mut trial = Trial::new("four_megabytes_by_the_users_word", world, 400);
    trial.args = &["--timeout", "400ms"];
    let ran = both(&trial, |trial| {
        let bounded = Trial {
            args: &[trial.args, &["--max-memory", "4M"]].concat(),
            ..trial.clone()
        };
        bounded.run(&[], |_| ())
    });
    if let Some(ran) = ran {
        // 1.5 MiB are free beside the program itself; two bytes go to each of 64 times 400 ports.
        ran.must_say("up to 165 sockets");
        ran.must_say(", sockets 165 and ");
    }
}
