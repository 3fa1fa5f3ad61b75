//! Where results go: standard output or a file, in whole lines, a write for each flush.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Stdout, Write};
use std::path::Path;

use nishad::output::escape;

/// Bytes held before they are written, flushed or not.
const FULL: usize = 64 * 1024;

/// The destination of the results.
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
    File(File),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Standard(out) => out.write(bytes),
            Out::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Standard(out) => out.flush(),
            Out::File(file) => file.flush(),
        }
    }
}

impl Sink {
    /// Standard output, or the file at `path`, made or emptied; `-` is standard output.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Sink> {
        let path = path.filter(|path| *path != Path::new("-"));
        let (out, terminal) = match path {
            Some(path) => (Out::File(File::create(path)?), false),
            None => (Out::Standard(io::stdout()), io::stdout().is_terminal()),
        };
        Ok(Sink {
            buffer: Vec::new(),
            out,
            length: 0,
            name: name(path),
            terminal,
        })
    }

    /// The file at `path`, of which the first `length` bytes stay and the others are cut off.
    pub(crate) fn go_on(path: Option<&Path>, length: u64) -> io::Result<Sink> {
        let Some(path) = path else {
            return Sink::open(path);
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
            buffer: Vec::new(),
            out: Out::File(file),
            length,
            name: name(Some(path)),
            terminal: false,
        })
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

    /// Takes lines, whole ones; [`flush`](Self::flush) writes them, and what is more than can well
    /// be held is written at once, except to a terminal.
    pub(crate) fn lines(&mut self) -> &mut impl Write {
        self
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
        let written = self
            .out
            .write_all(&self.buffer)
            .and_then(|()| self.out.flush());
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        // One large burst must not hold its memory for the rest of the run.
        self.buffer.shrink_to(FULL);
        written
    }
}

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

/// How to call the destination in a message.
pub(crate) fn name(path: Option<&Path>) -> String {
    match path.filter(|path| *path != Path::new("-")) {
        Some(path) => escape(&path.to_string_lossy()).to_string(),
        None => "standard output".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_was_flushed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("found");
        std::fs::write(&path, "old").expect("writable");
        let mut sink = Sink::open(Some(&path)).expect("writable");
        sink.lines().write_all(b"new\n").expect("held");
        assert_eq!(std::fs::read(&path).expect("there"), b"");
        sink.flush().expect("writable");
        assert_eq!(std::fs::read(&path).expect("there"), b"new\n");
        assert!(sink.is_empty());
    }

    #[test]
    fn no_more_is_held_than_a_full_buffer() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("found");
        let mut sink = Sink::open(Some(&path)).expect("writable");
        let line = [b'x'; 1000];
        for _ in 0..1000 {
            sink.lines().write_all(&line).expect("writable");
            assert!(sink.buffer.capacity() <= 2 * FULL);
        }
        sink.flush().expect("writable");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), 1_000_000);
    }
}
