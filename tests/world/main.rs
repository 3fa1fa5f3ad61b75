//! The real program on simulated networks (Linux: a TUN device in a network namespace of its own).
//!
//! `model` describes a network, `sim` plays it, `packet` reads and builds its packets, `tally` counts
//! them, `lab` connects it to the kernel; `networks` are those of the README's table, `truth` and
//! `check` hold what the program says against what is there. Times never fail a test.
#![cfg(target_os = "linux")]
// Tests may stop where a thing that cannot fail does; the bench uses what they do not.
#![allow(clippy::unwrap_used, dead_code)]

mod check;
mod killed;
mod lab;
mod model;
mod networks;
mod packet;
mod reuse;
mod sim;
mod sim_tests;
mod tally;
mod truth;

use std::time::Duration;

use check::scan;
use model::{Host, Port, World, limit, ms, secs, spread};
use networks::Network;

fn network(world: World, target: &'static str, top: u16) -> Network {
    Network {
        world,
        target,
        top,
        args: &[],
        bound: None,
    }
}

#[test]
fn a_host_in_the_same_room() {
    let net = networks::lan("lan", 20_000, 18, Duration::ZERO, Duration::ZERO);
    if let Some(scanned) = scan("a_host_in_the_same_room", &net, 1) {
        scanned.all_right(0);
    }
}

#[test]
fn a_host_far_away() {
    let net = networks::lan("far", 20_000, 18, ms(40), ms(1));
    if let Some(scanned) = scan("a_host_far_away", &net, 2) {
        scanned.all_right(0);
    }
}

#[test]
fn a_firewall_that_drops() {
    let net = networks::drop("drop", 3_000, 16, 0.0);
    if let Some(scanned) = scan("a_firewall_that_drops", &net, 3) {
        scanned.all_right(0);
    }
}

#[test]
fn a_firewall_that_drops_and_a_path_that_loses() {
    let net = networks::drop("drop-lossy", 1_500, 60, 0.03);
    if let Some(scanned) = scan("a_firewall_that_drops_and_a_path_that_loses", &net, 4) {
        scanned.all_right(0);
    }
}

#[test]
fn closed_ports_and_a_path_that_loses() {
    let net = networks::lossy("closed-lossy", 4_000, 80, 0.05);
    if let Some(scanned) = scan("closed_ports_and_a_path_that_loses", &net, 5) {
        // --miss allows one in a thousand: 4; three times that is beyond chance.
        scanned.all_right(12);
    }
}

#[test]
fn rejections_are_limited() {
    let net = networks::icmp_limited("icmp-limited", 2_000, 30, 200.0);
    if let Some(scanned) = scan("rejections_are_limited", &net, 6) {
        scanned
            .all_right(0)
            .require("the limit was met", scanned.tally.icmp_over > 0);
    }
}

#[test]
fn refusals_are_limited() {
    let net = networks::rst_limited("rst-limited", 2_000, 30, 200.0);
    if let Some(scanned) = scan("refusals_are_limited", &net, 7) {
        scanned
            .all_right(0)
            .require("the limit was met", scanned.tally.rsts_over > 0)
            .require(
                "the output says that closed and filtered look alike",
                scanned.host("refusals_limited") == true,
            );
    }
}

#[test]
fn refusals_are_limited_and_all_are_wanted() {
    let mut net = networks::rst_limited("rst-limited-exact", 1_000, 20, 200.0);
    net.args = &["--exact"];
    if let Some(scanned) = scan("refusals_are_limited_and_all_are_wanted", &net, 8) {
        scanned.all_right(0).require(
            "closed is told from filtered",
            scanned.comparison.hidden == 0,
        );
    }
}

#[test]
fn open_ports_answer_late() {
    let net = networks::late("late", 1_000, 14);
    if let Some(scanned) = scan("open_ports_answer_late", &net, 9) {
        scanned.all_right(0);
    }
}

#[test]
fn a_network_most_of_it_silent() {
    let net = networks::slash24("slash24");
    if let Some(scanned) = scan("a_network_most_of_it_silent", &net, 10) {
        scanned.all_right(0);
    }
}

#[test]
fn a_router_that_limits_syns() {
    let net = networks::syn_limited("syn-limited", 2_000, 40, 800.0);
    if let Some(scanned) = scan("a_router_that_limits_syns", &net, 11) {
        scanned
            .all_right(6)
            .require("the limit was met", scanned.tally.syns_over > 0);
    }
}

#[test]
fn a_thin_link() {
    let net = networks::thin("thin-link", 3_000, 60, 1_500.0, 150);
    if let Some(scanned) = scan("a_thin_link", &net, 12) {
        scanned.all_right(9);
    }
}

#[test]
fn a_router_with_few_flows() {
    let net = networks::half_open("half-open", 400, 20, 256, secs(2));
    if let Some(scanned) = scan("a_router_with_few_flows", &net, 13) {
        scanned
            .all_right(0)
            .require("the table was full", scanned.tally.table_full > 0);
    }
}

#[test]
fn a_path_dead_for_a_while() {
    let net = networks::dead("dead", 4_000, 40, ms(300), ms(1_300));
    if let Some(scanned) = scan("a_path_dead_for_a_while", &net, 14) {
        scanned
            .all_right(0)
            .require("the path was dead", scanned.tally.dead > 0);
    }
}

#[test]
fn a_path_dead_twice() {
    let closed = networks::lan("dead-twice", 4_000, 40, ms(20), ms(1));
    let world = closed
        .world
        .link(3_000.0, 200)
        .dead(ms(300), ms(800))
        .dead(ms(1_500), ms(2_500));
    let net = network(world, closed.target, closed.top);
    if let Some(scanned) = scan("a_path_dead_twice", &net, 15) {
        scanned
            .all_right(12)
            .require("the path was dead", scanned.tally.dead > 0);
    }
}

/// One port in ten rejects with each type and code; the rest are open, closed or silent.
fn rejecting(kinds: &[(u8, u8)]) -> Host {
    let mut host = Host::all(Port::Closed)
        .open(1..=5)
        .with(6..=15, Port::Silent)
        .rtt(ms(5), ms(1));
    for (nth, (kind, code)) in (2_u16..).zip(kinds) {
        let reject = Port::Reject(*kind, *code);
        host = host.with(nth * 10..nth * 10 + 5, reject);
        host = host.with(
            nth * 10 + 5..nth * 10 + 10,
            Port::RouterReject(*kind, *code),
        );
    }
    host
}

#[test]
fn rejections_of_every_kind() {
    let kinds = [(3, 0), (3, 2), (3, 3), (3, 9), (3, 10), (3, 13), (11, 0)];
    let world = World::new("rejects").host("198.18.0.1", rejecting(&kinds));
    let net = network(world, "198.18.0.1", 120);
    if let Some(scanned) = scan("rejections_of_every_kind", &net, 16) {
        scanned.all_right(0);
    }
}

#[test]
fn rejections_of_every_kind_in_ipv6() {
    let kinds = [(1, 0), (1, 1), (1, 4), (1, 5), (1, 6), (3, 0)];
    let world = World::new("rejects-v6").host("fd00:18::1", rejecting(&kinds));
    let net = network(world, "fd00:18::1", 120);
    if let Some(scanned) = scan("rejections_of_every_kind_in_ipv6", &net, 17) {
        scanned.all_right(0);
    }
}

#[test]
fn a_host_that_is_not_there() {
    let world = World::new("absent").host(
        "198.18.0.1",
        Host::all(Port::RouterReject(3, 1)).rtt(ms(5), ms(1)),
    );
    let net = network(world, "198.18.0.1", 5_000);
    if let Some(scanned) = scan("a_host_that_is_not_there", &net, 18) {
        scanned.all_right(0).require(
            "the router's word, once confirmed, ends the host",
            scanned.tally.attempts < 1_000,
        );
    }
}

#[test]
fn a_host_that_accepts_everything() {
    let world =
        World::new("accepts-all").host("198.18.0.1", Host::all(Port::Open).rtt(ms(5), ms(1)));
    let net = network(world, "198.18.0.1", 2_000);
    if let Some(scanned) = scan("a_host_that_accepts_everything", &net, 19) {
        scanned.all_right(0).require(
            "the host is suspect",
            scanned.host("suspect") == "accepts-all",
        );
    }
}

#[test]
fn a_reset_after_the_handshake_is_open() {
    let host = Host::all(Port::Closed).with(spread(100, 1_000), Port::Reset);
    let world = World::new("reset").host("198.18.0.1", host.clone());
    let world = world.host("198.18.0.2", host.rtt(ms(20), ms(1)));
    let net = network(world, "198.18.0.1-2", 1_000);
    if let Some(scanned) = scan("a_reset_after_the_handshake_is_open", &net, 20) {
        scanned.all_right(0);
    }
}

/// A full accept queue drops the first SYNs, whatever the path does.
#[test]
fn a_full_accept_queue() {
    let host = Host::all(Port::Silent)
        .open(spread(20, 1_000))
        .with([11, 222, 333, 444, 555], Port::Busy(1));
    let world = World::new("busy").host("198.18.0.1", host.rtt(ms(20), ms(1)));
    let net = network(world, "198.18.0.1", 1_000);
    if let Some(scanned) = scan("a_full_accept_queue", &net, 21) {
        scanned.all_right(0);
    }
}

#[test]
fn a_round_trip_time_that_grows() {
    let plain = networks::lan("rtt-grows", 4_000, 40, ms(20), ms(2));
    let host = plain.world.at(0).clone().rtt_grows(ms(400), secs(1));
    let world = World::new("rtt-grows").host("198.18.0.1", host.link(3_000.0, 300));
    let net = network(world, "198.18.0.1", 4_000);
    if let Some(scanned) = scan("a_round_trip_time_that_grows", &net, 22) {
        scanned.all_right(12);
    }
}

#[test]
fn a_lossy_host_in_ipv6() {
    let host = Host::all(Port::Closed)
        .with(1_000..2_000, Port::Silent)
        .open(spread(60, 3_000))
        .rtt(ms(15), ms(3))
        .loss(0.03);
    let world = World::new("lossy-v6").host("fd00:18::7", host);
    let net = network(world, "fd00:18::7", 3_000);
    if let Some(scanned) = scan("a_lossy_host_in_ipv6", &net, 23) {
        scanned.all_right(9);
    }
}

#[test]
fn thousands_of_hosts() {
    let hosts = vec![
        Host::all(Port::Silent),
        Host::all(Port::Closed).open([2, 5]).rtt(ms(10), ms(2)),
        Host::all(Port::RouterReject(3, 1)).rtt(ms(10), ms(2)),
        Host::all(Port::Silent).open([1]).rtt(ms(60), ms(5)),
    ];
    let pick = |n: u32| match n % 16 {
        1 | 7 => 1,
        3 => 2,
        9 => 3,
        _ => 0,
    };
    let world = World::new("thousands").subnet("198.18.16.0", 4_096, hosts, pick);
    let net = network(world, "198.18.16.0/20", 5);
    if let Some(scanned) = scan("thousands_of_hosts", &net, 24) {
        scanned.all_right(0);
    }
}

/// One host in sixteen passes few SYNs; what is right of it must be right, and quick for the others.
#[test]
fn one_limited_host_among_many() {
    let host = Host::all(Port::Closed)
        .open([3, 77, 150])
        .rtt(ms(20), ms(2));
    let slow = host.clone().syn_limit(limit(100.0));
    let thin = host.clone().link(200.0, 30);
    let pick = |n: u32| match n {
        5 => 1,
        11 => 2,
        _ => 0,
    };
    let world = World::new("one-limited").subnet("198.18.8.0", 16, vec![host, slow, thin], pick);
    let net = network(world, "198.18.8.0-15", 200);
    if let Some(scanned) = scan("one_limited_host_among_many", &net, 25) {
        scanned.all_right(2);
    }
}
