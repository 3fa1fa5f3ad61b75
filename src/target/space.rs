//! From a position in a run to a host and a port.
//!
//! The hosts are taken in the order of one keyed permutation of their indices, the ports of each
//! host in that of another, keyed by the host's position. Nothing is listed: a position is enough
//! to take a run up again, and memory is that of the ranges of hosts and ports. A space in order
//! takes both as they are sorted.
//!
//! Of a run in shards a space holds one: its positions and indices are every Nth of the whole run's
//! hosts or, where there are few of those, of each host's ports.

use std::net::IpAddr;
use std::sync::Arc;

use super::hosts::HostIndex;
use super::permutation::{Domain, Permutation, mix};
use super::ports::Bits;
use super::shard::{Dealt, Shard};
use super::{HostSet, PortSet, Target};

/// Every probe of a run, or of one shard of it, by position. Copies are cheap.
#[derive(Clone, Debug)]
pub struct TargetSpace(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    hosts: Arc<HostIndex>,
    host_order: Permutation,
    ports: PortSet,
    /// Planned ports that come first on every host, most popular first.
    popular: Arc<[u16]>,
    /// The planned ports without those that come first.
    others: PortSet,
    /// Popular ports among `others`: all of them where none comes first.
    popular_others: PortSet,
    others_domain: Domain,
    /// As given, and mixed.
    seed: (u64, u64),
    /// Which part of hosts or ports this is.
    part: Option<(Shard, Dealt)>,
}

/// The order in which one host's ports are taken.
#[derive(Clone, Copy, Debug)]
pub struct PortOrder {
    key: u64,
}

impl TargetSpace {
    /// All of `ports` on all of `hosts`, ordered by `seed`; on each host those of `first` (most
    /// popular first) come before the others.
    pub fn new(hosts: HostSet, ports: PortSet, first: &[u16], seed: u64) -> TargetSpace {
        let hosts = hosts.freeze();
        let mut seen = Bits::default();
        let mut popular = Vec::new();
        for &port in first {
            if ports.contains(port) && !seen.contains(port) {
                seen.insert_range(port, port);
                popular.push(port);
            }
        }
        let others = ports.difference(&seen.into());
        TargetSpace(Arc::new(Inner {
            host_order: Permutation::new(hosts.len(), seed),
            others_domain: Domain::new(others.len().into()),
            popular: popular.into(),
            hosts,
            ports,
            others,
            popular_others: PortSet::default(),
            seed: (seed, mix(seed)),
            part: None,
        }))
    }

    /// All of `ports` on all of `hosts`, both ascending, IPv4 before IPv6. `popular` are the ports
    /// that [`is_popular`](Self::is_popular) is to know; `seed` decides only which shard takes what
    /// becomes known later.
    pub fn in_order(hosts: HostSet, ports: PortSet, popular: &[u16], seed: u64) -> TargetSpace {
        let hosts = hosts.freeze();
        let planned = popular.iter().filter(|port| ports.contains(**port));
        TargetSpace(Arc::new(Inner {
            host_order: Permutation::identity(hosts.len()),
            others_domain: Domain::unmixed(ports.len().into()),
            popular: Arc::default(),
            hosts,
            others: ports.clone(),
            popular_others: planned.copied().collect(),
            ports,
            seed: (seed, mix(seed)),
            part: None,
        }))
    }

    /// One shard of the whole run: of its hosts, where they and `late_hosts` that become known only
    /// while it runs are as many as the shards, else of each host's ports. The shards of a run
    /// have no probe in common and together all of them, if `late_hosts` is the same for all.
    pub fn shard(&self, shard: Shard, late_hosts: u64) -> TargetSpace {
        let hosts = self.0.hosts.len().saturating_add(late_hosts);
        let dealt = match hosts >= shard.count().into() {
            true => Dealt::Hosts,
            false => Dealt::Ports,
        };
        let mut inner = Inner::clone(&self.0);
        inner.part = Some((shard, dealt));
        TargetSpace(Arc::new(inner))
    }

    /// Which shard this is, and of what; `None` if it is the whole run.
    pub fn part(&self) -> Option<(Shard, Dealt)> {
        self.0.part
    }

    /// The whole run that this is a shard of.
    pub fn whole(&self) -> TargetSpace {
        let mut inner = Inner::clone(&self.0);
        inner.part = None;
        TargetSpace(Arc::new(inner))
    }

    /// Number of hosts.
    pub fn hosts(&self) -> u64 {
        match self.host_shard() {
            Some(shard) => shard.share(self.0.hosts.len()),
            None => self.0.hosts.len(),
        }
    }

    /// Number of ports of each host.
    pub fn ports(&self) -> u32 {
        self.share_of_ports(self.0.ports.len())
    }

    /// The ports of each host in the whole run.
    pub fn port_set(&self) -> &PortSet {
        &self.0.ports
    }

    /// How many indices of a [`PortOrder`], from 0 on, are popular ports.
    pub fn popular_len(&self) -> u32 {
        self.share_of_ports(self.0.popular.len() as u32)
    }

    /// Whether the port taken at `index` in `order` is one of the popular ones.
    pub fn is_popular(&self, order: &PortOrder, index: u32) -> bool {
        index < self.popular_len()
            || !self.0.popular_others.is_empty()
                && self.0.popular_others.contains(self.port(order, index))
    }

    /// Whether the address is one of the hosts.
    pub fn contains(&self, addr: IpAddr, scope_id: u32) -> bool {
        self.0.hosts.contains(addr, scope_id)
    }

    /// Number of probes planned. It is exact up to [`MAX_HOSTS`](super::MAX_HOSTS) hosts, and
    /// at most `u64::MAX`.
    pub fn planned(&self) -> u64 {
        self.hosts().saturating_mul(self.ports().into())
    }

    /// The host taken at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`hosts`](Self::hosts).
    pub fn host(&self, position: u64) -> Target {
        let index = self.0.host_order.nth(self.host_position(position));
        // The permutation is one of 0..hosts.
        self.0.hosts.nth(index).expect("index is below hosts()")
    }

    /// The port order of the host taken at `position`.
    pub fn port_order(&self, position: u64) -> PortOrder {
        PortOrder {
            key: mix(self.0.seed.1.wrapping_add(self.host_position(position))),
        }
    }

    /// The port order of a host without a position, one that became known while the run went on:
    /// the same in every shard.
    pub fn late_port_order(&self, addr: IpAddr) -> PortOrder {
        let bits = match addr.to_canonical() {
            IpAddr::V4(addr) => u128::from(addr.to_bits()),
            IpAddr::V6(addr) => addr.to_bits(),
        };
        PortOrder {
            key: mix(mix(self.0.seed.1 ^ (bits >> 64) as u64) ^ bits as u64),
        }
    }

    /// Whether the hosts of this name, which are not known yet, are for this shard to scan.
    pub fn takes_name(&self, name: &str) -> bool {
        let takes = |shard: Shard| shard.takes_name(name, self.0.seed.0);
        self.host_shard().is_none_or(takes)
    }

    /// The port taken at `index` in `order`: first the popular ones, the same on every host.
    ///
    /// # Panics
    /// If `index` is not below [`ports`](Self::ports).
    pub fn port(&self, order: &PortOrder, index: u32) -> u16 {
        let popular = &self.0.popular;
        let index = match self.port_shard() {
            // Below 65,536 where `index` is below ports().
            Some(shard) => u32::try_from(shard.position_of(index.into())).unwrap_or(u32::MAX),
            None => index,
        };
        match popular.get(index as usize) {
            Some(&port) => port,
            None => {
                let index = u64::from(index) - popular.len() as u64;
                let index = self.0.others_domain.nth(order.key, index);
                // The permutation is one of 0..others.len().
                let port = self.0.others.nth(index as u32);
                port.expect("index is below the number of other ports")
            }
        }
    }

    /// The index at which `port` is taken in `order`, if it is planned here: the inverse of
    /// [`port`](Self::port). Takes longer with more popular ports.
    pub fn index_of(&self, order: &PortOrder, port: u16) -> Option<u32> {
        let index = match self.0.others.index_of(port) {
            Some(index) => {
                let index = self.0.others_domain.index_of(order.key, index.into());
                self.0.popular.len() as u64 + index
            }
            None => self.0.popular.iter().position(|&first| first == port)? as u64,
        };
        match self.port_shard() {
            Some(shard) => shard.nth_of(index).map(|index| index as u32),
            None => Some(index as u32),
        }
    }

    /// The position in the whole run of the host at `position`.
    fn host_position(&self, position: u64) -> u64 {
        match self.host_shard() {
            Some(shard) => shard.position_of(position),
            None => position,
        }
    }

    fn share_of_ports(&self, ports: u32) -> u32 {
        match self.port_shard() {
            Some(shard) => shard.share(ports.into()) as u32,
            None => ports,
        }
    }

    /// This shard, if hosts are dealt out.
    fn host_shard(&self) -> Option<Shard> {
        let (shard, dealt) = self.0.part?;
        (dealt == Dealt::Hosts).then_some(shard)
    }

    /// This shard, if ports are dealt out.
    fn port_shard(&self) -> Option<Shard> {
        let (shard, dealt) = self.0.part?;
        (dealt == Dealt::Ports).then_some(shard)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn hosts(specs: &[&str]) -> HostSet {
        let mut hosts = HostSet::default();
        for spec in specs {
            assert!(hosts.insert_spec(&spec.parse().expect(spec), 0), "{spec}");
        }
        hosts
    }

    proptest! {
        #[test]
        fn every_host_and_port_exactly_once(
            hosts in proptest::collection::btree_set(any::<u32>(), 0..40),
            ports in proptest::collection::btree_set(0..300u16, 0..80),
            first in proptest::collection::vec(0..300u16, 0..40),
            seed: u64,
        ) {
            let mut set = HostSet::default();
            for &host in &hosts {
                let host = IpAddr::V4(Ipv4Addr::from(host));
                set.insert_range(host, host, 0);
            }
            let space = TargetSpace::new(set, ports.iter().copied().collect(), &first, seed);
            prop_assert_eq!(space.planned(), (hosts.len() * ports.len()) as u64);
            let mut popular: Vec<u16> = Vec::new();
            for port in first {
                if ports.contains(&port) && !popular.contains(&port) {
                    popular.push(port);
                }
            }
            prop_assert_eq!(space.popular_len() as usize, popular.len());
            let mut seen = BTreeSet::new();
            for position in 0..space.hosts() {
                let IpAddr::V4(host) = space.host(position).addr else {
                    panic!("only IPv4 was given");
                };
                prop_assert!(hosts.contains(&host.into()));
                let order = space.port_order(position);
                for index in 0..space.ports() {
                    let port = space.port(&order, index);
                    prop_assert!(ports.contains(&port));
                    prop_assert!(seen.insert((host, port)), "{}:{} twice", host, port);
                    prop_assert_eq!(space.index_of(&order, port), Some(index));
                    if let Some(first) = popular.get(index as usize) {
                        prop_assert_eq!(port, *first);
                    }
                }
                prop_assert_eq!(space.index_of(&order, 300), None);
            }
            prop_assert_eq!(seen.len() as u64, space.planned());
        }
    }

    proptest! {
        #[test]
        fn shards_are_disjoint_and_complete(
            hosts in proptest::collection::btree_set(any::<u32>(), 0..25),
            v6 in proptest::collection::btree_set(any::<u128>(), 0..5),
            ports in proptest::collection::btree_set(0..300u16, 0..60),
            first in proptest::collection::vec(0..300u16, 0..40),
            seed: u64,
            count in 1..40u64,
        ) {
            let mut set = HostSet::default();
            let hosts: BTreeSet<IpAddr> = hosts
                .iter()
                .map(|&host| IpAddr::V4(host.into()))
                .chain(v6.iter().map(|&host| IpAddr::V6(host.into())))
                .collect();
            for &host in &hosts {
                set.insert_range(host, host, 0);
            }
            let whole = TargetSpace::new(set, ports.iter().copied().collect(), &first, seed);
            let (mut seen, mut planned) = (HashSet::new(), 0);
            let (mut fewest, mut most) = (u64::MAX, 0);
            for index in 1..=count {
                let shard = Shard::new(index, count).expect("a shard");
                let space = whole.shard(shard, 0);
                let by_host = whole.hosts() >= count;
                let dealt = if by_host { Dealt::Hosts } else { Dealt::Ports };
                prop_assert_eq!(space.part(), Some((shard, dealt)));
                prop_assert_eq!(space.whole().planned(), whole.planned());
                planned += space.planned();
                let share = if by_host { space.hosts() } else { space.ports().into() };
                (fewest, most) = (fewest.min(share), most.max(share));
                for position in 0..space.hosts() {
                    let host = space.host(position).addr;
                    let order = space.port_order(position);
                    for index in 0..space.ports() {
                        let port = space.port(&order, index);
                        prop_assert!(seen.insert((host, port)), "{}:{} twice", host, port);
                        prop_assert_eq!(space.index_of(&order, port), Some(index));
                        let popular = index < space.popular_len();
                        prop_assert_eq!(popular, first.contains(&port));
                    }
                    let planned = |port| space.index_of(&order, port).is_some();
                    let planned = (0..=300).filter(|&port| planned(port)).count();
                    prop_assert_eq!(planned, space.ports() as usize);
                }
            }
            prop_assert_eq!(planned, whole.planned());
            prop_assert_eq!(seen.len() as u64, whole.planned());
            let all = |(host, port): &(IpAddr, u16)| hosts.contains(host) && ports.contains(port);
            prop_assert!(seen.iter().all(all));
            prop_assert!(most - fewest <= 1, "{} to {}", fewest, most);
        }

        /// Hosts found during the run: whole in one shard, or each shard its ports of them.
        #[test]
        fn late_hosts_are_scanned_once(
            late in proptest::collection::btree_set(any::<u32>(), 1..20),
            known in 0..20u32,
            seed: u64,
            count in 1..40u64,
        ) {
            let mut set = HostSet::default();
            // The first of the late ones has a position too.
            let first = late.iter().next().copied().into_iter();
            for host in first.chain(0..known) {
                let host = IpAddr::V4(host.into());
                set.insert_range(host, host, 0);
            }
            let whole = TargetSpace::new(set.clone(), (1..60).collect(), &[9, 7], seed);
            let mut seen = HashSet::new();
            for index in 1..=count {
                let space = whole.shard(Shard::new(index, count).expect("a shard"), late.len() as u64);
                for &host in &late {
                    let host = IpAddr::V4(host.into());
                    let order = space.late_port_order(host);
                    let is_new = !space.contains(host, 0) && space.takes_name(&host.to_string());
                    let ports = if is_new { space.ports() } else { 0 };
                    for index in 0..ports {
                        let port = space.port(&order, index);
                        prop_assert!(seen.insert((host, port)), "{}:{} twice", host, port);
                    }
                }
            }
            let fresh = |host: &&u32| !set.contains(IpAddr::V4((**host).into()), 0);
            prop_assert_eq!(seen.len(), 59 * late.iter().filter(fresh).count());
        }
    }

    #[test]
    fn a_shard_of_many_hosts_costs_nothing() {
        let whole = TargetSpace::new(hosts(&["10.0.0.0/8"]), PortSet::all(), &[80], 1);
        let shard = whole.shard(Shard::new(3, 1000).expect("a shard"), 0);
        assert_eq!(shard.hosts(), 16_778);
        assert_eq!(shard.host(0), whole.host(2));
        assert_eq!(shard.host(16_777), whole.host(16_777_002));
        assert!(Arc::ptr_eq(&shard.0.hosts, &whole.0.hosts));
    }

    #[test]
    fn a_slash_8_with_all_ports_is_as_small_as_one_host() {
        let space = TargetSpace::new(hosts(&["10.0.0.0/8"]), PortSet::all(), &[80, 443], 1);
        assert_eq!(space.planned(), (1 << 24) * 65_535);
        assert_eq!(space.0.hosts.size(), 8);
        let distinct: HashSet<IpAddr> = (0..10_000).map(|at| space.host(at).addr).collect();
        assert_eq!(distinct.len(), 10_000);
        let last = space.host(space.hosts() - 1);
        assert!(last.addr.to_string().starts_with("10."));
        let order = space.port_order(space.hosts() - 1);
        assert_eq!([space.port(&order, 0), space.port(&order, 1)], [80, 443]);
        assert!(std::mem::size_of::<PortOrder>() <= 8);
        assert_eq!(std::mem::size_of::<TargetSpace>(), 8);
    }

    #[test]
    fn hosts_and_seeds_have_orders_of_their_own() {
        let space = |seed| TargetSpace::new(hosts(&["10.0.0.0/24"]), PortSet::all(), &[], seed);
        let ports = |space: &TargetSpace, position| -> Vec<u16> {
            let order = space.port_order(position);
            (0..100).map(|index| space.port(&order, index)).collect()
        };
        let hosts = |space: &TargetSpace| -> Vec<Target> {
            (0..100).map(|position| space.host(position)).collect()
        };
        let (one, two) = (space(1), space(2));
        assert_eq!(ports(&one, 5), ports(&space(1), 5));
        assert_eq!(hosts(&one), hosts(&space(1)));
        assert_ne!(ports(&one, 5), ports(&one, 6));
        assert_ne!(ports(&one, 5), ports(&two, 5));
        assert_ne!(hosts(&one), hosts(&two));
    }

    #[test]
    fn in_order_is_ascending_and_knows_the_popular_ports() {
        let ports: PortSet = [443, 22, 80, 7, 1000].into_iter().collect();
        let set = hosts(&["10.0.0.0/30", "192.0.2.1", "2001:db8::/127"]);
        let sorted: Vec<_> = (0..7).map(|index| set.nth(index).expect("seven")).collect();
        let space = TargetSpace::in_order(set, ports, &[80, 8080, 443], 1);
        let taken: Vec<_> = (0..7).map(|position| space.host(position)).collect();
        assert_eq!(taken, sorted);
        for position in [0, 6] {
            let order = space.port_order(position);
            let ports: Vec<_> = (0..5).map(|index| space.port(&order, index)).collect();
            assert_eq!(ports, [7, 22, 80, 443, 1000]);
            let popular: Vec<_> = (0..5).map(|i| space.is_popular(&order, i)).collect();
            assert_eq!(popular, [false, false, true, true, false]);
            assert_eq!(space.index_of(&order, 443), Some(3));
        }
        assert_eq!(space.popular_len(), 0);
    }

    #[test]
    fn nothing_to_scan() {
        let space = TargetSpace::new(HostSet::default(), PortSet::all(), &[80], 1);
        assert_eq!((space.hosts(), space.planned()), (0, 0));
        let space = TargetSpace::new(hosts(&["10.0.0.1"]), PortSet::default(), &[80], 1);
        assert_eq!(
            (space.ports(), space.popular_len(), space.planned()),
            (0, 0, 0)
        );
    }

    #[test]
    fn names_come_along() {
        let mut set = hosts(&["192.0.2.0/29"]);
        set.insert_named("192.0.2.3".parse().expect("an address"), 0, "host.example");
        let space = TargetSpace::new(set, PortSet::all(), &[], 9);
        let named: Vec<Target> = (0..8)
            .map(|at| space.host(at))
            .filter(|host| host.name.is_some())
            .collect();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].addr.to_string(), "192.0.2.3");
        assert_eq!(named[0].name.as_deref(), Some("host.example"));
    }
}
