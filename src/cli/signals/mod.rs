//! Ctrl-C and what else asks a program to end: at once while nothing is scanned; during a scan the
//! first ends the scan with what is known, the second ends the program.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use nishad::net::Control;

/// Exit code of an interrupted program: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// The handlers' flags.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// The next signal ends the program.
    deadly: Arc<AtomicBool>,
    /// The scan is to end.
    cancel: Arc<AtomicBool>,
    #[cfg(unix)]
    setters: system::Setters,
}

impl Signals {
    /// Installs the handlers; until [`scanning`](Self::scanning) a signal ends the program at once.
    pub(crate) fn install() -> io::Result<Signals> {
        let deadly = Arc::new(AtomicBool::new(true));
        let cancel = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        let setters = system::install(&deadly, &cancel)?;
        #[cfg(windows)]
        system::install(&deadly, &cancel)?;
        Ok(Signals {
            deadly,
            cancel,
            #[cfg(unix)]
            setters,
        })
    }

    /// From now on the first signal does not make the second one deadly by itself: whoever has
    /// something to do between them calls [`make_deadly`](Self::make_deadly).
    #[cfg(unix)]
    pub(crate) fn hand_over(&self) {
        self.setters.remove();
    }

    /// The next signal ends the program at once.
    pub(crate) fn make_deadly(&self) {
        self.deadly.store(true, Ordering::SeqCst);
    }

    /// Ends the scan as a first signal does.
    pub(crate) fn end_scan(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }

    /// From now on the first signal only ends the scan that is controlled by what is returned.
    pub(crate) fn scanning(&self) -> Control {
        self.deadly.store(false, Ordering::SeqCst);
        Control::from(self.cancel.clone())
    }

    /// Whether a signal has come since [`scanning`](Self::scanning).
    pub(crate) fn came(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }
}
