//! The program on a terminal: prompt, progress, colour.

#![cfg(any(target_os = "linux", target_os = "macos"))]

#[path = "support/program.rs"]
mod program;

use std::process::Command;

use nix::sys::wait::WaitStatus;
use program::{Open, path};

use rexpect::session::{PtySession, spawn_command};

const QUESTION: &str = "Enter the target IP address or hostname to scan: ";

fn terminal(args: &str) -> PtySession {
    terminal_called("xterm", args)
}

fn terminal_called(name: &str, args: &str) -> PtySession {
    let mut command = Command::new(path());
    command
        .args(args.split_whitespace())
        .env_remove("NO_COLOR")
        .env("TERM", name);
    spawn_command(command, Some(60_000)).expect("a pseudo-terminal")
}

fn code(session: &PtySession) -> i32 {
    match session.process().wait().expect("waitable") {
        WaitStatus::Exited(_, code) => code,
        other => panic!("did not exit: {other:?}"),
    }
}

#[test]
fn enter_alone_scans_this_machine() {
    let mut session = terminal("");
    session.exp_string(QUESTION).expect("the prompt");
    session.send_line("").expect("writable");
    session
        .exp_string("Scanning target: 127.0.0.1\r\n")
        .expect("the header");
    let rest = session.exp_eof().expect("the end");
    assert!(rest.contains("1024 ports: "), "{rest}");
    assert_eq!(code(&session), 0);
}

#[test]
fn a_bad_answer_asks_again_with_the_reason() {
    let mut session = terminal("-p 1 -4");
    session.exp_string(QUESTION).expect("the prompt");
    session.send_line("1.2.3.400").expect("writable");
    session
        .exp_string("400 in `1.2.3.400` is above 255")
        .expect("the reason");
    session.exp_string(QUESTION).expect("the prompt again");
    session.send_line("localhost").expect("writable");
    session
        .exp_string("Scanning target: 127.0.0.1 (localhost)")
        .expect("the header");
    session.exp_eof().expect("the end");
    assert_eq!(code(&session), 0);
}

#[test]
fn the_end_of_input_ends_the_program() {
    let mut session = terminal("");
    session.exp_string(QUESTION).expect("the prompt");
    session.send_control('d').expect("writable");
    let rest = session.exp_eof().expect("the end");
    assert_eq!(rest, "\r\nerror: no target given\r\n");
    assert_eq!(code(&session), 2);
}

#[test]
fn ctrl_c_at_the_prompt_ends_the_program() {
    let mut session = terminal("");
    session.exp_string(QUESTION).expect("the prompt");
    session.send_control('c').expect("writable");
    session.exp_eof().expect("the end");
    assert_eq!(code(&session), 130);
}

#[test]
fn progress_is_shown_and_taken_away() {
    let open = Open::new();
    let mut session = terminal(&format!("127.0.0.1 -p {},1-300 --rate 200/s", open.port()));
    session
        .exp_regex(r"\d+%, \d+/s, \d+ s left, [01] open")
        .expect("the progress");
    let rest = session.exp_eof().expect("the end");
    let (before, results) = rest.split_once("-----").expect("results");
    assert!(
        before.ends_with("\r\u{1b}[2K"),
        "the bar is not erased: {before:?}"
    );
    let found = format!("Port {}: \u{1b}[32mOPEN\u{1b}[0m\r\n", open.port());
    assert!(results.contains(&found), "{results:?}");
    assert!(
        results.ends_with("-----\r\n") || results.ends_with("\r\u{1b}[2K"),
        "{results:?}"
    );
    assert_eq!(code(&session), 0);
}

#[test]
fn a_dumb_terminal_is_sent_nothing_but_text() {
    let open = Open::new();
    let args = format!("127.0.0.1 -p {},1-100 --rate 200/s", open.port());
    let mut session = terminal_called("dumb", &args);
    let all = session.exp_eof().expect("the end");
    assert!(
        all.contains(&format!("Port {}: OPEN\r\n", open.port())),
        "{all:?}"
    );
    assert!(!all.contains(['\u{1b}', '%']), "{all:?}");
    assert_eq!(code(&session), 0);
}

#[test]
fn no_progress_and_quiet_mean_it() {
    for flag in ["--no-progress", "-q"] {
        let mut session = terminal(&format!(
            "127.0.0.1 -p 1-100 --rate 200/s --color never {flag}"
        ));
        let all = session.exp_eof().expect("the end");
        assert!(all.starts_with("-----"), "{all:?}");
        assert!(!all.contains(['\u{1b}', '%']), "{all:?}");
        assert_eq!(code(&session), 0);
    }
}

#[test]
fn ctrl_c_during_the_scan_prints_what_is_known() {
    let mut session = terminal("127.0.0.1 -p 1-1200 --rate 20/s");
    session
        .exp_regex(r"\d+%, \d+/s, .* left, ")
        .expect("the progress");
    session.send_control('c').expect("writable");
    let rest = session.exp_eof().expect("the end");
    // The cursor is behind the bar, not at the right margin: what the terminal shows there of the
    // key (`^C`; this one shows nothing) is cleared with it.
    let (bar, _) = rest.split_once("\r\u{1b}[2K").expect(&rest);
    assert!(bar.ends_with(" open"), "{rest:?}");
    assert!(rest.contains("1200 ports: "), "{rest:?}");
    assert!(rest.contains(" interrupted\r\n"), "{rest:?}");
    assert_eq!(code(&session), 130);
}

/// How the terminal is set: whether keys come one by one, and whether they are shown.
#[cfg(target_os = "linux")]
fn settings(session: &PtySession) -> (bool, bool) {
    use nix::sys::termios::{LocalFlags, tcgetattr};
    let terminal = session.process().get_file_handle().expect("its other end");
    let flags = tcgetattr(&terminal).expect("a terminal").local_flags;
    (
        !flags.contains(LocalFlags::ICANON),
        flags.contains(LocalFlags::ECHO),
    )
}

/// A scan for a minute whose first port is open; what is read goes on behind the progress.
#[cfg(target_os = "linux")]
fn long_scan(open: &Open) -> PtySession {
    let first = open.port();
    let last = first.saturating_add(1_200);
    let mut session = terminal(&format!(
        "127.0.0.1 -p {first}-{last} --order sequential --rate 20/s --color never"
    ));
    session
        .exp_regex(r"left, [1-9]\d* open")
        .expect("the port is found");
    session
}

/// Waits until what is so of the terminal is as wanted.
#[cfg(target_os = "linux")]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn keys_tell_pause_and_end() {
    let open = Open::new();
    let mut session = long_scan(&open);
    assert!(settings(&session).0, "keys come one by one");
    for key in ["\n", " "] {
        session.send(key).expect("writable");
        session.flush().expect("writable");
        session
            .exp_regex(&format!(r"\d+%, .* open: 127\.0\.0\.1 {}", open.port()))
            .expect("the status");
    }
    session.send("p").expect("writable");
    session.flush().expect("writable");
    session.exp_string("paused; p goes on").expect("the pause");
    session
        .exp_regex(r"paused, \d+%, \d+ open")
        .expect("nothing is sent");
    session.send("p").expect("writable");
    session.flush().expect("writable");
    session.exp_string("going on").expect("its end");
    session
        .exp_regex(r"\d+%, [1-9]\d*/s")
        .expect("more is sent");
    session.send("q").expect("writable");
    session.flush().expect("writable");
    let rest = session.exp_eof().expect("the end");
    assert!(rest.contains(" interrupted\r\n"), "{rest:?}");
    assert!(
        rest.contains(&format!("Port {}: OPEN", open.port())),
        "{rest:?}"
    );
    assert_eq!(code(&session), 130);
    assert!(!settings(&session).0, "the terminal is as it was");
}

/// Stopped by Ctrl-Z, the program leaves the terminal as it was, and takes it again when it goes on.
#[cfg(target_os = "linux")]
#[test]
fn the_terminal_is_put_back_while_the_program_is_stopped() {
    use nix::sys::signal::Signal;
    let open = Open::new();
    let mut session = long_scan(&open);
    session.send_control('z').expect("writable");
    wait_for("the terminal is not put back", || !settings(&session).0);
    // It stops right after that; until then a signal to go on is for nothing.
    wait_for("keys are not read again", || {
        let process = session.process_mut();
        process.signal(Signal::SIGCONT).expect("it is there");
        settings(&session).0
    });
    session.send_control('c').expect("writable");
    let rest = session.exp_eof().expect("the end");
    assert!(rest.contains(" interrupted\r\n"), "{rest:?}");
    assert_eq!(code(&session), 130);
    assert!(!settings(&session).0, "the terminal is as it was");
}

/// Whatever ends the program.
#[cfg(target_os = "linux")]
#[test]
fn the_terminal_is_put_back_by_signals_that_kill() {
    use nix::sys::signal::Signal;
    for signals in [&[Signal::SIGQUIT][..], &[Signal::SIGTERM, Signal::SIGTERM]] {
        let open = Open::new();
        let mut session = long_scan(&open);
        for signal in signals {
            // The second one may come when the program has ended.
            let _ = session.process_mut().signal(*signal);
        }
        let ended = session.process().wait().expect("waitable");
        match ended {
            WaitStatus::Signaled(_, signal, _) => assert_eq!(signal, signals[0]),
            WaitStatus::Exited(_, code) => assert_eq!(code, 130),
            other => panic!("did not end: {other:?}"),
        }
        assert!(
            !settings(&session).0,
            "{signals:?}: the terminal is as it was"
        );
    }
}
