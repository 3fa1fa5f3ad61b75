//! Windows: the thread that waits for keys of the console, whose settings need no change for that.

use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use console::Term;

use super::Key;
use crate::cli::signals::Signals;

/// Pause after a key that is not known, or where there is none to wait for.
const UNKNOWN: Duration = Duration::from_millis(50);

/// Starts the thread. It ends with the program.
pub(super) fn start(_signals: &Signals, keys: Sender<Key>) -> io::Result<()> {
    let terminal = Term::stderr();
    let thread = std::thread::Builder::new().name("keys".into());
    thread.spawn(move || {
        while let Ok(key) = terminal.read_key() {
            let asked = match key {
                console::Key::Enter | console::Key::Char(' ') => Key::Status,
                console::Key::Char('p' | 'P') => Key::Pause,
                console::Key::Char('q' | 'Q') => Key::Quit,
                _ => {
                    std::thread::sleep(UNKNOWN);
                    continue;
                }
            };
            if keys.send(asked).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
