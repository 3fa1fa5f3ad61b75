//! IPv4 addresses by ranges within the octets, as nmap has them: `10.0.0-3.1,5,20-29`, `10.0.*.1`.

use std::net::Ipv4Addr;

use super::HostSpecError;
use super::shown::shown;

/// Most ranges of neighbouring addresses that octet ranges may fall apart into.
const MAX_RANGES: u64 = 1 << 20;

/// IPv4 addresses whose octets are each in a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Octets([Octet; 4]);

/// Ranges of one octet: ascending, disjoint and not adjacent.
type Octet = Vec<(u8, u8)>;

impl Octets {
    /// The ranges of neighbouring addresses, first and last of each, ascending.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let split = self.split();
        // All values of the octets before the one at `split`, as an odometer; behind it all is full.
        let full = u32::MAX.checked_shr(8 * (split as u32 + 1)).unwrap_or(0);
        let shift = 8 * (3 - split as u32);
        let heads = self.0[..split]
            .iter()
            .map(|octet| octet.iter().map(|(a, b)| u64::from(b - a) + 1).sum::<u64>())
            .product::<u64>();
        (0..heads).flat_map(move |head| {
            let head = self.head(split, head);
            self.0[split].iter().map(move |&(first, last)| {
                let (first, last) = (u32::from(first), u32::from(last));
                (head | first << shift, head | last << shift | full)
            })
        })
    }

    /// The first address and the last.
    pub(super) fn bounds(&self) -> (Ipv4Addr, Ipv4Addr) {
        // No octet is without a value.
        let first = self
            .0
            .each_ref()
            .map(|octet| octet.first().map_or(0, |(first, _)| *first));
        let last = self
            .0
            .each_ref()
            .map(|octet| octet.last().map_or(255, |(_, last)| *last));
        (first.into(), last.into())
    }

    /// The only address, if there is one.
    pub(super) fn single(&self) -> Option<u32> {
        let mut ranges = self.ranges();
        let (first, last) = ranges.next()?;
        (first == last && ranges.next().is_none()).then_some(first)
    }

    /// Whether it is one of the addresses.
    pub(super) fn contains(&self, addr: Ipv4Addr) -> bool {
        let pairs = self.0.iter().zip(addr.octets());
        pairs.into_iter().all(|(octet, value)| {
            octet
                .iter()
                .any(|(first, last)| (first..=last).contains(&&value))
        })
    }

    /// How many ranges [`ranges`](Self::ranges) gives.
    fn count(&self) -> u64 {
        let split = self.split();
        let values = |octet: &Octet| octet.iter().map(|(a, b)| u64::from(b - a) + 1).sum::<u64>();
        self.0[..split].iter().map(values).product::<u64>() * self.0[split].len() as u64
    }

    /// The last octet that is not full, or the first of all: those behind it are full.
    fn split(&self) -> usize {
        let full = |octet: &Octet| octet[..] == [(0, 255)];
        self.0.iter().rposition(|octet| !full(octet)).unwrap_or(0)
    }

    /// The `index`th combination of the octets before `split`, as the upper bits of an address.
    fn head(&self, split: usize, mut index: u64) -> u32 {
        let mut head = 0;
        for at in (0..split).rev() {
            let octet = &self.0[at];
            let len: u64 = octet.iter().map(|(a, b)| u64::from(b - a) + 1).sum();
            let value = nth(octet, index % len);
            index /= len;
            head |= u32::from(value) << (8 * (3 - at));
        }
        head
    }
}

/// As it is typed.
impl std::fmt::Display for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            for (i, (first, last)) in octet.iter().enumerate() {
                if i > 0 {
                    f.write_str(",")?;
                }
                write!(f, "{first}")?;
                if last > first {
                    write!(f, "-{last}")?;
                }
            }
        }
        Ok(())
    }
}

/// Reads octet ranges; `target` has digits, dots, dashes, commas and stars.
pub(super) fn parse_octets(target: &str) -> Result<Octets, HostSpecError> {
    let parts: Vec<&str> = target.split('.').collect();
    let [a, b, c, d] = parts[..] else {
        let commas = parts.len() > 4 && target.contains(',');
        let target = shown(target);
        return Err(if commas {
            HostSpecError::Commas { target }
        } else {
            HostSpecError::BadIpv4 { target }
        });
    };
    let octets = Octets([
        parse_octet(a, target)?,
        parse_octet(b, target)?,
        parse_octet(c, target)?,
        parse_octet(d, target)?,
    ]);
    let ranges = octets.count();
    if ranges > MAX_RANGES {
        return Err(HostSpecError::TooManyRanges {
            target: shown(target),
            ranges,
        });
    }
    Ok(octets)
}

fn parse_octet(part: &str, target: &str) -> Result<Octet, HostSpecError> {
    if part.is_empty() {
        return Err(HostSpecError::BadIpv4 {
            target: shown(target),
        });
    }
    let mut octet: Octet = Vec::new();
    for item in part.split(',') {
        octet.push(parse_range(item, part, target)?);
    }
    octet.sort_unstable();
    octet.dedup_by(|later, earlier| {
        let touches = u16::from(later.0) <= u16::from(earlier.1) + 1;
        if touches {
            earlier.1 = earlier.1.max(later.1);
        }
        touches
    });
    Ok(octet)
}

/// `7`, `1-20`, `-20`, `20-`, `-` or `*`.
fn parse_range(item: &str, part: &str, target: &str) -> Result<(u8, u8), HostSpecError> {
    if item == "*" {
        return Ok((0, 255));
    }
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let bad = |text: &str| text.contains(['-', '*']);
    if item.is_empty() || bad(first) || bad(last) {
        return Err(HostSpecError::BadOctet {
            octet: shown(part),
            target: shown(target),
        });
    }
    let first = if first.is_empty() {
        0
    } else {
        number(first, target)?
    };
    let last = if last.is_empty() {
        255
    } else {
        number(last, target)?
    };
    if last < first {
        return Err(HostSpecError::Backwards {
            first: first.to_string(),
            last: last.to_string(),
        });
    }
    Ok((first, last))
}

fn number(digits: &str, target: &str) -> Result<u8, HostSpecError> {
    let meant = digits.trim_start_matches('0');
    let leading = digits.len() - meant.len();
    // Digits alone are refused only for being too many.
    let value = match meant.parse() {
        _ if meant.is_empty() => 0,
        Ok(value) => value,
        Err(_) => {
            return Err(HostSpecError::OctetTooHigh {
                octet: shown(digits),
                target: shown(target),
            });
        }
    };
    if leading > usize::from(value == 0) {
        return Err(HostSpecError::LeadingZero {
            octet: shown(digits),
            meant: value.to_string(),
            target: shown(target),
        });
    }
    Ok(value)
}

/// The `index`th value of an octet, which must exist.
fn nth(octet: &Octet, mut index: u64) -> u8 {
    for &(first, last) in octet {
        let len = u64::from(last - first) + 1;
        if index < len {
            return first + index as u8;
        }
        index -= len;
    }
    unreachable!("index is below the number of values")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn ranges(target: &str) -> Vec<String> {
        let octets = parse_octets(target).expect(target);
        assert_eq!(octets.count(), octets.ranges().count() as u64, "{target}");
        octets
            .ranges()
            .map(|(first, last)| format!("{}-{}", Ipv4Addr::from(first), Ipv4Addr::from(last)))
            .collect()
    }

    #[test]
    fn full_octets_at_the_end_join() {
        assert_eq!(ranges("*.*.*.*"), ["0.0.0.0-255.255.255.255"]);
        assert_eq!(ranges("10.0-3.*.*"), ["10.0.0.0-10.3.255.255"]);
        assert_eq!(
            ranges("10.1,3.0-255.*"),
            ["10.1.0.0-10.1.255.255", "10.3.0.0-10.3.255.255"]
        );
        assert_eq!(ranges("192.0.2.1-20"), ["192.0.2.1-192.0.2.20"]);
        assert_eq!(
            ranges("192.0.2.1,3,4,5-7,200-"),
            [
                "192.0.2.1-192.0.2.1",
                "192.0.2.3-192.0.2.7",
                "192.0.2.200-192.0.2.255"
            ]
        );
        assert_eq!(
            ranges("10.0.0-1.1-254"),
            ["10.0.0.1-10.0.0.254", "10.0.1.1-10.0.1.254"]
        );
    }

    fn octet() -> impl Strategy<Value = String> {
        let number = prop_oneof![0..=3u8, 253..=255u8];
        let item = prop_oneof![
            number.clone().prop_map(|a| a.to_string()),
            (number.clone(), number).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            Just("*".to_string()),
        ];
        proptest::collection::vec(item, 1..4).prop_map(|items| items.join(","))
    }

    proptest! {
        #[test]
        fn ranges_hold_what_the_octets_hold(octets in proptest::array::uniform4(octet()), probe in proptest::array::uniform4(prop_oneof![0..=4u8, 252..=255u8])) {
            let target = octets.join(".");
            let Ok(parsed) = parse_octets(&target) else {
                // Too many ranges.
                return Ok(());
            };
            let holds = parsed.0.iter().zip(probe).all(|(octet, value)| {
                octet.iter().any(|&(first, last)| (first..=last).contains(&value))
            });
            let probe = u32::from_be_bytes(probe);
            let mut before = None;
            let mut found = false;
            for (first, last) in parsed.ranges() {
                prop_assert!(first <= last && before < Some(first), "{} in {}", first, target);
                before = Some(last);
                found |= (first..=last).contains(&probe);
            }
            prop_assert_eq!(found, holds, "{} in {}", Ipv4Addr::from(probe), target);
        }
    }
}
