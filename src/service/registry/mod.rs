//! The registered services: a table of names by port, packed by the build, and searched where it lies: nothing
//! is unpacked at the start.

mod pairs;

// In the order of ports, from 0 on:
// - COUNT: lines, one for each port that has a name;
// - RUNS: ports that follow one another: the first, and its line;
// - LINES: of each port its names, a tab between two, a line feed behind the last;
// - STARTS: where every STRIDEth of the lines begins;
// - PAIRS: the two bytes that one in LINES stands for, zeros if it stands for itself.
include!(concat!(env!("OUT_DIR"), "/registry.rs"));

/// Longest name that is looked up; the registry has none above 15.
const LONGEST_NAME: usize = 32;

/// The registered service name of a TCP port.
pub fn name(port: u16) -> Option<String> {
    let line = line(port)?;
    let start = STARTS.get(line / STRIDE)?;
    Some(first_name(ahead((*start).into(), line % STRIDE)))
}

/// [`name`] for many ports, quicker: they must be asked for in ascending order. A lower one than
/// before has no name.
pub fn names() -> impl FnMut(u16) -> Option<String> {
    let (mut before, mut at) = (0, 0);
    move |port| {
        let line = line(port)?;
        at = ahead(at, line.checked_sub(before)?);
        before = line;
        Some(first_name(at))
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

fn find(name: &str) -> Option<u16> {
    // What no name has stands for two letters in LINES.
    let letter = |c: u8| {
        let is_one = c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.+".contains(&c);
        is_one && PAIRS[usize::from(c)] == [0, 0]
    };
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(letter) {
        return None;
    }
    // As the build packs it: no pair reaches into another name.
    let mut packed = name.as_bytes().to_vec();
    let codes = (0..=u8::MAX).zip(PAIRS);
    for (code, pair) in codes.filter(|(_, pair)| *pair != [0, 0]) {
        pairs::replace(&mut packed, pair, code);
    }
    let has = |names: &[u8]| names.split(|c| *c == b'\t').any(|one| one == packed);
    let line = LINES.split(|c| *c == b'\n').position(has)?;
    let run = RUNS.partition_point(|(_, first)| usize::from(*first) <= line);
    let (port, first) = *RUNS.get(run.checked_sub(1)?)?;
    port.checked_add((line - usize::from(first)).try_into().ok()?)
}

/// Which line a port has.
fn line(port: u16) -> Option<usize> {
    let run = RUNS.partition_point(|(first, _)| *first <= port);
    let (first, line) = *RUNS.get(run.checked_sub(1)?)?;
    let line = usize::from(line) + usize::from(port - first);
    let end = RUNS.get(run).map_or(COUNT, |(_, next)| (*next).into());
    (line < end).then_some(line)
}

/// Where the line begins that is so many behind the one at `at`.
fn ahead(mut at: usize, lines: usize) -> usize {
    for _ in 0..lines {
        let end = LINES[at..].iter().position(|c| *c == b'\n');
        at += end.map_or(0, |end| end + 1);
    }
    at
}

/// The first name of the line that begins at `at`.
fn first_name(at: usize) -> String {
    let mut name = String::with_capacity(16);
    for packed in LINES[at..].iter().take_while(|c| !b"\t\n".contains(c)) {
        unpack(*packed, &mut name);
    }
    name
}

fn unpack(packed: u8, name: &mut String) {
    match PAIRS[usize::from(packed)] {
        [0, 0] => name.push(packed.into()),
        pair => pair.into_iter().for_each(|packed| unpack(packed, name)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Lines of a port or range, a tab, its name, and more names behind tabs; ascending.
    static TABLE: &str = include_str!("../tcp-services.tsv");

    /// `22` or `6000-6063`.
    fn range(ports: &str) -> Option<(u16, u16)> {
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        Some((first.parse().ok()?, last.parse().ok()?))
    }

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
            assert_eq!(name(port).as_deref(), Some(expected), "port {port}");
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

    /// `sun_c` was sunrpc: what no name has is a pair of letters where names are packed.
    #[test]
    fn a_letter_that_no_name_has_makes_no_name() {
        let letters = |c: &u8| b"_.+".contains(c) && PAIRS[usize::from(*c)] != [0, 0];
        let unused: Vec<u8> = (0..128).filter(letters).collect();
        assert!(!unused.is_empty(), "there is nothing to test");
        for code in unused {
            let mut written = String::new();
            unpack(code, &mut written);
            let name_of = |line: &'static str| line.split('\t').nth(1);
            for name in TABLE.lines().filter_map(name_of).take(500) {
                let wrong = name.replace(&written, &char::from(code).to_string());
                assert!(wrong == name || port(&wrong).is_none(), "{wrong} is {name}");
            }
        }
        assert_eq!(port("sun_c"), None);
    }

    #[test]
    fn every_line_is_found_by_port_and_many_by_name() {
        let (mut before, mut lines) = (None, 0);
        for line in TABLE.lines() {
            let mut fields = line.split('\t');
            let (first, last) = range(fields.next().expect("a field")).expect("ports");
            assert!(before < Some(first) && first <= last, "order at {line:?}");
            before = Some(last);
            let names: Vec<&str> = fields.collect();
            for port in first..=last {
                assert_eq!(name(port).as_deref(), Some(names[0]), "port {port}");
            }
            // All would take seconds.
            let few = if names.len() > 1 || lines % 8 == 0 {
                &names[..]
            } else {
                &[]
            };
            for name in few {
                let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                assert!(
                    name.chars().all(|c| letter(c) || "-_.+".contains(c)),
                    "{name:?}"
                );
                let found = port(name).expect("every name has a port");
                assert!(found <= first || *name == "http-alt", "{name} is {found}");
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
}
