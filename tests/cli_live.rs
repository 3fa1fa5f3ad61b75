//! Living with the program: configuration, completions, the manual page, events for programs, hosts
//! that are done with their first open port.

#[path = "support/lab.rs"]
#[allow(dead_code, reason = "one part of it is needed here")]
mod lab;
#[path = "support/program.rs"]
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::skip;
use program::{Closed, Open, Ran, json_lines, nishad};
use serde_json::Value;

/// Whether `tool` can be run; else `test` is skipped.
fn has(tool: &str, test: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        skip(test, &format!("there is no {tool}"));
    }
    found
}

fn ran(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = nishad();
    command.args(args).envs(variables.iter().copied());
    command.output().expect("the program starts").into()
}

/// Runs `program`, which must succeed and complain of nothing; its output.
fn clean(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .env("MANWIDTH", "80")
        .output();
    let output = output.expect("it is there");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let errors = text(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{program}: {errors}"
    );
    text(&output.stdout)
}

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("writable");
    path
}

#[test]
fn options_come_from_a_file_and_from_the_environment() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (open, closed) = (Open::new(), Closed::new());
    let text = format!(
        "ports = \"{},{}\"\nshow = [\"open\", \"closed\"]\nformat = \"ndjson\"\ncolor = \"always\"\n",
        open.port(),
        closed.port()
    );
    let path = written(dir.path(), "scan.toml", &text);
    let path = path.to_str().expect("UTF-8");
    let scan = |args: &[&str], variables: &[_]| {
        let args = [&["--config", path, "127.0.0.1"], args].concat();
        ran(&args, variables)
    };
    let both = scan(&[], &[]);
    assert_eq!(
        (both.code, both.json("port").len()),
        (Some(0), 2),
        "{}",
        both.err
    );
    let one = scan(&[], &[("NISHAD_SHOW", "open")]);
    assert_eq!(one.json("port").len(), 1);
    let text = scan(
        &["--format=text", "--color", "never"],
        &[("NISHAD_SHOW", "open")],
    );
    let found = format!("Port {}: OPEN", open.port());
    assert!(
        text.out.contains(&found) && !text.out.contains("CLOSED"),
        "{}",
        text.out
    );

    let shown = scan(&["--show-config", "-q"], &[("NISHAD_SHOW", "open")]);
    assert_eq!(shown.code, Some(0));
    let origin = |name: &str| {
        let line = shown.out.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit_once("# "))
            .expect(name)
            .1
            .to_string()
    };
    let origins = ["ports = ", "show = ", "quiet = true", "# timeout = "].map(origin);
    let file = format!("{path}:1");
    assert_eq!(origins, [&file, "NISHAD_SHOW", "command line", "default"]);
}

#[test]
fn a_mistake_in_the_configuration_is_one_line_with_its_place() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = written(
        dir.path(),
        "n\u{202e}.toml",
        "retries = 3\ntimeuot = \"2s\"\n",
    );
    let path = path.to_str().expect("UTF-8");
    let wrong = ran(&["--config", path, "127.0.0.1"], &[]);
    let wanted = "\\u{202e}.toml:2:1: unknown key `timeuot`; did you mean `timeout`?\n";
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert!(
        wrong.err.starts_with("error: ") && wrong.err.ends_with(wanted),
        "{}",
        wrong.err
    );
    let wrong = ran(&["127.0.0.1"], &[("NISHAD_RETRYS", "2")]);
    let wanted = "error: NISHAD_RETRYS: no such variable; did you mean NISHAD_RETRIES?\n";
    assert_eq!((wrong.code, wrong.err.as_str()), (Some(2), wanted));
    // A file of anything is no file of options.
    let noise: Vec<u8> = (0..=255).cycle().take(2 << 20).collect();
    for (size, wanted) in [
        (1 << 10, "noise:2:118: not UTF-8"),
        (2 << 20, "more than 1 MB"),
    ] {
        let path = dir.path().join("noise");
        std::fs::write(&path, &noise[..size]).expect("writable");
        let wrong = ran(
            &["--config", path.to_str().expect("UTF-8"), "127.0.0.1"],
            &[],
        );
        assert_eq!(
            (wrong.code, wrong.err.lines().count()),
            (Some(2), 1),
            "{}",
            wrong.err
        );
        assert!(wrong.err.contains(wanted), "{}", wrong.err);
    }
}

#[test]
fn shells_load_their_completions() {
    let test = "shells_load_their_completions";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = |shell: &str| {
        let script = ran(&["completions", shell], &[]);
        assert_eq!((script.code, script.err.as_str()), (Some(0), ""), "{shell}");
        assert!(script.out.contains("stop-at-first-open"), "{shell}");
        let path = written(dir.path(), shell, &script.out);
        path.to_str().expect("UTF-8").to_string()
    };
    script("powershell");
    script("elvish");
    let bash = script("bash");
    if has("bash", test) {
        let load = format!(
            "source {bash} && COMP_WORDS=(nishad --stop-at) COMP_CWORD=1 && \
             _nishad nishad --stop-at nishad && echo \"${{COMPREPLY[@]}}\""
        );
        let offered = clean("bash", &["--norc", "--noprofile", "-c", &load]);
        assert_eq!(offered.trim(), "--stop-at-first-open");
    }
    let fish = script("fish");
    if has("fish", test) {
        let load = format!("source {fish}; complete -C 'nishad --stop-at'");
        let offered = clean("fish", &["--no-config", "-c", &load]);
        assert!(offered.starts_with("--stop-at-first-open"), "{offered}");
    }
    let zsh = script("zsh");
    if has("zsh", test) {
        let load = format!(
            "autoload -U compinit && compinit -D -u && source {zsh} && echo $_comps[nishad]"
        );
        assert_eq!(clean("zsh", &["-f", "-c", &load]).trim(), "_nishad");
    }
}

#[test]
fn the_manual_page_is_clean() {
    let test = "the_manual_page_is_clean";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let page = ran(&["man"], &[]);
    assert_eq!((page.code, page.err.as_str()), (Some(0), ""));
    let path = written(dir.path(), "nishad.1", &page.out);
    let path = path.to_str().expect("UTF-8");
    if has("groff", test) {
        clean("groff", &["-man", "-ww", "-Kutf8", "-Tutf8", "-z", path]);
    }
    if has("man", test) {
        let read = clean("man", &["--warnings=w", "-l", path]);
        assert!(
            read.contains("--stop-at-first-open") && read.contains("NISHAD REPORT"),
            "{read}"
        );
    }
}

/// Every line that comes to standard error is an object with a type.
fn events(ran: &Ran) -> Vec<Value> {
    let events = json_lines(&ran.err);
    for event in &events {
        assert!(
            event["type"].is_string() && event["time"].is_string(),
            "{event}"
        );
    }
    let (last, before) = events.split_last().expect("an end");
    assert_eq!(last["type"], "end");
    assert_eq!(last["exit"].as_i64(), ran.code.map(i64::from));
    assert!(before.iter().all(|event| event["type"] != "end"));
    events
}

#[test]
fn events_tell_programs_how_far_a_run_is() {
    let open = Open::new();
    let ports = format!("{},1-200", open.port());
    // Half a second.
    let run = ran(
        &[
            "127.0.0.1",
            "--events",
            "-v",
            "--rate",
            "400/s",
            "-p",
            &ports,
        ],
        &[],
    );
    assert!(run.out.contains(": OPEN"), "{}", run.out);
    let events = events(&run);
    let of = |kind: &str| {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let progress = of("progress");
    let (first, last) = (&progress[0], progress.last().expect("one at the end"));
    assert!(
        first["done"].as_u64() < first["planned"].as_u64(),
        "{first}"
    );
    assert!(
        first["rate"].as_f64() > Some(0.0) && first["eta_s"].is_number(),
        "{first}"
    );
    assert_eq!(
        (&last["planned"], &last["done"]),
        (&Value::from(201), &Value::from(201))
    );
    assert!(last["open"].as_u64() >= Some(1), "{last}");
    assert!(!of("note").is_empty(), "-v tells");
    assert_eq!(events.last().expect("the end")["outcome"], "complete");
}

#[test]
fn events_tell_programs_what_is_wrong() {
    for args in [
        &["--events", "--nosuch"][..],
        &["--nosuch", "--events"],
        &["--events"],
        &["--events", "127.0.0.1", "-p", "70000"],
        &["--events", "127.0.0.1", "--targets", "/nowhere"],
    ] {
        let wrong = ran(args, &[]);
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""), "{args:?}");
        let events = events(&wrong);
        assert_eq!(events[0]["type"], "error", "{args:?}");
        assert!(
            events[0]["message"]
                .as_str()
                .is_some_and(|m| !m.starts_with("error")),
            "{args:?}"
        );
    }
    let wrong = ran(&["x"], &[("NISHAD_EVENTS", "true"), ("NISHAD_RATE", "x")]);
    assert_eq!(events(&wrong)[0]["type"], "error");
    let people = ran(
        &["--events=false", "--nosuch"],
        &[("NISHAD_EVENTS", "true")],
    );
    assert!(
        people.err.starts_with("error: unexpected argument"),
        "{}",
        people.err
    );
}

/// At 500 ports a second the answer of the first is there long before the last of 5,000.
#[test]
fn a_host_is_done_with_its_first_open_port() {
    let open = loop {
        let open = Open::new();
        if open.port() < 60_000 {
            break open;
        }
    };
    let ports = format!("{}-{}", open.port(), open.port() + 4_999);
    let found = ran(
        &[
            "127.0.0.1",
            "-p",
            &ports,
            "--order",
            "sequential",
            "--rate",
            "500/s",
        ],
        &[
            ("NISHAD_STOP_AT_FIRST_OPEN", "true"),
            ("NISHAD_FORMAT", "ndjson"),
        ],
    );
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    let [host, run] = [&found.json("host")[0], &found.json("run")[0]];
    assert_eq!(
        (&host["open"], &host["planned"]),
        (&Value::from(1), &Value::from(5_000))
    );
    assert_eq!(host["reasons"]["first-open"], host["unscanned"]);
    assert_eq!(
        (&run["left_out"], &run["complete"]),
        (&host["unscanned"], &Value::from(true))
    );
    assert!(host["unscanned"].as_u64() > Some(4_000), "{host}");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = written(dir.path(), "found.ndjson", &found.out);
    let read = ran(&["report", path.to_str().expect("UTF-8")], &[]);
    assert_eq!((read.code, read.err.as_str()), (Some(0), ""));
    assert!(read.out.contains(" first-open\n"), "{}", read.out);
}
