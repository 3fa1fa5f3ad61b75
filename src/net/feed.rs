//! Hosts that are handed to a scan while it runs: a channel, and a bell that ends its wait.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, OnceLock};

use mio::Waker;

use crate::target::Target;

/// A way to hand hosts to a running scan, from any thread, and the end to give to
/// [`Scan::feed`](super::Scan::feed).
///
/// Hosts may be sent before the scan starts, too. The scan is not done before every feeder (they can
/// be cloned) is dropped.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr, TcpListener};
/// use std::ops::ControlFlow;
///
/// use nishad::engine::Options;
/// use nishad::net;
/// use nishad::target::{HostSet, PortSet, Target, TargetSpace};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
/// let ports = PortSet::from_iter([listener.local_addr()?.port()]);
/// let space = TargetSpace::new(HostSet::default(), ports, &[], 42);
///
/// let (feeder, feed) = net::feed();
/// let resolver = std::thread::spawn(move || {
///     // Whatever takes its time to find hosts.
///     feeder.send(Target::new(IpAddr::from(Ipv4Addr::LOCALHOST)))
/// });
/// let control = net::Control::default();
/// let scan = net::Scan::new(space, Options::default()).feed(feed);
/// let run = scan.run(&control, &mut |_event| ControlFlow::Continue(()))?;
/// assert_eq!((run.hosts, run.counts.open), (1, 1));
/// # assert_eq!(resolver.join().ok(), Some(Ok(())));
/// # Ok(())
/// # }
/// ```
pub fn feed() -> (Feeder, Feed) {
    let (sender, hosts) = channel();
    let bell = Arc::new(Bell::default());
    let feeder = Feeder {
        sender: Some(sender),
        bell: bell.clone(),
    };
    (feeder, Feed { hosts, bell })
}

/// Hands hosts to a running scan; see [`feed`].
#[derive(Clone, Debug)]
pub struct Feeder {
    /// `None` only while it is dropped.
    sender: Option<Sender<Target>>,
    bell: Arc<Bell>,
}

/// The scan has ended, or its feed was dropped without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scan takes no more hosts")]
pub struct FeedClosed;

impl Feeder {
    /// Hands over a host, to be scanned behind those known before. An address that the scan knows
    /// already is scanned once, by its first name. Never waits; what was not begun is held in memory.
    ///
    /// # Errors
    ///
    /// [`FeedClosed`] if there is no scan any more that could take it.
    pub fn send(&self, target: Target) -> Result<(), FeedClosed> {
        let sender = self.sender.as_ref().ok_or(FeedClosed)?;
        sender.send(target).map_err(|_| FeedClosed)?;
        self.bell.ring();
        Ok(())
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // The sender goes before the bell: who hears it finds that no more will come.
        self.sender = None;
        self.bell.ring();
    }
}

/// The scan's end of a [`feed`].
#[derive(Debug)]
pub struct Feed {
    hosts: Receiver<Target>,
    bell: Arc<Bell>,
}

impl Feed {
    /// From now on `waker` is woken when there is something to take.
    pub(super) fn wakes(&self, waker: Waker) {
        // A feed is given to one scan only.
        let _ = self.bell.waker.set(waker);
    }

    /// The next host, if one has come.
    pub(super) fn take(&self) -> Taken {
        match self.hosts.try_recv() {
            Ok(target) => Taken::Host(target),
            Err(TryRecvError::Empty) => Taken::NothingYet,
            Err(TryRecvError::Disconnected) => Taken::End,
        }
    }
}

/// What a feed had.
#[derive(Debug)]
pub(super) enum Taken {
    Host(Target),
    NothingYet,
    /// Every feeder is gone.
    End,
}

/// Ends the wait of the scan's event queue, once there is one.
#[derive(Debug, Default)]
struct Bell {
    waker: OnceLock<Waker>,
}

impl Bell {
    fn ring(&self) {
        if let Some(waker) = self.waker.get() {
            // If it fails, the scan looks within its longest wait all the same.
            let _ = waker.wake();
        }
    }
}
