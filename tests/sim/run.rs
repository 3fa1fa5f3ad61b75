//! Plays the driver: runs the scanner against a network on virtual time and checks, at each step,
//! what must hold always.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nishad::engine::{
    Action, HostReport, Note, Options, ProbeId, Report, Scanner, Summary, Verdict,
};
use nishad::target::{HostSet, PortSet, Target, TargetSpace};

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
    /// Turns of the loop.
    pub turns: u64,
    /// Attempts that were under way when the process was killed.
    pub cut_off: u64,
    /// Where each attempt went, in their order.
    pub order: Vec<IpAddr>,
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

/// The /24 of a host.
pub fn net(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) => IpAddr::from((u32::from(host) & !0xff).to_be_bytes()),
        host => host,
    }
}

/// Hosts that become known on the way.
pub struct Late {
    /// When, and which; by time.
    pub hosts: Vec<(Duration, Target)>,
    /// When it is known that no more will come.
    pub end: Duration,
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
    run_with(space, options, network, origin, interrupt_at, None)
}

/// The process is killed at these turns of the loop; it had saved itself some turns before, and is
/// started again from that at once.
pub struct Kill {
    pub saved: u64,
    pub killed: u64,
}

/// Runs a scan to its end through `kills`, in order. How often the turns were is counted too.
pub fn run_killed(
    space: TargetSpace,
    options: Options,
    network: &mut Network,
    origin: Instant,
    kills: Vec<Kill>,
) -> Run {
    let script = Script {
        kills: kills.into(),
        ..Script::default()
    };
    play(space, options, network, origin, script)
}

/// Runs a scan to its end that is paused at some times, each for so long.
pub fn run_paused(
    space: TargetSpace,
    options: Options,
    network: &mut Network,
    origin: Instant,
    pauses: Vec<(Duration, Duration)>,
) -> Run {
    let ends = pauses
        .into_iter()
        .flat_map(|(at, length)| [(at, true), (at + length, false)]);
    let script = Script {
        pauses: ends.collect(),
        ..Script::default()
    };
    play(space, options, network, origin, script)
}

/// The same with hosts that become known while it runs, each at its time, and the end of that: as
/// many as may come.
pub fn run_with(
    space: TargetSpace,
    options: Options,
    network: &mut Network,
    origin: Instant,
    interrupt_at: Option<Duration>,
    late: Option<Late>,
) -> Run {
    let script = Script {
        interrupt_at,
        late,
        ..Script::default()
    };
    play(space, options, network, origin, script)
}

/// What happens to a run from outside.
#[derive(Default)]
struct Script {
    interrupt_at: Option<Duration>,
    late: Option<Late>,
    kills: VecDeque<Kill>,
    /// When it is paused and when it goes on, in turn.
    pauses: VecDeque<(Duration, bool)>,
}

fn play(
    space: TargetSpace,
    options: Options,
    network: &mut Network,
    origin: Instant,
    script: Script,
) -> Run {
    let Script {
        interrupt_at,
        late,
        mut kills,
        mut pauses,
    } = script;
    let mut saved = None;
    let mut planned = space.planned();
    let ports = u64::from(space.ports());
    let mut late = late.map(|late| (VecDeque::from(late.hosts), late.end));
    let mut world = Driver {
        scanner: Scanner::new(space.clone(), options.clone(), origin),
        options,
        origin,
        open: HashMap::new(),
        open_of: HashMap::new(),
        net_sends: HashMap::new(),
        used: HashSet::new(),
        paused: false,
        sends: VecDeque::new(),
        hasher: DefaultHasher::new(),
        out: Run {
            verdicts: HashMap::new(),
            found_at: HashMap::new(),
            hosts: Vec::new(),
            notes: Vec::new(),
            elapsed: Duration::ZERO,
            attempts: 0,
            turns: 0,
            cut_off: 0,
            attempts_on: HashMap::new(),
            peak_sockets: 0,
            order: Vec::new(),
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
    world.scanner.expect_hosts(late.is_some());
    loop {
        if let Some((hosts, end)) = &mut late {
            while hosts.front().is_some_and(|(at, _)| origin + *at <= now) {
                let (_, host) = hosts.pop_front().expect("there is one");
                planned += ports * u64::from(world.scanner.add_host(host));
            }
            if origin + *end <= now {
                world.scanner.expect_hosts(false);
                late = None;
            }
        }
        while pauses.front().is_some_and(|(at, _)| origin + *at <= now) {
            let (_, paused) = pauses.pop_front().expect("there is one");
            world.paused = paused;
            world.scanner.set_paused(paused, now);
        }
        world.act(network, now);
        world.out.turns += 1;
        if kills
            .front()
            .is_some_and(|kill| world.out.turns == kill.saved)
        {
            saved = Some(world.save());
        }
        if world.scanner.is_done() {
            break;
        }
        if kills
            .front()
            .is_some_and(|kill| world.out.turns >= kill.killed)
            && let Some(saved) = saved.take()
        {
            kills.pop_front();
            network.forget();
            world.restart(space.clone(), saved, now);
            continue;
        }
        let more = late.as_ref().map(|(hosts, end)| {
            let next = hosts.front().map_or(*end, |(at, _)| *at);
            origin + next.min(*end)
        });
        let timeout = world.scanner.poll_timeout();
        let turn = pauses.front().map(|(at, _)| origin + *at);
        let next = [timeout, network.next(), interrupt_at, more, turn]
            .into_iter()
            .flatten()
            .min();
        let next = next.unwrap_or_else(|| {
            panic!(
                "the scan is not done and waits for nothing: {:?}",
                world.scanner
            )
        });
        now = now.max(next) + network.lateness();
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
            world.close(id);
            (now - origin, id, format!("{outcome:?}")).hash(&mut world.hasher);
            world.scanner.handle_outcome(now, id, outcome);
        }
        world.scanner.handle_timeout(now);
    }
    let progress = world.scanner.progress();
    assert_eq!(progress.planned, planned);
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
    /// Sockets of each host.
    open_of: HashMap<IpAddr, usize>,
    /// Attempts of the last second in each network.
    net_sends: HashMap<IpAddr, VecDeque<Instant>>,
    /// Ids in use or used, with their generation: none may come twice.
    used: HashSet<ProbeId>,
    /// Nothing may be sent.
    paused: bool,
    /// Send times of the last second.
    sends: VecDeque<Instant>,
    hasher: DefaultHasher,
    out: Run,
}

/// What a process leaves when it is killed: its checkpoint, and the output up to that.
struct Saved {
    snapshot: String,
    verdicts: HashMap<(IpAddr, u16), Verdict>,
    hosts: Vec<HostReport>,
}

impl Driver {
    fn save(&self) -> Saved {
        let snapshot = self
            .scanner
            .snapshot()
            .expect("all reports have been polled");
        Saved {
            snapshot: serde_json::to_string(&snapshot).expect("it can be written"),
            verdicts: self.out.verdicts.clone(),
            hosts: self.out.hosts.clone(),
        }
    }

    fn restart(&mut self, space: TargetSpace, saved: Saved, now: Instant) {
        let snapshot = serde_json::from_str(&saved.snapshot).expect("it can be read");
        self.scanner = Scanner::resume(space, self.options.clone(), &snapshot, now)
            .expect("it fits the run that it was taken of");
        assert_eq!(
            self.scanner.snapshot().expect("nothing is reported yet"),
            snapshot,
            "nothing is lost by saving and taking up"
        );
        self.out.cut_off += self.open.len() as u64;
        self.open.clear();
        self.open_of.clear();
        self.used.clear();
        self.out.verdicts = saved.verdicts;
        self.out.hosts = saved.hosts;
    }

    fn act(&mut self, network: &mut Network, now: Instant) {
        let mut steps = 0u64;
        while let Some(action) = self.scanner.poll_action(now) {
            steps += 1;
            assert!(steps < 5_000_000, "the scanner spins");
            match action {
                Action::Connect { id, addr } => {
                    assert!(self.used.insert(id), "{id:?} is given twice");
                    assert!(!self.paused, "an attempt starts during a pause");
                    (now - self.origin, id, addr).hash(&mut self.hasher);
                    let in_use = self.open.len();
                    assert!(
                        in_use < self.options.max_sockets,
                        "more sockets than allowed"
                    );
                    self.check_limits(now, addr.ip());
                    match network.connect(now, id, addr.ip(), addr.port(), in_use) {
                        Some(outcome) => self.scanner.handle_outcome(now, id, outcome),
                        None => {
                            self.open.insert(id, (addr.ip(), addr.port()));
                            *self.open_of.entry(addr.ip()).or_default() += 1;
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
                    assert!(self.close(id), "{id:?} is closed but was not open");
                }
                Action::Report(report) => self.report(report, now),
                Action::Ending => {}
            }
        }
    }

    /// The socket of an attempt is closed; whether it was open.
    fn close(&mut self, id: ProbeId) -> bool {
        let Some((host, _)) = self.open.remove(&id) else {
            return false;
        };
        *self.open_of.entry(host).or_default() -= 1;
        true
    }

    /// What holds for each host and for each network, at an attempt on `host`.
    fn check_limits(&mut self, now: Instant, host: IpAddr) {
        let in_use = self.open_of.get(&host).copied().unwrap_or(0);
        let most = self.options.host_sockets.max(1);
        assert!(in_use < most, "{host} has {in_use} sockets, {most} allowed");
        self.out.order.push(host);
        let Some(rate) = self.options.net_rate.filter(|rate| *rate > 0.0) else {
            return;
        };
        let sends = self.net_sends.entry(net(host)).or_default();
        sends.push_back(now);
        while now - sends[0] >= Duration::from_secs(1) {
            sends.pop_front();
        }
        assert!(
            sends.len() as f64 <= rate.ceil(),
            "{} attempts in a second on {}/24 at --net-rate {rate}",
            sends.len(),
            net(host)
        );
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
            other => panic!("unknown: {other:?}"),
        }
    }

    fn verdict(&mut self, addr: IpAddr, port: u16, verdict: Verdict, at: Duration) {
        let before = self.out.verdicts.insert((addr, port), verdict);
        assert_eq!(before, None, "{addr}:{port} has two verdicts");
        self.out.found_at.insert((addr, port), at);
    }
}
