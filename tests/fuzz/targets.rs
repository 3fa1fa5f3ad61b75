//! Lists of targets, and each of their words as a target.

#![no_main]

#[allow(dead_code, reason = "files are not read here")]
#[path = "../../src/cli/targets/list.rs"]
mod list;
mod support;

use libfuzzer_sys::fuzz_target;
use nishad::target::{HostSet, HostSpec};

/// Ranges of one target that are looked at; octet ranges can be a million.
const RANGES: usize = 300;

fuzz_target!(|input: &[u8]| {
    let mut hosts = HostSet::default();
    let read = list::words(input, &mut |word| match word.text {
        Ok(text) => target(text, &mut hosts),
        Err(error) => support::is_one_safe_line(&error),
    });
    if let Err(error) = read {
        support::is_one_safe_line(&error);
    }
    let len = hosts.len();
    for index in [0, len / 2, len.saturating_sub(1)] {
        let host = hosts.nth(index);
        assert_eq!(host.is_some(), index < len);
        if let Some(host) = host {
            assert!(hosts.contains(host.addr, host.scope_id), "{host}");
        }
    }
    assert_eq!(hosts.nth(len), None);
});

fn target(text: &str, hosts: &mut HostSet) {
    let _ = HostSpec::of_any_size(text).map_err(|error| support::is_one_safe_line(&error));
    let spec = match text.parse::<HostSpec>() {
        Ok(spec) => spec,
        Err(error) => return support::is_one_safe_line(&error),
    };
    let Some(ranges) = spec.ranges() else {
        assert_eq!(spec.addresses(), None);
        return;
    };
    let ranges: Vec<_> = ranges.take(RANGES).collect();
    assert!(ranges.iter().all(|(first, last)| first <= last), "{spec:?}");
    assert!(ranges.windows(2).all(|two| two[0].1 < two[1].0), "{spec:?}");
    if ranges.len() == RANGES {
        return;
    }
    let mut alone = HostSet::default();
    assert!(alone.insert_spec(&spec, 0));
    assert_eq!(Some(u128::from(alone.len())), spec.addresses(), "{spec:?}");
    hosts.insert_spec(&spec, 0);
}
