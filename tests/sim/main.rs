//! The scanner on virtual time, against simulated networks from a seed.

mod network;
mod networks;
mod random;
mod run;
