//! The attempts that have a socket: by id, by port, and in the order in which they were parked.

use std::collections::HashMap;

use slab::Slab;

use super::ProbeId;
use super::path::Moment;

const NIL: u32 = u32::MAX;

/// Where an attempt goes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Slot of its host.
    pub host: u32,
    /// Index of its port in the host's order.
    pub index: u32,
    pub port: u16,
}

/// One connection attempt.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Slot of its host.
    pub host: u32,
    /// Index of its port in the host's order.
    pub index: u32,
    pub port: u16,
    pub sent: Moment,
    /// The how-manieth attempt on the port it is, from 1.
    pub attempt: u8,
    pub kind: Kind,
    /// Its soft deadline passed: it no longer occupies the window.
    pub parked: bool,
    /// Whether it was looked at once more, shortly after it was parked, and found not to count.
    pub checked: bool,
    pub discounted: bool,
    generation: u32,
    /// Whether it is in the chain of its port, and the next older attempt there.
    chained: bool,
    older: u32,
    /// Neighbours in the list of parked attempts.
    before: u32,
    after: u32,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To find out about a port.
    Port,
    /// To find out about the path, by a port known to answer.
    Canary {
        open: bool,
        /// Its number among the canaries of its host that tell about the path.
        number: Option<u32>,
    },
}

/// All attempts that have a socket.
#[derive(Debug, Default)]
pub struct Probes {
    slab: Slab<Probe>,
    /// The next generation of each key.
    generations: Vec<u32>,
    /// The newest attempt of each port that has one parked or made before.
    newest: HashMap<(u32, u32), u32>,
    oldest_parked: Option<u32>,
    youngest_parked: Option<u32>,
}

impl Probes {
    /// Attempts that have a socket.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Adds an attempt and names it.
    pub fn insert(&mut self, place: Place, kind: Kind, attempt: u8, sent: Moment) -> ProbeId {
        let Place { host, index, port } = place;
        let entry = self.slab.vacant_entry();
        let key = entry.key();
        if key >= self.generations.len() {
            self.generations.resize(key + 1, 0);
        }
        let generation = self.generations[key];
        self.generations[key] = generation.wrapping_add(1);
        entry.insert(Probe {
            host,
            index,
            port,
            sent,
            attempt,
            kind,
            parked: false,
            checked: false,
            discounted: false,
            generation,
            chained: false,
            older: NIL,
            before: NIL,
            after: NIL,
        });
        if attempt > 1 && kind == Kind::Port {
            self.chain(key as u32);
        }
        ProbeId {
            index: key as u32,
            generation,
        }
    }

    /// The key of `id`, unless that attempt is no longer there.
    pub fn find(&self, id: ProbeId) -> Option<u32> {
        let probe = self.slab.get(id.index as usize)?;
        (probe.generation == id.generation).then_some(id.index)
    }

    /// The attempt with this key, if there is one.
    pub fn get(&self, key: u32) -> Option<&Probe> {
        self.slab.get(key as usize)
    }

    /// The id of the attempt with this key.
    pub fn id(&self, key: u32) -> ProbeId {
        ProbeId {
            index: key,
            generation: self.slab[key as usize].generation,
        }
    }

    /// Removes an attempt.
    pub fn remove(&mut self, key: u32) -> Probe {
        self.unchain(key);
        self.unlist(key);
        self.slab.remove(key as usize)
    }

    /// The soft deadline of an attempt passed.
    pub fn park(&mut self, key: u32) {
        let youngest = self.youngest_parked.replace(key);
        let probe = &mut self.slab[key as usize];
        probe.parked = true;
        probe.before = youngest.unwrap_or(NIL);
        let chain = !probe.chained && probe.kind == Kind::Port;
        match youngest {
            Some(youngest) => self.slab[youngest as usize].after = key,
            None => self.oldest_parked = Some(key),
        }
        if chain {
            self.chain(key);
        }
    }

    /// A parked attempt was looked at again.
    pub fn check(&mut self, key: u32, discounted: bool) {
        let probe = &mut self.slab[key as usize];
        probe.checked = true;
        probe.discounted = discounted;
    }

    /// The attempt that was parked last.
    pub fn youngest_parked(&self) -> Option<u32> {
        self.youngest_parked
    }

    /// The newest attempt on a port, of those that are parked or that came after a parked one.
    pub fn newest(&self, host: u32, index: u32) -> Option<u32> {
        self.newest.get(&(host, index)).copied()
    }

    /// The attempt on the same port before this one.
    #[cfg(test)]
    fn older(&self, key: u32) -> Option<u32> {
        Some(self.slab[key as usize].older).filter(|older| *older != NIL)
    }

    /// Keys of all attempts of a host, or of all hosts.
    pub fn of_host(&self, host: Option<u32>) -> Vec<u32> {
        let of = |probe: &Probe| host.is_none_or(|host| probe.host == host);
        self.slab
            .iter()
            .filter(|(_, probe)| of(probe))
            .map(|(key, _)| key as u32)
            .collect()
    }

    fn chain(&mut self, key: u32) {
        let probe = &mut self.slab[key as usize];
        probe.chained = true;
        probe.older = self
            .newest
            .insert((probe.host, probe.index), key)
            .unwrap_or(NIL);
    }

    fn unchain(&mut self, key: u32) {
        let Probe {
            host,
            index,
            chained,
            older,
            ..
        } = self.slab[key as usize];
        if !chained {
            return;
        }
        let newest = self.newest.get(&(host, index)).copied();
        match newest {
            Some(newest) if newest == key => {
                if older == NIL {
                    self.newest.remove(&(host, index));
                } else {
                    self.newest.insert((host, index), older);
                }
            }
            Some(mut at) => {
                while self.slab[at as usize].older != key && self.slab[at as usize].older != NIL {
                    at = self.slab[at as usize].older;
                }
                self.slab[at as usize].older = older;
            }
            None => {}
        }
    }

    fn unlist(&mut self, key: u32) {
        let Probe {
            parked,
            before,
            after,
            ..
        } = self.slab[key as usize];
        if !parked {
            return;
        }
        match before {
            NIL => self.oldest_parked = Some(after).filter(|key| *key != NIL),
            before => self.slab[before as usize].after = after,
        }
        match after {
            NIL => self.youngest_parked = Some(before).filter(|key| *key != NIL),
            after => self.slab[after as usize].before = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: u32, index: u32) -> Place {
        Place {
            host,
            index,
            port: 80,
        }
    }

    #[test]
    fn a_late_event_never_reaches_the_next_probe_with_the_same_key() {
        let mut probes = Probes::default();
        let now = Moment::end_of(std::time::Instant::now());
        let first = probes.insert(place(0, 0), Kind::Port, 1, now);
        probes.remove(first.index);
        let second = probes.insert(place(0, 1), Kind::Port, 1, now);
        assert_eq!(first.index, second.index);
        assert_eq!(probes.find(first), None);
        assert_eq!(probes.find(second), Some(second.index));
    }

    #[test]
    fn attempts_on_a_port_are_chained_newest_first() {
        let mut probes = Probes::default();
        let now = Moment::end_of(std::time::Instant::now());
        let keys: Vec<u32> = (1..=4)
            .map(|attempt| {
                let id = probes.insert(place(7, 9), Kind::Port, attempt, now);
                probes.park(id.index);
                id.index
            })
            .collect();
        let chain = |probes: &Probes| {
            let mut keys = Vec::new();
            let mut at = probes.newest(7, 9);
            while let Some(key) = at {
                keys.push(key);
                at = probes.older(key);
            }
            keys
        };
        assert_eq!(chain(&probes), [keys[3], keys[2], keys[1], keys[0]]);
        assert_eq!(probes.youngest_parked(), Some(keys[3]));
        probes.remove(keys[1]);
        assert_eq!(chain(&probes), [keys[3], keys[2], keys[0]]);
        probes.remove(keys[3]);
        assert_eq!(chain(&probes), [keys[2], keys[0]]);
        assert_eq!(probes.youngest_parked(), Some(keys[2]));
        probes.remove(keys[0]);
        probes.remove(keys[2]);
        assert_eq!(
            (probes.newest(7, 9), probes.youngest_parked(), probes.len()),
            (None, None, 0)
        );
    }
}
