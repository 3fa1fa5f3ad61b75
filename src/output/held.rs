//! The listed ports of hosts that are under way, for formats that write a host as a whole.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Record;
use super::ndjson::{Address, PortLine, ServiceField};
use crate::engine::Verdict;
use crate::service;

/// Ports by host.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<Address, Vec<HeldPort>>);

/// What is held of a port.
#[derive(Debug)]
pub(super) struct HeldPort {
    pub(super) port: u16,
    pub(super) verdict: Verdict,
    /// As its line has it, which may come from outside.
    pub(super) service: ServiceField<'static>,
}

impl Held {
    /// Takes the ports of `record`.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        let added = record.ports(&mut |line| {
            self.0.entry(line.ip).or_default().push(HeldPort::new(line));
            Ok(())
        });
        debug_assert!(added.is_ok(), "nothing is written");
    }

    /// The ports of a host that is complete, ascending, each once.
    pub(super) fn take(&mut self, host: Address) -> Vec<HeldPort> {
        let mut ports = self.0.remove(&host).unwrap_or_default();
        ports.sort_by_key(|held| held.port);
        ports.dedup_by_key(|held| held.port);
        ports
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl HeldPort {
    fn new(line: &PortLine<'_>) -> HeldPort {
        // The usual name need not be copied.
        let held = |name: &str| match service::name(line.port) {
            Some(usual) if usual == name => Cow::Borrowed(usual),
            _ => Cow::Owned(name.to_string()),
        };
        HeldPort {
            port: line.port,
            verdict: line.verdict(),
            service: ServiceField {
                registered: line.service.registered.as_deref().map(held),
                found: line.service.found.clone(),
            },
        }
    }
}
