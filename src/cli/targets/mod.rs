//! TARGETs to hosts: addresses at once, with scopes as interface indices; `lookup` resolves one name,
//! `names` many at the same time. `list` reads files of them, `exclude` what is to be left out, `bad`
//! keeps what is wrong, `place` says where.

mod bad;
mod exclude;
mod list;
mod lookup;
mod names;
mod place;

use std::ffi::OsStr;
use std::fmt;
use std::net::IpAddr;

use nishad::output::escape;
use nishad::target::{HostSet, HostSpec};

use super::args::Args;
use list::Word;

pub(crate) use bad::Bad;
pub(crate) use exclude::{Excluded, Excludes};
pub(crate) use list::is_stdin;
pub(crate) use lookup::Lookup;
pub(crate) use names::Names;
pub(crate) use place::Place;

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

/// Most addresses of one TARGET without `--yes`: 2^32, all of IPv4.
const MANY: u128 = 1 << 32;

/// What the TARGETs so far stand for.
#[derive(Debug)]
pub(crate) struct Targets {
    lookup: Lookup,
    /// Whether one TARGET may stand for any number of addresses.
    yes: bool,
    /// The hosts known.
    pub(crate) hosts: HostSet,
    /// The names, whose hosts are not known yet.
    pub(crate) names: Names,
    /// What cannot be read.
    pub(crate) bad: Bad,
}

impl Targets {
    /// No targets yet; they will be read as `lookup` says.
    pub(crate) fn new(lookup: Lookup, yes: bool) -> Targets {
        Targets {
            lookup,
            yes,
            hosts: HostSet::default(),
            names: Names::new(lookup),
            bad: Bad::default(),
        }
    }

    /// Adds what was typed on the command line.
    pub(crate) fn add_typed(&mut self, target: &OsStr) {
        match target.to_str() {
            Some(target) => self.add(target, &Place::default()),
            None => {
                let lossy = target.to_string_lossy();
                let shown = escape(&lossy);
                self.bad
                    .push(|| format!("{shown}: not UTF-8; give an address or a host name"));
            }
        }
    }

    /// Adds what the list at `path` holds. An error is that of the list itself.
    pub(crate) fn add_list(&mut self, path: &std::path::Path) -> Result<(), String> {
        let place = Place::of(path);
        list::read("--targets", path, &mut |Word { text, line }| match text {
            Ok(target) => self.add(target, &place.at(line)),
            Err(error) => self.bad.push(|| format!("{}{error}", place.at(line))),
        })
    }

    /// Adds what `target`, given at `place`, stands for.
    fn add(&mut self, target: &str, place: &Place) {
        match self.read(target) {
            Ok(Some(name)) => self.names.add(&name, place.clone()),
            Ok(None) => {}
            Err(error) => self.bad.push(|| format!("{place}{error}")),
        }
    }

    /// Adds what `target` stands for, and waits for it if it is a name. The error names the target
    /// and what would be right.
    pub(crate) fn add_now(&mut self, target: &str) -> Result<(), String> {
        let Some(name) = self.read(target)? else {
            return Ok(());
        };
        let found = self.lookup.resolve(&name);
        for target in found.map_err(|reason| format!("{name}: {reason}"))? {
            self.hosts
                .insert_named(target.addr, target.scope_id, name.as_str());
        }
        Ok(())
    }

    /// Adds the addresses that `target` stands for, or gives the name that it is. The error names
    /// the target and what would be right.
    fn read(&mut self, target: &str) -> Result<Option<String>, String> {
        // The parser's messages name the target or the piece of it at fault.
        let spec: HostSpec = target.parse().map_err(|error| format!("{error}"))?;
        let added = match spec {
            HostSpec::Name(name) => return Ok(Some(name)),
            spec => self.add_addresses(&spec),
        };
        added.map_err(|reason| format!("{}: {reason}", escape(target)))?;
        Ok(None)
    }

    fn add_addresses(&mut self, spec: &HostSpec) -> Result<(), String> {
        let first = spec.ranges().and_then(|mut ranges| ranges.next());
        if let (Some(family), Some((first, _))) = (self.lookup.family, first)
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
        if let Some(addresses) = spec.addresses().filter(|addresses| *addresses > MANY)
            && !self.yes
        {
            return Err(format!(
                "2^{} addresses or more; --yes scans them all the same, or give a prefix of /96 or longer",
                addresses.ilog2()
            ));
        }
        let scope_id = spec.scope().map_or(Ok(0), scope_id)?;
        self.hosts.insert_spec(spec, scope_id);
        Ok(())
    }
}

/// The index of the interface that `scope` names, by name or by index.
fn scope_id(scope: &str) -> Result<u32, String> {
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
#[path = "../../../tests/support/lab.rs"]
mod lab;

#[cfg(test)]
mod tests {
    use super::*;

    fn added(targets: Targets, target: &str) -> Result<Vec<String>, String> {
        let mut targets = targets;
        targets.add_now(target)?;
        let hosts = targets.hosts;
        Ok((0..hosts.len())
            .filter_map(|index| hosts.nth(index))
            .map(|host| host.to_string())
            .collect())
    }

    fn any() -> Targets {
        Targets::new(Lookup::default(), false)
    }

    fn only(family: Family) -> Targets {
        let lookup = Lookup {
            family: Some(family),
            ..Lookup::default()
        };
        Targets::new(lookup, false)
    }

    #[test]
    fn addresses_and_families() {
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
        let mut targets = only(Family::V4);
        targets.add_now("localhost").expect("every machine has it");
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
        let error = added(any(), "host.invalid").expect_err("no such name");
        assert!(
            error.starts_with("host.invalid: cannot be resolved: "),
            "{error}"
        );
    }

    #[test]
    fn more_than_2_to_the_32_addresses_are_asked_about() {
        for (target, size) in [
            ("2001:db8::/95", 33),
            ("2001:db8::/81", 47),
            ("2001:db8::-2001:db8::1:0:0", 32),
        ] {
            let error = added(any(), target).expect_err("too many");
            let wanted = format!(
                "{target}: 2^{size} addresses or more; --yes scans them all the same, or give a \
                 prefix of /96 or longer"
            );
            assert_eq!(error, wanted);
            let mut yes = Targets::new(Lookup::default(), true);
            yes.add_now(target).expect("asked for");
            assert!(yes.hosts.len() > 1 << 32);
        }
        for target in ["2001:db8::/96", "0.0.0.0/0"] {
            let mut targets = any();
            targets.add_now(target).expect("not too many");
            assert_eq!(targets.hosts.len(), 1 << 32);
        }
    }

    #[test]
    fn scopes() {
        assert_eq!(added(any(), "fe80::1%7"), Ok(vec!["fe80::1%7".into()]));
        let error = added(any(), "fe80::1").expect_err("no scope");
        assert!(error.contains("fe80::1%eth0"), "{error}");
        let error = added(any(), "fe80::1%nosuch0").expect_err("no interface");
        assert_eq!(
            error,
            "fe80::1%nosuch0: there is no interface nosuch0 on this machine"
        );
        // No interface has that index; sockets take it for none given.
        let error = added(any(), "fe80::1%0").expect_err("no interface");
        assert!(error.contains("there is no interface 0"), "{error}");
        if cfg!(target_os = "linux") {
            assert_eq!(added(any(), "fe80::1%lo"), Ok(vec!["fe80::1%1".into()]));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_target_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let mut targets = any();
        targets.add_typed(OsStr::from_bytes(b"h\xff\x1b"));
        assert_eq!(
            targets.bad.lines().collect::<Vec<_>>(),
            ["h\u{fffd}\\u{1b}: not UTF-8; give an address or a host name"]
        );
    }
}
