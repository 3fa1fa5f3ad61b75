//! Runs the program in a network and holds what it says against what is there.

use std::process::Command;

use serde_json::Value;

use crate::lab::{self, Lab};
use crate::model::{World, secs};
use crate::networks::Network;
use crate::tally::Tally;
use crate::truth::{Comparison, Output};

/// Another seed for the chances of every world and the order of every scan.
const SEED: &str = "NISHAD_WORLD_SEED";

/// One scan of one network.
pub struct Scanned {
    pub comparison: Comparison,
    pub output: Output,
    pub tally: Tally,
    /// What a failure prints: enough to have the same world and scan again.
    pub story: String,
}

impl Scanned {
    /// Every open port found, none invented, all sums right, nothing unscanned, every other state
    /// and reason right but for `silent` closed ports that may be said to be silent.
    pub fn all_right(&self, silent: usize) -> &Scanned {
        let found = &self.comparison;
        let wrong = found.wrong.len() - usize::try_from(found.closed_silent).unwrap_or(0);
        let right = found.is_right_about_open()
            && found.unscanned == 0
            && found.unsaid == 0
            && wrong == 0
            && usize::try_from(found.closed_silent).unwrap_or(usize::MAX) <= silent
            && found.reasons.is_empty();
        assert!(right, "{}", self.story);
        self
    }

    /// Nothing unscanned, all sums right, and every state and reason right, no open port invented, but
    /// for those of `others` ports.
    pub fn right_but(&self, others: u64) -> &Scanned {
        let found = &self.comparison;
        let opened = found.missed.len() + found.invented.len();
        let different = opened + found.wrong.len() + found.reasons.len();
        let right = found.faults.is_empty()
            && found.unscanned == 0
            && found.unsaid == 0
            && different as u64 <= others;
        assert!(right, "{different} of {others} allowed\n{}", self.story);
        self
    }

    /// The first host's line.
    pub fn host(&self, key: &str) -> &Value {
        &self.output.hosts[0][key]
    }

    pub fn require(&self, what: &str, holds: bool) -> &Scanned {
        assert!(holds, "not so: {what}\n{}", self.story);
        self
    }
}

/// Scans `network` with the program; `None`: worlds cannot be made here, and that is allowed.
///
/// `test` is the test's own name, by which it is run again in a user namespace where the user is
/// not root.
pub fn scan(test: &str, network: &Network, seed: u64) -> Option<Scanned> {
    scan_by(test, network, seed, &program)
}

/// What a way to scan gives: the program's output, and what a failure prints.
type Way<'a> = &'a (dyn Fn(&Lab, &Network, u64) -> Result<(Output, String), String> + Sync);

/// The same in another way.
pub fn scan_by(test: &str, network: &Network, seed: u64, way: Way) -> Option<Scanned> {
    if lab::ran_inside(test) {
        return None;
    }
    let seed = std::env::var(SEED).map_or(seed, |given| given.parse().unwrap());
    match lab::play_seeded(&network.world, seed, |lab| way(lab, network, seed)) {
        Ok((Ok((output, text)), tally)) => Some(compare(network, seed, output, &text, tally)),
        Ok((Err(error), _)) | Err(error) => {
            skip(&network.world, &error);
            None
        }
    }
}

fn program(lab: &Lab, network: &Network, seed: u64) -> Result<(Output, String), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nishad"));
    command
        .args([network.target, "-p", &format!("1-{}", network.top), "-v"])
        .args(["--format", "ndjson", "--show", "all"])
        .args(["--seed", &seed.to_string()])
        .args(network.args);
    let ended = lab
        .output(&mut command, secs(60))
        .map_err(|error| format!("the program does not start: {error}"))?;
    let text = format!(
        "{command:?}\nended with {} after {:.2} s and said\n{}",
        ended.status,
        ended.wall.as_secs_f64(),
        ended.stderr
    );
    Ok((Output::read(&ended.stdout), text))
}

fn compare(network: &Network, seed: u64, output: Output, text: &str, tally: Tally) -> Scanned {
    let comparison = Comparison::new(&network.world, network.top, &output);
    let story = format!(
        "world {} and program with seed {seed}\n{comparison}\n{tally}\nSYNs in each 100 ms: {:?}\nhosts: {:?}\n{text}",
        network.world.name,
        tally.timeline(),
        output.hosts.iter().take(3).collect::<Vec<_>>(),
    );
    println!("{}: {comparison}\n{tally}", network.world.name);
    assert_eq!(
        tally.tun_dropped, 0,
        "packets that no world decided to lose\n{story}"
    );
    Scanned {
        comparison,
        output,
        tally,
        story,
    }
}

fn skip(world: &World, reason: &str) {
    assert!(!lab::is_required(), "{}: {reason}", world.name);
    println!("skipped: {}: {reason}", world.name);
}
