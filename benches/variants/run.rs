//! One run is one process: how it is started, what it says on its last line, and what it took.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use super::job::{Found, Job, Variant, status};
use super::place::Place;
use crate::timed::{cpu, timed};

/// The first argument of a run's process; then come a variant and a job, or `EXTERNAL` and a command.
const ROLE: &str = "--role";
const EXTERNAL: &str = "external";
const LIMIT: Duration = Duration::from_secs(180);
/// Less, so that its end is told.
const EXTERNAL_LIMIT: Duration = Duration::from_secs(170);
/// Descriptors besides the sockets.
const OTHER_DESCRIPTORS: usize = 64;

/// Who scans.
#[derive(Debug)]
pub enum Contestant {
    Variant(Variant),
    /// A command of the shell.
    External {
        name: String,
        command: String,
    },
}

/// What a run took, and whether it was right.
pub struct Ran {
    pub wall: Duration,
    pub cpu: Duration,
    /// Most memory held at once, without what the kernel holds for its sockets.
    pub peak_kib: u64,
    /// Threads at work, and what was wrong with what was said, if something was; `None` of a program
    /// whose results are not looked at.
    pub said: Option<(usize, Option<String>)>,
}

/// What a run's process prints.
#[derive(Deserialize, Serialize)]
enum Line {
    Scanned {
        found: Found,
        peak_kib: u64,
    },
    External {
        wall: Duration,
        cpu: Duration,
        peak_kib: u64,
    },
}

impl Contestant {
    pub fn name(&self) -> &str {
        match self {
            Contestant::Variant(variant) => variant.name(),
            Contestant::External { name, .. } => name,
        }
    }

    pub fn variant(&self) -> Option<Variant> {
        match self {
            Contestant::Variant(variant) => Some(*variant),
            Contestant::External { .. } => None,
        }
    }

    /// The arguments of the process that runs it.
    fn role(&self, job: &Job) -> Result<[String; 3], String> {
        let (role, what) = match self {
            Contestant::Variant(variant) => (
                variant.name(),
                serde_json::to_string(job).map_err(|error| error.to_string())?,
            ),
            Contestant::External { command, .. } => (EXTERNAL, fill(command, job)),
        };
        Ok([ROLE.to_owned(), role.to_owned(), what])
    }
}

/// A command for a job.
fn fill(command: &str, job: &Job) -> String {
    command
        .replace("{target}", &job.target.to_string())
        .replace("{ports}", &format!("1-{}", job.top))
}

/// Scans once in `place`.
pub fn once(who: &Contestant, place: &Place, job: &Job, seed: u64) -> Result<Ran, String> {
    let mut command = Command::new(own_program()?);
    command.args(who.role(job)?);
    let ended = place.play(seed, || timed(&mut command, LIMIT))?;
    let (ended, cpu) = ended.map_err(|error| error.to_string())?;
    let line = ended.stdout.lines().last().unwrap_or_default();
    match serde_json::from_str(line) {
        Ok(Line::Scanned { found, peak_kib }) => Ok(Ran {
            wall: ended.wall,
            cpu,
            peak_kib,
            said: Some((found.threads, place.fault(job.top, &found))),
        }),
        Ok(Line::External {
            wall,
            cpu,
            peak_kib,
        }) => Ok(Ran {
            wall,
            cpu,
            peak_kib,
            said: None,
        }),
        Err(_) => Err(format!("{}: {}", ended.status, ended.stderr.trim())),
    }
}

/// System calls of a scan, counted by strace; `None` where it is not installed or not allowed.
pub fn calls(variant: Variant, place: &Place, job: &Job) -> Option<u64> {
    let counts = tempfile::NamedTempFile::new().ok()?;
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(counts.path());
    command.arg(own_program().ok()?);
    command.args(Contestant::Variant(variant).role(job).ok()?);
    let ended = place.play(1, || timed(&mut command, LIMIT)).ok()?;
    ended.ok().filter(|(ended, _)| ended.status.success())?;
    let table = std::fs::read_to_string(counts.path()).ok()?;
    let total = table.lines().rfind(|line| line.ends_with(" total"))?;
    // % time, seconds, usecs/call, calls, errors if there were any, "total".
    total.split_whitespace().nth(3)?.parse().ok()
}

fn own_program() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))
}

/// In a run's process: the run. `None` in any other.
pub fn as_child() -> Option<Result<(), String>> {
    let mut args = std::env::args().skip(1);
    if args.next()? != ROLE {
        return None;
    }
    let (role, what) = (args.next()?, args.next()?);
    let line = if role == EXTERNAL {
        external(&what)
    } else {
        let variant = Variant::ALL.into_iter().find(|v| v.name() == role)?;
        scanned(variant, &what)
    };
    Some(line.and_then(|line| {
        let line = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        println!("{line}");
        Ok(())
    }))
}

fn scanned(variant: Variant, job: &str) -> Result<Line, String> {
    let job: Job = serde_json::from_str(job).map_err(|error| error.to_string())?;
    let wanted = job.in_flight + OTHER_DESCRIPTORS;
    if nishad::net::raise_descriptor_limit(wanted) < wanted {
        return Err(format!("{} descriptors are not to be had", wanted));
    }
    let found = variant.scan(&job).map_err(|error| error.to_string())?;
    // Not getrusage(): its maximum begins with that of the process that started this one.
    let peak_kib = status("VmHWM").unwrap_or(0);
    Ok(Line::Scanned { found, peak_kib })
}

/// Runs the command and waits for it, so that its maximum of memory is not that of the bench.
fn external(command: &str) -> Result<Line, String> {
    let start = Instant::now();
    // Whoever kills this process would leave the command running.
    let status = Command::new("timeout")
        .args([&EXTERNAL_LIMIT.as_secs().to_string(), "sh", "-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("timeout (coreutils): {error}"))?;
    let wall = start.elapsed();
    if !status.success() {
        return Err(format!("{command}: {status}"));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    Ok(Line::External {
        wall,
        cpu: cpu(&usage),
        peak_kib: usage.max_rss() as u64,
    })
}
