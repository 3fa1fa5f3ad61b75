//! What was typed, turned into what it means.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use nishad::checkpoint::Checkpoint;
use nishad::engine::Options;
use nishad::output::Show;
use nishad::service;
use nishad::target::{HostSet, PortSet, RunKey, Shard, TargetSpace, derived_seed, targets_digest};

use super::args::{Args, Order, ServicePlan, ShowState, Timing};
use super::progress::say;
use super::prompt;
use super::shard::ShardArg;
use super::targets::{self, Bad, Excluded, Excludes, Family, Lookup, Names, Targets};

/// The ports of a run without `--ports` and `--top-ports`, as the original script had them.
const DEFAULT_PORTS: &str = "1-1024";

/// How long names are waited for before the scan begins with what is known. Those known by then,
/// most of a nearby resolver, have their place in the order; the others come behind it.
const HEAD_START: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The probes, as far as they are known.
    pub(crate) space: TargetSpace,
    /// Names whose hosts come to it.
    pub(crate) names: Names,
    /// The bounds of the scan.
    pub(crate) options: Options,
    /// What decides the outcome; the seed of the order is in it.
    pub(crate) key: RunKey,
    /// What is listed.
    pub(crate) show: Show,
    /// The targets that cannot be read or resolved.
    pub(crate) bad: Bad,
    /// How open ports are talked to, if they are.
    pub(crate) services: Option<ServicePlan>,
}

/// What `args` mean. Names are being resolved from here on, and the target is asked for if there is
/// none. An error is one of usage: nothing can be scanned.
pub(crate) fn plan(args: &Args, saved: Option<&Checkpoint>) -> Result<Plan> {
    let ports = ports(args)?;
    let services = args.services.plan()?;
    check_standard_input(args)?;
    let shard = shard(args)?;
    let excludes = Excludes::read(args).map_err(not_excluded)?;
    let mut targets = targets(args)?;
    let excluded = excludes.resolved().map_err(not_excluded)?;
    targets.names.exclude(excluded.clone());
    excluded.remove_from(&mut targets.hosts);
    let Targets {
        mut hosts,
        names,
        mut bad,
        ..
    } = targets;
    hosts.compact();
    let given = names.close();
    let options = options(args);
    let show = show(args);
    let seed = args.seed.or(saved.map(|saved| saved.key.seed));
    let digest = targets_digest(&hosts, given.iter().map(|name| &**name));
    let key = key(args, seed, digest, &ports, &options, show, shard);
    let key = match &services {
        Some(services) => services.key(key),
        None => key,
    };
    let key = match given.is_empty() {
        true => key,
        false => key_of_names(key, args, &excluded),
    };
    if !holds_names(args) {
        let deadline = Instant::now() + HEAD_START;
        for target in names.wait_until(deadline, hosts.is_empty()) {
            let name = target.name.clone().unwrap_or_default();
            hosts.insert_named(target.addr, target.scope_id, name);
        }
    }
    bad.merge(names.take_bad());
    for wrong in bad.lines() {
        say(format_args!("error: {wrong}"));
    }
    check_hosts(args, &hosts, &names, &bad)?;
    let popular = service::popular();
    let mut space = match args.order {
        Order::Random => TargetSpace::new(hosts, ports, popular, key.seed),
        Order::Sequential => TargetSpace::in_order(hosts, ports, popular, key.seed),
    };
    if let Some(shard) = shard {
        // Shards agree on what they know without a resolver.
        space = space.shard(shard, given.len() as u64);
    }
    let known = known_names(args, saved);
    names.start(|name| space.takes_name(name) && !known.contains(&name.to_ascii_lowercase()));
    Ok(Plan {
        space,
        names,
        options,
        key,
        show,
        bad,
        services,
    })
}

/// That there is something to scan, and no more than a run can have.
fn check_hosts(args: &Args, hosts: &HostSet, names: &Names, bad: &Bad) -> Result<()> {
    if hosts.is_empty() && names.pending() == 0 {
        let excludes = !args.exclude.is_empty() || !args.exclude_file.is_empty();
        match bad.count() {
            0 if excludes => {
                bail!("nothing to scan: the targets hold no host that is not excluded")
            }
            0 => bail!("nothing to scan: the lists given to --targets hold no target"),
            _ => bail!("nothing to scan: no target can be read and resolved"),
        }
    }
    if hosts.checked_len().is_none() {
        bail!(
            "the targets hold more than 2^47 hosts, the most of a run; give fewer or smaller ones"
        );
    }
    Ok(())
}

/// Whether no name is looked up before all are known: where what is known at the start must be the
/// same each time.
fn holds_names(args: &Args) -> bool {
    args.shard.is_some() || args.is_saved()
}

/// Names, in small letters, whose hosts are in the saved run.
fn known_names(args: &Args, saved: Option<&Checkpoint>) -> HashSet<String> {
    // Of several addresses of a name some may be missing.
    let saved = saved.filter(|_| !args.all_addresses);
    let late = saved.map_or(&[][..], |saved| &saved.snapshot.late);
    late.iter()
        .filter_map(|host| Some(host.name.as_ref()?.to_ascii_lowercase()))
        .collect()
}

/// What is to be left out cannot be told: nothing is scanned.
fn not_excluded(bad: Bad) -> anyhow::Error {
    for wrong in bad.lines() {
        say(format_args!("error: {wrong}"));
    }
    anyhow!("nothing is scanned, since it is not known what to exclude")
}

fn show(args: &Args) -> Show {
    match &args.show[..] {
        [] => Show::default(),
        shown => Show::with(&ShowState::all_states(shown)),
    }
}

/// Standard input can be read once.
fn check_standard_input(args: &Args) -> Result<()> {
    let lists = args.lists.iter().chain(&args.exclude_file);
    if lists.filter(|path| targets::is_stdin(path)).count() > 1 {
        bail!("--targets and --exclude-file: only one of them can be -, standard input");
    }
    Ok(())
}

fn shard(args: &Args) -> Result<Option<Shard>> {
    let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
    let resolve = |arg: ShardArg| {
        arg.resolve(variable)
            .map_err(|error| anyhow!("--shard: {error}"))
    };
    args.shard.map(resolve).transpose()
}

/// What decides the outcome of the run. The shards of one have the same seed without being told it.
fn key(
    args: &Args,
    seed: Option<u64>,
    targets: String,
    ports: &PortSet,
    options: &Options,
    show: Show,
    shard: Option<Shard>,
) -> RunKey {
    let seed = match (seed, shard) {
        (Some(seed), _) => seed,
        (None, Some(_)) => derived_seed(&targets, ports),
        (None, None) => random_seed(),
    };
    let order = match args.order {
        Order::Random => "random",
        Order::Sequential => "sequential",
    };
    let listed = match show.states() {
        Some(states) => states
            .iter()
            .map(|state| state.as_str())
            .collect::<Vec<_>>()
            .join(","),
        None => "default".into(),
    };
    RunKey::new(targets, ports, seed, shard.map(|shard| shard.count()))
        .with("timeout", format_args!("{:?}", options.timeout))
        .with("retries", options.retries)
        .with("miss", options.miss)
        .with("exact", options.exact)
        .with("stop-at-first-open", options.stop_at_first_open)
        .with("order", order)
        .with("show", listed)
}

/// What decides which hosts the names stand for.
fn key_of_names(key: RunKey, args: &Args, excluded: &Excluded) -> RunKey {
    key.with("all-addresses", args.all_addresses)
        .with("exclude", excluded.digest())
        .with("4", args.ipv4)
        .with("6", args.ipv6)
}

fn ports(args: &Args) -> Result<PortSet> {
    let parse = |spec: &str| PortSet::parse(spec, service::port);
    let mut ports = match (&args.ports, args.top_ports) {
        (Some(spec), _) => parse(spec).context("--ports")?,
        (None, Some(_)) => PortSet::default(),
        (None, None) => parse(DEFAULT_PORTS)?,
    };
    if let Some(n) = args.top_ports {
        let top = service::popular().iter().take(n);
        ports = ports.union(&top.copied().collect());
    }
    if let Some(spec) = &args.exclude_ports {
        ports = ports.difference(&parse(spec).context("--exclude-ports")?);
        if ports.is_empty() {
            bail!("--exclude-ports leaves no port to scan");
        }
    }
    Ok(ports)
}

/// What the TARGETs and the lists of them stand for.
fn targets(args: &Args) -> Result<Targets> {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => None,
    };
    let lookup = Lookup {
        family,
        all_addresses: args.all_addresses,
        ..Lookup::default()
    };
    let mut targets = Targets::new(lookup, args.yes);
    if holds_names(args) {
        targets.names.hold();
    }
    for target in &args.targets {
        targets.add_typed(target);
    }
    for path in &args.lists {
        targets.add_list(path).map_err(|error| anyhow!(error))?;
    }
    if args.targets.is_empty() && args.lists.is_empty() {
        if args.live.events {
            bail!("no TARGET given; see nishad --help");
        }
        if !io::stdin().is_terminal() {
            bail!("no TARGET given, and no terminal to ask for it; see nishad --help");
        }
        let answer = prompt::ask(io::stdin().lock(), io::stderr(), |answer| {
            targets.add_now(answer)
        })
        .context("cannot ask for the target")?;
        if answer.is_none() {
            bail!("no target given");
        }
    }
    Ok(targets)
}

/// What stands for `--timing`, and the values that other options have by it.
pub(crate) fn preset(
    timing: Timing,
) -> Option<(&'static str, &'static [(&'static str, &'static str)])> {
    match timing {
        Timing::Normal => None,
        Timing::Polite => Some((
            "--timing polite",
            &[
                ("rate", "100/s"),
                ("max-sockets", "256"),
                ("host-sockets", "32"),
            ],
        )),
        Timing::Aggressive => Some((
            "--timing aggressive",
            &[
                ("retries", "2"),
                ("min-rtt-timeout", "10ms"),
                ("initial-rtt-timeout", "200ms"),
            ],
        )),
    }
}

fn options(args: &Args) -> Options {
    let normal = Options::default();
    let preset = match args.timing {
        Timing::Normal => normal,
        Timing::Polite => Options {
            rate: Some(100.0),
            max_sockets: 256,
            host_sockets: 32,
            initial_window: 4,
            ..normal
        },
        Timing::Aggressive => Options {
            retries: 2,
            min_rtt_timeout: Duration::from_millis(10),
            initial_rtt_timeout: Duration::from_millis(200),
            initial_window: 256,
            ..normal
        },
    };
    Options {
        timeout: args.timeout.unwrap_or(preset.timeout),
        retries: args.retries.unwrap_or(preset.retries),
        miss: args.miss.unwrap_or(preset.miss),
        rate: args.rate.or(preset.rate),
        net_rate: args.net_rate,
        max_sockets: args.max_sockets.unwrap_or(preset.max_sockets),
        host_sockets: args.host_sockets.unwrap_or(preset.host_sockets),
        min_rtt_timeout: args.min_rtt_timeout.unwrap_or(preset.min_rtt_timeout),
        initial_rtt_timeout: args
            .initial_rtt_timeout
            .unwrap_or(preset.initial_rtt_timeout),
        give_up: args.give_up.unwrap_or(preset.give_up),
        exact: args.exact,
        stop_at_first_open: args.live.stop_at_first_open,
        ..preset
    }
}

/// A seed from the system's randomness, by way of the keys of the standard library's hash maps. It
/// has 53 bits, which every JSON reader takes exactly.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn args(line: &str) -> Args {
        Args::try_parse_from(line.split_whitespace()).expect(line)
    }

    #[test]
    fn ports_are_what_the_flags_together_mean() {
        let ports = |line: &str| {
            ports(&args(line))
                .map(|ports| ports.to_string())
                .map_err(|e| format!("{e:#}"))
        };
        assert_eq!(ports("nishad h"), Ok("1-1024".into()));
        assert_eq!(ports("nishad h -p -3,65534-"), Ok("1-3,65534-65535".into()));
        assert_eq!(
            ports("nishad h -p 1-9 --exclude-ports 2-8"),
            Ok("1,9".into())
        );
        let top: PortSet = service::popular()[..3].iter().copied().collect();
        assert_eq!(ports("nishad h --top-ports 3"), Ok(top.to_string()));
        let more = top.union(&PortSet::from_iter([61234]));
        assert_eq!(
            ports("nishad h --top-ports 3 -p 61234"),
            Ok(more.to_string())
        );
        for (line, start) in [
            ("nishad h -p 70000", "--ports: port 70000 "),
            ("nishad h -p 9-1", "--ports: range 9-1 runs backwards"),
            ("nishad h -p nosuchservice", "--ports: `nosuchservice` "),
            ("nishad h --exclude-ports x-1", "--exclude-ports: "),
            (
                "nishad h -p 1-9 --exclude-ports -",
                "--exclude-ports leaves no port",
            ),
        ] {
            let error = ports(line).expect_err(line);
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_timing() {
        let polite = options(&args("nishad h --timing polite"));
        assert_eq!(
            (polite.rate, polite.host_sockets, polite.retries),
            (Some(100.0), 32, 6)
        );
        let mixed = options(&args(
            "nishad h --timing polite --rate 5/s --host-sockets 7",
        ));
        assert_eq!(
            (mixed.rate, mixed.host_sockets, mixed.max_sockets),
            (Some(5.0), 7, 256)
        );
        let fast = options(&args("nishad h --timing aggressive --retries 3"));
        assert_eq!((fast.retries, fast.initial_window), (3, 256));
        assert_eq!(fast.min_rtt_timeout, Duration::from_millis(10));
        let plain = options(&args("nishad h"));
        assert_eq!(format!("{plain:?}"), format!("{:?}", Options::default()));
    }

    /// The values that are told are those that hold.
    #[test]
    fn timings_are_what_is_said_of_them() {
        for timing in [Timing::Polite, Timing::Aggressive] {
            let (typed, values) = preset(timing).expect("it sets something");
            let by_values: String = values
                .iter()
                .map(|(name, value)| format!(" --{name} {value}"))
                .collect();
            let by_timing = options(&args(&format!("nishad h {typed}")));
            let by_values = Options {
                initial_window: by_timing.initial_window,
                ..options(&args(&format!("nishad h{by_values}")))
            };
            assert_eq!(format!("{by_values:?}"), format!("{by_timing:?}"));
        }
    }

    #[test]
    fn random_seeds_differ_and_are_exact_in_json() {
        let seeds: std::collections::HashSet<_> = (0..100).map(|_| random_seed()).collect();
        assert!(seeds.len() > 90);
        assert!(seeds.iter().all(|seed| *seed < 1 << 53));
    }
}
