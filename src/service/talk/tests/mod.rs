//! Talks on virtual time, with servers that are functions.

mod hostile;
mod lines;
mod protocols;

use super::*;
use crate::service::rules::shared;

/// What a server does, once it has been sent something or is left waiting.
enum Act {
    Say(Vec<u8>),
    Close,
    Reset,
    /// Nothing until more comes.
    Wait,
}

/// A server: what was sent on this connection so far, and how often it has answered on it.
type Server<'a> = &'a mut dyn FnMut(&[u8], usize) -> Act;

/// A talk that is over.
struct Played {
    service: Service,
    connections: usize,
    /// What was sent, connection by connection.
    sent: Vec<Vec<u8>>,
    elapsed: Duration,
}

/// Round trips take so long.
const RTT: Duration = Duration::from_millis(10);

fn options() -> Options {
    Options {
        target: "www.example".into(),
        rtt: Some(RTT),
        ask_printers: false,
        wall: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn talk(port: u16, options: &Options, now: Instant) -> Talk {
    Talk::new(shared(), port, options, now)
}

/// Plays a whole talk with `server` on `port`.
fn play(port: u16, server: Server<'_>) -> Played {
    play_as(&options(), port, server)
}

fn play_as(options: &Options, port: u16, server: Server<'_>) -> Played {
    let begun = Instant::now();
    let mut now = begun;
    let mut talk = talk(port, options, now);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut answers = 0;
    // Any talk is over long before.
    for _ in 0..100_000 {
        match talk.want() {
            Want::Done => {
                assert_eq!(talk.poll_timeout(), None);
                let connections = sent.len();
                let elapsed = now - begun;
                let service = talk.into_service();
                return Played {
                    service,
                    connections,
                    sent,
                    elapsed,
                };
            }
            Want::Connect => {
                now += RTT;
                sent.push(Vec::new());
                answers = 0;
                talk.connected(now);
            }
            Want::Send(bytes) => {
                // A few bytes at a time, as a full buffer takes them.
                let count = bytes.len().min(100);
                sent.last_mut()
                    .expect("a connection")
                    .extend(&bytes[..count]);
                talk.sent(now, count);
            }
            Want::Read(most) => {
                let got = sent.last().expect("a connection");
                match server(got, answers) {
                    Act::Say(answer) => {
                        now += RTT;
                        answers += 1;
                        assert!(most > 0);
                        talk.received(now, &answer);
                    }
                    Act::Close => {
                        now += RTT;
                        talk.closed(now, Ended::Closed);
                    }
                    Act::Reset => {
                        now += RTT;
                        talk.closed(now, Ended::Reset);
                    }
                    Act::Wait => {
                        now = now.max(talk.poll_timeout().expect("a deadline"));
                        talk.timeout(now);
                    }
                }
            }
        }
    }
    panic!("a talk without an end");
}

#[test]
fn a_greeting_is_enough() {
    let played = play(2222, &mut |_, said| match said {
        0 => Act::Say(b"SSH-2.0-OpenSSH_9.2p1 Deb".to_vec()),
        1 => Act::Say(b"ian-2\r\n".to_vec()),
        _ => Act::Wait,
    });
    assert_eq!(played.sent, [b""]);
    assert_eq!(played.elapsed, 3 * RTT);
    let service = played.service;
    assert_eq!(service.label().as_deref(), Some("ssh"));
    assert_eq!(service.version.as_deref(), Some("9.2p1"));
    assert_eq!(service.manner, Manner::Answers);
    assert_eq!(service.probe.as_deref(), Some("greeting"));
    assert_eq!(
        service.evidence.as_deref(),
        Some("SSH-2.0-OpenSSH_9.2p1 Debian-2\\r\\n")
    );
}

#[test]
fn printers_get_no_byte_unless_asked() {
    for port in [9100, 9107] {
        let played = play(port, &mut |_, _| Act::Wait);
        assert_eq!(played.sent, [b""]);
        assert_eq!(played.service.manner, Manner::Unasked);
    }
    let now = Instant::now();
    let ask_printers = Options {
        ask_printers: true,
        ..options()
    };
    let mut talk = talk(9100, &ask_printers, now);
    talk.connected(now);
    let later = talk.poll_timeout().expect("a deadline");
    talk.timeout(later);
    assert!(matches!(talk.want(), Want::Send(_)));
}

#[test]
fn an_ipv6_target_is_in_brackets_and_without_its_zone() {
    assert_eq!(url_host("fe80::1%eth0"), "[fe80::1]");
    assert_eq!(url_host("192.0.2.7"), "192.0.2.7");
    assert_eq!(url_host("www.example"), "www.example");
}

#[test]
fn calls_that_do_not_fit_change_nothing() {
    let now = Instant::now();
    let mut talk = talk(12345, &options(), now);
    talk.received(now, b"SSH-2.0-x\r\n");
    talk.sent(now, 7);
    talk.timeout(now);
    assert_eq!(talk.want(), Want::Connect);
    assert_eq!(talk.poll_timeout(), None);
    talk.connected(now);
    let deadline = talk.poll_timeout();
    talk.connected(now);
    talk.timeout(now);
    talk.sent(now, 7);
    assert_eq!(talk.poll_timeout(), deadline);
    talk.closed(now, Ended::Closed);
    talk.closed(now, Ended::Failed);
    assert_eq!(talk.want(), Want::Done);
    talk.received(now, b"SSH-2.0-x\r\n");
    assert_eq!(talk.into_service().name, None);
}

#[test]
fn the_rest_of_a_request_has_its_own_time() {
    let now = Instant::now();
    let mut talk = talk(12345, &options(), now);
    talk.connected(now);
    let greeting = talk.poll_timeout().expect("a deadline");
    talk.timeout(greeting);
    assert_eq!(talk.want(), Want::Send(b"G"));
    talk.sent(greeting, 1);
    let held = talk.poll_timeout().expect("a deadline");
    talk.timeout(held);
    // A driver that looks at the time first does not end it before it is sent.
    talk.timeout(held);
    assert!(matches!(talk.want(), Want::Send(rest) if rest.starts_with(b"ET / HTTP/1.1\r\n")));
}
