//! The time zone of the times shown.

use std::path::{Component, Path};

use jiff::tz::TimeZone;

/// Where systems keep their time zones, by name.
const DIRECTORIES: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
];

/// The zone that `TZ` says, else the system's, else UTC.
///
/// jiff reads `/etc/localtime` and understands rules; a name in `TZ` is looked up here, for jiff's
/// own database lists every zone of the system first, which takes longer than all else before the
/// first probe.
pub(crate) fn local() -> TimeZone {
    let named = std::env::var("TZ").ok().and_then(|name| named(&name));
    named.unwrap_or_else(TimeZone::system)
}

/// The zone of that name, `Europe/Vienna`, if the system knows it.
fn named(name: &str) -> Option<TimeZone> {
    let name = name.strip_prefix(':').unwrap_or(name);
    let is_plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_plain {
        return None;
    }
    DIRECTORIES.iter().find_map(|directory| {
        let data = std::fs::read(Path::new(directory).join(name)).ok()?;
        TimeZone::tzif(name, &data).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names() {
        for name in ["", ":", "/etc/passwd", "../zoneinfo/UTC", "No/Such_Zone"] {
            assert_eq!(named(name), None, "{name}");
        }
        if Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
            for name in ["Asia/Tokyo", ":Asia/Tokyo"] {
                let zone = named(name).expect("the system has it");
                let noon = jiff::Timestamp::UNIX_EPOCH;
                assert_eq!(zone.to_offset(noon), jiff::tz::offset(9), "{name}");
            }
        }
    }
}
