//! What to scan: hosts, ports, and the order in which they are taken.

mod hosts;
mod permutation;
mod ports;
mod space;

pub use hosts::{HostSet, HostSpec, HostSpecError, Target};
pub use permutation::Permutation;
pub use ports::{PortSet, PortSpecError};
pub use space::{PortOrder, TargetSpace};
