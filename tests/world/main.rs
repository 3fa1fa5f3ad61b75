//! The real program on simulated networks (Linux: a TUN device in a network namespace of its own).
#![cfg(target_os = "linux")]
// Tests may stop where a thing that cannot fail does.
#![allow(clippy::unwrap_used)]

mod lab;
mod model;
mod networks;
mod packet;
mod sim;
mod tally;
mod truth;
