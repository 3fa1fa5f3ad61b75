//! Lists of targets: one a line or several with blanks between, `#` to the end of a line a comment.
//!
//! They are read as they come, so that a list of any length costs the memory of its longest word.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use nishad::output::escape;

/// Longest word: a host name has at most 253 bytes, four numbers by lists of ranges some more.
const LONGEST: usize = 4096;

/// A word of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// The word, or what is wrong with it.
    pub(crate) text: Result<&'a str, String>,
    /// The line it stands on, from 1.
    pub(crate) line: u64,
}

/// How to call the list at `path` in a message; `-` is standard input.
pub(crate) fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".into(),
        false => escape(&path.to_string_lossy()).to_string(),
    }
}

/// Whether `path` stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads the list at `path`, that `flag` names, and hands out its words. The error names the flag
/// and the file.
pub(crate) fn read(flag: &str, path: &Path, each: &mut dyn FnMut(Word<'_>)) -> Result<(), String> {
    let read = match is_stdin(path) {
        true => words(io::stdin().lock(), each),
        false => File::open(path).and_then(|file| words(file, each)),
    };
    read.map_err(|error| format!("{flag} {}: cannot be read: {error}", name(path)))
}

/// Hands out the words of `input`.
pub(crate) fn words(input: impl Read, each: &mut dyn FnMut(Word<'_>)) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let mut word = Reader {
        bytes: Vec::new(),
        length: 0,
        line: 1,
        first: true,
        comment: false,
    };
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return word.end(each);
        }
        for &byte in chunk {
            word.take(byte, each)?;
        }
        let taken = chunk.len();
        input.consume(taken);
    }
}

/// Between two bytes of a list.
struct Reader {
    /// The word so far, as much of it as is kept.
    bytes: Vec<u8>,
    /// Its length in bytes.
    length: usize,
    line: u64,
    /// Whether it is the first of the list.
    first: bool,
    comment: bool,
}

impl Reader {
    fn take(&mut self, byte: u8, each: &mut dyn FnMut(Word<'_>)) -> io::Result<()> {
        match byte {
            b'\n' => {
                self.end(each)?;
                self.line += 1;
                self.comment = false;
            }
            _ if self.comment => {}
            b'#' => {
                self.end(each)?;
                self.comment = true;
            }
            // As char::is_ascii_whitespace, and the vertical tab.
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.end(each)?,
            _ => {
                if self.bytes.len() < LONGEST {
                    self.bytes.push(byte);
                }
                self.length += 1;
            }
        }
        Ok(())
    }

    fn end(&mut self, each: &mut dyn FnMut(Word<'_>)) -> io::Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        let mut bytes = &self.bytes[..];
        if std::mem::take(&mut self.first) {
            // Byte order marks, as editors on Windows write them.
            if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
                return Err(io::Error::other("it is UTF-16; save it as UTF-8"));
            }
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        if !bytes.is_empty() {
            let text = if self.length > LONGEST {
                Err(format!(
                    "{} bytes without a blank; give a target a line, of {LONGEST} bytes at most",
                    self.length
                ))
            } else {
                std::str::from_utf8(bytes).map_err(|_| {
                    let lossy = String::from_utf8_lossy(bytes);
                    format!(
                        "{}: not UTF-8; give an address or a host name",
                        escape(&lossy)
                    )
                })
            };
            each(Word {
                text,
                line: self.line,
            });
        }
        self.bytes.clear();
        self.length = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let mut found = Vec::new();
        words(text, &mut |word: Word<'_>| {
            found.push((word.line, word.text.map(str::to_string)));
        })
        .expect("readable");
        found
    }

    fn good(text: &[u8]) -> Vec<(u64, String)> {
        let words = read(text).into_iter();
        words
            .map(|(line, word)| (line, word.expect("a good word")))
            .collect()
    }

    #[test]
    fn words_comments_and_ends_of_lines() {
        let list = b"a b\tc\r\n# all of it\r\n\n  d#rest e\ne # f\n#\nlast";
        let wanted = [
            (1, "a"),
            (1, "b"),
            (1, "c"),
            (4, "d"),
            (5, "e"),
            (7, "last"),
        ];
        assert_eq!(good(list), wanted.map(|(line, word)| (line, word.into())));
        assert_eq!(good(b""), []);
        assert_eq!(good(b" \n\r\n\t#x"), []);
    }

    #[test]
    fn byte_order_marks() {
        assert_eq!(good(b"\xef\xbb\xbfa\n"), [(1, "a".into())]);
        assert_eq!(good(b"\xef\xbb\xbf# x\na"), [(2, "a".into())]);
        for utf16 in [&b"\xff\xfea\0\n\0"[..], b"\xfe\xff\0a\0\n"] {
            let error = words(utf16, &mut |_| {}).expect_err("not UTF-8");
            assert_eq!(error.to_string(), "it is UTF-16; save it as UTF-8");
        }
    }

    #[test]
    fn a_word_has_bounds_and_the_next_one_is_read() {
        let mut list = vec![b'x'; 10_000_000];
        list.extend(b"\n\xff\x1b a\n");
        list.extend([b'y'; LONGEST]);
        let words = read(&list);
        let reason = words[0].1.as_ref().expect_err("too long");
        assert!(
            reason.starts_with("10000000 bytes without a blank"),
            "{reason}"
        );
        let reason = words[1].1.as_ref().expect_err("not UTF-8");
        assert!(reason.starts_with("\u{fffd}\\u{1b}: not UTF-8"), "{reason}");
        assert_eq!(words[2], (2, Ok("a".into())));
        assert_eq!(words[3], (3, Ok("y".repeat(LONGEST))));
    }

    #[test]
    fn a_long_line_of_many_words_is_as_good_as_many_lines() {
        let list = "192.0.2.1 ".repeat(1_000_000);
        let mut count = 0;
        words(list.as_bytes(), &mut |word| {
            assert_eq!(word.text, Ok("192.0.2.1"));
            count += 1;
        })
        .expect("readable");
        assert_eq!(count, 1_000_000);
    }
}
