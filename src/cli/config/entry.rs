//! One option that was configured, and its place.

use std::ffi::OsString;
use std::fmt;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, Id};

use nishad::output::escape;

/// Where the value of an option comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    CommandLine,
    /// The variable of this name.
    Variable(String),
    /// A file's line and column, both from 1.
    File {
        /// As it is shown.
        name: String,
        line: usize,
        column: usize,
    },
}

impl Origin {
    /// The line, 0 if there is none.
    pub(super) fn line(&self) -> usize {
        match self {
            Origin::File { line, .. } => *line,
            _ => 0,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::CommandLine => f.write_str("command line"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { name, line, .. } => write!(f, "{name}:{line}"),
        }
    }
}

/// An option that was configured.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: Id,
    /// Its long name.
    name: String,
    given: Given,
    pub(super) origin: Origin,
}

/// What an option was given.
#[derive(Clone, Debug)]
enum Given {
    /// Given so often, without a value.
    Times(u64),
    Values(Vec<OsString>),
}

/// A value as it stands in a file or a variable.
pub(super) enum Value {
    Flag(bool),
    Text(OsString),
    List(Vec<OsString>),
}

impl Entry {
    /// What `value` means for `arg`. The error says what would be right.
    pub(super) fn new(arg: &Arg, value: Value, origin: Origin) -> Result<Entry, String> {
        let name = arg.get_long().unwrap_or_default().to_string();
        let given = match (arg.get_action(), value) {
            (ArgAction::SetTrue, Value::Flag(on)) => Ok(Given::Times(on.into())),
            (ArgAction::SetTrue, Value::Text(text)) => match text.to_str() {
                Some("true") => Ok(Given::Times(1)),
                Some("false") => Ok(Given::Times(0)),
                _ => Err("true or false is wanted"),
            },
            (ArgAction::SetTrue, _) => Err("true or false is wanted"),
            (ArgAction::Count, Value::Flag(on)) => Ok(Given::Times(on.into())),
            (ArgAction::Count, Value::Text(text)) => match text.to_str().map(str::parse::<u8>) {
                Some(Ok(times)) => Ok(Given::Times(times.into())),
                _ => Err("a number of times is wanted, 0 to 255"),
            },
            (ArgAction::Count, Value::List(_)) => Err("a number of times is wanted, 0 to 255"),
            (_, Value::Flag(_)) => Err("it takes a value, not true or false"),
            (_, Value::Text(text)) => Ok(Given::Values(vec![text])),
            (ArgAction::Append, Value::List(list)) => Ok(Given::Values(list)),
            (_, Value::List(_)) => Err("it takes one value, not a list"),
        };
        match given {
            Ok(given) => Ok(Entry {
                id: arg.get_id().clone(),
                name,
                given,
                origin,
            }),
            Err(wanted) => Err(format!("{}: {wanted}", place(&origin, &name))),
        }
    }

    /// Whether it says anything but that an option is not given.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.given, Given::Times(0))
    }

    /// What it keeps from being taken from farther off.
    pub(super) fn taken(&self) -> (Id, Origin, bool) {
        (self.id.clone(), self.origin.clone(), self.is_on())
    }

    /// As it would be typed.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        match &self.given {
            Given::Times(times) => (0..*times)
                .map(|_| format!("--{}", self.name).into())
                .collect(),
            Given::Values(values) => {
                let option = |value: &OsString| {
                    let mut word = OsString::from(format!("--{}=", self.name));
                    word.push(value);
                    word
                };
                values.iter().map(option).collect()
            }
        }
    }

    /// Its place in words: `nishad.toml:3:11: timeout`.
    pub(super) fn place(&self) -> String {
        place(&self.origin, &self.name)
    }

    /// Checks the value by itself, as that of an option of `sub` or of the program. The error names its
    /// place.
    pub(super) fn check(&self, command: &Command, sub: Option<&str>) -> Result<(), String> {
        let mut words = vec![OsString::from(command.get_name())];
        words.extend(sub.map(OsString::from));
        words.extend(self.arguments());
        let Err(error) = command.clone().try_get_matches_from(words) else {
            return Ok(());
        };
        // Whether it goes with the others is seen when all are there.
        if !matches!(
            error.kind(),
            ErrorKind::ValueValidation
                | ErrorKind::InvalidValue
                | ErrorKind::InvalidUtf8
                | ErrorKind::NoEquals
                | ErrorKind::TooManyValues
                | ErrorKind::TooFewValues
                | ErrorKind::WrongNumberOfValues
        ) {
            return Ok(());
        }
        // Of clap's text, what comes before its hints on usage.
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let hints = ["\n\nUsage: ", "\n\nFor more"].map(|hint| text.find(hint));
        let said = &text[..hints.into_iter().flatten().min().unwrap_or(text.len())];
        // The place names the option.
        let said = match said.split_once(" for '--").and_then(|(before, rest)| {
            let (_, after) = rest.split_once('\'')?;
            Some(format!("{before}{after}"))
        }) {
            Some(short) => short,
            None => said.into(),
        };
        let words: Vec<&str> = said.split_whitespace().collect();
        Err(format!("{}: {}", self.place(), escape(&words.join(" "))))
    }
}

fn place(origin: &Origin, name: &str) -> String {
    match origin {
        Origin::CommandLine => format!("--{name}"),
        Origin::Variable(variable) => variable.clone(),
        Origin::File {
            name: file,
            line,
            column,
        } => format!("{file}:{line}:{column}: {name}"),
    }
}
