//! Where a thousand open ports are.

use std::ops::RangeInclusive;

use crate::model::{Host, Port, Talk, World, ms};

/// Open ports of each place.
pub const OPEN: usize = 1_000;

/// What servers say, a third of the ports each.
pub const TALKS: [Talk; 3] = [
    Talk {
        greeting: b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        answer: b"",
    },
    Talk {
        greeting: b"220 mail.test ESMTP Postfix (Debian/GNU)\r\n",
        answer: b"250-mail.test\r\n250 STARTTLS\r\n",
    },
    Talk {
        greeting: b"",
        answer: b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n",
    },
];

/// One of so many ports is open.
const EVERY: u16 = 30;

/// Hosts among which they are divided, where it is not one.
const HOSTS: u16 = 100;

/// A place: what is scanned to see its services, and to see what that costs.
pub struct Place {
    pub name: &'static str,
    pub target: &'static str,
    /// Ports of each host: the open ones and as many closed, for a host of which all are open is taken
    /// for one that accepts anything.
    pub ports: String,
    /// All ports of each host among which the open ones are.
    pub range: RangeInclusive<u16>,
    /// The network, if it is simulated.
    pub world: Option<World>,
}

/// The open ports of one host of `hosts`.
pub fn open(hosts: u16) -> Vec<u16> {
    let count = u16::try_from(OPEN).unwrap_or(u16::MAX) / hosts;
    (1..=count).map(|n| n * EVERY).collect()
}

/// Of nginx, behind those.
pub fn open_nginx() -> Vec<u16> {
    open(HOSTS).into_iter().map(|port| port + 40_000).collect()
}

fn place(name: &'static str, target: &'static str, hosts: u16) -> Place {
    let open = open(hosts);
    Place {
        name,
        target,
        ports: with_closed(&open),
        range: 1..=open.last().copied().unwrap_or(1),
        world: None,
    }
}

fn with_closed(open: &[u16]) -> String {
    let pairs = open.iter().map(|port| format!("{port}-{}", port + 1));
    pairs.collect::<Vec<_>>().join(",")
}

fn simulated(name: &'static str, target: &'static str, base: &str, hosts: u16) -> Place {
    let mut host = Host::all(Port::Closed).rtt(ms(20), ms(1));
    let open = open(hosts);
    for (turn, talk) in TALKS.into_iter().enumerate() {
        let ports = open.iter().skip(turn).step_by(TALKS.len());
        host = host.with(ports.copied(), Port::Talks(talk));
    }
    let world = World::new("services").subnet(base, hosts.into(), vec![host], |_| 0);
    Place {
        world: Some(world),
        ..place(name, target, hosts)
    }
}

/// All of them; `nginx`: it is there.
pub fn all(nginx: bool) -> Vec<Place> {
    let mut places = vec![
        place("loopback, one host", "127.0.0.1", 1),
        place("loopback, 100 hosts", "127.1.0.1-100", HOSTS),
    ];
    if nginx {
        let open = open_nginx();
        places.push(Place {
            ports: with_closed(&open),
            range: 40_001..=open.last().copied().unwrap_or(40_001),
            ..place("loopback, 100 hosts, nginx", "127.2.0.1-100", HOSTS)
        });
    }
    places.push(simulated(
        "20 ms away, one host",
        "198.18.0.1",
        "198.18.0.1",
        1,
    ));
    places.push(simulated(
        "20 ms away, 100 hosts",
        "198.18.4.1-100",
        "198.18.4.1",
        HOSTS,
    ));
    places
}
