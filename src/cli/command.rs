//! The command line as a whole: its grammar, and how it is read.

use clap::{Command, CommandFactory, FromArgMatches};

use nishad::output::escape;

use super::Exit;
use super::args::Args;
use super::config::{self, Configured, Refused};
use super::events;
use super::plan::preset;
use super::progress::say;

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

/// The grammar, with a short help of one screen.
pub(crate) fn command() -> Command {
    Args::command().mut_args(|arg| {
        let often = OFTEN.contains(&arg.get_id().as_str());
        arg.hide_short_help(!often)
    })
}

/// Reads the command line and what is configured. What ends the program, help, a usage error or
/// `--show-config`, is printed here.
pub(crate) fn parse() -> Result<Args, Exit> {
    events::want_if_typed();
    let configured = config::configure(
        &command(),
        std::env::args_os().collect(),
        std::env::vars_os(),
    )
    .map_err(refuse)?;
    let args = Args::from_arg_matches(&configured.matches)
        .map_err(|error| refuse(Refused::Typed(error)))?;
    if args.live.events {
        events::want();
    }
    match args.shows_config() {
        true => Err(show(&args, &configured)),
        false => Ok(args),
    }
}

fn show(args: &Args, configured: &Configured) -> Exit {
    let text = config::show(&command(), configured, preset(args.timing));
    super::print(&text)
}

/// Tells why nothing is done.
fn refuse(refused: Refused) -> Exit {
    match refused {
        Refused::Typed(error) if !error.use_stderr() => {
            // Help or the version; that nobody reads it is no error.
            let _ = error.print();
            return Exit::Complete;
        }
        Refused::Typed(error) => {
            // Without styles, so that nothing of what was typed reaches the terminal as a command.
            let text = error.render().to_string();
            let lines: Vec<String> = text
                .trim_end()
                .lines()
                .map(|line| escape(line).to_string())
                .collect();
            say(format_args!("{}", lines.join("\n")));
        }
        Refused::Configured(said) => say(format_args!("error: {said}")),
    }
    Exit::Usage
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
