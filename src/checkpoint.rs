//! The saved position of a run: a file from which another process goes on where this one was killed.
//!
//! It is JSON: what tells the run from others, the engine's [`Snapshot`], what was held of hosts under
//! way, and how long each output was. It is written beside its place, synced and renamed, so that there is a
//! whole one at any moment. Output that is longer than it says is of after it, and cut off.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Snapshot;
use crate::output::ndjson::ShardField;
use crate::output::{Pending, escape};
use crate::target::RunKey;

/// Version of the file's format.
const FORMAT: u32 = 2;

/// Bytes of the largest file that is read: one with all that a run may hold has a tenth of that.
const LARGEST: u64 = 64 << 20;

/// The saved position of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Version of the format.
    nishad_checkpoint: u32,
    /// Version of the program that wrote it.
    version: String,
    /// What decides the outcome of the run.
    pub key: RunKey,
    /// Which part of it was scanned; `None`: the whole.
    pub shard: Option<ShardField>,
    /// The outputs, in the order in which they were given.
    pub outputs: Vec<SavedOutput>,
    /// When the run began.
    #[serde(with = "crate::output::ndjson::time")]
    pub started: Timestamp,
    /// How long it had taken.
    pub elapsed: Duration,
    /// Where the scan was.
    pub snapshot: Snapshot,
    /// What was held of hosts that were under way.
    pub pending: Pending,
}

/// An output of a saved run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedOutput {
    /// Name of its format.
    pub format: String,
    /// Bytes of it that belong to the saved position.
    pub length: u64,
}

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("is no checkpoint of nishad")]
    Foreign,
    /// It is a checkpoint in part.
    #[error("is a damaged checkpoint: {}", escape(&.0.to_string()))]
    Damaged(serde_json::Error),
    /// It was written by another version.
    #[error(
        "is a checkpoint of format {format}, of nishad {version}; this one reads format {FORMAT}"
    )]
    OtherFormat {
        /// Its format.
        format: u32,
        /// The version of the program that wrote it.
        version: String,
    },
}

impl Checkpoint {
    /// The position of the run that `key` and `shard` tell of.
    pub fn new(key: RunKey, shard: Option<ShardField>, started: Timestamp) -> Checkpoint {
        Checkpoint {
            nishad_checkpoint: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            key,
            shard,
            outputs: Vec::new(),
            started,
            elapsed: Duration::ZERO,
            snapshot: Snapshot::default(),
            pending: Pending::default(),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or is no checkpoint of this format.
    pub fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(CheckpointError::Foreign);
        }
        Checkpoint::parse(&bytes)
    }

    /// Reads what a file held.
    ///
    /// # Errors
    /// If it is no checkpoint of this format.
    pub fn parse(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        /// What all formats have in common.
        #[derive(Deserialize)]
        struct Head {
            nishad_checkpoint: u32,
            version: String,
        }
        match serde_json::from_slice::<Head>(bytes) {
            Ok(head) if head.nishad_checkpoint != FORMAT => {
                return Err(CheckpointError::OtherFormat {
                    format: head.nishad_checkpoint,
                    version: escape(&head.version).to_string(),
                });
            }
            Ok(_) => {}
            Err(error) => {
                // Cut off, it still begins as one does.
                return Err(match bytes.starts_with(b"{\"nishad_checkpoint\":") {
                    true => CheckpointError::Damaged(error),
                    false => CheckpointError::Foreign,
                });
            }
        }
        serde_json::from_slice(bytes).map_err(CheckpointError::Damaged)
    }

    /// Writes it to `path`, in the place of what was there; whole, or not at all.
    ///
    /// # Errors
    /// Those of the system; what was there is still there.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let written = self
            .write_new(&beside)
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            // Half of it is of no use.
            let _ = std::fs::remove_file(&beside);
        }
        written?;
        sync_folder(path);
        Ok(())
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        let mut file = File::create(path)?;
        file.write_all(&text)?;
        file.sync_all()
    }
}

/// Makes a rename outlast a power failure, where folders can be synced.
fn sync_folder(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::PortSet;

    fn saved(length: u64) -> Vec<SavedOutput> {
        let format = "ndjson".into();
        vec![SavedOutput { format, length }]
    }

    fn checkpoint() -> Checkpoint {
        let key =
            RunKey::new("abc".into(), &PortSet::from_iter([1, 2]), 7, None).with("timeout", "1s");
        Checkpoint {
            outputs: saved(99),
            ..Checkpoint::new(key, None, Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("run.checkpoint");
        for length in [1, 2] {
            let written = Checkpoint {
                outputs: saved(length),
                ..checkpoint()
            };
            written.write(&path).expect("writable");
            assert_eq!(Checkpoint::read(&path).expect("whole"), written);
        }
        let names = std::fs::read_dir(dir.path()).expect("there").count();
        assert_eq!(names, 1, "nothing is left beside it");
    }

    #[test]
    fn every_other_file_is_told_from_a_checkpoint() {
        let text = serde_json::to_string(&checkpoint()).expect("it can be written");
        for cut in 1..text.len() {
            let error = Checkpoint::parse(&text.as_bytes()[..cut]).expect_err("cut off");
            let wanted = match cut < 21 {
                true => "is no checkpoint of nishad",
                false => "is a damaged checkpoint: ",
            };
            assert!(error.to_string().starts_with(wanted), "{cut}: {error}");
        }
        for other in ["", "{}", "\0\u{1b}[2J", "[1]", "{\"type\":\"start\"}"] {
            let error = Checkpoint::parse(other.as_bytes()).expect_err("something else");
            assert_eq!(error.to_string(), "is no checkpoint of nishad");
        }
        let newer = text.replacen(":2,", ":3,", 1).replace("0.1.0", "9\\u001b");
        let error = Checkpoint::parse(newer.as_bytes()).expect_err("another format");
        assert_eq!(
            error.to_string(),
            "is a checkpoint of format 3, of nishad 9\\u{1b}; this one reads format 2"
        );
    }

    /// The parser repeats what it does not know.
    #[test]
    fn what_a_damaged_checkpoint_says_drives_no_terminal() {
        let text = serde_json::to_string(&checkpoint()).expect("it can be written");
        let damaged = text.replacen("\"format\"", "\"\\u001b[2J\\u202e\"", 1);
        let error = Checkpoint::parse(damaged.as_bytes()).expect_err("damaged");
        let wanted = "is a damaged checkpoint: unknown field `\\u{1b}[2J\\u{202e}`, expected";
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}
