//! Unix: SIGINT and SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::INTERRUPTED;

/// Has either signal end the program if `deadly` is set, and else set both flags.
pub(super) fn install(deadly: &Arc<AtomicBool>, cancel: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal of a scan must not meet its own flag.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), deadly.clone())?;
        flag::register(signal, deadly.clone())?;
        flag::register(signal, cancel.clone())?;
    }
    Ok(())
}
