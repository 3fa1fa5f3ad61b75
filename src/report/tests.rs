//! Runs that were never made, saved whole and in shards, and read back.

mod parts;
mod twice;
mod world;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::engine::State;
use crate::output::{Format, Output, Record, Show, TextOptions};
use world::{World, world};

/// What `nishad report` would write, and what it would say.
fn report(inputs: &[Vec<u8>], text: bool) -> (String, Vec<(Weight, String)>) {
    report_as(inputs, if text { Format::Text } else { Format::Ndjson })
}

fn report_as(inputs: &[Vec<u8>], format: Format) -> (String, Vec<(Weight, String)>) {
    let mut survey = Survey::default();
    for (name, input) in ('a'..).zip(inputs) {
        survey
            .add(&name.to_string(), &input[..])
            .expect("a slice is readable");
    }
    survey.check_run().expect("of one run");
    let said = |problem: &Problem| (problem.weight(), problem.to_string());
    let mut problems: Vec<_> = survey.problems().iter().map(said).collect();
    let mut out = Vec::new();
    if let Some(merge) = Merge::new(survey) {
        problems = merge.problems().iter().map(said).collect();
        let look = TextOptions {
            color: false,
            reasons: false,
            verbose: true,
            more_hosts: 0,
            zone: TimeZone::UTC,
        };
        let mut output = Output::new(format, look);
        let open = |index: usize| Ok(&inputs[index][..]);
        let mut each = |record: &Record<'_>| output.record(&mut out, record);
        let more = merge.write(merge.saved(), open, &mut each);
        problems.extend(more.expect("no error").iter().map(said));
    }
    (String::from_utf8(out).expect("UTF-8"), problems)
}

/// The lines of one type, by host and port, without what differs from run to run.
fn lines(text: &str, kind: &str) -> BTreeMap<(String, u64), Value> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line).expect(line);
        if line["type"] != kind {
            continue;
        }
        for unsteady in ["time", "started", "elapsed_s", "run_id", "key", "args"] {
            line[unsteady] = Value::Null;
        }
        let ip = line["ip"].as_str().unwrap_or_default().to_string();
        let key = (ip, line["port"].as_u64().unwrap_or(0));
        assert!(found.insert(key, line).is_none(), "twice in {text}");
    }
    found
}

fn text(saved: Vec<u8>) -> String {
    String::from_utf8(saved).expect("UTF-8")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// All shards together are what one run would have saved.
    #[test]
    fn shards_are_the_whole(world in world()) {
        let whole = text(world.saved(None));
        let (joined, problems) = report(&world.shards(), false);
        prop_assert_eq!(problems, vec![]);
        for kind in ["port", "start"] {
            prop_assert_eq!(lines(&joined, kind), lines(&whole, kind));
        }
        let hosts = |text: &str| {
            let mut hosts = lines(text, "host");
            // Where a host is in parts, its chance is that of all of them.
            hosts.values_mut().for_each(|host| host["miss"] = Value::Null);
            hosts
        };
        prop_assert_eq!(hosts(&joined), hosts(&whole));
        let run = |text: &str| {
            let mut run = lines(text, "run").into_values().next().expect("a run line");
            run["miss"] = Value::Null;
            run
        };
        prop_assert_eq!(run(&joined), run(&whole));
        let last = joined.lines().last().expect("lines");
        prop_assert!(last.contains(r#""type":"run""#), "{}", last);
        // And it reads back as it is.
        let (again, problems) = report(&[joined.clone().into_bytes()], false);
        prop_assert_eq!(problems, vec![]);
        let steady = |text: &str| {
            // The last bit of a fraction is not kept.
            let fields = text.split(',').filter(|field| !field.starts_with(r#""miss":"#));
            fields.collect::<Vec<_>>().join(",")
        };
        prop_assert_eq!(steady(&again), steady(&joined));
    }

    /// In one file, one after the other, and in any order: the same.
    #[test]
    fn files_may_be_joined_before(world in world(), rotate in 0..16usize) {
        let mut shards = world.shards();
        let (wanted, _) = report(&shards, false);
        let by = rotate % shards.len();
        shards.rotate_left(by);
        let (joined, problems) = report(&[shards.concat()], false);
        prop_assert_eq!(problems, vec![]);
        for kind in ["start", "port", "host"] {
            prop_assert_eq!(lines(&joined, kind), lines(&wanted, kind));
        }
    }

    /// Cut off anywhere, whatever is next to the cut: told, nothing invented, everything counted.
    #[test]
    fn a_shard_cut_off_is_counted_unscanned(
        world in world(), which in 0..16usize, cut in 0.0..1.0f64, in_text: bool,
    ) {
        let whole = text(world.saved(None));
        let mut shards = world.shards();
        let which = which % shards.len();
        let complete = shards[which].len();
        let keep = (complete as f64 * cut) as usize;
        shards[which].truncate(keep);
        if keep + 1 >= complete {
            // The last line break alone is no loss.
            return Ok(());
        }
        for inputs in [shards.clone(), vec![shards.concat()]] {
            let (joined, problems) = report(&inputs, in_text);
            let weight = problems.iter().map(|problem| problem.0).max();
            prop_assert!(weight >= Some(Weight::Incomplete), "{:?}", problems);
            if joined.is_empty() || in_text {
                continue;
            }
            let ports = lines(&whole, "port");
            for (key, line) in lines(&joined, "port") {
                prop_assert_eq!(Some(&line), ports.get(&key));
            }
            let run = lines(&joined, "run").into_values().next().expect("a run line");
            let count = |key: &str| run[key].as_u64().expect("a number");
            prop_assert_eq!(count("planned"), u64::from(world.hosts) * u64::from(world.ports));
            let listed = lines(&joined, "port");
            let open = listed.values().filter(|line| line["state"] == "open");
            prop_assert_eq!(count("open"), open.count() as u64);
            prop_assert_eq!(&run["complete"], &Value::from(count("unscanned") == 0));
        }
    }

    /// Any one line lost is told.
    #[test]
    fn no_line_is_lost_unseen(world in world(), lost in 0..1000usize) {
        let mut shards = world.shards();
        let which = lost % shards.len();
        let saved = text(std::mem::take(&mut shards[which]));
        let lost = lost / shards.len() % saved.lines().count();
        let kept = saved.lines().enumerate().filter(|(index, _)| *index != lost);
        shards[which] = kept.flat_map(|(_, line)| [line, "\n"]).collect::<String>().into_bytes();
        let (_, problems) = report(&shards, false);
        let weight = problems.iter().map(|problem| problem.0).max();
        prop_assert!(weight >= Some(Weight::Incomplete), "line {}: {:?}", lost, problems);
    }

    /// Bytes changed anywhere: no panic, in either format.
    #[test]
    fn no_input_panics(
        world in world(), changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..20),
    ) {
        let mut shards = world.shards();
        for (at, byte) in changes {
            let count = shards.len();
            let shard = &mut shards[usize::from(at) % count];
            let at = usize::from(at) * 31 % shard.len();
            shard[at] = byte;
        }
        let mut survey = Survey::default();
        for shard in &shards {
            let _ = survey.add("x", &shard[..]);
        }
        if survey.check_run().is_ok() {
            report(&shards, false);
            report(&shards, true);
        }
    }
}

fn small() -> World {
    World {
        hosts: 8,
        ports: 9,
        seed: 5,
        show: Show::default(),
        shards: 4,
    }
}

fn said(inputs: &[Vec<u8>]) -> Vec<(Weight, String)> {
    report(inputs, false).1
}

#[test]
fn what_is_missing_is_said() {
    let shards = small().shards();
    let one = |text: &str| vec![(Weight::Incomplete, text.to_string())];
    assert_eq!(said(&shards[..3]), one("shard 4 of 4 is missing"));
    assert_eq!(said(&shards[2..3]), one("shards 1-2,4 of 4 are missing"));
    let with = |more: &[u8]| [&shards[..], &[more.to_vec()]].concat();
    let twice = "shard 2 is there 2 times: b, e; used: e";
    assert_eq!(said(&with(&shards[1])), one(twice));
    // One that was begun again after it was cut off: nothing is lost.
    let cut = &shards[1][..shards[1].len() / 2];
    let note = (
        Weight::Note,
        "shard 2 is there 2 times: b, e; used: b".into(),
    );
    assert_eq!(said(&with(cut)), [note]);
    let whole = small();
    let mut inputs = shards.clone();
    inputs.push(report(&shards, false).0.into_bytes());
    let unused = (
        Weight::Incomplete,
        "a: not used, the whole run is there too".into(),
    );
    assert_eq!(said(&inputs)[0], unused);
    assert_eq!(
        lines(&report(&inputs, false).0, "run"),
        lines(&report(&whole.shards(), false).0, "run")
    );
}

#[test]
fn what_is_wrong_is_named_by_file_and_line() {
    let saved = text(small().saved(None));
    let mut changed: Vec<_> = saved.lines().map(str::to_string).collect();
    let port = changed
        .iter()
        .position(|line| line.contains(r#""type":"port""#));
    let port = changed.remove(port.expect("a port"));
    changed.insert(1, port);
    changed[1] = changed[1].replace(r#""state":"open""#, r#""state":"closed""#);
    changed[2].truncate(30);
    changed.insert(4, "\u{1b}[2J".into());
    changed.insert(5, String::new());
    changed.insert(6, r#"{"type":"banner","of":"the future"}"#.into());
    let problems = said(&[(changed.join("\n") + "\n").into_bytes()]);
    let texts: Vec<_> = problems.iter().map(|problem| problem.1.as_str()).collect();
    assert!(texts[0].starts_with("a:2: syn-ack"), "{texts:?}");
    assert!(texts[1].starts_with("a:3: "), "{texts:?}");
    assert!(texts[2].starts_with("a:5: "), "{texts:?}");
    assert_eq!(
        texts[3],
        "a lacks lines: they do not add up to its run line"
    );
    assert_eq!(texts.len(), 4);
    assert_eq!(problems[0].0, Weight::Wrong);

    let none = said(&[b"Port 22: OPEN\n".to_vec()]);
    let wanted = "a has no start line; it is nothing that --format ndjson saved";
    assert_eq!(none, [(Weight::Wrong, wanted.into())]);
    let newer = saved.replace(r#""schema":1"#, r#""schema":2"#);
    assert_eq!(said(&[newer.into_bytes()])[0].0, Weight::Wrong);
}

#[test]
fn runs_that_differ_are_not_joined() {
    let other = World {
        seed: 6,
        ports: 10,
        ..small()
    };
    let mut survey = Survey::default();
    for (name, saved) in [
        ("a", small().saved(Some(1))),
        ("b\u{1b}", other.saved(Some(2))),
    ] {
        survey.add(name, &saved[..]).expect("a slice is readable");
    }
    let error = survey.check_run().expect_err("two runs").to_string();
    assert_eq!(
        error,
        "b\\u{1b} is of another run than a: they differ in ports, --seed (5, 6)"
    );
}

/// What one shard knows of a host is not known of the ports of another.
#[test]
fn the_chance_of_a_miss_is_that_of_all_parts() {
    let world = World {
        hosts: 1,
        shards: 3,
        ports: 30,
        ..small()
    };
    let mut shards = world.shards();
    let host = |shards: &[Vec<u8>]| {
        let (joined, problems) = report(shards, false);
        assert_eq!(problems, []);
        let run = lines(&joined, "run")
            .into_values()
            .next()
            .expect("a run line");
        let host = lines(&joined, "host")
            .into_values()
            .next()
            .expect("a host line");
        (host, run)
    };
    let (all, run) = host(&shards);
    let miss = all["miss"].as_f64().expect("known");
    assert!((miss - (1.0 - 0.75f64.powi(3))).abs() < 1e-9, "{miss}");
    assert_eq!(run["miss"], all["miss"]);
    assert_eq!(all["loss"], 0.5);
    let silent = text(shards[1].clone()).replace(r#""miss":0.25"#, r#""miss":null"#);
    shards[1] = silent.into_bytes();
    let (part, run) = host(&shards);
    assert_eq!((&part["miss"], &run["miss"]), (&Value::Null, &Value::Null));
    let (shown, _) = report(&shards, true);
    let wanted = "missed: cannot be known for the shards in which nothing answered\n";
    assert!(shown.contains(wanted), "{shown}");
}

/// Hosts that became known while the run went on are in its end, not in its beginning.
#[test]
fn late_hosts_are_counted() {
    let world = World {
        show: Show::with(&State::ALL),
        ..small()
    };
    for shards in [vec![world.saved(None)], world.shards()] {
        let (wanted, _) = report(&shards, false);
        let late = shards.into_iter().map(|saved| {
            let saved = text(saved);
            let (start, rest) = saved.split_once('\n').expect("lines");
            let (start, _) = start.split_once(r#""hosts":"#).expect("hosts");
            let none = r#""hosts":0,"planned":0,"run_hosts":0,"run_planned":0,"targets_failed":0}"#;
            format!("{start}{none}\n{rest}").into_bytes()
        });
        let (joined, problems) = report(&late.collect::<Vec<_>>(), false);
        assert_eq!(problems, []);
        for kind in ["start", "host", "run"] {
            assert_eq!(lines(&joined, kind), lines(&wanted, kind));
        }
    }
}

#[test]
fn targets_that_failed_are_counted_once() {
    // One in all shards from the start, and one name of each of the first two.
    let fail = |saved: Vec<u8>, index: usize| {
        let failed = 1 + usize::from(index < 2);
        text(saved)
            .replacen(r#""targets_failed":0"#, r#""targets_failed":1"#, 1)
            .replace(
                r#""targets_failed":0,"left_out":0,"complete":true"#,
                &format!(r#""targets_failed":{failed},"left_out":0,"complete":false"#),
            )
            .into_bytes()
    };
    let shards = small().shards();
    let shards = shards
        .into_iter()
        .enumerate()
        .map(|(index, saved)| fail(saved, index));
    let (joined, problems) = report(&shards.collect::<Vec<_>>(), false);
    let run = lines(&joined, "run")
        .into_values()
        .next()
        .expect("a run line");
    assert_eq!(
        (&run["targets_failed"], &run["complete"]),
        (&3.into(), &false.into())
    );
    let wanted = "b is incomplete: 2 targets not read or resolved";
    assert_eq!(problems[1], (Weight::Incomplete, wanted.into()));
    assert_eq!(problems.len(), 4);
}

/// Each shard has ports of all hosts, if a name means the same to all.
#[test]
fn a_name_that_means_another_address_to_a_shard_is_told() {
    let world = World {
        hosts: 1,
        shards: 3,
        ports: 30,
        ..small()
    };
    let mut shards = world.shards();
    let other = text(shards[1].clone()).replace("192.0.2.0", "192.0.2.77");
    shards[1] = other.into_bytes();
    let why = "its name has other addresses in others";
    let wanted = [
        format!("192.0.2.0 was scanned in 2 of 3 shards: {why}"),
        format!("192.0.2.77 was scanned in 1 of 3 shards: {why}"),
    ];
    assert_eq!(said(&shards), wanted.map(|text| (Weight::Incomplete, text)));
}

#[test]
fn long_lines_cost_no_memory_and_are_named() {
    /// A line of 64 MiB, and a good one.
    struct Long(u64, &'static [u8]);
    impl std::io::Read for Long {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return self.1.read(buffer);
            }
            let n = buffer.len().min(self.0 as usize);
            buffer[..n].fill(b' ');
            self.0 -= n as u64;
            Ok(n)
        }
    }
    let long = Long(64 << 20, b"\n{\"type\":\"new\"}");
    let mut lines = Lines::new(std::io::BufReader::new(long));
    let first = lines.next_line().expect("readable").expect("a line");
    assert_eq!(first.line, Err(BadLine::Wrong("longer than 16 MiB".into())));
    let second = lines.next_line().expect("readable").expect("a line");
    assert_eq!((second.number, second.line), (2, Ok(Line::Other)));
    assert!(lines.next_line().expect("readable").is_none());
}
