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
