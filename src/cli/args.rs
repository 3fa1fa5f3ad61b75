//! What was typed. Each flag's doc comment is its help.

mod live;
mod services;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};

use nishad::engine::State;

use super::audit::AuditArgs;
use super::config::ConfigArgs;
use super::destination::OutputArgs;
use super::docs::CompletionsArgs;
use super::report::ReportArgs;
use super::shard::ShardArg;
pub(crate) use services::{ServiceArgs, ServicePlan};

use super::values::{chance, duration, memory, patience, rate, retries, seed, sockets, top_ports};
use live::LiveArgs;

/// Finds which TCP ports of a host or a network are open. It connects and needs no privilege;
/// every planned probe ends open, closed, filtered or, with a reason, unscanned.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "nishad",
    version,
    max_term_width = 80,
    after_help = "`--help` tells more: every flag, examples and exit codes.",
    after_long_help = MORE,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    group = ArgGroup::new("saved").args(["checkpoint", "resume"]).multiple(true)
)]
pub(crate) struct Args {
    /// What to do other than scanning.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// What to scan; asked for on a terminal if missing
    ///
    /// Addresses (192.0.2.1, 2001:db8::1, [fe80::1%eth0]), host names, networks (10.0.0.0/24),
    /// ranges (192.0.2.1-20, 10.0.0-3.1-254). What overlaps is scanned once.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<OsString>,

    /// Scan the targets in FILE too, - for standard input
    ///
    /// One a line or several with blanks between, each written as TARGET; # begins a comment. May be
    /// given several times. A line at fault is named, the others are scanned.
    #[arg(long = "targets", value_name = "FILE", help_heading = HOSTS)]
    pub(crate) lists: Vec<PathBuf>,

    /// Never scan SPEC: written as TARGET, several with commas
    ///
    /// May be given several times. Of a name, every address is left out.
    #[arg(long, value_name = "SPEC", help_heading = HOSTS)]
    pub(crate) exclude: Vec<String>,

    /// Never scan what is in FILE, written as for --targets
    #[arg(long, value_name = "FILE", help_heading = HOSTS)]
    pub(crate) exclude_file: Vec<PathBuf>,

    /// Ports to scan: 22,80,8000-8100,-1024,60000-,-,http [default: 1-1024]
    ///
    /// A comma-separated list of ports, ranges (open at either end: -1024, 60000-, and - for
    /// 1-65535) and service names. Port 0 is scanned only when named.
    #[arg(
        short,
        long,
        value_name = "SPEC",
        allow_hyphen_values = true,
        help_heading = HOSTS)]
    pub(crate) ports: Option<String>,

    /// Ports to leave out, written as for --ports
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true, help_heading = HOSTS)]
    pub(crate) exclude_ports: Option<String>,

    /// The N ports most often found open; with -p, those too
    #[arg(long, value_name = "N", value_parser = top_ports, help_heading = HOSTS)]
    pub(crate) top_ports: Option<usize>,

    /// How long an attempt is waited for [default: 1s]
    ///
    /// Ends an attempt as unanswered: 1s, 500ms, 1.5s; a bare number is seconds. 1ms to 60s. An
    /// answer that comes later is lost, so a short timeout can miss slow ports.
    #[arg(short, long, value_name = "DUR", value_parser = duration, help_heading = PACE)]
    pub(crate) timeout: Option<Duration>,

    /// How often a silent port is tried again at most [default: 6]
    ///
    /// 0 to 50. How often it is really tried follows from --miss and the loss met on the path.
    #[arg(long, value_name = "N", value_parser = retries, help_heading = PACE)]
    pub(crate) retries: Option<u8>,

    /// Attempts a second at most, over the whole run: 500/s
    ///
    /// Retries included. Without it the network sets the pace.
    #[arg(long, value_name = "N/s", value_parser = rate, help_heading = PACE)]
    pub(crate) rate: Option<f64>,

    /// Attempts a second at most to any one /24, or /64 of IPv6
    ///
    /// Holds in each single second, retries included.
    #[arg(long, value_name = "N/s", value_parser = rate, help_heading = PACE)]
    pub(crate) net_rate: Option<f64>,

    /// Sockets in use at most, over the whole run [default: 32768]
    ///
    /// The system's limit on open files is raised as far as it allows and kept to.
    #[arg(long, value_name = "N", value_parser = sockets, help_heading = PACE)]
    pub(crate) max_sockets: Option<usize>,

    /// Memory at most, this program's and the kernel's for its sockets: 16M
    ///
    /// 3M at least; K, M and G (or KiB, MiB, GiB) are powers of 1024. Fewer sockets are in use at
    /// once then. Without it half of what is free, in the machine and in the control group, is the
    /// most; -v tells.
    #[arg(long, value_name = "SIZE", value_parser = memory, help_heading = PACE)]
    pub(crate) max_memory: Option<u64>,

    /// Sockets in use at most for one host [default: 32768]
    #[arg(long, value_name = "N", value_parser = sockets, help_heading = PACE)]
    pub(crate) host_sockets: Option<usize>,

    /// Accepted chance of missing an open port [default: 0.001]
    ///
    /// Silent ports are tried again, within --retries, until the chance that an open one was
    /// missed, as estimated from the loss on the path, is below it.
    #[arg(long, value_name = "P", value_parser = chance, help_heading = PACE)]
    pub(crate) miss: Option<f64>,

    /// How long a network that is gone is waited for [default: 60s]
    ///
    /// No route where there was one, or none of the ports that answered does any more: the scan
    /// waits for so long before it gives up the host or, if all are concerned, the run.
    #[arg(long, value_name = "DUR", value_parser = patience, help_heading = PACE)]
    pub(crate) give_up: Option<Duration>,

    /// Tell closed from filtered, however slowly refusals come
    #[arg(long, help_heading = PACE)]
    pub(crate) exact: bool,

    /// A silent port is not tried again before [default: 20ms]
    #[arg(long, value_name = "DUR", value_parser = duration, help_heading = PACE)]
    pub(crate) min_rtt_timeout: Option<Duration>,

    /// The same while no round-trip time is known [default: 400ms]
    #[arg(long, value_name = "DUR", value_parser = duration, help_heading = PACE)]
    pub(crate) initial_rtt_timeout: Option<Duration>,

    /// Other defaults for several options; a flag given wins
    ///
    /// polite: --rate 100/s --max-sockets 256 --host-sockets 32, 4 ports at once to begin with.
    /// aggressive: --retries 2 --min-rtt-timeout 10ms --initial-rtt-timeout 200ms, 256 ports at
    /// once to begin with.
    #[arg(long, value_name = "HOW", value_enum, default_value = "normal", help_heading = PACE)]
    pub(crate) timing: Timing,

    /// Scan all addresses of a host name, not only the first
    #[arg(long, help_heading = HOSTS)]
    pub(crate) all_addresses: bool,

    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = HOSTS)]
    pub(crate) ipv4: bool,

    /// IPv6 only
    #[arg(short = '6', long, help_heading = HOSTS)]
    pub(crate) ipv6: bool,

    #[command(flatten)]
    pub(crate) outputs: OutputArgs,

    #[command(flatten)]
    pub(crate) audit: AuditArgs,

    /// List ports in these states too: closed, filtered, unscanned, all
    ///
    /// Open ports are always listed, those of a host that accepts every connection only with
    /// --show open (or any other). Several states: --show closed,filtered. Counts and sums are of
    /// all states, whatever is listed.
    #[arg(
        long,
        value_name = "STATE",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = RESULTS
    )]
    pub(crate) show: Vec<ShowState>,

    /// Order of hosts and ports
    ///
    /// random: hosts shuffled, so that attempts go to many networks side by side; ports shuffled
    /// too, those most often open first. sequential: both ascending. Hosts whose names are still
    /// being resolved when the scan begins come last.
    #[arg(long, value_name = "HOW", value_enum, default_value = "random", help_heading = HOSTS)]
    pub(crate) order: Order,

    /// Seed of the order of hosts and ports [default: random]
    ///
    /// The same seed and targets give the same order. ndjson and -v state it.
    #[arg(long, value_name = "N", value_parser = seed, help_heading = HOSTS)]
    pub(crate) seed: Option<u64>,

    /// Print what would be scanned, and scan nothing
    ///
    /// Hosts, ports, probes, the time it would take about. Sends nothing but name lookups. Printed to
    /// standard output, or to an output that is text; other outputs are left to the scan.
    #[arg(long, conflicts_with = "list", help_heading = RESULTS)]
    pub(crate) dry_run: bool,

    /// Print the address of every host in the order of the scan, and scan nothing
    #[arg(long, help_heading = RESULTS)]
    pub(crate) list: bool,

    /// Scan a target of more than 2^32 addresses
    #[arg(long, help_heading = HOSTS)]
    pub(crate) yes: bool,

    /// Scan one of N parts of the run: 2/4, auto, auto/4
    ///
    /// Whole hosts, every Nth of them, or ports of each host where there are fewer hosts than parts.
    /// The parts have no probe in common and together all; `nishad report` joins what they saved as
    /// ndjson. All must have the same targets, ports and seed, which without --seed follows from
    /// the other two. auto takes I and N from a Slurm or AWS Batch array, auto/N takes I from a
    /// Kubernetes indexed Job or GNU parallel too.
    #[arg(long, value_name = "I/N", value_parser = ShardArg::from_str, help_heading = HOSTS)]
    pub(crate) shard: Option<ShardArg>,

    /// Save the position of the run to FILE, every 5 s and at the end
    ///
    /// --resume goes on from there after a kill, Ctrl-C or --give-up. Needs -o FILE, with ndjson, csv
    /// or list.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "list"], help_heading = RESULTS)]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Save it as often as this [default: 5s]
    #[arg(long, value_name = "DUR", value_parser = duration, requires = "saved", help_heading = RESULTS)]
    pub(crate) checkpoint_every: Option<Duration>,

    /// Go on with the run that was saved to FILE, and save it there
    ///
    /// With the same targets, ports and options as before; what is different is named. The output
    /// is gone on with, too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "list"], help_heading = RESULTS)]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) services: ServiceArgs,

    /// Print the version
    #[arg(long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Tell reasons in text, with who rejected, and sums by reason
    #[arg(long, help_heading = RESULTS)]
    pub(crate) reason: bool,

    /// Nothing on standard error but errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = RESULTS)]
    pub(crate) quiet: bool,

    /// Tell reasons, and what is decided on the way
    #[arg(short, long, help_heading = RESULTS)]
    pub(crate) verbose: bool,

    /// Colour in text; auto: on a terminal that is not dumb, if NO_COLOR is not set
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", help_heading = RESULTS)]
    pub(crate) color: Color,

    /// No progress bar; there is none where standard error is no terminal, or a dumb one
    #[arg(long, help_heading = RESULTS)]
    pub(crate) no_progress: bool,

    #[command(flatten)]
    pub(crate) live: LiveArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

const HOSTS: &str = "Ports and addresses";
pub(super) const PACE: &str = "Pace and patience";
pub(super) const RESULTS: &str = "Results";

const MORE: &str = "\
Examples:
  nishad                               asks for the target
  nishad 192.0.2.7                     ports 1 to 1024 of one host
  nishad -p- host.example              all ports
  nishad --top-ports 100 10.0.0.0/24   a network
  nishad -p ssh,http --show all 10.0.0-3.1-254
  nishad --targets hosts.txt --exclude 10.0.0.0/28,printer.example
  nishad -o found.ndjson -o found.csv -p- 10.0.0.7 2001:db8::7
  nishad report found.ndjson
  nishad -V -p- 192.0.2.7              what answers on the open ports, too
  nishad --shard 1/4 -o 1.ndjson 10.0.0.0/8

Keys during a scan on a terminal:
  Enter, space   how far it is, and which ports are open so far
  p              pause, and go on
  q              end, as by Ctrl-C

Exit codes:
  0    every planned probe has its verdict: open, closed or filtered, or was
       left out by --stop-at-first-open
  1    an audit (--baseline, --expect) found something; or the results could not
       be written, or the system refused the event queue
  2    wrong usage, or a target that cannot be read or resolved; others are
       scanned, and the wrong ones (the first 10) are named again at the end
  3    incomplete: something is unscanned, or nobody reads the results; an audit
       could not tell; of report: a shard is missing, incomplete or there twice
  130  interrupted by Ctrl-C or SIGTERM; what is known is printed";

impl Args {
    /// Whether the run is saved, or gone on with.
    pub(crate) fn is_saved(&self) -> bool {
        self.checkpoint.is_some() || self.resume.is_some()
    }

    /// Whether only the options are to be shown.
    pub(crate) fn shows_config(&self) -> bool {
        match &self.command {
            Some(Command::Report(report)) => report.config.show_config,
            Some(_) => false,
            None => self.config.show_config,
        }
    }
}

/// What is done other than scanning. A host that has the name of a command is scanned after `--`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    Report(Box<ReportArgs>),
    Completions(CompletionsArgs),
    /// Print the manual page: nishad man | man -l -
    Man,
}

impl Command {
    /// As it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Command::Report(_) => "report",
            Command::Completions(_) => "completions",
            Command::Man => "man",
        }
    }
}

/// Sets of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Timing {
    /// Slow and small, for fragile devices and shared links
    Polite,
    /// What the flags' own help says
    Normal,
    /// For fast networks that lose nothing
    Aggressive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Shuffled by the seed
    Random,
    /// Ascending
    Sequential,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowState {
    Open,
    Closed,
    Filtered,
    Unscanned,
    All,
}

impl ShowState {
    /// The states that all of `shown` stand for.
    pub(crate) fn all_states(shown: &[ShowState]) -> Vec<State> {
        let states = shown.iter().flat_map(|shown| shown.states());
        states.copied().collect()
    }

    /// The states it stands for.
    fn states(self) -> &'static [State] {
        match self {
            ShowState::Open => &[State::Open],
            ShowState::Closed => &[State::Closed],
            ShowState::Filtered => &[State::Filtered],
            ShowState::Unscanned => &[State::Unscanned],
            ShowState::All => &State::ALL,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn ports_may_begin_with_a_dash() {
        for args in [
            ["nishad", "-p-"].as_slice(),
            &["nishad", "-p", "-1024"],
            &["nishad", "--ports=-"],
        ] {
            let args = Args::try_parse_from(args).expect("valid");
            assert!(args.ports.is_some_and(|ports| ports.starts_with('-')));
        }
    }

    #[test]
    fn help_states_the_defaults() {
        use nishad::engine::Options;
        let normal = Options::default();
        let help = Args::command().render_help().to_string();
        // Wrapping may break a line anywhere.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, default) in [
            ("--timeout <DUR>", format!("{:?}", normal.timeout)),
            ("--retries <N>", normal.retries.to_string()),
            ("--max-sockets <N>", normal.max_sockets.to_string()),
            ("--host-sockets <N>", normal.host_sockets.to_string()),
            ("--miss <P>", normal.miss.to_string()),
            (
                "--min-rtt-timeout <DUR>",
                format!("{:?}", normal.min_rtt_timeout),
            ),
            (
                "--initial-rtt-timeout <DUR>",
                format!("{:?}", normal.initial_rtt_timeout),
            ),
        ] {
            let (_, after) = help.split_once(flag).expect(flag);
            let (_, after) = after.split_once("[default: ").expect(flag);
            assert!(
                after.starts_with(&format!("{default}]")),
                "{flag}: {after:.20}"
            );
        }
    }

    #[test]
    fn help_fits_80_columns() {
        for help in [
            Args::command().render_help(),
            Args::command().render_long_help(),
        ] {
            let help = help.to_string();
            let long: Vec<_> = help
                .lines()
                .filter(|line| line.chars().count() > 80)
                .collect();
            assert!(long.is_empty(), "{long:?}");
        }
    }
}
