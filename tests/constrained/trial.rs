//! One scan of a world, and the comparison of two.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

use crate::lab;
use crate::model::{World, secs};
use crate::truth::{Comparison, Output};

/// What is scanned.
#[derive(Clone)]
pub struct Trial<'a> {
    /// The test's own name, by which it runs again where the user is not root.
    pub test: &'static str,
    pub world: World,
    /// Ports 1 to this one.
    pub top: u16,
    /// More arguments of the program.
    pub args: &'a [&'a str],
}

/// What a scan said.
pub struct Ran {
    pub verdicts: BTreeMap<(IpAddr, u16), (String, String)>,
    pub stderr: String,
    /// How it differs from what is there, if it does, and all that helps to find out why.
    wrong: Option<String>,
    /// The right state for a wrong reason.
    pub reasons: Vec<(IpAddr, u16, String)>,
}

impl Trial<'_> {
    pub fn new(test: &'static str, world: World, top: u16) -> Trial<'static> {
        Trial {
            test,
            world,
            top,
            args: &[],
        }
    }

    /// Scans the world with the program, started by way of `prefix`; `meanwhile` does something to
    /// it. `Err` says why no world can be made here.
    pub fn run(&self, prefix: &[&str], meanwhile: impl FnOnce(Pid) + Send) -> Result<Ran, String> {
        let world = &self.world;
        let targets = (0..world.addresses()).map(|n| world.address(n).to_string());
        let program = env!("CARGO_BIN_EXE_nishad");
        let words: Vec<&str> = prefix.iter().copied().chain([program]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(targets)
            .args(["-p", &format!("1-{}", self.top)])
            .args(["-v", "--format", "ndjson", "--show", "all", "--seed", "7"])
            .args(self.args);
        let (ended, tally) = lab::play_seeded(world, 7, |lab| {
            lab.output_while(&mut command, secs(100), meanwhile)
                .map_err(|error| format!("{} does not start: {error}", words[0]))
        })?;
        let ended = ended?;
        let output = Output::read(&ended.stdout);
        let found = Comparison::new(world, self.top, &output);
        println!(
            "{} {prefix:?}: {:.2} s, {found}",
            world.name,
            ended.wall.as_secs_f64()
        );
        let right = found.is_right_about_open()
            && found.wrong.is_empty()
            && found.unsaid == 0
            && found.unscanned == 0
            && ended.status.success();
        let wrong = (!right).then(|| {
            format!(
                "{command:?}\nended with {}\n{found}\n{tally}\n{}",
                ended.status, ended.stderr
            )
        });
        let verdicts = output.ports.into_iter();
        Ok(Ran {
            verdicts: verdicts
                .map(|(port, said)| (port, (said.state, said.reason)))
                .collect(),
            stderr: ended.stderr,
            wrong,
            reasons: found.reasons,
        })
    }
}

impl Ran {
    /// Both are what is there, and the same.
    pub fn must_be(&self, plenty: &Ran) {
        assert_eq!(self.reasons, []);
        self.must_be_but_for_reasons(plenty);
        for (port, verdict) in &plenty.verdicts {
            assert_eq!(self.verdicts.get(port), Some(verdict), "{port:?}");
        }
    }

    /// The same, but that this one may give other reasons for the same states.
    pub fn must_be_but_for_reasons(&self, plenty: &Ran) {
        for ran in [plenty, self] {
            assert_eq!(ran.wrong, None);
        }
        assert_eq!(plenty.reasons, []);
        assert_eq!(self.verdicts.len(), plenty.verdicts.len());
        for (port, (state, _)) in &plenty.verdicts {
            let said = self.verdicts.get(port).map(|(state, _)| state);
            assert_eq!(said, Some(state), "{port:?}");
        }
    }

    /// The program told its user so.
    pub fn must_say(&self, what: &str) {
        assert!(self.stderr.contains(what), "{what}: {}", self.stderr);
    }
}

/// Scans in plenty and in want, by `want`; what the second scan said, which was the same and true.
/// `None`: no world can be made here, and that is allowed.
pub fn both(trial: &Trial, want: impl FnOnce(&Trial) -> Result<Ran, String>) -> Option<Ran> {
    let plenty = plenty(trial)?;
    let scarce = want(trial).unwrap_or_else(|why| panic!("{}: {why}", trial.test));
    scarce.must_be(&plenty);
    Some(scarce)
}

/// What a scan with all that this machine has says, which is true.
pub fn plenty(trial: &Trial) -> Option<Ran> {
    if lab::ran_inside(trial.test) {
        return None;
    }
    match trial.run(&[], |_| ()) {
        Ok(plenty) => Some(plenty),
        Err(why) => {
            assert!(!lab::is_required(), "{}: {why}", trial.test);
            println!("skipped: {}: {why}", trial.test);
            None
        }
    }
}

/// Whether `command` is there; where the lab is required it must be.
pub fn is_there(command: &[&str]) -> bool {
    let there = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(there || !lab::is_required(), "{command:?} does not run");
    if !there {
        println!("skipped: {command:?} does not run");
    }
    there
}
