//! Port specifications.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use nishad::service;
use nishad::target::PortSet;

/// A few names: a wrong one is held against a thousand spellings of it, each looked for in all that
/// there are.
fn port(name: &str) -> Option<u16> {
    let known = [
        ("ssh", 22),
        ("http", 80),
        ("https", 443),
        ("http-alt", 8080),
    ];
    known
        .into_iter()
        .find(|known| known.0 == name)
        .map(|known| known.1)
}

fuzz_target!(|spec: &str| {
    if let Some(port) = service::port(spec) {
        assert!(PortSet::parse(spec, service::port).is_ok_and(|ports| ports.contains(port)));
    }
    let ports = match PortSet::parse(spec, port) {
        Ok(ports) => ports,
        Err(error) => return support::is_one_safe_line(&error),
    };
    assert!(!ports.is_empty());
    let mut counted = 0;
    let mut written = Vec::new();
    for (first, last) in ports.ranges() {
        assert!(first <= last);
        for port in [first, last] {
            let index = ports.index_of(port).expect("it is in the set");
            assert_eq!(ports.nth(index), Some(port));
        }
        counted += u32::from(last - first) + 1;
        written.push(format!("{first}-{last}"));
    }
    assert_eq!(counted, ports.len());
    assert_eq!(ports.nth(counted), None);
    // Port 0 is only there when it is named.
    let again = PortSet::parse(&written.join(","), |_| None).expect("as it was written");
    assert_eq!(again, ports);
    assert!(ports.difference(&again).is_empty());
    assert_eq!(ports.union(&again), ports);
});
