//! TARGETs to hosts: names are resolved as every program on this machine resolves them, scopes
//! become interface indices.

use std::ffi::OsStr;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use nishad::output::escape;
use nishad::target::{HostSet, HostSpec};

/// Address family asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `-4`
    V4,
    /// `-6`
    V6,
}

impl Family {
    fn of(addr: IpAddr) -> Family {
        if addr.to_canonical().is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// The hosts that the TARGETs so far stand for.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// The family that is scanned, both if `None`.
    pub(crate) family: Option<Family>,
    /// Whether a name stands for all its addresses.
    pub(crate) all_addresses: bool,
    /// The hosts.
    pub(crate) hosts: HostSet,
}

impl Targets {
    /// Adds what `target` stands for. The error names the target and what would be right.
    pub(crate) fn add_typed(&mut self, target: &OsStr) -> Result<(), String> {
        match target.to_str() {
            Some(target) => self.add(target),
            None => {
                let lossy = target.to_string_lossy();
                Err(format!(
                    "{}: not UTF-8; give an address or a host name",
                    escape(&lossy)
                ))
            }
        }
    }

    /// Adds what `target` stands for. The error names the target and what would be right.
    pub(crate) fn add(&mut self, target: &str) -> Result<(), String> {
        // The parser's messages name the target or the piece of it at fault.
        let spec: HostSpec = target.parse().map_err(|error| format!("{error}"))?;
        match &spec {
            HostSpec::Name(name) => self.add_name(name),
            _ => self.add_addresses(&spec),
        }
        .map_err(|reason| format!("{}: {reason}", escape(target)))
    }

    fn add_addresses(&mut self, spec: &HostSpec) -> Result<(), String> {
        let first = spec.ranges().and_then(|mut ranges| ranges.next());
        if let (Some(family), Some((first, _))) = (self.family, first)
            && Family::of(first) != family
        {
            return Err(format!(
                "{} address, but only {family} is asked for",
                Family::of(first)
            ));
        }
        if spec.lacks_scope() {
            return Err("link-local; name the interface it is on, as in fe80::1%eth0".into());
        }
        let scope_id = spec.scope().map_or(Ok(0), interface)?;
        self.hosts.insert_spec(spec, scope_id);
        Ok(())
    }

    fn add_name(&mut self, name: &str) -> Result<(), String> {
        let found = (name, 0).to_socket_addrs().map_err(|error| {
            let error = error.to_string();
            let reason = error.strip_prefix("failed to lookup address information: ");
            format!("cannot be resolved: {}", escape(reason.unwrap_or(&error)))
        })?;
        let wanted = found.filter(|addr| {
            self.family
                .is_none_or(|family| family == Family::of(addr.ip()))
        });
        let most = if self.all_addresses { usize::MAX } else { 1 };
        let mut any = false;
        for addr in wanted.take(most) {
            let scope_id = match addr {
                SocketAddr::V4(_) => 0,
                SocketAddr::V6(addr) => addr.scope_id(),
            };
            self.hosts.insert_named(addr.ip(), scope_id, name);
            any = true;
        }
        match (any, self.family) {
            (true, _) => Ok(()),
            (false, Some(family)) => Err(format!("has no {family} address")),
            (false, None) => Err("has no address".into()),
        }
    }
}

/// The index of the interface that `scope` names, by name or by index.
fn interface(scope: &str) -> Result<u32, String> {
    match scope.parse() {
        Ok(0) => None,
        Ok(index) => Some(index),
        Err(_) => named_interface(scope),
    }
    .ok_or_else(|| format!("there is no interface {} on this machine", escape(scope)))
}

#[cfg(unix)]
fn named_interface(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// Windows writes scopes as numbers.
#[cfg(not(unix))]
fn named_interface(_name: &str) -> Option<u32> {
    None
}

#[cfg(test)]
#[allow(dead_code, reason = "one test needs a part")]
#[path = "../../tests/support/lab.rs"]
mod lab;

#[cfg(test)]
mod tests {
    use super::*;

    fn added(targets: Targets, target: &str) -> Result<Vec<String>, String> {
        let mut targets = targets;
        targets.add(target)?;
        let hosts = targets.hosts;
        Ok((0..hosts.len())
            .filter_map(|index| hosts.nth(index))
            .map(|host| host.to_string())
            .collect())
    }

    #[test]
    fn addresses_and_families() {
        let any = Targets::default;
        let only = |family| Targets {
            family: Some(family),
            ..Targets::default()
        };
        assert_eq!(
            added(any(), "192.0.2.1-2"),
            Ok(vec!["192.0.2.1".into(), "192.0.2.2".into()])
        );
        assert_eq!(
            added(only(Family::V6), "2001:db8::1"),
            Ok(vec!["2001:db8::1".into()])
        );
        let wrong = added(only(Family::V6), "192.0.2.1").expect_err("the other family");
        assert_eq!(wrong, "192.0.2.1: IPv4 address, but only IPv6 is asked for");
        let wrong = added(only(Family::V4), "::1").expect_err("the other family");
        assert_eq!(wrong, "::1: IPv6 address, but only IPv4 is asked for");
    }

    #[test]
    fn names_keep_their_name() {
        let mut targets = Targets {
            family: Some(Family::V4),
            ..Targets::default()
        };
        targets.add("localhost").expect("every machine has it");
        let host = targets.hosts.nth(0).expect("one host");
        assert_eq!(host.addr, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(host.name.as_deref(), Some("localhost"));
    }

    /// In a namespace, so that nobody is asked for the name.
    #[test]
    fn names_that_do_not_resolve_say_so() {
        let test = "cli::targets::tests::names_that_do_not_resolve_say_so";
        let Some(_lab) = lab::Lab::enter(test) else {
            return;
        };
        // RFC 6761: no resolver knows a name under `invalid`.
        let error = added(Targets::default(), "host.invalid").expect_err("no such name");
        assert!(
            error.starts_with("host.invalid: cannot be resolved: "),
            "{error}"
        );
    }

    #[test]
    fn scopes() {
        assert_eq!(
            added(Targets::default(), "fe80::1%7"),
            Ok(vec!["fe80::1%7".into()])
        );
        let error = added(Targets::default(), "fe80::1").expect_err("no scope");
        assert!(error.contains("fe80::1%eth0"), "{error}");
        let error = added(Targets::default(), "fe80::1%nosuch0").expect_err("no interface");
        assert_eq!(
            error,
            "fe80::1%nosuch0: there is no interface nosuch0 on this machine"
        );
        // No interface has that index; sockets take it for none given.
        let error = added(Targets::default(), "fe80::1%0").expect_err("no interface");
        assert!(error.contains("there is no interface 0"), "{error}");
        if cfg!(target_os = "linux") {
            assert_eq!(
                added(Targets::default(), "fe80::1%lo"),
                Ok(vec!["fe80::1%1".into()])
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_target_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let error = Targets::default()
            .add_typed(OsStr::from_bytes(b"h\xff\x1b"))
            .expect_err("not UTF-8");
        assert_eq!(
            error,
            "h\u{fffd}\\u{1b}: not UTF-8; give an address or a host name"
        );
    }
}
