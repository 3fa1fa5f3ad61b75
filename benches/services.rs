//! `cargo bench --bench services`: a thousand open ports on loopback that talk, without latency and
//! 20 ms away: how many are identified a second, the processor's time for each, and how much slower
//! the scan beside them is. Needs root; the latency needs the kernel's netem.

#[cfg(target_os = "linux")]
#[path = "support/figures.rs"]
#[allow(dead_code, reason = "a part is needed")]
mod figures;
#[cfg(target_os = "linux")]
#[path = "support/loopback_net.rs"]
mod loopback_net;
#[cfg(target_os = "linux")]
#[path = "services/measure.rs"]
mod measure;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    measure::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The measurement needs Linux: a network namespace.");
}
