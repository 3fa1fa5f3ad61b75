//! Servers that mean no good: whatever they do, time, bytes and memory are bounded.

use super::*;
use crate::service::found::{MAX_EVIDENCE, MAX_TEXT};

/// What every talk keeps to.
fn check(played: &Played) {
    assert!(played.connections <= usize::from(MAX_CONNECTIONS));
    let total = Moments::of(Some(RTT)).total;
    assert!(played.elapsed <= total + 4 * RTT, "{:?}", played.elapsed);
    let service = &played.service;
    for text in [
        &service.name,
        &service.product,
        &service.version,
        &service.info,
    ] {
        assert!(
            text.as_ref()
                .is_none_or(|text| text.len() <= MAX_TEXT && !text.is_empty())
        );
    }
    let evidence = service.evidence.as_deref().unwrap_or_default();
    assert!(evidence.len() <= MAX_EVIDENCE && evidence.is_ascii());
    assert!(!evidence.contains(|c: char| c.is_control()));
}

#[test]
fn silence_is_asked_three_times_and_left() {
    let played = play(12345, &mut |_, _| Act::Wait);
    check(&played);
    assert_eq!(played.service.manner, Manner::Silent);
    assert_eq!(played.service.name, None);
    assert!(played.sent[0].starts_with(b"GET / HTTP/1.1\r\nHost: www.example\r\n"));
    assert_eq!(played.connections, 3);
}

#[test]
fn a_port_that_closes_or_resets_at_once_is_told_from_a_silent_one() {
    let played = play(12345, &mut |_, _| Act::Close);
    check(&played);
    assert_eq!(played.service.manner, Manner::Closes);
    let played = play(12345, &mut |_, _| Act::Reset);
    check(&played);
    assert_eq!(played.service.manner, Manner::Resets);
    // One that takes what it is asked and resets then has nothing to say either.
    let played = play(12345, &mut |got, _| match got {
        [] => Act::Wait,
        _ => Act::Reset,
    });
    check(&played);
    assert_eq!(played.service.manner, Manner::Resets);
}

#[test]
fn a_byte_a_second_and_endless_data() {
    let mut answers = vec![
        b"x".to_vec(),
        b"\n".to_vec(),
        vec![0xff; 1 << 14],
        b"\r\n".repeat(8000),
    ];
    // A greeting of 1 GB, and lines that are begun.
    answers.push(b"220-".repeat(4096));
    answers.push(b"SSH-2.0-".repeat(2048));
    for answer in answers {
        for slow in [false, true] {
            let mut waited = false;
            let mut given = 0;
            let played = play(12345, &mut |_, _| {
                waited = slow && !waited;
                if waited {
                    return Act::Wait;
                }
                given += answer.len();
                Act::Say(answer.clone())
            });
            check(&played);
            assert!(given <= 8 * MAX_READ, "{given}");
            assert_eq!(played.service.manner, Manner::Answers);
        }
    }
}

#[test]
fn floods_of_headers_and_pages_without_an_end() {
    for (head, more) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], &b"X-A: b\r\n"[..]),
        (b"HTTP/1.1 200 OK\r\n\r\n<title>", b"x"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            b"\0",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
            b"\x1f\x8b\x08\0\0\0\0\0",
        ),
    ] {
        let played = play(80, &mut |got, said| match (got.is_empty(), said) {
            (true, _) => Act::Wait,
            (_, 0) => Act::Say(head.to_vec()),
            _ => Act::Say(more.repeat(500)),
        });
        check(&played);
        assert_eq!(played.service.name.as_deref(), Some("http"));
        assert!(played.service.http.is_some_and(|http| http.status == 200));
    }
}

#[test]
fn tls_that_never_ends() {
    // A ServerHello of 16 MB; records of nothing; a header at a time.
    let endless = [
        &[22, 3, 3, 0x40, 0][..],
        &[2, 0xff, 0xff, 0xff, 3, 3],
        &[0; 16378],
    ]
    .concat();
    for answer in [endless, vec![22, 3, 3, 0, 0], vec![22, 3, 3]] {
        let played = play(443, &mut |got, _| match got {
            [22, ..] => Act::Say(answer.clone()),
            _ => Act::Wait,
        });
        check(&played);
    }
}

#[test]
fn text_that_would_drive_a_terminal_is_only_text() {
    let answer = "SSH-2.0-\u{1b}]0;x\u{7}\u{202e}\u{0}evil\r\n";
    let played = play(22, &mut |_, _| Act::Say(answer.as_bytes().to_vec()));
    check(&played);
    let product = played.service.product.expect("a product");
    assert!(!product.contains(|c: char| c.is_control()), "{product:?}");
}
