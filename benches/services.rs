//! `cargo bench --bench services`: a thousand open ports that talk, on one host and on a hundred, on
//! loopback, 20 ms away in a simulated network, and of nginx where that is installed: how many are
//! identified a second, the processor's time for each, and how much slower the scan beside is. Needs
//! root.
//!
//! `cargo bench --bench services -- slower` measures only the last.

#[cfg(target_os = "linux")]
#[path = "services/measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
#[path = "services/places.rs"]
mod places;
#[cfg(target_os = "linux")]
#[path = "services/server.rs"]
mod server;
#[cfg(target_os = "linux")]
mod support;

#[cfg(target_os = "linux")]
#[allow(unused_imports, reason = "what others of the shared files name")]
use support::{figures, lab, loopback_net, model, networks, packet, sim, tally, timed, truth};

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    measure::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The measurement needs Linux: network namespaces.");
}
