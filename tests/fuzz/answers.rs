//! Answers of servers to each of the probes.

#![no_main]

#[path = "support/service.rs"]
mod service;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use nishad::service::Rules;

fuzz_target!(|input: &[u8]| {
    static RULES: OnceLock<Rules> = OnceLock::new();
    let rules = RULES.get_or_init(|| Rules::new(&[]).expect("the built-in rules"));
    // The first byte says what was asked.
    let Some((asked, answer)) = input.split_first() else {
        return;
    };
    let probes: Vec<&str> = ["greeting"].into_iter().chain(rules.names()).collect();
    let probe = probes[usize::from(*asked) % probes.len()];
    if let Some(found) = rules.identify(probe, answer) {
        service::is_bounded(&found.service);
    }
});
