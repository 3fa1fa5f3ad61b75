//! TLS towards one port: by rustls with the feature `tls`, else only recognised.

#[cfg(any(test, not(feature = "tls")))]
mod bare;
#[cfg(feature = "tls")]
pub(super) mod certificate;
mod hello;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod trust;

#[cfg(not(feature = "tls"))]
pub(crate) use bare::Session;
#[cfg(feature = "tls")]
pub(crate) use session::Session;

use super::found::Tls;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The handshake is under way.
    Handshake,
    /// Data can be sent and comes.
    Established,
    /// It is over; what was learned is known if the other side spoke TLS at all.
    Over,
}

#[cfg(all(test, feature = "tls"))]
pub(crate) mod testing;
#[cfg(all(test, feature = "tls"))]
mod tests;
