//! Targets in bulk: lists, what is left out, what would be scanned.

#[path = "support/program.rs"]
mod program;

use std::path::PathBuf;
use std::process::Stdio;

use program::{Closed, Open, Ran, counts, nishad};
use tempfile::TempDir;

/// A directory with a list in it.
struct List(TempDir);

impl List {
    fn new(text: impl AsRef<[u8]>) -> List {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("list"), text).expect("writable");
        List(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("list")
    }

    /// Its path as an argument.
    fn arg(&self) -> String {
        self.path().to_str().expect("UTF-8").to_string()
    }
}

/// The hosts that would be scanned, sorted.
fn hosts(args: &str) -> Vec<String> {
    let ran = Ran::with(&format!("--list {args}"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args}");
    let mut hosts: Vec<String> = ran.out.lines().map(str::to_string).collect();
    hosts.sort();
    hosts
}

fn with_input(args: &str, input: impl Into<Vec<u8>>) -> Ran {
    let args = args.split_whitespace();
    let output = nishad().args(args).write_stdin(input).output();
    output.expect("the program starts").into()
}

#[test]
fn lists_hold_targets_of_every_kind_and_are_scanned_together() {
    let closed = Closed::new();
    let first = List::new(
        "\u{feff}127.0.0.2\t127.0.0.4-5 # two of them\r\n\r\n# nothing\n  127.0.0.8/31\nlocalhost\n",
    );
    let second = List::new("127.0.0.2\n127.0.0.12");
    let ran = Ran::with(&format!(
        "-4 127.0.0.3 --targets {} --targets {} -p {} --format ndjson",
        first.arg(),
        second.arg(),
        closed.port()
    ));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    let mut scanned: Vec<_> = ran
        .json("host")
        .iter()
        .map(|line| line["ip"].as_str().expect("a text").to_string())
        .collect();
    scanned.sort();
    let wanted = [1, 12, 2, 3, 4, 5, 8, 9].map(|n| format!("127.0.0.{n}"));
    assert_eq!(scanned, wanted);
    assert_eq!(counts(&ran.json("run")[0]), [0, 8, 0, 0]);
}

#[test]
fn a_list_comes_from_standard_input() {
    let open = Open::new();
    let args = format!("--targets - -p {}", open.port());
    let ran = with_input(&args, "127.0.0.1\n");
    assert!(ran.out.contains(&format!("Port {}: OPEN", open.port())));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let ran = with_input("--list --targets -", "127.0.0.1 127.0.0.2 127.0.0.1");
    assert_eq!(ran.out.lines().count(), 2);
}

#[test]
fn lines_at_fault_are_named_and_the_others_scanned() {
    let closed = Closed::new();
    let list = List::new(b"127.0.0.1\n1.2.3.400 10.0.0.1/33\n\nfe80::1\nh\xff\n2001:db8::/90\n");
    let name = list.arg();
    let ran = Ran::with(&format!(
        "--targets {name} -p {} --format ndjson",
        closed.port()
    ));
    assert_eq!(ran.code, Some(2));
    for (line, reason) in [
        (2, "400 in `1.2.3.400` is above 255"),
        (2, "`33` is no prefix length for IPv4"),
        (4, "fe80::1: link-local; name the interface it is on"),
        (5, "h\u{fffd}: not UTF-8"),
        (6, "2001:db8::/90: 2^38 addresses or more; --yes"),
    ] {
        for start in ["error: ", "error: not scanned: "] {
            let wanted = format!("{start}{name}:{line}: {reason}");
            let told = ran.err.lines().filter(|line| line.starts_with(&wanted));
            assert_eq!(told.count(), 1, "{wanted}: {}", ran.err);
        }
    }
    let run = &ran.json("run")[0];
    assert_eq!(counts(run), [0, 1, 0, 0]);
    assert_eq!(
        (&run["targets_failed"], &run["complete"]),
        (&5.into(), &false.into())
    );
}

#[test]
fn of_many_lines_at_fault_all_are_counted_and_ten_shown() {
    let closed = Closed::new();
    let list = List::new("127.0.0.1\n".to_string() + &"300.1.1.1\n".repeat(5_000));
    let ran = Ran::with(&format!("--targets {} -p {}", list.arg(), closed.port()));
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.err.lines().count(), 2 * 11, "{}", ran.err);
    for more in [
        "error: 4990 more that cannot be read or resolved",
        "error: not scanned: 4990 more that cannot be read or resolved",
    ] {
        assert!(ran.err.lines().any(|line| line == more), "{}", ran.err);
    }
    assert!(
        ran.out.contains("\n5000 targets not scanned: "),
        "{}",
        ran.out
    );
}

#[test]
fn what_is_no_list_is_one_clear_line() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let here = dir.path().to_str().expect("UTF-8");
    let utf16 = List::new(b"\xff\xfe1\x002\0");
    for (args, wanted) in [
        (
            format!("--targets {here}"),
            format!("--targets {here}: cannot be read: "),
        ),
        (
            format!("--targets {here}/no"),
            format!("--targets {here}/no: cannot be read: "),
        ),
        (
            format!("127.0.0.1 --exclude-file {here}/no"),
            format!("--exclude-file {here}/no: cannot be read: "),
        ),
        (
            format!("--targets {}", utf16.arg()),
            format!(
                "--targets {}: cannot be read: it is UTF-16; save it as UTF-8",
                utf16.arg()
            ),
        ),
        (
            "--targets - --exclude-file -".into(),
            "--targets and --exclude-file: only one of them can be -".into(),
        ),
    ] {
        let ran = Ran::with(&args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args}");
        assert!(
            ran.err.starts_with(&format!("error: {wanted}")),
            "{args}: {}",
            ran.err
        );
    }
    let empty = List::new("# nothing\n");
    let ran = Ran::with(&format!("--targets {}", empty.arg()));
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(
        ran.err.starts_with("error: nothing to scan: "),
        "{}",
        ran.err
    );
}

#[test]
fn a_line_of_10_megabytes_is_told_and_not_held() {
    let mut list = vec![b'x'; 10_000_000];
    list.extend(b" 127.0.0.9\n127.0.0.10\n");
    let list = List::new(list);
    let ran = Ran::with(&format!(
        "--list --targets {} --order sequential",
        list.arg()
    ));
    assert_eq!(ran.out, "127.0.0.9\n127.0.0.10\n");
    let wanted = format!("error: {}:1: 10000000 bytes without a blank; ", list.arg());
    assert!(ran.err.starts_with(&wanted), "{}", ran.err);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn exclusions_are_left_out_however_they_are_written() {
    let all: Vec<String> = (0..16).map(|n| format!("127.0.0.{n}")).collect();
    assert_eq!(hosts("127.0.0.0/28").len(), all.len());
    let file = List::new("127.0.0.1 # this machine\n127.0.0.6-7\n2001:db8::/32\n");
    let without = |left_out: &[u8], args: &str| {
        let mut wanted: Vec<String> = (0..16u8)
            .filter(|n| !left_out.contains(n))
            .map(|n| format!("127.0.0.{n}"))
            .collect();
        wanted.sort();
        assert_eq!(hosts(&format!("127.0.0.0/28 {args}")), wanted, "{args}");
    };
    without(&[5], "--exclude 127.0.0.5");
    without(&[5, 7, 8, 9], "--exclude 127.0.0.5,7-9");
    without(
        &[5, 8, 9, 10, 11],
        "--exclude 127.0.0.5,127.0.0.8/30,::1,192.0.2.0/24",
    );
    without(
        &[1, 6, 7, 15],
        &format!("--exclude 127.0.0.15 --exclude-file {}", file.arg()),
    );
    // More than a run can have may be left out.
    without(&[], "--exclude ::/0");
    assert_eq!(
        hosts("127.0.0.1 fe80::1%1 --exclude fe80::/10"),
        ["127.0.0.1"]
    );
    let ran = Ran::with("127.0.0.0/28 --exclude 127.0.0.0/8");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("hold no host that is not excluded"),
        "{}",
        ran.err
    );
}

#[test]
fn nothing_is_scanned_unless_every_exclusion_is_understood() {
    let file = List::new("127.0.0.1\n127.0.0.1:80\n");
    for (args, wanted) in [
        (
            "--exclude 1.2.3.400".into(),
            "error: --exclude: 400 in `1.2.3.400` is above 255".into(),
        ),
        (
            "--exclude 127.0.0.1,,127.0.0.2".into(),
            "error: --exclude: empty target".into(),
        ),
        (
            format!("--exclude-file {}", file.arg()),
            format!("error: {}:2: `127.0.0.1` has a port in it", file.arg()),
        ),
    ] as [(String, String); 3]
    {
        let ran = Ran::with(&format!("127.0.0.0/30 -p 1 {args}"));
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args}");
        assert!(ran.err.starts_with(&wanted), "{args}: {}", ran.err);
        assert!(
            ran.err
                .ends_with("error: nothing is scanned, since it is not known what to exclude\n"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn the_list_is_in_the_order_of_the_scan() {
    let list = |args: &str| Ran::with(&format!("--list 127.0.0.0/24 {args}")).out;
    assert_eq!(list("--seed 5"), list("--seed 5"));
    assert_ne!(list("--seed 5"), list("--seed 6"));
    let ascending: String = (0..256).map(|n| format!("127.0.0.{n}\n")).collect();
    assert_eq!(list("--order sequential"), ascending);
    let scan = |args: &str| {
        let ran = Ran::with(&format!(
            "127.0.0.0/24 -p 1 --max-sockets 1 --format ndjson {args}"
        ));
        let hosts = ran.json("host");
        let line = |host: &serde_json::Value| format!("{}\n", host["ip"].as_str().expect("text"));
        hosts.iter().map(line).collect::<String>()
    };
    for args in ["--seed 5", "--order sequential"] {
        assert_eq!(scan(args), list(args), "{args}");
    }
}

#[test]
fn ports_are_taken_ascending_where_that_is_wanted() {
    let ran = Ran::with(
        "127.0.0.1 -p 80,22,443,7,1000-1010 --max-sockets 1 --order sequential --format ndjson --show all",
    );
    let ports: Vec<_> = ran
        .json("port")
        .iter()
        .filter_map(|line| line["port"].as_u64())
        .collect();
    let wanted: Vec<u64> = [7, 22, 80, 443].into_iter().chain(1000..=1010).collect();
    assert_eq!(ports, wanted);
}

#[test]
fn a_list_that_nobody_reads_to_its_end_is_no_error() {
    let mut child = std::process::Command::new(program::path())
        .args(["--list", "10.0.0.0/8"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_dry_run_tells_what_would_be_scanned_and_scans_nothing() {
    let open = Open::new();
    let ran = Ran::with(&format!(
        "127.0.0.0/24 -p {},1-999 --exclude 127.0.0.0/28 --rate 100/s --seed 4 --dry-run",
        open.port()
    ));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for line in [
        "Hosts: 240",
        &format!("Ports: 1000 each: 1-999,{}", open.port()),
        "Probes: 240000",
        "Order: random, seed 4",
        "Time: about 40 min at 100 attempts a second, without retries",
    ] {
        assert!(ran.out.lines().any(|l| l == line), "{line}: {}", ran.out);
    }
    for start in ["Sockets: ", "This machine: up to "] {
        let told = ran.out.lines().filter(|line| line.starts_with(start));
        assert_eq!(told.count(), 1, "{}", ran.out);
    }
    let ran = Ran::with("10.0.0.0/8 -p- --dry-run --order sequential");
    for line in [
        "Probes: 1099494850560",
        "Order: sequential",
        "Time: about 1273 days at 10000 attempts a second, an assumption; --rate sets one",
    ] {
        assert!(ran.out.lines().any(|l| l == line), "{line}: {}", ran.out);
    }
    let ran = Ran::with("2001:db8::/82 -p- --dry-run --yes");
    assert!(ran.out.contains("\nTime: about 14"), "{}", ran.out);
    assert!(ran.out.contains(" years at 10000"), "{}", ran.out);
    // What is wrong with the targets is told as it would be.
    let ran = Ran::with("127.0.0.1 1.2.3.400 --dry-run");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("400 in `1.2.3.400` is above 255"),
        "{}",
        ran.err
    );
    assert!(ran.out.starts_with("Hosts: 1\n"), "{}", ran.out);
}

/// The command of a scan shows what it would do with one more flag, and is not in its own way afterwards.
#[test]
fn a_dry_run_leaves_the_outputs_of_the_scan_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (ndjson, csv, text) = (path("a.ndjson"), path("a.csv"), path("a.txt"));
    for dry in ["--dry-run", "--list"] {
        let args = format!("127.0.0.1 -p 1 {dry} -o {ndjson} -o {csv}");
        let plain = Ran::with(&args);
        assert_eq!((plain.code, plain.err.as_str()), (Some(0), ""));
        assert_ne!(plain.out, "");
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
        let written = Ran::with(&format!("{args} -o {text}"));
        assert_eq!((written.code, written.out.as_str()), (Some(0), ""));
        let lines = |text: &str| text.lines().count();
        let written = std::fs::read_to_string(&text).expect("it was made");
        assert_eq!(lines(&written), lines(&plain.out));
        std::fs::remove_file(&text).expect("it was made");
    }
    let twice = Ran::with(&format!("127.0.0.1 --list -o - -o {text}"));
    assert_eq!(twice.code, Some(2));
    assert!(twice.err.contains("print to one place"), "{}", twice.err);
}

/// Interrupted as soon as the size is stated; by then it has made one attempt, on this machine.
#[cfg(unix)]
#[test]
fn the_size_of_a_large_run_is_stated_first() {
    use std::io::{BufRead, BufReader};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let mut child = std::process::Command::new(program::path())
        .args("127.0.0.0/8 -p 1-1000 --rate 0.01/s".split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    err.read_line(&mut line).expect("readable");
    assert!(
        line.starts_with("16777216 hosts, 1000 ports each, 16777216000 probes: about "),
        "{line}"
    );
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("it runs");
    child.wait().expect("it ends");

    let mut child = std::process::Command::new(program::path())
        .args("127.0.0.0/8 -p 1-1000 --rate 0.01/s --format ndjson -q".split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The first line of the results comes behind the size.
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("readable");
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("it runs");
    std::io::copy(&mut out, &mut std::io::sink()).expect("readable");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(130), ""));
}

#[test]
fn the_rate_of_a_network_is_a_flag_with_an_effect() {
    let closed = Closed::new();
    let ran = Ran::with(&format!(
        "127.0.0.1 -p {},1-30 --net-rate 20/s --format ndjson",
        closed.port()
    ));
    assert_eq!(counts(&ran.json("run")[0])[1], 31);
    let took = ran.json("run")[0]["elapsed_s"].as_f64().expect("a number");
    // 31 attempts, one each 50 ms.
    assert!(took >= 1.5, "{took}");
    let ran = Ran::with("127.0.0.1 --net-rate 0");
    assert!(
        ran.err.contains("--net-rate <N/s>': out of range"),
        "{}",
        ran.err
    );
}

#[test]
fn the_lists_of_the_shards_are_the_whole_list_in_parts() {
    let list = |args: &str| {
        let ran = Ran::with(&format!(
            "--list 127.0.0.0/24 --exclude 127.0.0.9 --seed 5 {args}"
        ));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args}");
        let mut hosts: Vec<String> = ran.out.lines().map(str::to_string).collect();
        hosts.sort();
        hosts
    };
    let mut parts: Vec<String> = (1..=3)
        .flat_map(|n| list(&format!("--shard {n}/3")))
        .collect();
    parts.sort();
    assert_eq!(parts, list(""));
    assert_eq!(parts.len(), 255);
    let dry = Ran::with("127.0.0.0/24 -p 1-10 --shard 2/4 --dry-run");
    for line in [
        "Hosts: 64",
        "Shard: 2 of 4, of 256 hosts in all, 10 ports each: 1-10",
        "Probes: 640",
    ] {
        assert!(dry.out.lines().any(|l| l == line), "{line}: {}", dry.out);
    }
}
