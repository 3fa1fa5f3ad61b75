//! TLS recognised by the answer to a ClientHello written by hand, without cryptography: RFC 5246
//! section 7.4.1. It offers TLS 1.2 and older; a server that wants TLS 1.3 says so in an alert.

use super::{Progress, Tls};

/// Record types: RFC 5246 section 6.2.1.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// Handshake types: RFC 5246 section 7.4.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Suites that servers of the last twenty years have at least one of: ECDHE and RSA with AES and
/// 3DES, TLS_FALLBACK_SCSV not among them.
const SUITES: [u16; 12] = [
    0xc02f, 0xc02b, 0xc030, 0xc02c, 0xcca8, 0xcca9, 0xc013, 0xc014, 0x009c, 0x002f, 0x0035, 0x000a,
];

/// Groups x25519, secp256r1, secp384r1.
const GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];

/// Signatures: ECDSA and RSA with SHA-256, -384, -512, RSA-PSS, SHA-1.
const SIGNATURES: [u16; 8] = [
    0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0601, 0x0201,
];

/// A handshake that is only begun.
#[derive(Debug)]
pub(crate) struct Session {
    out: Vec<u8>,
    heard: Vec<u8>,
    progress: Progress,
    facts: Option<Tls>,
}

/// Bytes looked at: a record header, a handshake header, the version.
const LOOKED_AT: usize = 11;

impl Session {
    /// A handshake with `target`, a name or an address.
    pub(crate) fn new(target: &str) -> Session {
        Session {
            out: client_hello(target),
            heard: Vec::new(),
            progress: Progress::Handshake,
            facts: None,
        }
    }

    /// Moves what is to be sent behind `out`.
    pub(crate) fn outgoing(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }

    /// Takes what came.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let wanted = LOOKED_AT.saturating_sub(self.heard.len());
        self.heard
            .extend_from_slice(&bytes[..wanted.min(bytes.len())]);
        if self.progress == Progress::Handshake
            && let Some(facts) = recognise(&self.heard)
        {
            self.progress = Progress::Over;
            self.facts = facts;
        }
    }

    /// Sends data; nothing while there is no session.
    pub(crate) fn send(&mut self, _data: &[u8]) {}

    /// Moves data that came behind `data`.
    pub(crate) fn data(&mut self, _data: &mut Vec<u8>) {}

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// What was learned, if the other side speaks TLS.
    pub(crate) fn facts(&self) -> Option<Tls> {
        self.facts.clone()
    }
}

/// What the beginning of an answer says: `None` while it is too short, `Some(None)` if it is no TLS.
pub(crate) fn recognise(answer: &[u8]) -> Option<Option<Tls>> {
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
fn alert(description: u8) -> String {
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

fn client_hello(target: &str) -> Vec<u8> {
    let list = |values: &[u16]| {
        values
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect()
    };
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: Vec<u8>| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(with_length(body));
    };
    // RFC 6066 section 3: names only, no addresses.
    if target.parse::<std::net::IpAddr>().is_err() && (1..=253).contains(&target.len()) {
        let name = [vec![0], with_length(target.as_bytes().to_vec())].concat();
        extension(0, with_length(name));
    }
    extension(10, with_length(list(&GROUPS)));
    extension(11, vec![1, 0]);
    extension(13, with_length(list(&SIGNATURES)));
    // Nothing is encrypted with what follows from it: its random needs no randomness.
    let random = [0x6e; 32];
    let body = [
        vec![3, 3],
        random.to_vec(),
        vec![0],
        with_length(list(&SUITES)),
        vec![1, 0],
        with_length(extensions),
    ]
    .concat();
    let message = [vec![CLIENT_HELLO, 0], with_length(body)].concat();
    [vec![HANDSHAKE, 3, 1], with_length(message)].concat()
}

/// `body` behind its length in two bytes; what is given here has fewer than 1,000.
fn with_length(body: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}
