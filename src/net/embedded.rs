//! A scan in the event loop of another program.

use mio::{Events, Registry, Token};

use std::ops::ControlFlow;
use std::time::Duration;

use super::control::Control;
use super::driver::Driver;
use super::sockets::{Sockets, TOKENS};
use super::{Event, RunReport, Scan, ScanError, sys};

/// A scan that runs in the caller's own [`mio::Poll`], beside whatever else that serves.
///
/// Each turn of the caller's loop: poll for at most [`timeout`](Self::timeout), then give the events,
/// also if there are none, to [`handle`](Self::handle). Events of other tokens than the scan's are
/// not looked at. A turn takes about a millisecond at most.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr, TcpListener};
/// use std::ops::ControlFlow;
///
/// use mio::{Events, Interest, Poll, Token};
/// use nishad::engine::{Options, Report};
/// use nishad::net::{Control, Event, Scan};
/// use nishad::target::{HostSet, PortSet, TargetSpace};
///
/// /// The loop's own sockets have the tokens below.
/// const FIRST: Token = Token(1_000);
/// const SERVER: Token = Token(0);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut poll = Poll::new()?;
/// let mut server = mio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
/// poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
///
/// let mut hosts = HostSet::default();
/// let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
/// hosts.insert_range(localhost, localhost, 0);
/// let ports = PortSet::from_iter([server.local_addr()?.port()]);
/// let space = TargetSpace::new(hosts, ports, &[], 42);
/// let mut scan =
///     Scan::new(space, Options::default()).embed(poll.registry(), FIRST, &Control::default())?;
///
/// let (mut open, mut served) = (0, 0);
/// let mut events = Events::with_capacity(256);
/// while !scan.is_done() {
///     match poll.poll(&mut events, Some(scan.timeout())) {
///         Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
///         _ => {}
///     }
///     for event in events.iter().filter(|event| event.token() == SERVER) {
///         // The scan knocks at this program's own door.
///         served += 1;
///         # let _ = event;
///     }
///     scan.handle(&events, &mut |event| {
///         if let Event::Report(Report::Port(port)) = event {
///             open += u64::from(port.verdict.state() == nishad::engine::State::Open);
///         }
///         ControlFlow::Continue(())
///     });
/// }
/// assert_eq!((scan.report().counts.open, open), (1, 1));
/// # let _ = served;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Embedded {
    driver: Driver,
}

impl Scan {
    /// Puts the scan in the event queue of `registry`, where it takes [`TOKENS`] tokens from `first`
    /// on.
    ///
    /// Hosts of a [feed](super::feed) are taken within 100 ms, since the queue has one waker at
    /// most, which is its owner's.
    ///
    /// # Errors
    /// [`ScanError::Poll`] if the registry cannot be shared or there are no such tokens,
    /// [`ScanError::Snapshot`] if the snapshot to go on with does not fit.
    pub fn embed(
        self,
        registry: &Registry,
        first: Token,
        control: &Control,
    ) -> Result<Embedded, ScanError> {
        if first.0.checked_add(TOKENS).is_none() {
            let error = "no room for the scan's tokens: the first one is too high";
            return Err(ScanError::Poll(std::io::Error::other(error)));
        }
        let sockets = Sockets::embedded(registry, first, sys::REUSE).map_err(ScanError::Poll)?;
        let driver = Driver::new(self, sockets, control.clone())?;
        Ok(Embedded { driver })
    }
}

impl Embedded {
    /// How long the next poll may wait at most: 100 ms, or less if there is something to do before.
    pub fn timeout(&self) -> Duration {
        match self.driver.is_done() {
            true => Duration::MAX,
            false => self.driver.timeout(),
        }
    }

    /// Takes the events of the last poll and does what is to be done now. `observe` returning `Break`
    /// ends the scan, as [`Control::cancel`] does. Once the scan is [done](Self::is_done), nothing is.
    pub fn handle(&mut self, events: &Events, observe: &mut dyn FnMut(Event) -> ControlFlow<()>) {
        self.driver.take(events);
        self.driver.turn(observe);
    }

    /// Whether every planned probe has its verdict, or the scan was ended, and all is reported.
    pub fn is_done(&self) -> bool {
        self.driver.is_done()
    }

    /// What the scan came to, so far if it is not done.
    pub fn report(&self) -> RunReport {
        self.driver.report()
    }
}
