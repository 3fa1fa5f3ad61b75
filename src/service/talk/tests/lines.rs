//! Answers of several lines, of which each comes by itself.

use super::*;

/// A server that greets, and answers `command` with `lines`, one at a time; it pauses between them so
/// many times that a talk looks whether that was all.
fn in_lines(
    port: u16,
    greeting: &[&str],
    command: &str,
    lines: &[&str],
    pauses: usize,
) -> (Played, usize) {
    let mut waited = 0;
    let mut given = 0;
    let played = play(port, &mut |got, said| {
        let is_asked = got.ends_with(command.as_bytes());
        let next = match said.checked_sub(greeting.len()) {
            None => Some(greeting[said]),
            Some(nth) if is_asked => lines.get(nth).copied(),
            Some(_) => None,
        };
        match next {
            Some(line) if waited >= pauses || said == 0 || said == greeting.len() => {
                waited = 0;
                given = said + 1;
                Act::Say(line.into())
            }
            _ => {
                waited += 1;
                Act::Wait
            }
        }
    });
    (played, given)
}

/// Port, greeting, command, and lines of the answer, with an offer of TLS in the last but one.
type Case = (
    u16,
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
);

const OFFERS: [Case; 4] = [
    (
        21,
        &["220 (vsFTPd 3.0.3)\r\n"],
        "FEAT\r\n",
        &[
            "211-Features:\r\n",
            " UTF8\r\n",
            " AUTH TLS\r\n",
            "211 End\r\n",
        ],
    ),
    (
        110,
        &["+OK Dovecot ready.\r\n"],
        "CAPA\r\n",
        &["+OK\r\n", "TOP\r\n", "STLS\r\n", ".\r\n"],
    ),
    (
        119,
        &["200 news.example InterNetNews NNRP server INN 2.7.1 ready\r\n"],
        "CAPABILITIES\r\n",
        &["101 list\r\n", "VERSION 2\r\n", "STARTTLS\r\n", ".\r\n"],
    ),
    (
        25,
        &[
            "220-mail.example ESMTP Postfix\r\n",
            "220-patience\r\n",
            "220 ready\r\n",
        ],
        "EHLO nishad.invalid\r\n",
        &[
            "250-mail.example\r\n",
            "250-SIZE\r\n",
            "250-STARTTLS\r\n",
            "250 DSN\r\n",
        ],
    ),
];

#[test]
fn an_offer_of_tls_is_seen_in_a_list_that_comes_line_by_line() {
    for (port, greeting, command, lines) in OFFERS {
        for pauses in [0, 1] {
            let (played, given) = in_lines(port, greeting, command, lines, pauses);
            assert_eq!(given, greeting.len() + lines.len(), "{port}");
            assert_eq!(played.connections, 1, "{port}");
            assert_eq!(played.service.starttls, Some(true), "{port}");
            assert!(played.service.product.is_some(), "{port}");
        }
    }
}

#[test]
fn a_list_that_is_cut_short_denies_nothing() {
    for (port, greeting, command, lines) in OFFERS {
        let (played, given) = in_lines(port, greeting, command, &lines[..2], 0);
        assert_eq!(given, greeting.len() + 2, "{port}");
        assert_eq!(played.service.starttls, None, "{port}");
    }
}

/// Postfix's postscreen says half of its greeting and holds it against those who go on before the
/// other half, six seconds later.
#[test]
fn a_greeting_that_is_begun_is_waited_for() {
    let mut interrupted = false;
    let mut waited = 0;
    let played = play(2000, &mut |got, said| {
        interrupted |= said < 2 && !got.is_empty();
        match said {
            0 => Act::Say(b"220-mail.example ESMTP Postfix\r\n".to_vec()),
            1 if waited == 4 => Act::Say(b"220 mail.example ESMTP Postfix\r\n".to_vec()),
            2 if got.ends_with(b"\r\n") => {
                Act::Say(b"250-mail.example\r\n250 STARTTLS\r\n".to_vec())
            }
            _ => {
                waited += 1;
                Act::Wait
            }
        }
    });
    assert!(!interrupted);
    assert!(played.elapsed > 2 * Moments::of(Some(RTT)).answer);
    assert_eq!(played.service.starttls, Some(true));
}
