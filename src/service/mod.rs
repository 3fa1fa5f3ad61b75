//! What a port is for, and what is really behind it.
//!
//! [`Talk`] finds out what answers on an open port, without any I/O of its own, by the [`Rules`];
//! [`Service`] is what it found. [`name`] is only what a port is registered for:
//!
//! Names are those of the IANA Service Name and Transport Protocol Port Number Registry for TCP,
//! as of 2026-02-13, in lower case. Behind a registered name stand others that the port is known
//! by, for reading only; 21 ports in wide use without an assignment have their usual name. The
//! table is text, a line for a port, searched where it lies: nothing is built at the start.

mod alike;
mod found;
mod popular;
mod read;
mod rules;
pub mod talk;
mod tls;

pub use alike::{Alike, Likeness, MIN_ALIKE};
pub use found::{
    Certificate, Fault, Http, MAX_CPE, MAX_EVIDENCE, MAX_NAMES, MAX_TEXT, Manner, Service, Tls,
};
pub use rules::{Identified, Rules, RulesError};
pub use talk::Talk;

/// Lines of a port or range, a tab, its name, and more names behind tabs; ascending.
static TABLE: &str = include_str!("tcp-services.tsv");

/// Longest name that is looked up; the registry has none above 15.
const LONGEST_NAME: usize = 32;

/// The registered service name of a TCP port.
pub fn name(port: u16) -> Option<&'static str> {
    let table = TABLE.as_bytes();
    let (mut begin, mut end) = (0, table.len());
    while begin < end {
        let mut start = begin + (end - begin) / 2;
        while start > begin && table[start - 1] != b'\n' {
            start -= 1;
        }
        let (first, at) = number(start);
        let (last, at) = match table.get(at) {
            Some(b'-') => number(at + 1),
            _ => (first, at),
        };
        if port < first {
            end = start;
        } else if port > last {
            let rest = table[at..end].iter().position(|&c| c == b'\n')?;
            begin = at + rest + 1;
        } else {
            return TABLE[at + 1..].split(['\t', '\n']).next();
        }
    }
    None
}

/// [`name`] for many ports, quicker: they must be asked for in ascending order. A lower one than
/// before has no name.
pub fn names() -> impl FnMut(u16) -> Option<&'static str> {
    let entry = |line: &'static str| {
        let (ports, names) = line.split_once('\t')?;
        Some((range(ports)?, names.split('\t').next()?))
    };
    let mut entries = TABLE.lines().filter_map(entry).peekable();
    move |port| {
        while entries.next_if(|((_, last), _)| *last < port).is_some() {}
        let ((first, _), name) = entries.peek()?;
        (*first <= port).then_some(*name)
    }
}

/// The TCP port of a service name, in upper or lower case: the lowest if several have it, but
/// 8080 for `http-alt`, as everywhere.
pub fn port(name: &str) -> Option<u16> {
    let name = name.to_ascii_lowercase();
    if name == "http-alt" {
        return Some(8080);
    }
    // The registry's names with underscores are historic; it has them with hyphens.
    find(&name).or_else(|| find(&name.replace('_', "-")))
}

/// The ports most often found open, most frequent first.
pub fn popular() -> &'static [u16] {
    popular::POPULAR
}

fn find(name: &str) -> Option<u16> {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.+".contains(&c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(letter) {
        return None;
    }
    let field = format!("\t{name}");
    let (at, _) = TABLE
        .match_indices(&field)
        .find(|(at, _)| matches!(TABLE.as_bytes().get(at + field.len()), Some(b'\t' | b'\n')))?;
    let start = TABLE[..at].rfind('\n').map_or(0, |end| end + 1);
    let ports = TABLE[start..at].split('\t').next()?;
    range(ports).map(|(first, _)| first)
}

/// The port whose digits begin at `at` in the table, and where they end.
fn number(mut at: usize) -> (u16, usize) {
    let mut number: u16 = 0;
    while let Some(digit @ b'0'..=b'9') = TABLE.as_bytes().get(at) {
        number = number.wrapping_mul(10).wrapping_add((digit - b'0').into());
        at += 1;
    }
    (number, at)
}

/// `22` or `6000-6063`.
fn range(ports: &str) -> Option<(u16, u16)> {
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_in_a_row_are_those_of_each() {
        let mut names = names();
        for port in (0..3000).chain((3000..=u16::MAX).step_by(17)) {
            assert_eq!(names(port), name(port), "port {port}");
        }
        assert_eq!(names(22), None);
    }

    #[test]
    fn names_of_well_known_ports() {
        for (port, expected) in [
            (1, "tcpmux"),
            (22, "ssh"),
            (80, "http"),
            (443, "https"),
            (465, "submissions"),
            (2049, "nfs"),
            (3389, "ms-wbt-server"),
            (6000, "x11"),
            (6063, "x11"),
            (6379, "redis"),
            (8080, "http-alt"),
            (27017, "mongodb"),
            (25565, "minecraft"),
        ] {
            assert_eq!(name(port), Some(expected), "port {port}");
        }
        assert_eq!(name(0), None);
        assert_eq!(name(4), None);
        assert_eq!(name(65535), None);
    }

    #[test]
    fn ports_of_names_in_any_case() {
        for (name, expected) in [
            ("http", 80),
            ("HTTPS", 443),
            ("Ssh", 22),
            ("www", 80),
            ("http-alt", 8080),
            ("whoispp", 63),
            ("esri_sde", 5151),
            ("ethernet-ip-1", 2222),
            ("rdp", 3389),
            ("x11", 6000),
        ] {
            assert_eq!(port(name), Some(expected), "{name}");
        }
        for unknown in [
            "",
            "h",
            "htt",
            "ttp",
            "80",
            "http\thttps",
            "http\n",
            "\t",
            "ſsh",
        ] {
            assert_eq!(port(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn every_line_is_found_by_port_and_by_name() {
        let (mut before, mut lines) = (None, 0);
        for line in TABLE.lines() {
            let mut fields = line.split('\t');
            let (first, last) = range(fields.next().expect("a field")).expect("ports");
            assert!(before < Some(first) && first <= last, "order at {line:?}");
            before = Some(last);
            let names: Vec<&str> = fields.collect();
            for port in first..=last {
                assert_eq!(name(port), Some(names[0]), "port {port}");
            }
            for name in names {
                let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                assert!(
                    name.chars().all(|c| letter(c) || "-_.+".contains(c)),
                    "{name:?}"
                );
                let found = port(name).expect("every name has a port");
                assert!(found <= first || name == "http-alt", "{name} is {found}");
            }
            lines += 1;
        }
        assert!(lines > 5_800, "{lines} lines");
        assert!(
            TABLE.is_ascii() && TABLE.len() <= 120 << 10,
            "{}",
            TABLE.len()
        );
    }

    #[test]
    fn no_port_has_a_name_that_the_table_lacks() {
        let listed: HashSet<u16> = TABLE
            .lines()
            .filter_map(|line| range(line.split('\t').next()?))
            .flat_map(|(first, last)| first..=last)
            .collect();
        for port in (0..3000).chain((3000..=u16::MAX).step_by(17)) {
            assert_eq!(name(port).is_some(), listed.contains(&port), "port {port}");
        }
    }

    #[test]
    fn popular_ports_are_many_and_each_once() {
        let popular = popular();
        assert!(popular.len() >= 1000);
        assert_eq!(popular[..5], [80, 23, 443, 21, 22]);
        assert!(!popular.contains(&0));
        let distinct: HashSet<&u16> = popular.iter().collect();
        assert_eq!(distinct.len(), popular.len());
    }
}
