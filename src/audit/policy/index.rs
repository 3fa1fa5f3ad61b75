//! Which rules are for a host, without a look at each: inventories are policies of thousands of rules,
//! each for one host, and each host of a scan has its rules looked up.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{HostPattern, Rule};
use crate::target::{HostSpec, Target};

/// A pattern: the number of its rule, and its place among the hosts of that.
pub(in crate::audit) type Place = (u32, u32);

/// The patterns of all rules, by what a host must have to be meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    addresses: HashMap<IpAddr, Vec<Place>>,
    /// In lower case, without a dot at the end.
    names: HashMap<String, Vec<Place>>,
    /// Networks and ranges, which are tried one by one.
    wide: Vec<Place>,
    /// Rules for every host.
    every: Vec<u32>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (rule, number) in rules.iter().zip(0..) {
            if rule.hosts.is_empty() {
                index.every.push(number);
            }
            for (pattern, host) in rule.hosts.iter().zip(0..) {
                let places = match &pattern.spec {
                    HostSpec::Address { addr, .. } => index.addresses.entry(*addr).or_default(),
                    HostSpec::Name(name) => index.names.entry(folded(name)).or_default(),
                    _ => &mut index.wide,
                };
                places.push((number, host));
            }
        }
        index
    }

    /// The patterns of `rules`, of which this is the index, that mean `target`.
    pub(super) fn meant(&self, rules: &[Rule], target: &Target) -> impl Iterator<Item = Place> {
        let by_address = self.addresses.get(&target.addr);
        let by_name = target.name.as_deref().map(folded);
        let by_name = by_name.and_then(|name| self.names.get(&name));
        let places = by_address.into_iter().chain(by_name).flatten();
        places.chain(&self.wide).copied().filter(|place| {
            let pattern = pattern(rules, *place);
            pattern.is_some_and(|pattern| pattern.is_for(target))
        })
    }

    /// The rules for `target`, by their number, ascending.
    pub(super) fn rules_for(&self, rules: &[Rule], target: &Target) -> Vec<u32> {
        let meant = self.meant(rules, target).map(|(rule, _)| rule);
        let mut numbers: Vec<u32> = self.every.iter().copied().chain(meant).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// The pattern at `place`.
pub(super) fn pattern(rules: &[Rule], (rule, host): Place) -> Option<&HostPattern> {
    rules.get(rule as usize)?.hosts.get(host as usize)
}

/// A name as names are compared.
pub(super) fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
