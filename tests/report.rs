//! Shards and `nishad report` as a user runs them.

#[path = "support/browser.rs"]
mod browser;
#[allow(dead_code, reason = "one test needs a part")]
#[path = "support/lab.rs"]
mod lab;
#[path = "report/page.rs"]
mod page;
#[path = "support/program.rs"]
mod program;

#[path = "report/nmap.rs"]
mod nmap;
#[path = "report/outputs.rs"]
mod outputs;
#[path = "report/outside.rs"]
mod outside;

use std::net::TcpListener;

use lab::Lab;
use program::{Closed, Open, Ran, counts, json_lines, nishad};
use tempfile::TempDir;

fn dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Runs the program in `dir` with `args`, separated by blanks.
fn run_in(dir: &TempDir, args: &str) -> Ran {
    let mut command = nishad();
    command
        .current_dir(dir.path())
        .args(args.split_whitespace());
    for engine in [
        "SLURM_ARRAY_TASK_ID",
        "SLURM_JOB_ID",
        "PARALLEL_SEQ",
        "JOB_COMPLETION_INDEX",
    ] {
        command.env_remove(engine);
    }
    command.output().expect("the program starts").into()
}

/// Saves a scan with `args` whole, and in shards.
fn save(dir: &TempDir, args: &str, shards: u32) {
    let whole = run_in(dir, &format!("{args} --format ndjson -o whole.ndjson"));
    assert_eq!((whole.code, whole.err.as_str()), (Some(0), ""));
    for index in 1..=shards {
        let shard = format!("--shard {index}/{shards} --format ndjson -o {index}.ndjson");
        let ran = run_in(dir, &format!("{args} {shard}"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{index}");
    }
}

/// Blocks of text in the order of their hosts, without times.
fn blocks(text: &str) -> Vec<String> {
    let rule = "-".repeat(50);
    let steady = text.lines().filter(|line| {
        let times = ["Scan started at", "Scan finished in", "Run finished in"];
        !times.iter().any(|time| line.starts_with(time))
    });
    let text = steady.collect::<Vec<_>>().join("\n");
    let mut blocks: Vec<_> = text
        .split(&format!("{rule}\nScanning"))
        .map(|block| block.trim().to_string())
        .collect();
    // The sums stand behind the last host.
    if let Some((host, sums)) = blocks
        .pop()
        .as_deref()
        .and_then(|last| last.split_once("\n\n"))
    {
        blocks.push(host.into());
        blocks.sort();
        blocks.push(sums.into());
    }
    blocks
}

#[test]
fn shards_of_hosts_join_to_the_whole() {
    let Some(_lab) = Lab::enter("shards_of_hosts_join_to_the_whole") else {
        return;
    };
    let open = [("127.0.0.3", 22), ("127.0.0.9", 80), ("127.0.0.9", 90)];
    let _open = open.map(|addr| TcpListener::bind(addr).expect("free"));
    let dir = dir();
    save(&dir, "127.0.0.0/28 -p 1-100 --show closed", 3);
    let whole = run_in(&dir, "127.0.0.0/28 -p 1-100 --show closed");
    let joined = run_in(&dir, "report 1.ndjson 2.ndjson 3.ndjson");
    assert_eq!((joined.code, joined.err.as_str()), (Some(0), ""));
    assert_eq!(blocks(&joined.out).len(), 18, "{}", joined.out);
    assert_eq!(blocks(&joined.out), blocks(&whole.out));
    let again = run_in(&dir, "report whole.ndjson");
    assert_eq!(blocks(&again.out), blocks(&whole.out));
    let open = run_in(&dir, "report --show open 1.ndjson 2.ndjson 3.ndjson");
    let listed = open.out.lines().filter(|line| line.starts_with("Port "));
    assert_eq!(listed.count(), 3, "{}", open.out);
}

#[test]
fn shards_of_ports_join_to_the_whole() {
    let (open, closed) = ([Open::new(), Open::new()], Closed::new());
    let ports = [open[0].port(), open[1].port(), closed.port()].map(|port| port.to_string());
    let args = format!("127.0.0.1 -p {} --show all", ports.join(","));
    let dir = dir();
    // More shards than ports: some have nothing to do.
    save(&dir, &args, 5);
    let whole = run_in(&dir, &args);
    let files = "1.ndjson 2.ndjson 3.ndjson 4.ndjson 5.ndjson";
    let joined = run_in(&dir, &format!("report {files}"));
    assert_eq!((joined.code, joined.err.as_str()), (Some(0), ""));
    assert_eq!(blocks(&joined.out), blocks(&whole.out));
    let verbose = run_in(&dir, &format!("report -v --color always {files}"));
    assert!(
        verbose.out.contains("\x1b[32mOPEN\x1b[0m"),
        "{}",
        verbose.out
    );
    assert!(verbose.out.contains("  syn-ack, "), "{}", verbose.out);

    let one = run_in(
        &dir,
        &format!("report --format ndjson -o one.ndjson {files}"),
    );
    assert_eq!((one.code, one.out.as_str()), (Some(0), ""));
    let text = std::fs::read_to_string(dir.path().join("one.ndjson")).expect("written");
    let lines = json_lines(&text);
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str()).collect();
    assert_eq!(
        types,
        ["start", "port", "port", "port", "host", "run"].map(Some)
    );
    assert_eq!(counts(&lines[4]), [2, 1, 0, 0]);
    assert_eq!(counts(&lines[5]), [2, 1, 0, 0]);
    assert_eq!(lines[5]["hosts"], 1);
    assert_eq!(lines[5]["shard"], serde_json::Value::Null);
    assert_eq!(lines[5]["complete"], true);
}

#[test]
fn what_is_missing_is_named_and_the_rest_written() {
    let (open, closed) = (Open::new(), Closed::new());
    let (open, closed) = (open.port(), closed.port());
    let dir = dir();
    save(&dir, &format!("127.0.0.1 -p {open},{closed}"), 2);
    let one = run_in(&dir, "report 1.ndjson");
    assert_eq!(
        (one.code, one.err.as_str()),
        (Some(3), "shard 2 of 2 is missing\n")
    );
    assert!(one.out.contains(", 1 unscanned\n"), "{}", one.out);
    let twice = run_in(&dir, "report 1.ndjson 2.ndjson 1.ndjson");
    assert_eq!(twice.code, Some(3));
    assert!(
        twice.err.contains("shard 1 is there 2 times"),
        "{}",
        twice.err
    );
    assert!(
        twice
            .out
            .contains("2 ports: 1 open, 1 closed, 0 filtered, 0 unscanned")
    );
    let gone = run_in(&dir, "report 1.ndjson gone.ndjson 2.ndjson");
    assert_eq!(gone.code, Some(2));
    assert!(
        gone.err.starts_with("error: gone.ndjson cannot be read: "),
        "{}",
        gone.err
    );
    assert!(
        gone.out.contains("2 ports: 1 open, 1 closed"),
        "{}",
        gone.out
    );
    // The file itself is not harmed.
    let same = run_in(&dir, "report 1.ndjson 2.ndjson -o 2.ndjson");
    assert_eq!(same.code, Some(2));
    assert_eq!(
        same.err,
        "error: --output 2.ndjson is one of the files to read\n"
    );
    assert_eq!(run_in(&dir, "report 1.ndjson 2.ndjson").code, Some(0));
}

#[test]
fn other_runs_are_refused_with_what_differs() {
    let open = Open::new();
    let args = format!("127.0.0.1 -p {} --format ndjson", open.port());
    let dir = dir();
    for (name, more) in [
        ("a", "--shard 1/2"),
        ("b", "--shard 2/2 --retries 3 --timeout 500ms"),
    ] {
        let ran = run_in(&dir, &format!("{args} -o {name} {more}"));
        assert_eq!(ran.code, Some(0));
    }
    let mixed = run_in(&dir, "report a b");
    assert_eq!((mixed.code, mixed.out.as_str()), (Some(2), ""));
    let wanted = "error: b is of another run than a: they differ in --retries (6, 3), --timeout (1s, 500ms)\n";
    assert_eq!(mixed.err, wanted);
    let listed = run_in(&dir, "report a --show filtered");
    let wanted = "error: --show filtered: only open ports were saved; scan with --show filtered\n";
    assert_eq!(listed.code, Some(2));
    assert!(listed.err.ends_with(wanted), "{}", listed.err);
}

#[test]
fn files_come_through_pipes_too() {
    let open = Open::new();
    let dir = dir();
    save(&dir, &format!("127.0.0.1 -p {}", open.port()), 2);
    let read = |name: &str| std::fs::read(dir.path().join(name)).expect("readable");
    let ran: Ran = nishad()
        .args(["report", "-"])
        .write_stdin([read("1.ndjson"), read("2.ndjson")].concat())
        .output()
        .expect("the program starts")
        .into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(
        ran.out.contains(&format!("Port {}: OPEN", open.port())),
        "{}",
        ran.out
    );
}

#[test]
fn what_runs_the_program_tells_the_shard() {
    let open = Open::new();
    let dir = dir();
    let auto = |arg: &str, name: &str, value: &str| -> Ran {
        let port = open.port().to_string();
        let mut command = nishad();
        command
            .current_dir(dir.path())
            .args([
                "127.0.0.1",
                "--format",
                "ndjson",
                "--shard",
                arg,
                "-p",
                &port,
            ])
            .env(name, value);
        command.output().expect("the program starts").into()
    };
    let ran = auto("auto/3", "PARALLEL_SEQ", "2");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let shard = &ran.json("start")[0]["shard"];
    assert_eq!((&shard["index"], &shard["count"]), (&2.into(), &3.into()));
    let ran = auto("auto/3", "PARALLEL_SEQ", "4");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    let wanted = "error: --shard: PARALLEL_SEQ is 4, but of 3 shards it goes from 1 to 3\n";
    assert_eq!(ran.err, wanted);
    let ran = run_in(&dir, "127.0.0.1 --shard 3/2");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("no shard 3 of 2"), "{}", ran.err);
}

/// A shard's text says that it is one.
#[test]
fn a_shard_in_text_says_so() {
    let open = [Open::new(), Open::new()];
    let ports = format!("{},{}", open[0].port(), open[1].port());
    let ran = run_in(&dir(), &format!("127.0.0.1 -p {ports} --shard 2/2"));
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.out.matches(": OPEN").count(), 1, "{}", ran.out);
    assert!(
        ran.out
            .contains("\nShard 2 of 2: its ports of each host alone\n"),
        "{}",
        ran.out
    );
}

/// In a namespace, so that nobody is asked for the name.
#[test]
fn a_host_may_have_the_name_of_a_command() {
    let Some(_lab) = Lab::enter("a_host_may_have_the_name_of_a_command") else {
        return;
    };
    let host = Ran::with("-- report");
    assert_eq!(host.code, Some(2));
    assert!(
        host.err.starts_with("error: report: cannot be resolved: "),
        "{}",
        host.err
    );
    let command = Ran::with("report");
    assert!(command.err.contains("<FILE>..."), "{}", command.err);
    assert_eq!(command.code, Some(2));
}

/// What a killed scan has written is read as far as it goes.
#[cfg(unix)]
#[test]
fn a_killed_scan_is_read_as_far_as_it_goes() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let open = Open::new();
    let port = open.port();
    let mut child = Command::new(program::path())
        .args(["127.0.0.1", "--rate", "100/s", "--format", "ndjson"])
        .args(["-p", &format!("{port},1-1200")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut saved = String::new();
    while !saved.contains(r#""state":"open""#) {
        assert_ne!(out.read_line(&mut saved).expect("readable"), 0, "{saved}");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let dir = dir();
    let path = dir.path();
    // As if the last line had been under way.
    std::fs::write(path.join("cut"), saved + r#"{"type":"port","ip":"127"#).expect("writable");
    let ran = run_in(&dir, "report cut");
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        ran.err,
        "cut is cut off; what it lacks is counted unscanned\n"
    );
    assert!(
        ran.out.contains(&format!("Port {port}: OPEN")),
        "{}",
        ran.out
    );
    let sums =
        "1201 ports: 1 open, 0 closed, 0 filtered, 1200 unscanned\nUnscanned: 1200 interrupted\n";
    assert!(ran.out.contains(sums), "{}", ran.out);
}
