//! The thread that waits for keys, and for the signals that the terminal has to be put back for.

use std::io::{self, Stdin};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;
use signal_hook::consts::{SIGCONT, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::emulate_default_handler;

use super::{Key, terminal};
use crate::cli::signals::Signals;

/// How often it is looked whether the program is in the foreground again, in milliseconds.
const LOOK: u16 = 500;

type Delivery = SignalDelivery<UnixStream, SignalOnly>;

/// Starts the thread. It ends with the program, since it takes the default's place for its signals.
pub(super) fn start(signals: &Signals, keys: Sender<Key>) -> io::Result<()> {
    let (read, write) = UnixStream::pair()?;
    let all = [SIGTSTP, SIGCONT, SIGQUIT, SIGINT, SIGTERM];
    let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, all)?;
    // Set here, so that nothing of it comes after the scan has begun.
    terminal::set();
    let listener = Listener {
        delivery,
        signals: signals.clone(),
        keys,
        stdin: io::stdin(),
    };
    let thread = std::thread::Builder::new().name("keys".into());
    match thread.spawn(move || listener.run()) {
        Ok(_) => signals.hand_over(),
        Err(error) => {
            terminal::end();
            return Err(error);
        }
    }
    Ok(())
}

struct Listener {
    delivery: Delivery,
    signals: Signals,
    keys: Sender<Key>,
    stdin: Stdin,
}

impl Listener {
    fn run(mut self) {
        loop {
            let (listens, pressed) = self.wait();
            self.take_signals();
            if pressed && terminal::is_foreground(&self.stdin) {
                self.take_keys();
            }
            if !listens {
                // It may have been brought to the foreground.
                terminal::set();
            }
        }
    }

    /// Waits for signals and, in the foreground, for keys; whether keys were waited for, and whether
    /// there are any.
    fn wait(&self) -> (bool, bool) {
        let signals = PollFd::new(self.delivery.get_read().as_fd(), PollFlags::POLLIN);
        let stdin = PollFd::new(self.stdin.as_fd(), PollFlags::POLLIN);
        // In the background, keys are another's.
        if !terminal::is_set() || !terminal::is_foreground(&self.stdin) {
            let _ = poll(&mut [signals], PollTimeout::from(LOOK));
            return (false, false);
        }
        let mut both = [signals, stdin];
        let _ = poll(&mut both, PollTimeout::NONE);
        (true, both[1].any().unwrap_or(false))
    }

    fn take_signals(&mut self) {
        for signal in self.delivery.pending() {
            match signal {
                SIGCONT => {
                    terminal::set();
                }
                SIGTSTP => {
                    terminal::put_back();
                    // Returns when the program goes on.
                    let _ = emulate_default_handler(SIGTSTP);
                    terminal::set();
                }
                SIGQUIT => {
                    terminal::end();
                    let _ = emulate_default_handler(SIGQUIT);
                }
                _ => {
                    // Ctrl-C or SIGTERM: from now on the next one may end the program at once.
                    terminal::end();
                    self.signals.make_deadly();
                }
            }
        }
    }

    fn take_keys(&self) {
        let mut bytes = [0; 64];
        match unistd::read(&self.stdin, &mut bytes) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // The terminal is gone.
            Ok(0) | Err(_) => terminal::end(),
            Ok(length) => {
                // Nobody may be left who asks.
                let _ = keys(&bytes[..length]).try_for_each(|key| self.keys.send(key));
            }
        }
    }
}

/// What was asked for by what came at once.
fn keys(bytes: &[u8]) -> impl Iterator<Item = Key> {
    // Escape begins the sequence of some other key, letters included.
    let meant = if bytes.contains(&0x1b) { &[] } else { bytes };
    meant.iter().filter_map(|byte| match byte {
        b'\r' | b'\n' | b' ' => Some(Key::Status),
        b'p' | b'P' => Some(Key::Pause),
        b'q' | b'Q' => Some(Key::Quit),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_something_and_sequences_do_not() {
        let asked = |bytes: &[u8]| keys(bytes).collect::<Vec<_>>();
        assert_eq!(asked(b" \rx"), [Key::Status, Key::Status]);
        assert_eq!(asked(b"pPq"), [Key::Pause, Key::Pause, Key::Quit]);
        assert_eq!(asked(b"\x1bOp"), []);
        assert_eq!(asked(b"\x1b[A"), []);
    }
}
