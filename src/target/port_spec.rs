//! What may be typed for ports: `22,80,8000-8100,-1024,60000-,-,http,ssh`.
//!
//! An open end of a range means 1 or 65535, so port 0 is in only when it is named. An item of
//! digits and dashes is a port or a range, any other a service name.

use super::PortSet;
use super::ports::Bits;
use super::shown::shown;

/// Why a port specification cannot be read. Pieces of it are escaped and cut for display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortSpecError {
    /// There is nothing in it.
    #[error("no ports given; write ports, ranges and service names, as in 22,80,8000-8100,http")]
    Empty,
    /// Nothing stands before, after or between two commas.
    #[error("empty item in `{spec}`: a comma too many, or a port missing")]
    EmptyItem {
        /// The whole specification.
        spec: String,
    },
    /// A number above 65535.
    #[error("port {port} is above 65535, the highest there is")]
    TooHigh {
        /// The number.
        port: String,
    },
    /// A range whose last port is below its first.
    #[error("range {first}-{last} runs backwards; did you mean {last}-{first}?")]
    Backwards {
        /// The port before the dash.
        first: u16,
        /// The port after the dash.
        last: u16,
    },
    /// More than one dash among digits.
    #[error("`{item}` is no range; a range has one dash, as in 8000-8100")]
    BadRange {
        /// The item.
        item: String,
    },
    /// Two things with blanks and no comma between them.
    #[error("`{item}` is no port; separate ports with commas, as in 22,80")]
    Blank {
        /// The item.
        item: String,
    },
    /// A service name nobody knows.
    #[error("`{name}` is no service name; {}", hint(.name, .similar))]
    UnknownService {
        /// The name.
        name: String,
        /// A known name like it.
        similar: Option<String>,
    },
}

fn hint(name: &str, similar: &Option<String>) -> String {
    match similar {
        _ if ["*", "all", "any"].contains(&name) => "- is all ports, 1 to 65535".to_string(),
        Some(similar) => format!("did you mean `{similar}`?"),
        None => "write the port's number instead".to_string(),
    }
}

impl PortSet {
    /// Reads a port specification. `resolve_service` gives the port of a service name in lower
    /// case.
    ///
    /// # Errors
    /// The first item that cannot be read.
    pub fn parse(
        spec: &str,
        resolve_service: impl Fn(&str) -> Option<u16>,
    ) -> Result<PortSet, PortSpecError> {
        if spec.trim().is_empty() {
            return Err(PortSpecError::Empty);
        }
        let mut ports = Bits::default();
        for item in spec.split(',').map(str::trim) {
            if item.is_empty() {
                return Err(PortSpecError::EmptyItem { spec: shown(spec) });
            }
            let (first, last) = range(item, &resolve_service)?;
            ports.insert_range(first, last);
        }
        Ok(ports.into())
    }
}

/// First and last port of an item.
fn range(
    item: &str,
    resolve_service: &impl Fn(&str) -> Option<u16>,
) -> Result<(u16, u16), PortSpecError> {
    let numeric = |c: char| c.is_ascii_digit() || c == '-' || c.is_ascii_whitespace();
    if !item.chars().all(numeric) {
        return service(item, resolve_service).map(|port| (port, port));
    }
    let Some((first, last)) = item.split_once('-') else {
        return number(item, item).map(|port| (port, port));
    };
    let (first, last) = (first.trim(), last.trim());
    if last.contains('-') {
        return Err(PortSpecError::BadRange { item: shown(item) });
    }
    let first = if first.is_empty() {
        1
    } else {
        number(first, item)?
    };
    let last = if last.is_empty() {
        u16::MAX
    } else {
        number(last, item)?
    };
    if last < first {
        return Err(PortSpecError::Backwards { first, last });
    }
    Ok((first, last))
}

/// The port that `digits` stand for; they may still have blanks between them.
fn number(digits: &str, item: &str) -> Result<u16, PortSpecError> {
    if digits.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(PortSpecError::Blank { item: shown(item) });
    }
    // Digits alone are refused only for being too many.
    digits.parse().map_err(|_| PortSpecError::TooHigh {
        port: shown(digits),
    })
}

/// The port of a service.
fn service(
    name: &str,
    resolve_service: &impl Fn(&str) -> Option<u16>,
) -> Result<u16, PortSpecError> {
    if name.contains(char::is_whitespace) {
        return Err(PortSpecError::Blank { item: shown(name) });
    }
    let lower = name.to_ascii_lowercase();
    resolve_service(&lower).ok_or_else(|| PortSpecError::UnknownService {
        name: shown(name),
        similar: similar(&lower, resolve_service),
    })
}

/// Longest name that is looked for under another spelling; the registry has none above 15.
const LONGEST_NAME: usize = 16;

/// A known name one slip away from `name`: letters swapped, left out, mistyped or too many, in
/// this order, and of several the one with the lowest port.
fn similar(name: &str, resolve_service: &impl Fn(&str) -> Option<u16>) -> Option<String> {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-";
    let name = name.as_bytes();
    if name.len() > LONGEST_NAME || !name.is_ascii() {
        return None;
    }
    let (mut swapped, mut left_out, mut mistyped, mut too_many) = (vec![], vec![], vec![], vec![]);
    for i in 0..=name.len() {
        for letter in LETTERS {
            left_out.push([&name[..i], &[*letter], &name[i..]].concat());
            if i < name.len() {
                mistyped.push([&name[..i], &[*letter], &name[i + 1..]].concat());
            }
        }
        if i < name.len() {
            too_many.push([&name[..i], &name[i + 1..]].concat());
        }
        if i + 1 < name.len() {
            let mut name = name.to_vec();
            name.swap(i, i + 1);
            swapped.push(name);
        }
    }
    [swapped, left_out, mistyped, too_many]
        .into_iter()
        .find_map(|names| {
            let names = names
                .into_iter()
                .filter_map(|name| String::from_utf8(name).ok());
            let known = names.filter_map(|name| Some((resolve_service(&name)?, name)));
            known.min().map(|(_, name)| name)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::service;

    fn parse(spec: &str) -> Result<PortSet, PortSpecError> {
        PortSet::parse(spec, service::port)
    }

    fn shown_as(spec: &str) -> String {
        parse(spec).expect(spec).to_string()
    }

    fn error(spec: &str) -> String {
        parse(spec).expect_err(spec).to_string()
    }

    #[test]
    fn specifications() {
        for (spec, expected) in [
            ("22", "22"),
            ("22,80,8000-8100", "22,80,8000-8100"),
            ("-1024", "1-1024"),
            ("60000-", "60000-65535"),
            ("-", "1-65535"),
            ("http,ssh", "22,80"),
            (
                "22,80,8000-8100,-1024,60000-,http,ssh",
                "1-1024,8000-8100,60000-65535",
            ),
            ("22,80,8000-8100,-1024,60000-,-,http,ssh", "1-65535"),
            ("0", "0"),
            ("0-10", "0-10"),
            ("0,-", "0-65535"),
            ("0-", "0-65535"),
            ("65535", "65535"),
            ("80,80,80-80", "80"),
            ("3,2,1", "1-3"),
            (" 22 , 80\t,8000 - 8001 ", "22,80,8000-8001"),
            ("HTTP,Ssh", "22,80"),
            ("http-alt", "8080"),
            ("ms-wbt-server", "3389"),
            ("914c-g", "211"),
            ("0080", "80"),
        ] {
            assert_eq!(shown_as(spec), expected, "{spec}");
        }
    }

    #[test]
    fn errors_name_the_piece_and_what_would_be_right() {
        for (spec, expected) in [
            (
                "",
                "no ports given; write ports, ranges and service names, as in 22,80,8000-8100,http",
            ),
            (
                " \t",
                "no ports given; write ports, ranges and service names, as in 22,80,8000-8100,http",
            ),
            (
                "22,,80",
                "empty item in `22,,80`: a comma too many, or a port missing",
            ),
            (
                "22,",
                "empty item in `22,`: a comma too many, or a port missing",
            ),
            (
                ",",
                "empty item in `,`: a comma too many, or a port missing",
            ),
            ("70000", "port 70000 is above 65535, the highest there is"),
            ("1-65536", "port 65536 is above 65535, the highest there is"),
            ("90-80", "range 90-80 runs backwards; did you mean 80-90?"),
            ("-0", "range 1-0 runs backwards; did you mean 0-1?"),
            (
                "1-2-3",
                "`1-2-3` is no range; a range has one dash, as in 8000-8100",
            ),
            (
                "--",
                "`--` is no range; a range has one dash, as in 8000-8100",
            ),
            (
                "22 80",
                "`22 80` is no port; separate ports with commas, as in 22,80",
            ),
            (
                "8000 8001-8002",
                "`8000 8001-8002` is no port; separate ports with commas, as in 22,80",
            ),
            (
                "ssh http",
                "`ssh http` is no port; separate ports with commas, as in 22,80",
            ),
            ("htpp", "`htpp` is no service name; did you mean `http`?"),
            ("shh", "`shh` is no service name; did you mean `ssh`?"),
            ("hsttp", "`hsttp` is no service name; did you mean `http`?"),
            (
                "telent",
                "`telent` is no service name; did you mean `telnet`?",
            ),
            (
                "all",
                "`all` is no service name; - is all ports, 1 to 65535",
            ),
            ("*", "`*` is no service name; - is all ports, 1 to 65535"),
            (
                "no-such-thing",
                "`no-such-thing` is no service name; write the port's number instead",
            ),
            (
                "+80",
                "`+80` is no service name; write the port's number instead",
            ),
            (
                "8０",
                "`8０` is no service name; write the port's number instead",
            ),
            (
                "\u{202e}a\x1b[31m",
                "`\\u{202e}a\\u{1b}[31m` is no service name; write the port's number instead",
            ),
        ] {
            assert_eq!(error(spec), expected, "{spec:?}");
        }
        let long = error(&"9".repeat(100_000));
        assert_eq!(
            long,
            format!(
                "port {}… is above 65535, the highest there is",
                "9".repeat(60)
            )
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(spec in ".*") {
            check(&spec);
        }

        #[test]
        fn arbitrary_items_never_panic(spec in "[-0-9, a-c]{0,24}") {
            check(&spec);
        }
    }

    /// Reads `spec`; an error is one printable line of bounded length.
    fn check(spec: &str) {
        if let Err(error) = PortSet::parse(spec, |name| (name == "a").then_some(1)) {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 1000, "{text:?}");
        }
    }
}
