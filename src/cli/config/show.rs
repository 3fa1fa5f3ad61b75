//! What holds, and whence: a file that `--config` takes.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use nishad::output::escape;

use super::{Configured, settable};

/// Longest value after which the origins are still in one column.
const COLUMN: usize = 40;

/// An option as it stands.
struct Line {
    /// `timeout = "2s"`; a default has `#` before it, so that the text can be taken for a file.
    text: String,
    origin: String,
}

/// Every option of what is run in a line each, with its origin. `preset` are values by another
/// option, which is named first.
pub(crate) fn show(
    command: &Command,
    configured: &Configured,
    preset: Option<(&str, &[(&str, &str)])>,
) -> String {
    let mut built = command.clone();
    built.build();
    let (active, used) = match configured.matches.subcommand() {
        Some((name, matches)) => (built.find_subcommand(name).unwrap_or(&built), matches),
        None => (&built, &configured.matches),
    };
    let lines: Vec<Line> = settable(active)
        .map(|arg| line(arg, used, configured, preset))
        .collect();
    let width = lines.iter().map(|line| line.text.chars().count());
    let width = width.filter(|width| *width <= COLUMN).max().unwrap_or(0);
    let mut text = String::new();
    for Line {
        text: value,
        origin,
    } in lines
    {
        text += &format!("{value:width$}  # {origin}\n");
    }
    text
}

fn line(
    arg: &Arg,
    used: &ArgMatches,
    configured: &Configured,
    preset: Option<(&str, &[(&str, &str)])>,
) -> Line {
    let name = arg.get_long().unwrap_or_default();
    let id = arg.get_id();
    let origin = configured.origins.iter().find(|(known, _)| known == id);
    if let Some((_, origin)) = origin {
        let text = format!("{name} = {}", value(arg, used));
        return Line {
            text,
            origin: escape(&origin.to_string()).to_string(),
        };
    }
    let by_another = preset.and_then(|(by, values)| {
        let (_, value) = values.iter().find(|(known, _)| *known == name)?;
        Some((by, *value))
    });
    if let Some((by, value)) = by_another {
        return Line {
            text: format!("# {name} = {}", quoted(value)),
            origin: by.into(),
        };
    }
    match default(arg, used) {
        Some(value) => Line {
            text: format!("# {name} = {value}"),
            origin: "default".into(),
        },
        None => Line {
            text: format!("# {name}"),
            origin: "not set".into(),
        },
    }
}

/// What was given, as TOML.
fn value(arg: &Arg, used: &ArgMatches) -> String {
    let id = arg.get_id().as_str();
    match arg.get_action() {
        ArgAction::SetTrue => used.get_flag(id).to_string(),
        ArgAction::Count => used.get_count(id).to_string(),
        action => {
            let given = used.get_raw(id).into_iter().flatten();
            let given = given.map(|value| quoted(&value.to_string_lossy()));
            let given: Vec<String> = given.collect();
            match action {
                ArgAction::Append => format!("[{}]", given.join(", ")),
                _ => given.join(", "),
            }
        }
    }
}

/// What holds without being given, as TOML: clap knows it, or the help says it.
fn default(arg: &Arg, used: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    if let ArgAction::SetTrue | ArgAction::Count = arg.get_action() {
        return Some(value(arg, used));
    }
    if used.value_source(id) == Some(ValueSource::DefaultValue) {
        return Some(value(arg, used));
    }
    let help = arg.get_help()?.to_string();
    let (_, said) = help.split_once("[default: ")?;
    let (said, _) = said.split_once(']')?;
    Some(quoted(said))
}

/// A string of TOML, or the number that it is.
fn quoted(text: &str) -> String {
    let is_number = text
        .parse::<u32>()
        .is_ok_and(|number| number.to_string() == text);
    if is_number {
        return text.into();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        let shown = c.to_string();
        match c {
            '"' | '\\' => quoted += &format!("\\{c}"),
            // What is not shown as it is.
            _ if escape(&shown).to_string() != shown => {
                quoted += &format!("\\U{:08X}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
