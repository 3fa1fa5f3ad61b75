//! Runs a program and tells what it took.

use std::io;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::lab::{Ended, Lab};
use crate::model::World;

/// Runs a program in the network of the calling thread and kills it after `limit`; how it ended and
/// the processor time that it and what it waited for took, the system's for them included. Nothing
/// else may be waited for meanwhile.
pub fn timed(command: &mut Command, limit: Duration) -> io::Result<(Ended, Duration)> {
    // The network is the thread's, whatever world is named here.
    let world = World::new("here");
    let before = cpu_of_children();
    let ended = Lab { world: &world }.output(command, limit)?;
    Ok((ended, cpu_of_children().saturating_sub(before)))
}

fn cpu_of_children() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Duration::ZERO, |usage| cpu(&usage))
}

/// The processor's time, user's and system's.
pub fn cpu(usage: &Usage) -> Duration {
    let micros = |time: TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}
