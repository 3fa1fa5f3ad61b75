//! The worlds themselves: that their limits are what they say, and that a wrong answer is noticed.

use etherparse::PacketBuilder;

use crate::model::{Host, Port, SCANNER_V4, World, limit, ms, secs, spread};
use crate::sim::{Sim, Time};
use crate::truth::{Comparison, Output};

const MILLI: Time = 1_000_000;

fn syn(sport: u16, dport: u16) -> Vec<u8> {
    let builder = PacketBuilder::ipv4(SCANNER_V4.octets(), [198, 18, 0, 1], 64)
        .tcp(sport, dport, 7, 64_240)
        .syn();
    let mut packet = Vec::new();
    builder.write(&mut packet, &[]).unwrap();
    packet
}

/// Sends SYNs to ports 1 on, one every `gap`, and counts the answers that come within ten seconds.
fn answers(world: &World, syns: u16, gap: Time) -> (usize, Sim<'_>) {
    let mut sim = Sim::new(world, 1);
    let mut out = Vec::new();
    let mut count = 0;
    for nth in 0..syns {
        let now = Time::from(nth) * gap;
        sim.run(now, &mut out, |_| {
            count += 1;
            true
        });
        sim.take(now, &syn(10_000 + nth, nth + 1));
    }
    sim.run(Time::from(syns) * gap + 10_000 * MILLI, &mut out, |_| {
        count += 1;
        true
    });
    (count, sim)
}

fn one(host: Host) -> World {
    World::new("one").host("198.18.0.1", host)
}

#[test]
fn an_answer_takes_the_round_trip_time() {
    let world = one(Host::all(Port::Closed).rtt(ms(40), ms(0)));
    let mut sim = Sim::new(&world, 1);
    sim.take(5 * MILLI, &syn(1, 2));
    let mut out = Vec::new();
    let mut came = None;
    for now in 5..100 {
        sim.run(now * MILLI, &mut out, |_| {
            came = Some(now);
            true
        });
    }
    assert_eq!(came, Some(45));
}

#[test]
fn a_limit_passes_its_rate_and_its_burst() {
    // 1,000 SYNs in a second against 200 a second and a burst of 10.
    let world = one(Host::all(Port::Closed)).syn_limit(limit(200.0));
    let (count, sim) = answers(&world, 1_000, MILLI);
    assert!((205..=211).contains(&count), "{count} answers");
    assert_eq!(sim.tally.syns_over as usize, 1_000 - count);
}

#[test]
fn a_link_drops_what_its_queue_does_not_hold() {
    // 1,000 at once: one on the wire, about 150 wait, the rest is dropped.
    let world = one(Host::all(Port::Closed)).link(1_500.0, 150);
    let (count, sim) = answers(&world, 1_000, 0);
    assert!((150..=152).contains(&count), "{count} answers");
    assert_eq!(sim.tally.queue_up as usize, 1_000 - count);
    // At its rate nothing is.
    let (count, _) = answers(&world, 1_000, MILLI);
    assert_eq!(count, 1_000);
}

#[test]
fn a_table_of_flows_fills_with_the_unanswered_only() {
    let silent = one(Host::all(Port::Silent)).half_open(100, secs(1));
    let (_, sim) = answers(&silent, 150, MILLI);
    assert_eq!(sim.tally.table_full, 50);
    let closed = one(Host::all(Port::Closed)).half_open(100, secs(1));
    assert_eq!(answers(&closed, 150, MILLI).0, 150);
    // The first entries end after a second.
    let (_, sim) = answers(&silent, 300, 10 * MILLI);
    assert_eq!(sim.tally.table_full, 0);
}

#[test]
fn loss_and_death_are_what_was_asked_for() {
    let lossy = one(Host::all(Port::Closed).loss(0.1));
    let (count, _) = answers(&lossy, 10_000, 0);
    // 0.81 of 10,000, five standard deviations wide.
    assert!((7_900..=8_300).contains(&count), "{count} answers");
    let dead = one(Host::all(Port::Closed)).dead(ms(100), ms(200));
    let (count, _) = answers(&dead, 300, MILLI);
    assert_eq!(count, 200);
}

#[test]
fn a_lie_about_a_port_is_noticed() {
    let world = one(Host::all(Port::Closed).open([2]).with([3], Port::Silent));
    let line = |port: u16, state: &str, reason: &str| {
        format!(
            r#"{{"type":"port","ip":"198.18.0.1","port":{port},"state":"{state}","reason":"{reason}","attempts":1}}"#
        )
    };
    let sums = |open: u64, closed: u64, filtered: u64| {
        format!(
            "{{\"type\":\"host\",\"open\":{open},\"closed\":{closed},\"filtered\":{filtered},\"unscanned\":0}}\n\
             {{\"type\":\"run\",\"planned\":3,\"open\":{open},\"closed\":{closed},\"filtered\":{filtered},\"unscanned\":0}}"
        )
    };
    let compare = |lines: [String; 4]| Comparison::new(&world, 3, &Output::read(&lines.join("\n")));
    let (closed, open) = (
        line(1, "closed", "conn-refused"),
        line(2, "open", "syn-ack"),
    );
    let silent = line(3, "filtered", "no-response");

    let right = compare([closed.clone(), open.clone(), silent.clone(), sums(1, 1, 1)]);
    assert!(
        right.is_right_about_open() && right.wrong.is_empty(),
        "{right}"
    );
    let invented = line(1, "open", "syn-ack");
    let lie = compare([invented, open.clone(), silent.clone(), sums(2, 0, 1)]);
    assert_eq!((lie.invented.len(), lie.missed.len()), (1, 0), "{lie}");
    let missed = line(2, "filtered", "no-response");
    let lie = compare([closed.clone(), missed, silent.clone(), sums(0, 1, 2)]);
    assert_eq!((lie.invented.len(), lie.missed.len()), (0, 1), "{lie}");
    let refused = line(3, "closed", "conn-refused");
    let lie = compare([closed.clone(), open.clone(), refused, sums(1, 2, 0)]);
    assert_eq!(lie.wrong.len(), 1, "{lie}");
    let reason = line(3, "filtered", "port-unreach");
    let lie = compare([closed.clone(), open.clone(), reason, sums(1, 1, 1)]);
    assert_eq!(lie.reasons.len(), 1, "{lie}");
    let lie = compare([closed, open, silent, sums(1, 0, 2)]);
    assert!(!lie.faults.is_empty(), "{lie}");
}

#[test]
fn spread_gives_as_many_ports_as_asked() {
    assert_eq!(spread(122, 5_000).len(), 122);
    assert_eq!(spread(122, 5_000), spread(122, 5_000));
}
