//! The text format on hand-made reports.

use std::time::Duration;

use super::*;
use crate::engine::{BulkReport, Counts, PortReport, Reason, Report, Trust, Verdict};
use crate::output::made::{self, about, counts, host, plain, run, target, verdict};
use crate::output::{Clock, Output, Recorder, Run, Show};

/// How a run is told: what is listed, how many hosts it has, how it looks.
#[derive(Clone)]
struct Look {
    show: Show,
    hosts: u8,
    text: TextOptions,
}

fn look() -> Look {
    Look {
        show: Show::default(),
        hosts: 1,
        text: plain(),
    }
}

fn port(port: u16, reason: Reason) -> Report {
    made::port(None, port, reason)
}

fn written(look: Look, reports: &[Report], run: &Run) -> String {
    let mut recorder = Recorder::new(look.show, Clock::start(), about(look.hosts, None));
    let mut output = Output::Text(Text::new(look.text));
    let text = made::document(&mut recorder, &mut output, reports, run);
    let Output::Text(state) = output else {
        panic!("it was text")
    };
    assert!(state.held.is_empty(), "lines of complete hosts are held");
    text
}

/// The lines of `text` between its first rule and its last, without the time of day.
fn body(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("Scan started at: "))
        .collect()
}

#[test]
fn a_host_as_the_original_script_wrote_it() {
    let reports = [
        port(443, Reason::SynAck),
        port(80, Reason::NoResponse),
        port(1, Reason::ConnRefused),
        port(22, Reason::SynAck),
        host(
            Some("host.example"),
            counts(2, 1020, 2, 0),
            Trust {
                miss: Some(5e-5),
                ..Trust::default()
            },
        ),
    ];
    let text = written(look(), &reports, &run(1, counts(2, 1020, 2, 0)));
    let lines = body(&text);
    assert_eq!(lines[0], RULE);
    assert_eq!(RULE.len(), 50);
    assert_eq!(lines[1], "Scanning target: 192.0.2.7 (host.example)");
    assert_eq!(lines[2], RULE);
    assert!(lines[3].starts_with("Port 22: OPEN"), "{text}");
    assert!(lines[4].starts_with("Port 443: OPEN"), "{text}");
    assert_eq!(
        lines[5..],
        [
            RULE,
            "1024 ports: 2 open, 1020 closed, 2 filtered, 0 unscanned",
            "Chance that an open port was missed: about 1 in 20,000",
            "Scan finished in 0.04 seconds.",
            RULE,
        ]
    );
    let started = text.lines().nth(2).expect("the third line");
    assert_eq!(started.len(), "Scan started at: 20:05:30".len());
}

#[test]
fn targets_that_failed_are_told_even_where_one_host_is_left() {
    let reports = [host(None, counts(0, 9, 0, 0), Trust::default())];
    for (failed, line) in [
        (1, "1 target not scanned: cannot be read or resolved"),
        (12, "12 targets not scanned: cannot be read or resolved"),
    ] {
        let run = Run {
            targets_failed: failed,
            ..run(1, counts(0, 9, 0, 0))
        };
        let text = written(look(), &reports, &run);
        let lines = body(&text);
        assert!(lines.contains(&"1 host, 9 ports: 0 open, 9 closed, 0 filtered, 0 unscanned"));
        assert!(lines.contains(&line), "{text}");
    }
}

#[test]
fn names_from_outside_cannot_drive_the_terminal() {
    let reports = [host(
        Some("a\u{1b}[2J\u{202e}b"),
        counts(0, 1, 0, 0),
        Trust::default(),
    )];
    let text = written(look(), &reports, &run(1, counts(0, 1, 0, 0)));
    assert!(text.contains("192.0.2.7 (a\\u{1b}[2J\\u{202e}b)"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn other_states_are_listed_on_request_with_their_reasons_when_verbose() {
    let rejected = Verdict {
        reason: Reason::AdminProhibited,
        attempts: 2,
        rtt: Some(Duration::from_micros(310)),
        from: Some([198, 51, 100, 1].into()),
    };
    let reports = [
        port(7, Reason::SynAck),
        Report::Port(PortReport {
            target: target(None),
            port: 65000,
            verdict: rejected,
        }),
        Report::Bulk(BulkReport {
            target: target(None),
            verdict: verdict(Reason::Interrupted),
            ports: [9, 8].into_iter().collect(),
        }),
        host(None, counts(1, 0, 1, 2), Trust::default()),
    ];
    let mut look = look();
    look.show = Show::with(&State::ALL);
    look.text.verbose = true;
    let text = written(look.clone(), &reports, &run(1, counts(1, 0, 1, 2)));
    let starts = [
        "Port 7: OPEN ",
        "Port 8: UNSCANNED ",
        "Port 9: UNSCANNED ",
        "Port 65000: FILTERED ",
    ];
    let found: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("Port "))
        .collect();
    assert_eq!(found.len(), starts.len(), "{text}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start), "{text}");
    }
    assert!(
        found[3].ends_with("admin-prohibited from 198.51.100.1, 0.31 ms, 2 attempts"),
        "{text}"
    );
    assert!(text.contains("\nUnscanned: 2 interrupted\n"), "{text}");
    assert!(text.contains("\nFiltered: 1 admin-prohibited\n"), "{text}");

    look.text.color = true;
    let colored = written(look, &reports, &run(1, counts(1, 0, 1, 2)));
    assert!(colored.contains("Port 7: \x1b[32mOPEN\x1b[0m"), "{colored}");
    let plain = ["\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m"]
        .iter()
        .fold(colored, |text, code| text.replace(code, ""));
    assert_eq!(body(&plain), body(&text));
}

#[test]
fn a_host_that_accepts_everything_is_one_line_unless_asked() {
    let trust = Trust {
        accepts_all: 30,
        miss: Some(0.0),
        ..Trust::default()
    };
    let mut reports: Vec<_> = (1..=1024).map(|n| port(n, Reason::SynAck)).collect();
    reports.push(host(None, counts(1024, 0, 0, 0), trust));
    let all = counts(1024, 0, 0, 0);
    let text = written(look(), &reports, &run(1, all));
    assert!(!text.contains("Port "), "{text}");
    assert!(
        text.contains("\n1024 ports accepted every connection"),
        "{text}"
    );
    assert!(
        text.contains("\nsuspect: accepts-all (30 of 30 unlikely ports open)\n"),
        "{text}"
    );

    let asked = Look {
        show: Show::with(&[State::Open]),
        ..look()
    };
    let text = written(asked, &reports, &run(1, all));
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("Port "))
            .count(),
        1024
    );
    assert!(text.contains("\nsuspect: accepts-all"), "{text}");
}

#[test]
fn silent_hosts_of_a_large_run_are_summed() {
    let mut reports = Vec::new();
    for _ in 0..3 {
        reports.push(port(1, Reason::NoResponse));
        reports.push(port(2, Reason::HostUnreach));
        reports.push(host(None, counts(0, 0, 2, 0), Trust::default()));
    }
    reports.push(port(1, Reason::SynAck));
    reports.push(host(
        None,
        counts(1, 1, 0, 0),
        Trust {
            miss: Some(0.0),
            ..Trust::default()
        },
    ));
    let mut many = Look { hosts: 5, ..look() };
    let mut end = run(5, counts(1, 1, 6, 2));
    end.miss = Some(0.25);
    end.silent_hosts = 3;
    let text = written(many.clone(), &reports, &end);
    assert_eq!(text.matches("Scanning target").count(), 1, "{text}");
    let wanted = "\
3 hosts without an open or closed port: 3 host-unreach, 3 no-response
5 hosts, 10 ports: 1 open, 1 closed, 6 filtered, 2 unscanned
1 host never begun: interrupted
Chance that an open port was missed among those scanned: about 25%; cannot be known for 3 hosts without any answer
Run finished in 2.31 seconds.
";
    assert!(text.replace(" more ", " ").contains(wanted), "{text}");

    many.text.verbose = true;
    let text = written(many, &reports, &end);
    assert_eq!(text.matches("Scanning target").count(), 4, "{text}");
}

#[test]
fn what_is_known_of_the_trust_is_said() {
    let said = |counts: Counts, trust: Trust| {
        written(look(), &[host(None, counts, trust)], &run(1, counts))
    };
    let silent = said(counts(0, 0, 9, 0), Trust::default());
    assert!(
        silent.contains("missed: cannot be known, nothing answered\n"),
        "{silent}"
    );
    let limited = Trust {
        refusals_limited: true,
        miss: Some(1e-9),
        loss: Some(0.031),
        ..Trust::default()
    };
    let limited = said(counts(1, 1, 9, 0), limited);
    assert!(limited.contains("filtered ports may be closed, but none of them is open\n"));
    assert!(
        limited.contains("missed: below 1 in 1,000,000\n"),
        "{limited}"
    );
    assert!(limited.contains("loss on the path: 3.1%\n"), "{limited}");
    let whole = said(
        counts(1, 1, 0, 0),
        Trust {
            miss: Some(0.0),
            ..Trust::default()
        },
    );
    assert!(
        whole.contains("missed: none, every port answered\n"),
        "{whole}"
    );
    let nothing = said(counts(0, 0, 0, 9), Trust::default());
    assert!(!nothing.contains("Chance"), "{nothing}");
}

#[test]
fn chances_are_rounded_to_the_safe_side() {
    let said = |miss| {
        Chance {
            miss,
            all_answered: false,
        }
        .to_string()
    };
    assert_eq!(said(1e-3), "about 1 in 1,000");
    assert_eq!(said(1.0 / 1234.0), "about 1 in 1,200");
    assert_eq!(said(1e-6), "about 1 in 1,000,000");
    assert_eq!(said(0.02), "about 1 in 50");
    assert_eq!(said(0.5), "about 50%");
    assert_eq!(said(0.0), "below 1 in 1,000,000");
}

#[test]
fn columns_of_a_host_are_aligned() {
    let mut reports: Vec<_> = [7, 22, 443, 65535]
        .map(|n| port(n, Reason::SynAck))
        .to_vec();
    reports.push(host(None, counts(4, 0, 0, 0), Trust::default()));
    let mut verbose = look();
    verbose.text.verbose = true;
    let text = written(verbose, &reports, &run(1, counts(4, 0, 0, 0)));
    let columns: Vec<_> = text
        .lines()
        .filter_map(|line| line.find("syn-ack"))
        .collect();
    assert_eq!(columns.len(), 4, "{text}");
    assert!(columns.iter().all(|column| *column == columns[0]), "{text}");
}
