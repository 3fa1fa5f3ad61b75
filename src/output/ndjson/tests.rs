//! NDJSON on hand-made reports, read back by serde_json.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::engine::{BulkReport, Counts, Note, PortReport, Reason, Report, State, Trust, Verdict};
use crate::output::escape::is_dangerous;
use crate::output::made::{self, document, port, recorder, target, told};
use crate::output::{Clock, Output, Recorder, Run, Show};
use crate::target::Shard;

fn host(counts: Counts, trust: Trust) -> Report {
    made::host(None, counts, trust)
}

fn lines(recorder: &mut Recorder, reports: &[Report]) -> Vec<Value> {
    read(told(recorder, &mut Output::Ndjson, reports).as_bytes())
}

/// The last line.
fn end(recorder: &Recorder, run: &Run) -> Value {
    let mut out = Vec::new();
    write(&mut out, &recorder.finish(run)).expect("a Vec takes all");
    read(&out).remove(0)
}

fn read(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).expect("JSON is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    assert!(
        !text.chars().any(|c| c != '\n' && is_dangerous(c)),
        "{text:?}"
    );
    let lines = text.lines().map(|line| {
        let json = serde_json::from_str(line).expect(line);
        LINES.validate(&json).expect(line);
        json
    });
    lines.collect()
}

static LINES: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(JSON_SCHEMA).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
});

/// A field that is missing or has another type is noticed.
#[test]
fn the_schema_tells_wrong_lines_from_right_ones() {
    let schema = serde_json::from_str(JSON_SCHEMA).expect("JSON");
    assert!(
        jsonschema::meta::is_valid(&schema),
        "it is no schema itself"
    );
    let schema = &*LINES;
    let reports = [
        port(None, 22, Reason::SynAck),
        host(Counts::default(), Trust::default()),
    ];
    let text = document(
        &mut recorder(Show::default()),
        &mut Output::Ndjson,
        &reports,
        &run(),
    );
    for line in read(text.as_bytes()) {
        let fields = line.as_object().expect("an object");
        for field in fields.keys().filter(|field| *field != "type") {
            let mut without = fields.clone();
            without.remove(field);
            assert!(!schema.is_valid(&without.into()), "{field} of {line}");
            let mut wrong = fields.clone();
            wrong.insert(field.clone(), json!([{}]));
            assert!(!schema.is_valid(&wrong.into()), "{field} of {line}");
        }
        let mut more = fields.clone();
        more.insert("field of the future".into(), json!(1));
        assert!(schema.is_valid(&more.into()));
    }
    assert!(schema.is_valid(&json!({"type": "line of the future"})));
}

#[test]
fn the_first_line_tells_the_run() {
    let shard = Shard::new(2, 2).expect("a shard");
    let about = made::about(3, Some(shard));
    let recorder = Recorder::new(Show::with(&[State::Closed]), Clock::start(), about.clone());
    let mut out = Vec::new();
    write(&mut out, &recorder.start()).expect("a Vec takes all");
    let mut line = read(&out).remove(0);
    let time: Timestamp = line["started"]
        .take()
        .as_str()
        .expect("text")
        .parse()
        .expect("RFC 3339");
    assert!(Timestamp::now().duration_since(time).as_secs() < 60);
    let wanted = json!({
        "type": "start", "schema": 1, "version": env!("CARGO_PKG_VERSION"),
        "args": ["nishad", "\u{202e}\u{e0041}x"], "seed": 7, "run_id": about.key.id(),
        "key": {
            "targets": about.key.targets, "ports": about.key.ports, "seed": 7, "shards": 2,
            "options": {"timeout": "1s"},
        },
        "ports": "1-4",
        "shard": {"index": 2, "count": 2, "by": "hosts"}, "show": ["open", "closed"],
        "started": null, "hosts": 1, "planned": 4, "run_hosts": 3, "run_planned": 12,
        "targets_failed": 0,
    });
    assert_eq!(line, wanted);
}

/// What is written is what is read, to the last field.
#[test]
fn every_line_reads_back() {
    let trust = Trust {
        miss: Some(1e-7),
        loss: None,
        refusals_limited: true,
        accepts_all: 30,
    };
    let reports = [
        port(Some("h\u{1b}\u{202e}\"\\é"), 22, Reason::SynAckReset),
        port(None, 23, Reason::HostUnreach),
        host(Counts::default(), trust),
    ];
    let mut recorder = recorder(Show::with(&State::ALL));
    let text = document(&mut recorder, &mut Output::Ndjson, &reports, &run());
    assert_eq!(text.lines().count(), 5);
    for line in text.lines() {
        let read: Line = serde_json::from_str(line).expect(line);
        let mut again = Vec::new();
        read.write(&mut again).expect("a Vec takes all");
        assert_eq!(String::from_utf8(again).expect("UTF-8").trim_end(), line);
    }
    let other: Line = serde_json::from_str(r#"{"type":"banner","x":[1]}"#).expect("ignored");
    assert_eq!(other, Line::Other);
}

/// Names in JSON are those of every other format.
#[test]
fn states_and_reasons_have_one_name() {
    use Reason::*;
    for reason in [
        SynAck,
        SynAckReset,
        ConnRefused,
        PortUnreach,
        AdminProhibited,
        HostUnreach,
        NetUnreach,
        ProtoUnreach,
        TimeExceeded,
        IcmpError,
        NoResponse,
        Interrupted,
        FirstOpen,
        OutOfSockets,
        PathLost,
        NoRoute,
        LocalPolicy,
        BadAddress,
    ] {
        assert_eq!(json!(reason), json!(reason.as_str()));
        assert_eq!(json!(reason.state()), json!(reason.state().as_str()));
    }
}

fn run() -> Run {
    Run {
        counts: Counts {
            open: 1,
            closed: 2,
            filtered: 3,
            unscanned: 4,
            ..Counts::default()
        },
        hosts: 1,
        miss: None,
        silent_hosts: 1,
        attempts: 99,
        targets_failed: 2,
        elapsed: Duration::from_millis(1500),
    }
}

#[test]
fn a_port_line_has_every_field() {
    let name = "h\u{1b}\u{85}\u{2066}\"\\é.example";
    let found = lines(
        &mut recorder(Show::default()),
        &[port(Some(name), 22, Reason::SynAck)],
    );
    let mut line = found[0].clone();
    let time = line["time"].take();
    let time: Timestamp = time.as_str().expect("text").parse().expect("RFC 3339");
    assert!(Timestamp::now().duration_since(time).as_secs() < 60);
    let service = crate::service::name(22);
    let wanted = json!({
        "type": "port", "ip": "192.0.2.7", "host": name, "port": 22, "proto": "tcp",
        "state": "open", "reason": "syn-ack", "from": null, "service": service, "rtt_ms": 0.31,
        "attempts": 1, "time": null,
    });
    assert_eq!(line, wanted);
}

#[test]
fn only_listed_states_have_port_lines() {
    let bulk = Report::Bulk(BulkReport {
        target: target(None),
        verdict: Verdict {
            reason: Reason::Interrupted,
            attempts: 0,
            rtt: None,
            from: None,
        },
        ports: [5, 6, 7].into_iter().collect(),
    });
    let reports = [
        port(None, 1, Reason::SynAck),
        port(None, 2, Reason::ConnRefused),
        port(None, 3, Reason::NoResponse),
        bulk,
    ];
    assert_eq!(lines(&mut recorder(Show::default()), &reports).len(), 1);
    let all = lines(&mut recorder(Show::with(&State::ALL)), &reports);
    let ports: Vec<_> = all.iter().map(|line| line["port"].as_u64()).collect();
    assert_eq!(ports, [1, 2, 3, 5, 6, 7].map(Some));
    assert_eq!(all[5]["state"], "unscanned");
    assert_eq!(all[5]["rtt_ms"], Value::Null);
}

/// The quick way of writing many lines gives the same lines as the plain one.
#[test]
fn bulk_lines_are_port_lines() {
    let target = target(Some("h\"port\":0,\"service\":null,\\é.example"));
    let verdict = Verdict {
        reason: Reason::HostUnreach,
        attempts: 3,
        rtt: None,
        from: Some([198, 51, 100, 1].into()),
    };
    let ports = || (0..=1024).chain(65_000..=65_535);
    let bulk = Report::Bulk(BulkReport {
        target: target.clone(),
        verdict,
        ports: ports().collect(),
    });
    let mut format = recorder(Show::with(&[State::Filtered]));
    let quick = lines(&mut format, &[bulk]);
    assert_eq!(quick.len(), ports().count());
    for (mut line, port) in quick.into_iter().zip(ports()) {
        let report = PortReport {
            target: target.clone(),
            port,
            verdict,
        };
        let mut plain = lines(&mut format, &[Report::Port(report)]).remove(0);
        assert!(line["time"].take().is_string() && plain["time"].take().is_string());
        assert_eq!(line, plain);
    }
}

#[test]
fn host_and_run_lines_count_every_state() {
    let counts = Counts {
        open: 1,
        closed: 2,
        filtered: 3,
        unscanned: 4,
        ..Counts::default()
    };
    let trust = Trust {
        miss: Some(0.5),
        loss: Some(0.25),
        refusals_limited: true,
        accepts_all: 0,
    };
    let mut format = recorder(Show::default());
    let line = lines(&mut format, &[host(counts, trust)]).remove(0);
    assert_eq!(line["type"], "host");
    let sums = ["planned", "open", "closed", "filtered", "unscanned"].map(|key| line[key].as_u64());
    assert_eq!(sums, [10, 1, 2, 3, 4].map(Some));
    assert_eq!(line["miss"], 0.5);
    assert_eq!(line["loss"], 0.25);
    assert_eq!(line["refusals_limited"], true);
    assert_eq!(line["suspect"], Value::Null);
    assert_eq!(line["elapsed_s"], 0.04);

    let line = end(&format, &run());
    assert_eq!(line["type"], "run");
    assert_eq!(line["schema"], SCHEMA);
    assert_eq!(line["args"], json!(["nishad", "\u{202e}\u{e0041}x"]));
    assert_eq!(line["seed"], 7);
    assert_eq!(line["run_id"], made::about(3, None).key.id());
    assert_eq!(line["shard"], Value::Null);
    assert_eq!(line["planned"], 10);
    assert_eq!(line["attempts"], 99);
    assert_eq!(line["elapsed_s"], 1.5);
    assert_eq!(line["targets_failed"], 2);
    assert_eq!(line["complete"], false);

    for (unscanned, targets_failed, complete) in [(0, 0, true), (1, 0, false), (0, 1, false)] {
        let run = Run {
            counts: Counts {
                unscanned,
                ..Counts::default()
            },
            targets_failed,
            ..run()
        };
        assert_eq!(end(&format, &run)["complete"], complete);
    }
}

#[test]
fn the_host_line_counts_reasons_whatever_is_listed() {
    let bulk = Report::Bulk(BulkReport {
        target: target(None),
        verdict: Verdict {
            reason: Reason::Interrupted,
            attempts: 0,
            rtt: None,
            from: None,
        },
        ports: [5, 6, 7].into_iter().collect(),
    });
    let reports = [
        port(None, 1, Reason::SynAck),
        port(None, 2, Reason::NoResponse),
        port(None, 3, Reason::NoResponse),
        bulk,
        host(Counts::default(), Trust::default()),
        host(Counts::default(), Trust::default()),
    ];
    let found = lines(&mut recorder(Show::default()), &reports);
    let wanted = json!({"syn-ack": 1, "no-response": 2, "interrupted": 3});
    assert_eq!(found[1]["reasons"], wanted);
    assert_eq!(found[2]["reasons"], json!({}), "nothing is left behind");
}

#[test]
fn a_host_that_accepts_everything_is_no_wall() {
    let note = Report::Note(Note::AcceptsAll {
        target: target(None),
        ports: 30,
    });
    let reports = |accepts_all| {
        vec![
            port(None, 1, Reason::SynAck),
            note.clone(),
            port(None, 2, Reason::SynAck),
            port(None, 3, Reason::SynAck),
            host(
                Counts {
                    open: 3,
                    ..Counts::default()
                },
                Trust {
                    accepts_all,
                    ..Trust::default()
                },
            ),
        ]
    };
    let found = lines(&mut recorder(Show::default()), &reports(30));
    assert_eq!(found.len(), 2);
    assert_eq!(found[1]["suspect"], "accepts-all");
    assert_eq!(found[1]["suspect_ports"], 30);
    assert_eq!(found[1]["open_not_listed"], 2);

    let asked = lines(&mut recorder(Show::with(&[State::Open])), &reports(30));
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[3]["open_not_listed"], 0);

    // The suspicion did not hold: nothing is lost.
    let cleared = lines(&mut recorder(Show::default()), &reports(0));
    assert_eq!(cleared.len(), 4);
    assert_eq!(cleared[3]["suspect"], Value::Null);
}

/// So many ports open in turn, then `more`, then the end of the host.
fn many_open(open: u16, more: &[Report], accepts_all: u16) -> Vec<Report> {
    let mut reports: Vec<_> = (1..=open).map(|n| port(None, n, Reason::SynAck)).collect();
    reports.extend_from_slice(more);
    let trust = Trust {
        accepts_all,
        ..Trust::default()
    };
    reports.push(host(made::counts(open.into(), 0, 0, 0), trust));
    reports
}

/// What is not known yet when the likely ports have been found open: most of their lines wait for it.
#[test]
fn ports_of_a_host_that_may_accept_everything_wait() {
    let note = Report::Note(Note::AcceptsAll {
        target: target(None),
        ports: 32,
    });
    let wall = lines(&mut recorder(Show::default()), &many_open(90, &[note], 58));
    assert_eq!(wall.len(), 15 + 1);
    assert_eq!(wall[15]["open_not_listed"], 75);
    // It may have so many open ports for all that is known, of which one is then closed.
    let all: Vec<u64> = (1..=90).collect();
    let order = |lines: &[Value]| -> Vec<u64> {
        let ports = lines.iter().filter(|line| line["type"] == "port");
        ports
            .map(|line| line["port"].as_u64().expect("a port"))
            .collect()
    };
    let plain = lines(&mut recorder(Show::default()), &many_open(90, &[], 0));
    assert_eq!((plain.len(), order(&plain)), (91, all));
    assert_eq!(plain[90]["open_not_listed"], 0);
    let asked = Show::with(&[State::Open]);
    let mut asked = recorder(asked);
    let listed = lines(&mut asked, &many_open(90, &[], 58)[..90]);
    assert_eq!(listed.len(), 90, "they do not wait where all are listed");
}

/// A host some of whose ports refuse has its lines at once.
#[test]
fn ports_that_wait_are_told_when_enough_others_refuse() {
    let mut recorder = recorder(Show::default());
    let refusals = |n: u16| (200..200 + n).map(|n| port(None, n, Reason::ConnRefused));
    let reports: Vec<_> = many_open(40, &[], 0)
        .drain(..40)
        .chain(refusals(4))
        .collect();
    assert_eq!(lines(&mut recorder, &reports).len(), 15);
    let told = lines(&mut recorder, &refusals(1).collect::<Vec<_>>());
    assert_eq!(told.len(), 25);
    let next = [port(None, 41, Reason::SynAck)];
    assert_eq!(lines(&mut recorder, &next).len(), 1, "at once");
    // So it is where what is silent is told in one piece.
    let mut recorder = made::recorder(Show::default());
    let silent = Report::Bulk(BulkReport {
        target: target(None),
        verdict: made::verdict(Reason::NoResponse),
        ports: (100..200).collect(),
    });
    let reports = many_open(40, &[silent], 0);
    assert_eq!(lines(&mut recorder, &reports[..41]).len(), 40);
}

/// A run that is gone on with tells each port once, whatever becomes of the host.
#[test]
fn ports_that_wait_outlast_a_checkpoint() {
    for (accepts_all, listed) in [(0, 75), (58, 0)] {
        let mut before = recorder(Show::default());
        let reports = many_open(90, &[], accepts_all);
        assert_eq!(lines(&mut before, &reports[..80]).len(), 15);
        let saved = serde_json::to_string(&before.pending()).expect("JSON");
        let mut after = recorder(Show::default());
        after.take_up(&serde_json::from_str(&saved).expect("the same again"));
        let told = lines(&mut after, &reports[80..]);
        assert_eq!(told.len(), listed + 1);
        assert_eq!(told[listed]["open_not_listed"], 75 - listed);
    }
}
