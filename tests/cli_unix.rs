//! The program among signals, pipes and full disks.

#![cfg(unix)]

#[path = "support/program.rs"]
mod program;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::{Open, Ran, counts, json_lines, path};

fn start(args: &str) -> Child {
    Command::new(path())
        .args(args.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn send(child: &Child, signal: Signal) {
    let id = child.id().try_into().expect("a process id");
    kill(Pid::from_raw(id), signal).expect("the program runs");
}

/// Reads the next line of the results.
fn first_line(out: &mut impl BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).expect("readable");
    assert!(line.ends_with('\n'), "no first line");
    line
}

/// A scan of an open port, first, and of many others for a minute: 20 probes a second.
fn long_scan(open: &Open) -> String {
    format!(
        "127.0.0.1 -p {},1-1200 --rate 20/s --format ndjson --show all",
        open.port()
    )
}

#[test]
fn a_signal_ends_the_scan_with_what_is_known() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let open = Open::new();
        let mut child = start(&long_scan(&open));
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        // The start line, and the first port.
        let mut text = first_line(&mut out) + &first_line(&mut out);
        send(&child, signal);
        out.read_to_string(&mut text).expect("readable");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{signal}");
        assert!(
            output.stderr.is_empty(),
            "{:?}",
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = json_lines(&text);
        let [.., host, run] = lines.as_slice() else {
            panic!("{text}")
        };
        for line in [host, run] {
            let [open, closed, filtered, unscanned] = counts(line);
            assert_eq!(open + closed + filtered + unscanned, 1201);
            assert!(unscanned > 0 && unscanned < 1201, "{line}");
        }
        assert_eq!(run["complete"], false);
        let ports = lines.iter().filter(|line| line["type"] == "port");
        let interrupted = ports
            .clone()
            .filter(|line| line["reason"] == "interrupted")
            .count();
        assert_eq!(ports.count(), 1201);
        assert_eq!(run["unscanned"], interrupted);
    }
}

#[test]
fn an_interrupted_text_says_so() {
    let mut child = start("127.0.0.1 -p 1-1200 --rate 20/s -v");
    // With -v, a line on standard error tells that the run has begun.
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    first_line(&mut err);
    std::thread::sleep(std::time::Duration::from_millis(300));
    send(&child, Signal::SIGINT);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(130));
    assert!(ran.out.contains("\n1200 ports: "), "{}", ran.out);
    assert!(ran.out.contains(" interrupted\n"), "{}", ran.out);
}

/// The hangup comes twice: from the kernel, and from the shell.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_away_leaves_whole_files() {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.expect("it is there").trim(), 16).expect("a mask");
    if mask & 1 == 1 {
        eprintln!("skipped: these tests run under nohup, and so would the program");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("found.xml");
    let open = Open::new();
    let args = format!("{} -o - -o {}", long_scan(&open), file.display());
    let mut child = start(&args);
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = first_line(&mut out) + &first_line(&mut out);
    for _ in 0..2 {
        send(&child, Signal::SIGHUP);
    }
    out.read_to_string(&mut text).expect("readable");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let lines = json_lines(&text);
    let run = lines.last().expect("a line");
    assert!(counts(run)[3] > 0, "{run}");
    let written = std::fs::read_to_string(&file).expect("it has its name");
    assert!(written.trim_end().ends_with("</nmaprun>"), "{written}");
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_scan_outlives_its_terminal() {
    let open = Open::new();
    let args = format!(
        "127.0.0.1 -p {},1-20 --rate 20/s --format ndjson",
        open.port()
    );
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", path()])
        .args(args.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh is there");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = first_line(&mut out) + &first_line(&mut out);
    send(&child, Signal::SIGHUP);
    out.read_to_string(&mut text).expect("readable");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let lines = json_lines(&text);
    assert_eq!(lines.last().map(|run| counts(run)[3]), Some(0));
}

/// The results are not read, so the program hangs in a write when the first signal comes; the
/// second ends it all the same.
#[test]
fn a_second_signal_ends_the_program_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let xml = dir.path().join("found.xml");
    let mut child = start(&format!(
        "127.0.0.1 -p- -o ndjson:- -o {} --show all",
        xml.display()
    ));
    let mut out = BufReader::with_capacity(1, child.stdout.take().expect("piped"));
    first_line(&mut out);
    // More than a pipe holds is on its way; wait until nothing moves any more.
    let mut before = u64::MAX;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = cpu_ticks(child.id());
        if now == before {
            break;
        }
        before = now;
    }
    send(&child, Signal::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(
        child.try_wait().expect("waitable").is_none(),
        "the first signal ended a blocked write"
    );
    send(&child, Signal::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_nothing_is_left(dir.path());
}

/// Nothing is left in `dir` of a file that was not complete, if files can be without a name there.
fn assert_nothing_is_left(dir: &std::path::Path) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = OpenOptions::new();
        let unnamed = options.write(true).custom_flags(nix::libc::O_TMPFILE);
        if let Err(error) = unnamed.open(dir) {
            eprintln!("skipped: files need a name there: {error}");
            return;
        }
        let left: Vec<_> = std::fs::read_dir(dir).expect("it is there").collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let _ = dir;
}

/// Processor time of a process so far; constant where /proc is missing.
fn cpu_ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    // utime and stime, proc(5): fields 14 and 15, the first here is 3.
    fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    for format in ["text", "ndjson", "csv", "list", "xml", "grepable"] {
        let open = Open::new();
        let mut child = start(&format!(
            "127.0.0.1 -p {},1-1024 --format {format}",
            open.port()
        ));
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().expect("it ends"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""), "{format}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_loud() {
    let open = Open::new();
    let args = format!("127.0.0.1 -p {},1-99", open.port());
    for format in ["text", "ndjson", "csv", "list", "xml", "grepable"] {
        let ran = Ran::with(&format!("{args} --format {format} -o /dev/full"));
        assert_eq!(ran.code, Some(1), "{format}");
        assert!(
            ran.err
                .starts_with("error: cannot write to /dev/full: No space left"),
            "{}",
            ran.err
        );

        let full = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let output = Command::new(path())
            .args(args.split_whitespace())
            .args(["--format", format])
            .stdout(full)
            .output();
        let ran = Ran::from(output.expect("the program starts"));
        assert_eq!(ran.code, Some(1), "{format}");
        assert!(
            ran.err
                .starts_with("error: cannot write to standard output: No space left"),
            "{}",
            ran.err
        );
    }
}

/// The line that there was no room for was cut off in its middle.
#[test]
fn a_file_on_a_full_disk_has_whole_lines() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("found");
    for (format, to) in [
        ("ndjson", "-o"),
        ("csv", "-o"),
        ("ndjson", ">"),
        ("csv", ">>"),
    ] {
        // The system's limit of a file's size is a full disk, as long as its signal is ignored.
        let to = match to {
            "-o" => format!("-o {format}:{}", file.display()),
            to => format!("--format {format} {to} {}", file.display()),
        };
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\" {to}"),
            ])
            .arg(path())
            .args("127.0.0.1 -p 1-300 --show all -q".split(' '))
            .output();
        let ran = Ran::from(output.expect("the program starts"));
        assert_eq!(ran.code, Some(1), "{to}");
        assert!(
            ran.err.starts_with("error: cannot write to "),
            "{}",
            ran.err
        );
        let text = std::fs::read_to_string(&file).expect("it was made");
        std::fs::remove_file(&file).expect("it is there");
        assert!(text.ends_with('\n') && text.len() > 4096, "{to}: {text}");
        match format {
            "ndjson" => assert!(json_lines(&text).len() > 10),
            _ => assert!(text.lines().all(|line| line.matches(',').count() == 13)),
        }
    }
}

/// One output that cannot be written, or that nobody reads, takes nothing from the others.
#[cfg(target_os = "linux")]
#[test]
fn what_happens_to_one_output_is_nothing_to_the_others() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = Open::new();
    let found = |name: &str| dir.path().join(name).display().to_string();
    let args = |name: &str| format!("127.0.0.1 -p {},1-99 -o {}", open.port(), found(name));
    let ran = Ran::with(&format!("{} -o csv:/dev/full -o list:-", args("a.ndjson")));
    let wanted = "error: cannot write to /dev/full: No space left on device (os error 28)\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), wanted));
    assert_eq!(ran.out, format!("127.0.0.1:{}\n", open.port()));

    let mut child = start(&format!("{} -o list:-", args("b.ndjson")));
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""));
    for name in ["a.ndjson", "b.ndjson"] {
        let lines = json_lines(&std::fs::read_to_string(found(name)).expect("it was made"));
        assert_eq!(
            lines.last().map(|line| &line["complete"]),
            Some(&true.into())
        );
    }
}

/// What has nowhere to go is not scanned for; the null device is somewhere.
#[test]
fn a_standard_output_that_takes_nothing_is_loud() {
    let closed = "error: cannot write to standard output: it is closed\n";
    // Each write was reported as done.
    let read_only = "error: cannot write to standard output: it is open for reading only\n";
    let formats = ["text", "ndjson", "csv", "list", "xml", "grepable", "html"];
    let scans = formats.map(|format| format!("127.0.0.1 -p 1-20 --format {format}"));
    let others = [
        "--list 127.0.0.1",
        "man",
        "completions bash",
        "--help",
        "-V",
    ];
    for args in others.into_iter().chain(scans.iter().map(String::as_str)) {
        let args = args.replace("-V", "--version");
        for (redirected, said) in [(">&-", closed), ("1</dev/null", read_only)] {
            let ran = with_streams(redirected, &args);
            assert_eq!((ran.code, ran.err.as_str()), (Some(1), said), "{args}");
        }
        for open in [">/dev/null", "1<>/dev/null"] {
            let ran = with_streams(open, &args);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args}");
        }
    }
}

/// No stream that is missing is missed where nothing is to go there, and nothing meant for one goes into
/// a file that has its number.
#[test]
fn closed_streams_have_no_part_in_the_results() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for closed in [
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&-",
        "<&- 2>&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
    ] {
        let files = ["found.ndjson", "found.list"].map(|name| dir.path().join(name));
        let outputs = files
            .each_ref()
            .map(|file| format!("-o {}", file.display()));
        let args = format!(
            "127.0.0.1 -p 1-20 -v --force {} --targets /dev/null",
            outputs.join(" ")
        );
        let ran = with_streams(closed, &args);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(0), ""),
            "{closed}: {}",
            ran.err
        );
        let [ndjson, list] = files.map(|file| std::fs::read_to_string(file).expect("it is there"));
        let lines = json_lines(&ndjson);
        assert_eq!(lines.last().map(|run| counts(run)[3]), Some(0), "{closed}");
        assert!(
            list.lines().all(|line| line.starts_with("127.0.0.1:")),
            "{list}"
        );
    }
}

/// Runs the program by a shell that redirects its streams so.
fn with_streams(redirected: &str, args: &str) -> Ran {
    let output = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" \"$@\" {redirected}"), path()])
        .args(args.split_whitespace())
        .output();
    Ran::from(output.expect("sh is there"))
}

/// The next try is not refused for what this one made.
#[cfg(target_os = "linux")]
#[test]
fn outputs_that_cannot_all_be_made_leave_none() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let place = |name: &str| dir.path().join(name).display().to_string();
    let args = format!("127.0.0.1 -p 1 -o {} -o {}", place("a.csv"), place("a.xml"));
    // There can be no new file.
    let ran = Ran::with(&format!("{args} -o /proc/nishad.csv"));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let wanted = "error: cannot write to /proc/nishad.csv: ";
    assert!(ran.err.starts_with(wanted), "{}", ran.err);
    let names = || std::fs::read_dir(dir.path()).expect("there").count();
    assert_eq!(names(), 0);
    let ran = Ran::with(&args);
    assert_eq!((ran.code, names()), (Some(0), 2));
    // What was there stays.
    let ran = Ran::with(&format!("{args} --force -o /proc/nishad.csv"));
    assert_eq!((ran.code, names()), (Some(1), 2));
}

/// Whatever ends the program, no file has its name before it is complete.
#[test]
fn a_killed_scan_leaves_no_half_of_a_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = Open::new();
    let text = dir.path().join("found.txt");
    let mut child = start(&format!("{} -o - -o {}", long_scan(&open), text.display()));
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    first_line(&mut out);
    first_line(&mut out);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(!text.exists());
    assert_nothing_is_left(dir.path());
    // Ended by a signal that it minds, it completes what it has.
    let child = start(&format!("{} -o - -o {}", long_scan(&open), text.display()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    send(&child, Signal::SIGINT);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(130));
    let text = std::fs::read_to_string(text).expect("it is there");
    assert!(text.contains(" interrupted\n"), "{text}");
}

#[test]
fn nothing_of_the_progress_reaches_a_pipe() {
    // Half a second, so that progress would be shown.
    let ran = Ran::with("127.0.0.1 -p 1-100 --rate 200/s");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(!ran.out.contains(['\r', '\u{1b}', '%']), "{:?}", ran.out);
}

#[test]
fn a_target_that_is_no_text_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let target = std::ffi::OsStr::from_bytes(b"h\xff.example");
    let ran = Ran::from(
        Command::new(path())
            .arg(target)
            .output()
            .expect("the program starts"),
    );
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.starts_with("error: h\u{fffd}.example: not UTF-8"),
        "{}",
        ran.err
    );
}
