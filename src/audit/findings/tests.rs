use super::*;

fn finding(kind: Kind, host: Option<&str>, port: Option<u16>) -> Finding {
    Finding {
        host: host.map(|addr| Target::new(addr.parse().expect("an address"))),
        port,
        ..Finding::new(kind, "it is so".into())
    }
}

fn audit(kinds: &[Kind]) -> Audit {
    let mut findings = Findings::default();
    for kind in kinds {
        findings.add(finding(*kind, None, None));
    }
    Audit {
        policy: Some(Checked {
            findings,
            ..Checked::default()
        }),
        ..Audit::default()
    }
}

#[test]
fn what_failed_goes_before_what_is_unknown() {
    assert_eq!(audit(&[]).outcome(), Outcome::Clean);
    assert_eq!(audit(&[Kind::Excepted]).outcome(), Outcome::Clean);
    let both = [Kind::Unclear, Kind::NotAllowed];
    assert_eq!(audit(&both).outcome(), Outcome::Failed);
    assert_eq!(audit(&both[..1]).outcome(), Outcome::Incomplete);
    let incomplete = Audit {
        incomplete: true,
        ..audit(&[Kind::Excepted])
    };
    assert_eq!(incomplete.outcome(), Outcome::Incomplete);
}

#[test]
fn findings_are_sorted_by_kind_address_and_port() {
    let mut findings = Findings::default();
    for (kind, host, port) in [
        (Kind::Closed, Some("10.0.0.1"), Some(1)),
        (Kind::Opened, None, None),
        (Kind::Opened, Some("2001:db8::1"), Some(1)),
        (Kind::Opened, Some("10.0.0.10"), Some(22)),
        (Kind::Opened, Some("10.0.0.9"), Some(443)),
        (Kind::Opened, Some("10.0.0.9"), Some(80)),
    ] {
        findings.add(finding(kind, host, port));
    }
    findings.sort();
    let lines = findings.list().iter().map(Finding::to_string);
    let wanted = [
        "10.0.0.9 port 80: it is so",
        "10.0.0.9 port 443: it is so",
        "10.0.0.10 port 22: it is so",
        "2001:db8::1 port 1: it is so",
        "it is so",
        "10.0.0.1 port 1: it is so",
    ];
    assert_eq!(lines.collect::<Vec<_>>(), wanted);
}

#[test]
fn what_is_too_much_is_counted() {
    let mut findings = Findings::default();
    for _ in 0..LISTED + 5 {
        findings.add(finding(Kind::Opened, None, None));
    }
    findings.add(finding(Kind::Closed, None, None));
    assert_eq!(findings.count(Kind::Opened), LISTED + 5);
    assert_eq!(
        (findings.list().len() as u64, findings.not_listed()),
        (LISTED + 1, 5)
    );
}

#[test]
fn many_ports_are_told_in_short() {
    let mut several = finding(Kind::Unclear, Some("10.0.0.1"), None);
    several.ports = Some([22, 80, 81, 82].into_iter().collect());
    assert_eq!(several.to_string(), "10.0.0.1 ports 22,80-82: it is so");
    several.host = None;
    several.ports = Some((1..=1000).step_by(2).collect());
    let text = several.to_string();
    assert!(text.starts_with("ports 1,3,5,"), "{text}");
    assert!(text.ends_with(",23 and 488 more: it is so"), "{text}");
}

#[test]
fn what_is_from_outside_is_escaped() {
    let rule = RuleRef {
        file: "p\u{202e}.toml".into(),
        line: 9,
        name: None,
        comment: Some("old\x1b[2J".into()),
        until: None,
    };
    assert_eq!(rule.to_string(), "p\\u{202e}.toml:9: old\\u{1b}[2J");
    let mut named = finding(Kind::Opened, Some("10.0.0.1"), Some(22));
    named.host.as_mut().expect("set").name = Some("a\nb".into());
    assert_eq!(named.to_string(), "10.0.0.1 (a\\u{a}b) port 22: it is so");
}
