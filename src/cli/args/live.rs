//! How a run is lived with: when a host is done, and what programs are told on the way.

use clap::Args;

use super::{PACE, RESULTS};

/// See above.
#[derive(Clone, Debug, Args)]
pub(crate) struct LiveArgs {
    /// Be done with a host once one of its ports is open
    ///
    /// Its remaining probes end unscanned, for the reason first-open. That was asked for: with
    /// everything else scanned, the run is complete. Of a shard that has only some ports of each
    /// host, among those.
    #[arg(long, help_heading = PACE)]
    pub(crate) stop_at_first_open: bool,

    /// Standard error is NDJSON for programs: progress, notes, errors, the end
    ///
    /// Every line is an object with a type: progress once a second, note, error (of usage, too), and
    /// at last end with the exit code. No bar, no keys, and no question for a target.
    #[arg(long, help_heading = RESULTS)]
    pub(crate) events: bool,
}
