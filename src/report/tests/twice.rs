//! What is there more than once: shards, hosts, ports.

use super::super::Weight;
use super::world::World;
use super::{report, report_as, small, text};
use crate::engine::State;
use crate::output::{Format, Show};

#[test]
fn verdicts_that_contradict_are_told() {
    // As if a host had been in two shards.
    let shards = small().shards();
    let port = text(shards[0].clone());
    let port = port
        .lines()
        .find(|line| line.contains(r#""type":"port""#))
        .expect("a port");
    let insert = |line: &str| {
        let mut shards = shards.clone();
        let second = text(shards[1].clone());
        let (start, rest) = second.split_once('\n').expect("lines");
        shards[1] = format!("{start}\n{line}\n{rest}").into_bytes();
        report(&shards, false)
    };
    let closed = port
        .replace(r#""state":"open""#, r#""state":"closed""#)
        .replace("syn-ack-reset", "conn-refused")
        .replace("syn-ack", "conn-refused");
    let (_, problems) = insert(&closed);
    let contradiction =
        |problem: &&(Weight, String)| problem.1.contains(": open in a, closed in b");
    assert_eq!(
        problems.iter().filter(contradiction).count(),
        1,
        "{problems:?}"
    );
    let (joined, problems) = insert(port);
    assert_eq!(
        problems.iter().filter(contradiction).count(),
        0,
        "{problems:?}"
    );
    // Once for each of the two lines that its host has, whose sums count it.
    assert_eq!(joined.lines().filter(|line| *line == port).count(), 2);
    let (_, again) = report(&[joined.into_bytes()], false);
    let lacks = |problem: &&(Weight, String)| problem.1.contains("lacks lines");
    assert_eq!(again.iter().find(lacks), None);
}

/// Two names of one address may be in two shards.
#[test]
fn a_host_that_two_shards_scanned_has_its_ports_in_both() {
    let world = World {
        hosts: 2,
        shards: 2,
        show: Show::with(&State::ALL),
        ..small()
    };
    let one = world.saved(Some(1));
    let two = text(one.clone()).replace(r#""index":1"#, r#""index":2"#);
    let shards = [one, two.into_bytes()];
    let ports = usize::from(world.ports);
    let (joined, problems) = report(&shards, false);
    assert_eq!(problems, []);
    let joined = [joined.into_bytes()];
    // Read again it is the same.
    for inputs in [&shards[..], &joined] {
        let (again, problems) = report(inputs, false);
        assert_eq!(problems, []);
        assert_eq!(again.matches(r#""type":"port""#).count(), 2 * ports);
        let (told, _) = report(inputs, true);
        assert_eq!(told.matches("\nPort ").count(), 2 * ports, "{told}");
        let (rows, _) = report_as(inputs, Format::Csv);
        assert_eq!(rows.lines().count(), 1 + ports, "a list has each once");
    }
}

#[test]
fn many_places_are_told_in_short() {
    let shards = small().shards();
    let (_, problems) = report(
        &[[&shards[..], &vec![shards[0].clone(); 100]]
            .concat()
            .concat()],
        false,
    );
    let told = &problems[0].1;
    assert!(
        told.starts_with("shard 1 is there 101 times: a:1, a:"),
        "{told}"
    );
    assert!(told.contains(" and 81 more; used: a:"), "{told}");
    assert!(told.len() < 300, "{told}");
}
