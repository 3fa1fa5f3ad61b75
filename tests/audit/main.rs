//! Audits as a user and a CI system run them: `--baseline`, `--expect`, `--junit`, `--sarif`.

#[cfg(target_os = "linux")]
mod examples;
mod hostile;
#[allow(dead_code, reason = "a part is needed")]
#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/program.rs"]
mod program;
#[allow(dead_code, reason = "a part is needed")]
#[path = "../support/readme.rs"]
mod readme;
mod validate;

use std::fs;

use program::{Closed, Open, Ran, Silent, json_lines, nishad};
use serde_json::Value;
use tempfile::TempDir;

/// A directory, and the program in it.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary directory"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect(name)
    }

    fn has(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    /// Runs the program with `args`, separated by blanks.
    fn run(&self, args: &str) -> Ran {
        let mut command = nishad();
        command.current_dir(self.0.path());
        command.args(args.split_whitespace());
        command.output().expect("the program starts").into()
    }
}

/// The lines of one type.
fn of_type(text: &str, kind: &str) -> Vec<Value> {
    let lines = json_lines(text).into_iter();
    lines.filter(|line| line["type"] == kind).collect()
}

/// `kind port` of each finding.
fn found(text: &str) -> Vec<String> {
    let findings = of_type(text, "finding").into_iter();
    let shown = |finding: Value| {
        let kind = finding["kind"].as_str().expect("a kind").to_string();
        match finding["port"].as_u64() {
            Some(port) => format!("{kind} {port}"),
            None => kind,
        }
    };
    findings.map(shown).collect()
}

#[test]
fn drift_is_found_live_and_in_what_was_saved() {
    let place = Place::new();
    let (stays, goes, comes) = (Open::new(), Open::new(), Closed::new());
    let (stays_at, goes_at, comes_at) = (stays.port(), goes.port(), comes.port());
    let scan = format!("127.0.0.1 -p {stays_at},{goes_at},{comes_at} --show all");
    let first = place.run(&format!("{scan} -o old.ndjson"));
    assert_eq!((first.code, &*first.err), (Some(0), ""));

    let same = place.run(&format!("{scan} --baseline old.ndjson -o - -o same.ndjson"));
    assert_eq!((same.code, &*same.err), (Some(0), ""), "{}", same.out);
    assert!(
        same.out
            .contains(": 3 ports compared, nothing found\nAudit: clean\n"),
        "{}",
        same.out
    );
    let audit = &of_type(&place.read("same.ndjson"), "audit")[0];
    assert_eq!(audit["outcome"], "clean");
    assert_eq!(audit["baseline"]["findings"]["opened"], 0);

    // What was closed listens, what listened is closed.
    drop((goes, comes));
    let _new = std::net::TcpListener::bind(("127.0.0.1", comes_at)).expect("free again");
    let live = place.run(&format!("{scan} --baseline old.ndjson -o - -o new.ndjson"));
    assert_eq!((live.code, &*live.err), (Some(1), ""));
    for line in [
        format!("opened           127.0.0.1 port {comes_at}: is open, was closed"),
        format!("closed           127.0.0.1 port {goes_at}: is closed, was open"),
        "Audit: failed".into(),
    ] {
        assert!(
            live.out.lines().any(|other| other == line),
            "{line}: {}",
            live.out
        );
    }
    let new = place.read("new.ndjson");
    assert_eq!(
        found(&new),
        [format!("opened {comes_at}"), format!("closed {goes_at}")]
    );
    assert_eq!(json_lines(&new).last().expect("lines")["type"], "run");

    // What the findings are does not depend on who looks, nor on findings being in the file.
    let saved = place.run("report new.ndjson --baseline old.ndjson --format ndjson");
    assert_eq!((saved.code, &*saved.err), (Some(1), ""));
    assert_eq!(of_type(&saved.out, "finding"), of_type(&new, "finding"));
    assert_eq!(of_type(&saved.out, "audit"), of_type(&new, "audit"));
    let plain = place.run("report new.ndjson --format ndjson");
    assert_eq!(plain.code, Some(0));
    assert_eq!(of_type(&plain.out, "audit").len(), 0);
    let again = place.run("report old.ndjson --baseline new.ndjson");
    assert_eq!(again.code, Some(1));
    assert!(again.out.contains("Audit: failed"), "{}", again.out);
}

#[test]
fn a_policy_is_checked_live_and_in_what_was_saved() {
    let place = Place::new();
    let (open, other, closed) = (Open::new(), Open::new(), Closed::new());
    let ports = format!("{},{},{}", open.port(), other.port(), closed.port());
    place.write(
        "good.toml",
        format!(
            "[[rule]]\nrequired = {}\nallowed = {}",
            open.port(),
            other.port()
        ),
    );
    place.write(
        "bad.toml",
        format!(
            "# agreed\n[[rule]]\nhosts = 'localhost'\nrequired = {}\nforbidden = {}\ncomment = 'as agreed'",
            closed.port(),
            open.port()
        ),
    );
    let scan = format!("localhost -4 -p {ports}");
    let good = place.run(&format!("{scan} --expect good.toml -o - -o found.ndjson"));
    assert_eq!((good.code, &*good.err), (Some(0), ""), "{}", good.out);
    assert!(
        good.out
            .contains("Policy good.toml, 1 rule: 3 ports checked, nothing found\n"),
        "{}",
        good.out
    );

    let live = place.run(&format!("{scan} --expect bad.toml --format ndjson"));
    assert_eq!((live.code, &*live.err), (Some(1), ""));
    let wanted = [
        format!("required-missing {}", closed.port()),
        format!("forbidden-open {}", open.port()),
        format!("not-allowed {}", other.port()),
    ];
    assert_eq!(found(&live.out), wanted);
    let finding = &of_type(&live.out, "finding")[0];
    assert_eq!(
        (&finding["ip"], &finding["host"]),
        (&"127.0.0.1".into(), &"localhost".into())
    );
    assert_eq!(finding["rule"]["line"], 2);
    assert_eq!(finding["rule"]["comment"], "as agreed");
    assert_eq!(
        finding["message"],
        "is not open, required [bad.toml:2: as agreed]"
    );
    let saved = place.run("report found.ndjson --expect bad.toml --format ndjson");
    assert_eq!((saved.code, &*saved.err), (Some(1), ""));
    assert_eq!(
        of_type(&saved.out, "finding"),
        of_type(&live.out, "finding")
    );
    let text = place.run("report found.ndjson --expect bad.toml --color always");
    assert!(
        text.out
            .contains("\x1b[31mforbidden-open\x1b[0m   127.0.0.1 (localhost) port "),
        "{}",
        text.out
    );
}

#[test]
fn what_cannot_be_told_is_incomplete() {
    let place = Place::new();
    let (open, other) = (Open::new(), Open::new());
    let (one, two) = (open.port(), other.port());
    place.write("p.toml", format!("[[rule]]\nrequired = [{one}, {two}]"));
    let run = place.run(&format!(
        "127.0.0.1 -p {one} --expect p.toml -o one.ndjson -o -"
    ));
    assert_eq!((run.code, &*run.err), (Some(3), ""));
    assert!(
        run.out.contains(&format!(
            "port {two}: not among the ports scanned, required"
        )),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("Audit: incomplete, and so not clean\n"),
        "{}",
        run.out
    );
    // The baseline has not scanned the second port, and so tells nothing of it.
    let run = place.run(&format!(
        "127.0.0.1 -p {one},{two} --baseline one.ndjson --format ndjson"
    ));
    assert_eq!(
        (run.code, found(&run.out)[0].clone()),
        (Some(3), format!("not-comparable {two}"))
    );
    // A violation goes before what is not known.
    place.write(
        "p.toml",
        format!("[[rule]]\nrequired = {two}\nforbidden = {one}"),
    );
    let run = place.run(&format!("127.0.0.1 -p {one} --expect p.toml"));
    assert_eq!(run.code, Some(1), "{}", run.out);
    // A target that cannot be resolved goes before both.
    let run = place.run(&format!("127.0.0.1 no..name -p {one} --expect p.toml"));
    assert_eq!(run.code, Some(2), "{}", run.out);
}

#[test]
fn a_required_port_that_is_silent_is_missing() {
    let place = Place::new();
    let silent = Silent::new();
    place.write("p.toml", format!("[[rule]]\nrequired = {}", silent.port()));
    let scan = format!(
        "127.0.0.1 -p {} --retries 0 -t 300ms --show all",
        silent.port()
    );
    let run = place.run(&format!("{scan} --expect p.toml"));
    assert_eq!(run.code, Some(1));
    let wanted = format!(
        "required-missing 127.0.0.1 port {}: is filtered, required",
        silent.port()
    );
    assert!(run.out.contains(&wanted), "{}", run.out);
}

#[test]
fn shards_are_audited_as_one() {
    let place = Place::new();
    let (open, closed) = (Open::new(), Closed::new());
    let scan = format!("127.0.0.1 -p {},{}", open.port(), closed.port());
    for shard in ["1/2", "2/2"] {
        let name = &shard[..1];
        let run = place.run(&format!("{scan} --shard {shard} -o {name}.ndjson"));
        assert_eq!((run.code, &*run.err), (Some(0), ""));
    }
    let both = "--baseline 1.ndjson --baseline 2.ndjson";
    let run = place.run(&format!("{scan} {both}"));
    assert_eq!((run.code, &*run.err), (Some(0), ""), "{}", run.out);
    let run = place.run(&format!("report 2.ndjson 1.ndjson {both}"));
    assert_eq!((run.code, &*run.err), (Some(0), ""), "{}", run.out);
    // One of them is not clean, whichever side lacks the other.
    let run = place.run(&format!("{scan} --baseline 1.ndjson"));
    assert_eq!(run.code, Some(3), "{}", run.out);
    let run = place.run(&format!("report 1.ndjson {both} --format ndjson"));
    assert_eq!(run.code, Some(3), "{}", run.out);
    assert_eq!(of_type(&run.out, "audit")[0]["outcome"], "incomplete");
}

#[test]
fn mistakes_are_told_before_anything_is_scanned() {
    let place = Place::new();
    place.write("bad.toml", "defualt = 'deny'\n");
    place.write("good.toml", "default = 'deny'\n");
    place.write("no.ndjson", "hello\n");
    place.write("there.xml", "");
    for (args, wanted) in [
        (
            "--expect bad.toml",
            "bad.toml:1:1: unknown key `defualt`; did you mean `default`?",
        ),
        ("--expect none.toml", "--expect: none.toml cannot be read: "),
        (
            "--baseline none.ndjson",
            "--baseline: none.ndjson cannot be read: ",
        ),
        (
            "--baseline no.ndjson",
            "no.ndjson has no start line; it is nothing that --format ndjson saved",
        ),
        (
            "--junit a.xml",
            "junit has the findings of --baseline or --expect; give one of them",
        ),
        (
            "-o a.sarif",
            "sarif has the findings of --baseline or --expect; give one of them",
        ),
        (
            "--expect good.toml --junit a -o ./a",
            "--junit: another output goes to a",
        ),
        (
            "--expect good.toml --junit a --sarif a",
            "--sarif: another output goes to a",
        ),
        (
            "--expect good.toml --sarif -",
            "--sarif: another output goes to standard output",
        ),
        (
            "--expect good.toml --force -o good.toml",
            "--expect: good.toml is an output, too",
        ),
        (
            "--expect good.toml --junit there.xml",
            "--output: there.xml exists; --force overwrites it",
        ),
        (
            "--expect good.toml --checkpoint c -o a.ndjson",
            "--checkpoint cannot go with --baseline and",
        ),
        (
            "--expect good.toml --dry-run",
            "--dry-run and --list scan nothing that could be audited",
        ),
    ] {
        let run = place.run(&format!("127.0.0.1 -p 1 {args}"));
        assert_eq!((run.code, &*run.out), (Some(2), ""), "{args}: {}", run.err);
        assert!(
            run.err.starts_with(&format!("error: {wanted}")),
            "{args}: {}",
            run.err
        );
        assert_eq!(run.err.lines().count(), 1, "{args}: {}", run.err);
    }
    let run = place.run("report good.toml --expect bad.toml");
    assert_eq!(run.code, Some(2));
    assert!(run.err.starts_with("error: bad.toml:1:1: "), "{}", run.err);
    for none in ["a", "a.xml", "a.sarif", "c"] {
        assert!(!place.has(none), "{none}");
    }
    assert_eq!(place.read("good.toml"), "default = 'deny'\n");
}

/// At 500 ports a second the answer of the first is there long before the last of 5,000.
#[test]
fn what_is_left_out_on_purpose_is_not_clean_where_it_may_be_open() {
    let place = Place::new();
    let open = loop {
        let open = Open::new();
        if open.port() < 60_000 {
            break open;
        }
    };
    let first = open.port();
    place.write("listed.toml", format!("[[rule]]\nallowed = {first}"));
    place.write("none.toml", "default = 'deny'");
    place.write("all.toml", "default = 'allow'");
    let last = first + 4_999;
    let scan =
        format!("127.0.0.1 -p {first}-{last} --order sequential --rate 500/s --stop-at-first-open");
    let scanned = place.run(&format!("{scan} -o found.ndjson"));
    assert_eq!((scanned.code, &*scanned.err), (Some(0), ""));
    let left = "left out by --stop-at-first-open";
    for (against, code, told) in [
        (
            "--expect listed.toml",
            3,
            format!("{left} that may be open"),
        ),
        (
            "--expect none.toml",
            1,
            "is open, allowed by no rule".into(),
        ),
        ("--expect all.toml", 0, "Audit: clean".into()),
        (
            "--baseline found.ndjson",
            3,
            format!("of hosts that were scanned: {left} in the baseline"),
        ),
    ] {
        let run = place.run(&format!(
            "report found.ndjson {against} -o - --junit a.xml --force"
        ));
        assert_eq!((run.code, &*run.err), (Some(code), ""), "{against}");
        assert!(run.out.contains(&told), "{against}: {}", run.out);
        let scan = r#"<testcase classname="scan" name="the scan is complete"/>"#;
        assert!(
            place.read("a.xml").contains(scan),
            "{}",
            place.read("a.xml")
        );
    }
    // Where nothing is open nothing is left out.
    let closed = Closed::new();
    let run = place.run(&format!(
        "127.0.0.1 -p {} --stop-at-first-open --expect none.toml",
        closed.port()
    ));
    assert_eq!(run.code, Some(0), "{}", run.out);
}

/// Ctrl-C goes before all: whoever ended the scan knows why it is not clean.
#[cfg(unix)]
#[test]
fn an_interrupted_audit_is_interrupted() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let place = Place::new();
    let open = Open::new();
    place.write("p.toml", "default = 'allow'");
    let args = format!(
        "127.0.0.1 -p {},1-1200 --rate 20/s --show all --format ndjson --expect p.toml --junit a.xml",
        open.port()
    );
    let mut child = Command::new(program::path())
        .args(args.split_whitespace())
        .current_dir(place.0.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    // The start line, and the first port.
    while !text.contains("\"type\":\"port\"") {
        assert_ne!(out.read_line(&mut text).expect("readable"), 0, "{text}");
    }
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("the program runs");
    out.read_to_string(&mut text).expect("readable");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(of_type(&text, "audit")[0]["outcome"], "incomplete");
    let junit = place.read("a.xml");
    assert!(junit.contains("the scan is incomplete"), "{junit}");
}
