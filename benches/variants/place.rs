//! Where the scans take place: this machine's loopback and simulated networks, and what is there.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::job::Found;
use crate::lab;
use crate::loopback::{self, Listeners};
use crate::model::{Port, World, ms};
use crate::networks;

pub const NAMES: [&str; 6] = [
    "loopback-closed",
    "loopback-mixed",
    "lan",
    "20ms",
    "far",
    "silent",
];

const LISTENERS: usize = 40;
/// The host of every simulated network.
const HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

pub struct Place {
    pub name: &'static str,
    pub target: Ipv4Addr,
    /// Ports 1 to this one are scanned,
    pub top: u16,
    /// by the sequential variant only those to this one: the others would take it minutes.
    pub sequential: u16,
    kind: Kind,
}

enum Kind {
    /// With listeners of our own, held open here.
    Loopback(#[expect(dead_code, reason = "open while it lives")] Option<Listeners>),
    World(World),
}

/// What a scan must say.
struct Truth {
    open: HashSet<u16>,
    /// Besides those, ports that can be open for a moment.
    perhaps: HashSet<u16>,
    filtered: u32,
}

impl Place {
    /// The place of one of [`NAMES`]. `Err`: this machine has no port left to listen on.
    pub fn new(name: &'static str) -> Result<Place, String> {
        let world = |net: networks::Network| (HOST, Kind::World(net.world));
        let zero = Duration::ZERO;
        let (top, sequential, (target, kind)) = match name {
            "loopback-mixed" => {
                let listeners = Listeners::open(LISTENERS)
                    .map_err(|error| format!("cannot listen on 127.0.0.1: {error}"))?;
                let kind = Kind::Loopback(Some(listeners));
                (u16::MAX, u16::MAX, (Ipv4Addr::LOCALHOST, kind))
            }
            "lan" => {
                let net = networks::lan("lan", u16::MAX, 18, zero, zero);
                (u16::MAX, 10_000, world(net))
            }
            "20ms" => {
                let net = networks::lan("20ms", u16::MAX, 18, ms(20), ms(1));
                (u16::MAX, 50, world(net))
            }
            "far" => {
                let net = networks::lan("far", u16::MAX, 18, ms(40), ms(1));
                (u16::MAX, 25, world(net))
            }
            "silent" => (2_000, 2, world(networks::drop("silent", u16::MAX, 0, 0.0))),
            _ => {
                let kind = Kind::Loopback(None);
                (u16::MAX, u16::MAX, (Ipv4Addr::LOCALHOST, kind))
            }
        };
        Ok(Place {
            name,
            target,
            top,
            sequential,
            kind,
        })
    }

    /// Why there can be no scan here, if so.
    pub fn missing(&self) -> Option<String> {
        self.play(1, || ()).err()
    }

    /// Runs `body` in this place's network. `Err` says why this machine cannot.
    pub fn play<R: Send>(&self, seed: u64, body: impl FnOnce() -> R + Send) -> Result<R, String> {
        match &self.kind {
            Kind::Loopback(_) => Ok(body()),
            Kind::World(world) => {
                let (result, tally) = lab::play_seeded(world, seed, |_| body())?;
                if tally.tun_dropped > 0 {
                    eprintln!(
                        "{}: the TUN device dropped {}",
                        self.name, tally.tun_dropped
                    );
                }
                Ok(result)
            }
        }
    }

    /// What is wrong with what was said of ports 1 to `top`, if something is.
    pub fn fault(&self, top: u16, found: &Found) -> Option<String> {
        let truth = match self.truth(top) {
            Ok(truth) => truth,
            Err(error) => return Some(format!("cannot know what is there: {error}")),
        };
        let said: HashSet<u16> = found.open.iter().copied().collect();
        let missed = truth.open.difference(&said).count();
        let known = |port: &&u16| truth.open.contains(port) || truth.perhaps.contains(port);
        let invented = said.iter().filter(|port| !known(port)).count();
        let faults = [
            (missed, "missed"),
            (invented, "invented"),
            (found.open.len() - said.len(), "said twice"),
            (
                u32::from(top).abs_diff(found.total()) as usize,
                "too few or too many",
            ),
            (
                truth.filtered.abs_diff(found.filtered) as usize,
                "wrongly filtered or not",
            ),
        ];
        let faults: Vec<_> = faults
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!faults.is_empty()).then(|| faults.join(", "))
    }

    fn truth(&self, top: u16) -> std::io::Result<Truth> {
        match &self.kind {
            Kind::Loopback(_) => Ok(Truth {
                open: loopback::listening()?
                    .into_iter()
                    .filter(|port| (1..=top).contains(port))
                    .collect(),
                perhaps: loopback::ephemeral_ports().collect(),
                filtered: 0,
            }),
            Kind::World(world) => {
                let host = world.at(0);
                let ports = |what: fn(Port) -> bool| (1..=top).filter(move |n| what(host.port(*n)));
                Ok(Truth {
                    open: ports(Port::is_open).collect(),
                    perhaps: HashSet::new(),
                    filtered: ports(|port| port == Port::Silent).count() as u32,
                })
            }
        }
    }
}
