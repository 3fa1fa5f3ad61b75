//! `cargo bench --bench parts`: what one call of the scanner's parts takes, without any network.
//! `cargo bench --bench parts -- wheel` measures those with `wheel` in their name; criterion's own
//! flags (`--save-baseline`, `--baseline`, `--quick`) compare with an earlier state of the source.

#[path = "parts/classification.rs"]
mod classification;
#[path = "parts/ndjson.rs"]
mod ndjson;
#[path = "parts/scanner.rs"]
mod scanner;
#[path = "parts/target.rs"]
mod target;
#[path = "parts/timers.rs"]
mod timers;

// Private in the library, and so compiled again from their sources, which name the library's crate.
use nishad::engine;
#[allow(dead_code, reason = "a bench times a part of it")]
#[path = "../src/net/outcome.rs"]
mod outcome;
#[allow(dead_code, reason = "a bench times a part of it")]
#[path = "../src/engine/wheel.rs"]
mod wheel;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = parts;
    config = criterion();
    targets = timers::bench, target::bench, classification::bench, ndjson::bench, scanner::bench
}
criterion_main!(parts);
