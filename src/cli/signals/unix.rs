//! Unix: SIGINT and SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::unregister;

use super::INTERRUPTED;

/// What has a signal's handler set `deadly`.
#[derive(Clone, Debug)]
pub(super) struct Setters(Arc<[SigId]>);

impl Setters {
    /// From now on handlers do not.
    pub(super) fn remove(&self) {
        for setter in &*self.0 {
            unregister(*setter);
        }
    }
}

/// Has either signal end the program if `deadly` is set, and else set both flags.
pub(super) fn install(deadly: &Arc<AtomicBool>, cancel: &Arc<AtomicBool>) -> io::Result<Setters> {
    let mut setters = Vec::new();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal of a scan must not meet its own flag.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), deadly.clone())?;
        setters.push(flag::register(signal, deadly.clone())?);
        flag::register(signal, cancel.clone())?;
    }
    Ok(Setters(setters.into()))
}
