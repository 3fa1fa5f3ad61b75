//! Windows: Ctrl-C, Ctrl-Break, and the window that is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::INTERRUPTED;

/// Has each of them end the program if `deadly` is set, and else set both flags.
pub(super) fn install(deadly: &Arc<AtomicBool>, cancel: &Arc<AtomicBool>) -> io::Result<()> {
    let (deadly, cancel) = (deadly.clone(), cancel.clone());
    // On a thread of its own, so that anything may be done here.
    ctrlc::set_handler(move || {
        if deadly.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        cancel.store(true, Ordering::SeqCst);
    })
    .map_err(io::Error::other)
}
