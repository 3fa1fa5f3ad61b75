//! Shards that have ports of all hosts each: what each says of a host is joined.

use super::super::Weight;
use super::world::World;
use super::{lines, report, said, small, text};

/// What is joined of the parts of one host, each changed by `change`, and what is said of it.
fn changed_parts(change: impl Fn(usize, String) -> String) -> (String, Vec<(Weight, String)>) {
    let world = World {
        hosts: 1,
        shards: 3,
        ports: 30,
        ..small()
    };
    let shards = world.shards().into_iter().enumerate();
    let shards = shards.map(|(index, saved)| change(index, text(saved)).into_bytes());
    report(&shards.collect::<Vec<_>>(), false)
}

/// Found by fuzzing: the line said reasons of some of its ports, and could not be read again.
#[test]
fn reasons_of_a_part_are_no_reasons_of_the_host() {
    let (joined, problems) = changed_parts(|index, saved| {
        let (head, rest) = saved.split_once(r#""reasons":{"#).expect("a host line");
        let (_, tail) = rest.split_once('}').expect("an object");
        match index {
            1 => format!(r#"{head}"reasons":{{}}{tail}"#),
            _ => saved,
        }
    });
    assert_eq!(problems, []);
    let host = lines(&joined, "host").into_values().next().expect("a host");
    assert_eq!(host["reasons"], serde_json::json!({}));
    assert_eq!(said(&[joined.into_bytes()]), []);
}

#[test]
fn no_host_has_more_ports_than_there_are() {
    let told = |planned: u64, closed: u64| {
        let (joined, problems) = changed_parts(|_, saved| {
            let (head, rest) = saved.split_once(r#"{"type":"host""#).expect("a host line");
            let (_, tail) = rest.split_once('\n').expect("lines");
            let counts = format!(
                r#""planned":{planned},"open":0,"closed":{closed},"filtered":0,"unscanned":0"#
            );
            let rest = r#""reasons":{},"miss":null,"loss":null,"refusals_limited":false,"suspect":null,"suspect_ports":null,"open_not_listed":0,"started":"2026-01-01T00:00:00Z","elapsed_s":1"#;
            format!(
                "{head}{{\"type\":\"host\",\"ip\":\"192.0.2.0\",\"host\":null,{counts},{rest}}}\n{tail}"
            )
        });
        let host = lines(&joined, "host").into_values().next();
        (host.map(|host| host["planned"].clone()), problems)
    };
    let (planned, problems) = told(40_000, 40_000);
    assert_eq!(planned, Some(40_000.into()));
    let wanted = "192.0.2.0 has more ports in all shards than a host has: not all are used";
    assert_eq!(problems.last(), Some(&(Weight::Incomplete, wanted.into())));
    let (_, problems) = told(65_537, 65_537);
    assert!(
        problems[0]
            .1
            .ends_with(": planned is 65537, and a host has 65536 ports"),
        "{problems:?}"
    );
}
