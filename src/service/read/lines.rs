//! Where an answer in lines of text ends.

/// Probes that are answered with a list, how that begins, and how it ends: POP3 (RFC 2449 section
/// 5) and NNTP (RFC 3977 section 3.1.1).
const LISTS: [(&str, &[u8]); 2] = [("pop3", b"+OK"), ("nntp", b"101")];
const END_OF_LIST: &[u8] = b"\n.\r\n";

/// The probe that is answered in several lines with nothing behind them.
const UNMARKED: &str = "zookeeper";

/// Whether `answer` to `probe` is there to its end; `None` where only a pause can tell.
pub(super) fn is_whole(probe: &str, answer: &[u8]) -> Option<bool> {
    let is_list = |(asked, begin): &(&str, &[u8])| *asked == probe && answer.starts_with(begin);
    if LISTS.iter().any(is_list) {
        return Some(answer.ends_with(END_OF_LIST));
    }
    let lines = answer.strip_suffix(b"\n");
    // A reply of several lines, of which only the first and the last need have the number: RFC 959
    // section 4.2, RFC 5321 section 4.2.1.
    if let Some([code @ .., b'-']) = answer.get(..4)
        && code.iter().all(u8::is_ascii_digit)
    {
        let last = lines.and_then(|lines| lines.rsplit(|&byte| byte == b'\n').next());
        let rest = last.and_then(|last| last.strip_prefix(code));
        return Some(matches!(rest, Some([] | [b' ' | b'\r', ..])));
    }
    (lines.is_some() && probe != UNMARKED).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_in_lines_is_whole_with_its_last_one() {
        for (probe, answer, whole) in [
            ("greeting", "220 ready\r\n", Some(true)),
            ("greeting", "220 ready", None),
            ("greeting", "220-ready\r\n", Some(false)),
            ("greeting", "220-ready\r\nand a word\r\n", Some(false)),
            ("greeting", "220-ready\r\n211 is no end\r\n", Some(false)),
            ("greeting", "220-ready\r\n220 now\r\n", Some(true)),
            ("greeting", "220-ready\r\n220\r\n", Some(true)),
            ("greeting", "220-ready\r\n220 no", Some(false)),
            ("ftp", "211-Features:\r\n UTF8\r\n", Some(false)),
            ("ftp", "211-Features:\r\n UTF8\r\n211 End\r\n", Some(true)),
            ("smtp", "250-a\r\n250-SIZE\r\n", Some(false)),
            ("pop3", "+OK\r\n", Some(false)),
            ("pop3", "+OK\r\nSTLS\r\n.\r\n", Some(true)),
            ("pop3", "-ERR\r\n", Some(true)),
            ("greeting", "+OK ready\r\n", Some(true)),
            ("nntp", "101 list\r\nVERSION 2\r\n", Some(false)),
            ("nntp", "101 list\r\nVERSION 2\r\n.\r\n", Some(true)),
            ("zookeeper", "Zookeeper version: 3.8.0\n", None),
            ("http", "\n", Some(true)),
            ("greeting", "", None),
            ("http", "\u{5}\u{fe}", None),
        ] {
            assert_eq!(is_whole(probe, answer.as_bytes()), whole, "{answer:?}");
        }
    }
}
