//! Rules read from TOML. A fault is told with file, line and column.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use toml::Spanned;

use super::compile::compile;
use super::pattern::{Match, Over, Template, prefix};
use super::{Probe, Rules, Say};
use crate::target::{PortSet, shown_within};

/// Longest file of rules, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Longest message, and name of a file in it, in characters.
const MAX_SHOWN: usize = 256;

/// Longest thing sent, in bytes: it fits into one packet.
const MAX_SEND: usize = 1024;

/// Groups of a pattern that a field can have: `$1` to `$9`.
const MAX_GROUPS: usize = 9;

/// Probes of all files together.
const MAX_PROBES: usize = 128;

/// No probe of a file: what is said without being asked.
pub(crate) const GREETING: &str = "greeting";

/// Why rules cannot be read: `FILE:LINE:COLUMN: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct RulesError {
    /// The file's name, as given; what drives a terminal in it is escaped.
    pub file: String,
    /// Line, from 1 on.
    pub line: usize,
    /// Column in characters, from 1 on.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Whose rules they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Compiled in; the tests have checked the patterns, which are compiled when they are needed.
    Builtin,
    /// The user's, checked when they are read.
    User,
}

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    greets: Option<Spanned<String>>,
    #[serde(default)]
    probe: Vec<ProbeTable>,
    #[serde(default, rename = "match")]
    matches: Vec<Spanned<MatchTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeTable {
    name: Spanned<String>,
    send: Option<Spanned<String>>,
    hex: Option<Spanned<String>>,
    #[serde(default)]
    tls: bool,
    ports: Option<Spanned<String>>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    anywhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchTable {
    probe: Option<Spanned<String>>,
    pattern: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
    body: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    product: Option<Spanned<String>>,
    version: Option<Spanned<String>>,
    info: Option<Spanned<String>>,
    hostname: Option<Spanned<String>>,
    os: Option<Spanned<String>>,
    #[serde(default)]
    cpe: Vec<Spanned<String>>,
    starttls: Option<bool>,
    then: Option<Spanned<String>>,
}

/// Where a file is read: its faults by place.
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn at(&self, offset: usize, message: impl fmt::Display) -> RulesError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        // In one line that drives no terminal, whatever the parser quotes.
        let message = message.to_string().trim().replace(['\n', '\r'], " ");
        RulesError {
            file: shown_within(self.file, MAX_SHOWN),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            message: shown_within(&message, MAX_SHOWN),
        }
    }

    fn of(&self, value: &Spanned<String>, message: impl fmt::Display) -> RulesError {
        self.at(value.span().start, message)
    }
}

impl Rules {
    /// Adds the rules of a file behind those of the same origin.
    pub(super) fn read(
        &mut self,
        file: &str,
        text: &str,
        origin: Origin,
    ) -> Result<(), RulesError> {
        let place = Place { file, text };
        if text.len() > MAX_FILE {
            return Err(place.at(0, format!("rules of more than {MAX_FILE} bytes")));
        }
        let read: File = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            place.at(start, error.message())
        })?;
        if let Some(greets) = &read.greets {
            self.greets.extend(ports(&place, greets)?);
        }
        for table in read.probe {
            let probe = probe(&place, &table)?;
            if self.knows(&probe.name) {
                let message = format!("probe `{}` is there already: name it otherwise", probe.name);
                return Err(place.of(&table.name, message));
            }
            if self.probes.len() == MAX_PROBES {
                return Err(place.of(&table.name, format!("more than {MAX_PROBES} probes")));
            }
            if origin == Origin::User {
                self.probes.insert(self.own_probes, Arc::new(probe));
                self.own_probes += 1;
            } else {
                self.probes.push(Arc::new(probe));
            }
        }
        for table in read.matches {
            let start = table.span().start;
            let table = table.into_inner();
            let (over, pattern) = match (&table.pattern, &table.server, &table.body) {
                (Some(pattern), None, None) => (Over::Answer, pattern),
                (None, Some(pattern), None) => (Over::Server, pattern),
                (None, None, Some(pattern)) => (Over::Body, pattern),
                _ => {
                    let message = "a match has one of `pattern`, over the answer, `server`, over \
                                   HTTP's Server header, and `body`, over HTTP's body";
                    return Err(place.at(start, message));
                }
            };
            let rule = one_match(&place, &table, (over, pattern), origin)?;
            let named = [&table.probe, &table.then];
            let unknown = |probe: &&Spanned<String>| !self.knows(probe.get_ref());
            if let Some(probe) = named.into_iter().flatten().find(unknown) {
                let message = "no probe has this name, and it is not `greeting`";
                return Err(place.of(probe, message));
            }
            match origin {
                Origin::User => self.own.push(rule),
                Origin::Builtin => self.builtin.push(rule),
            }
        }
        Ok(())
    }

    fn knows(&self, probe: &str) -> bool {
        probe == GREETING || self.probes.iter().any(|other| other.name == probe)
    }
}

fn probe(place: &Place<'_>, table: &ProbeTable) -> Result<Probe, RulesError> {
    let say = match (&table.send, &table.hex, table.tls) {
        (Some(text), None, false) => Say::Bytes(text.get_ref().clone().into_bytes()),
        (None, Some(hex), false) => Say::Bytes(
            bytes(hex.get_ref())
                .ok_or_else(|| place.of(hex, "hex is pairs of digits, as in \"00 1e 0a\""))?,
        ),
        (None, None, true) => Say::Tls,
        _ => {
            let message = "a probe has one of `send`, a text, `hex`, bytes, and `tls = true`";
            return Err(place.of(&table.name, message));
        }
    };
    let length = match &say {
        Say::Bytes(send) => send.len(),
        Say::Tls => 1,
    };
    if !(1..=MAX_SEND).contains(&length) {
        let message = format!("a probe sends 1 to {MAX_SEND} bytes");
        return Err(place.of(&table.name, message));
    }
    let ports = table.ports.as_ref().map(|spec| ports(place, spec));
    Ok(Probe {
        name: name(place, &table.name)?,
        say,
        ports: ports.transpose()?.unwrap_or_default(),
        services: table.services.clone(),
        anywhere: table.anywhere,
    })
}

fn one_match(
    place: &Place<'_>,
    table: &MatchTable,
    (over, spanned): (Over, &Spanned<String>),
    origin: Origin,
) -> Result<Match, RulesError> {
    let pattern = spanned.get_ref();
    let mut groups = MAX_GROUPS;
    let compiled = OnceLock::new();
    if origin == Origin::User {
        let regex = compile(pattern).map_err(|error| {
            let text = error.to_string();
            // The last line says what is wrong, those before draw where.
            let last = text.lines().last().unwrap_or_default();
            place.of(spanned, last.trim_start_matches("error: "))
        })?;
        groups = groups.min(regex.captures_len() - 1);
        compiled.get_or_init(|| Some(regex));
    }
    let template = |value: &Option<Spanned<String>>| {
        let Some(value) = value else {
            return Ok(Template::default());
        };
        Template::parse(value.get_ref(), groups).map_err(|message| place.of(value, message))
    };
    let cpe = table.cpe.iter().map(|value| {
        Template::parse(value.get_ref(), groups).map_err(|message| place.of(value, message))
    });
    Ok(Match {
        probe: table.probe.as_ref().map(|probe| probe.get_ref().clone()),
        over,
        prefix: prefix(pattern),
        compiled,
        name: template(&table.name)?,
        product: template(&table.product)?,
        version: template(&table.version)?,
        info: template(&table.info)?,
        hostname: template(&table.hostname)?,
        os: template(&table.os)?,
        cpe: cpe.collect::<Result<_, _>>()?,
        starttls: table.starttls,
        then: table.then.as_ref().map(|then| then.get_ref().clone()),
        pattern: pattern.clone(),
    })
}

/// A probe's name: letters, digits and hyphens.
fn name(place: &Place<'_>, value: &Spanned<String>) -> Result<String, RulesError> {
    let name = value.get_ref();
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 32 || !name.chars().all(letter) {
        let message = "a probe's name is 1 to 32 of a-z, 0-9 and -";
        return Err(place.of(value, message));
    }
    Ok(name.clone())
}

fn ports(place: &Place<'_>, spec: &Spanned<String>) -> Result<Vec<(u16, u16)>, RulesError> {
    let ports = PortSet::parse(spec.get_ref(), crate::service::port);
    let ports = ports.map_err(|error| place.of(spec, error))?;
    Ok(ports.ranges().collect())
}

/// `00 1e 0a`, with or without blanks.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.chars().filter(|c| !c.is_whitespace());
    let digits: Vec<u8> = digits
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| Some(pair.first()? << 4 | pair.get(1)?))
        .collect()
}
