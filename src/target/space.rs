//! From a position in a run to a host and a port.
//!
//! The hosts are taken in the order of one keyed permutation of their indices, the ports of each
//! host in that of another, keyed by the host's position. Nothing is listed: a position is enough
//! to take a run up again, and memory is that of the ranges of hosts and ports.

use std::sync::Arc;

use super::hosts::HostIndex;
use super::permutation::{Domain, Permutation, mix};
use super::ports::Bits;
use super::{HostSet, PortSet, Target};

/// Every probe of a run, by position. Copies are cheap.
#[derive(Clone, Debug)]
pub struct TargetSpace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Arc<HostIndex>,
    host_order: Permutation,
    ports: PortSet,
    /// Planned ports that come first on every host, most popular first.
    popular: Box<[u16]>,
    /// The planned ports without the popular ones.
    others: PortSet,
    others_domain: Domain,
    seed: u64,
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
            seed: mix(seed),
        }))
    }

    /// Number of hosts.
    pub fn hosts(&self) -> u64 {
        self.0.hosts.len()
    }

    /// Number of ports of each host.
    pub fn ports(&self) -> u32 {
        self.0.ports.len()
    }

    /// The ports of each host.
    pub fn port_set(&self) -> &PortSet {
        &self.0.ports
    }

    /// How many indices of a [`PortOrder`], from 0 on, are popular ports.
    pub fn popular_len(&self) -> u32 {
        self.0.popular.len() as u32
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
        let index = self.0.host_order.nth(position);
        // The permutation is one of 0..hosts.
        self.0.hosts.nth(index).expect("index is below hosts()")
    }

    /// The port order of the host taken at `position`.
    pub fn port_order(&self, position: u64) -> PortOrder {
        PortOrder {
            key: mix(self.0.seed.wrapping_add(position)),
        }
    }

    /// The port taken at `index` in `order`: first the popular ones, the same on every host.
    ///
    /// # Panics
    /// If `index` is not below [`ports`](Self::ports).
    pub fn port(&self, order: &PortOrder, index: u32) -> u16 {
        let popular = &self.0.popular;
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

    /// The index at which `port` is taken in `order`, if it is planned: the inverse of
    /// [`port`](Self::port). Takes longer with more popular ports.
    pub fn index_of(&self, order: &PortOrder, port: u16) -> Option<u32> {
        match self.0.others.index_of(port) {
            Some(index) => {
                let index = self.0.others_domain.index_of(order.key, index.into());
                Some(self.popular_len() + index as u32)
            }
            None => {
                let index = self.0.popular.iter().position(|&first| first == port)?;
                Some(index as u32)
            }
        }
    }
}
