//! XML and grepable lines, read by what reads nmap's: xmllint with nmap's own DTD, ndiff,
//! python-libnmap.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::lab;
use super::program::{Closed, Open, Silent, json_lines};
use super::{dir, run_in};

/// Debian's nmap has it.
const DTD: &str = "/usr/share/nmap/nmap.dtd";

/// What libnmap reads, line by line.
const READ: &str = r#"
import sys
from libnmap.parser import NmapParser
report = NmapParser.parse_fromfile(sys.argv[1])
print("run", report.started, report.endtime, report.elapsed, report.hosts_total, report.hosts_up)
print("ports", report.scan_type, report.numservices)
for host in report.hosts:
    print("host", host.address, ",".join(host.hostnames), host.status, host.starttime)
    for service in host.services:
        print("port", service.port, service.protocol, service.state, service.reason)
    for reason in host.extraports_reasons:
        print("rest", host.extraports_state["state"]["state"], reason["reason"], reason["count"])
"#;

fn output(command: &mut Command) -> Option<Output> {
    command.output().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Validates `file` against nmap's DTD; whether that can be done here.
pub fn validate(test: &str, file: &Path) -> bool {
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet", "--dtdvalid", DTD]);
    let checked = output(xmllint.arg(file)).filter(|_| Path::new(DTD).exists());
    let Some(checked) = checked else {
        lab::skip(test, "xmllint and nmap's DTD are not installed");
        return false;
    };
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    true
}

/// Where python-libnmap is; it is fetched once.
fn libnmap() -> Option<PathBuf> {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libnmap-0.7.3");
    if place.join("libnmap").is_dir() {
        return Some(place);
    }
    // Whole or not at all, whoever else is at it.
    let fetched = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).ok()?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(fetched.path())
        .arg("python-libnmap==0.7.3");
    output(&mut pip).filter(|pip| pip.status.success())?;
    let _ = std::fs::rename(fetched.path(), &place);
    place.join("libnmap").is_dir().then_some(place)
}

fn started(line: &Value) -> Timestamp {
    let time = line["started"].as_str().expect("a time");
    time.parse().expect("RFC 3339")
}

/// The facts of NDJSON as [`READ`] prints them; of what is not listed as `rest` says.
fn facts(lines: &[Value], rest: &str) -> Vec<String> {
    let end = lines.last().expect("a run line");
    let elapsed = end["elapsed_s"].as_f64().expect("seconds");
    let ended = started(end) + Duration::from_secs_f64(elapsed);
    let (begun, ended) = (started(end).as_second(), ended.as_second());
    let is_host = |line: &&Value| line["type"] == "host";
    let host = lines.iter().find(is_host).expect("a host");
    let mut facts = vec![
        // Python has no zero at the end of a fraction.
        format!(
            "run {begun} {ended} {:?} 1 1",
            (elapsed * 100.0).round() / 100.0
        ),
        format!("ports connect {}", end["planned"]),
        format!("host 127.0.0.1 localhost up {}", started(host).as_second()),
    ];
    facts.extend(
        listed(lines).map(|[port, state, reason]| format!("port {port} tcp {state} {reason}")),
    );
    facts.push(rest.into());
    facts
}

/// Port, state and reason of the ports of NDJSON, ascending.
fn listed(lines: &[Value]) -> impl Iterator<Item = [String; 3]> {
    let ports = lines.iter().filter(|line| line["type"] == "port");
    let mut ports: Vec<_> = ports.collect();
    ports.sort_by_key(|line| line["port"].as_u64());
    let text = |line: &Value, key: &str| line[key].to_string().replace('"', "");
    let ports: Vec<_> = ports
        .into_iter()
        .map(|line| ["port", "state", "reason"].map(|key| text(line, key)))
        .collect();
    ports.into_iter()
}

#[test]
fn nmaps_readers_find_the_same_facts() {
    let test = "nmap::nmaps_readers_find_the_same_facts";
    let dir = dir();
    let (open, other, closed) = (Open::new(), Open::new(), Closed::new());
    let silent = Silent::new();
    let ports = [open.port(), other.port(), closed.port(), silent.port()];
    let spec = ports.map(|port| port.to_string()).join(",");
    let args = format!("localhost -4 -p 1,{spec} -t 0.3 --retries 1");
    let outputs = "-o a.xml -o a.gnmap -o a.ndjson";
    let ran = run_in(&dir, &format!("{args} --show filtered {outputs}"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let file = |name: &str| dir.path().join(name);
    let lines = json_lines(&std::fs::read_to_string(file("a.ndjson")).expect("made"));
    check_lines(
        &lines,
        &std::fs::read_to_string(file("a.gnmap")).expect("made"),
    );
    if !validate(test, &file("a.xml")) {
        return;
    }

    // The same scan is the same, and a port that was open is told.
    let ndiff = |one: &str, two: &str| {
        output(
            Command::new("ndiff")
                .current_dir(dir.path())
                .args([one, two]),
        )
    };
    let Some(same) = ndiff("a.xml", "a.xml") else {
        return lab::skip(test, "ndiff is not installed");
    };
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
    let gone = format!("{}/tcp", other.port());
    drop(other);
    let ran = run_in(&dir, &format!("{args} --show closed -o b.xml"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let differ = ndiff("a.xml", "b.xml").expect("it was there");
    assert_eq!(differ.status.code(), Some(1), "{}", text(&differ.stderr));
    let differ = text(&differ.stdout);
    let told = differ.lines().filter(|line| line.contains(&gone));
    let told: Vec<_> = told
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(told, ["open", "closed"], "{differ}");
    assert!(
        !differ.contains(&format!("{}/tcp", open.port())),
        "{differ}"
    );

    let Some(libnmap) = libnmap() else {
        return lab::skip(test, "python-libnmap cannot be had: python3, pip, PyPI");
    };
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", libnmap).args(["-c", READ]);
    let read = output(python.arg(file("a.xml"))).expect("it was there for pip");
    assert!(read.status.success(), "{}", text(&read.stderr));
    let read = text(&read.stdout);
    let wanted = facts(&lines, "rest closed conn-refused 2");
    assert_eq!(read.lines().collect::<Vec<_>>(), wanted);
}

/// Grepable lines have the facts of NDJSON.
fn check_lines(lines: &[Value], text: &str) {
    let text: Vec<_> = text.lines().collect();
    let ports = lines[0]["ports"].as_str().expect("told");
    let scanned = format!("# Ports scanned: TCP(5;{ports}) UDP(0;) SCTP(0;) PROTOCOLS(0;)");
    assert_eq!(text[1], scanned);
    let fields = text[3].split('\t');
    let fields: BTreeMap<_, _> = fields.filter_map(|field| field.split_once(": ")).collect();
    assert_eq!(fields["Host"], "127.0.0.1 (localhost)");
    assert_eq!(fields["Ignored State"], "closed (2)");
    let port = |port: &str| port.split('/').take(3).collect::<Vec<_>>().join(" ");
    let found: Vec<_> = fields["Ports"].split(", ").map(port).collect();
    let wanted = listed(lines).map(|[port, state, _]| format!("{port} {state} tcp"));
    assert_eq!(found, wanted.collect::<Vec<_>>());
}

/// Ctrl-C: everything that was opened is closed, and what is missing is counted.
#[cfg(unix)]
#[test]
fn an_interrupted_document_is_whole() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let test = "nmap::an_interrupted_document_is_whole";
    let dir = dir();
    let args = "127.0.0.0/30 -p 1-600 --rate 100/s -o a.xml -o a.gnmap";
    let child = Command::new(super::program::path())
        .args(args.split(' '))
        .current_dir(dir.path())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("it runs");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130));
    let xml = std::fs::read_to_string(dir.path().join("a.xml")).expect("it is there");
    assert!(xml.ends_with("</runstats>\n</nmaprun>\n"), "{xml}");
    assert!(
        xml.contains(r#"exit="error" errormsg="incomplete: "#),
        "{xml}"
    );
    assert!(
        xml.contains(r#"<extrareasons reason="interrupted""#),
        "{xml}"
    );
    let counts = xml.split("count=\"").skip(1);
    let counts = counts.filter_map(|rest| rest.split('"').next()?.parse::<u64>().ok());
    // Each host has all its ports, by state and again by reason.
    let hosts = xml.matches("<host ").count() as u64;
    let open = xml.matches(r#"<state state="open""#).count() as u64;
    assert!(hosts > 0, "{xml}");
    assert_eq!(counts.sum::<u64>() + 2 * open, 1200 * hosts, "{xml}");
    let lines = std::fs::read_to_string(dir.path().join("a.gnmap")).expect("it is there");
    let last = lines.lines().last().expect("lines");
    assert!(last.starts_with("# nishad done at "), "{lines}");
    assert!(last.contains("; incomplete: "), "{lines}");
    validate(test, &dir.path().join("a.xml"));
}
