//! `nishad report`: what shards saved, as one.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use nishad::engine::State;
use nishad::output::{Show, TextOptions};
use nishad::report::{Merge, MergeError, Problem, Survey, Weight};

use super::Exit;
use super::args::{Color, ShowState};
use super::audit::{AuditArgs, Auditing};
use super::config::ConfigArgs;
use super::destination::{Destination, OutputArgs, Wanted};
use super::outputs::{Outputs, color};
use super::progress::say;
use super::zone;

/// Read saved ndjson: one result as it was, or the shards of a run as one
///
/// Checks that the files are of one run, that each shard of it is there once and complete, and that
/// no line is missing. What is missing is named, counted as unscanned, and the exit code is 3.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// What scans saved as ndjson; - for standard input
    ///
    /// A file may hold several shards, one after the other.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    outputs: OutputArgs,

    #[command(flatten)]
    audit: AuditArgs,

    /// List ports in these states [default: those saved]
    ///
    /// Only states that the scan was asked to list are in its file.
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    show: Vec<ShowState>,

    /// Tell reasons in text, with who rejected, and sums by reason
    #[arg(long)]
    reason: bool,

    /// The same with round-trip times and attempts, and every host
    #[arg(short, long)]
    verbose: bool,

    /// Colour in text; auto: on a terminal that is not dumb, if NO_COLOR is not set
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    color: Color,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Writes the results that `args` name as one. An error is one of this machine: results that cannot
/// be written.
pub(crate) fn run(args: &ReportArgs) -> Result<Exit> {
    let asked = wanted(args).and_then(|wanted| Ok((wanted, args.audit.read()?)));
    let (wanted, against) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            return Ok(Exit::Usage);
        }
    };
    let inputs = args.files.iter().map(|path| Input::open(path));
    let mut inputs = inputs.collect::<Vec<_>>();
    let survey = look_through(&args.files, &mut inputs);
    if let Err(mixed) = survey.check_run() {
        tell(survey.problems());
        say(format_args!("error: {mixed}"));
        return Ok(Exit::Usage);
    }
    let told = survey.problems().len();
    tell(survey.problems());
    let Some(merge) = Merge::new(survey) else {
        return Ok(Exit::Usage);
    };
    tell(&merge.problems()[told..]);
    let show = match show(&args.show, merge.saved()) {
        Ok(show) => show,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            return Ok(Exit::Usage);
        }
    };
    let mut outputs = Outputs::open(&wanted, args.outputs.force, None, show, |sink| {
        TextOptions {
            color: color(args.color, sink),
            reasons: args.reason,
            verbose: args.verbose,
            more_hosts: 0,
            zone: zone::local(),
        }
    })?;
    let doubted = merge.problems().iter().map(Problem::weight).max() > Some(Weight::Note);
    outputs.audit(Auditing::new(against, doubted));
    let open = |index: usize| match &mut inputs[index] {
        Ok(input) => input.read(),
        // It was not surveyed, and so nothing of it is used.
        Err(_) => Err(io::ErrorKind::NotFound.into()),
    };
    let written = merge.write(show, open, &mut |record| {
        outputs.record(record);
        match outputs.is_empty() {
            // Nobody takes the rest.
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    });
    let more = match written {
        Ok(more) => more,
        Err(MergeError::Write(_)) => Vec::new(),
        Err(error @ MergeError::Read { .. }) => bail!("{error}"),
    };
    outputs.finish();
    for message in outputs.take_messages() {
        say(format_args!("{message}"));
    }
    if outputs.failed() {
        return Ok(Exit::Failed);
    }
    tell(&more);
    let problems = merge.problems().iter().chain(&more);
    Ok(exit(problems.map(Problem::weight).max(), &outputs))
}

/// How it ends, by the worst of what is wrong with the files and by what became of the outputs.
fn exit(worst: Option<Weight>, outputs: &Outputs) -> Exit {
    match worst {
        Some(Weight::Wrong) => Exit::Usage,
        _ if outputs.audited() == Some(Exit::Failed) => Exit::Failed,
        _ if outputs.audited().is_some() => Exit::Incomplete,
        _ if outputs.closed() => Exit::Incomplete,
        Some(Weight::Incomplete) => Exit::Incomplete,
        Some(Weight::Note) | None => Exit::Complete,
    }
}

/// What is in the files. It tells of those that cannot be read, too.
fn look_through(files: &[PathBuf], inputs: &mut [io::Result<Input>]) -> Survey {
    let mut survey = Survey::default();
    for (path, input) in files.iter().zip(inputs) {
        let name = match path == Path::new("-") {
            true => "standard input".into(),
            false => path.to_string_lossy(),
        };
        match input.as_mut().map(Input::read) {
            // The survey tells of its errors.
            Ok(Ok(input)) => _ = survey.add(&name, input),
            Ok(Err(error)) => survey.add_failed(&name, &error),
            Err(error) => survey.add_failed(&name, error),
        }
    }
    survey
}

/// The outputs that are meant. An error is one of usage.
fn wanted(args: &ReportArgs) -> Result<Vec<Wanted>> {
    let wanted = args.audit.wanted(&args.outputs)?;
    for Wanted { to, .. } in &wanted {
        if let Destination::File(path) = to
            && args.files.iter().any(|file| is_same(file, path))
        {
            bail!("--output {} is one of the files to read", to.name());
        }
    }
    args.outputs.check_places(&wanted)?;
    Ok(wanted)
}

/// Whether both are one file, which cannot be read and written at once.
fn is_same(one: &Path, two: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok().filter(|real| real.is_file());
    real(one).is_some_and(|one| real(two) == Some(one))
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        match problem.weight() {
            Weight::Wrong => say(format_args!("error: {problem}")),
            Weight::Incomplete | Weight::Note => say(format_args!("{problem}")),
        }
    }
}

/// What is to be listed of what is `saved`.
fn show(asked: &[ShowState], saved: Show) -> Result<Show> {
    if asked.is_empty() {
        return Ok(saved);
    }
    let states = ShowState::all_states(asked);
    // `all` is all there is.
    let all = asked.contains(&ShowState::All);
    let lacking = states.iter().find(|state| !saved.lists(**state));
    if let (Some(state), false) = (lacking, all) {
        let listed = State::ALL.into_iter().filter(|state| saved.lists(*state));
        let listed = listed.map(State::as_str).collect::<Vec<_>>().join(", ");
        bail!(
            "--show {0}: only {listed} ports were saved; scan with --show {0}",
            state.as_str()
        );
    }
    Ok(Show::with(
        &states
            .into_iter()
            .filter(|state| saved.lists(*state))
            .collect::<Vec<_>>(),
    ))
}

/// Something to read twice.
enum Input {
    /// A file, opened anew each time: there may be more of them than descriptors.
    File(PathBuf),
    /// What came through a pipe, kept in a temporary file.
    Kept(File),
}

impl Input {
    fn open(path: &Path) -> io::Result<Input> {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                return Err(io::Error::other("standard input is a terminal"));
            }
            return Input::keep(io::stdin().lock());
        }
        let file = File::open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(Input::File(path.into())),
            false => Input::keep(file),
        }
    }

    fn keep(mut input: impl io::Read) -> io::Result<Input> {
        let mut kept = tempfile::tempfile()?;
        io::copy(&mut input, &mut kept)?;
        Ok(Input::Kept(kept))
    }

    /// From its beginning.
    fn read(&mut self) -> io::Result<BufReader<File>> {
        let file = match self {
            Input::File(path) => File::open(path)?,
            Input::Kept(file) => {
                file.rewind()?;
                file.try_clone()?
            }
        };
        Ok(BufReader::with_capacity(64 * 1024, file))
    }
}
