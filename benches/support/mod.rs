//! What the benches share: the simulated networks of the tests, other scanners, and figures.

#![allow(
    dead_code,
    reason = "each bench uses some of it, and of the tests' worlds"
)]

pub mod figures;
pub mod loopback;
pub mod loopback_net;
pub mod root;
pub mod scanners;
pub mod timed;

#[path = "../../tests/world/lab.rs"]
pub mod lab;
#[path = "../../tests/world/model.rs"]
pub mod model;
#[path = "../../tests/world/networks.rs"]
pub mod networks;
#[path = "../../tests/world/packet.rs"]
pub mod packet;
#[path = "../../tests/world/sim.rs"]
pub mod sim;
#[path = "../../tests/world/tally.rs"]
pub mod tally;
#[path = "../../tests/world/truth.rs"]
pub mod truth;
