//! Asks for the target, as the original script did.

use std::io::{self, BufRead, Read, Write};

use nishad::output::escape;

const QUESTION: &str = "Enter the target IP address or hostname to scan: ";

/// What Enter alone means.
const DEFAULT: &str = "127.0.0.1";

/// Longest answer read: host names have at most 253 characters.
const MAX_ANSWER: u64 = 4096;

/// Asks until `accept` takes the answer; its error is the reason shown. `None` at the end of input.
pub(crate) fn ask<T>(
    mut input: impl BufRead,
    mut screen: impl Write,
    mut accept: impl FnMut(&str) -> Result<T, String>,
) -> io::Result<Option<T>> {
    loop {
        screen.write_all(QUESTION.as_bytes())?;
        screen.flush()?;
        let mut answer = Vec::new();
        let length = (&mut input)
            .take(MAX_ANSWER + 1)
            .read_until(b'\n', &mut answer)?;
        if length == 0 {
            writeln!(screen)?;
            return Ok(None);
        }
        let reason = if length as u64 > MAX_ANSWER {
            // What is left of it is no answer of its own.
            if answer.last() != Some(&b'\n') {
                input.skip_until(b'\n')?;
            }
            format!("more than {MAX_ANSWER} bytes; give an address or a host name")
        } else {
            match std::str::from_utf8(&answer).map(str::trim) {
                Ok(answer) => match accept(if answer.is_empty() { DEFAULT } else { answer }) {
                    Ok(accepted) => return Ok(Some(accepted)),
                    Err(reason) => reason,
                },
                Err(_) => format!(
                    "{}: not UTF-8",
                    escape(String::from_utf8_lossy(&answer).trim())
                ),
            }
        };
        writeln!(screen, "{reason}")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(input: &[u8]) -> (Option<String>, String) {
        let mut screen = Vec::new();
        let accept = |answer: &str| match answer {
            "bad" => Err("bad: cannot be resolved".into()),
            good => Ok(good.to_string()),
        };
        let answer = ask(input, &mut screen, accept).expect("no I/O error");
        (answer, String::from_utf8(screen).expect("UTF-8"))
    }

    #[test]
    fn enter_alone_is_this_machine() {
        assert_eq!(dialogue(b"\n"), (Some("127.0.0.1".into()), QUESTION.into()));
        assert_eq!(dialogue(b" host.example \n").0, Some("host.example".into()));
    }

    #[test]
    fn a_bad_answer_asks_again_with_the_reason() {
        let (answer, screen) = dialogue(b"bad\n\xff\x1b\ngood\n");
        assert_eq!(answer, Some("good".into()));
        let wanted = format!(
            "{QUESTION}bad: cannot be resolved\n{QUESTION}\u{fffd}\\u{{1b}}: not UTF-8\n{QUESTION}"
        );
        assert_eq!(screen, wanted);
    }

    #[test]
    fn the_rest_of_an_answer_that_is_too_long_is_no_answer() {
        for length in [MAX_ANSWER, 3 * MAX_ANSWER, 1 << 20] {
            let mut input = vec![b'x'; length as usize];
            input.extend(b" good.example\nhost.example\n");
            let (answer, screen) = dialogue(&input);
            assert_eq!(answer, Some("host.example".into()));
            let wanted = format!(
                "{QUESTION}more than 4096 bytes; give an address or a host name\n{QUESTION}"
            );
            assert_eq!(screen, wanted);
        }
    }

    #[test]
    fn the_end_of_input_ends_the_dialogue() {
        assert_eq!(dialogue(b"bad\n").0, None);
        assert_eq!(dialogue(b"").0, None);
    }
}
