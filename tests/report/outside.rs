//! Bytes from outside in every format, read back by a real parser of each.

use std::path::Path;

use nishad::target::RunKey;
use quick_xml::events::Event;
use serde_json::Value;

use super::nmap::validate;
use super::program::{Ran, json_lines, nishad};
use super::{dir, run_in};

/// Names that hosts and services may have in a file that somebody else wrote.
const NAMES: [&str; 12] = [
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{202e}\u{2066}exe.txt\u{200b}\u{feff}",
    "a\0b\u{7f}\u{85}\u{9b}31m",
    "]]></host><![CDATA[",
    "</script><script>alert(1)</script>",
    "--><!--",
    "\"quoted\", 'twice'\r\nand broken\ttwice",
    "=HYPERLINK(\"http://192.0.2.1\")",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
];

const FORMATS: [&str; 6] = ["text", "ndjson", "csv", "list", "xml", "grepable"];

/// A result of which each host has one of the names, and its open port a service of that name.
fn saved(names: &[String]) -> String {
    // Two long names are more than a line may have.
    let short = |name: &str| name.chars().take(100).collect::<String>();
    let time = "2026-01-31T20:05:30.000001Z";
    let hosts = names.len();
    let ports = RunKey::new("x".into(), &[22, 23].into_iter().collect(), 7, None).ports;
    let mut lines = vec![serde_json::json!({
        "type": "start", "schema": 1, "version": NAMES[0], "args": names, "seed": 7,
        "run_id": "0".repeat(32),
        "key": {"targets": "x", "ports": ports, "seed": 7, "shards": null, "options": {}},
        "ports": "22-23", "shard": null, "show": null, "started": time, "hosts": hosts,
        "planned": 2 * hosts, "run_hosts": hosts, "run_planned": 2 * hosts, "targets_failed": 0,
    })];
    for (index, name) in names.iter().enumerate() {
        let ip = format!("192.0.2.{}", index + 1);
        lines.push(serde_json::json!({
            "type": "port", "ip": ip, "host": name, "port": 22, "proto": "tcp", "state": "open",
            "reason": "syn-ack", "from": null, "service": short(name), "rtt_ms": 0.3, "attempts": 1,
            "time": time,
        }));
        lines.push(serde_json::json!({
            "type": "host", "ip": ip, "host": name, "planned": 2, "open": 1, "closed": 1,
            "filtered": 0, "unscanned": 0, "reasons": {"syn-ack": 1, "conn-refused": 1},
            "miss": 0.0, "loss": null, "refusals_limited": false, "suspect": null,
            "suspect_ports": null, "open_not_listed": 0, "started": time, "elapsed_s": 1.5,
        }));
    }
    lines.push(serde_json::json!({
        "type": "run", "schema": 1, "version": "0", "args": [], "seed": 7,
        "run_id": "0".repeat(32), "shard": null, "started": time, "elapsed_s": 2.0,
        "hosts": hosts, "silent_hosts": 0, "planned": 2 * hosts, "open": hosts,
        "closed": hosts, "filtered": 0, "unscanned": 0, "attempts": 9, "miss": 0.0,
        "targets_failed": 0, "complete": true,
    }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Makes every format of `saved`; what each has, and that nothing in it drives a terminal.
fn formats(folder: &Path, saved: &str) -> Vec<String> {
    std::fs::write(folder.join("saved"), saved).expect("writable");
    let mut command = nishad();
    command
        .current_dir(folder)
        .args(["report", "saved", "--force"]);
    for format in FORMATS {
        command.arg("-o").arg(format!("{format}:{format}"));
    }
    let ran = Ran::from(command.output().expect("the program starts"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("UTF-8");
        // Ends of lines, and what stands between fields.
        let own = match name {
            "csv" => "\r\n",
            "grepable" => "\t\n",
            _ => "\n",
        };
        let marks = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}'];
        let raw = text
            .chars()
            .find(|c| (c.is_control() || marks.contains(c)) && !own.contains(*c));
        assert_eq!(raw, None, "{name}");
        text
    };
    FORMATS.map(read).into()
}

#[test]
fn what_comes_from_outside_is_data_in_every_format() {
    let dir = dir();
    let names = NAMES.map(String::from);
    let formats = formats(dir.path(), &saved(&names));
    let [text, ndjson, rows, list, xml, grepable] = formats.try_into().expect("six of them");
    // Two formats undo what they write.
    let lines = json_lines(&ndjson);
    let ports = lines.iter().filter(|line| line["type"] == "port");
    let hosts: Vec<_> = ports
        .clone()
        .filter_map(|line| line["host"].as_str())
        .collect();
    assert_eq!(hosts, NAMES);
    let services: Vec<_> = ports.filter_map(|line| line["service"].as_str()).collect();
    assert_eq!(services, NAMES);
    assert_eq!(lines[0]["args"], Value::from(NAMES.to_vec()));
    let in_xml = |name: &str| {
        let illegal = |c: char| c.is_ascii_control() && !"\t\r\n\u{7f}".contains(c);
        name.replace(illegal, "\u{fffd}")
    };
    assert_eq!(attributes(&xml, "hostname"), NAMES.map(in_xml));
    assert_eq!(attributes(&xml, "service"), NAMES.map(in_xml));
    validate(
        "outside::what_comes_from_outside_is_data_in_every_format",
        &dir.path().join("xml"),
    );
    // The others show it: of each name the letters that are none of its tricks.
    let mut rows = csv::Reader::from_reader(rows.as_bytes());
    let rows: Vec<_> = rows.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), NAMES.len());
    for (row, name) in rows.iter().zip(NAMES) {
        for cell in [&row[1], &row[7]] {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell}"
            );
            let is_formula = name.starts_with(['=', '+', '-', '@', '\t']);
            assert_eq!(cell.starts_with('\''), is_formula, "{cell}");
        }
        assert_eq!((&row[2], &row[4], row.len()), ("22", "open", 14));
    }
    assert_eq!(list.lines().count(), NAMES.len());
    assert!(
        list.lines()
            .all(|line| line.starts_with("192.0.2.") && line.ends_with(":22"))
    );
    let port = |line: &&str| line.starts_with("Port 22: OPEN  ");
    assert_eq!(text.lines().filter(port).count(), NAMES.len(), "{text}");
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("Scanning target: 192.0.2."))
            .count(),
        NAMES.len()
    );
    let hosts: Vec<_> = grepable
        .lines()
        .filter(|line| line.contains("Ports: 22/open/tcp//"))
        .collect();
    assert_eq!(hosts.len(), NAMES.len(), "{grepable}");
    for line in hosts {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(
            (fields.len(), fields[2]),
            (3, "Ignored State: closed (1)"),
            "{line}"
        );
        assert_eq!(fields[1].matches('/').count(), 7, "{line}");
    }
}

/// The values of `name` of each such tag, as a reader has them.
fn attributes(xml: &str, tag: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Empty(start) if start.name().as_ref() == tag => {
                let name = start
                    .try_get_attribute("name")
                    .expect("well-formed")
                    .expect("it is there");
                found.push(
                    name.normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .expect("escaped")
                        .into_owned(),
                );
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

/// 10 MB in one line are read, and no more of it is shown than is of use; of lines that are longer
/// than any can be, one line tells.
#[test]
fn long_lines_are_cut_or_named() {
    let dir = dir();
    let long = "x".repeat(10 << 20);
    let formats = formats(dir.path(), &saved(std::slice::from_ref(&long)));
    for (format, text) in FORMATS.iter().zip(&formats) {
        match *format {
            "ndjson" => assert_eq!(json_lines(text)[1]["host"], long.as_str()),
            // The command line is as long as it is.
            "xml" => assert!(text.len() < 4 << 20, "{}", text.len()),
            format => assert!(text.len() < 8192, "{format}: {}", text.len()),
        }
    }
    validate(
        "outside::long_lines_are_cut_or_named",
        &dir.path().join("xml"),
    );

    let longer = saved(&["x".repeat(17 << 20)]);
    std::fs::write(dir.path().join("longer"), longer).expect("writable");
    let ran = run_in(&dir, "report longer --format list");
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.err,
        "error: longer has no start line; it is nothing that --format ndjson saved\n"
    );
    let saved = saved(&["host".into()]) + &" ".repeat(17 << 20) + "\n";
    std::fs::write(dir.path().join("longer"), saved).expect("writable");
    let ran = run_in(&dir, "report longer --format list");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "192.0.2.1:22\n"));
    assert_eq!(ran.err, "error: longer:5: longer than 16 MiB\n");
}

/// Bytes that are no text, and names of files that drive a terminal.
#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let dir = dir();
    let name = OsStr::from_bytes(b"\x1b[2J\xff\n.ndjson");
    let mut bytes = saved(&["host".into()]).into_bytes();
    bytes.extend(b"\xff\xfe{\"type\":\"port\"}\n\0\0\n");
    std::fs::write(dir.path().join(name), bytes).expect("writable");
    let mut command = nishad();
    command.current_dir(dir.path()).arg("report").arg(name);
    let ran = Ran::from(
        command
            .args(["--format", "list"])
            .output()
            .expect("it starts"),
    );
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "192.0.2.1:22\n"));
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    for (line, number) in lines.iter().zip([5, 6]) {
        let start = format!("error: \\u{{1b}}[2J\u{fffd}\\u{{a}}.ndjson:{number}: ");
        assert!(line.starts_with(&start), "{line}");
    }
    // What is written there, and what cannot be.
    let mut command = nishad();
    command
        .current_dir(dir.path())
        .args(["report", "-", "-o"])
        .arg(name);
    let ran = Ran::from(command.write_stdin(saved(&[])).output().expect("it starts"));
    let wanted = "error: --output: \\u{1b}[2J\u{fffd}\\u{a}.ndjson exists; --force overwrites it\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), wanted));
}
