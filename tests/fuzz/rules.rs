//! Rules of a user, and answers read by them.

#![no_main]

#[path = "support/service.rs"]
mod service;
mod support;

use libfuzzer_sys::fuzz_target;
use nishad::service::Rules;

fuzz_target!(|input: &[u8]| {
    // A byte that is in no UTF-8 parts the rules from an answer.
    let mut parts = input.splitn(2, |byte| *byte == 0xff);
    let (rules, answer) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let Ok(rules) = std::str::from_utf8(rules) else {
        return;
    };
    match Rules::new(&[("own\u{1b}.toml", rules)]) {
        Err(error) => support::is_one_safe_line(&error),
        Ok(rules) => {
            for probe in ["greeting"].into_iter().chain(rules.names()) {
                if let Some(found) = rules.identify(probe, answer) {
                    service::is_bounded(&found.service);
                }
            }
        }
    }
});
