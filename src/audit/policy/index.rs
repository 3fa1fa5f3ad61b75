//! Which rules are for a host, without a look at each: inventories are policies of thousands of rules,
//! each for one host or one network, and each host of a scan has its rules looked up.

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
    /// Networks and ranges.
    wide: Ranges,
    /// Rules for every host.
    every: Vec<u32>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        let mut wide = Vec::new();
        for (rule, number) in rules.iter().zip(0..) {
            if rule.hosts.is_empty() {
                index.every.push(number);
            }
            for (pattern, host) in rule.hosts.iter().zip(0..) {
                let place = (number, host);
                let places = match &pattern.spec {
                    HostSpec::Address { addr, .. } => index.addresses.entry(*addr).or_default(),
                    HostSpec::Name(name) => index.names.entry(folded(name)).or_default(),
                    spec => {
                        let bounds = spec.bounds();
                        wide.extend(bounds.map(|(first, last)| (first, last, place)));
                        continue;
                    }
                };
                places.push(place);
            }
        }
        index.wide = Ranges::new(wide);
        index
    }

    /// The patterns of `rules`, of which this is the index, that mean `target`.
    pub(super) fn meant(&self, rules: &[Rule], target: &Target) -> impl Iterator<Item = Place> {
        let by_address = self.addresses.get(&target.addr);
        let by_name = target.name.as_deref().map(folded);
        let by_name = by_name.and_then(|name| self.names.get(&name));
        let places = by_address.into_iter().chain(by_name).flatten().copied();
        let wide = self.wide.around(target.addr.to_canonical());
        places.chain(wide).filter(|place| {
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

/// Ranges that may overlap, of which those around an address are found in logarithmic time: a balanced
/// search tree by their first address, in which each node knows how far those below it go (an interval
/// tree: Cormen et al., Introduction to Algorithms). It is a sorted list; the root of a part of it is in its
/// middle.
#[derive(Clone, Debug, Default)]
struct Ranges(Vec<Range>);

#[derive(Clone, Debug)]
struct Range {
    first: IpAddr,
    last: IpAddr,
    place: Place,
    /// The last address of all in the part of which this is the root.
    reach: IpAddr,
}

impl Ranges {
    /// The ranges from a first to a last address each, with what is there.
    fn new(ranges: Vec<(IpAddr, IpAddr, Place)>) -> Ranges {
        let ranges = ranges.into_iter().map(|(first, last, place)| Range {
            first,
            last,
            place,
            reach: last,
        });
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_unstable_by_key(|range| (range.first, range.place));
        reach(&mut ranges);
        Ranges(ranges)
    }

    /// What is in the ranges with `addr`.
    fn around(&self, addr: IpAddr) -> Vec<Place> {
        let mut found = Vec::new();
        gather(&self.0, addr, &mut found);
        found
    }
}

/// Works out how far the ranges of `part` go, and those of the parts of it.
fn reach(part: &mut [Range]) -> Option<IpAddr> {
    let (before, root, after) = split_mut(part)?;
    let below = reach(before).max(reach(after));
    root.reach = below.map_or(root.last, |below| below.max(root.last));
    Some(root.reach)
}

fn gather(part: &[Range], addr: IpAddr, found: &mut Vec<Place>) {
    let root = part.len() / 2;
    let Some(range) = part.get(root).filter(|range| range.reach >= addr) else {
        return;
    };
    gather(&part[..root], addr, found);
    if range.first <= addr {
        if addr <= range.last {
            found.push(range.place);
        }
        gather(&part[root + 1..], addr, found);
    }
}

/// The root of `part`, and what is before and after it.
fn split_mut(part: &mut [Range]) -> Option<(&mut [Range], &mut Range, &mut [Range])> {
    let (before, rest) = part.split_at_mut(part.len() / 2);
    let (root, after) = rest.split_first_mut()?;
    Some((before, root, after))
}

/// The pattern at `place`.
pub(super) fn pattern(rules: &[Rule], (rule, host): Place) -> Option<&HostPattern> {
    rules.get(rule as usize)?.hosts.get(host as usize)
}

/// A name as names are compared.
pub(super) fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
