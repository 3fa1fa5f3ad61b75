//! The program as a user runs it: results, messages, exit codes.

#[allow(dead_code, reason = "one test needs a part")]
#[path = "support/lab.rs"]
mod lab;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;

use lab::Lab;
use program::{Closed, Open, Ran, counts, json_lines, nishad};

/// The lines between the rules of a block: header, ports, sums.
fn sections(text: &str) -> Vec<Vec<&str>> {
    let rule = "-".repeat(50);
    text.split(&format!("{rule}\n"))
        .map(|section| section.lines().collect())
        .collect()
}

#[test]
fn text_has_the_face_of_the_original_script() {
    let (open, closed) = (Open::new(), Closed::new());
    let (open, closed) = (open.port(), closed.port());
    let ran = Ran::with(&format!("127.0.0.1 -p {open},{closed}"));
    let sections = sections(&ran.out);
    let [before, header, ports, sums, after] = sections.as_slice() else {
        panic!("not three sections between four rules: {}", ran.out)
    };
    assert!(before.is_empty() && after.is_empty(), "{}", ran.out);
    assert_eq!(header[0], "Scanning target: 127.0.0.1");
    let time = header[1]
        .strip_prefix("Scan started at: ")
        .expect(header[1]);
    let digits: Vec<_> = time
        .split(':')
        .map(|n| n.parse::<u8>().expect(time))
        .collect();
    assert_eq!((header.len(), digits.len(), time.len()), (2, 3, 8));
    assert_eq!(ports.len(), 1, "{}", ran.out);
    assert_eq!(
        ports[0].split("  ").next(),
        Some(format!("Port {open}: OPEN").as_str())
    );
    assert_eq!(
        sums[0],
        "2 ports: 1 open, 1 closed, 0 filtered, 0 unscanned"
    );
    let last = sums.last().expect("a last line");
    assert!(
        last.starts_with("Scan finished in ") && last.ends_with(" seconds."),
        "{last}"
    );
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn ports_1_to_1024_by_default() {
    let ran = Ran::with("127.0.0.1");
    assert!(ran.out.contains("\n1024 ports: "), "{}", ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn ports_are_listed_ascending() {
    let open: Vec<_> = (0..20).map(|_| Open::new()).collect();
    let mut wanted: Vec<_> = open.iter().map(Open::port).collect();
    wanted.sort_unstable();
    let spec = open
        .iter()
        .map(|open| open.port().to_string())
        .collect::<Vec<_>>()
        .join(",");
    let ran = Ran::with(&format!("127.0.0.1 -p {spec}"));
    let port = |line: &str| line.strip_prefix("Port ")?.split(':').next()?.parse().ok();
    let found: Vec<u16> = ran.out.lines().filter_map(port).collect();
    assert_eq!(found, wanted);
}

#[test]
fn other_states_are_listed_on_request() {
    let (open, closed) = (Open::new(), Closed::new());
    let (open, closed) = (open.port(), closed.port());
    let run = |flags: &str| Ran::with(&format!("127.0.0.1 -p {open},{closed} {flags}")).out;
    let closed_line = format!("Port {closed}: CLOSED");
    assert!(!run("").contains(&closed_line));
    let listed = run("--show closed");
    assert!(listed.contains(&closed_line), "{listed}");
    assert!(listed.contains(&format!("Port {open}: OPEN")), "{listed}");
    assert!(!listed.contains("conn-refused"), "{listed}");
    let verbose = run("--show all -v");
    let line = verbose
        .lines()
        .find(|line| line.starts_with(&closed_line))
        .expect(&verbose);
    assert!(line.contains("conn-refused"), "{line}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_does_not_answer_is_filtered() {
    let silent = program::Silent::new();
    let ran = Ran::with(&format!(
        "127.0.0.1 -p {} -t 0.2 --retries 1 --show all -v",
        silent.port()
    ));
    assert!(
        ran.out
            .contains(&format!("Port {}: FILTERED", silent.port())),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("no-response"), "{}", ran.out);
    assert!(
        ran.out.contains("cannot be known, nothing answered"),
        "{}",
        ran.out
    );
    assert_eq!(ran.code, Some(0));
}

#[test]
fn ndjson_has_a_line_for_each_port_host_and_run() {
    let (open, closed) = (Open::new(), Closed::new());
    let (open, closed) = (open.port(), closed.port());
    let ran = Ran::with(&format!(
        "127.0.0.1 -p {open},{closed} --format ndjson --seed 42"
    ));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let [start, port, host, run] = json_lines(&ran.out).try_into().expect(&ran.out);
    assert_eq!(port["type"], "port");
    assert_eq!(port["ip"], "127.0.0.1");
    assert_eq!(port["host"], serde_json::Value::Null);
    assert_eq!(port["port"], open);
    assert_eq!(port["proto"], "tcp");
    assert_eq!(port["state"], "open");
    assert_eq!(port["reason"], "syn-ack");
    assert!(
        port["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0),
        "{port}"
    );
    assert_eq!(port["attempts"], 1);
    assert!(
        port["time"]
            .as_str()
            .is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
        "{port}"
    );
    assert_eq!(host["type"], "host");
    assert_eq!(counts(&host), [1, 1, 0, 0]);
    assert_eq!(run["type"], "run");
    assert_eq!(start["type"], "start");
    assert_eq!(start["planned"], run["planned"]);
    for same in [
        "schema", "version", "args", "seed", "run_id", "shard", "started", "hosts",
    ] {
        assert_eq!(start[same], run[same], "{same}");
    }
    assert_eq!(counts(&run), [1, 1, 0, 0]);
    assert_eq!(run["schema"], 1);
    assert_eq!(run["seed"], 42);
    assert_eq!(run["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(run["args"][1], "127.0.0.1");
    assert_eq!(run["complete"], true);

    let all = Ran::with(&format!(
        "127.0.0.1 -p {open},{closed} --format ndjson --show all"
    ));
    let mut states: Vec<_> = all
        .json("port")
        .iter()
        .map(|line| {
            (
                line["port"].clone(),
                line["state"].clone(),
                line["reason"].clone(),
            )
        })
        .collect();
    states.sort_by_key(|(port, ..)| *port != open);
    let wanted = [
        (open, "open", "syn-ack"),
        (closed, "closed", "conn-refused"),
    ];
    assert_eq!(
        states,
        wanted.map(|(port, state, reason)| (port.into(), state.into(), reason.into()))
    );
}

#[test]
fn every_port_has_one_line_and_the_sums_agree() {
    let open = Open::new();
    let open = open.port();
    let ran = Ran::with(&format!(
        "127.0.0.1 -p 1-2000,{open} --format ndjson --show all"
    ));
    let (lines, run) = (ran.json("port"), ran.json("run"));
    let mut ports: Vec<_> = lines
        .iter()
        .filter_map(|line| line["port"].as_u64())
        .collect();
    ports.sort_unstable();
    let planned: BTreeSet<_> = (1..=2000).chain([u64::from(open)]).collect();
    assert_eq!(ports, planned.into_iter().collect::<Vec<_>>());
    for state in ["open", "closed", "filtered", "unscanned"] {
        let of_state = lines.iter().filter(|line| line["state"] == state).count();
        assert_eq!(run[0][state], of_state, "{state}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line["port"] == open && line["state"] == "open")
    );
}

#[test]
fn the_name_given_is_kept_in_every_format() {
    let open = Open::new();
    let port = open.port();
    let text = Ran::with(&format!("localhost -4 -p {port}"));
    assert!(
        text.out
            .contains("\nScanning target: 127.0.0.1 (localhost)\n"),
        "{}",
        text.out
    );
    let json = Ran::with(&format!("localhost -4 -p {port} --format ndjson"));
    for kind in ["port", "host"] {
        assert_eq!(json.json(kind)[0]["host"], "localhost");
        assert_eq!(json.json(kind)[0]["ip"], "127.0.0.1");
    }
}

#[test]
fn overlapping_targets_are_scanned_once() {
    let closed = Closed::new();
    let targets = "127.0.0.1 127.0.0.1/32 127.0.0.1-1 localhost";
    let ran = Ran::with(&format!(
        "{targets} -4 -p {} --format ndjson",
        closed.port()
    ));
    assert_eq!(ran.json("host").len(), 1, "{}", ran.out);
    assert_eq!(ran.json("run")[0]["planned"], 1);
    assert_eq!(ran.json("host")[0]["host"], "localhost");
}

#[test]
fn a_network_is_reported_host_by_host_and_summed() {
    let ran = Ran::with("127.0.0.9/29 -p 1,2 --show all");
    assert_eq!(
        ran.out.matches("Scanning target: 127.0.0.").count(),
        8,
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\n8 hosts, 16 ports: "), "{}", ran.out);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn ipv6_with_and_without_brackets() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    }
    for target in ["::1", "[::1]"] {
        let ran = Ran::with(&format!("{target} -p 1"));
        assert!(ran.out.contains("Scanning target: ::1\n"), "{}", ran.out);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
}

#[test]
fn good_targets_are_scanned_and_bad_ones_named_twice() {
    let open = Open::new();
    let ran = Ran::with(&format!(
        "300.0.0.1 127.0.0.1 fe80::1%nosuch0 -p {}",
        open.port()
    ));
    assert!(
        ran.out.contains(&format!("Port {}: OPEN", open.port())),
        "{}",
        ran.out
    );
    for bad in ["300.0.0.1", "fe80::1%nosuch0"] {
        let naming: Vec<_> = ran.err.lines().filter(|line| line.contains(bad)).collect();
        assert_eq!(naming.len(), 2, "{}", ran.err);
        assert!(
            naming.iter().all(|line| line.starts_with("error: ")),
            "{}",
            ran.err
        );
    }
    assert_eq!(ran.code, Some(2));
}

#[test]
fn what_cannot_be_sent_is_unscanned_and_the_run_incomplete() {
    let test = "what_cannot_be_sent_is_unscanned_and_the_run_incomplete";
    let Some(_lab) = Lab::enter(test) else { return };
    // A multicast address is none to connect to.
    let ran = Ran::with("224.0.0.1 -p 80,443 --format ndjson --show all");
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert_eq!(counts(&ran.json("run")[0]), [0, 0, 0, 2]);
    assert_eq!(ran.json("run")[0]["complete"], false);
    assert!(
        ran.json("port")
            .iter()
            .all(|line| line["state"] == "unscanned"),
        "{}",
        ran.out
    );
    let text = Ran::with("224.0.0.1 -p 80,443");
    assert!(
        text.out.contains("0 filtered, 2 unscanned\nUnscanned: 2 "),
        "{}",
        text.out
    );
    assert_eq!(text.code, Some(3));
}

#[test]
fn every_usage_error_names_what_is_wrong_and_exits_2() {
    for (args, wanted) in [
        ("127.0.0.1 -p 70000", "--ports: port 70000 is above 65535"),
        ("127.0.0.1 -p 9-1", "--ports: range 9-1 runs backwards"),
        (
            "127.0.0.1 -p nosuchservice",
            "--ports: `nosuchservice` is no service name",
        ),
        (
            "127.0.0.1 --exclude-ports -",
            "--exclude-ports leaves no port to scan",
        ),
        (
            "127.0.0.1 --top-ports 0",
            "--top-ports <N>': out of range: 1 to ",
        ),
        (
            "127.0.0.1 --top-ports all",
            "--top-ports <N>': not a whole number; write one of 1 to ",
        ),
        (
            "127.0.0.1 --seed x",
            "--seed <N>': not a whole number; write one of 0 to 18446744073709551615",
        ),
        (
            "127.0.0.1 -p all",
            "--ports: `all` is no service name; - is all ports",
        ),
        (
            "127.0.0.1 --checkpoint-every 2s",
            "--checkpoint <FILE>|--resume <FILE>",
        ),
        (
            "-v report found.ndjson",
            "report: a command comes first, before all options",
        ),
        ("127.0.0.1 man -- man", "man: a command comes first"),
        ("help", "help: nishad --help tells how it is used; a host"),
        (
            "127.0.0.1 -sT",
            "-sT: not an option of nishad; nishad connects; leave it out",
        ),
        (
            "-oX /dev/null 127.0.0.1",
            "-oX: not an option of nishad; -o FILE.xml is that",
        ),
        ("127.0.0.1 -t 1h", "--timeout <DUR>': not a duration"),
        (
            "127.0.0.1 -t 0",
            "--timeout <DUR>': out of range: 1ms to 60s",
        ),
        ("127.0.0.1 --rate 0/s", "--rate <N/s>': out of range"),
        ("127.0.0.1 --rate x/s", "--rate <N/s>': not a rate"),
        ("127.0.0.1 --miss 2", "--miss <P>': out of range"),
        ("127.0.0.1 --retries 51", "--retries <N>"),
        ("127.0.0.1 --max-sockets 0", "--max-sockets <N>"),
        (
            "127.0.0.1 --format yaml",
            "[possible values: text, ndjson, csv, list, xml, grepable, junit, sarif, html]",
        ),
        (
            "127.0.0.1 --show up",
            "[possible values: open, closed, filtered, unscanned, all]",
        ),
        ("127.0.0.1 -4 -6", "cannot be used with"),
        ("127.0.0.1 --no-such-flag", "--no-such-flag"),
        (
            "127.0.0.1 -6",
            "127.0.0.1: IPv4 address, but only IPv6 is asked for",
        ),
        ("1.2.3.400", "400 in `1.2.3.400` is above 255"),
        (
            "fe80::1",
            "fe80::1: link-local; name the interface it is on",
        ),
        ("http://127.0.0.1/", "is a URL; give its host alone"),
        ("", "no TARGET given, and no terminal to ask for it"),
    ] {
        let ran = Ran::with(args);
        assert_eq!(ran.code, Some(2), "{args}: {}", ran.err);
        assert!(ran.err.contains(wanted), "{args}: {}", ran.err);
        assert!(ran.err.starts_with("error: "), "{args}: {}", ran.err);
        assert_eq!(ran.out, "", "{args}");
    }
}

#[test]
fn what_was_typed_cannot_drive_the_terminal() {
    for args in [
        vec!["\u{1b}[31mx"],
        vec!["127.0.0.1", "--seed", "\u{1b}[31m\u{202e}x"],
    ] {
        let ran = Ran::from(nishad().args(args).output().expect("the program starts"));
        assert_eq!(ran.code, Some(2));
        assert!(!ran.err.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.err);
    }
}

#[test]
fn help_tells_the_exit_codes() {
    let ran = Ran::with("--help");
    assert_eq!(ran.code, Some(0));
    let (_, codes) = ran.out.split_once("Exit codes:").expect(&ran.out);
    for code in ["0 ", "1 ", "2 ", "3 ", "130 "] {
        assert!(
            codes
                .lines()
                .any(|line| line.trim_start().starts_with(code)),
            "{code}: {codes}"
        );
    }
    assert!(
        Ran::with("--version")
            .out
            .ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn colour_only_where_it_is_wanted() {
    let open = Open::new();
    let run = |flags: &str| Ran::with(&format!("127.0.0.1 -p {} {flags}", open.port())).out;
    assert!(run("--color always").contains(": \u{1b}[32mOPEN\u{1b}[0m"));
    for flags in ["", "--color auto", "--color never"] {
        assert!(!run(flags).contains('\u{1b}'), "{flags}");
    }
    assert!(!run("--color always --format ndjson").contains('\u{1b}'));
}

#[test]
fn quiet_and_verbose_concern_standard_error() {
    let closed = Closed::new();
    let run = |flags: &str| Ran::with(&format!("127.0.0.1 -p {} {flags}", closed.port()));
    let verbose = run("-v --seed 7").err;
    assert!(
        verbose.contains("1 port(s) each, seed 7; timeout 1s"),
        "{verbose}"
    );
    assert_eq!(run("-q").err, "");
    assert!(
        run("-q")
            .out
            .contains("\n1 port: 0 open, 1 closed, 0 filtered, 0 unscanned\n")
    );
}
