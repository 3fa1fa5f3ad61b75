//! `cargo bench --bench peers`: nishad against nmap and RustScan, where these are installed: the same
//! scans, taking turns, as ratios. `cargo bench --bench worlds` shows more networks and what was found.
//!
//! `cargo bench --bench peers -- --help` has the rest.

#[cfg(target_os = "linux")]
#[path = "peers/compare.rs"]
mod compare;
#[cfg(target_os = "linux")]
mod support;

#[cfg(target_os = "linux")]
use support::{
    figures, lab, loopback, model, networks, packet, root, scanners, sim, tally, timed, truth,
};

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    compare::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The comparison needs Linux: /proc and the simulated networks.");
}
