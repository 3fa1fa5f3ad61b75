//! nishad finds which TCP ports of a host or a network are open.

pub mod engine;
pub mod net;
pub mod output;
pub mod service;
pub mod target;
