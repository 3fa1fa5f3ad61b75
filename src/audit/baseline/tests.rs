use super::*;
use crate::audit::made::made;
use crate::engine::Reason;

fn read(text: impl AsRef<[u8]>) -> Result<Baseline, BaselineError> {
    let mut baseline = Baseline::default();
    baseline.add("old.ndjson", text.as_ref())?;
    baseline.seal();
    Ok(baseline)
}

fn error(text: impl AsRef<[u8]>) -> String {
    read(text).expect_err("wrong").to_string()
}

/// What `baseline` tells of a port.
fn known(baseline: &mut Baseline, addr: &str, port: u16) -> Known {
    let (ports, shards) = (baseline.ports().cloned(), baseline.by_ports());
    let host = baseline.host_mut(addr.parse().expect("an address"));
    let host = host.expect("a host");
    let rest = ports.as_ref();
    let rest = rest.map_or(Known::Nothing, |ports| host.rest(ports, shards));
    host.known(port, ports.as_ref(), rest)
}

#[test]
fn a_port_that_is_not_listed_is_not_open() {
    let saved = made("1-100", &[("10.0.0.1", &[22])]).saved();
    let mut baseline = read(saved).expect("a baseline");
    for (port, wanted) in [
        (22, Known::Is(State::Open)),
        (23, Known::NotOpen),
        (101, Known::NotPlanned),
    ] {
        assert_eq!(known(&mut baseline, "10.0.0.1", port), wanted, "{port}");
    }
    assert_eq!(baseline.gap(), None);
}

#[test]
fn an_incomplete_host_tells_what_it_lists() {
    let host = made("1-100", &[("10.0.0.1", &[22])]).with("10.0.0.1", 99, Reason::Interrupted);
    let mut baseline = read(host.saved()).expect("a baseline");
    assert_eq!(known(&mut baseline, "10.0.0.1", 22), Known::Is(State::Open));
    assert_eq!(
        known(&mut baseline, "10.0.0.1", 23),
        Known::NotOpenIfScanned
    );
    assert_eq!(
        baseline.gap().as_deref(),
        Some("the baseline is incomplete")
    );
    let mut all = read(host.show(&State::ALL).saved()).expect("a baseline");
    assert_eq!(known(&mut all, "10.0.0.1", 23), Known::Is(State::Closed));
    assert_eq!(known(&mut all, "10.0.0.1", 99), Known::Unscanned);
}

#[test]
fn a_line_that_is_missing_is_no_closed_port() {
    let saved = made("1-100", &[("10.0.0.1", &[22, 80])]).saved();
    let lines = saved.lines().filter(|line| !line.contains("\"port\":80,"));
    let mut baseline = read(lines.collect::<Vec<_>>().join("\n")).expect("a baseline");
    assert_eq!(known(&mut baseline, "10.0.0.1", 22), Known::Is(State::Open));
    assert_eq!(known(&mut baseline, "10.0.0.1", 80), Known::Nothing);
}

#[test]
fn a_result_cut_off_tells_what_it_lists() {
    let saved = made("1-100", &[("10.0.0.1", &[22]), ("10.0.0.2", &[80])]).saved();
    // Without the last line break nothing is missing.
    for cut in (0..saved.len() - 1).step_by(7) {
        match read(&saved[..cut]) {
            Ok(mut baseline) => {
                let gap = baseline.gap();
                assert_eq!(gap.as_deref(), Some("the baseline is cut off"), "{cut}");
                if baseline
                    .hosts
                    .contains_key(&"10.0.0.2".parse().expect("an address"))
                {
                    let known = known(&mut baseline, "10.0.0.2", 80);
                    assert_eq!(known, Known::Is(State::Open), "{cut}");
                }
            }
            Err(error) => {
                let none = "old.ndjson has no start line; it is nothing that --format ndjson saved";
                assert_eq!(error.to_string(), none, "{cut}");
                assert!(cut < saved.find('\n').expect("lines"), "{cut}");
            }
        }
    }
}

#[test]
fn shards_make_up_one_baseline() {
    let hosts: [(&str, &[u16]); 2] = [("10.0.0.1", &[22, 80]), ("10.0.0.2", &[22])];
    // Of the last some have no port.
    for count in [2, 5, 101] {
        let shard = |index| {
            let mut shard = made("1-100", &hosts);
            shard.shard = Some((index, count));
            shard.saved()
        };
        let shards: Vec<String> = (1..=count).map(shard).collect();
        let mut baseline = read(shards.concat()).expect("a baseline");
        for (addr, port, wanted) in [
            ("10.0.0.1", 22, Known::Is(State::Open)),
            ("10.0.0.1", 80, Known::Is(State::Open)),
            ("10.0.0.1", 81, Known::NotOpen),
            ("10.0.0.2", 80, Known::NotOpen),
        ] {
            assert_eq!(
                known(&mut baseline, addr, port),
                wanted,
                "{count} {addr} {port}"
            );
        }
        assert_eq!(baseline.gap(), None);
        let part = read(shards[1..].concat()).expect("a baseline");
        let missing = format!("shard 1 of {count} of the baseline is missing");
        assert_eq!(part.gap(), Some(missing));
    }
    // Where each has ports of a host, what is not listed is known with the last of them.
    let mut shard = made("1-100", &hosts);
    shard.shard = Some((1, 5));
    let mut part = read(shard.saved()).expect("a baseline");
    assert_eq!(known(&mut part, "10.0.0.2", 50), Known::Nothing);
}

#[test]
fn a_shard_scanned_again_counts() {
    let first = made("1-100", &[("10.0.0.1", &[22])]).with("10.0.0.1", 99, Reason::Interrupted);
    let again = made("1-100", &[("10.0.0.1", &[22])]);
    let both = first.saved() + &again.saved();
    let mut baseline = read(both).expect("a baseline");
    assert_eq!(known(&mut baseline, "10.0.0.1", 99), Known::NotOpen);
    assert_eq!(baseline.gap(), None);
}

#[test]
fn another_run_is_refused() {
    let one = made("1-100", &[("10.0.0.1", &[22])]).saved();
    let two = made("1-101", &[("10.0.0.1", &[22])]).saved();
    let lines = one.lines().count();
    let wanted = format!(
        "old.ndjson:{} is of another run than old.ndjson:1: they differ in ports",
        lines + 1
    );
    assert_eq!(error(one + &two), wanted);
}

#[test]
fn what_is_no_result_is_told() {
    let saved = made("1-100", &[("10.0.0.1", &[22])]).saved();
    let (start, rest) = saved.split_once('\n').expect("lines");
    let none = "old.ndjson has no start line; it is nothing that --format ndjson saved";
    assert_eq!(error(""), none);
    assert_eq!(error(rest), none);
    assert!(error("hello\n").starts_with(none), "{}", error("hello\n"));
    let broken = error(format!("{start}\n{{\"type\":\"port\"}}\n{rest}"));
    assert_eq!(broken, "old.ndjson:2: missing field `ip`");
    let hostile = error(format!("{start}\n{{\"type\":\"\x1b[2J\u{202e}\n"));
    assert!(!hostile.contains(['\x1b', '\u{202e}']), "{hostile}");
    let invalid = [
        start.as_bytes(),
        b"\n{\"type\":\"port\",\"ip\":\"\xff\xfe\"}\n",
    ]
    .concat();
    assert!(
        error(&invalid).starts_with("old.ndjson:2: "),
        "{}",
        error(invalid)
    );
    let after = error(format!(
        "{saved}{}\n",
        saved.lines().nth(1).expect("a port line")
    ));
    assert!(after.ends_with(": a line after the run line"), "{after}");
}

/// Numbers that no scan has must not be believed, nor cost anything.
#[test]
fn absurd_numbers_cost_nothing() {
    let mut shard = made("1-100", &[("10.0.0.1", &[22])]);
    shard.shard = Some((1_000_000, 1_000_000));
    let baseline = read(shard.saved()).expect("a baseline");
    let missing = "shard 1 of 1000000 of the baseline is missing";
    assert_eq!(baseline.gap().as_deref(), Some(missing));
    let saved = made("1-100", &[("10.0.0.1", &[22])]).saved();
    let huge = saved
        .replace(
            "\"planned\":100,\"open\":1,\"closed\":99",
            "\"planned\":65536,\"open\":1,\"closed\":65535",
        )
        .replace("\"conn-refused\":99", "\"conn-refused\":65535");
    assert_ne!(huge, saved);
    let mut baseline = read(huge).expect("a baseline");
    assert_eq!(known(&mut baseline, "10.0.0.1", 23), Known::Nothing);
}
