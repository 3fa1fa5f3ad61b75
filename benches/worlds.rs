//! `cargo bench --bench worlds`: every network of the README's table, nishad beside nmap and RustScan.
//!
//! `cargo bench --bench worlds -- [--runs N] [--only nishad|nmap|rustscan] [NAME]...` measures;
//! `cargo bench --bench worlds -- --list` names the networks;
//! `cargo bench --bench worlds -- --try NAME [COMMAND...]` runs a command, by default a shell, in one.

// The worlds are the tests' own; each user of them leaves something unused.
#![allow(dead_code)]

#[cfg(target_os = "linux")]
#[path = "../tests/world/lab.rs"]
mod lab;
#[cfg(target_os = "linux")]
#[path = "worlds/measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
#[path = "../tests/world/model.rs"]
mod model;
#[cfg(target_os = "linux")]
#[path = "../tests/world/networks.rs"]
mod networks;
#[cfg(target_os = "linux")]
#[path = "../tests/world/packet.rs"]
mod packet;
#[cfg(target_os = "linux")]
#[path = "../tests/world/sim.rs"]
mod sim;
#[cfg(target_os = "linux")]
#[path = "../tests/world/tally.rs"]
mod tally;
#[cfg(target_os = "linux")]
#[path = "../tests/world/truth.rs"]
mod truth;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    measure::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The simulated networks need Linux: a TUN device in a network namespace.");
}
