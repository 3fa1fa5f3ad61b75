//! What to scan: hosts, ports, and the order in which they are taken.

mod fingerprint;
mod host_error;
mod host_spec;
mod hosts;
mod intervals;
mod octets;
mod permutation;
mod port_spec;
mod ports;
mod shard;
mod shown;
mod space;

pub use fingerprint::{RunKey, derived_seed, digest, targets_digest};
pub use host_error::HostSpecError;
pub use host_spec::HostSpec;
pub use hosts::{HostSet, MAX_HOSTS, Target};
pub use octets::Octets;
pub use permutation::Permutation;
pub use port_spec::PortSpecError;
pub use ports::PortSet;
pub use shard::{Dealt, Shard, ShardError};
pub(crate) use shown::shown_within;
pub use space::{PortOrder, TargetSpace};
