//! TLS towards one port.

mod hello;

pub(crate) use hello::Session;

use super::found::Tls;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that tells.
    Handshake,
    /// Data can be sent and comes.
    Established,
    /// It is over, with [`Session::facts`] if the other side spoke TLS at all.
    Over,
}
