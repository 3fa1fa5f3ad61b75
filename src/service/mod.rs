//! What a port is for, and what is really behind it.
//!
//! [`Talk`] finds out what answers on an open port, without any I/O of its own, by the [`Rules`];
//! [`Service`] is what it found. [`name`] is only what a port is registered for:
//!
//! Names are those of the IANA Service Name and Transport Protocol Port Number Registry for TCP,
//! as of 2026-02-13, in lower case. Behind a registered name stand others that the port is known
//! by, for reading only; 21 ports in wide use without an assignment have their usual name.

mod alike;
mod found;
mod popular;
mod read;
mod registry;
mod rules;
pub mod talk;
mod tls;

pub use alike::{Alike, Likeness, MIN_ALIKE};
pub use found::{
    Certificate, Fault, Http, MAX_CPE, MAX_EVIDENCE, MAX_NAMES, MAX_TEXT, Manner, Service, Tls,
};
pub use registry::{name, names, port};
pub use rules::{Identified, Rules, RulesError};
pub use talk::Talk;

/// The ports most often found open, most frequent first.
pub fn popular() -> &'static [u16] {
    popular::POPULAR
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn popular_ports_are_many_and_each_once() {
        let popular = popular();
        assert!(popular.len() >= 1000);
        assert_eq!(popular[..5], [80, 23, 443, 21, 22]);
        assert!(!popular.contains(&0));
        let distinct: HashSet<&u16> = popular.iter().collect();
        assert_eq!(distinct.len(), popular.len());
    }
}
