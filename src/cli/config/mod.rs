//! Options from a file and from the environment, behind those of the command line.
//!
//! They become arguments in front of the typed ones, so that each option is read and checked in one
//! way, wherever it comes from. What is nearer (command line, then environment, then file) takes the
//! place of the same option farther off, and of those that exclude it. All of this goes by clap's
//! own description of the options: there is no list of them here.

mod entry;
mod environment;
mod file;
mod show;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Id};

use entry::{Entry, Origin};

pub(super) use show::show;

use super::left_out;

/// Options that are about the configuration itself, by their ids.
const OWN: [&str; 2] = ["config", "show_config"];

/// Names less alike than this, 0 to 1, are not suggested; clap's measure and bound.
const ALIKE: f64 = 0.7;

/// Where options come from besides the command line.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Read options from FILE: timeout = "2s", exact = true
    ///
    /// TOML; the keys are the long options without dashes, the values what would be typed behind
    /// them, true or false for an option without a value, a list for one that may be given several
    /// times. The environment has them too: NISHAD_TIMEOUT=2s. The command line wins over the
    /// environment and that over the file, --exact=false over exact = true; an option takes the
    /// place of those that exclude it.
    #[arg(long, value_name = "FILE", help_heading = super::args::RESULTS)]
    config: Option<PathBuf>,

    /// Print all options with their values and where these come from, and do nothing else
    #[arg(long, help_heading = super::args::RESULTS)]
    pub(crate) show_config: bool,
}

/// The command line with what was configured.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) matches: ArgMatches,
    /// Where options come from that were typed or configured, in no order.
    origins: Vec<(Id, Origin)>,
}

/// Why there is nothing to go by.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The command line is at fault, or asks for help.
    Typed(clap::Error),
    /// What is configured is: a line that names the place.
    Configured(String),
}

/// Reads `typed`, what `variables` say and the file that they name.
pub(crate) fn configure(
    command: &Command,
    typed: Vec<OsString>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Configured, Refused> {
    let mut built = command.clone();
    built.build();
    let (typed, switched_off) = without_switches(&built, typed);
    let (matches, complete) = first_look(command, &typed)?;
    let (active, used) = match matches.subcommand() {
        Some((name, matches)) => (built.find_subcommand(name).unwrap_or(&built), matches),
        None => (&built, &matches),
    };
    if active.get_arguments().all(|arg| arg.get_id() != OWN[0]) {
        // It takes no options that could be configured.
        let matches = match complete {
            true => matches,
            false => read(command, &typed)?,
        };
        return Ok(Configured {
            matches,
            origins: Vec::new(),
        });
    }
    let names = Names {
        all: &built,
        active,
    };
    let refused = Refused::Configured;
    let (environment, path) = environment::entries(&names, variables).map_err(refused)?;
    let own = ConfigArgs::from_arg_matches(used).map_err(Refused::Typed)?;
    let path = own.config.or(path);
    let file = match &path {
        Some(_) if cfg!(not(feature = "full")) => return Err(refused(left_out("--config"))),
        Some(path) => file::entries(&names, path).map_err(refused)?,
        None => Vec::new(),
    };
    let mut taken = typed_options(active, used, switched_off);
    let sub = matches.subcommand_name();
    let mut kept: Vec<Entry> = Vec::new();
    for layer in [environment, file] {
        for entry in &layer {
            entry.check(command, sub).map_err(refused)?;
        }
        let layer = nearest(active, layer, &taken).map_err(refused)?;
        taken.extend(layer.iter().map(Entry::taken));
        // What is farther off goes in front.
        kept.splice(0..0, layer);
    }
    if kept.is_empty() && complete {
        let origins = origins(taken);
        return Ok(Configured { matches, origins });
    }
    let line = Line {
        command,
        typed,
        sub,
    };
    line.drop_useless(&mut kept);
    taken.retain(|(id, origin, _)| {
        *origin == Origin::CommandLine || kept.iter().any(|entry| entry.id == *id)
    });
    Ok(Configured {
        matches: read(command, &line.with(kept.iter()))?,
        origins: origins(taken),
    })
}

/// The options that were typed, those switched off too, and whether they are on.
fn typed_options(
    active: &Command,
    used: &ArgMatches,
    switched_off: Vec<Id>,
) -> Vec<(Id, Origin, bool)> {
    let given =
        |arg: &&Arg| used.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let on_the_line = active.get_arguments().filter(given);
    let on = on_the_line.map(|arg| (arg.get_id().clone(), true));
    let off = switched_off.into_iter().map(|id| (id, false));
    let both = on.chain(off);
    both.map(|(id, on)| (id, Origin::CommandLine, on)).collect()
}

fn origins(taken: Vec<(Id, Origin, bool)>) -> Vec<(Id, Origin)> {
    let origins = taken.into_iter().map(|(id, origin, _)| (id, origin));
    origins.collect()
}

/// What was typed, for options to be put in.
struct Line<'a> {
    command: &'a Command,
    typed: Vec<OsString>,
    sub: Option<&'a str>,
}

impl Line<'_> {
    /// What was typed, with options in front.
    fn with<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Vec<OsString> {
        let at = match self.sub {
            Some(name) => {
                // The first word is the program's own name, which may be anything.
                let at = self.typed.iter().skip(1).position(|word| word == name);
                at.map_or(1, |at| at + 2)
            }
            None => 1.min(self.typed.len()),
        };
        let mut words = self.typed.clone();
        words.splice(at..at, entries.flat_map(Entry::arguments));
        words
    }

    /// Drops options that are for nothing, since they need another one that is not given: a file may
    /// have them for when it is.
    fn drop_useless(&self, entries: &mut Vec<Entry>) {
        let lacks = |entries: &[&Entry]| {
            let words = self.with(entries.iter().copied());
            let read = self.command.clone().try_get_matches_from(words);
            read.is_err_and(|error| error.kind() == ErrorKind::MissingRequiredArgument)
        };
        if !lacks(&entries.iter().collect::<Vec<_>>()) {
            return;
        }
        // Those that are complete by what was typed, then those that are so by these.
        let mut used = vec![false; entries.len()];
        loop {
            let mut more = false;
            for index in 0..entries.len() {
                let with = |(at, _): &(usize, &Entry)| used[*at] || *at == index;
                let tried = entries.iter().enumerate().filter(with);
                let tried: Vec<&Entry> = tried.map(|(_, entry)| entry).collect();
                if !used[index] && !lacks(&tried) {
                    used[index] = true;
                    more = true;
                }
            }
            if !more {
                break;
            }
        }
        let mut used = used.into_iter();
        entries.retain(|_| used.next().unwrap_or(false));
    }
}

fn read(command: &Command, words: &[OsString]) -> Result<ArgMatches, Refused> {
    let matches = command.clone().try_get_matches_from(words);
    matches.map_err(Refused::Typed)
}

/// What was typed, by itself, and whether that is enough. That something is missing is no fault yet: it
/// may be configured.
fn first_look(command: &Command, typed: &[OsString]) -> Result<(ArgMatches, bool), Refused> {
    match command.clone().try_get_matches_from(typed) {
        Ok(matches) => Ok((matches, true)),
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            let lenient = command.clone().ignore_errors(true);
            let matches = lenient.try_get_matches_from(typed);
            Ok((matches.map_err(Refused::Typed)?, false))
        }
        Err(error) => Err(Refused::Typed(error)),
    }
}

/// What was typed with `--exact` for `--exact=true` and nothing for `--exact=false`, and the options
/// of the latter.
fn without_switches(command: &Command, typed: Vec<OsString>) -> (Vec<OsString>, Vec<Id>) {
    let mut off = Vec::new();
    let mut ended = false;
    let mut words = Vec::with_capacity(typed.len());
    for word in typed {
        ended |= word == "--";
        match switch(command, &word).filter(|_| !ended) {
            Some((arg, true)) => {
                words.push(format!("--{}", arg.get_long().unwrap_or_default()).into())
            }
            Some((arg, false)) => off.push(arg.get_id().clone()),
            None => words.push(word),
        }
    }
    (words, off)
}

/// The option without a value that is given one by `--exact=true`.
fn switch<'a>(command: &'a Command, word: &OsStr) -> Option<(&'a Arg, bool)> {
    let (name, value) = word.to_str()?.strip_prefix("--")?.split_once('=')?;
    let value = value.parse().ok()?;
    let everywhere = std::iter::once(command).chain(command.get_subcommands());
    let mut named = everywhere.flat_map(|command| {
        let options = command.get_arguments();
        options.filter(|arg| arg.get_long() == Some(name))
    });
    named
        .find(|arg| matches!(arg.get_action(), ArgAction::SetTrue))
        .map(|arg| (arg, value))
}

/// Those of `layer` that nothing nearer takes the place of. The error names two that exclude each
/// other.
fn nearest(
    command: &Command,
    layer: Vec<Entry>,
    taken: &[(Id, Origin, bool)],
) -> Result<Vec<Entry>, String> {
    let is_taken = |entry: &Entry| {
        let same = |id: &Id| *id == entry.id;
        let excludes = |id: &Id, on: bool| on && entry.is_on() && exclude(command, id, &entry.id);
        taken
            .iter()
            .any(|(id, _, on)| same(id) || excludes(id, *on))
    };
    let mut left: Vec<Entry> = layer.into_iter().filter(|entry| !is_taken(entry)).collect();
    left.sort_by_key(|entry| entry.origin.line());
    for (n, second) in left.iter().enumerate() {
        let excludes = |first: &&Entry| {
            first.is_on() && second.is_on() && exclude(command, &first.id, &second.id)
        };
        if let Some(first) = left[..n].iter().find(excludes) {
            return Err(format!(
                "{}: cannot be used together with {}",
                second.place(),
                first.place()
            ));
        }
    }
    Ok(left)
}

/// Whether one of the two options excludes the other.
fn exclude(command: &Command, one: &Id, two: &Id) -> bool {
    let find = |id: &Id| command.get_arguments().find(|arg| arg.get_id() == id);
    let (Some(one), Some(two)) = (find(one), find(two)) else {
        return false;
    };
    let names = |arg: &Arg, other: &Arg| {
        let excluded = command.get_arg_conflicts_with(arg);
        excluded.iter().any(|arg| arg.get_id() == other.get_id())
    };
    one.get_id() != two.get_id() && (names(one, two) || names(two, one))
}

/// The names that options have.
struct Names<'a> {
    /// The program, with its subcommands.
    all: &'a Command,
    /// The one of them that is run.
    active: &'a Command,
}

/// What a name stands for.
enum Named<'a> {
    /// An option of what is run.
    Option(&'a Arg),
    /// One of something else.
    Elsewhere,
    /// None; a name that is meant, perhaps.
    Unknown(Option<&'a str>),
}

impl<'a> Names<'a> {
    fn find(&self, name: &str) -> Named<'a> {
        let named =
            |command: &'a Command| settable(command).find(|arg| arg.get_long() == Some(name));
        if let Some(arg) = named(self.active) {
            return Named::Option(arg);
        }
        if self.everywhere().any(|command| named(command).is_some()) {
            return Named::Elsewhere;
        }
        let alike = |known: &&str| strsim::jaro_winkler(known, name);
        let names = self
            .everywhere()
            .flat_map(settable)
            .filter_map(Arg::get_long);
        let nearest = names.max_by(|one, two| alike(one).total_cmp(&alike(two)));
        Named::Unknown(nearest.filter(|name| alike(name) > ALIKE))
    }

    fn everywhere(&self) -> impl Iterator<Item = &'a Command> + use<'a> {
        std::iter::once(self.all).chain(self.all.get_subcommands())
    }
}

/// The options of a command that may be configured.
fn settable(command: &Command) -> impl Iterator<Item = &Arg> {
    let about_itself = |arg: &&Arg| {
        use ArgAction::{Help, HelpLong, HelpShort, Version};
        let asks = matches!(arg.get_action(), Help | HelpLong | HelpShort | Version);
        asks || OWN.contains(&arg.get_id().as_str())
    };
    let options = command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some());
    options.filter(move |arg| !about_itself(arg))
}

#[cfg(test)]
mod tests;
