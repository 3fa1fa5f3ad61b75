//! Saved results: NDJSON read back, and the shards of a run joined.
//!
//! [`Lines`] reads one file, a line at a time and whatever its size. Results are joined in two
//! passes over the files, so that what does not belong together is known before anything is written:
//! a [`Survey`] reads all files, its [`Merge`] reads them again and hands out one document, holding
//! hosts under way and, of several shards, 8 bytes for each port that the files list, so that none
//! has two verdicts unseen.
//!
//! ```
//! use nishad::report::{Line, Lines};
//!
//! let saved = br#"{"type":"port","ip":"192.0.2.7","host":null,"port":22,"proto":"tcp",
//! "state":"open","reason":"syn-ack","from":null,"service":"ssh","rtt_ms":0.3,"attempts":1,
//! "time":"2026-01-31T20:05:30.000001Z"}"#;
//! let saved: Vec<u8> = saved.iter().copied().filter(|byte| *byte != b'\n').collect();
//! let mut lines = Lines::new(&saved[..]);
//! let first = lines.next_line()?.expect("a line");
//! let Ok(Line::Port(port)) = first.line else {
//!     panic!("{first:?}")
//! };
//! assert_eq!((port.port, port.state.as_str()), (22, "open"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod merge;
mod problem;
mod read;
mod section;
mod sum;
mod survey;
mod twice;

pub use crate::output::ndjson::{
    Address, CountFields, HostLine, Line, PortLine, RunLine, ShardField, StartLine,
};
pub use merge::{Merge, MergeError};
pub use problem::{Problem, Weight};
pub use read::{BadLine, Lines, NumberedLine};
pub use survey::{MixedRuns, Survey};

#[cfg(test)]
mod tests;
