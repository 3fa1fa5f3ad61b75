//! The command line as a whole: its grammar, and how it is read.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use nishad::output::escape;

use super::args::Args;
use super::config::{self, Configured, Refused};
use super::events;
use super::habits;
use super::plan::preset;
use super::progress::say;
use super::{Exit, all_left_out};

/// What `-h` lists, by its id: what is needed often, and no more than fits on a screen.
const OFTEN: [&str; 16] = [
    "targets",
    "lists",
    "exclude",
    "ports",
    "top_ports",
    "timeout",
    "rate",
    "services",
    "baseline",
    "expect",
    "outputs",
    "show",
    "dry_run",
    "config",
    "quiet",
    "verbose",
];

/// What values that begin with digits are called.
const NUMBERS: [&str; 6] = ["N", "N/s", "DUR", "SIZE", "P", "I/N"];

/// The grammar, with a short help of one screen.
pub(crate) fn command() -> Command {
    let mut command = Args::command().mut_subcommands(|sub| sub.mut_args(repeatable));
    if let Some(said) = all_left_out() {
        command = command.before_help(said);
    }
    command.mut_args(|arg| {
        let often = OFTEN.contains(&arg.get_id().as_str());
        refused_by_value(repeatable(arg)).hide_short_help(!often)
    })
}

/// A number below zero is refused as the option's value, and not as an option that there is none of.
fn refused_by_value(arg: Arg) -> Arg {
    let names = arg.get_value_names().unwrap_or_default();
    let is_number = names.iter().any(|name| NUMBERS.contains(&name.as_str()));
    arg.allow_negative_numbers(is_number)
}

/// What has no value may be said twice, as in `-vv`.
fn repeatable(arg: Arg) -> Arg {
    match arg.get_action() {
        ArgAction::SetTrue => {
            let itself = arg.get_id().clone();
            arg.overrides_with(itself)
        }
        _ => arg,
    }
}

/// Reads the command line and what is configured. What ends the program, help, a usage error or
/// `--show-config`, is printed here.
pub(crate) fn parse() -> Result<Args, Exit> {
    events::want_if_typed();
    let typed: Vec<_> = std::env::args_os().collect();
    let words: Vec<String> = typed
        .iter()
        .map(|word| word.to_string_lossy().into())
        .collect();
    if let Some(said) = habits::misread(&words) {
        say(format_args!("error: {said}"));
        return Err(Exit::Usage);
    }
    let configured = config::configure(&command(), typed, std::env::vars_os())
        .map_err(|refused| refuse(refused, &words))?;
    let args = Args::from_arg_matches(&configured.matches)
        .map_err(|error| refuse(Refused::Typed(error), &words))?;
    if args.live.events {
        events::want();
    }
    if let Some(said) = misplaced(&args, &words) {
        say(format_args!("error: {said}"));
        return Err(Exit::Usage);
    }
    match args.shows_config() {
        true => Err(show(&args, &configured)),
        false => Ok(args),
    }
}

/// What is to be said of a command behind an option or a target, where it is one more target: its files
/// would be hosts to look up. So it is of `nishad help`.
fn misplaced(args: &Args, typed: &[String]) -> Option<String> {
    let meant = typed
        .iter()
        .skip_while(|word| *word != "--")
        .skip(1)
        .count();
    let unsure = &args.targets[..args.targets.len().saturating_sub(meant)];
    let is_typed = |name: &str| unsure.iter().any(|target| target == name);
    let grammar = command();
    let mut names = grammar.get_subcommands().map(Command::get_name);
    let (name, instead) = match names.find(|name| is_typed(name)) {
        Some(name) => (name, "a command comes first, before all options"),
        None if unsure == ["help"] => ("help", "nishad --help tells how it is used"),
        None => return None,
    };
    Some(format!(
        "{name}: {instead}; a host of that name comes behind --"
    ))
}

fn show(args: &Args, configured: &Configured) -> Exit {
    let text = config::show(&command(), configured, preset(args.timing));
    super::print(&text)
}

/// Tells why nothing is done, of the words that were `typed`.
fn refuse(refused: Refused, typed: &[String]) -> Exit {
    match refused {
        Refused::Typed(error) if !error.use_stderr() => {
            // Help or the version.
            return super::printed(|| error.print());
        }
        Refused::Typed(error) => match instead(&error, typed) {
            Some(said) => say(format_args!("error: {said}")),
            None => {
                // Without styles, so that nothing of what was typed reaches the terminal as a command.
                let text = error.render().to_string();
                let lines = text.trim_end().lines();
                let lines: Vec<String> = lines.map(|line| escape(line).to_string()).collect();
                say(format_args!("{}", lines.join("\n")));
            }
        },
        Refused::Configured(said) => say(format_args!("error: {said}")),
    }
    Exit::Usage
}

/// What is to be said of an option of another scanner.
fn instead(error: &clap::Error, typed: &[String]) -> Option<String> {
    match (error.kind(), error.get(ContextKind::InvalidArg)?) {
        (ErrorKind::UnknownArgument, ContextValue::String(unknown)) => {
            habits::instead(typed, unknown)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a screen.
    const SCREEN: usize = 50;

    #[test]
    fn the_short_help_fits_on_a_screen() {
        let help = command().render_help().to_string();
        assert!(help.lines().count() <= SCREEN, "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let known = command();
        for id in OFTEN {
            assert!(known.get_arguments().any(|arg| arg.get_id() == id), "{id}");
        }
    }

    /// It said that there is no option -5, and how to scan a host of that name.
    #[test]
    fn a_negative_number_is_told_with_its_option() {
        let words =
            |line: &str| command().try_get_matches_from(line.split(' ').collect::<Vec<_>>());
        for option in [
            "--seed",
            "--rate",
            "-t",
            "--miss",
            "--max-memory",
            "--shard",
            "--top-ports",
        ] {
            let error = words(&format!("nishad {option} -5 h")).expect_err("negative");
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{option}");
            let said = error.to_string();
            assert!(
                said.starts_with("error: invalid value '-5' for '"),
                "{said}"
            );
        }
        assert!(words("nishad -4 -p -5 --seed 5 h").is_ok());
        assert!(
            words("nishad -o -4 h").is_err(),
            "no file of that name is made"
        );
    }

    #[test]
    fn switches_may_be_said_twice() {
        let read = |line: &str| {
            let matches = command().try_get_matches_from(line.split(' '));
            Args::from_arg_matches(&matches.expect(line)).expect(line)
        };
        assert!(read("nishad -vv h").verbose);
        assert!(read("nishad -q --quiet --exact --exact h").exact);
        assert!(read("nishad report -vv f").command.is_some());
        // Of values none is lost without a word.
        let ports = ["nishad", "-p", "22", "-p", "80", "h"];
        assert!(command().try_get_matches_from(ports).is_err());
    }

    #[test]
    fn hosts_may_be_called_like_commands() {
        for name in ["man", "completions", "report"] {
            let matches = command().try_get_matches_from(["nishad", "--", name]);
            let args = Args::from_arg_matches(&matches.expect("a target")).expect("right");
            assert!(args.command.is_none());
            assert_eq!(args.targets, [name]);
        }
    }

    /// Each option has its place in one of the README's tables, and one only.
    #[test]
    fn the_readme_has_every_option_once() {
        let readme = include_str!("../../README.md");
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `-"));
        let rows: Vec<&str> = rows
            .filter_map(|row| row.split_once(" | ").map(|(flags, _)| flags))
            .collect();
        let mut built = command();
        built.build();
        let options = built.get_arguments().filter_map(|arg| arg.get_long());
        for option in options.filter(|option| !["help", "version"].contains(option)) {
            let is_it = |word: &str| word == format!("--{option}") || word == format!("-{option}");
            let words = |row: &&&str| row.split([' ', '`', ',', '\\']).any(is_it);
            assert_eq!(
                rows.iter().filter(words).count(),
                1,
                "--{option} in {rows:?}"
            );
        }
    }
}
