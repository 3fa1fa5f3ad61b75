use proptest::prelude::*;

use super::*;
use crate::audit::damage::{damage, damaged, is_safe};

fn policy(text: &str) -> Policy {
    match Policy::parse("p.toml", text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}"),
    }
}

fn error(text: &str) -> String {
    match Policy::parse("p.toml", text) {
        Ok(policy) => panic!("{text:?} was read as {policy:?}"),
        Err(error) => error.to_string(),
    }
}

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

fn target(addr: &str, name: Option<&str>) -> Target {
    Target {
        name: name.map(Into::into),
        ..Target::new(addr.parse().expect("an address"))
    }
}

/// What is said of `port` of a host on a day in 2026.
fn stance(policy: &Policy, target: &Target, port: u16) -> Stance {
    let rules = policy.rules_for(target);
    policy
        .stance(&rules, port, Which::InForce(day("2026-06-15")))
        .0
}

#[test]
fn the_last_rule_that_names_a_port_decides() {
    let policy = policy(
        r#"
            [[rule]]
            forbidden = "20-25"
            [[rule]]
            hosts = ["10.0.0.0/24", "Web.Example."]
            required = 22
            allowed = [23, "80,https"]
            default = "allow"
            [[rule]]
            hosts = "10.0.0.7"
            forbidden = "80"
            default = "deny"
        "#,
    );
    use Access::{Allow, Deny};
    use Stance::{Allowed, Forbidden, Required, Unnamed};
    let lone = target("192.0.2.1", None);
    let web = target("192.0.2.1", Some("web.example"));
    let (near, seven) = (target("10.0.0.8", None), target("10.0.0.7", None));
    for (host, port, wanted) in [
        (&lone, 22, Forbidden),
        (&lone, 443, Unnamed(Deny)),
        (&web, 22, Required),
        (&near, 24, Forbidden),
        (&near, 23, Allowed),
        (&near, 443, Allowed),
        (&near, 444, Unnamed(Allow)),
        (&seven, 22, Required),
        (&seven, 80, Forbidden),
        (&seven, 444, Unnamed(Deny)),
    ] {
        assert_eq!(stance(&policy, host, port), wanted, "{host} {port}");
    }
}

/// What a host's rules come to is what they say of each port.
#[test]
fn the_sum_of_rules_is_what_they_say_port_by_port() {
    let policy = policy(
        r#"
            default = "allow"
            [[rule]]
            required = "1-5"
            forbidden = "6-9"
            [[rule]]
            allowed = "3-6"
            until = 2026-06-15
            [[rule]]
            required = "9"
            forbidden = "2"
            until = 2026-06-14
            [[rule]]
            forbidden = "1"
            default = "deny"
        "#,
    );
    let rules = policy.rules_for(&target("10.0.0.1", None));
    let today = day("2026-06-15");
    let stances = policy.stances(&rules, today);
    assert_eq!(stances.access, Access::Deny);
    for port in 0..20 {
        let (stance, _) = policy.stance(&rules, port, Which::InForce(today));
        assert_eq!(
            stances.required.contains(port),
            stance == Stance::Required,
            "{port}"
        );
        assert_eq!(
            stances.forbidden.contains(port),
            stance == Stance::Forbidden,
            "{port}"
        );
        let (stance, _) = policy.stance(&rules, port, Which::Lasting);
        let lasting = stances.required_lasting.contains(port);
        assert_eq!(lasting, stance == Stance::Required, "{port}");
    }
    assert_eq!(stances.required.to_string(), "2");
}

#[test]
fn a_rule_holds_through_its_last_day() {
    let policy = policy("[[rule]]\nallowed = 22\nuntil = 2026-12-31");
    let rules = policy.rules_for(&target("10.0.0.1", None));
    let at = |text| policy.stance(&rules, 22, Which::InForce(day(text))).0;
    assert_eq!(at("2026-12-31"), Stance::Allowed);
    assert_eq!(at("2027-01-01"), Stance::Unnamed(Access::Deny));
}

#[test]
fn hosts_are_written_as_targets_are() {
    for (pattern, inside, outside) in [
        ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.0"),
        ("10.0.0.5-9", "10.0.0.9", "10.0.0.10"),
        ("10.0-3.*.1,5", "10.2.77.5", "10.2.77.4"),
        ("2001:db8::/32", "2001:db8:7::1", "2001:db9::"),
        ("::/0", "::1", "10.0.0.1"),
        ("fe80::1", "fe80::1", "fe80::2"),
    ] {
        let pattern: HostPattern = pattern.parse().expect(pattern);
        assert!(pattern.is_for(&target(inside, Some("x"))), "{pattern:?}");
        assert!(!pattern.is_for(&target(outside, Some("x"))), "{pattern:?}");
    }
    let scoped: HostPattern = "fe80::1%2".parse().expect("an index");
    let mut host = target("fe80::1", None);
    assert!(!scoped.is_for(&host));
    host.scope_id = 2;
    assert!(scoped.is_for(&host));
}

#[test]
fn mistakes_have_their_line_and_column() {
    for (text, wanted) in [
        (
            "defualt = 1",
            "p.toml:1:1: unknown key `defualt`; did you mean `default`?",
        ),
        (
            "# ü\n[[rule]]\n  comment = 'ü'\n  forbiden = 22",
            "p.toml:4:3: unknown key `forbiden`; did you mean `forbidden`?",
        ),
        (
            "[[rule]]\nxyzzy = 22",
            "p.toml:2:1: unknown key `xyzzy`; known are hosts, required, allowed, forbidden, forbid, \
             certificate-days, default, \
             name, comment, until",
        ),
        (
            "default = 'maybe'",
            "p.toml:1:11: `default` is \"deny\" or \"allow\"",
        ),
        (
            "",
            "p.toml:1:1: says nothing: give a `default` or a `[[rule]]`",
        ),
        (
            "[rule]\nallowed = 22",
            "p.toml:1:1: a rule begins with `[[rule]]`",
        ),
        (
            "default='deny'\n\n[[rule]]\nhosts = '10.0.0.1'",
            "p.toml:3:1: the rule says nothing: give `required`, `allowed`, `forbidden`, `forbid`, \
             `certificate-days` or `default`",
        ),
        (
            "[[rule]]\nrequired = 22\nforbidden = \"20-25\"",
            "p.toml:3:13: port 22 is required and forbidden in one rule",
        ),
        (
            "[[rule]]\nallowed = 65536",
            "p.toml:2:11: 65536 is no port, 0 to 65535",
        ),
        (
            "[[rule]]\nallowed = -1",
            "p.toml:2:11: -1 is no port, 0 to 65535",
        ),
        (
            "[[rule]]\nallowed = [22, '80-70']",
            "p.toml:2:16: range 80-70 runs backwards; did you mean 70-80?",
        ),
        (
            "[[rule]]\nallowed = [[22]]",
            "p.toml:2:12: ports are written \"22,80-90,https\", 22, or as a list of these",
        ),
        (
            "[[rule]]\nhosts = ['10.0.0.256']\nallowed = 1",
            "p.toml:2:10: 256 in `10.0.0.256` is above 255, the highest number in an IPv4 address",
        ),
        (
            "[[rule]]\nhosts = 'fe80::1%eth0'\nallowed = 1",
            "p.toml:2:9: an interface is told by its index here, as results have it: fe80::1%2",
        ),
        (
            "[[rule]]\nhosts = []\nallowed = 1",
            "p.toml:2:9: no host at all; leave `hosts` away for every host",
        ),
        (
            "[[rule]]\nallowed = 1\nuntil = '2026-12-31'",
            "p.toml:3:9: `until` is a day, without quotes: 2026-12-31",
        ),
        (
            "[[rule]]\nallowed = 1\nuntil = 2026-12-31T10:00:00",
            "p.toml:3:9: `until` is a day, without quotes: 2026-12-31",
        ),
        (
            "[[rule]]\ncomment = 7\nallowed = 1",
            "p.toml:2:11: text, in quotes, is wanted here",
        ),
    ] {
        assert_eq!(error(text), wanted, "{text}");
    }
    let broken = error("default = 'deny'\n[[rule]\nallowed = 22");
    assert!(broken.starts_with("p.toml:2:8: not TOML: "), "{broken}");
    let twice = error("[[rule]]\nallowed = 22\nallowed = 23");
    assert!(twice.starts_with("p.toml:3:1: not TOML: "), "{twice}");
}

#[test]
fn rules_know_their_lines() {
    let policy =
        policy("default = 'deny'\n\n[[rule]]\nallowed = 1\n# ü\n\n[[rule]]\nallowed = 2\n");
    let lines = policy.rules().iter().map(|rule| rule.line);
    assert_eq!(lines.collect::<Vec<_>>(), [3, 7]);
}

#[test]
fn what_is_no_text_or_too_much_is_told() {
    let read = |bytes: &[u8]| {
        Policy::read("p\x1b.toml", bytes)
            .expect_err("wrong")
            .to_string()
    };
    assert_eq!(read(b"# a\n# \xc3\xbc\xff"), "p\\u{1b}.toml:2:4: not UTF-8");
    let large = vec![b'\n'; MAX_SIZE + 1];
    assert_eq!(
        read(&large),
        "p\\u{1b}.toml: larger than 1 MiB, the most of a policy"
    );
    let long = format!("[[rule]]\nallowed = 1\ncomment = '{}'", "x".repeat(1001));
    assert_eq!(
        error(&long),
        "p.toml:3:11: text of more than 1000 characters"
    );
    // What is deeply nested is refused, not followed.
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(error(&deep).contains("not TOML"), "{}", error(&deep));
}

proptest! {
    /// Networks and ranges that overlap in any way are found by what is in them.
    #[test]
    fn networks_are_looked_up_as_they_are_read(
        ranges in prop::collection::vec((any::<u8>(), any::<u8>(), 0..5usize), 0..40),
        asked in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let hosts = ranges.iter().map(|(a, b, kind)| match kind {
            0 => format!("\"10.0.0.{}-{}\"", a.min(b), a.max(b)),
            1 => format!("\"10.0.0.{a}/{}\"", 20 + b % 13),
            2 => format!("\"::{a:x}/{}\"", 117 + b % 12),
            3 => format!("\"::ffff:10.0.0.{a}/{}\"", 117 + b % 12),
            _ => format!("\"10.0.{}-{}.{a}\"", b % 4, b % 4 + 2),
        });
        let rules = hosts.map(|host| format!("[[rule]]\nhosts = {host}\nallowed = 1\n"));
        let policy = policy(&format!("default = 'deny'\n{}", rules.collect::<String>()));
        for last in asked {
            for addr in [format!("10.0.0.{last}"), format!("10.0.3.{last}"), format!("::{last:x}")] {
                let target = target(&addr, None);
                let rules = policy.rules().iter().zip(0u32..);
                let rules = rules.filter(|(rule, _)| rule.hosts[0].is_for(&target));
                let wanted: Vec<_> = rules.map(|(_, number)| number).collect();
                prop_assert_eq!(policy.rules_for(&target), wanted);
            }
        }
    }

    /// The rules that are looked up are those that each by itself says it is for the host.
    #[test]
    fn rules_are_looked_up_as_they_are_read(
        hosts in prop::collection::vec(prop::collection::vec(0..9usize, 0..3), 0..12),
        (addr, name) in (0..5usize, 0..4usize),
    ) {
        let patterns = [
            "10.0.0.1", "10.0.0.2", "fe80::1", "fe80::1%2", "Web.Example.", "10.0.0.0/31", "10.0.0.1-3",
            "10.0.*.1", "fe80::/10",
        ];
        let addr = ["10.0.0.1", "10.0.0.2", "10.0.9.1", "fe80::1", "2001:db8::1"][addr];
        let name = [None, Some("web.example"), Some("WEB.example."), Some("b.example")][name];
        let rules = hosts.iter().map(|hosts| {
            let hosts: Vec<_> = hosts.iter().map(|host| patterns[*host]).collect();
            let hosts = match hosts.is_empty() {
                true => String::new(),
                false => format!("hosts = {hosts:?}\n"),
            };
            format!("[[rule]]\n{hosts}allowed = 1\n")
        });
        let policy = policy(&format!("default = 'deny'\n{}", rules.collect::<String>()));
        for scope_id in [0, 2, 3] {
            let target = Target { scope_id, ..target(addr, name) };
            let is_for = |rule: &Rule| {
                rule.hosts.is_empty() || rule.hosts.iter().any(|host| host.is_for(&target))
            };
            let rules = policy.rules().iter().zip(0u32..).filter(|(rule, _)| is_for(rule));
            let wanted: Vec<_> = rules.map(|(_, number)| number).collect();
            prop_assert_eq!(policy.rules_for(&target), wanted);
        }
    }
}

#[test]
fn hostile_keys_are_escaped() {
    let told = error("\"\\u001b[2J\\u202e\" = 1");
    assert!(told.contains("`\\u{1b}[2J\\u{202e}`"), "{told}");
    let long = error(&format!("{} = 1", "x".repeat(500_000)));
    assert!(long.len() < 1000, "{}", long.len());
}

/// A policy with a bit of everything.
const SEED: &str = r#"default = "deny"
[[rule]]
hosts = ["10.0.0.0/24", "web.example", 'fe80::1%2', "10.0-3.*.1"]
required = "22,https"
allowed = [80, "8000-8100"]
forbidden = 0x17
name = "net"
comment = """as
agreed"""
until = 2026-12-31
"#;

proptest! {
    /// Whatever is done to a policy, it is read or its mistake is one line that can be shown.
    #[test]
    fn damaged_policies_are_read_or_told(damage in damage()) {
        let text = damaged(SEED, &damage);
        match Policy::parse("p.toml", &text) {
            Ok(policy) => {
                let host = target("10.0.0.1", Some("web.example"));
                let rules = policy.rules_for(&host);
                for port in [0, 22, 23, 443, 65535] {
                    policy.stance(&rules, port, Which::InForce(day("2026-06-15")));
                }
                policy.stances(&rules, day("2026-06-15"));
            }
            Err(error) => {
                let told = error.to_string();
                prop_assert!(told.starts_with("p.toml:") && told.len() < 2000, "{told}");
                prop_assert!(is_safe(&told), "{told:?}");
            }
        }
    }
}

#[test]
fn rules_on_services_are_read_and_slips_in_them_named() {
    let policy = policy("[[rule]]\nforbid = [\"telnet\", \"ftp\"]\ncertificate-days = 30");
    assert_eq!(policy.rules()[0].forbid, ["telnet", "ftp"]);
    assert_eq!(policy.rules()[0].certificate_days, Some(30));
    for (text, told) in [
        (
            "forbid = []",
            "p.toml:2:10: `forbid` names 1 to 1000 services",
        ),
        (
            "forbid = \"Telnet\"",
            "p.toml:2:10: a service is named as --services names it",
        ),
        (
            "forbid = 23",
            "p.toml:2:10: text, in quotes, is wanted here",
        ),
        (
            "certificate-days = -1",
            "p.toml:2:20: `certificate-days` is a number of days",
        ),
        (
            "certificate-days = \"30\"",
            "p.toml:2:20: `certificate-days` is a number",
        ),
        (
            "certificate-day = 30",
            "p.toml:2:1: unknown key `certificate-day`; did you mean",
        ),
    ] {
        let error = error(&format!("[[rule]]\n{text}"));
        assert!(error.starts_with(told), "{error}");
    }
}
