//! What may be typed for a target, and what is said when it is wrong.

use nishad::target::{HostSet, HostSpec, PortSet, TargetSpace};
use proptest::prelude::*;

fn parse(target: &str) -> HostSpec {
    match target.parse() {
        Ok(spec) => spec,
        Err(error) => panic!("{target:?}: {error}"),
    }
}

fn error(target: &str) -> String {
    match target.parse::<HostSpec>() {
        Ok(spec) => panic!("{target:?} was read as {spec:?}"),
        Err(error) => error.to_string(),
    }
}

/// First host, last host and number of hosts.
fn ends(target: &str) -> (String, String, u64) {
    let mut set = HostSet::default();
    assert!(set.insert_spec(&parse(target), 0), "{target}");
    let host = |index| set.nth(index).map(|host| host.to_string());
    let (first, last) = (host(0), host(set.len() - 1));
    (
        first.unwrap_or_default(),
        last.unwrap_or_default(),
        set.len(),
    )
}

#[test]
fn addresses_networks_and_ranges() {
    for (target, first, last, len) in [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 1),
        (" 127.0.0.1\t", "127.0.0.1", "127.0.0.1", 1),
        ("::1", "::1", "::1", 1),
        ("[::1]", "::1", "::1", 1),
        ("2001:DB8::1", "2001:db8::1", "2001:db8::1", 1),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", 1),
        ("10.0.0.7/24", "10.0.0.0", "10.0.0.255", 256),
        ("10.0.0.7/32", "10.0.0.7", "10.0.0.7", 1),
        ("10.0.0.7/31", "10.0.0.6", "10.0.0.7", 2),
        ("10.0.0.7/0", "0.0.0.0", "255.255.255.255", 1 << 32),
        ("2001:db8::77/120", "2001:db8::", "2001:db8::ff", 256),
        ("[2001:db8::77]/120", "2001:db8::", "2001:db8::ff", 256),
        ("2001:db8::77/128", "2001:db8::77", "2001:db8::77", 1),
        (
            "2001:db8::/81",
            "2001:db8::",
            "2001:db8::7fff:ffff:ffff",
            1 << 47,
        ),
        ("::ffff:10.0.0.7/120", "10.0.0.0", "10.0.0.255", 256),
        ("192.0.2.1-192.0.2.20", "192.0.2.1", "192.0.2.20", 20),
        ("192.0.2.250-192.0.3.5", "192.0.2.250", "192.0.3.5", 12),
        ("192.0.2.1-20", "192.0.2.1", "192.0.2.20", 20),
        (
            "2001:db8::1-2001:db8::ff",
            "2001:db8::1",
            "2001:db8::ff",
            255,
        ),
        (
            "[2001:db8::1]-[2001:db8::ff]",
            "2001:db8::1",
            "2001:db8::ff",
            255,
        ),
        ("10.0.0-3.1-254", "10.0.0.1", "10.0.3.254", 4 * 254),
        ("10.0.0.1,3,5-7", "10.0.0.1", "10.0.0.7", 5),
        ("10.0.*.1", "10.0.0.1", "10.0.255.1", 256),
        ("10.*.*.1-254", "10.0.0.1", "10.255.255.254", 65_536 * 254),
        ("*.*.*.*", "0.0.0.0", "255.255.255.255", 1 << 32),
        ("10.0.0.-", "10.0.0.0", "10.0.0.255", 256),
        ("10.0.0.-9", "10.0.0.0", "10.0.0.9", 10),
        ("10.0.0.250-", "10.0.0.250", "10.0.0.255", 6),
        ("10.0.0.0", "10.0.0.0", "10.0.0.0", 1),
    ] {
        let expected = (first.to_string(), last.to_string(), len);
        assert_eq!(ends(target), expected, "{target}");
    }
}

#[test]
fn scopes_stay_text() {
    for (target, scope, shown) in [
        ("fe80::1%eth0", "eth0", "fe80::1%eth0"),
        ("[fe80::1%2]", "2", "fe80::1%2"),
        ("fe80::1%br-lan", "br-lan", "fe80::1%br-lan"),
        ("fe80::1%br-1-fe80::9", "br-1", "fe80::1%br-1-fe80::9%br-1"),
        (
            "fe80::1%eth0-fe80::9%eth0",
            "eth0",
            "fe80::1%eth0-fe80::9%eth0",
        ),
        ("fe80::1-fe80::9%eth0", "eth0", "fe80::1%eth0-fe80::9%eth0"),
        ("fe80::1%eth0.7/126", "eth0.7", "fe80::%eth0.7/126"),
    ] {
        let spec = parse(target);
        assert_eq!(spec.scope(), Some(scope), "{target}");
        assert_eq!(spec.to_string(), shown, "{target}");
        assert!(!spec.lacks_scope(), "{target}");
    }
    for target in ["fe80::1", "fe80::1-fe80::2", "fe80::/120"] {
        assert!(parse(target).lacks_scope(), "{target}");
    }
    for target in ["::1", "2001:db8::1", "169.254.0.1", "localhost", "10.0.0.*"] {
        assert!(!parse(target).lacks_scope(), "{target}");
    }
}

#[test]
fn names_stay_names() {
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    for name in [
        "localhost",
        "host.example",
        "host.example.",
        "HOST.Example",
        "a-b",
        "x",
        "1a",
        "3com.example",
        "_dmarc.host_1",
        "xn--bcher-kva.example",
        "1.2.3.4.in-addr.arpa",
        "dead",
        "beef.cafe",
        "10.0.0.1-host",
        &long,
    ] {
        assert_eq!(parse(name), HostSpec::Name(name.to_string()));
        assert!(parse(name).ranges().is_none());
        assert!(!HostSet::default().insert_spec(&parse(name), 0));
    }
}

#[test]
fn errors_name_the_piece_and_what_would_be_right() {
    let label = "a".repeat(64);
    let name = vec!["a".repeat(60); 5].join(".");
    for (target, expected) in [
        (
            "",
            "empty target; give an address, a host name, a network or a range",
        ),
        (
            " ",
            "empty target; give an address, a host name, a network or a range",
        ),
        ("a b", "`a b` has a blank in it; give each target by itself"),
        ("http://a/", "`http://a/` is a URL; give its host alone"),
        (
            "localhost:80",
            "`localhost` has a port in it; give the host alone, and the port with --ports 80",
        ),
        (
            "[::1]:80",
            "`[::1]` has a port in it; give the host alone, and the port with --ports 80",
        ),
        (
            "10.0.0.1:22",
            "`10.0.0.1` has a port in it; give the host alone, and the port with --ports 22",
        ),
        (
            "1::2::3",
            "`1::2::3` is no IPv6 address; one looks like 2001:db8::1 or fe80::1%eth0",
        ),
        (
            "2001:db8::1-ff",
            "`2001:db8::1-ff` is no IPv6 address; one looks like 2001:db8::1 or fe80::1%eth0",
        ),
        (
            "10.0.0.1%eth0",
            "`10.0.0.1%eth0` is no IPv6 address; one looks like 2001:db8::1 or fe80::1%eth0",
        ),
        (
            "[::1",
            "`[::1`: brackets go round an IPv6 address and nothing else, as in [2001:db8::1]",
        ),
        (
            "::1]",
            "`::1]`: brackets go round an IPv6 address and nothing else, as in [2001:db8::1]",
        ),
        (
            "[10.0.0.1]",
            "`[10.0.0.1]` is no IPv6 address; one looks like 2001:db8::1 or fe80::1%eth0",
        ),
        (
            "1.2.3",
            "`1.2.3` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            "12345",
            "`12345` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            "1.2.3.4.5",
            "`1.2.3.4.5` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            "1..2.3",
            "`1..2.3` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            "10.0.0.1-10.0.0",
            "`10.0.0.1-10.0.0` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            "10.0.0.1,10.0.0.2",
            "`10.0.0.1,10.0.0.2` has several addresses in it; separate targets with blanks, not commas",
        ),
        (
            "300.1.1.1",
            "300 in `300.1.1.1` is above 255, the highest number in an IPv4 address",
        ),
        (
            "10.0.0.1-256",
            "256 in `10.0.0.1-256` is above 255, the highest number in an IPv4 address",
        ),
        (
            "010.0.0.1",
            "010 in `010.0.0.1` has a leading zero; did you mean 10?",
        ),
        (
            "10.0.0.00",
            "00 in `10.0.0.00` has a leading zero; did you mean 0?",
        ),
        (
            "10.0.0.1--2",
            "`1--2` in `10.0.0.1--2` is no range; write one as in 1-254, 1,3,5-7 or *",
        ),
        (
            "10.0.0.1*",
            "`1*` in `10.0.0.1*` is no range; write one as in 1-254, 1,3,5-7 or *",
        ),
        (
            "10.0.0.1,",
            "`1,` in `10.0.0.1,` is no range; write one as in 1-254, 1,3,5-7 or *",
        ),
        (
            "10.0.0.20-1",
            "range 20-1 runs backwards; did you mean 1-20?",
        ),
        (
            "192.0.2.20-192.0.2.1",
            "range 192.0.2.20-192.0.2.1 runs backwards; did you mean 192.0.2.1-192.0.2.20?",
        ),
        (
            "::2-::1",
            "range ::2-::1 runs backwards; did you mean ::1-::2?",
        ),
        (
            "10.0.0.1-::1",
            "range 10.0.0.1-::1 begins with IPv4 and ends with IPv6; both ends must be of one family",
        ),
        (
            "host/24",
            "`host` before the slash is no address; a network looks like 10.0.0.0/24",
        ),
        (
            "10.0.0/8",
            "`10.0.0` before the slash is no address; a network looks like 10.0.0.0/24",
        ),
        (
            "10.0.0.0/33",
            "`33` is no prefix length for IPv4; it is a number of 0 to 32, as in 10.0.0.0/24",
        ),
        (
            "10.0.0.0/",
            "`` is no prefix length for IPv4; it is a number of 0 to 32, as in 10.0.0.0/24",
        ),
        (
            "10.0.0.0/+8",
            "`+8` is no prefix length for IPv4; it is a number of 0 to 32, as in 10.0.0.0/24",
        ),
        (
            "10.0.0.0/8/8",
            "`8/8` is no prefix length for IPv4; it is a number of 0 to 32, as in 10.0.0.0/24",
        ),
        (
            "2001:db8::/129",
            "`129` is no prefix length for IPv6; it is a number of 0 to 128, as in 2001:db8::/112",
        ),
        (
            "2001:db8::/64",
            "`2001:db8::/64` holds 2^64 addresses or more, and 2^47 are the most of a run; give a prefix of /81 or longer, or ranges",
        ),
        (
            "::/0",
            "`::/0` holds 2^128 addresses or more, and 2^47 are the most of a run; give a prefix of /81 or longer, or ranges",
        ),
        (
            "::1-2001::1",
            "`::1-2001::1` holds 2^125 addresses or more, and 2^47 are the most of a run; give a prefix of /81 or longer, or ranges",
        ),
        (
            "*.*.*.1",
            "`*.*.*.1` falls apart into 16777216 ranges, and 1048576 are the most; give whole ranges in the last numbers, or fewer in the first",
        ),
        (
            "::1%lo",
            "::1 is not link-local and has no scope; leave out `%lo`",
        ),
        (
            "fe80::1%",
            "`%` names no interface; a scope looks like %eth0 or %2",
        ),
        (
            "fe80::1%a%b",
            "`%a%b` names no interface; a scope looks like %eth0 or %2",
        ),
        (
            "fe80::1%a-fe80::2%b",
            "range from %a to %b: both ends must be on one interface",
        ),
        (
            "bücher.example",
            "`bücher.example` has letters outside ASCII; give its ASCII form, which begins with xn--",
        ),
        (
            "a@b",
            "`@` in `a@b` is in no host name; it has letters, digits, dots and hyphens",
        ),
        (
            "a\u{1b}[31m",
            "`a\\u{1b}[31m`: brackets go round an IPv6 address and nothing else, as in [2001:db8::1]",
        ),
        (
            "a\u{7}b",
            "`\\u{7}` in `a\\u{7}b` is in no host name; it has letters, digits, dots and hyphens",
        ),
        (
            "a..b",
            "`a..b` is no host name: there is nothing before one of its dots",
        ),
        (
            ".",
            "`.` is no IPv4 address; one has four numbers of 0 to 255, as in 192.0.2.1",
        ),
        (
            ".a",
            "`.a` is no host name: there is nothing before one of its dots",
        ),
        (
            "a-.b",
            "`a-` is no part of a host name: it begins or ends with a hyphen",
        ),
        (
            "host.1",
            "`host.1` ends in a number: it is neither a host name nor an IPv4 address of four numbers",
        ),
        (
            "0x7f.0x1",
            "`0x7f.0x1` ends in a number: it is neither a host name nor an IPv4 address of four numbers",
        ),
        (
            &label,
            &format!(
                "`{}…` is no part of a host name: it has 64 characters, and 63 are the most",
                "a".repeat(60)
            ),
        ),
        (
            &name,
            &format!(
                "`{}…` is no host name: it has 304 characters, and 253 are the most",
                "a".repeat(60)
            ),
        ),
    ] {
        assert_eq!(error(target), expected, "{target:?}");
    }
}

#[test]
fn what_is_shown_can_be_typed_again() {
    for target in [
        "127.0.0.1",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "10.0.0.7/24",
        "2001:db8::7/120",
        "host.example",
        "192.0.2.1-192.0.2.20",
        "::1-::5",
        "10.0.0-3.1,3,5-7",
        "10.*.0.1-",
        "fe80::1%br-a-fe80::2",
    ] {
        let spec = parse(target);
        assert_eq!(parse(&spec.to_string()), spec, "{target}");
    }
}

/// Reads `target`; an error is one printable line of bounded length, and no set is huge.
fn check(target: &str) {
    match target.parse::<HostSpec>() {
        Ok(spec) => {
            let count = spec.ranges().map_or(0, Iterator::count);
            assert!(count <= 1 << 20, "{target:?} is {count} ranges");
            assert_eq!(parse(&spec.to_string()), spec, "{target:?}");
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 1000, "{text:?}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(target in ".*") {
        check(&target);
    }

    #[test]
    fn arbitrary_ipv4_like_text_never_panics(target in "([0-9]{1,3}|[0-9,*-]{0,5})(\\.([0-9]{1,3}|[0-9,*-]{0,5})){0,4}(/[0-9]{0,3})?(-[0-9.]{1,15})?") {
        check(&target);
    }

    #[test]
    fn arbitrary_ipv6_like_text_never_panics(target in "\\[?(fe80|[0-9a-f]{0,4})(:[0-9a-f]{0,4}){1,8}(%[a-z0-9-]{0,4})?\\]?(-[0-9a-f:%]{1,12})?(/[0-9]{0,3})?") {
        check(&target);
    }
}

/// 4,096 hosts in 16 networks of 256: of any 64 hosts in a row, which would be 4 of each network if
/// they were spread perfectly, no network has more than 16.
#[test]
fn hosts_in_a_row_are_of_different_networks() {
    for seed in 0..20 {
        let mut hosts = HostSet::default();
        let spec = "10.1.0.0/20".parse().expect("a network");
        assert!(hosts.insert_spec(&spec, 0));
        let space = TargetSpace::new(hosts, PortSet::all(), &[], seed);
        let net = |position| match space.host(position).addr {
            std::net::IpAddr::V4(addr) => usize::from(addr.octets()[2]),
            addr => panic!("{addr} was not given"),
        };
        let mut counts = [0u32; 16];
        for position in 0..space.hosts() {
            counts[net(position)] += 1;
            if let Some(before) = position.checked_sub(64) {
                counts[net(before)] -= 1;
            }
            let most = counts.iter().max().expect("sixteen");
            assert!(*most <= 16, "seed {seed}: {most} of 64 in one network");
        }
    }
}
