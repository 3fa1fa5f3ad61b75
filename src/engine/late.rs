//! Hosts that become known while the scan runs: addresses of names that are still being resolved,
//! or whatever else an embedding program finds on its way.
//!
//! They are taken behind the hosts of the space, in the order in which they come. An address that is
//! in the space, or came before, is not taken again; what it adds is its name. Memory is that of the
//! hosts added.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::scanner::Scanner;
use crate::target::Target;

/// An address and its scope.
type Key = (IpAddr, u32);

/// Hosts added to a scan that runs.
#[derive(Debug, Default)]
pub struct Late {
    /// Not begun yet.
    waiting: VecDeque<Target>,
    /// Added hosts, begun or not.
    known: HashSet<Key>,
    /// Names of hosts of the space, for when they begin.
    names: HashMap<Key, Arc<str>>,
    /// Whether more may come.
    expected: bool,
}

impl Late {
    /// Hosts added, each address once.
    pub fn added(&self) -> u64 {
        self.known.len() as u64
    }

    /// Whether more may come.
    pub fn is_expected(&self) -> bool {
        self.expected
    }

    /// Takes the next host that was added.
    pub fn next(&mut self) -> Option<Target> {
        self.waiting.pop_front()
    }

    /// A host of the space by the name it was given since, if it has none of its own.
    pub fn named(&mut self, mut target: Target) -> Target {
        if target.name.is_none() && !self.names.is_empty() {
            target.name = self.names.remove(&(target.addr, target.scope_id));
        }
        target
    }

    /// Nothing is begun any more.
    pub fn end(&mut self) {
        self.waiting = VecDeque::new();
        self.expected = false;
    }
}

impl Scanner {
    /// Says whether hosts may still be [added](Self::add_host). As long as they may, the scan is not
    /// done; when it has nothing else to do, [`poll_timeout`](Self::poll_timeout) is `None`.
    pub fn expect_hosts(&mut self, expected: bool) {
        self.late.expected = expected && self.ending.is_none();
    }

    /// Adds a host to those to be scanned, behind all others; whether it is new. Go on with
    /// [`poll_action`](Self::poll_action).
    ///
    /// An address that is known already, of the space or added before, is scanned once: with its
    /// first name, which a host of the space may get here. Of a host that is under way, what was
    /// reported before is without the name. Once the scan is ending, nothing is added.
    pub fn add_host(&mut self, target: Target) -> bool {
        if self.ending.is_some() || self.space.ports() == 0 {
            return false;
        }
        let addr = target.addr.to_canonical();
        let scope_id = if addr.is_ipv4() { 0 } else { target.scope_id };
        let target = Target {
            addr,
            scope_id,
            ..target
        };
        if self.space.contains(addr, scope_id) {
            self.add_name(target);
            return false;
        }
        let new = self.late.known.insert((addr, scope_id));
        if new {
            self.late.waiting.push_back(target);
        }
        new
    }

    /// Gives a host of the space its name.
    fn add_name(&mut self, named: Target) {
        let Some(name) = named.name else {
            return;
        };
        let is_it =
            |target: &Target| target.addr == named.addr && target.scope_id == named.scope_id;
        let mut active = self.hosts.iter_mut().map(|(_, host)| &mut host.target);
        match active.find(|target| is_it(target)) {
            Some(target) if target.name.is_none() => target.name = Some(name),
            Some(_) => {}
            None => {
                let key = (named.addr, named.scope_id);
                self.late.names.entry(key).or_insert(name);
            }
        }
    }
}
