//! Sets of hosts.
//!
//! Ranges of addresses are merged and indexed by the number of addresses before each. An IPv4
//! range costs 8 bytes, an IPv6 range 32, a name 40 and its text, whatever the ranges hold; while
//! a set is put together, ranges cost 8 and 48 bytes more. The `nth` address is a binary search.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, OnceLock};

use super::HostSpec;
use super::intervals::{Index, Intervals, Scoped};

/// Most hosts of one run, 2^47: with 65,536 ports each, 2^63 probes.
pub const MAX_HOSTS: u64 = 1 << 47;

/// One host to scan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its address.
    pub addr: IpAddr,
    /// IPv6 scope (interface index) of a link-local address, else 0.
    pub scope_id: u32,
    /// The host name it was given by.
    pub name: Option<Arc<str>>,
}

impl Target {
    /// The host at `addr`, without scope and name.
    pub fn new(addr: IpAddr) -> Target {
        Target {
            addr,
            scope_id: 0,
            name: None,
        }
    }

    /// Where to connect to for `port`.
    pub fn socket_addr(&self, port: u16) -> SocketAddr {
        match self.addr {
            IpAddr::V4(v4) => SocketAddr::new(v4.into(), port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, 0, self.scope_id).into(),
        }
    }
}

/// The address alone, with `%scope` where there is one.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.addr)?;
        if self.scope_id != 0 {
            write!(f, "%{}", self.scope_id)?;
        }
        Ok(())
    }
}

/// A set of hosts; memory grows with its ranges, not with its size.
///
/// IPv4-mapped IPv6 addresses are taken as the IPv4 addresses they stand for. The first look at a
/// set after a change sorts it, so put it together first.
#[derive(Clone, Debug, Default)]
pub struct HostSet {
    v4: Intervals<u32>,
    v6: Intervals<Scoped>,
    /// In the order given: the first name of an address counts.
    names: Vec<(Key, Arc<str>)>,
    index: OnceLock<Arc<HostIndex>>,
}

/// An address and its scope.
type Key = (IpAddr, u32);

impl HostSet {
    /// Adds all addresses from `first` to `last`. `scope_id` counts for IPv6 only.
    ///
    /// # Panics
    /// If the two are of different families or `last` is below `first`.
    pub fn insert_range(&mut self, first: IpAddr, last: IpAddr, scope_id: u32) {
        match Bounds::new(first, last, scope_id) {
            Bounds::V4(first, last) => self.v4.insert(first, last),
            Bounds::V6(first, last) => self.v6.insert(first, last),
        }
        self.index.take();
    }

    /// Adds one address and the name it was given by. The first name of an address is kept.
    pub fn insert_named(&mut self, addr: IpAddr, scope_id: u32, name: impl Into<Arc<str>>) {
        self.insert_range(addr, addr, scope_id);
        self.names.push((key(addr, scope_id), name.into()));
    }

    /// Adds the addresses that `spec` stands for; `scope_id` is the interface its scope names,
    /// else 0. False, and nothing added, if it is a host name: that has to be resolved first.
    pub fn insert_spec(&mut self, spec: &HostSpec, scope_id: u32) -> bool {
        let Some(ranges) = spec.ranges() else {
            return false;
        };
        for (first, last) in ranges {
            self.insert_range(first, last, scope_id);
        }
        true
    }

    /// Takes all addresses from `first` to `last` out. To take out many ranges, put them into a
    /// set and use [`remove`](Self::remove).
    ///
    /// # Panics
    /// As [`insert_range`](Self::insert_range).
    pub fn remove_range(&mut self, first: IpAddr, last: IpAddr, scope_id: u32) {
        let mut others = HostSet::default();
        others.insert_range(first, last, scope_id);
        self.remove(others);
    }

    /// Takes all hosts of `others` out; an IPv6 address without a scope is taken out of every scope.
    pub fn remove(&mut self, mut others: HostSet) {
        self.v4.subtract(&mut others.v4);
        self.v6.subtract(&mut others.v6);
        let mut scopes: Vec<u32> = self.v6.merge().iter().map(|(f, _)| f.scope_id).collect();
        scopes.dedup();
        for scope_id in scopes.into_iter().filter(|scope_id| *scope_id != 0) {
            let unscoped = others
                .v6
                .merge()
                .iter()
                .filter(|(first, _)| first.scope_id == 0);
            let mut there = Intervals::default();
            for (first, last) in unscoped {
                there.insert(
                    Scoped::new(scope_id, first.bits()),
                    Scoped::new(scope_id, last.bits()),
                );
            }
            self.v6.subtract(&mut there);
        }
        self.index.take();
    }

    /// Merges what overlaps, so that [`contains`](Self::contains) is a binary search, and gives back
    /// memory that is not needed.
    pub fn compact(&mut self) {
        self.v4.compact();
        self.v6.compact();
    }

    /// Hosts in the set, at most `u64::MAX`.
    pub fn len(&self) -> u64 {
        self.index().len()
    }

    /// Hosts in the set, or `None` if there are more than [`MAX_HOSTS`].
    pub fn checked_len(&self) -> Option<u64> {
        Some(self.len()).filter(|len| *len <= MAX_HOSTS)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The `index`th host: IPv4 before IPv6, ascending, IPv6 without a scope before that with one.
    pub fn nth(&self, index: u64) -> Option<Target> {
        self.index().nth(index)
    }

    /// Whether the address is in the set. Fast in a [compact](Self::compact) one.
    pub fn contains(&self, addr: IpAddr, scope_id: u32) -> bool {
        match Bounds::new(addr, addr, scope_id) {
            Bounds::V4(addr, _) => self.v4.contains(addr),
            Bounds::V6(addr, _) => self.v6.contains(addr),
        }
    }

    /// How many ranges the set takes up, each of neighbouring addresses.
    pub fn ranges(&self) -> usize {
        self.index().v4.ranges() + self.index().v6.ranges()
    }

    /// Hands out the ranges, first and last address and scope of each, in order.
    pub(super) fn for_each_range(&self, mut each: impl FnMut(IpAddr, IpAddr, u32)) {
        let index = self.index();
        index.v4.for_each(|first, last| {
            each(IpAddr::V4(first.into()), IpAddr::V4(last.into()), 0);
        });
        index.v6.for_each(|first: Scoped, last: Scoped| {
            let addr = |bound: Scoped| IpAddr::V6(bound.bits().into());
            each(addr(first), addr(last), first.scope_id);
        });
    }

    /// Hands out the addresses that have a name, with scope and name, in order.
    pub(super) fn for_each_name(&self, mut each: impl FnMut(IpAddr, u32, &str)) {
        for ((addr, scope_id), name) in &self.index().names {
            each(*addr, *scope_id, name);
        }
    }

    /// What is left when nothing more is added.
    pub(super) fn freeze(mut self) -> Arc<HostIndex> {
        match self.index.take() {
            Some(index) => index,
            None => {
                self.compact();
                Arc::new(HostIndex::new(&self.v4, &self.v6, self.names))
            }
        }
    }

    fn index(&self) -> &HostIndex {
        self.index
            .get_or_init(|| Arc::new(HostIndex::new(&self.v4, &self.v6, self.names.clone())))
    }
}

/// A set of hosts that does not change any more.
#[derive(Debug)]
pub(super) struct HostIndex {
    v4: Index<u32>,
    v6: Index<Scoped>,
    names: Box<[(Key, Arc<str>)]>,
}

impl HostIndex {
    fn new(
        v4: &Intervals<u32>,
        v6: &Intervals<Scoped>,
        mut names: Vec<(Key, Arc<str>)>,
    ) -> HostIndex {
        // Stable, so that the first of equals is the first given.
        names.sort_by_key(|(key, _)| *key);
        names.dedup_by_key(|(key, _)| *key);
        HostIndex {
            v4: Index::new(v4),
            v6: Index::new(v6),
            names: names.into(),
        }
    }

    /// Bytes that ranges and names take up, without the names' text.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.v4.size() + self.v6.size() + std::mem::size_of_val(&self.names[..])
    }

    pub(super) fn len(&self) -> u64 {
        self.v4.len().saturating_add(self.v6.len())
    }

    pub(super) fn nth(&self, index: u64) -> Option<Target> {
        let (addr, scope_id) = match index.checked_sub(self.v4.len()) {
            None => (IpAddr::V4(self.v4.nth(index)?.into()), 0),
            Some(index) => {
                let addr = self.v6.nth(index)?;
                (IpAddr::V6(addr.bits().into()), addr.scope_id)
            }
        };
        Some(Target {
            addr,
            scope_id,
            name: self.name((addr, scope_id)),
        })
    }

    pub(super) fn contains(&self, addr: IpAddr, scope_id: u32) -> bool {
        match Bounds::new(addr, addr, scope_id) {
            Bounds::V4(addr, _) => self.v4.contains(addr),
            Bounds::V6(addr, _) => self.v6.contains(addr),
        }
    }

    fn name(&self, key: Key) -> Option<Arc<str>> {
        let found = self.names.binary_search_by_key(&key, |(key, _)| *key);
        found.ok().map(|i| self.names[i].1.clone())
    }
}

/// First and last address of a range, of one family.
enum Bounds {
    V4(u32, u32),
    V6(Scoped, Scoped),
}

impl Bounds {
    fn new(first: IpAddr, last: IpAddr, scope_id: u32) -> Bounds {
        let bounds = match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Bounds::V4(first.into(), last.into()),
            // Canonical only at one end: a range that is wider than the mapped addresses.
            _ => match (first, last) {
                (IpAddr::V6(first), IpAddr::V6(last)) => Bounds::V6(
                    Scoped::new(scope_id, first.into()),
                    Scoped::new(scope_id, last.into()),
                ),
                _ => panic!("{first} and {last} are not of one family"),
            },
        };
        let ascending = match &bounds {
            Bounds::V4(first, last) => first <= last,
            Bounds::V6(first, last) => first <= last,
        };
        assert!(ascending, "{last} is below {first}");
        bounds
    }
}

fn key(addr: IpAddr, scope_id: u32) -> Key {
    match addr.to_canonical() {
        addr @ IpAddr::V4(_) => (addr, 0),
        addr => (addr, scope_id),
    }
}

#[cfg(test)]
mod tests {
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
}
