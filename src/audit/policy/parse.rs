//! A policy from its file, with line and column of whatever is wrong in it.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Access, Index, Policy, Rule};
use crate::output::escape;
use crate::service;
use crate::target::PortSet;

/// Largest policy, in bytes: some ten thousand rules.
pub const MAX_SIZE: usize = 1 << 20;

/// Longest text of a rule, in characters: findings repeat it.
const MAX_TEXT: usize = 1000;

/// Keys on top, and of a rule.
const TOP: [&str; 2] = ["default", "rule"];
const RULE: [&str; 10] = [
    "hosts",
    "required",
    "allowed",
    "forbidden",
    "forbid",
    "certificate-days",
    "default",
    "name",
    "comment",
    "until",
];

/// Services that a rule names at most, and the most days: a century.
const MAX_SERVICES: usize = 1000;
const MAX_DAYS: u32 = 36_525;

/// How alike two keys are, 0 to 1, if one is taken for a slip of the other.
const SLIP: f64 = 0.6;

/// What is wrong with a policy. `Display` is one line, safe to show: `p.toml:3:7: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{place}: {what}")]
pub struct PolicyError {
    /// The file, escaped.
    file: String,
    place: Place,
    what: String,
}

/// Line and column, from 1 on, in characters; `None`: the file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(Option<(usize, usize)>);

/// Something wrong, and where in the text.
type Wrong = (Range<usize>, String);

type Value<'a> = Spanned<DeValue<'a>>;

impl Policy {
    /// Reads the policy in `text`; `file` is what to call it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Policy, PolicyError> {
        if text.len() > MAX_SIZE {
            return Err(too_large(file));
        }
        let (access, rules) = document(text).map_err(|(span, what)| PolicyError {
            file: escape(file).to_string(),
            place: Place::of(text, span.start),
            what,
        })?;
        Ok(Policy {
            file: file.into(),
            access: access.unwrap_or(Access::Deny),
            index: Index::new(&rules),
            rules,
        })
    }

    /// Reads a policy to its end; `file` is what to call it.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with `input`.
    pub fn read(file: &str, input: impl Read) -> Result<Policy, PolicyError> {
        let whole = |what: String| PolicyError {
            file: escape(file).to_string(),
            place: Place(None),
            what,
        };
        let mut bytes = Vec::new();
        let unread = |error: io::Error| whole(format!("cannot be read: {error}"));
        let mut input = input.take(MAX_SIZE as u64 + 1);
        input.read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() > MAX_SIZE {
            return Err(too_large(file));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Policy::parse(file, text),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                Err(PolicyError {
                    place: Place::of(&valid, valid.len()),
                    ..whole("not UTF-8".into())
                })
            }
        }
    }
}

fn too_large(file: &str) -> PolicyError {
    PolicyError {
        file: escape(file).to_string(),
        place: Place(None),
        what: format!("larger than {} MiB, the most of a policy", MAX_SIZE >> 20),
    }
}

impl Place {
    /// That of the byte `at` in `text`.
    fn of(text: &str, at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        Place(Some((line_of(before), before[line..].chars().count() + 1)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// The line, from 1 on, behind `before`.
fn line_of(before: &str) -> usize {
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

fn document(text: &str) -> Result<(Option<Access>, Vec<Rule>), Wrong> {
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        (span, format!("not TOML: {}", escape(error.message())))
    })?;
    let table = table.into_inner();
    check_keys(&table, &TOP)?;
    let access = get(&table, "default").map(access).transpose()?;
    let rules = match get(&table, "rule") {
        Some(value) => rules(text, value)?,
        None if access.is_none() => {
            let what = "says nothing: give a `default` or a `[[rule]]`";
            return Err((0..0, what.into()));
        }
        None => Vec::new(),
    };
    Ok((access, rules))
}

fn rules(text: &str, value: &Value) -> Result<Vec<Rule>, Wrong> {
    let wrong = |value: &Value| (value.span(), "a rule begins with `[[rule]]`".to_string());
    let list = value.get_ref().as_array().ok_or_else(|| wrong(value))?;
    let mut rules = Vec::new();
    // The lines are counted on the way, once.
    let (mut line, mut counted) = (1, 0);
    for item in list.iter() {
        let table = item.get_ref().as_table().ok_or_else(|| wrong(item))?;
        let at = item.span().start;
        if let Some(between) = text.get(counted..at) {
            line += line_of(between) - 1;
            counted = at;
        }
        rules.push(rule(table, line as u64, item.span())?);
    }
    Ok(rules)
}

fn rule(table: &DeTable, line: u64, span: Range<usize>) -> Result<Rule, Wrong> {
    check_keys(table, &RULE)?;
    let ports = |key| get(table, key).map_or_else(|| Ok(PortSet::default()), ports);
    let text = |key| get(table, key).map(string).transpose();
    let rule = Rule {
        line,
        name: text("name")?,
        comment: text("comment")?,
        until: get(table, "until").map(date).transpose()?,
        hosts: get(table, "hosts").map_or_else(|| Ok(Vec::new()), hosts)?,
        required: ports("required")?,
        allowed: ports("allowed")?,
        forbidden: ports("forbidden")?,
        forbid: get(table, "forbid").map_or_else(|| Ok(Vec::new()), services)?,
        certificate_days: get(table, "certificate-days").map(days).transpose()?,
        access: get(table, "default").map(access).transpose()?,
    };
    let of_services = !rule.forbid.is_empty() || rule.certificate_days.is_some();
    if rule.named().is_empty() && rule.access.is_none() && !of_services {
        let what = "the rule says nothing: give `required`, `allowed`, `forbidden`, `forbid`, \
                    `certificate-days` or `default`";
        return Err((span, what.into()));
    }
    for (key, one, other, others) in [
        ("allowed", &rule.allowed, "required", &rule.required),
        ("forbidden", &rule.forbidden, "required", &rule.required),
        ("forbidden", &rule.forbidden, "allowed", &rule.allowed),
    ] {
        let both = one.difference(&one.difference(others));
        if let Some(port) = both.nth(0) {
            let span = get(table, key).map_or(span, Spanned::span);
            return Err((
                span,
                format!("port {port} is {other} and {key} in one rule"),
            ));
        }
    }
    Ok(rule)
}

fn get<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a Value<'i>> {
    table.get(key)
}

/// That the keys of `table` are among `known`.
fn check_keys(table: &DeTable, known: &[&str]) -> Result<(), Wrong> {
    // In the order of the text: the first is the one to tell.
    let unknown = table
        .keys()
        .filter(|key| !known.contains(&&**key.get_ref()));
    let Some(key) = unknown.min_by_key(|key| key.span().start) else {
        return Ok(());
    };
    let name = key.get_ref();
    let alike = |known: &&str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let near = known.iter().copied().map(|known| (alike(&known), known));
    let near = near.max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = match near {
        // What is measured is bounded.
        Some((alike, near)) if alike >= SLIP && name.len() < 64 => {
            format!("did you mean `{near}`?")
        }
        _ => format!("known are {}", known.join(", ")),
    };
    Err((
        key.span(),
        format!("unknown key `{}`; {hint}", escape(name)),
    ))
}

fn access(value: &Value) -> Result<Access, Wrong> {
    match value.get_ref().as_str() {
        Some("deny") => Ok(Access::Deny),
        Some("allow") => Ok(Access::Allow),
        _ => Err((value.span(), "`default` is \"deny\" or \"allow\"".into())),
    }
}

fn string(value: &Value) -> Result<String, Wrong> {
    match value.get_ref().as_str() {
        Some(text) if text.chars().count() > MAX_TEXT => {
            let what = format!("text of more than {MAX_TEXT} characters");
            Err((value.span(), what))
        }
        Some(text) => Ok(text.into()),
        None => Err((value.span(), "text, in quotes, is wanted here".into())),
    }
}

fn date(value: &Value) -> Result<Date, Wrong> {
    let wrong = || {
        (
            value.span(),
            "`until` is a day, without quotes: 2026-12-31".to_string(),
        )
    };
    let datetime = value.get_ref().as_datetime().ok_or_else(wrong)?;
    let (Some(date), None, None) = (datetime.date, datetime.time, datetime.offset) else {
        return Err(wrong());
    };
    let [year, month, day] = [date.year, date.month.into(), date.day.into()];
    let small = |number: u16| i8::try_from(number).unwrap_or(-1);
    let date = i16::try_from(year).ok();
    let date = date.and_then(|year| Date::new(year, small(month), small(day)).ok());
    date.ok_or_else(wrong)
}

fn hosts(value: &Value) -> Result<Vec<super::HostPattern>, Wrong> {
    let host = |value: &Value| {
        let text = string(value)?;
        text.parse().map_err(|what| (value.span(), what))
    };
    match value.get_ref() {
        DeValue::Array(list) if list.is_empty() => {
            let what = "no host at all; leave `hosts` away for every host";
            Err((value.span(), what.into()))
        }
        DeValue::Array(list) => list.iter().map(host).collect(),
        _ => Ok(vec![host(value)?]),
    }
}

/// `"telnet"`, or a list of names of services.
fn services(value: &Value) -> Result<Vec<String>, Wrong> {
    let service = |value: &Value| {
        let name = string(value)?;
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        match name.chars().all(letter) && !name.is_empty() {
            true => Ok(name),
            false => {
                let what = "a service is named as --services names it, in lower case: \"telnet\"";
                Err((value.span(), what.into()))
            }
        }
    };
    match value.get_ref() {
        DeValue::Array(list) if list.is_empty() || list.len() > MAX_SERVICES => {
            let what = format!("`forbid` names 1 to {MAX_SERVICES} services");
            Err((value.span(), what))
        }
        DeValue::Array(list) => list.iter().map(service).collect(),
        _ => Ok(vec![service(value)?]),
    }
}

fn days(value: &Value) -> Result<u32, Wrong> {
    let number = value.get_ref().as_integer();
    let days = number.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
    days.filter(|days| *days <= MAX_DAYS).ok_or_else(|| {
        let what = format!("`certificate-days` is a number of days, 0 to {MAX_DAYS}");
        (value.span(), what)
    })
}

/// `"22,80-90,https"`, `22`, or a list of these.
fn ports(value: &Value) -> Result<PortSet, Wrong> {
    match value.get_ref() {
        DeValue::Array(list) => list
            .iter()
            .try_fold(PortSet::default(), |ports, item| match item.get_ref() {
                DeValue::Array(_) => Err((item.span(), PORTS.to_string())),
                _ => Ok(ports.union(&self::ports(item)?)),
            }),
        DeValue::Integer(number) => {
            let port = u16::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
                let what = format!("{} is no port, 0 to 65535", escape(number.as_str()));
                (value.span(), what)
            })?;
            Ok([port].into_iter().collect())
        }
        DeValue::String(text) => {
            let ports = PortSet::parse(text, service::port);
            ports.map_err(|error| (value.span(), error.to_string()))
        }
        _ => Err((value.span(), PORTS.into())),
    }
}

const PORTS: &str = "ports are written \"22,80-90,https\", 22, or as a list of these";
