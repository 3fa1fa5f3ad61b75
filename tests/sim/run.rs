//! Plays the driver: runs the scanner against a network on virtual time and checks, at each step,
//! what must hold always.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{
    Action, HostReport, Note, Options, ProbeId, Report, Scanner, Summary, Verdict,
};
use nishad::target::{HostSet, PortSet, TargetSpace};

use crate::network::Network;

/// Virtual time after which a run counts as hung.
const HUNG: Duration = Duration::from_secs(7_200);

/// What a run came to.
pub struct Run {
    pub verdicts: HashMap<(IpAddr, u16), Verdict>,
    /// When each port had its verdict.
    pub found_at: HashMap<(IpAddr, u16), Duration>,
    pub hosts: Vec<HostReport>,
    pub notes: Vec<(Duration, Note)>,
    pub elapsed: Duration,
    pub attempts: u64,
    pub attempts_on: HashMap<(IpAddr, u16), u32>,
    pub peak_sockets: usize,
    pub summary: Summary,
    /// Hash of everything the scanner did and when.
    pub transcript: u64,
}

/// The ports that are taken first.
pub const POPULAR: [u16; 8] = [80, 23, 443, 21, 22, 25, 3389, 110];

/// Hosts `10.0.0.0` up to `hosts` of them, each with `ports`.
pub fn space(hosts: u32, ports: PortSet, seed: u64) -> TargetSpace {
    let mut set = HostSet::default();
    let last = IpAddr::from((0x0a00_0000 + hosts - 1).to_be_bytes());
    set.insert_range(addr(0), last, 0);
    TargetSpace::new(set, ports, &POPULAR, seed)
}

/// The `n`th host's address.
pub fn addr(n: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + n).to_be_bytes())
}

/// Ports 1 to `n`.
pub fn ports(n: u16) -> PortSet {
    (1..=n).collect()
}

/// Runs a scan to its end, or to `interrupt_at`.
pub fn run(
    space: TargetSpace,
    options: Options,
    network: &mut Network,
    origin: Instant,
    interrupt_at: Option<Duration>,
) -> Run {
    let planned = space.planned();
    let mut world = Driver {
        scanner: Scanner::new(space, options.clone(), origin),
        options,
        origin,
        open: HashMap::new(),
        used: HashSet::new(),
        sends: VecDeque::new(),
        hasher: DefaultHasher::new(),
        out: Run {
            verdicts: HashMap::new(),
            found_at: HashMap::new(),
            hosts: Vec::new(),
            notes: Vec::new(),
            elapsed: Duration::ZERO,
            attempts: 0,
            attempts_on: HashMap::new(),
            peak_sockets: 0,
            summary: Summary {
                hosts: 0,
                miss: None,
                silent_hosts: 0,
            },
            transcript: 0,
        },
    };
    let mut now = origin;
    let mut interrupt_at = interrupt_at.map(|at| origin + at);
    loop {
        world.act(network, now);
        if world.scanner.is_done() {
            break;
        }
        let next = [world.scanner.poll_timeout(), network.next(), interrupt_at]
            .into_iter()
            .flatten()
            .min();
        let next = next.unwrap_or_else(|| {
            panic!(
                "the scan is not done and waits for nothing: {:?}",
                world.scanner
            )
        });
        now = now.max(next);
        assert!(
            now - origin < HUNG,
            "the scan hangs: {:?}, last notes {:?}",
            world.scanner.progress(),
            world.out.notes.iter().rev().take(8).collect::<Vec<_>>()
        );
        if interrupt_at.is_some_and(|at| at <= now) {
            interrupt_at = None;
            world.scanner.interrupt(now);
            continue;
        }
        while let Some((id, outcome)) = network.take(now, |id| world.open.contains_key(&id)) {
            world.open.remove(&id);
            (now - origin, id, format!("{outcome:?}")).hash(&mut world.hasher);
            world.scanner.handle_outcome(now, id, outcome);
        }
        world.scanner.handle_timeout(now);
    }
    let progress = world.scanner.progress();
    assert_eq!(
        progress.counts.total(),
        planned,
        "planned = open + closed + filtered + unscanned"
    );
    assert!(
        world.open.is_empty(),
        "sockets left open at the end: {:?}",
        world.open
    );
    let mut out = world.out;
    out.elapsed = now - origin;
    out.attempts = progress.attempts;
    out.summary = world.scanner.summary();
    out.transcript = world.hasher.finish();
    out
}

struct Driver {
    scanner: Scanner,
    options: Options,
    origin: Instant,
    open: HashMap<ProbeId, (IpAddr, u16)>,
    /// Ids in use or used, with their generation: none may come twice.
    used: HashSet<ProbeId>,
    /// Send times of the last second.
    sends: VecDeque<Instant>,
    hasher: DefaultHasher,
    out: Run,
}

impl Driver {
    fn act(&mut self, network: &mut Network, now: Instant) {
        let mut steps = 0u64;
        while let Some(action) = self.scanner.poll_action(now) {
            steps += 1;
            assert!(steps < 5_000_000, "the scanner spins");
            match action {
                Action::Connect { id, addr } => {
                    assert!(self.used.insert(id), "{id:?} is given twice");
                    (now - self.origin, id, addr).hash(&mut self.hasher);
                    let in_use = self.open.len();
                    assert!(
                        in_use < self.options.max_sockets,
                        "more sockets than allowed"
                    );
                    match network.connect(now, id, addr.ip(), addr.port(), in_use) {
                        Some(outcome) => self.scanner.handle_outcome(now, id, outcome),
                        None => {
                            self.open.insert(id, (addr.ip(), addr.port()));
                            *self
                                .out
                                .attempts_on
                                .entry((addr.ip(), addr.port()))
                                .or_default() += 1;
                            self.out.peak_sockets = self.out.peak_sockets.max(in_use + 1);
                            self.check_rate(now);
                        }
                    }
                }
                Action::Close { id } => {
                    assert!(
                        self.open.remove(&id).is_some(),
                        "{id:?} is closed but was not open"
                    );
                }
                Action::Report(report) => self.report(report, now),
                Action::Ending => {}
            }
        }
    }

    fn check_rate(&mut self, now: Instant) {
        let Some(rate) = self.options.rate.filter(|rate| *rate > 0.0) else {
            return;
        };
        self.sends.push_back(now);
        while self
            .sends
            .front()
            .is_some_and(|first| now - *first >= Duration::from_secs(1))
        {
            self.sends.pop_front();
        }
        // Two milliseconds of catching up, and the probe at either end of the second.
        let most = rate * 1.002 + 2.0;
        assert!(
            self.sends.len() as f64 <= most,
            "{} in a second at --rate {rate}",
            self.sends.len()
        );
    }

    fn report(&mut self, report: Report, now: Instant) {
        let at = now - self.origin;
        match report {
            Report::Port(port) => self.verdict(port.target.addr, port.port, port.verdict, at),
            Report::Bulk(bulk) => {
                for port in bulk.ports.iter() {
                    self.verdict(bulk.target.addr, port, bulk.verdict, at);
                }
            }
            Report::Host(host) => self.out.hosts.push(host),
            Report::Note(note) => self.out.notes.push((at, note)),
        }
    }

    fn verdict(&mut self, addr: IpAddr, port: u16, verdict: Verdict, at: Duration) {
        let before = self.out.verdicts.insert((addr, port), verdict);
        assert_eq!(before, None, "{addr}:{port} has two verdicts");
        self.out.found_at.insert((addr, port), at);
    }
}
