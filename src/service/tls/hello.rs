//! The beginning of what a TLS server answers, read by hand: RFC 5246 section 7.4.1.3.

use super::Tls;

/// Record types: RFC 5246 section 6.2.1.
const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;

/// Handshake type: RFC 5246 section 7.4.
const SERVER_HELLO: u8 = 2;

/// Bytes looked at: a record header, a handshake header, the version.
pub(super) const LOOKED_AT: usize = 11;

/// What the beginning of an answer says: `None` while it is too short, `Some(None)` if it is no TLS.
pub(super) fn recognise(answer: &[u8]) -> Option<Option<Tls>> {
    match answer {
        [] | [ALERT | HANDSHAKE] | [ALERT | HANDSHAKE, 3] => None,
        [ALERT, 3, 0..=4, rest @ ..] => match rest {
            [0, 2, _, _, ..] => Some(Some(Tls {
                failure: Some(alert(rest[3])),
                ..Tls::default()
            })),
            [] | [0] | [0, 2] | [0, 2, _] => None,
            _ => Some(None),
        },
        [HANDSHAKE, 3, 0..=4, rest @ ..] => match rest {
            [_, _, SERVER_HELLO, _, _, _, major, minor, ..] => Some(Some(Tls {
                version: version(*major, *minor),
                ..Tls::default()
            })),
            [_, _, kind, ..] if *kind != SERVER_HELLO => Some(None),
            _ => None,
        },
        _ => Some(None),
    }
}

/// The name of a version: RFC 8446 appendix D.
fn version(major: u8, minor: u8) -> Option<String> {
    match (major, minor) {
        (3, 0) => Some("SSL 3.0".into()),
        (3, minor @ 1..=4) => Some(format!("TLS 1.{}", minor - 1)),
        _ => None,
    }
}

/// An alert in words: RFC 8446 section 6.2.
pub(super) fn alert(description: u8) -> String {
    let known = match description {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        40 => "handshake failure",
        42 => "bad certificate",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown CA",
        50 => "decode error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        112 => "unrecognised name",
        116 => "certificate required",
        120 => "no application protocol",
        other => return format!("alert {other}"),
    };
    format!("alert: {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_told_from_what_is_not() {
        let version = |answer: &[u8]| recognise(answer).map(|tls| tls.and_then(|tls| tls.version));
        let hello = [22, 3, 1, 0, 50, 2, 0, 0, 46, 3, 1];
        for length in 0..hello.len() {
            assert_eq!(recognise(&hello[..length]), None, "{length}");
        }
        assert_eq!(version(&hello), Some(Some("TLS 1.0".into())));
        let alerted = recognise(&[21, 3, 1, 0, 2, 2, 70]).flatten().expect("TLS");
        assert_eq!(alerted.failure.as_deref(), Some("alert: protocol version"));
        for other in [
            &b"SSH-2.0-x"[..],
            b"HTTP",
            &[22, 3, 9],
            &[22, 3, 1, 0, 9, 1],
            &[21, 3, 1, 0, 9],
        ] {
            assert_eq!(recognise(other), Some(None), "{}", other.escape_ascii());
        }
    }
}
