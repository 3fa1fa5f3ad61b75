//! What was typed, turned into what it means.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use nishad::engine::Options;
use nishad::output::Show;
use nishad::service;
use nishad::target::{HostSet, PortSet, RunKey, Shard, TargetSpace, derived_seed, targets_digest};

use super::args::{Args, Timing};
use super::progress::say;
use super::prompt;
use super::shard::ShardArg;
use super::targets::{Family, Targets};

/// The ports of a run without `--ports` and `--top-ports`, as the original script had them.
const DEFAULT_PORTS: &str = "1-1024";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The probes.
    pub(crate) space: TargetSpace,
    /// The bounds of the scan.
    pub(crate) options: Options,
    /// What decides the outcome; the seed of the order is in it.
    pub(crate) key: RunKey,
    /// What is listed.
    pub(crate) show: Show,
    /// The targets that cannot be read or resolved, each with its reason, in one line.
    pub(crate) bad: Vec<String>,
}

/// What `args` mean. Names are resolved here, and the target asked for if there is none. An error
/// is one of usage: nothing can be scanned.
pub(crate) fn plan(args: &Args) -> Result<Plan> {
    let ports = ports(args)?;
    let shard = shard(args)?;
    let (targets, bad) = targets(args)?;
    for wrong in &bad {
        say(format_args!("error: {wrong}"));
    }
    let hosts = targets.hosts;
    if hosts.is_empty() {
        bail!("nothing to scan: no target can be read and resolved");
    }
    if hosts.checked_len().is_none() {
        bail!(
            "the targets hold more than 2^47 hosts, the most of a run; give fewer or smaller ones"
        );
    }
    let options = options(args);
    let show = match args.show.as_slice() {
        [] => Show::default(),
        shown => Show::with(
            &shown
                .iter()
                .flat_map(|state| state.states())
                .copied()
                .collect::<Vec<_>>(),
        ),
    };
    let key = key(args, &hosts, &ports, &options, show, shard);
    let whole = TargetSpace::new(hosts, ports, service::popular(), key.seed);
    Ok(Plan {
        space: shard.map_or(whole.clone(), |shard| whole.shard(shard, 0)),
        options,
        key,
        show,
        bad,
    })
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
    hosts: &HostSet,
    ports: &PortSet,
    options: &Options,
    show: Show,
    shard: Option<Shard>,
) -> RunKey {
    let targets = targets_digest(hosts, []);
    let seed = match (args.seed, shard) {
        (Some(seed), _) => seed,
        (None, Some(_)) => derived_seed(&targets, ports),
        (None, None) => random_seed(),
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
        .with("show", listed)
}

fn ports(args: &Args) -> Result<PortSet> {
    let parse = |spec: &str| PortSet::parse(spec, service::port);
    let mut ports = match (&args.ports, args.top_ports) {
        (Some(spec), _) => parse(spec).context("--ports")?,
        (None, Some(_)) => PortSet::default(),
        (None, None) => parse(DEFAULT_PORTS)?,
    };
    if let Some(n) = args.top_ports {
        let popular = service::popular();
        let Some(top) = popular.get(..n as usize).filter(|_| n > 0) else {
            bail!(
                "--top-ports {n}: 1 to {} are known; --ports - is all ports",
                popular.len()
            );
        };
        ports = ports.union(&top.iter().copied().collect());
    }
    if let Some(spec) = &args.exclude_ports {
        ports = ports.difference(&parse(spec).context("--exclude-ports")?);
        if ports.is_empty() {
            bail!("--exclude-ports leaves no port to scan");
        }
    }
    Ok(ports)
}

/// The hosts, and the targets that are none.
fn targets(args: &Args) -> Result<(Targets, Vec<String>)> {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => None,
    };
    let mut targets = Targets {
        family,
        all_addresses: args.all_addresses,
        ..Targets::default()
    };
    if args.targets.is_empty() {
        if !io::stdin().is_terminal() {
            bail!("no TARGET given, and no terminal to ask for it; see nishad --help");
        }
        let answer = prompt::ask(io::stdin().lock(), io::stderr(), |answer| {
            targets.add(answer)
        })
        .context("cannot ask for the target")?;
        if answer.is_none() {
            bail!("no target given");
        }
        return Ok((targets, Vec::new()));
    }
    let add = |target| targets.add_typed(target).err();
    let bad = args
        .targets
        .iter()
        .map(|target| target.as_os_str())
        .filter_map(add)
        .collect();
    Ok((targets, bad))
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
        max_sockets: args.max_sockets.unwrap_or(preset.max_sockets),
        host_sockets: args.host_sockets.unwrap_or(preset.host_sockets),
        min_rtt_timeout: args.min_rtt_timeout.unwrap_or(preset.min_rtt_timeout),
        initial_rtt_timeout: args
            .initial_rtt_timeout
            .unwrap_or(preset.initial_rtt_timeout),
        exact: args.exact,
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
            ("nishad h --top-ports 0", "--top-ports 0: 1 to "),
            ("nishad h --top-ports 99999", "--top-ports 99999: 1 to "),
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

    #[test]
    fn random_seeds_differ_and_are_exact_in_json() {
        let seeds: std::collections::HashSet<_> = (0..100).map(|_| random_seed()).collect();
        assert!(seeds.len() > 90);
        assert!(seeds.iter().all(|seed| *seed < 1 << 53));
    }
}
