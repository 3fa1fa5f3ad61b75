//! Where results go: standard output or a file, in whole lines, a write for each flush.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Stdout, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::path::Path;

use super::beside::Beside;
use super::closed;
use super::destination::{Destination, is_special};

/// Bytes held before they are written, flushed or not.
const FULL: usize = 64 * 1024;

/// The destination of one output.
pub(crate) struct Sink {
    buffer: Vec<u8>,
    out: Out,
    /// Bytes written, those of an earlier process included.
    length: u64,
    name: String,
    terminal: bool,
}

enum Out {
    Standard(Stdout),
    /// Written where it is.
    File(File),
    /// A file that gets its name at the end.
    Beside(Beside),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Standard(out) => out.write(bytes),
            Out::File(file) => file.write(bytes),
            Out::Beside(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Standard(out) => out.flush(),
            Out::File(file) => file.flush(),
            Out::Beside(file) => file.flush(),
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Where it is, line by line; else it is there when it is complete.
    pub(crate) streams: bool,
    /// In the place of one that is there.
    pub(crate) force: bool,
}

impl Sink {
    /// Opens `to`. What is written is there for good after [`finish`](Self::finish) only.
    pub(crate) fn open(to: &Destination, how: How) -> io::Result<Sink> {
        Ok(match to {
            Destination::Standard => {
                closed::check()?;
                let out = redirected().map_or_else(|| Out::Standard(io::stdout()), Out::File);
                Sink {
                    terminal: io::stdout().is_terminal(),
                    ..Sink::new(out, to)
                }
            }
            Destination::File(path) => Sink::new(file(path, how)?, to),
        })
    }

    /// The file at `path`, of which the first `length` bytes stay and the others are cut off.
    pub(crate) fn go_on(to: &Destination, length: u64) -> io::Result<Sink> {
        let Destination::File(path) = to else {
            return Err(io::Error::other("it cannot be gone on with"));
        };
        let mut file = OpenOptions::new().write(true).open(path)?;
        let there = file.metadata()?.len();
        if there < length {
            return Err(io::Error::other(format!(
                "it has {there} bytes where the checkpoint counts on {length}"
            )));
        }
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Sink {
            length,
            ..Sink::new(Out::File(file), to)
        })
    }

    fn new(out: Out, to: &Destination) -> Sink {
        Sink {
            buffer: Vec::new(),
            out,
            length: 0,
            name: to.name(),
            terminal: false,
        }
    }

    /// Writes what is held and gives a file that has none yet its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.out {
            Out::Standard(_) | Out::File(_) => Ok(()),
            Out::Beside(file) => file.complete(),
        }
    }

    /// Makes what was written outlast a power failure; bytes written.
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
        self.flush()?;
        if let Out::File(file) = &self.out {
            file.sync_data()?;
        }
        Ok(self.length)
    }

    /// How to call it in a message.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether anybody may see what is written before the end.
    pub(crate) fn is_seen(&self) -> bool {
        !matches!(self.out, Out::Beside(_))
    }

    /// Whether so much is held that it must be written.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= FULL
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Writes what is held.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let written = match &mut self.out {
            Out::File(file) => write_lines(file, &self.buffer),
            out => out.write_all(&self.buffer).and_then(|()| out.flush()),
        };
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        // One large burst must not hold its memory for the rest of the run.
        self.buffer.shrink_to(FULL);
        written
    }
}

/// The file that standard output is, if it is one.
#[cfg(unix)]
fn redirected() -> Option<File> {
    let copied = io::stdout().as_fd().try_clone_to_owned();
    let file = File::from(copied.ok()?);
    file.metadata().is_ok_and(|it| it.is_file()).then_some(file)
}

#[cfg(not(unix))]
fn redirected() -> Option<File> {
    None
}

/// Writes `lines` to `file`. If not all of them can be written, as on a full disk, the one that would be cut
/// off is left out: other programs read whole ones.
fn write_lines(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < lines.len() {
        match file.write(&lines[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let part = lines[..written]
                    .iter()
                    .rev()
                    .take_while(|byte| **byte != b'\n');
                // What cannot be cut stays as it is; the error is told.
                let _ = cut(file, part.count() as u64);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Takes the last bytes from a file, if they are at its end.
fn cut(file: &mut File, bytes: u64) -> io::Result<()> {
    let (there, end) = (file.metadata()?, file.stream_position()?);
    match there.is_file() && there.len() == end && bytes > 0 {
        true => file.set_len(end.saturating_sub(bytes)),
        false => Ok(()),
    }
}

/// Takes lines, whole ones; [`flush`](Sink::flush) writes them, and what is more than can well be held
/// is written at once, except to a terminal.
impl Write for Sink {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(lines);
        if self.is_full() && !self.terminal {
            Sink::flush(self)?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Sink::flush(self)
    }
}

fn file(path: &Path, how: How) -> io::Result<Out> {
    let mut options = OpenOptions::new();
    if is_special(path) {
        // What stands for a descriptor may be a file with something in it.
        return Ok(Out::File(options.append(true).open(path)?));
    }
    if !how.streams {
        return Ok(Out::Beside(Beside::create(path, how.force)?));
    }
    match how.force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    Ok(Out::File(options.write(true).open(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, streams: bool, force: bool) -> io::Result<Sink> {
        Sink::open(&Destination::of(path), How { streams, force })
    }

    #[test]
    fn a_file_has_what_was_flushed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("found");
        std::fs::write(&path, "old").expect("writable");
        let mut sink = open(&path, true, true).expect("writable");
        sink.write_all(b"new\n").expect("held");
        assert_eq!(std::fs::read(&path).expect("there"), b"");
        sink.flush().expect("writable");
        assert_eq!(std::fs::read(&path).expect("there"), b"new\n");
        assert!(sink.is_empty());
    }

    #[test]
    fn a_file_that_is_not_complete_has_no_name() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let names = || std::fs::read_dir(dir.path()).expect("there").count();
        let path = dir.path().join("found");
        let write = |force: bool, text: &str| {
            let mut sink = open(&path, false, force).expect("writable");
            sink.write_all(text.as_bytes()).expect("held");
            sink.flush().expect("writable");
            sink
        };
        drop(write(false, "half"));
        assert_eq!(names(), 0, "what is given up leaves nothing");
        let sink = write(false, "whole");
        assert!(!path.exists());
        sink.finish().expect("writable");
        assert_eq!(std::fs::read(&path).expect("there"), b"whole");
        // What came to be there meanwhile stays, and so does what was written.
        let error = write(false, "later").finish().expect_err("it is taken");
        assert_eq!(std::fs::read(&path).expect("there"), b"whole");
        let (_, kept) = error
            .to_string()
            .split_once("it is all in ")
            .map(|(a, b)| (a.len(), b.to_string()))
            .expect("told");
        assert_eq!(std::fs::read(&kept).expect("there"), b"later");
        std::fs::remove_file(&kept).expect("there");
        write(true, "later").finish().expect("writable");
        assert_eq!(std::fs::read(&path).expect("there"), b"later");
        assert_eq!(names(), 1);
    }

    #[test]
    fn an_error_is_the_systems_own_without_a_name_nobody_asked_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("none").join("found");
        let [beside, streamed] = [false, true].map(|streams| {
            let error = open(&path, streams, false).err().expect("no folder");
            error.to_string()
        });
        assert_eq!(beside, streamed);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_as_open_as_any() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mode = |name: &str| {
            let there = dir.path().join(name).metadata().expect("there");
            there.permissions().mode() & 0o777
        };
        let make = |name: &str| {
            let sink = open(&dir.path().join(name), false, true).expect("writable");
            sink.finish().expect("writable");
        };
        std::fs::write(dir.path().join("usual"), "").expect("writable");
        make("found");
        assert_eq!(mode("found"), mode("usual"));
        // What was for its owner alone stays so.
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(dir.path().join("usual"), own).expect("ours");
        make("usual");
        assert_eq!(mode("usual"), 0o600);
    }

    #[test]
    fn no_more_is_held_than_a_full_buffer() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("found");
        let mut sink = open(&path, true, false).expect("writable");
        let line = [b'x'; 1000];
        for _ in 0..1000 {
            sink.write_all(&line).expect("writable");
            assert!(sink.buffer.capacity() <= 2 * FULL);
        }
        sink.flush().expect("writable");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), 1_000_000);
    }
}
