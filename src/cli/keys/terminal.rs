//! The terminal's settings while keys are read one by one: set, and put back on every way out.

use std::io::{self, Stdin};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use nix::unistd;

/// The settings to be put back. For the whole program, since any way out of it needs them.
static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal {
    before: None,
    ended: false,
});

struct Terminal {
    /// As the terminal was; `None`: it is so.
    before: Option<Termios>,
    /// It stays as it was.
    ended: bool,
}

/// Nothing panics while it is held; if it did, the settings would be as good as any.
fn terminal() -> MutexGuard<'static, Terminal> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether keys may be read: from a terminal's background that would stop the program.
pub(super) fn is_foreground(stdin: &Stdin) -> bool {
    unistd::tcgetpgrp(stdin).is_ok_and(|group| group == unistd::getpgrp())
}

/// Has keys come one by one and unseen; whether they do.
pub(super) fn set() -> bool {
    let stdin = io::stdin();
    let mut terminal = terminal();
    if terminal.ended || !is_foreground(&stdin) {
        return false;
    }
    put_back_on_panic();
    let Ok(now) = termios::tcgetattr(&stdin) else {
        return false;
    };
    let mut wanted = now.clone();
    // Signals of keys stay: Ctrl-C, Ctrl-Z.
    wanted.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
    wanted.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    wanted.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    let set = termios::tcsetattr(&stdin, SetArg::TCSANOW, &wanted).is_ok();
    if set {
        // What was put back once is not taken from a terminal that was never put back.
        terminal.before.get_or_insert(now);
    }
    set
}

/// Whether keys come one by one.
pub(super) fn is_set() -> bool {
    terminal().before.is_some()
}

/// The terminal is again as it was.
pub(super) fn put_back() {
    let stdin = io::stdin();
    // In the background it is another's.
    if let Some(before) = terminal().before.take()
        && is_foreground(&stdin)
    {
        let _ = termios::tcsetattr(&stdin, SetArg::TCSANOW, &before);
    }
}

/// The terminal is again as it was, for good.
pub(super) fn end() {
    terminal().ended = true;
    put_back();
}

fn put_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            put_back();
            before(panic);
        }));
    });
}

#[cfg(all(test, any(target_os = "linux", target_os = "macos")))]
mod tests {
    use super::*;
    use nix::sys::termios::tcgetattr;
    use nix::sys::wait::WaitStatus;
    use rexpect::session::{PtySession, spawn_command};
    use std::process::Command;

    /// Set for the process in which the test panics.
    const INSIDE: &str = "PANIC_INSIDE";

    fn keys_come_one_by_one(session: &PtySession) -> bool {
        let terminal = session.process().get_file_handle().expect("its other end");
        let flags = tcgetattr(&terminal).expect("a terminal").local_flags;
        !flags.contains(LocalFlags::ICANON)
    }

    /// In a process of its own, on a terminal of its own.
    #[test]
    fn a_panic_puts_the_terminal_back() {
        if std::env::var_os(INSIDE).is_some() {
            assert!(set(), "the terminal is ours");
            println!("keys are read");
            let mut key = [0];
            let _ = unistd::read(io::stdin(), &mut key);
            // On another thread than that of the scan, as any may.
            let _ = std::thread::spawn(|| panic!("as made for this test")).join();
            println!("gone on");
            let _ = unistd::read(io::stdin(), &mut key);
            return;
        }
        let mut command = Command::new(std::env::current_exe().expect("this one"));
        let test = "cli::keys::terminal::tests::a_panic_puts_the_terminal_back";
        command
            .args([test, "--exact", "--nocapture"])
            .env(INSIDE, "1");
        let mut session = spawn_command(command, Some(60_000)).expect("a pseudo-terminal");
        session.exp_string("keys are read").expect("it is set");
        assert!(keys_come_one_by_one(&session));
        session.send("x").expect("writable");
        session.flush().expect("writable");
        session
            .exp_string("as made for this test")
            .expect("the panic");
        session.exp_string("gone on").expect("the other thread");
        assert!(!keys_come_one_by_one(&session), "the terminal is as it was");
        // A line now.
        session.send_line("").expect("writable");
        session.exp_eof().expect("the end");
        let ended = session.process().wait().expect("waitable");
        assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    }
}
