//! `cargo bench --bench variants`: the same scan by this library's event loop and by other designs.
//!
//! - `nishad`: [`nishad::net::scan`], one thread, one event loop.
//! - `tokio`: asynchronous tasks on one thread.
//! - `threads`: a pool of threads that block in connect().
//! - `sequential`: one port after the other, as a short script would.
//! - `baseline`: a bare epoll loop that reuses its sockets and knows no deadlines, round-trip times,
//!   limits or reasons: about what the system's calls alone cost.
//!
//! Each is asked for the same: every port once, connect() for at most a second, as many attempts in
//! flight as `--in-flight` says; open, closed (refused) or filtered (no answer). Each run is a
//! process of its own, variants take turns, and what they say is held against what is there.
//! `cargo bench --bench variants -- --help` has the rest.

#[cfg(target_os = "linux")]
#[path = "variants/bench.rs"]
mod bench;
#[cfg(target_os = "linux")]
mod support;

#[cfg(target_os = "linux")]
use support::{figures, lab, loopback, model, networks, packet, root, sim, tally, timed, truth};

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The variants need Linux: epoll, /proc and the simulated networks.");
}
