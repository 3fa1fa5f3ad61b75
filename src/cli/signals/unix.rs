//! Unix: SIGINT, SIGTERM, and SIGHUP where nobody has it ignored.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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

/// Whether `signal` is ignored, as `status` tells.
fn is_ignored(status: &str, signal: i32) -> Option<bool> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u128::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// Has SIGINT and SIGTERM end the program if `deadly` is set, and else set both flags.
///
/// A terminal that goes away ends a scan too, and nothing at once: SIGHUP comes twice then, from the
/// kernel and from the shell. Under nohup(1) it is ignored, which only Linux tells without unsafe code,
/// in proc_pid_status(5); elsewhere that signal is left as it is.
pub(super) fn install(deadly: &Arc<AtomicBool>, cancel: &Arc<AtomicBool>) -> io::Result<Setters> {
    let mut setters = Vec::new();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal of a scan must not meet its own flag.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), deadly.clone())?;
        setters.push(flag::register(signal, deadly.clone())?);
        flag::register(signal, cancel.clone())?;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(&status, SIGHUP) == Some(false) {
        flag::register_conditional_shutdown(SIGHUP, INTERRUPTED.into(), deadly.clone())?;
        flag::register(SIGHUP, cancel.clone())?;
    }
    Ok(Setters(setters.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_its_mask() {
        let status = "Name:\tnishad\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
        assert_eq!(is_ignored(status, SIGHUP), Some(true));
        assert_eq!(is_ignored(status, SIGINT), Some(false));
        assert_eq!(is_ignored(status, 13), Some(true));
        for unknown in ["", "SigIgn:", "SigIgn:\txyz"] {
            assert_eq!(is_ignored(unknown, SIGHUP), None, "{unknown}");
        }
    }
}
