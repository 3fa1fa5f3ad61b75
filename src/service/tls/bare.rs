//! A ClientHello written by hand, without cryptography, and no more: RFC 5246 section 7.4.1. It
//! offers TLS 1.2 and older; a server that wants TLS 1.3 says so in an alert.

use std::net::IpAddr;

use jiff::Timestamp;

use super::hello::{HANDSHAKE, LOOKED_AT, recognise};
use super::{Progress, Tls};

/// Handshake type: RFC 5246 section 7.4.
const CLIENT_HELLO: u8 = 1;

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

impl Session {
    /// A handshake with `target`, a name or an address; no certificate is judged.
    pub(crate) fn new(target: &str, _wall: Timestamp) -> Session {
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
    if target.parse::<IpAddr>().is_err() && (1..=253).contains(&target.len()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_as_long_as_it_says_and_names_the_target() {
        for (target, named) in [("www.example", true), ("192.0.2.7", false), ("", false)] {
            let hello = client_hello(target);
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            assert_eq!((hello[0], record), (HANDSHAKE, hello.len() - 5));
            let message = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
            assert_eq!((hello[5], message), (CLIENT_HELLO, hello.len() - 9));
            let has_name = !target.is_empty()
                && hello
                    .windows(target.len())
                    .any(|at| at == target.as_bytes());
            assert_eq!(has_name, named, "{target}");
        }
    }

    #[test]
    fn an_answer_in_pieces() {
        let mut session = Session::new("www.example", Timestamp::UNIX_EPOCH);
        let mut out = Vec::new();
        session.outgoing(&mut out);
        assert_eq!(out, client_hello("www.example"));
        for byte in [22, 3, 3, 0, 90, 2, 0, 0, 86, 3] {
            session.receive(&[byte]);
            assert_eq!(session.progress(), Progress::Handshake);
        }
        session.receive(&[3, 1, 2, 3]);
        session.send(b"nothing");
        let (mut sent, mut data) = (Vec::new(), Vec::new());
        session.outgoing(&mut sent);
        session.data(&mut data);
        assert!(sent.is_empty() && data.is_empty());
        assert_eq!(session.progress(), Progress::Over);
        let facts = session.facts().expect("TLS");
        assert_eq!(facts.version.as_deref(), Some("TLS 1.2"));
    }
}
