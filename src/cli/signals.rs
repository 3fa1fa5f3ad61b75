//! Ctrl-C and SIGTERM: at once while nothing is scanned; during a scan the first ends the scan with
//! what is known, the second ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use nishad::net::Control;

/// Exit code of an interrupted program: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// The handlers' flags.
pub(crate) struct Signals {
    /// The next signal ends the program.
    deadly: Arc<AtomicBool>,
    /// The scan is to end.
    cancel: Arc<AtomicBool>,
}

impl Signals {
    /// Installs the handlers; until [`scanning`](Self::scanning) a signal ends the program at once.
    pub(crate) fn install() -> io::Result<Signals> {
        let deadly = Arc::new(AtomicBool::new(true));
        let cancel = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal of a scan must not meet its own flag.
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), deadly.clone())?;
            flag::register(signal, deadly.clone())?;
            flag::register(signal, cancel.clone())?;
        }
        Ok(Signals { deadly, cancel })
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
