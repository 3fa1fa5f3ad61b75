//! What may be typed for a target: an address, a name, a network, or ranges of addresses.
//!
//! Nothing here asks a resolver or the system: a name stays a name and a scope its text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::HostSpecError;
use super::hosts::MAX_HOSTS;
use super::octets::{Octets, parse_octets};
use super::shown::shown;

/// What was typed for a TARGET.
///
/// IPv4-mapped IPv6 addresses become the IPv4 addresses they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostSpec {
    /// One address: `192.0.2.1`, `2001:db8::1`, `[fe80::1%eth0]`.
    Address {
        /// The address.
        addr: IpAddr,
        /// The interface of a link-local address, by name or index, as typed.
        scope: Option<String>,
    },
    /// A host name, as typed; to be resolved.
    Name(String),
    /// All addresses from one to another: `192.0.2.1-192.0.2.20`.
    Range {
        /// The first address.
        first: IpAddr,
        /// The last address, of the same family and not below `first`.
        last: IpAddr,
        /// The interface of link-local addresses, by name or index, as typed.
        scope: Option<String>,
    },
    /// A network: `10.0.0.7/24`, which is 10.0.0.0 to 10.0.0.255.
    Network {
        /// Its first address.
        network: IpAddr,
        /// Bits that all its addresses share.
        prefix: u8,
        /// The interface of link-local addresses, by name or index, as typed.
        scope: Option<String>,
    },
    /// IPv4 addresses by ranges within the octets: `10.0.0-3.1-254`, `192.0.2.1,5,20-29`, `10.0.*.1`.
    Octets(Octets),
}

impl HostSpec {
    /// Reads what stands for any number of addresses, also more than a run can have: to leave out.
    ///
    /// # Errors
    ///
    /// As of [`from_str`](Self::from_str), but for the size.
    pub fn of_any_size(spec: &str) -> Result<HostSpec, HostSpecError> {
        parse(spec.trim())
    }

    /// How many addresses it stands for, at most `u128::MAX`; `None` for a name.
    pub fn addresses(&self) -> Option<u128> {
        let count = |(first, last): (IpAddr, IpAddr)| match (first, last) {
            (IpAddr::V6(first), IpAddr::V6(last)) => u128::from(last) - u128::from(first),
            (IpAddr::V4(first), IpAddr::V4(last)) => u128::from(u32::from(last) - u32::from(first)),
            // Both ends of a range are of one family.
            _ => 0,
        };
        let ranges = self.ranges()?.map(|range| count(range).saturating_add(1));
        Some(ranges.fold(0, u128::saturating_add))
    }

    /// The ranges of addresses it stands for, ascending, or `None` for a name.
    pub fn ranges(&self) -> Option<Box<dyn Iterator<Item = (IpAddr, IpAddr)> + '_>> {
        Some(match *self {
            HostSpec::Name(_) => return None,
            HostSpec::Address { addr, .. } => Box::new(std::iter::once((addr, addr))),
            HostSpec::Range { first, last, .. } => Box::new(std::iter::once((first, last))),
            HostSpec::Network {
                network, prefix, ..
            } => Box::new(std::iter::once((network, last_of(network, prefix)))),
            HostSpec::Octets(ref octets) => Box::new(octets.ranges().map(|(first, last)| {
                let (first, last) = (Ipv4Addr::from(first), Ipv4Addr::from(last));
                (first.into(), last.into())
            })),
        })
    }

    /// The first address it stands for and the last; `None` for a name.
    pub(crate) fn bounds(&self) -> Option<(IpAddr, IpAddr)> {
        if let HostSpec::Octets(octets) = self {
            let (first, last) = octets.bounds();
            return Some((first.into(), last.into()));
        }
        // All others are one range.
        self.ranges()?.next()
    }

    /// Whether `addr` is one of its addresses, on whichever interface. A name has none.
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        match (self, addr) {
            (HostSpec::Octets(octets), IpAddr::V4(addr)) => octets.contains(addr),
            (HostSpec::Octets(_) | HostSpec::Name(_), _) => false,
            _ => self.ranges().into_iter().flatten().any(|(first, last)| {
                first.is_ipv4() == addr.is_ipv4() && first <= addr && addr <= last
            }),
        }
    }

    /// The interface that was named, by name or index.
    pub fn scope(&self) -> Option<&str> {
        match self {
            HostSpec::Address { scope, .. }
            | HostSpec::Range { scope, .. }
            | HostSpec::Network { scope, .. } => scope.as_deref(),
            HostSpec::Name(_) | HostSpec::Octets(_) => None,
        }
    }

    /// Whether it is a link-local IPv6 address without a scope, to which nothing can be sent.
    pub fn lacks_scope(&self) -> bool {
        match *self {
            HostSpec::Address {
                addr, scope: None, ..
            }
            | HostSpec::Range {
                first: addr,
                scope: None,
                ..
            }
            | HostSpec::Network {
                network: addr,
                scope: None,
                ..
            } => is_link_local(addr),
            _ => false,
        }
    }
}

impl FromStr for HostSpec {
    type Err = HostSpecError;

    fn from_str(target: &str) -> Result<HostSpec, HostSpecError> {
        let target = target.trim();
        let spec = parse(target)?;
        if let HostSpec::Network { .. } | HostSpec::Range { .. } = spec {
            check_size(target, &spec)?;
        }
        Ok(spec)
    }
}

/// As it was meant: a network by its first address, an IPv6 address without brackets.
impl std::fmt::Display for HostSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scope = self.scope().map(|scope| format!("%{}", shown(scope)));
        let scope = scope.unwrap_or_default();
        match self {
            HostSpec::Address { addr, .. } => write!(f, "{addr}{scope}"),
            HostSpec::Name(name) => f.write_str(name),
            HostSpec::Range { first, last, .. } => write!(f, "{first}{scope}-{last}{scope}"),
            HostSpec::Network {
                network, prefix, ..
            } => write!(f, "{network}{scope}/{prefix}"),
            HostSpec::Octets(octets) => octets.fmt(f),
        }
    }
}

/// What `target`, without blanks around it, stands for.
fn parse(target: &str) -> Result<HostSpec, HostSpecError> {
    if target.is_empty() {
        return Err(HostSpecError::Empty);
    }
    if target.contains(char::is_whitespace) {
        return Err(HostSpecError::Blank {
            target: shown(target),
        });
    }
    if target.contains("://") {
        return Err(HostSpecError::Url {
            target: shown(target),
        });
    }
    if let Some((network, prefix)) = target.split_once('/') {
        return parse_network(network, prefix);
    }
    if target.contains([':', '[', ']', '%']) {
        return parse_ipv6(target);
    }
    let numeric = |c: char| c.is_ascii_digit() || ".-,*".contains(c);
    if target.chars().all(numeric) {
        return parse_ipv4(target);
    }
    check_name(target)?;
    Ok(HostSpec::Name(target.to_string()))
}

/// `a.b.c.d` with ranges, or `a.b.c.d-e.f.g.h`; `target` has digits, dots, dashes, commas and stars.
fn parse_ipv4(target: &str) -> Result<HostSpec, HostSpecError> {
    // What most lines of a long list are.
    if let Ok(addr) = target.parse::<Ipv4Addr>() {
        return Ok(HostSpec::Address {
            addr: addr.into(),
            scope: None,
        });
    }
    if let Some((first, last)) = target.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>())
    {
        return address_range(first.into(), last.into(), None);
    }
    let octets = parse_octets(target)?;
    Ok(match octets.single() {
        Some(addr) => HostSpec::Address {
            addr: Ipv4Addr::from(addr).into(),
            scope: None,
        },
        None => HostSpec::Octets(octets),
    })
}

/// `addr` or `addr-addr`, each with a scope and in brackets if wanted.
fn parse_ipv6(target: &str) -> Result<HostSpec, HostSpecError> {
    // A scope may hold dashes too (`%br-lan`), so a dash counts where addresses are on both sides.
    for (dash, _) in target.match_indices('-') {
        let (first, last) = (&target[..dash], &target[dash + 1..]);
        if let (Ok(first), Ok(last)) = (parse_address(first), parse_address(last)) {
            let scope = match (first.1, last.1) {
                (Some(first), Some(last)) if first != last => {
                    return Err(HostSpecError::TwoScopes {
                        first: shown(&first),
                        last: shown(&last),
                    });
                }
                (first, last) => first.or(last),
            };
            return address_range(first.0, last.0, scope);
        }
    }
    if let Some((host, port)) = split_port(target) {
        return Err(HostSpecError::Port {
            target: shown(host),
            port: shown(port),
        });
    }
    let (addr, scope) = parse_address(target)?;
    check_scope(addr, scope.as_deref())?;
    Ok(HostSpec::Address { addr, scope })
}

/// An address and its scope, in brackets if wanted.
fn parse_address(piece: &str) -> Result<(IpAddr, Option<String>), HostSpecError> {
    let bare = match piece.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(bare)) => bare,
        Some(None) => {
            return Err(HostSpecError::Brackets {
                target: shown(piece),
            });
        }
        None => piece,
    };
    if bare.contains(['[', ']']) {
        return Err(HostSpecError::Brackets {
            target: shown(piece),
        });
    }
    if let Ok(addr) = bare.parse::<Ipv4Addr>()
        && bare == piece
    {
        return Ok((addr.into(), None));
    }
    let (addr, scope) = match bare.split_once('%') {
        Some((addr, scope)) => (addr, Some(scope)),
        None => (bare, None),
    };
    let Ok(addr) = addr.parse::<Ipv6Addr>() else {
        return Err(HostSpecError::BadIpv6 {
            piece: shown(piece),
        });
    };
    if let Some(scope) = scope
        && !is_interface(scope)
    {
        return Err(HostSpecError::BadScope {
            scope: shown(scope),
        });
    }
    Ok((addr.to_canonical(), scope.map(str::to_string)))
}

/// Host and port of `host:port` and `[addr]:port`.
fn split_port(target: &str) -> Option<(&str, &str)> {
    let (host, port) = target.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.len() <= 5 && port.bytes().all(|c| c.is_ascii_digit());
    let is_host = host.ends_with(']') || !host.contains(':');
    (is_port && is_host).then_some((host, port))
}

/// `addr/prefix`.
fn parse_network(network: &str, prefix: &str) -> Result<HostSpec, HostSpecError> {
    let (addr, scope) = parse_address(network).map_err(|error| match error {
        HostSpecError::BadIpv6 { .. } => HostSpecError::BadNetwork {
            piece: shown(network),
        },
        error => error,
    })?;
    check_scope(addr, scope.as_deref())?;
    // A mapped address is typed with the prefix of IPv6, of which 96 bits map.
    let mapped = addr.is_ipv4() && network.contains(':');
    let (longest, example) = if addr.is_ipv4() && !mapped {
        (32, 24)
    } else {
        (128, 112)
    };
    let prefix = match prefix.parse::<u8>() {
        Ok(bits) if bits <= longest && prefix.bytes().all(|c| c.is_ascii_digit()) => bits,
        _ => {
            return Err(HostSpecError::BadPrefix {
                prefix: shown(prefix),
                network: if mapped { mapped_back(addr) } else { addr },
                longest,
                example,
            });
        }
    };
    let (addr, prefix) = match mapped {
        true if prefix < 96 => (mapped_back(addr), prefix),
        true => (addr, prefix - 96),
        false => (addr, prefix),
    };
    let network = first_of(addr, prefix);
    Ok(HostSpec::Network {
        network,
        prefix,
        scope,
    })
}

/// The IPv4-mapped IPv6 address that `addr` was typed as.
fn mapped_back(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped().into(),
        addr => addr,
    }
}

/// All addresses from `first` to `last`.
fn address_range(
    first: IpAddr,
    last: IpAddr,
    scope: Option<String>,
) -> Result<HostSpec, HostSpecError> {
    if first.is_ipv4() != last.is_ipv4() {
        return Err(HostSpecError::MixedFamilies { first, last });
    }
    if last < first {
        return Err(HostSpecError::Backwards {
            first: first.to_string(),
            last: last.to_string(),
        });
    }
    check_scope(first, scope.as_deref())?;
    check_scope(last, scope.as_deref())?;
    Ok(HostSpec::Range { first, last, scope })
}

/// A scope belongs to link-local addresses only: elsewhere the system ignores it.
fn check_scope(addr: IpAddr, scope: Option<&str>) -> Result<(), HostSpecError> {
    match scope {
        Some(scope) if !is_link_local(addr) => Err(HostSpecError::NoScope {
            addr,
            scope: shown(scope),
        }),
        _ => Ok(()),
    }
}

fn check_size(target: &str, spec: &HostSpec) -> Result<(), HostSpecError> {
    match spec.addresses() {
        Some(addresses) if addresses > u128::from(MAX_HOSTS) => Err(HostSpecError::TooMany {
            target: shown(target),
            // All addresses of IPv6 are one more than can be counted.
            bits: if addresses == u128::MAX {
                128
            } else {
                addresses.ilog2()
            },
        }),
        _ => Ok(()),
    }
}

fn is_link_local(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local())
}

/// Whether `scope` can be an interface's name or index: printable and not too long (Windows has
/// long names; Linux ends at 15).
fn is_interface(scope: &str) -> bool {
    !scope.is_empty()
        && scope.len() <= 64
        && scope.bytes().all(|c| c.is_ascii_graphic() && c != b'%')
}

fn first_of(addr: IpAddr, prefix: u8) -> IpAddr {
    match addr {
        IpAddr::V4(addr) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(addr) & mask).into()
        }
        IpAddr::V6(addr) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from(u128::from(addr) & mask).into()
        }
    }
}

fn last_of(network: IpAddr, prefix: u8) -> IpAddr {
    match network {
        IpAddr::V4(addr) => {
            let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            Ipv4Addr::from(u32::from(addr) | hosts).into()
        }
        IpAddr::V6(addr) => {
            let hosts = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            Ipv6Addr::from(u128::from(addr) | hosts).into()
        }
    }
}

/// Letters, digits, hyphens and dots (RFC 1123, section 2.1), and underscores, which are in use.
fn check_name(name: &str) -> Result<(), HostSpecError> {
    if !name.is_ascii() {
        return Err(HostSpecError::NotAscii { name: shown(name) });
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    if let Some(letter) = name.chars().find(|c| !allowed(c)) {
        return Err(HostSpecError::BadLetter {
            letter: shown(&letter.to_string()),
            name: shown(name),
        });
    }
    let bare = name.strip_suffix('.').unwrap_or(name);
    let length = bare.len();
    if length > 253 {
        return Err(HostSpecError::LongName {
            name: shown(name),
            length,
        });
    }
    for label in bare.split('.') {
        let length = label.len();
        if length == 0 {
            return Err(HostSpecError::EmptyLabel { name: shown(name) });
        }
        if length > 63 {
            return Err(HostSpecError::LongLabel {
                label: shown(label),
                length,
            });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HostSpecError::Hyphen {
                label: shown(label),
            });
        }
    }
    // As the URL standard has it: no such name exists, but `0x7f.1` would reach 127.0.0.1.
    let end = bare.rsplit('.').next().unwrap_or(bare);
    let hex = end.strip_prefix("0x").or_else(|| end.strip_prefix("0X"));
    let is_number = end.bytes().all(|c| c.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()));
    if is_number {
        return Err(HostSpecError::NumericName { name: shown(name) });
    }
    Ok(())
}
