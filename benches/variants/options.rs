//! What is asked of the bench.

use clap::Parser;

use super::job::Variant;
use super::place;
use super::run::Contestant;

/// Scans the same ports with nishad's event loop, with tokio, with threads, one after the other, and
/// with a bare epoll loop, and compares time, processor, memory and system calls.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench --bench variants --")]
pub struct Options {
    /// Networks to measure in; all without
    #[arg(value_name = "NETWORK")]
    networks: Vec<String>,
    /// Runs of each variant
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Variants to measure: nishad, tokio, threads, sequential, baseline, or the name of an external
    /// program
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Attempts in flight at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=30_000))]
    pub in_flight: u32,
    /// Measure another program too: a command of the shell in which {target} and {ports} are
    /// replaced. Its results are not looked at
    #[arg(long, value_name = "NAME=COMMAND")]
    external: Vec<String>,
    /// A look at everything in two minutes: one run, fewer ports
    #[arg(long)]
    pub quick: bool,
    /// Draw nothing
    #[arg(long)]
    pub no_plots: bool,
    /// Name the networks and the variants
    #[arg(long)]
    pub list: bool,
    /// Cargo adds it
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    pub fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }

    /// Whether a network is to be measured in.
    pub fn names(&self, network: &str) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|name| name == network)
    }

    /// Who is measured. `Err` names what is not known.
    pub fn contestants(&self) -> Result<Vec<Contestant>, String> {
        if let Some(unknown) = self
            .networks
            .iter()
            .find(|name| !place::NAMES.contains(&name.as_str()))
        {
            return Err(format!("no network is called {unknown}; --list names them"));
        }
        let mut all: Vec<_> = Variant::ALL.map(Contestant::Variant).into();
        for external in &self.external {
            let (name, command) = external.split_once('=').ok_or(format!(
                "--external {external}: give NAME=COMMAND with {{target}} and {{ports}} in COMMAND"
            ))?;
            all.push(Contestant::External {
                name: name.to_owned(),
                command: command.to_owned(),
            });
        }
        for name in &self.only {
            if all.iter().all(|contestant| contestant.name() != name) {
                return Err(format!(
                    "--only {name}: no variant is called so; --list names them"
                ));
            }
        }
        all.retain(|contestant| {
            self.only.is_empty() || self.only.iter().any(|name| name == contestant.name())
        });
        Ok(all)
    }
}

pub fn list() {
    println!("networks: {}", place::NAMES.join(", "));
    println!("variants: {}", Variant::ALL.map(Variant::name).join(", "));
}
