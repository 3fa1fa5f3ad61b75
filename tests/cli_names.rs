//! Names: many at the same time, slow ones, hung ones, wrong ones. In a namespace of its own, the
//! names are those of a server that the test itself is.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "one test needs a part")]
#[path = "support/lab.rs"]
mod lab;
#[path = "support/program.rs"]
mod program;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::Lab;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::{Ran, counts, json_lines, path};
use serde_json::Value;
use tempfile::TempDir;

/// How late the answer for a slow name is.
const SLOW: Duration = Duration::from_millis(700);

/// A name server on 127.0.0.1:
/// - `h7.test` is 127.0.1.7, `two7.test` is 127.0.1.7 and 127.0.2.7;
/// - the same behind `slow-` after a while;
/// - `hung.test` is never answered, and nothing else is known.
struct Names {
    dir: TempDir,
    /// Questions that wait for their answer, and the most of them at once.
    waiting: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// How often each name was asked for.
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Names {
    /// Starts the server. `patience`: seconds after which the system gives up a name.
    fn new(patience: u32) -> Names {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the namespace is ours");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let resolv = format!("nameserver 127.0.0.1\noptions timeout:{patience} attempts:1\n");
        for (name, text) in [
            ("resolv.conf", resolv.as_str()),
            ("hosts", "127.0.0.1 localhost\n127.0.3.1 listed.test\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
        ] {
            std::fs::write(dir.path().join(name), text).expect("writable");
        }
        let names = Names {
            dir,
            waiting: Arc::default(),
            most: Arc::default(),
            asked: Arc::default(),
        };
        let (waiting, most, asked) = (
            names.waiting.clone(),
            names.most.clone(),
            names.asked.clone(),
        );
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let question = question[..length].to_vec();
                let Some((name, kind)) = parse(&question) else {
                    continue;
                };
                if kind == 1 {
                    *asked
                        .lock()
                        .expect("no panic")
                        .entry(name.clone())
                        .or_default() += 1;
                }
                let socket = socket.try_clone().expect("a descriptor");
                let (waiting, most) = (waiting.clone(), most.clone());
                std::thread::spawn(move || {
                    let now = waiting.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    let fast = name.strip_prefix("slow-");
                    if fast.is_some() {
                        std::thread::sleep(SLOW);
                    }
                    waiting.fetch_sub(1, Ordering::SeqCst);
                    let name = fast.unwrap_or(&name);
                    if name != "hung.test" {
                        let _ = socket.send_to(&answer(&question, name, kind), from);
                    }
                });
            }
        });
        names
    }

    /// The program with these names, and nobody else's.
    fn command(&self, args: &str) -> Command {
        let dir = self.dir.path().display();
        // What is not there cannot be covered; then the system does without it.
        let cover = |name: &str| {
            format!("if [ -e /etc/{name} ]; then mount --bind {dir}/{name} /etc/{name}; fi && ")
        };
        let covers: String = ["resolv.conf", "hosts", "nsswitch.conf"]
            .map(cover)
            .concat();
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c"])
            .arg(format!("{covers} exec {} {args}", path()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &str) -> Ran {
        let output = self.command(args).output();
        output.expect("unshare is there").into()
    }

    fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().expect("no panic");
        asked.get(name).copied().unwrap_or(0)
    }
}

/// Name and type of a question (RFC 1035, 4.1).
fn parse(question: &[u8]) -> Option<(String, u16)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        let label = question.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            let kind = question.get(at..at + 2)?;
            return Some((labels.join("."), u16::from_be_bytes([kind[0], kind[1]])));
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
}

/// The answer to `question` for `name`: its IPv4 addresses, none of IPv6, or that there is no such
/// name.
fn answer(question: &[u8], name: &str, kind: u16) -> Vec<u8> {
    let number = |prefix: &str| -> Option<u8> {
        name.strip_prefix(prefix)?
            .strip_suffix(".test")?
            .parse()
            .ok()
    };
    let (one, two) = (number("h"), number("two"));
    let addresses: Vec<[u8; 4]> = match (one, two) {
        (Some(n), _) => vec![[127, 0, 1, n]],
        (_, Some(n)) => vec![[127, 0, 1, n], [127, 0, 2, n]],
        _ => Vec::new(),
    };
    let known = !addresses.is_empty();
    let addresses = if kind == 1 { addresses } else { Vec::new() };
    // The question without what may follow it (EDNS).
    let end = 12
        + question[12..]
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(0)
        + 5;
    let mut answer = question[..end.min(question.len())].to_vec();
    answer[2] = 0x81;
    answer[3] = if known { 0x80 } else { 0x83 };
    answer[4..12].copy_from_slice(&[0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    for address in addresses {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address);
    }
    answer
}

fn ips(lines: &[Value]) -> Vec<&str> {
    let ips = lines.iter().filter(|line| line["type"] == "host");
    ips.filter_map(|line| line["ip"].as_str()).collect()
}

fn start(names: &Names, args: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = names.command(args).spawn().expect("unshare is there");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    (child, out)
}

#[test]
fn what_is_known_is_scanned_while_names_are_resolved() {
    let test = "what_is_known_is_scanned_while_names_are_resolved";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(2);
    let ran = names.run(
        "127.0.0.1 slow-h2.test hung.test slow-h1.test h3.test nobody.test -p 1,2 --format ndjson --order sequential",
    );
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let lines = json_lines(&ran.out);
    let order = ips(&lines);
    assert_eq!(order.len(), 4, "{}", ran.out);
    // Known at the start, then as they came.
    let mut slow = order[2..].to_vec();
    slow.sort_unstable();
    assert_eq!(order[..2], ["127.0.0.1", "127.0.1.3"]);
    assert_eq!(slow, ["127.0.1.1", "127.0.1.2"]);
    let named = lines
        .iter()
        .find(|line| line["ip"] == "127.0.1.2")
        .expect("scanned");
    assert_eq!(named["host"], "slow-h2.test");
    let run = lines.last().expect("a run line");
    assert_eq!(counts(run), [0, 8, 0, 0]);
    assert_eq!(
        (&run["hosts"], &run["targets_failed"]),
        (&4.into(), &2.into())
    );
    assert_eq!(run["complete"], false);
    for name in ["hung.test", "nobody.test"] {
        for start in ["error: ", "error: not scanned: "] {
            let wanted = format!("{start}{name}: cannot be resolved: ");
            let told = ran.err.lines().filter(|line| line.starts_with(&wanted));
            assert_eq!(told.count(), 1, "{wanted}: {}", ran.err);
        }
    }
}

#[test]
fn one_name_looks_as_one_host_however_long_it_takes() {
    let test = "one_name_looks_as_one_host_however_long_it_takes";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(5);
    for (name, ip) in [("slow-h7.test", "127.0.1.7"), ("listed.test", "127.0.3.1")] {
        let ran = names.run(&format!("{name} -p 1,2"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        assert!(
            ran.out
                .contains(&format!("\nScanning target: {ip} ({name})\n"))
        );
        assert_eq!(ran.out.matches("2 ports: ").count(), 1, "{}", ran.out);
        assert!(!ran.out.contains("Run finished"), "{}", ran.out);
    }
    let ran = names.run("nobody.test");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(
        ran.err
            .starts_with("error: nobody.test: cannot be resolved: "),
        "{}",
        ran.err
    );
    assert!(
        ran.err
            .ends_with("error: nothing to scan: no target can be read and resolved\n")
    );
    // Two names, and in the end one host: the sums tell of the other.
    let ran = names.run("slow-nobody.test h7.test -p 1");
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.contains("\n1 target not scanned: "), "{}", ran.out);
}

#[test]
fn names_are_asked_for_side_by_side_and_each_once() {
    let test = "names_are_asked_for_side_by_side_and_each_once";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(5);
    let list = names.dir.path().join("list");
    let given: String = (1..=60)
        .map(|n| format!("slow-h{n}.test SLOW-H{n}.test\n"))
        .collect();
    std::fs::write(&list, given + "nobody.test\n").expect("writable");
    let ran = names.run(&format!(
        "--targets {} -p 1 --format ndjson",
        list.display()
    ));
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let wanted = format!(
        "error: {}:61: nobody.test: cannot be resolved: ",
        list.display()
    );
    assert!(
        ran.err.lines().any(|line| line.starts_with(&wanted)),
        "{}",
        ran.err
    );
    assert_eq!(ran.json("host").len(), 60);
    for n in [1, 30, 60] {
        assert_eq!(names.asked(&format!("slow-h{n}.test")), 1);
    }
    // Two questions a name, for IPv4 and IPv6.
    let most = names.most.load(Ordering::SeqCst);
    assert!((4..=32).contains(&most), "{most} questions at once");
}

#[test]
fn an_address_is_scanned_once_whoever_names_it() {
    let test = "an_address_is_scanned_once_whoever_names_it";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(5);
    let ran = names.run("127.0.1.0/30 slow-h2.test h1.test slow-two1.test slow-two3.test slow-h9.test --all-addresses -p 1 --format ndjson");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let lines = json_lines(&ran.out);
    let mut scanned = ips(&lines);
    scanned.sort_unstable();
    let wanted = [
        "127.0.1.0",
        "127.0.1.1",
        "127.0.1.2",
        "127.0.1.3",
        "127.0.1.9",
        "127.0.2.1",
        "127.0.2.3",
    ];
    assert_eq!(scanned, wanted);
    // Known in time.
    let first = lines
        .iter()
        .find(|line| line["ip"] == "127.0.1.1")
        .expect("scanned");
    assert_eq!(first["host"], "h1.test");
    // What is printed without a scan is the same.
    let list = names.run("127.0.1.0/30 slow-h2.test slow-h9.test --list --order sequential");
    assert_eq!(
        list.out,
        "127.0.1.0\n127.0.1.1\n127.0.1.2\n127.0.1.3\n127.0.1.9\n"
    );
    let dry = names.run("127.0.1.0/30 slow-h2.test slow-h9.test nobody.test --dry-run -p 1-10");
    assert!(dry.out.starts_with("Hosts: 5\n"), "{}", dry.out);
    assert!(dry.out.contains("\nProbes: 50\n"), "{}", dry.out);
    assert!(dry.err.starts_with("error: nobody.test: "), "{}", dry.err);
    assert_eq!(dry.code, Some(2));
}

#[test]
fn excluded_names_are_excluded_with_all_their_addresses() {
    let test = "excluded_names_are_excluded_with_all_their_addresses";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(2);
    let ran = names.run(
        "127.0.1.0-3 127.0.2.0-1 h7.test slow-h8.test slow-h2.test --exclude slow-two1.test,h7.test,h8.test,h2.test -p 1 --list --order sequential",
    );
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "127.0.1.0\n127.0.1.3\n127.0.2.0\n");
    let ran = names.run("127.0.1.0/30 --exclude hung.test,nobody.test -p 1");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    for name in ["hung.test", "nobody.test"] {
        let wanted = format!("error: --exclude: {name}: cannot be resolved: ");
        assert!(
            ran.err.lines().any(|line| line.starts_with(&wanted)),
            "{}",
            ran.err
        );
    }
    assert!(
        ran.err
            .ends_with("error: nothing is scanned, since it is not known what to exclude\n")
    );
}

/// Whatever the resolver does: Ctrl-C ends the run with what is known.
#[test]
fn a_hung_resolver_holds_up_neither_the_scan_nor_its_end() {
    let test = "a_hung_resolver_holds_up_neither_the_scan_nor_its_end";
    let Some(_lab) = Lab::enter(test) else { return };
    // The system itself would wait for its answer for 30 s.
    let names = Names::new(30);
    let args = "127.0.0.1 hung.test -p 1,2 --format ndjson";
    let (child, mut out) = start(&names, args);
    let mut text = String::new();
    while !text.contains(r#""type":"host","ip":"127.0.0.1""#) {
        assert_ne!(out.read_line(&mut text).expect("readable"), 0, "{text}");
    }
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("it runs");
    out.read_to_string(&mut text).expect("readable");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert_eq!(
        ran.err,
        "error: not scanned: hung.test: not yet resolved when the run ended\n"
    );
    let lines = json_lines(&text);
    let run = lines.last().expect("a run line");
    assert_eq!(counts(run), [0, 2, 0, 0]);
    assert_eq!(
        (&run["targets_failed"], &run["complete"]),
        (&1.into(), &false.into())
    );
    let elapsed = run["elapsed_s"].as_f64().expect("a number");
    assert!(elapsed < 29.0, "the resolver was waited for: {elapsed} s");

    // Before the first host is known, there is nothing to tell.
    let (child, _out) = start(&names, "hung.test -p 1");
    while names.asked("hung.test") < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("it runs");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(130), ""));
}

#[test]
fn lookups_leave_the_scan_its_descriptors_and_have_their_own() {
    let test = "lookups_leave_the_scan_its_descriptors_and_have_their_own";
    let Some(_lab) = Lab::enter(test) else { return };
    let names = Names::new(5);
    let given: Vec<String> = (1..=40).map(|n| format!("slow-h{n}.test")).collect();
    let args = format!("127.0.0.0/26 {} -p 1-100 --format ndjson", given.join(" "));
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=48:48", "--"]);
    let full = names.command(&args);
    limited.arg(full.get_program()).args(full.get_args());
    let ran = Ran::from(limited.output().expect("util-linux is there"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(counts(&ran.json("run")[0]), [0, 104 * 100, 0, 0]);
}
