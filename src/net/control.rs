//! A scan's reins, for other threads and signal handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends or pauses a scan that runs, from any thread; the scan sees it within 100 ms. Clones are of
/// the same scan, or scans: one may hold several.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use std::ops::ControlFlow;
/// use std::time::Duration;
///
/// use nishad::engine::Options;
/// use nishad::net::{Control, Scan};
/// use nishad::target::{HostSet, PortSet, TargetSpace};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut hosts = HostSet::default();
/// let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
/// hosts.insert_range(localhost, localhost, 0);
/// let space = TargetSpace::new(hosts, (1..=1000).collect::<PortSet>(), &[], 42);
/// // Ten attempts a second: it would take 100 s.
/// let options = Options { rate: Some(10.0), ..Options::default() };
///
/// let control = Control::default();
/// let another = control.clone();
/// let thread = std::thread::spawn(move || {
///     std::thread::sleep(Duration::from_millis(50));
///     another.cancel();
/// });
/// let run = Scan::new(space, options).run(&control, &mut |_event| ControlFlow::Continue(()))?;
/// assert_eq!(run.counts.total(), 1000);
/// assert!(run.counts.unscanned > 900, "none is forgotten");
/// # thread.join().map_err(|_| "the thread panicked")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
}

impl Control {
    /// Ends the scan: what has no verdict yet is reported as unscanned, interrupted. For good.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the scan was ended by [`cancel`](Self::cancel) or by its flag.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Lets no new attempt start until [`resume`](Self::resume). Those under way end as they do; a
    /// silence that cannot be checked meanwhile is tried again.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Whether no new attempts are to start.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}

/// Cancelled by a flag, as crates that handle signals set it.
impl From<Arc<AtomicBool>> for Control {
    fn from(cancelled: Arc<AtomicBool>) -> Control {
        Control {
            cancelled,
            ..Control::default()
        }
    }
}
