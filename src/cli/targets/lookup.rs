//! Names to addresses, as every program on this machine resolves them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use nishad::output::escape;
use nishad::target::Target;

use super::Family;

/// How names are resolved, and which of their addresses count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    /// The family that is scanned, both if `None`.
    pub(crate) family: Option<Family>,
    /// Whether a name stands for all its addresses, not only the first.
    pub(crate) all_addresses: bool,
    /// Asks the system; waits as long as that takes.
    pub(crate) system: fn(&str) -> io::Result<Vec<SocketAddr>>,
}

impl Default for Lookup {
    fn default() -> Lookup {
        Lookup {
            family: None,
            all_addresses: false,
            system: |name| (name, 0).to_socket_addrs().map(Iterator::collect),
        }
    }
}

impl Lookup {
    /// Every address of a name.
    pub(crate) fn of_all_addresses() -> Lookup {
        Lookup {
            all_addresses: true,
            ..Lookup::default()
        }
    }

    /// The hosts that `name` stands for. The error is the reason.
    pub(crate) fn resolve(&self, name: &str) -> Result<Vec<Target>, String> {
        let found = (self.system)(name).map_err(|error| {
            let error = error.to_string();
            let reason = error.strip_prefix("failed to lookup address information: ");
            format!("cannot be resolved: {}", escape(reason.unwrap_or(&error)))
        })?;
        let wanted = found.into_iter().filter(|addr| {
            self.family
                .is_none_or(|family| family == Family::of(addr.ip()))
        });
        let most = if self.all_addresses { usize::MAX } else { 1 };
        let name: Arc<str> = name.into();
        let target = |addr: SocketAddr| Target {
            addr: addr.ip().to_canonical(),
            scope_id: match addr {
                SocketAddr::V4(_) => 0,
                SocketAddr::V6(addr) => addr.scope_id(),
            },
            name: Some(name.clone()),
        };
        let targets: Vec<Target> = wanted.take(most).map(target).collect();
        match (targets.is_empty(), self.family) {
            (false, _) => Ok(targets),
            (true, Some(family)) => Err(format!("has no {family} address")),
            (true, None) => Err("has no address".into()),
        }
    }
}
