//! An earlier result, and another held against it.

#![no_main]

#[path = "support/audit.rs"]
mod audit;
mod support;

use libfuzzer_sys::fuzz_target;
use nishad::audit::Baseline;

fuzz_target!(|input: &[u8]| {
    // A byte that is in no UTF-8 parts the two; alone, a result is held against itself.
    let mut inputs = input.splitn(2, |byte| *byte == 0xff);
    let before = inputs.next().unwrap_or_default();
    let now = inputs.next().unwrap_or(before);
    let mut baseline = Baseline::default();
    match baseline.add("b\u{202e}", before) {
        Ok(()) => audit::audit(now, Some(baseline), None, input.len() as u8),
        Err(error) => support::is_one_safe_line(&error),
    }
});
