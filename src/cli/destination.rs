//! What is written where: `-o`, `--format` and `--force`.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use nishad::output::{Format, escape};

/// How results are asked for.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Format of what -o says nothing of [default: text]
    ///
    /// text: for people. ndjson: one JSON object a line, everything that is known; `nishad report`
    /// makes the others from it. csv: a row for each listed port. list: ip:port of each open port,
    /// a line each. xml, grepable: as nmap's -oX and -oG. html: a page for a browser. junit, sarif:
    /// the findings of an audit.
    #[arg(long, value_name = "FORMAT", value_parser = format_parser(), help_heading = RESULTS)]
    pub(crate) format: Option<Format>,

    /// Write the results to FILE, in the format of its ending; may be repeated
    ///
    /// .txt, .ndjson or .jsonl, .csv, .list, .xml, .gnmap or .grep, .html or .htm, .sarif; any other
    /// ending is --format. FORMAT:FILE names the format, and - is standard output, as in xml:-. With
    /// -o nothing goes to standard output but what is sent there. Files get their name when they are
    /// complete; ndjson, csv and list are written line by line.
    #[arg(short = 'o', long = "output", value_name = "FILE", help_heading = RESULTS)]
    pub(crate) outputs: Vec<OsString>,

    /// Overwrite files that exist
    #[arg(long, help_heading = RESULTS)]
    pub(crate) force: bool,
}

const RESULTS: &str = "Results";

fn format_parser() -> impl TypedValueParser<Value = Format> {
    let names = Format::ALL.map(Format::as_str);
    PossibleValuesParser::new(names).map(|name| {
        // Only these names get here.
        Format::named(&name).unwrap_or(Format::Text)
    })
}

/// One output that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    pub(crate) to: Destination,
}

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Standard,
    /// A file, or something that has a place among files.
    File(PathBuf),
}

impl OutputArgs {
    /// The outputs that are meant, one at least. An error is one of usage.
    pub(crate) fn wanted(&self) -> Result<Vec<Wanted>> {
        let usual = self.format.unwrap_or(Format::Text);
        if self.outputs.is_empty() {
            return Ok(vec![Wanted {
                format: usual,
                to: Destination::Standard,
            }]);
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut is_used = self.format.is_none();
        for typed in &self.outputs {
            let (format, to) = read(typed)?;
            is_used |= format.is_none_or(|format| format == usual);
            let format = format.unwrap_or(usual);
            if let Some(other) = wanted.iter().find(|other| other.to.is_same(&to)) {
                bail!("{}: two outputs to {}", shown(typed), other.to.name());
            }
            wanted.push(Wanted { format, to });
        }
        if let (false, [first, ..], [typed, ..]) = (is_used, &wanted[..], &self.outputs[..]) {
            bail!(
                "--format {} is for outputs that do not name theirs; {} is {}; {}:FILE names it",
                usual.as_str(),
                shown(typed),
                first.format.as_str(),
                usual.as_str()
            );
        }
        Ok(wanted)
    }

    /// Refuses to overwrite what is there, and places where no file can be. An error is one of usage.
    pub(crate) fn check_places(&self, wanted: &[Wanted]) -> Result<()> {
        for wanted in wanted {
            if let Destination::File(path) = &wanted.to {
                check_place("--output", path)?;
            }
            if !self.force && wanted.to.is_taken() {
                bail!(
                    "--output: {} exists; --force overwrites it",
                    wanted.to.name()
                );
            }
        }
        Ok(())
    }
}

/// What one `-o` says: its format, if it says that, and its place.
fn read(typed: &OsString) -> Result<(Option<Format>, Destination)> {
    // A name that is no text has no format before it.
    let split = typed.to_str().and_then(|text| text.split_once(':'));
    let named = split.and_then(|(name, path)| Some((Format::named(name)?, path)));
    let (named, path) = match named {
        Some((format, path)) => (Some(format), Path::new(path)),
        None => (None, Path::new(typed)),
    };
    if path.as_os_str().is_empty() {
        bail!(
            "--output: `{}` names no file; - is standard output",
            shown(typed)
        );
    }
    let to = Destination::of(path);
    let by_ending = match to {
        Destination::Standard => None,
        Destination::File(_) => Format::by_ending(path),
    };
    Ok((named.or(by_ending), to))
}

fn shown(typed: &OsString) -> String {
    format!("-o {}", escape(&typed.to_string_lossy()))
}

impl Destination {
    /// What `path` means.
    pub(crate) fn of(path: &Path) -> Destination {
        // Opened anew it would have a position of its own.
        let standard = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
        match standard.iter().any(|name| path == Path::new(name)) {
            true => Destination::Standard,
            false => Destination::File(path.into()),
        }
    }

    /// How to call it in a message.
    pub(crate) fn name(&self) -> String {
        match self {
            Destination::Standard => "standard output".into(),
            Destination::File(path) => escape(&path.to_string_lossy()).to_string(),
        }
    }

    /// Whether both are one. Devices may be written twice.
    pub(crate) fn is_same(&self, other: &Destination) -> bool {
        match (self, other) {
            (Destination::Standard, Destination::Standard) => true,
            (Destination::File(one), Destination::File(two)) => {
                !is_special(one) && place(one) == place(two)
            }
            _ => false,
        }
    }

    /// Removes the file that was made there. That it cannot be is nothing to stop for.
    pub(crate) fn remove(&self) {
        if let Destination::File(path) = self
            && !is_special(path)
        {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Whether a file is there that would be overwritten.
    pub(crate) fn is_taken(&self) -> bool {
        match self {
            Destination::Standard => false,
            // Of a link, whatever it leads to.
            Destination::File(path) => path.symlink_metadata().is_ok() && !is_special(path),
        }
    }
}

/// Refuses a `path` at which there can be no file. The error names `flag`.
pub(crate) fn check_place(flag: &str, path: &Path) -> Result<()> {
    let shown = |path: &Path| escape(&path.to_string_lossy()).to_string();
    let name = shown(path);
    if path.is_dir() {
        bail!("{flag}: {name} is a directory; name a file");
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        match folder.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{flag}: {name}: there is no directory {}", shown(folder));
            }
            Ok(there) if !there.is_dir() => {
                bail!("{flag}: {name}: {} is no directory", shown(folder));
            }
            // Other faults are told by the system, with its reason.
            _ => {}
        }
    }
    Ok(())
}

/// Whether something other than a file is there: a device, a pipe, which is written as it is.
pub(crate) fn is_special(path: &Path) -> bool {
    let is_other = |there: Metadata| !there.is_file() && !there.is_dir();
    // What stands for a descriptor is whatever that is of.
    let device = cfg!(windows) && is_dos_device(path);
    // Linux has ordinary files in memory there.
    let devices = path.starts_with("/dev") && !path.starts_with("/dev/shm");
    device || devices || path.metadata().is_ok_and(is_other)
}

/// Whether Windows has a device by this name, in any folder and with any ending ("Naming Files, Paths,
/// and Namespaces").
fn is_dos_device(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split(['.', ':']).next().unwrap_or_default();
    let name = name.trim_end().to_ascii_uppercase();
    let port = name.strip_prefix("COM").or(name.strip_prefix("LPT"));
    let is_port = port.is_some_and(|port| port.len() == 1 && ("1"..="9").contains(&port));
    is_port
        || matches!(
            name.as_str(),
            "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
        )
}

/// Where `path` leads, whichever way: also of what is not there yet.
fn place(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match (
        folder.unwrap_or(Path::new(".")).canonicalize(),
        path.file_name(),
    ) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(format: Option<&str>, outputs: &[&str]) -> Result<Vec<(Format, String)>, String> {
        let args = OutputArgs {
            format: format.and_then(Format::named),
            outputs: outputs.iter().map(OsString::from).collect(),
            force: false,
        };
        let wanted = args.wanted().map_err(|error| error.to_string())?;
        let pairs = wanted.into_iter().map(|one| (one.format, one.to.name()));
        Ok(pairs.collect())
    }

    /// Nothing could be made there, and what was there was appended to without --force.
    #[test]
    fn files_in_memory_are_files() {
        for (path, special) in [
            ("/dev/shm/nishad-none.ndjson", false),
            ("/dev/nul", true),
            ("/dev/fd/3", true),
        ] {
            assert_eq!(is_special(Path::new(path)), special, "{path}");
        }
    }

    #[test]
    fn devices_of_windows_have_names() {
        for name in [
            "NUL",
            "nul",
            "found/con.txt",
            "COM1",
            "lpt9:",
            "Aux ",
            "conout$",
        ] {
            assert!(is_dos_device(Path::new(name)), "{name}");
        }
        for name in [
            "",
            "found",
            "nul/found",
            "null",
            "COM",
            "com0",
            "com10",
            "lpt.1",
        ] {
            assert!(!is_dos_device(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_format_is_named_or_follows_from_the_ending() {
        let standard = || "standard output".to_string();
        let plain = |outputs: &[&str]| wanted(None, outputs).expect("good");
        assert_eq!(plain(&[]), [(Format::Text, standard())]);
        assert_eq!(plain(&["list:-"]), [(Format::List, standard())]);
        assert_eq!(
            plain(&["a.csv", "-", "csv:b.txt", "c:d.jsonl", "found"]),
            [
                (Format::Csv, "a.csv".into()),
                (Format::Text, standard()),
                (Format::Csv, "b.txt".into()),
                (Format::Ndjson, "c:d.jsonl".into()),
                (Format::Text, "found".into()),
            ]
        );
        assert_eq!(
            wanted(Some("ndjson"), &["a.csv", "found", "/dev/stdout"]),
            Ok(vec![
                (Format::Csv, "a.csv".into()),
                (Format::Ndjson, "found".into()),
                (Format::Ndjson, standard()),
            ])
        );
        // Closed, it would be whatever took its place.
        assert_eq!(plain(&["/dev/fd/1"]), [(Format::Text, standard())]);
        assert!(wanted(Some("csv"), &["a.csv"]).is_ok(), "said twice");
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (format, outputs, start) in [
            (
                None,
                &["-", "csv:-"][..],
                "-o csv:-: two outputs to standard output",
            ),
            (None, &["a", "./a"], "-o ./a: two outputs to a"),
            (
                None,
                &["csv:a", "src/../a"],
                "-o src/../a: two outputs to a",
            ),
            (None, &["csv:"], "--output: `-o csv:` names no file"),
            (None, &[""], "--output: `-o ` names no file"),
            (
                Some("csv"),
                &["\u{1b}.ndjson"],
                "--format csv is for outputs that do not name theirs; -o \\u{1b}.ndjson is ndjson",
            ),
        ] {
            let error = wanted(format, outputs).expect_err(start);
            assert!(error.starts_with(start), "{error}");
        }
        assert!(wanted(None, &["/dev/null", "csv:/dev/null"]).is_ok());
    }
}
