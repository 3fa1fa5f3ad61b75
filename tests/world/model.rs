//! What a simulated network is: hosts, their ports, and the path to them, in a few readable lines.
//!
//! A [`World`] is only a description; `sim` plays it and `truth` says what a scan of it must find.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The scanner's own addresses in every world.
pub const SCANNER_V4: Ipv4Addr = Ipv4Addr::new(198, 19, 255, 254);
pub const SCANNER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x19, 0, 0, 0, 0, 0, 0xfe);
/// Whence a router's ICMP comes.
pub const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(198, 19, 255, 1);
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x19, 0, 0, 0, 0, 0, 1);

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What a port does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Port {
    /// SYN-ACK.
    Open,
    /// SYN-ACK after a delay between these two, fixed for each port.
    Late(Duration, Duration),
    /// SYN-ACK, then a service.
    Talks(Talk),
    /// SYN-ACK, and a RST as soon as the handshake is complete.
    Reset,
    /// Open, but its accept queue is full: the first so many SYNs are dropped.
    Busy(u32),
    /// RST.
    Closed,
    /// Nothing.
    Silent,
    /// ICMP or ICMPv6 of this type and code, from the host itself.
    Reject(u8, u8),
    /// The same from the router before it.
    RouterReject(u8, u8),
}

impl Port {
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Port::Open | Port::Talks(_) | Port::Late(..) | Port::Reset | Port::Busy(_)
        )
    }
}

/// What a service says, where nothing is lost on the way. It keeps connections until they are closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Talk {
    /// As soon as the handshake is complete; empty: nothing.
    pub greeting: &'static [u8],
    /// To each segment at the end of which a line ends.
    pub answer: &'static [u8],
}

/// What comes for a SYN besides its answer, though it should not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stray {
    /// The answer once more.
    Again,
    /// A SYN-ACK.
    SynAck,
    /// A RST.
    Refusal,
    /// ICMP or ICMPv6 of this type and code from the host, and from the router.
    Icmp(u8, u8),
    RouterIcmp(u8, u8),
}

/// So many a second pass, the rest is dropped: a token bucket.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub per_second: f64,
    pub burst: f64,
}

/// A limit that counts by the second, as BSD's on RSTs and ICMP: its bucket holds a whole second's.
pub fn counted(per_second: f64) -> Limit {
    Limit {
        per_second,
        burst: per_second,
    }
}

/// A policer: its bucket holds a twentieth of a second, at least one.
pub fn limit(per_second: f64) -> Limit {
    Limit {
        per_second,
        burst: (per_second / 20.0).max(1.0),
    }
}

/// So many packets a second each way, each with a queue of its own and tail drop.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub per_second: f64,
    pub queue: u32,
}

/// A table of half-open flows. A SYN takes an entry or, without room, is dropped; a RST that passes
/// frees it; an accepted one is freed when either side resets or closes; all go after `hold`.
#[derive(Clone, Copy, Debug)]
pub struct FlowTable {
    pub entries: usize,
    pub hold: Duration,
}

/// One host: its ports and the path to it. Times count from the first SYN of the scan.
#[derive(Clone)]
pub struct Host {
    pub rtt: Duration,
    /// Up to so much is added to each way, evenly distributed.
    pub jitter: Duration,
    /// The round-trip time goes to the first value over the second.
    pub grows: Option<(Duration, Duration)>,
    /// Chance that a packet is lost on its way up and down.
    pub loss: (f64, f64),
    /// Nothing passes from the first to the second.
    pub dead: Vec<(Duration, Duration)>,
    pub syns: Option<Limit>,
    pub rsts: Option<Limit>,
    pub icmp: Option<Limit>,
    pub link: Option<Link>,
    /// What follows each answer to a SYN, and how long after it at least and at most.
    pub strays: Vec<(Stray, Duration, Duration)>,
    kinds: Vec<Port>,
    ports: Vec<u8>,
}

impl Host {
    /// All its ports do the same.
    pub fn all(port: Port) -> Host {
        Host {
            rtt: Duration::ZERO,
            jitter: Duration::ZERO,
            grows: None,
            loss: (0.0, 0.0),
            dead: Vec::new(),
            syns: None,
            rsts: None,
            icmp: None,
            link: None,
            strays: Vec::new(),
            kinds: vec![port],
            ports: vec![0; 65_536],
        }
    }

    /// These ports do something else.
    pub fn with(mut self, ports: impl IntoIterator<Item = u16>, port: Port) -> Host {
        let kind = match self.kinds.iter().position(|known| *known == port) {
            Some(kind) => kind,
            None => {
                self.kinds.push(port);
                self.kinds.len() - 1
            }
        };
        for number in ports {
            self.ports[usize::from(number)] = u8::try_from(kind).expect("few kinds of port");
        }
        self
    }

    pub fn open(self, ports: impl IntoIterator<Item = u16>) -> Host {
        self.with(ports, Port::Open)
    }

    pub fn rtt(mut self, rtt: Duration, jitter: Duration) -> Host {
        (self.rtt, self.jitter) = (rtt, jitter);
        self
    }

    pub fn rtt_grows(mut self, to: Duration, over: Duration) -> Host {
        self.grows = Some((to, over));
        self
    }

    pub fn loss(mut self, each_way: f64) -> Host {
        self.loss = (each_way, each_way);
        self
    }

    pub fn dead(mut self, from: Duration, to: Duration) -> Host {
        self.dead.push((from, to));
        self
    }

    pub fn syn_limit(mut self, limit: Limit) -> Host {
        self.syns = Some(limit);
        self
    }

    pub fn rst_limit(mut self, limit: Limit) -> Host {
        self.rsts = Some(limit);
        self
    }

    pub fn icmp_limit(mut self, limit: Limit) -> Host {
        self.icmp = Some(limit);
        self
    }

    pub fn link(mut self, per_second: f64, queue: u32) -> Host {
        self.link = Some(Link { per_second, queue });
        self
    }

    /// Each answer to a SYN is followed by `stray`, after a time between these two.
    pub fn followed_by(mut self, stray: Stray, from: Duration, to: Duration) -> Host {
        self.strays.push((stray, from, to));
        self
    }

    pub fn port(&self, number: u16) -> Port {
        self.kinds[usize::from(self.ports[usize::from(number)])]
    }
}

/// A range of addresses; which of `hosts` is at an address follows from its place in the range.
#[derive(Clone)]
pub struct Subnet {
    pub base: IpAddr,
    pub count: u32,
    pub hosts: Vec<Host>,
    pick: fn(u32) -> usize,
    /// The number of the first address in the world.
    first: u32,
}

/// A network and what stands in its middle, shared by all its hosts.
#[derive(Clone)]
pub struct World {
    pub name: &'static str,
    pub seed: u64,
    pub subnets: Vec<Subnet>,
    pub syns: Option<Limit>,
    pub link: Option<Link>,
    pub flows: Option<FlowTable>,
    pub dead: Vec<(Duration, Duration)>,
    /// The first and the last port that the scanner's kernel may send from, if not its usual ones.
    pub source_ports: Option<(u16, u16)>,
}

impl World {
    pub fn new(name: &'static str) -> World {
        World {
            name,
            seed: 1,
            subnets: Vec::new(),
            syns: None,
            link: None,
            flows: None,
            dead: Vec::new(),
            source_ports: None,
        }
    }

    pub fn seed(mut self, seed: u64) -> World {
        self.seed = seed;
        self
    }

    /// One host. IPv4 addresses lie in 198.18.0.0/15, IPv6 addresses in fd00:18::/32.
    pub fn host(self, address: &str, host: Host) -> World {
        self.subnet(address, 1, vec![host], |_| 0)
    }

    /// `count` addresses from `base` on; `pick` says which of `hosts` the n-th one is.
    pub fn subnet(
        mut self,
        base: &str,
        count: u32,
        hosts: Vec<Host>,
        pick: fn(u32) -> usize,
    ) -> World {
        let first = self.addresses();
        let base = base.parse().expect("an address");
        self.subnets.push(Subnet {
            base,
            count,
            hosts,
            pick,
            first,
        });
        self
    }

    pub fn syn_limit(mut self, limit: Limit) -> World {
        self.syns = Some(limit);
        self
    }

    pub fn link(mut self, per_second: f64, queue: u32) -> World {
        self.link = Some(Link { per_second, queue });
        self
    }

    pub fn half_open(mut self, entries: usize, hold: Duration) -> World {
        self.flows = Some(FlowTable { entries, hold });
        self
    }

    pub fn dead(mut self, from: Duration, to: Duration) -> World {
        self.dead.push((from, to));
        self
    }

    pub fn source_ports(mut self, first: u16, last: u16) -> World {
        self.source_ports = Some((first, last));
        self
    }

    /// How many addresses the world has.
    pub fn addresses(&self) -> u32 {
        self.subnets.last().map_or(0, |net| net.first + net.count)
    }

    /// The number of an address, if the world has it.
    pub fn locate(&self, address: IpAddr) -> Option<u32> {
        self.subnets.iter().find_map(|net| {
            let offset = match (address, net.base) {
                (IpAddr::V4(a), IpAddr::V4(base)) => {
                    u128::from(u32::from(a)).checked_sub(u128::from(u32::from(base)))
                }
                (IpAddr::V6(a), IpAddr::V6(base)) => u128::from(a).checked_sub(u128::from(base)),
                _ => None,
            }?;
            let offset = u32::try_from(offset).ok()?;
            (offset < net.count).then_some(net.first + offset)
        })
    }

    fn subnet_of(&self, number: u32) -> &Subnet {
        let at = self
            .subnets
            .partition_point(|net| net.first + net.count <= number);
        &self.subnets[at]
    }

    /// The address of a number given by [`World::locate`].
    pub fn address(&self, number: u32) -> IpAddr {
        let net = self.subnet_of(number);
        let offset = number - net.first;
        match net.base {
            IpAddr::V4(base) => IpAddr::V4((u32::from(base) + offset).into()),
            IpAddr::V6(base) => IpAddr::V6((u128::from(base) + u128::from(offset)).into()),
        }
    }

    /// The host of a number given by [`World::locate`].
    pub fn at(&self, number: u32) -> &Host {
        let net = self.subnet_of(number);
        &net.hosts[(net.pick)(number - net.first)]
    }

    /// Whether refusals or rejections are limited, so that closed, rejected and silent look alike.
    pub fn hides_refusals(&self, number: u32) -> bool {
        let host = self.at(number);
        host.rsts.is_some() || host.icmp.is_some()
    }
}

/// `count` ports spread over 1 to `top`, the same for the same numbers, never next to each other in
/// any order that a scanner might use.
pub fn spread(count: usize, top: u16) -> Vec<u16> {
    let mut ports: Vec<u16> = (1..=top).collect();
    fastrand::Rng::with_seed(count as u64 * 65_537 + u64::from(top)).shuffle(&mut ports);
    ports.truncate(count);
    ports.sort_unstable();
    ports
}
