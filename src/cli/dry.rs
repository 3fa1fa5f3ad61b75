//! What would be scanned: its size, or every host of it, without a scan.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anyhow::{Context, Result, bail};

use nishad::output::Format;
use nishad::target::Target;

use super::Exit;
use super::args::{Args, Order};
use super::destination::{Destination, Wanted};
use super::plan::Plan;
use super::progress::{say, time};
use super::run::prepare;
use super::sink::{How, Sink};

/// A run of more probes than this has its size stated before it begins.
const LARGE: u64 = 1 << 32;

/// Attempts a second that a path is assumed to bear where no rate is given.
const ASSUMED_RATE: f64 = 10_000.0;

/// Seconds of a year.
const YEAR: f64 = 31_557_600.0;

/// Longest list of ports that is printed.
const PORTS_SHOWN: usize = 200;

/// Where it is printed: where text is asked for, else to standard output; what else is `wanted` is for
/// the scan. An error is one of usage.
pub(crate) fn place(wanted: &[Wanted]) -> Result<Destination> {
    let text = wanted.iter().filter(|one| one.format == Format::Text);
    match text.collect::<Vec<_>>()[..] {
        [] => Ok(Destination::Standard),
        [one] => Ok(one.to.clone()),
        _ => bail!("--dry-run and --list print to one place; give one output that is text"),
    }
}

/// Prints what `args` ask for. An error is one of this machine: it cannot be written.
pub(crate) fn run(args: &Args, mut plan: Plan, to: &Destination) -> Result<Exit> {
    let name = to.name();
    let how = How {
        streams: true,
        force: args.outputs.force,
    };
    let mut sink = Sink::open(to, how).with_context(|| format!("cannot write to {name}"))?;
    let printed = match args.list {
        true => list(&mut sink, &plan),
        false => describe(&mut sink, args, &mut plan),
    };
    match printed.and_then(|()| sink.finish()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).with_context(|| format!("cannot write to {name}"));
        }
        // Who has read enough has what was asked for.
        _ => {}
    }
    for wrong in plan.bad.merge(plan.names.take_bad()) {
        say(format_args!("error: {wrong}"));
    }
    Ok(match plan.bad.count() {
        0 => Exit::Complete,
        _ => Exit::Usage,
    })
}

/// Whether the size of a run is to be stated before it begins.
pub(crate) fn is_large(plan: &Plan) -> bool {
    plan.space.planned() > LARGE
}

/// The size of a run in one line.
pub(crate) fn size(plan: &Plan) -> String {
    let probes = plan.space.planned();
    format!(
        "{} hosts, {} ports each, {probes} probes: about {}",
        plan.space.hosts(),
        plan.space.ports(),
        Estimate::of(plan, probes)
    )
}

/// The hosts in their order, and behind them those of names, as they are resolved.
fn list(sink: &mut Sink, plan: &Plan) -> io::Result<()> {
    let mut print = |target: &Target| {
        writeln!(sink, "{target}")?;
        match sink.is_full() {
            true => Sink::flush(sink),
            false => Ok(()),
        }
    };
    for position in 0..plan.space.hosts() {
        print(&plan.space.host(position))?;
    }
    each_late(plan, |target| print(&target))
}

/// Hands out the hosts of names that were not resolved when the plan was made.
fn each_late(plan: &Plan, mut each: impl FnMut(Target) -> io::Result<()>) -> io::Result<()> {
    let mut seen = HashSet::new();
    while let Some(target) = plan.names.wait_for_next() {
        let key = (target.addr, target.scope_id);
        if !plan.space.contains(key.0, key.1) && seen.insert(key) {
            each(target)?;
        }
    }
    Ok(())
}

fn describe(sink: &mut Sink, args: &Args, plan: &mut Plan) -> io::Result<()> {
    let budget = prepare(args, plan);
    let mut late = 0;
    each_late(plan, |_| {
        late += 1;
        Ok(())
    })?;
    let (space, whole) = (&plan.space, plan.space.whole());
    let hosts = space.hosts() + late;
    let probes = hosts.saturating_mul(space.ports().into());
    let mut ports = space.port_set().to_string();
    if ports.len() > PORTS_SHOWN {
        // Digits, commas and dashes.
        ports.truncate(PORTS_SHOWN);
        ports.push('…');
    }
    let order = match args.order {
        Order::Random => format!("random, seed {}", plan.key.seed),
        Order::Sequential => "sequential".into(),
    };
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(text, "Hosts: {hosts}");
    if let Some((shard, _)) = space.part() {
        let (index, count) = (shard.index(), shard.count());
        let _ = writeln!(
            text,
            "Shard: {index} of {count}, of {} hosts in all, {} ports each: {ports}",
            whole.hosts(),
            whole.ports()
        );
        let _ = writeln!(text, "Ports: {} each", space.ports());
    } else {
        let _ = writeln!(text, "Ports: {} each: {ports}", space.ports());
    }
    let _ = writeln!(text, "Probes: {probes}");
    if late > 0 {
        let _ = writeln!(
            text,
            "Names: {late} hosts by names that took their time, behind the others"
        );
    }
    let _ = writeln!(text, "Order: {order}");
    let _ = writeln!(text, "Time: about {}", Estimate::of(plan, probes));
    let _ = writeln!(
        text,
        "Sockets: {} at most, {} for a host",
        plan.options.max_sockets, plan.options.host_sockets
    );
    let _ = writeln!(text, "This machine: {budget}");
    sink.write_all(text.as_bytes())
}

/// How long a run takes if it goes on as fast as it may.
struct Estimate {
    seconds: f64,
    rate: f64,
    /// Whether the rate was given.
    given: bool,
}

impl Estimate {
    fn of(plan: &Plan, probes: u64) -> Estimate {
        let rate = plan.options.rate;
        Estimate {
            seconds: probes as f64 / rate.unwrap_or(ASSUMED_RATE),
            rate: rate.unwrap_or(ASSUMED_RATE),
            given: rate.is_some(),
        }
    }
}

impl Estimate {
    fn time(&self) -> String {
        match self.seconds {
            // More days than anybody counts.
            s if s >= 1e9 => format!("{:.0} years", s / YEAR),
            s => time(s),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} attempts a second", self.time(), self.rate)?;
        match self.given {
            true => f.write_str(", without retries"),
            false => f.write_str(", an assumption; --rate sets one"),
        }
    }
}
