//! `cargo bench --bench servers`: real servers of Debian's packages on loopback, told by nishad and by
//! `nmap -sV`: a table of both, and what each took. Needs root, the packages that `.ci/run` installs,
//! and nmap.

#[cfg(target_os = "linux")]
#[path = "servers/compare.rs"]
mod compare;
#[cfg(target_os = "linux")]
#[path = "support/loopback_net.rs"]
mod loopback_net;
#[cfg(target_os = "linux")]
#[path = "../tests/servers/park.rs"]
mod park;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    compare::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The servers need Linux: Debian's packages in a network namespace.");
}
