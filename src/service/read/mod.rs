//! Answers in binary protocols, and HTTP's: a small function each, from bytes to what they tell.
//!
//! None of them allocates more than a [`Service`] and the answer itself take, or reads beyond the
//! answer; one that is cut short is read as far as it goes.

mod brokers;
mod bytes;
mod databases;
mod directories;
mod http;
mod lines;
mod screens;
mod windows;

use super::found::Service;
use super::rules::GREETING;
pub(crate) use http::Parts;

/// Reads an answer: what it tells, if it is of the reader's protocol.
type Reader = fn(&[u8]) -> Option<Service>;

/// Readers of what a probe asks for.
const ASKED: [(&str, Reader); 10] = [
    ("postgresql", databases::postgresql_tls),
    ("postgresql-login", databases::postgresql),
    ("smb", databases::postgresql_by_error),
    ("mongodb", databases::mongodb),
    ("ldap", directories::ldap),
    ("dns", directories::dns),
    ("x11", screens::x11),
    ("rdp", windows::rdp),
    ("mqtt", brokers::mqtt),
    ("cassandra", databases::cassandra),
];

/// Readers of answers that are told from all others, whatever was asked.
const UNMISTAKABLE: [Reader; 6] = [
    http::read,
    databases::mysql,
    windows::smb,
    brokers::amqp,
    databases::cassandra,
    screens::telnet,
];

/// What `answer` to `probe` tells.
pub(crate) fn read(probe: &str, answer: &[u8]) -> Option<Service> {
    let asked = ASKED.iter().filter(|(name, _)| *name == probe);
    let readers = asked.map(|(_, reader)| reader).chain(&UNMISTAKABLE);
    readers.into_iter().find_map(|reader| reader(answer))
}

/// The parts of an HTTP response that rules look at; none of what is no response.
pub(crate) fn parts(answer: &[u8]) -> Parts<'_> {
    http::parts_of(answer).unwrap_or_default()
}

/// Whether nothing more is to be expected of `answer` to `probe`: its last line, or the end of a
/// page. `None` where that cannot be told, as of binary protocols: a pause will.
pub(crate) fn is_whole(probe: &str, answer: &[u8]) -> Option<bool> {
    http::is_whole(answer).or_else(|| lines::is_whole(probe, answer))
}

/// Whether a greeting of several lines has not come to its last one.
pub(crate) fn goes_on(greeting: &[u8]) -> bool {
    lines::is_whole(GREETING, greeting) == Some(false)
}

#[cfg(all(test, feature = "services"))]
mod tests;
