//! Audits: what is typed, and what it means.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use nishad::audit::{Audit, Auditor, Baseline, Outcome, Policy};
use nishad::output::ndjson::Line;
use nishad::output::{Format, Record, escape};

use super::destination::{Destination, OutputArgs, Wanted};
use super::{Exit, left_out};

/// What results are held against.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuditArgs {
    /// Compare with an earlier result, saved as ndjson
    ///
    /// What has opened or closed, and which hosts came or went, is told at the end, and the exit code
    /// is 1; what cannot be compared, too, and then it is 3. May be repeated for the shards of one
    /// run.
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    pub(crate) baseline: Vec<PathBuf>,

    /// Check against the policy in FILE, as TOML
    ///
    /// Rules say which ports of which hosts must, may and must not be open. The exit code is 1 if one
    /// is broken, 3 if that cannot be told.
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    pub(crate) expect: Option<PathBuf>,

    /// Write the findings to FILE as JUnit XML, the same as -o junit:FILE
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    pub(crate) junit: Option<PathBuf>,

    /// Write the findings to FILE as SARIF 2.1.0, the same as -o sarif:FILE
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    pub(crate) sarif: Option<PathBuf>,
}

const AUDIT: &str = "Audit";

/// What is to be held against the results, read.
#[derive(Debug, Default)]
pub(crate) struct Against {
    baseline: Option<Baseline>,
    policy: Option<Policy>,
}

impl AuditArgs {
    /// Whether results are to be held against anything.
    pub(crate) fn is_wanted(&self) -> bool {
        self.expect.is_some() || !self.baseline.is_empty()
    }

    /// The outputs that `outputs` and this ask for. An error is one of usage.
    pub(crate) fn wanted(&self, outputs: &OutputArgs) -> Result<Vec<Wanted>> {
        let mut wanted = outputs.wanted()?;
        for (flag, path, format) in [
            ("--junit", &self.junit, Format::Junit),
            ("--sarif", &self.sarif, Format::Sarif),
        ] {
            let Some(path) = path else {
                continue;
            };
            let to = Destination::of(path);
            if wanted.iter().any(|other| other.to.is_same(&to)) {
                bail!("{flag}: another output goes to {}", to.name());
            }
            wanted.push(Wanted { format, to });
        }
        let small = [Format::Text, Format::Ndjson, Format::Csv, Format::List];
        let other = wanted.iter().find(|one| !small.contains(&one.format));
        if let (true, Some(Wanted { format, .. })) = (cfg!(not(feature = "full")), other) {
            bail!(left_out(format.as_str()));
        }
        let of_audit = wanted.iter().find(|wanted| wanted.format.is_of_audit());
        if let (Some(Wanted { format, .. }), false) = (of_audit, self.is_wanted()) {
            let format = format.as_str();
            bail!("{format} has the findings of --baseline or --expect; give one of them");
        }
        for (flag, path) in self.files() {
            let read = Destination::of(path);
            if let Some(other) = wanted.iter().find(|wanted| wanted.to.is_same(&read)) {
                bail!("{flag}: {} is an output, too", other.to.name());
            }
        }
        Ok(wanted)
    }

    /// Reads baseline and policy. An error is one of usage.
    pub(crate) fn read(&self) -> Result<Against> {
        let mut against = Against::default();
        if !self.is_wanted() {
            return Ok(against);
        }
        if cfg!(not(feature = "full")) {
            bail!(left_out("--baseline and --expect"));
        }
        for path in &self.baseline {
            let file = open("--baseline", path)?;
            let baseline = against.baseline.get_or_insert_default();
            baseline.add(&path.to_string_lossy(), BufReader::new(file))?;
        }
        if let Some(path) = &self.expect {
            let file = open("--expect", path)?;
            against.policy = Some(Policy::read(&path.to_string_lossy(), file)?);
        }
        Ok(against)
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let baseline = self.baseline.iter().map(|path| ("--baseline", &**path));
        baseline.chain(self.expect.iter().map(|path| ("--expect", &**path)))
    }
}

fn open(flag: &str, path: &Path) -> Result<File> {
    File::open(path).map_err(|error| {
        let name = path.to_string_lossy();
        anyhow!("{flag}: {} cannot be read: {error}", escape(&name))
    })
}

/// An audit of the records that pass by.
#[derive(Debug, Default)]
pub(crate) struct Auditing {
    against: Against,
    /// Whether the results are known to be incomplete, whatever they say.
    doubted: bool,
    auditor: Option<Auditor>,
    outcome: Option<Outcome>,
}

impl Auditing {
    /// Holds what passes by against `against`.
    pub(crate) fn new(against: Against, doubted: bool) -> Auditing {
        Auditing {
            against,
            doubted,
            ..Auditing::default()
        }
    }

    /// Takes a record. With the last one it gives what came of it all.
    pub(crate) fn record(&mut self, record: &Record<'_>) -> Option<Audit> {
        if cfg!(not(feature = "full")) {
            return None;
        }
        if let Record::Line(Line::Start(start)) = record {
            let Against { baseline, policy } = std::mem::take(&mut self.against);
            if baseline.is_some() || policy.is_some() {
                let mut auditor = Auditor::new(start, baseline, policy);
                if self.doubted {
                    auditor.doubt();
                }
                self.auditor = Some(auditor);
            }
        }
        self.auditor.as_mut()?.record(record);
        let Record::Line(Line::Run(_)) = record else {
            return None;
        };
        let audit = self.auditor.take()?.finish();
        self.outcome = Some(audit.outcome());
        Some(audit)
    }

    /// The exit code of what it came to, if it is not clean.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.outcome? {
            Outcome::Clean => None,
            Outcome::Incomplete => Some(Exit::Incomplete),
            Outcome::Failed => Some(Exit::Failed),
        }
    }
}
