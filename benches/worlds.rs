//! `cargo bench --bench worlds`: every network of the README's table, nishad beside nmap and RustScan.
//!
//! `cargo bench --bench worlds -- [--runs N] [--only nishad|nmap|rustscan] [NAME]...` measures;
//! `cargo bench --bench worlds -- --list` names the networks;
//! `cargo bench --bench worlds -- --try NAME [COMMAND...]` runs a command, by default a shell, in one.

#[cfg(target_os = "linux")]
#[path = "worlds/measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
mod support;

#[cfg(target_os = "linux")]
use support::{figures, lab, model, networks, packet, root, scanners, sim, tally, truth};

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    measure::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The simulated networks need Linux: a TUN device in a network namespace.");
}
