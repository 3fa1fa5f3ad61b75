//! ICMP rejections, unreachable neighbours and local policy, in network namespaces.

use super::lab::{run, runs};
use super::*;

/// Ports from 1001 on, rejected in these ways by nft, for both families.
const WAYS: [(&str, &str, Option<Reason>); 6] = [
    (
        "icmp type port-unreachable",
        "icmpv6 type port-unreachable",
        Some(Reason::PortUnreach),
    ),
    (
        "icmp type admin-prohibited",
        "icmpv6 type admin-prohibited",
        Some(Reason::AdminProhibited),
    ),
    (
        "icmp type host-unreachable",
        "icmpv6 type addr-unreachable",
        Some(Reason::HostUnreach),
    ),
    (
        "icmp type net-unreachable",
        "icmpv6 type no-route",
        Some(Reason::NetUnreach),
    ),
    (
        "icmp type host-prohibited",
        "icmpv6 type admin-prohibited",
        Some(Reason::AdminProhibited),
    ),
    ("tcp reset", "tcp reset", None),
];

/// The rules of [`WAYS`] at `hook`, as one nft script.
fn rules(hook: &str) -> String {
    let mut text = format!("table inet t {{ chain c {{ type filter hook {hook} priority 0;\n");
    for (n, (v4, v6, _)) in WAYS.iter().enumerate() {
        let port = 1001 + n;
        text += &format!("meta nfproto ipv4 tcp dport {port} reject with {v4}\n");
        text += &format!("meta nfproto ipv6 tcp dport {port} reject with {v6}\n");
    }
    text + "}\n}\n"
}

/// A lab with nft, or a skip.
fn lab(test: &str) -> Option<Lab> {
    if !runs("nft --version") {
        skip(test, "nft (nftables) is not installed");
        return None;
    }
    Lab::enter(test)
}

fn load(rules: &str, nft: impl Fn(&str)) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), rules).expect("the rules are written");
    nft(&format!("nft -f {}", file.path().display()));
}

/// Each way of rejecting at `ip`, twice in turn on few sockets, among refused ports.
fn check(ip: &str, from: &str) {
    let ip: std::net::IpAddr = ip.parse().expect("an address");
    let from = from.parse().expect("an address");
    for &reuse in ways() {
        for window in [1, 3] {
            let mut sockets = Sockets::new(window, reuse).expect("an event queue");
            let mut targets = Vec::new();
            let mut expected = Vec::new();
            for (n, (_, _, reason)) in WAYS.iter().chain(&WAYS).enumerate() {
                targets.push(SocketAddr::new(ip, 1001 + (n % WAYS.len()) as u16));
                expected.push(match *reason {
                    Some(reason) => Outcome::Answered {
                        reason,
                        from: Some(from),
                    },
                    None => CLOSED,
                });
                targets.push(SocketAddr::new(ip, 2000));
                expected.push(CLOSED);
            }
            let outcomes = probe(&mut sockets, &targets, window);
            for ((target, outcome), expected) in targets.iter().zip(outcomes).zip(expected) {
                assert_eq!(outcome, expected, "{target} window {window} reuse {reuse}");
            }
        }
    }
}

#[test]
fn rejections_of_this_machine_about_itself() {
    let test = "net::tests::rejections::rejections_of_this_machine_about_itself";
    let Some(_lab) = lab(test) else { return };
    load(&rules("input"), run);
    check("127.0.0.1", "127.0.0.1");
    check("127.0.0.2", "127.0.0.2");
    check("::1", "::1");
}

#[test]
fn rejections_of_another_host() {
    let test = "net::tests::rejections::rejections_of_another_host";
    let Some(mut lab) = lab(test) else { return };
    lab.add_peer();
    load(&rules("input"), |nft| lab.peer(nft));
    unlimited_icmp(|command| lab.peer(command));
    check("192.0.2.2", "192.0.2.2");
    check("2001:db8::2", "2001:db8::2");
}

/// The reject rules forward, on a router before the target.
#[test]
fn rejections_of_a_router() {
    let test = "net::tests::rejections::rejections_of_a_router";
    let Some(mut lab) = lab(test) else { return };
    lab.add_peer();
    unlimited_icmp(|command| lab.peer(command));
    // Rejected before routing decides that the router has no route to them; port 2000 is reset.
    let reset = "table inet r { chain c { type filter hook prerouting priority 0;\n\
                 tcp dport 2000 reject with tcp reset\n}\n}\n";
    load(&rules("prerouting"), |nft| lab.peer(nft));
    load(reset, |nft| lab.peer(nft));
    lab.peer("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    lab.peer("ip route add 198.51.100.0/24 dev lo");
    lab.peer("ip route add 2001:db8:1::/64 dev lo");
    run("ip route add 198.51.100.0/24 via 192.0.2.2");
    run("ip route add 2001:db8:1::/64 via 2001:db8::2");
    check("198.51.100.7", "192.0.2.2");
    check("2001:db8:1::7", "2001:db8::2");
}

/// Linux sends one ICMP error a second to a host; here that would only cost time.
fn unlimited_icmp(run: impl Fn(&str)) {
    run("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    run("sysctl -qw net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=10000");
}

/// This machine's firewall rejects what it sends to another host: no verdict on the port.
#[test]
fn an_own_rejection_is_local_policy() {
    let test = "net::tests::rejections::an_own_rejection_is_local_policy";
    let Some(mut lab) = lab(test) else { return };
    lab.add_peer();
    load(&rules("output"), run);
    for ip in ["192.0.2.2", "2001:db8::2"] {
        let ip: std::net::IpAddr = ip.parse().expect("an address");
        for &reuse in ways() {
            let mut sockets = Sockets::new(1, reuse).expect("an event queue");
            for port in [1001, 1002, 1005] {
                assert_eq!(
                    probe_one(&mut sockets, SocketAddr::new(ip, port)),
                    Outcome::Unsendable(Reason::LocalPolicy),
                    "{ip} {port} reuse {reuse}"
                );
            }
        }
    }
}

/// A neighbour that does not answer ARP or ND: the message is our own, the host is not there.
#[test]
fn an_absent_neighbour_is_host_unreachable() {
    let test = "net::tests::rejections::an_absent_neighbour_is_host_unreachable";
    let Some(mut lab) = Lab::enter(test) else {
        return;
    };
    lab.add_peer();
    for family in ["ipv4", "ipv6"] {
        run(&format!(
            "sysctl -qw net.{family}.neigh.near.retrans_time_ms=50"
        ));
    }
    for (ip, own) in [("192.0.2.77", "192.0.2.1"), ("2001:db8::77", "2001:db8::1")] {
        for &reuse in ways() {
            let mut sockets = Sockets::new(1, reuse).expect("an event queue");
            let addr = SocketAddr::new(ip.parse().expect("an address"), 80);
            let from = Some(own.parse().expect("an address"));
            assert_eq!(
                probe_one(&mut sockets, addr),
                Outcome::Answered {
                    reason: Reason::HostUnreach,
                    from
                },
                "{ip} reuse {reuse}"
            );
        }
    }
}

#[test]
fn local_routes_that_refuse() {
    let test = "net::tests::rejections::local_routes_that_refuse";
    let Some(mut lab) = Lab::enter(test) else {
        return;
    };
    lab.add_peer();
    run("ip route add unreachable 198.51.100.0/28");
    run("ip route add prohibit 198.51.100.16/28");
    run("ip route add blackhole 198.51.100.32/28");
    run("ip -6 route add unreachable 2001:db8:1::/64");
    run("ip -6 route add prohibit 2001:db8:2::/64");
    run("ip -6 route add blackhole 2001:db8:3::/64");
    for (ip, reason) in [
        ("198.51.100.1", Reason::NoRoute),
        ("198.51.100.17", Reason::LocalPolicy),
        ("198.51.100.33", Reason::LocalPolicy),
        ("203.0.113.1", Reason::NoRoute),
        ("2001:db8:1::1", Reason::NoRoute),
        ("2001:db8:2::1", Reason::LocalPolicy),
        ("2001:db8:3::1", Reason::LocalPolicy),
        ("2001:db9::1", Reason::NoRoute),
    ] {
        let mut sockets = Sockets::new(1, sys::REUSE).expect("an event queue");
        let addr = SocketAddr::new(ip.parse().expect("an address"), 80);
        assert_eq!(
            probe_one(&mut sockets, addr),
            Outcome::Unsendable(reason),
            "{ip}"
        );
    }
}

/// Without an IPv6 address connect() says EADDRNOTAVAIL, as it does without a free port.
#[test]
fn no_address_to_send_from_is_no_route() {
    let test = "net::tests::rejections::no_address_to_send_from_is_no_route";
    let Some(_lab) = Lab::enter(test) else { return };
    run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=1");
    let mut sockets = Sockets::new(1, sys::REUSE).expect("an event queue");
    let addr = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
    assert_eq!(
        probe_one(&mut sockets, addr),
        Outcome::Unsendable(Reason::NoRoute)
    );
}

/// Two attempts that call each other's source port get connected; neither port is open. Their first
/// SYNs are dropped, so that both wait when the second ones come, 1 s later.
#[test]
fn crossed_attempts_are_not_open() {
    let test = "net::tests::rejections::crossed_attempts_are_not_open";
    let Some(_lab) = lab(test) else { return };
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").expect("a sysctl");
    for &reuse in ways() {
        run("nft add table ip t");
        run("nft add chain ip t c { type filter hook input priority 0 ; policy drop ; }");
        let mut sockets = Sockets::new(2, reuse).expect("an event queue");
        let mut generation = 0;
        let ids = loop {
            generation += 1;
            let ids = [0, 1].map(|index| ProbeId { index, generation });
            for (id, port) in ids.into_iter().zip([40000, 40002]) {
                let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                assert_eq!(sockets.connect(id, addr), None);
            }
            // Local and remote address in hexadecimal, state 02: SYN_SENT.
            let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc is there");
            if table.contains("0100007F:9C40 0100007F:9C42 02")
                && table.contains("0100007F:9C42 0100007F:9C40 02")
            {
                break ids;
            }
            ids.into_iter().for_each(|id| sockets.close(id));
        };
        run("nft flush ruleset");
        let mut seen = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        while seen.len() < 2 && Instant::now() < deadline {
            sockets.wait(Duration::from_millis(100)).expect("poll");
            sockets.drain(|id, outcome| assert_eq!(seen.insert(id, outcome), None));
        }
        let expected = ids.map(|id| (id, Outcome::SelfConnect));
        assert_eq!(seen, BTreeMap::from(expected), "reuse {reuse}");
    }
}
