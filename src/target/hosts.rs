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
mod tests;
