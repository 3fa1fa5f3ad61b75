//! Saving a run and going on with it: `--checkpoint` and `--resume`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use nishad::checkpoint::Checkpoint;
use nishad::engine::{Scanner, Snapshot};
use nishad::output::{Clock, Recorder, escape};

use super::args::Args;
use super::destination::{self, Destination, Wanted, is_special};
use super::outputs::Outputs;
use super::plan::Plan;

/// How often a run is saved unless asked otherwise.
const EVERY: Duration = Duration::from_secs(5);

/// The outputs that are wanted, and what `--resume` names. Both are checked against each other and
/// against what is there; an error is one of usage.
pub(crate) fn read(args: &Args) -> Result<(Vec<Wanted>, Option<Checkpoint>)> {
    let wanted = args.audit.wanted(&args.outputs)?;
    if let Some(path) = args.checkpoint.as_ref().or(args.resume.as_ref()) {
        let flag = match args.resume {
            Some(_) => "--resume",
            None => "--checkpoint",
        };
        if args.audit.is_wanted() {
            bail!(
                "{flag} cannot go with --baseline and --expect, which need the whole run; save it as \
                 ndjson and audit that: nishad report FILE --expect POLICY"
            );
        }
        check_outputs(flag, path, &wanted)?;
        check_place(args, flag, path)?;
    }
    let Some(path) = &args.resume else {
        args.outputs.check_places(&wanted)?;
        return Ok((wanted, None));
    };
    let name = escape(&path.to_string_lossy()).to_string();
    let saved = Checkpoint::read(path).map_err(|error| anyhow!("--resume: {name} {error}"))?;
    let was: Vec<_> = saved.outputs.iter().map(|output| &*output.format).collect();
    let is: Vec<_> = wanted.iter().map(|wanted| wanted.format.as_str()).collect();
    if was != is {
        let (was, is) = (was.join(", "), is.join(", "));
        let was = escape(&was);
        bail!(
            "--resume: {name} is of a run with other outputs (saved, asked for now): {was}; {is}"
        );
    }
    Ok((wanted, Some(saved)))
}

/// That each output can be cut to a length and continued.
fn check_outputs(flag: &str, path: &Path, wanted: &[Wanted]) -> Result<()> {
    for Wanted { format, to } in wanted {
        let is_file = match to {
            Destination::Standard => false,
            Destination::File(path) => !is_special(path),
        };
        if !is_file {
            let name = to.name();
            bail!("{flag} needs -o FILE: what goes to {name} cannot be gone on with");
        }
        if !format.streams() {
            bail!(
                "{flag} needs ndjson, csv or list: {} is {}, which cannot be gone on with; \
                 `nishad report` makes it from ndjson",
                to.name(),
                format.as_str()
            );
        }
        if to.is_same(&Destination::of(path)) {
            bail!("{flag}: {} is an output too", to.name());
        }
    }
    Ok(())
}

/// That the run can be saved to `path`, which takes the place of nothing but a checkpoint gone on from.
fn check_place(args: &Args, flag: &str, path: &Path) -> Result<()> {
    let to = Destination::of(path);
    destination::check_place(flag, path)?;
    if to == Destination::Standard || is_special(path) {
        bail!("{flag}: {} is no file; a run is saved to one", to.name());
    }
    let goes_on = args.resume.as_ref();
    let is_it = goes_on.is_some_and(|from| to.is_same(&Destination::of(from)));
    if !is_it && !args.outputs.force && to.is_taken() {
        let name = to.name();
        bail!("--checkpoint: {name} exists; --force overwrites it, --resume goes on from it");
    }
    Ok(())
}

/// Compares the run that was saved with the one that is planned.
pub(crate) fn check(args: &Args, saved: &Checkpoint, plan: &Plan) -> Result<()> {
    let mut differences = saved.key.differences(&plan.key);
    let shard = plan.space.part().map(Into::into);
    if saved.shard != shard && saved.key.shards == plan.key.shards {
        differences.push("number of the shard".into());
    }
    let path = args.resume.as_deref().unwrap_or(Path::new(""));
    let name = escape(&path.to_string_lossy()).to_string();
    if !differences.is_empty() {
        bail!(
            "--resume: {name} is of another run (saved, asked for now): {}",
            escape(&differences.join(", "))
        );
    }
    // Before anything is written.
    let (space, options) = (plan.space.clone(), plan.options.clone());
    Scanner::resume(space, options, &saved.snapshot, Instant::now())
        .map_err(|error| anyhow!("--resume: {name} is a damaged checkpoint: {error}"))?;
    Ok(())
}

/// The file that a run is saved to.
#[derive(Debug)]
pub(crate) struct Saving {
    path: PathBuf,
    pub(crate) every: Duration,
    checkpoint: Checkpoint,
    /// Why the last attempt failed.
    failure: Option<io::Error>,
}

impl Saving {
    /// How the run is saved, if it is to be.
    pub(crate) fn new(
        args: &Args,
        plan: &Plan,
        saved: Option<&Checkpoint>,
        clock: Clock,
    ) -> Option<Saving> {
        let path = args.checkpoint.as_ref().or(args.resume.as_ref())?;
        let shard = plan.space.part().map(Into::into);
        let started = clock.started();
        let mut checkpoint = Checkpoint::new(plan.key.clone(), shard, started);
        if let Some(saved) = saved {
            checkpoint.snapshot = saved.snapshot.clone();
        }
        Some(Saving {
            path: path.clone(),
            every: args.checkpoint_every.unwrap_or(EVERY),
            checkpoint,
            failure: None,
        })
    }

    /// Saves the run as it was at the start, or as it had been saved.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn begin(
        &mut self,
        recorder: &Recorder,
        outputs: &mut Outputs,
        clock: Clock,
    ) -> io::Result<()> {
        self.write(recorder, outputs, clock)
    }

    /// Saves the run; the first failure after a success is returned, to be told.
    pub(crate) fn save(
        &mut self,
        snapshot: Snapshot,
        recorder: &Recorder,
        outputs: &mut Outputs,
        clock: Clock,
    ) -> Option<String> {
        self.checkpoint.snapshot = snapshot;
        let known = self.failure.is_some();
        self.failure = self.write(recorder, outputs, clock).err();
        let error = self.failure.as_ref().filter(|_| !known)?;
        Some(self.message(error))
    }

    /// Why the last state of the run is not saved, if so it is.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.as_ref().map(|error| self.message(error))
    }

    pub(crate) fn message(&self, error: &io::Error) -> String {
        let name = self.path.to_string_lossy();
        format!("cannot write the checkpoint {}: {error}", escape(&name))
    }

    /// The command that goes on.
    pub(crate) fn command(&self) -> String {
        let words = go_on(std::env::args_os().collect(), &self.path);
        let words = words.iter().map(|word| word.to_string_lossy());
        let quoted: Vec<String> = words
            .map(|word| match shlex::try_quote(&word) {
                Ok(quoted) => quoted.into_owned(),
                // NUL, which no argument holds.
                Err(_) => String::new(),
            })
            .collect();
        escape(&quoted.join(" ")).to_string()
    }

    fn write(
        &mut self,
        recorder: &Recorder,
        outputs: &mut Outputs,
        clock: Clock,
    ) -> io::Result<()> {
        // What the checkpoint counts on must not be lost before it.
        self.checkpoint.outputs = outputs.sync()?;
        self.checkpoint.elapsed = clock.elapsed();
        self.checkpoint.pending = recorder.pending();
        self.checkpoint.write(&self.path)
    }
}

/// The command line `typed` with `--resume path` in the place of what it says of checkpoints.
fn go_on(typed: Vec<OsString>, path: &Path) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut typed = typed.into_iter();
    while let Some(word) = typed.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            words.extend(["--resume".into(), path.into(), word]);
            words.extend(typed);
            return words;
        }
        if text == "--checkpoint" || text == "--resume" {
            typed.next();
        } else if !text.starts_with("--checkpoint=") && !text.starts_with("--resume=") {
            words.push(word);
        }
    }
    words.extend(["--resume".into(), path.into()]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_is_the_same_but_for_the_checkpoint() {
        for (typed, wanted) in [
            ("nishad --checkpoint c -o f h", "nishad -o f h --resume c"),
            ("nishad h --checkpoint=c -o f", "nishad h -o f --resume c"),
            ("nishad --resume c -o f h", "nishad -o f h --resume c"),
            (
                "nishad --checkpoint c -o f -- h",
                "nishad -o f --resume c -- h",
            ),
        ] {
            let typed = typed.split(' ').map(OsString::from).collect();
            let words = go_on(typed, Path::new("c"));
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), wanted);
        }
    }
}
