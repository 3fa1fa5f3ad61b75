use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn set(specs: &[&str]) -> HostSet {
    let mut set = HostSet::default();
    for spec in specs {
        assert!(set.insert_spec(&spec.parse().expect(spec), 0), "{spec}");
    }
    set
}

fn listed(set: &HostSet) -> Vec<String> {
    let hosts = (0..set.len()).map(|index| set.nth(index).expect("index is below len"));
    hosts.map(|host| host.to_string()).collect()
}

#[test]
fn overlapping_targets_count_once() {
    let set = set(&["10.0.0.7/30", "10.0.0.6-10.0.0.9", "10.0.0.4,5", "10.0.0.8"]);
    assert_eq!(
        listed(&set),
        [
            "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"
        ]
    );
    assert_eq!(set.ranges(), 1);
}

#[test]
fn families_in_order_and_mapped_addresses_are_ipv4() {
    let mut set = set(&[
        "2001:db8::1",
        "2001:db8::/127",
        "192.0.2.1",
        "::ffff:192.0.2.1",
    ]);
    assert_eq!(listed(&set), ["192.0.2.1", "2001:db8::", "2001:db8::1"]);
    set.insert_range(ip("::ffff:192.0.2.0"), ip("::ffff:192.0.2.0"), 9);
    assert_eq!(listed(&set)[..2], ["192.0.2.0", "192.0.2.1"]);
    assert!(set.contains(ip("192.0.2.0"), 3));
}

#[test]
fn one_address_in_two_scopes_is_two_hosts() {
    let mut set = HostSet::default();
    for scope_id in [3, 2, 3] {
        set.insert_range(ip("fe80::1"), ip("fe80::2"), scope_id);
    }
    assert_eq!(
        listed(&set),
        ["fe80::1%2", "fe80::2%2", "fe80::1%3", "fe80::2%3"]
    );
    assert!(set.contains(ip("fe80::1"), 2));
    assert!(!set.contains(ip("fe80::1"), 4));
    assert!(!set.contains(ip("fe80::1"), 0));
}

#[test]
fn the_first_name_is_kept_whatever_else_holds_the_address() {
    let mut set = set(&["192.0.2.0/30"]);
    set.insert_named(ip("192.0.2.1"), 0, "first.example");
    set.insert_named(ip("::ffff:192.0.2.1"), 7, "second.example");
    set.insert_named(ip("2001:db8::1"), 0, "six.example");
    assert_eq!(set.len(), 5);
    let name = |index| set.nth(index).expect("a host").name;
    assert_eq!(name(0), None);
    assert_eq!(name(1).as_deref(), Some("first.example"));
    assert_eq!(name(4).as_deref(), Some("six.example"));
}

#[test]
fn ends_of_the_address_space() {
    let set = set(&["0.0.0.0/0", "255.255.255.255"]);
    assert_eq!(set.len(), 1 << 32);
    assert_eq!(set.nth(0).map(|host| host.addr), Some(ip("0.0.0.0")));
    assert_eq!(
        set.nth((1 << 32) - 1).map(|host| host.addr),
        Some(ip("255.255.255.255"))
    );
    assert_eq!(set.nth(1 << 32), None);
    let mut set = HostSet::default();
    set.insert_range(
        ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        Ipv6Addr::from(u128::MAX).into(),
        0,
    );
    set.insert_range(ip("::"), ip("::"), 1);
    assert_eq!(set.len(), 3);
    assert_eq!(set.ranges(), 2);
    assert_eq!(set.nth(2).map(|host| host.scope_id), Some(1));
}

#[test]
fn too_many_hosts_are_told() {
    let mut set = HostSet::default();
    set.insert_range(ip("2001:db8::"), ip("2001:db8::7fff:ffff:ffff"), 0);
    assert_eq!(set.checked_len(), Some(MAX_HOSTS));
    set.insert_range(ip("192.0.2.1"), ip("192.0.2.1"), 0);
    assert_eq!(set.len(), MAX_HOSTS + 1);
    assert_eq!(set.checked_len(), None);
    set.insert_range(ip("::"), Ipv6Addr::from(u128::MAX).into(), 0);
    set.insert_range(ip("fe80::1"), ip("fe80::1"), 2);
    assert_eq!((set.len(), set.checked_len()), (u64::MAX, None));
    assert!(set.contains(ip("::1"), 0));
    assert!(set.nth(u64::MAX - 1).is_some());
}

#[test]
fn removal() {
    let mut set = set(&["10.0.0.0/24", "2001:db8::/120"]);
    set.remove_range(ip("10.0.0.0"), ip("10.0.0.9"), 0);
    set.remove_range(ip("10.0.0.20"), ip("10.0.0.20"), 0);
    set.remove_range(ip("10.0.0.250"), ip("10.0.1.50"), 0);
    set.remove_range(ip("2001:db8::1"), ip("2001:db8::ffff"), 0);
    assert_eq!(set.len(), 256 - 10 - 1 - 6 + 1);
    assert_eq!(set.ranges(), 3);
    assert!(!set.contains(ip("10.0.0.20"), 0));
    assert!(set.contains(ip("10.0.0.19"), 0));
    set.insert_range(ip("10.0.0.20"), ip("10.0.0.20"), 0);
    assert!(set.contains(ip("10.0.0.20"), 0));
    let all = set.clone();
    set.remove(all);
    assert!(set.is_empty());
}

#[test]
fn an_address_without_a_scope_is_removed_from_every_scope() {
    let mut set = HostSet::default();
    for scope_id in [0, 2, 3] {
        set.insert_range(ip("fe80::1"), ip("fe80::9"), scope_id);
    }
    set.remove_range(ip("fe80::5"), ip("fe80::ffff"), 0);
    set.remove_range(ip("fe80::1"), ip("fe80::2"), 3);
    assert_eq!(set.len(), 4 + 4 + 2);
    assert!(set.contains(ip("fe80::2"), 2) && !set.contains(ip("fe80::2"), 3));
    assert!(!set.contains(ip("fe80::5"), 2) && !set.contains(ip("fe80::9"), 3));
}

#[test]
fn sets_too_large_to_count_still_know_what_is_in_them() {
    let mut set = HostSet::default();
    set.insert_range(ip("::"), ip("7fff::"), 0);
    set.insert_range(ip("fe80::"), ip("febf::"), 0);
    set.insert_range(ip("10.0.0.0"), ip("10.0.0.9"), 0);
    for compact in [false, true] {
        if compact {
            set.compact();
        }
        for (inside, addr) in [
            (true, "::1"),
            (true, "7fff::"),
            (false, "7fff::1"),
            (true, "fe80::1"),
            (false, "ff02::1"),
            (true, "10.0.0.9"),
            (false, "10.0.0.10"),
        ] {
            assert_eq!(set.contains(ip(addr), 0), inside, "{addr}");
        }
    }
}

#[test]
fn memory_is_that_of_ranges() {
    let mut set = set(&["10.0.0.0/8", "11.0.0.0/9", "20.0.0.1", "2001:db8::/90"]);
    set.insert_named(ip("20.0.0.1"), 0, "host.example");
    assert_eq!(set.ranges(), 3);
    assert_eq!(set.freeze().size(), 2 * 8 + 32 + 40);
}

#[test]
fn many_single_addresses_merge_to_what_they_are() {
    // Each address of 0..2^18 in scattered order, odd ones twice.
    let mut set = HostSet::default();
    for i in 0..1u32 << 18 {
        let addr = IpAddr::V4(Ipv4Addr::from(i.wrapping_mul(0x9e37_79b1) & 0x3_ffff));
        for _ in 0..1 + i % 2 {
            set.insert_range(addr, addr, 0);
        }
    }
    assert_eq!((set.len(), set.ranges()), (1 << 18, 1));
}

#[test]
#[should_panic(expected = "not of one family")]
fn a_range_across_families_panics() {
    HostSet::default().insert_range(ip("::1"), ip("1.2.3.4"), 0);
}

/// Operations within a small space, so that ranges meet.
fn steps() -> impl Strategy<Value = Vec<(bool, bool, u8, u8)>> {
    proptest::collection::vec(any::<(bool, bool, u8, u8)>(), 0..60)
}

fn addr(v6: bool, low: u8) -> IpAddr {
    // Close to the upper end, where the next address may not exist.
    if v6 {
        Ipv6Addr::from(u128::MAX - 255 + u128::from(low)).into()
    } else {
        Ipv4Addr::from(u32::MAX - 255 + u32::from(low)).into()
    }
}

proptest! {
    #[test]
    fn set_is_like_a_sorted_set(steps in steps()) {
        let mut set = HostSet::default();
        let mut model = BTreeSet::new();
        for (insert, v6, a, b) in steps {
            let (a, b) = (a.min(b), a.max(b).min(a.min(b).saturating_add(40)));
            if insert {
                set.insert_range(addr(v6, a), addr(v6, b), 0);
                model.extend((a..=b).map(|low| addr(v6, low)));
            } else {
                set.remove_range(addr(v6, a), addr(v6, b), 0);
                model.retain(|&host| host < addr(v6, a) || host > addr(v6, b));
            }
        }
        prop_assert_eq!(set.len(), model.len() as u64);
        for (index, &host) in model.iter().enumerate() {
            prop_assert_eq!(set.nth(index as u64).map(|host| host.addr), Some(host));
        }
        for low in 0..=u8::MAX {
            for v6 in [false, true] {
                let host = addr(v6, low);
                prop_assert_eq!(set.contains(host, 0), model.contains(&host));
            }
        }
    }
}
