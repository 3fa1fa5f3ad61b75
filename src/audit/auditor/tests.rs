use proptest::prelude::*;

use crate::audit::damage::{damage, damaged, is_safe};
use crate::audit::made::{Made, lines, made};
use crate::audit::{Audit, Auditor, Baseline, Kind, Outcome, Policy};
use crate::engine::{Reason, State};
use crate::output::Record;
use crate::report::{Line, Lines};
use crate::service::{Certificate, Manner, Service, Tls};

/// `new` against `old`.
fn compare(old: &Made, new: &Made) -> Audit {
    new.audit(Some(&old.saved()), None)
}

fn check(result: &Made, policy: &str) -> Audit {
    result.audit(None, Some(policy))
}

const A: &str = "10.0.0.1";
const B: &str = "10.0.0.2";

#[test]
fn the_same_again_is_clean() {
    let result = made("1-100", &[(A, &[22, 80]), (B, &[])]);
    let audit = compare(&result, &result);
    assert_eq!(lines(&audit), [""; 0]);
    assert_eq!(audit.outcome(), Outcome::Clean);
    assert_eq!(audit.baseline.expect("compared").ports, 200);
}

#[test]
fn opened_and_closed_ports_are_drift() {
    let old = made("1-100", &[(A, &[22, 80])]);
    let new = made("1-100", &[(A, &[22, 79])])
        .with(A, 80, Reason::NoResponse)
        .named(A, "a.example");
    let audit = compare(&old, &new);
    let wanted = [
        "opened 10.0.0.1 (a.example) port 79: is open, was not open",
        "closed 10.0.0.1 (a.example) port 80: is not open, was open",
    ];
    assert_eq!(lines(&audit), wanted);
    assert_eq!(audit.outcome(), Outcome::Failed);
    assert_eq!(audit.baseline.expect("compared").ports, 100);
}

#[test]
fn closed_and_filtered_are_told_apart_where_both_list_them() {
    let old = made("1-100", &[(A, &[22])]);
    let new = old.clone().with(A, 80, Reason::NoResponse);
    assert_eq!(compare(&old, &new).outcome(), Outcome::Clean);
    let listed = |made: &Made| made.clone().show(&[State::Closed, State::Filtered]);
    let audit = compare(&listed(&old), &listed(&new));
    assert_eq!(
        lines(&audit),
        ["changed 10.0.0.1 port 80: is filtered, was closed"]
    );
    assert_eq!(audit.outcome(), Outcome::Failed);
    assert_eq!(compare(&listed(&old), &new).outcome(), Outcome::Clean);
    assert_eq!(compare(&old, &listed(&new)).outcome(), Outcome::Clean);
}

#[test]
fn hosts_come_and_go() {
    let silent = made("1-100", &[(A, &[])]).rest(A, Reason::NoResponse);
    let there = made("1-100", &[(A, &[22])]);
    let wanted = [
        "opened 10.0.0.1 port 22: is open, was not open",
        "host-appeared 10.0.0.1: answers, did not in the baseline",
    ];
    assert_eq!(lines(&compare(&silent, &there)), wanted);
    let wanted = [
        "closed 10.0.0.1 port 22: is not open, was open",
        "host-gone 10.0.0.1: does not answer, did in the baseline",
    ];
    assert_eq!(lines(&compare(&there, &silent)), wanted);
    // A refusal is an answer, too.
    let refusing = made("1-100", &[(A, &[])]);
    let wanted = ["host-appeared 10.0.0.1: answers, did not in the baseline"];
    assert_eq!(lines(&compare(&silent, &refusing)), wanted);
    assert_eq!(compare(&silent, &silent).outcome(), Outcome::Clean);
    // With other ports it may have been there all the time.
    let other = made("1-101", &[(A, &[101])]).rest(A, Reason::NoResponse);
    let found = lines(&compare(&silent, &other));
    assert!(
        !found.iter().any(|line| line.starts_with("host-")),
        "{found:?}"
    );
}

#[test]
fn other_ports_and_hosts_are_not_comparable() {
    let old = made(
        "1-100",
        &[(A, &[22, 99]), ("10.0.0.3", &[22]), ("10.0.0.5", &[])],
    );
    let new = made(
        "1-50,101-110",
        &[(A, &[22, 101]), ("10.0.0.4", &[22, 23]), (B, &[])],
    );
    let audit = compare(&old, &new);
    let wanted = [
        "not-comparable 10.0.0.1 port 99: is not scanned now, was open in the baseline",
        "not-comparable 10.0.0.1 port 101: is open now, was not scanned in the baseline",
        "not-comparable 10.0.0.3 port 22: was not scanned now, was open in the baseline",
        "not-comparable 10.0.0.4 ports 22-23: is open now, was not scanned in the baseline",
        "not-comparable 1 host of the baseline without an open port not scanned now: 10.0.0.5",
        "not-comparable 1 host without an open port not scanned in the baseline: 10.0.0.2",
        "not-comparable ports 51-100: scanned in the baseline, not now",
        "not-comparable ports 101-110: not scanned in the baseline",
    ];
    assert_eq!(lines(&audit), wanted);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
}

#[test]
fn an_incomplete_scan_is_never_clean() {
    let old = made("1-100", &[(A, &[22, 80])]);
    let new = old
        .clone()
        .with(A, 80, Reason::Interrupted)
        .with(A, 81, Reason::Interrupted);
    let audit = compare(&old, &new);
    let wanted = [
        "not-comparable 10.0.0.1 port 80: is closed, filtered or unscanned now (2 of its 100 ports unscanned: \
         interrupted), was open in the baseline",
        "not-comparable 2 ports of hosts that were scanned: unscanned now",
    ];
    assert_eq!(lines(&audit), wanted);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
    // Where no port is known to be closed or filtered, this one is not.
    let none = made("1-100", &[(A, &[22])]).rest(A, Reason::OutOfSockets);
    let wanted = "not-comparable 10.0.0.1 port 80: is unscanned now (out-of-sockets), was open in the baseline";
    assert_eq!(lines(&compare(&old, &none))[0], wanted);
    let audit = compare(&new, &old);
    let wanted = [
        "not-comparable 10.0.0.1 port 80: is open now, was closed, filtered or unscanned in the baseline",
        "not-comparable 2 ports of hosts that were scanned: unscanned in the baseline",
        "not-comparable the baseline is incomplete",
    ];
    assert_eq!(lines(&audit), wanted);
    assert_eq!(
        check(&new, "default = 'allow'").outcome(),
        Outcome::Incomplete
    );
}

/// What is left out may be open: no audit that asks for it is clean by what it did not see.
#[test]
fn what_is_left_out_on_purpose_is_unclear_where_it_matters() {
    let all = made("1-100", &[(A, &[22])]);
    let mut part = all.clone();
    for port in 81..=100 {
        part = part.with(A, port, Reason::FirstOpen);
    }
    let deny = "[[rule]]\nallowed = 22";
    let left = "20 ports left out by --stop-at-first-open";
    let audit = check(&part, deny);
    let wanted = format!("unclear {left} that may be open");
    assert_eq!(lines(&audit), [wanted]);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
    assert!(!audit.incomplete, "it is no gap of the scan");
    // What is not allowed is found all the same, and nothing else is asked for here.
    assert_eq!(check(&part, "default = 'deny'").outcome(), Outcome::Failed);
    assert_eq!(check(&part, "default = 'allow'").outcome(), Outcome::Clean);
    let telnet = "default = 'allow'\n[[rule]]\nforbid = 'telnet'";
    part.services = Some(vec![(22, service("ssh"))]);
    assert_eq!(check(&part, telnet).outcome(), Outcome::Incomplete);
    part.services = None;

    let hosts = "of hosts that were scanned";
    let wanted = |when: &str| {
        let (count, what) = left.split_once(" left").expect("so it is");
        format!("not-comparable {count} {hosts}: left{what} {when}")
    };
    assert_eq!(lines(&compare(&all, &part)), [wanted("now")]);
    assert_eq!(lines(&compare(&part, &all)), [wanted("in the baseline")]);
    let both = [wanted("in the baseline"), wanted("now")];
    let audit = compare(&part, &part);
    assert_eq!(lines(&audit), both);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
}

/// All of its ports are open, and so what answers there is known of none.
#[test]
fn a_service_is_not_absent_from_a_host_that_accepts_everything() {
    let all = made("1-100", &[(A, &[])]).accepts_all(A);
    let found = lines(&check(
        &all,
        "default = 'allow'\n[[rule]]\nforbid = 'telnet'",
    ));
    let wanted = "unclear 10.0.0.1: accepts every connection: what is open there tells nothing";
    assert_eq!(found, [wanted]);
}

#[test]
fn drift_of_an_incomplete_scan_is_drift() {
    let old = made("1-100", &[(A, &[22])]);
    let new = made("1-100", &[(A, &[22, 23])]).with(A, 81, Reason::Interrupted);
    assert_eq!(compare(&old, &new).outcome(), Outcome::Failed);
}

#[test]
fn a_host_that_accepts_everything_is_not_compared_port_by_port() {
    let plain = made("1-100", &[(A, &[22])]);
    let all = plain.clone().accepts_all(A);
    for (old, new, when) in [
        (&plain, &all, "accepts every connection now"),
        (&all, &plain, "accepted every connection in the baseline"),
        (&all, &all, "accepts every connection, as in the baseline"),
    ] {
        let audit = compare(old, new);
        let wanted = format!("not-comparable 10.0.0.1: {when}: what is open there tells nothing");
        assert_eq!(lines(&audit), [wanted]);
        assert_eq!(audit.outcome(), Outcome::Incomplete);
    }
    let found = lines(&check(&all, "default = 'deny'"));
    let wanted = "unclear 10.0.0.1: accepts every connection: what is open there tells nothing";
    assert_eq!(found, [wanted]);
    assert_eq!(check(&all, "default = 'allow'").outcome(), Outcome::Clean);
}

#[test]
fn a_port_with_two_verdicts_in_one_file_is_not_compared() {
    let result = made("1-100", &[(A, &[22, 80])]).show(&State::ALL);
    let saved = result.saved();
    let line = saved
        .lines()
        .find(|line| line.contains("\"port\":80,"))
        .expect("a line");
    let closed = line
        .replace("\"open\"", "\"closed\"")
        .replace("syn-ack", "conn-refused");
    for both in [format!("{line}\n{closed}"), format!("{closed}\n{line}")] {
        let audit = result.audit(Some(&saved.replace(line, &both)), None);
        let wanted = ["not-comparable 10.0.0.1 port 80: has two verdicts in the baseline"];
        assert_eq!(lines(&audit), wanted);
        assert_eq!(audit.outcome(), Outcome::Incomplete);
    }
}

#[test]
fn a_policy_is_kept_or_broken() {
    let policy = "
        [[rule]]
        hosts = '10.0.0.0/24'
        required = '22,443'
        allowed = 80
        forbidden = 23
        name = 'net'
        comment = 'as agreed'
    ";
    let good = made("1-1000", &[(A, &[22, 80, 443])]);
    let audit = check(&good, policy);
    assert_eq!((lines(&audit), audit.outcome()), (vec![], Outcome::Clean));
    assert_eq!(audit.policy.expect("checked").ports, 1000);
    let bad = made("1-1000", &[(A, &[22, 23, 99])]);
    let wanted = [
        "required-missing 10.0.0.1 port 443: is not open, required [p.toml:2: net: as agreed]",
        "forbidden-open 10.0.0.1 port 23: is open, forbidden [p.toml:2: net: as agreed]",
        "not-allowed 10.0.0.1 port 99: is open, allowed by no rule",
    ];
    let audit = check(&bad, policy);
    assert_eq!(
        (lines(&audit), audit.outcome()),
        (wanted.map(Into::into).into(), Outcome::Failed)
    );
    // Silence is no open port either.
    let silent = made("1-1000", &[(A, &[22])]).rest(A, Reason::NoResponse);
    assert_eq!(check(&silent, policy).count(Kind::RequiredMissing), 1);
}

#[test]
fn what_was_not_scanned_is_unclear() {
    let policy = "
        default = 'allow'
        [[rule]]
        required = '22,443,8443'
        [[rule]]
        forbidden = '3389'
        [[rule]]
        hosts = ['10.0.0.9', 'www.example', '10.9.0.0/16', '10.0.0.1']
        required = 25
    ";
    let result = made("1-443", &[(A, &[22, 25])]).with(A, 443, Reason::Interrupted);
    let audit = check(&result, policy);
    let wanted = [
        "unclear 10.0.0.1 port 443: is closed, filtered or unscanned (1 of its 443 ports unscanned: \
         interrupted), required [p.toml:3]",
        "unclear 10.0.0.1 port 8443: not among the ports scanned, required [p.toml:3]",
        "unclear 10.0.0.9 port 25: not scanned, required [p.toml:7]",
        "unclear port 25: no host of 10.9.0.0/16 was scanned, required [p.toml:7]",
        "unclear port 25: no host of www.example was scanned, required [p.toml:7]",
        "unclear port 3389: not among the ports scanned, forbidden [p.toml:5]",
        "unclear 1 port unscanned that may be open",
    ];
    let mut found = lines(&audit);
    found.sort();
    let mut wanted = wanted.map(String::from);
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
}

#[test]
fn an_exception_holds_until_its_day() {
    let policy = "
        [[rule]]
        required = 22
        forbidden = 23
        [[rule]]
        hosts = '10.0.0.1'
        allowed = [22, 23, 99]
        until = 2026-06-15
        comment = 'old'
    ";
    let mut result = made("1-1000", &[(A, &[23, 99])]);
    let wanted = [
        "excepted 10.0.0.1 port 22: is not open, excepted until 2026-06-15 [p.toml:5: old]",
        "excepted 10.0.0.1 port 23: is open, excepted until 2026-06-15 [p.toml:5: old]",
        "excepted 10.0.0.1 port 99: is open, excepted until 2026-06-15 [p.toml:5: old]",
    ];
    let audit = check(&result, policy);
    assert_eq!(
        (lines(&audit), audit.outcome()),
        (wanted.map(Into::into).into(), Outcome::Clean)
    );
    result.started = "2026-06-16T00:00:00Z".parse().expect("a time");
    let over = "what allowed it expired on 2026-06-15 [p.toml:5: old]";
    let wanted = [
        format!("required-missing 10.0.0.1 port 22: is not open, required [p.toml:2]; {over}"),
        format!("forbidden-open 10.0.0.1 port 23: is open, forbidden [p.toml:2]; {over}"),
        format!("not-allowed 10.0.0.1 port 99: is open, allowed by no rule; {over}"),
    ];
    let audit = check(&result, policy);
    assert_eq!(
        (lines(&audit), audit.outcome()),
        (wanted.into(), Outcome::Failed)
    );
}

#[test]
fn comments_are_escaped_in_messages() {
    let policy = "[[rule]]\nforbidden = 22\ncomment = \"\\u001b[2J]]>\\u202e\\u0000\"";
    let found = lines(&check(&made("1-100", &[(A, &[22])]), policy));
    let wanted = "forbidden-open 10.0.0.1 port 22: is open, forbidden [p.toml:1: \
                  \\u{1b}[2J]]>\\u{202e}\\u{0}]";
    assert_eq!(found, [wanted]);
}

/// An audit of `saved`, as far as its lines can be read.
fn audit_of(saved: &str, baseline: Option<Baseline>, policy: Policy) -> Option<Audit> {
    let mut lines = Lines::new(saved.as_bytes());
    let mut against = Some((baseline, policy));
    let mut auditor: Option<Auditor> = None;
    while let Some(line) = lines.next_line().expect("it is in memory") {
        match (line.line, &mut auditor) {
            (Ok(Line::Start(start)), None) => {
                let (baseline, policy) = against.take()?;
                auditor = Some(Auditor::new(&start, baseline, Some(policy)));
            }
            (Ok(line), Some(auditor)) => auditor.record(&Record::Line(line)),
            _ => {}
        }
    }
    Some(auditor?.finish())
}

proptest! {
    /// Whatever is done to a result, as a baseline it is read or its mistake is one line that can be
    /// shown, and what is found in it or by it, too.
    #[test]
    fn damaged_results_are_read_or_told(damage in damage(), shard in prop::option::of(1..4u64)) {
        let mut result = made("1-60", &[(A, &[22, 23]), (B, &[22])])
            .named(A, "web.example")
            .with(B, 25, Reason::Interrupted)
            .show(&[State::Closed]);
        result.shard = shard.map(|shard| (shard, 4));
        let good = result.saved();
        let damaged = damaged(&good, &damage);
        let policy = || Policy::parse("p.toml", "[[rule]]\nrequired = '22,25'\ncomment = '\u{202e}'");
        let read = |saved: &str| {
            let mut baseline = Baseline::default();
            baseline.add("old\x1b.ndjson", saved.as_bytes()).map(|()| baseline)
        };
        let mut audits = Vec::new();
        match read(&damaged) {
            Ok(baseline) => audits.extend(audit_of(&good, Some(baseline), policy().expect("good"))),
            Err(error) => {
                let told = error.to_string();
                prop_assert!(is_safe(&told) && told.len() < 2000, "{told:?}");
            }
        }
        audits.extend(audit_of(&damaged, read(&good).ok(), policy().expect("good")));
        for line in audits.iter().flat_map(lines) {
            prop_assert!(is_safe(&line) && line.len() < 2000, "{line:?}");
        }
    }
}

fn service(name: &str) -> Service {
    Service {
        name: Some(name.into()),
        manner: Manner::Answers,
        ..Service::default()
    }
}

/// Whatever the port, what speaks there counts; a rule that lets the port be open excepts it.
#[test]
fn forbidden_services_are_found_on_any_port() {
    let policy = r#"
        default = "allow"
        [[rule]]
        forbid = ["telnet", "ftp"]
        comment = "never in the clear"
        [[rule]]
        hosts = "10.0.0.2"
        allowed = 2323
        until = 2026-06-15
    "#;
    let mut made = made(
        "1-3000",
        &[("10.0.0.1", &[22, 2323]), ("10.0.0.2", &[2323])],
    );
    made.services = Some(vec![(22, service("ssh")), (2323, service("telnet"))]);
    let found = "forbidden-service 10.0.0.1 port 2323: speaks telnet, forbidden \
                 [p.toml:3: never in the clear]";
    assert_eq!(lines(&made.audit(None, Some(policy))), [found]);
    // The exception ends.
    made.started = "2026-06-16T12:00:00Z".parse().expect("a time");
    assert_eq!(
        made.audit(None, Some(policy)).count(Kind::ForbiddenService),
        2
    );
    // Inside TLS it has a name of its own, too.
    let mut ftps = service("ftp");
    ftps.tls = Some(Box::default());
    made.services = Some(vec![(22, service("ssh")), (2323, ftps)]);
    let only = |name: &str| format!("default = \"allow\"\n[[rule]]\nforbid = \"{name}\"");
    for (name, found) in [("ftps", 2), ("ftp", 2), ("telnet", 0)] {
        let audit = made.audit(None, Some(&only(name)));
        assert_eq!(audit.count(Kind::ForbiddenService), found, "{name}");
    }
}

#[test]
fn certificates_that_end_too_soon_are_found() {
    let policy = "default = \"allow\"\n[[rule]]\ncertificate-days = 30";
    let mut made = made("1-500", &[("10.0.0.1", &[443])]);
    for (ends, found) in [
        ("2026-07-15T00:00:00Z", None),
        (
            "2026-07-14T23:59:59Z",
            Some("expires on 2026-07-14, within 30 days"),
        ),
        ("2026-06-14T00:00:00Z", Some("expired on 2026-06-14")),
    ] {
        let mut https = service("http");
        https.tls = Some(Box::new(Tls {
            certificate: Some(Certificate {
                subject: Some("CN=a\u{1b}[2J".into()),
                not_after: Some(ends.parse().expect("a time")),
                ..Certificate::default()
            }),
            ..Tls::default()
        }));
        made.services = Some(vec![(443, https)]);
        let wanted = found.map(|found| {
            format!("certificate 10.0.0.1 port 443: the certificate of CN=a [2J {found} [p.toml:2]")
        });
        let audit = made.audit(None, Some(policy));
        assert_eq!(lines(&audit), wanted.into_iter().collect::<Vec<_>>());
    }
}

/// A result without services is not clean by that.
#[test]
fn services_that_nobody_asked_are_unclear() {
    let policy = "default = \"allow\"\n[[rule]]\nforbid = \"telnet\"";
    let mut made = made("1-500", &[("10.0.0.1", &[22, 443])]);
    let unclear = "unclear 10.0.0.1 ports 22,443: what answers is not known: scan with --services \
                   [p.toml:2]";
    assert_eq!(lines(&made.audit(None, Some(policy))), [unclear]);
    made.services = Some(vec![(22, service("ssh")), (443, service("http"))]);
    assert_eq!(made.audit(None, Some(policy)).outcome(), Outcome::Clean);
}
