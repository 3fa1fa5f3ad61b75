//! The scanner on virtual time, against simulated networks from a seed.

mod late;
mod nets;
mod network;
mod networks;
mod outage;
mod random;
mod resume;
mod run;
mod scarce;
mod stops;
