//! Where results go: standard output or a file, in whole lines, a write for each flush.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use nishad::output::escape;

/// Bytes held before they are written, flushed or not.
const FULL: usize = 64 * 1024;

/// The destination of the results.
pub(crate) struct Sink {
    buffer: Vec<u8>,
    out: Box<dyn Write>,
    name: String,
    terminal: bool,
}

impl Sink {
    /// Standard output, or the file at `path`, made or emptied; `-` is standard output.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Sink> {
        let path = path.filter(|path| *path != Path::new("-"));
        let (out, terminal): (Box<dyn Write>, bool) = match path {
            Some(path) => (Box::new(File::create(path)?), false),
            None => (Box::new(io::stdout()), io::stdout().is_terminal()),
        };
        Ok(Sink {
            buffer: Vec::new(),
            out,
            name: name(path),
            terminal,
        })
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
