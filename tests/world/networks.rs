//! The networks of the README's table, in full and, for the tests, in small.
//!
//! The parameters are those on which nmap and RustScan were compared; what was not told of them
//! (jitter, how the burst of a limit is cut) is chosen to be ordinary.

use std::time::Duration;

use crate::model::{Host, Port, World, counted, limit, ms, secs, spread};

/// A network, what is scanned in it, and within which time.
pub struct Network {
    pub world: World,
    pub target: &'static str,
    /// Ports 1 to this one are scanned.
    pub top: u16,
    /// More arguments of the program.
    pub args: &'static [&'static str],
    /// Within how many seconds a full-size scan is to end; the LAN's is relative to nmap.
    pub bound: Option<f64>,
}

impl Network {
    pub fn seed(mut self, seed: u64) -> Network {
        self.world.seed = seed;
        self
    }

    fn bound(mut self, seconds: f64) -> Network {
        self.bound = Some(seconds);
        self
    }

    fn args(mut self, args: &'static [&'static str]) -> Network {
        self.args = args;
        self
    }
}

const ONE: &str = "198.18.0.1";

fn single(name: &'static str, top: u16, host: Host) -> Network {
    Network {
        world: World::new(name).host(ONE, host),
        target: ONE,
        top,
        args: &[],
        bound: None,
    }
}

fn shared(network: Network, change: impl FnOnce(World) -> World) -> Network {
    Network {
        world: change(network.world),
        ..network
    }
}

/// A host in the same room, or behind `rtt`; most ports closed.
pub fn lan(name: &'static str, top: u16, open: usize, rtt: Duration, jitter: Duration) -> Network {
    let host = Host::all(Port::Closed).open(spread(open, top));
    single(name, top, host.rtt(rtt, jitter))
}

/// A firewall that drops what is not open.
pub fn drop(name: &'static str, top: u16, open: usize, loss: f64) -> Network {
    let host = Host::all(Port::Silent).open(spread(open, top));
    single(name, top, host.rtt(ms(20), ms(1)).loss(loss))
}

/// Closed ports behind a path that loses packets.
pub fn lossy(name: &'static str, top: u16, open: usize, loss: f64) -> Network {
    let host = Host::all(Port::Closed).open(spread(open, top));
    single(name, top, host.rtt(ms(20), ms(1)).loss(loss))
}

/// A firewall that rejects with ICMP "administratively prohibited", so many a second.
pub fn icmp_limited(name: &'static str, top: u16, open: usize, per_second: f64) -> Network {
    let host = Host::all(Port::RouterReject(3, 13)).open(spread(open, top));
    single(
        name,
        top,
        host.rtt(ms(20), ms(1)).icmp_limit(counted(per_second)),
    )
}

/// A host that sends so many RSTs a second.
pub fn rst_limited(name: &'static str, top: u16, open: usize, per_second: f64) -> Network {
    let host = Host::all(Port::Closed).open(spread(open, top));
    single(
        name,
        top,
        host.rtt(ms(20), ms(1)).rst_limit(counted(per_second)),
    )
}

/// Open ports that answer 0.4 to 0.9 s late.
pub fn late(name: &'static str, top: u16, open: usize) -> Network {
    let late = Port::Late(ms(400), ms(900));
    let host = Host::all(Port::Closed).with(spread(open, top), late);
    single(name, top, host.rtt(ms(20), ms(1)))
}

/// 256 addresses, one in 13 a host with six open ports of 20, the rest silent.
pub fn slash24(name: &'static str) -> Network {
    let silent = Host::all(Port::Silent);
    let host = Host::all(Port::Closed)
        .open([2, 5, 8, 11, 14, 20])
        .rtt(ms(20), ms(1));
    let pick = |n: u32| usize::from(n % 13 == 1);
    Network {
        world: World::new(name).subnet("198.18.4.0", 256, vec![silent, host], pick),
        target: "198.18.4.0/24",
        top: 20,
        args: &[],
        bound: None,
    }
}

/// 65,536 hosts without latency, one in 64 with an open port, all else closed.
pub fn slash16(name: &'static str) -> Network {
    let closed = Host::all(Port::Closed);
    let hosts = vec![closed.clone(), closed.open([7])];
    let pick = |n: u32| usize::from(n % 64 == 7);
    Network {
        world: World::new(name).subnet("198.19.0.0", 1 << 16, hosts, pick),
        target: "198.19.0.0/16",
        top: 10,
        args: &[],
        bound: None,
    }
}

/// A router that passes so many SYNs a second.
pub fn syn_limited(name: &'static str, top: u16, open: usize, per_second: f64) -> Network {
    let plain = lan(name, top, open, ms(20), ms(1));
    shared(plain, |world| world.syn_limit(limit(per_second)))
}

/// A thin link.
pub fn thin(name: &'static str, top: u16, open: usize, per_second: f64, queue: u32) -> Network {
    let plain = lan(name, top, open, ms(20), ms(1));
    shared(plain, |world| world.link(per_second, queue))
}

/// A home router with a small table of half-open flows before a host that drops the rest.
pub fn half_open(
    name: &'static str,
    top: u16,
    open: usize,
    entries: usize,
    hold: Duration,
) -> Network {
    shared(drop(name, top, open, 0.0), |world| {
        world.half_open(entries, hold)
    })
}

/// A path that is dead for a while.
pub fn dead(name: &'static str, top: u16, open: usize, from: Duration, to: Duration) -> Network {
    shared(drop(name, top, open, 0.0), |world| world.dead(from, to))
}

/// Every network of the table, at its full size.
pub fn table() -> Vec<Network> {
    vec![
        lan("lan", 65_535, 18, Duration::ZERO, Duration::ZERO),
        lan("far", 65_535, 18, ms(40), ms(1)).bound(1.0),
        drop("drop", 10_001, 16, 0.0).bound(2.5),
        drop("drop-lossy", 5_000, 122, 0.03).bound(3.5),
        lossy("closed-lossy", 10_000, 162, 0.05).bound(3.0),
        icmp_limited("icmp-limited", 5_000, 44, 200.0).bound(3.0),
        rst_limited("rst-limited", 5_000, 44, 200.0).bound(5.0),
        rst_limited("rst-limited-exact", 5_000, 44, 200.0)
            .bound(27.5)
            .args(&["--exact"]),
        late("late", 1_000, 14).bound(1.5),
        slash24("slash24").bound(2.5),
        slash16("slash16"),
        syn_limited("syn-limited", 8_000, 122, 800.0).bound(11.5),
        thin("thin-link", 8_000, 122, 1_500.0, 150).bound(6.2),
        half_open("half-open", 3_000, 23, 2_048, secs(20)).bound(45.0),
        dead("dead-1-to-4", 10_001, 16, secs(1), secs(4)).bound(5.5),
    ]
}
