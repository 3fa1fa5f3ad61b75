//! Options in a file: TOML, keys are the long names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use nishad::output::escape;

use super::entry::{Entry, Origin, Value};
use super::{Named, Names};

/// Longest file read: far more than all options take.
const MOST: u64 = 1 << 20;

/// What the file at `path` says. The error names the file, line and column.
pub(super) fn entries(names: &Names<'_>, path: &Path) -> Result<Vec<Entry>, String> {
    let name = escape(&path.to_string_lossy()).to_string();
    let unread = |why: &dyn std::fmt::Display| format!("--config {name}: cannot be read: {why}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unread(&error))?;
    let read = file.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unread(&error))?;
    if bytes.len() as u64 > MOST {
        return Err(unread(&"it has more than 1 MB"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let (line, column) = place(&good, at);
            return Err(format!("{name}:{line}:{column}: not UTF-8"));
        }
    };
    parse(names, &name, &text)
}

/// What `text` says, the contents of the file that is shown as `name`.
pub(super) fn parse(names: &Names<'_>, name: &str, text: &str) -> Result<Vec<Entry>, String> {
    let at = |offset: usize| {
        let (line, column) = place(text, offset);
        format!("{name}:{line}:{column}")
    };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        format!("{}: {}", at(offset), escape(error.message()))
    })?;
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut entries = Vec::new();
    for (key, value) in keys {
        let option: &str = key.get_ref();
        let arg = match names.find(option) {
            Named::Option(arg) => arg,
            Named::Elsewhere => continue,
            Named::Unknown(near) => {
                let place = at(key.span().start);
                let option = escape(option);
                return Err(match near {
                    Some(near) => {
                        format!("{place}: unknown key `{option}`; did you mean `{near}`?")
                    }
                    None => format!("{place}: unknown key `{option}`; keys are the long options"),
                });
            }
        };
        let (line, column) = place(text, value.span().start);
        let origin = Origin::File {
            name: name.into(),
            line,
            column,
        };
        let value =
            of(value).map_err(|(offset, wanted)| format!("{}: {option}: {wanted}", at(offset)))?;
        entries.push(Entry::new(arg, value, origin)?);
    }
    Ok(entries)
}

/// The value as it would be typed; the error is the place of one that cannot be, and why.
fn of(value: &Spanned<DeValue<'_>>) -> Result<Value, (usize, &'static str)> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::Boolean(on) => Ok(Value::Flag(*on)),
        DeValue::Array(list) => {
            let texts = list.iter().map(|value| match of(value)? {
                Value::Text(text) => Ok(text),
                _ => Err((value.span().start, "the list may hold strings and numbers")),
            });
            Ok(Value::List(texts.collect::<Result<_, _>>()?))
        }
        DeValue::String(text) => Ok(Value::Text(text.to_string().into())),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(Value::Text(number.to_string().into())),
            Err(_) => Err((at, "the number is too large")),
        },
        DeValue::Float(number) => Ok(Value::Text(number.as_str().into())),
        DeValue::Datetime(_) => Err((at, "no option takes a date")),
        DeValue::Table(_) => Err((at, "no option takes a table")),
    }
}

/// Line and column of a byte, both from 1, in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[start..].chars().count() + 1)
}
