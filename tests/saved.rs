//! Runs that are saved and gone on with, and networks that go away, as a user meets them.

#![cfg(unix)]

#[path = "support/lab.rs"]
mod lab;
#[path = "support/program.rs"]
mod program;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::{Closed, Open, Ran, counts, json_lines, nishad, path};

/// A folder for a test's files, and the program run in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &str) -> Ran {
        let mut command = nishad();
        command.current_dir(self.path());
        let args = args.split_whitespace();
        command
            .args(args)
            .output()
            .expect("the program starts")
            .into()
    }

    /// Starts the program, and interrupts it when the checkpoint is there and `after` has passed.
    fn interrupted(&self, args: &str, after: Duration) -> Ran {
        let child = Command::new(path())
            .args(args.split_whitespace())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(after);
        let id = child.id().try_into().expect("a process id");
        kill(Pid::from_raw(id), Signal::SIGINT).expect("it runs");
        child.wait_with_output().expect("it ends").into()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the file is there")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("writable");
    }
}

/// Ports 1 to 200, most of them closed, at a pace that leaves time for an interruption.
const SLOW: &str = "127.0.0.1 -p 1-200 --rate 100/s --show all -o found.ndjson";

#[test]
fn ctrl_c_names_the_command_that_goes_on_and_it_does() {
    let folder = Folder::new();
    let args = format!("{SLOW} --checkpoint at");
    let ran = folder.interrupted(&args, Duration::from_millis(700));
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    let (_, command) = ran
        .err
        .trim_end()
        .split_once("to go on: ")
        .expect("it is told");
    let first = json_lines(&folder.read("found.ndjson"));
    let run = first.last().expect("a run line");
    let [_, closed, _, unscanned] = counts(run);
    assert!(closed > 0 && unscanned > 0, "{run}");

    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder.path())
        .output()
        .expect("sh is there");
    assert!(output.status.success(), "{command}: {output:?}");
    let lines = json_lines(&folder.read("found.ndjson"));
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("start"), of("host"), of("run")), (1, 1, 1));
    let mut ports: Vec<_> = lines
        .iter()
        .filter_map(|line| line["port"].as_u64())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, (1..=200).collect::<Vec<u64>>());
    let last = lines.last().expect("a run line");
    assert_eq!(counts(last)[3], 0);
    assert_eq!(last["complete"], true);
    assert_eq!(last["started"], run["started"], "it is the same run");
    assert_eq!(last["seed"], run["seed"]);
    // Again, there is nothing left to do, and the result is the same.
    let again = folder.run(&format!("{SLOW} --resume at"));
    assert_eq!((again.code, again.err.as_str()), (Some(0), ""));
    assert_eq!(json_lines(&folder.read("found.ndjson")).len(), lines.len());
}

#[test]
fn a_torn_tail_is_cut_off() {
    let folder = Folder::new();
    let args = format!("{SLOW} --checkpoint at");
    folder.interrupted(&args, Duration::from_millis(500));
    let torn = folder.read("found.ndjson") + "{\"type\":\"port\",\"ip\":\"127.0";
    folder.write("found.ndjson", &torn);
    assert_eq!(folder.run(&format!("{SLOW} --resume at")).code, Some(0));
    let lines = json_lines(&folder.read("found.ndjson"));
    assert_eq!(
        lines.iter().filter(|line| line["type"] == "port").count(),
        200
    );
}

#[test]
fn another_run_is_refused_and_what_differs_is_named() {
    let folder = Folder::new();
    let base = "-p 1-20 -o found.ndjson --resume at";
    let ran = folder.run("127.0.0.1 -p 1-20 -o found.ndjson --checkpoint at");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let before = folder.read("found.ndjson");
    for (args, differs) in [
        (format!("127.0.0.2 {base}"), "targets"),
        (
            "127.0.0.1 -p 1-21 -o found.ndjson --resume at".into(),
            "ports",
        ),
        (format!("127.0.0.1 {base} -t 2s"), "--timeout (1s, 2s)"),
        (
            format!("127.0.0.1 {base} --retries 1 --exact"),
            "--exact (false, true), --retries (6, 1)",
        ),
        (
            format!("127.0.0.1 {base} --shard 1/2"),
            "number of shards (none, 2)",
        ),
    ] {
        let ran = folder.run(&args);
        let wanted =
            format!("error: --resume: at is of another run (saved, asked for now): {differs}\n");
        assert_eq!((ran.code, ran.err), (Some(2), wanted));
    }
    let ran = folder.run(&format!("127.0.0.1 {base} --seed 1"));
    assert!(
        ran.err.contains("run (saved, asked for now): --seed ("),
        "{}",
        ran.err
    );
    // What only paces the scan may differ.
    let ran = folder.run(&format!("127.0.0.1 {base} --rate 1000 --max-sockets 10"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(
        folder.read("found.ndjson").lines().count(),
        before.lines().count()
    );
}

#[test]
fn what_is_no_checkpoint_is_one_clear_line() {
    let folder = Folder::new();
    folder.run("127.0.0.1 -p 1-20 -o found.ndjson --checkpoint at");
    let whole = folder.read("at");
    folder.write("cut", &whole[..whole.len() / 2]);
    folder.write("other", "root:x:0:0\n");
    folder.write("results", &folder.read("found.ndjson"));
    for (file, wanted) in [
        ("cut", "cut is a damaged checkpoint: EOF while parsing"),
        ("other", "other is no checkpoint of nishad"),
        ("results", "results is no checkpoint of nishad"),
        ("nothing", "nothing cannot be read: No such file"),
        (".", ". is a directory; name a file"),
    ] {
        let ran = folder.run(&format!(
            "127.0.0.1 -p 1-20 -o found.ndjson --resume {file}"
        ));
        let wanted = format!("error: --resume: {wanted}");
        assert!(ran.err.starts_with(&wanted), "{}", ran.err);
        assert_eq!(
            (ran.code, ran.err.lines().count()),
            (Some(2), 1),
            "{}",
            ran.err
        );
    }
    // It is of this run, but its parts contradict each other.
    folder.write("odd", &whole.replace("\"next_host\":1", "\"next_host\":7"));
    let ran = folder.run("127.0.0.1 -p 1-20 -o found.ndjson --resume odd");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            Some(2),
            "error: --resume: odd is a damaged checkpoint: it belongs to a run with other hosts or ports\n"
        )
    );
}

#[test]
fn what_cannot_be_gone_on_with_is_refused_at_the_start() {
    let folder = Folder::new();
    for (args, wanted) in [
        ("--checkpoint at", "--checkpoint needs -o FILE"),
        ("--checkpoint at -o -", "--checkpoint needs -o FILE"),
        ("--resume at", "--resume needs -o FILE"),
        (
            "--checkpoint at -o found.ndjson -o found.txt",
            "--checkpoint needs ndjson, csv or list: found.txt is text",
        ),
        (
            "--checkpoint at -o ndjson:./at",
            "--checkpoint: ./at is an output too",
        ),
        (
            "--checkpoint at -o ndjson:/dev/null",
            "--checkpoint needs -o FILE: what goes to /dev/null cannot be gone on with",
        ),
        (
            "--checkpoint no/such/at -o found.ndjson",
            "--checkpoint: no/such/at: there is no directory no/such",
        ),
        (
            "--checkpoint . -o found.ndjson",
            "--checkpoint: . is a directory; name a file",
        ),
    ] {
        let ran = folder.run(&format!("127.0.0.1 -p 1 {args}"));
        assert!(
            ran.err.starts_with(&format!("error: {wanted}")),
            "{}",
            ran.err
        );
        assert_eq!(ran.code, Some(2));
    }
    let names = std::fs::read_dir(folder.path()).expect("there").count();
    assert_eq!(names, 0, "no file was made");
    // The outputs are not those that were saved.
    folder.run("127.0.0.1 -p 1-20 -o found.ndjson --checkpoint at");
    folder.write("found.ndjson", "");
    let ran = folder.run("127.0.0.1 -p 1-20 -o found.ndjson --resume at");
    assert_eq!(ran.code, Some(1));
    let wanted =
        "error: cannot write to found.ndjson: it has 0 bytes where the checkpoint counts on ";
    assert!(ran.err.starts_with(wanted), "{}", ran.err);
    let ran = folder.run("127.0.0.1 -p 1-20 -o found.ndjson -o found.csv --resume at");
    let wanted = "error: --resume: at is of a run with other outputs (saved, asked for now): \
                  ndjson; ndjson, csv\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), wanted));
}

/// A file that was not meant is not written over, nor is what is no file: as root the null device would
/// become one.
#[test]
fn a_checkpoint_takes_the_place_of_nothing() {
    let folder = Folder::new();
    folder.write("hosts.txt", "127.0.0.1\n");
    let args = "--targets hosts.txt -p 1-20 -o found.ndjson";
    let ran = folder.run(&format!("{args} --checkpoint hosts.txt"));
    let wanted =
        "error: --checkpoint: hosts.txt exists; --force overwrites it, --resume goes on from it\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), wanted));
    assert_eq!(folder.read("hosts.txt"), "127.0.0.1\n");
    // A pipe stands for all devices here: should this fail, it is no loss.
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.expect("every Unix has it").success());
    for (place, wanted) in [
        (
            "pipe",
            "--checkpoint: pipe is no file; a run is saved to one",
        ),
        (
            "-",
            "--checkpoint: standard output is no file; a run is saved to one",
        ),
    ] {
        let ran = folder.run(&format!("{args} --checkpoint {place}"));
        assert_eq!(ran.err, format!("error: {wanted}\n"));
        assert_eq!(ran.code, Some(2));
    }
    let ran = folder.run(&format!("{args} --checkpoint at"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    // Gone on from it is saved there again, also by both names.
    for from in ["--resume at", "--resume at --checkpoint ./at"] {
        let ran = folder.run(&format!("{args} {from}"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    }
    let ran = folder.run(&format!("{args} --resume at --checkpoint hosts.txt"));
    assert_eq!(ran.code, Some(2));
    let ran = folder.run(&format!("{args} --checkpoint at --force"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn names_are_not_looked_up_again() {
    let folder = Folder::new();
    let (open, closed) = (Open::new(), Closed::new());
    let args = format!(
        "localhost -4 -p {},{} -o found.ndjson",
        open.port(),
        closed.port()
    );
    let ran = folder.run(&format!("{args} --checkpoint at"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let before = folder.read("found.ndjson");
    assert_eq!(json_lines(&before)[1]["host"], "localhost", "{before}");
    assert!(folder.read("at").contains("\"name\":\"localhost\""));
    let ran = folder.run(&format!("{args} --resume at"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    // All but the run line, which tells the command and its time.
    let lines = |text: &str| json_lines(text)[..3].to_vec();
    assert_eq!(lines(&folder.read("found.ndjson")), lines(&before));
}

/// A veth pair whose near end is taken down and up again while it is scanned over.
#[test]
fn a_network_that_goes_away_is_waited_for() {
    let test = "a_network_that_goes_away_is_waited_for";
    let Some(mut lab) = lab::Lab::enter(test) else {
        return;
    };
    lab.add_peer();
    let child = Command::new(path())
        .args("192.0.2.2 -p 1-400 --rate 200/s --format ndjson".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(500));
    lab::run("ip link set near down");
    std::thread::sleep(Duration::from_millis(2_500));
    lab::run("ip link set near up");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(counts(&ran.json("run")[0]), [0, 400, 0, 0], "{}", ran.err);
    let told: Vec<_> = ran.err.lines().collect();
    assert_eq!(told.len(), 2, "{}", ran.err);
    assert_eq!(
        told[0],
        "192.0.2.2: no route any more, waiting for the network"
    );
    assert!(
        told[1].starts_with("192.0.2.2: can be sent to again after "),
        "{}",
        told[1]
    );
}

#[test]
fn a_network_that_stays_away_ends_the_run_which_can_be_gone_on_with() {
    let test = "a_network_that_stays_away_ends_the_run_which_can_be_gone_on_with";
    let Some(mut lab) = lab::Lab::enter(test) else {
        return;
    };
    lab.add_peer();
    let folder = Folder::new();
    let args = "192.0.2.2 -p 1-400 --rate 400/s --show all -o found.ndjson --give-up 1s";
    let begun = Instant::now();
    let child = Command::new(path())
        .args(args.split(' '))
        .args(["--checkpoint", "at"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(400));
    lab::run("ip link set near down");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(20), "it waits on");
    assert!(ran.err.contains("to go on: "), "{}", ran.err);
    let lines = json_lines(&folder.read("found.ndjson"));
    let run = lines.last().expect("a run line");
    let [_, closed, _, unscanned] = counts(run);
    assert!(closed > 0 && unscanned > 0, "{run}");
    let reasons = &lines
        .iter()
        .find(|line| line["type"] == "host")
        .expect("a host")["reasons"];
    assert_eq!(reasons["no-route"].as_u64(), Some(unscanned), "{reasons}");
    lab::run("ip link set near up");
    let ran = folder.run(&format!("{args} --resume at"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines = json_lines(&folder.read("found.ndjson"));
    assert_eq!(counts(lines.last().expect("a run line")), [0, 400, 0, 0]);
    assert_eq!(
        lines.iter().filter(|line| line["type"] == "port").count(),
        400
    );
}

/// SIGSTOP for three seconds, with answers under way and attempts whose time runs out meanwhile.
#[test]
fn a_process_that_was_stopped_goes_on_and_says_so() {
    let open = Open::new();
    let args = format!(
        "127.0.0.1 -p {},1-300 --rate 300/s --format ndjson",
        open.port()
    );
    let child = Command::new(path())
        .args(args.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pid = Pid::from_raw(child.id().try_into().expect("a process id"));
    std::thread::sleep(Duration::from_millis(300));
    kill(pid, Signal::SIGSTOP).expect("it runs");
    std::thread::sleep(Duration::from_millis(3_200));
    kill(pid, Signal::SIGCONT).expect("it is stopped");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let [found, closed, filtered, unscanned] = counts(&ran.json("run")[0]);
    assert_eq!((found, closed, filtered, unscanned), (1, 300, 0, 0));
    let told = "stopped or asleep for 3.";
    assert!(
        ran.err.starts_with(told) && ran.err.lines().count() == 1,
        "{}",
        ran.err
    );
}
