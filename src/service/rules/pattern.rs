//! One match: a pattern over an answer, and the fields that come of it.

use std::sync::OnceLock;

use super::Identified;
use super::compile::{Captures, Regex, compile};
use crate::service::found::{self, MAX_CPE, Service};
use crate::service::read::Parts;

/// What a pattern is matched with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Over {
    /// The whole answer.
    #[default]
    Answer,
    /// The value of HTTP's `Server` header.
    Server,
    /// HTTP's body.
    Body,
}

/// A pattern and what follows from it.
#[derive(Debug, Default)]
pub(crate) struct Match {
    /// Only answers to this probe; `None`: any.
    pub(crate) probe: Option<String>,
    pub(crate) over: Over,
    pub(crate) pattern: String,
    /// What an answer begins with that can match; empty if nothing is known.
    pub(crate) prefix: Vec<u8>,
    pub(crate) compiled: OnceLock<Option<Regex>>,
    pub(crate) name: Template,
    pub(crate) product: Template,
    pub(crate) version: Template,
    pub(crate) info: Template,
    pub(crate) hostname: Template,
    pub(crate) os: Template,
    pub(crate) cpe: Vec<Template>,
    pub(crate) starttls: Option<bool>,
    /// The probe to go on with.
    pub(crate) then: Option<String>,
}

impl Match {
    /// The service, if `answer` to `probe`, or that of its `parts` which is meant, matches.
    pub(crate) fn apply(&self, probe: &str, answer: &[u8], parts: Parts<'_>) -> Option<Identified> {
        let text = match self.over {
            Over::Answer => answer,
            Over::Server => parts.server?,
            Over::Body => parts.body?,
        };
        if self.probe.as_deref().is_some_and(|only| only != probe)
            || !text.starts_with(&self.prefix)
        {
            return None;
        }
        let regex = self.compiled.get_or_init(|| compile(&self.pattern).ok());
        let captures = regex.as_ref()?.captures(text)?;
        let filled = |template: &Template| template.fill(&captures);
        let cpe = self.cpe.iter().filter_map(filled).take(MAX_CPE);
        let service = Service {
            name: filled(&self.name),
            product: filled(&self.product),
            version: filled(&self.version),
            info: filled(&self.info),
            hostname: filled(&self.hostname),
            os: filled(&self.os),
            cpe: cpe.collect(),
            starttls: self.starttls,
            ..Service::default()
        };
        let then = self.then.clone();
        Some(Identified { service, then })
    }
}

/// The literal text behind a leading `^`, as far as it is certain.
pub(super) fn prefix(pattern: &str) -> Vec<u8> {
    let Some(rest) = pattern.strip_prefix('^') else {
        return Vec::new();
    };
    // An alternative may begin in another way; which ones are in a group is not looked at.
    if rest.contains('|') {
        return Vec::new();
    }
    let mut prefix = Vec::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        let (literal, special) = match c {
            '\\' => match chars.next() {
                Some(c) if c.is_ascii_punctuation() => (c, false),
                _ => break,
            },
            _ => (c, ".[](){}*+?$^".contains(c) || !c.is_ascii()),
        };
        // A letter that is repeated may be there no time at all.
        let repeated = matches!(chars.as_str().chars().next(), Some('*' | '?' | '{'));
        if special || repeated {
            break;
        }
        prefix.extend(u8::try_from(literal));
    }
    prefix
}

/// A text with `$1` to `$9` for what the pattern's groups matched, `$$` for a dollar.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    /// Reads it; `Err` is a `$` without a group of `groups` behind it.
    pub(super) fn parse(text: &str, groups: usize) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut parts = text.split('$').peekable();
        let mut push = |text: &str| {
            if !text.is_empty() {
                pieces.push(Piece::Text(text.into()));
            }
        };
        push(parts.next().unwrap_or_default());
        while let Some(part) = parts.next() {
            let digit = part.chars().next().and_then(|c| c.to_digit(10));
            match digit {
                Some(digit @ 1..) if (digit as usize) <= groups => {
                    pieces.push(Piece::Group(digit as usize));
                    if part.len() > 1 {
                        pieces.push(Piece::Text(part[1..].into()));
                    }
                }
                Some(digit) => return Err(format!("there is no group {digit} in the pattern")),
                None if part.is_empty() && parts.peek().is_some() => {
                    let rest = parts.next().unwrap_or_default();
                    pieces.push(Piece::Text(format!("${rest}")));
                }
                None => return Err("write $1 to $9 for a group, $$ for a dollar".into()),
            }
        }
        Ok(Template(pieces))
    }

    /// The text; `None` if it has groups and all are empty, or nothing remains.
    fn fill(&self, captures: &Captures<'_>) -> Option<String> {
        let (mut filled, mut groups, mut told) = (Vec::new(), false, false);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.extend_from_slice(text.as_bytes()),
                Piece::Group(group) => {
                    groups = true;
                    let matched = captures.get(*group).map_or(&b""[..], |at| at.as_bytes());
                    told |= found::text(matched).is_some();
                    filled.extend_from_slice(&matched[..matched.len().min(found::MAX_TEXT)]);
                }
            }
        }
        (told || !groups).then(|| found::text(&filled)).flatten()
    }
}
