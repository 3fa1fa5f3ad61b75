use jiff::Timestamp;
use rcgen::{BasicConstraints, DnType, DnValue, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::version::{TLS12, TLS13};

use super::testing::{Server, params, self_signed};
use super::{Progress, Session, Tls, certificate};
use crate::service::found::{Fault, MAX_NAMES, MAX_TEXT};

fn now() -> Timestamp {
    "2026-01-31T00:00:00Z".parse().expect("a time")
}

/// A session after its handshake with `server`, given `piece` bytes at a time.
fn shaken(server: &mut Server, target: &str, wall: Timestamp, piece: usize) -> Session {
    let mut session = Session::new(target, wall);
    for _ in 0..8 {
        let mut out = Vec::new();
        session.outgoing(&mut out);
        for bytes in server.take(&out).chunks(piece) {
            session.receive(bytes);
        }
    }
    session
}

fn facts(server: &mut Server, target: &str, wall: Timestamp) -> Tls {
    shaken(server, target, wall, 1 << 20).facts().expect("TLS")
}

#[test]
fn version_suite_protocol_and_certificate_of_both_versions() {
    for (versions, version) in [(&[&TLS13], "TLS 1.3"), (&[&TLS12], "TLS 1.2")] {
        for piece in [1, 7, 1 << 20] {
            let (chain, key) = self_signed(&params(&["www.example", "192.0.2.7"]));
            let fingerprint = certificate::read(&chain[0]).0.sha256;
            let mut server = Server::new(chain, &key, versions);
            let mut session = shaken(&mut server, "www.example", now(), piece);
            assert_eq!(session.progress(), Progress::Established);
            let facts = session.facts().expect("TLS");
            assert_eq!(facts.version.as_deref(), Some(version));
            assert_eq!(facts.alpn.as_deref(), Some("http/1.1"));
            let cipher = facts.cipher.expect("a suite");
            assert!(
                cipher.starts_with("TLS_") && !cipher.contains("13"),
                "{cipher}"
            );
            assert_eq!(facts.failure, None);
            assert_eq!(facts.trusted, Some(false));
            assert_eq!(facts.faults, [Fault::SelfSigned]);
            let certificate = facts.certificate.expect("a certificate");
            assert_eq!(certificate.names, ["www.example", "192.0.2.7"]);
            assert_eq!(certificate.subject, certificate.issuer);
            assert_eq!(certificate.key.as_deref(), Some("EC 256"));
            assert_eq!(certificate.sha256, fingerprint);
            assert_eq!(fingerprint.map(|digits| digits.len()), Some(64));

            session.send(b"hello");
            let mut out = Vec::new();
            session.outgoing(&mut out);
            let mut back = server.take(&out);
            assert_eq!(server.heard, b"hello");
            back.extend(server.say(b"welcome"));
            session.receive(&back);
            let mut data = Vec::new();
            session.data(&mut data);
            assert_eq!(data, b"welcome");
        }
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let mut case = params(&["www.example"]);
    case.not_before = date_time_ymd(2020, 1, 1);
    case.not_after = date_time_ymd(2025, 1, 1);
    let faults = |case: &rcgen::CertificateParams, target: &str, wall: &str| {
        let (chain, key) = self_signed(case);
        let mut server = Server::new(chain, &key, &[&TLS13]);
        facts(&mut server, target, wall.parse().expect("a time")).faults
    };
    let day = "2022-01-01T00:00:00Z";
    assert_eq!(faults(&case, "www.example", day), [Fault::SelfSigned]);
    assert_eq!(
        faults(&case, "other.example", "2026-01-01T00:00:00Z"),
        [Fault::SelfSigned, Fault::Expired, Fault::NameMismatch]
    );
    assert_eq!(
        faults(&case, "192.0.2.7", "2019-01-01T00:00:00Z"),
        [Fault::SelfSigned, Fault::NotYetValid]
    );
}

#[test]
fn an_issuer_that_nobody_knows() {
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Nobody's authority");
    let root = Issuer::new(authority, KeyPair::generate().expect("a key"));
    let key = KeyPair::generate().expect("a key");
    let certificate = params(&["www.example"])
        .signed_by(&key, &root)
        .expect("a certificate");
    let mut server = Server::new(vec![certificate.der().clone()], &key, &[&TLS12]);
    let facts = facts(&mut server, "www.example", now());
    assert_eq!(facts.faults, [Fault::UntrustedIssuer]);
    let issuer = facts.certificate.and_then(|certificate| certificate.issuer);
    assert!(issuer.is_some_and(|issuer| issuer.contains("Nobody's authority")));
}

/// A chain of authorities of their own, each signed by the next; all of one name, so that each might be
/// behind each.
#[test]
fn a_chain_that_is_too_long_is_not_judged_whole() {
    let faults = |others: usize| {
        let authority = || {
            let mut authority = params(&[]);
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Issuer::new(authority, KeyPair::generate().expect("a key"))
        };
        let mut next = authority();
        let key = KeyPair::generate().expect("a key");
        let mut own = params(&["www.example"]);
        own.distinguished_name
            .push(DnType::CommonName, "www.example");
        let own = own.signed_by(&key, &next);
        let mut chain = vec![own.expect("a certificate").der().clone()];
        for _ in 0..others {
            let signer = authority();
            let mut this = params(&[]);
            this.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let certificate = this.signed_by(next.key(), &signer).expect("a certificate");
            chain.push(certificate.der().clone());
            next = signer;
        }
        let mut server = Server::new(chain, &key, &[&TLS13]);
        facts(&mut server, "www.example", now()).faults
    };
    assert_eq!(faults(5), [Fault::UntrustedIssuer]);
    assert_eq!(faults(50), [Fault::ChainTooLong]);
}

#[test]
fn huge_and_odd_certificates_are_bounded() {
    let names: Vec<String> = (0..1000).map(|name| format!("{name}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut odd = params(&names);
    let long = format!("\u{1b}[2J\u{202e}{}\r\n", "x".repeat(10_000));
    odd.distinguished_name
        .push(DnType::CommonName, DnValue::Utf8String(long));
    odd.not_before = date_time_ymd(1, 1, 1);
    odd.not_after = date_time_ymd(9999, 12, 31);
    let (chain, key) = self_signed(&odd);
    let mut server = Server::new(chain, &key, &[&TLS13]);
    let certificate = facts(&mut server, "1.example", now())
        .certificate
        .expect("a certificate");
    assert_eq!(certificate.names.len(), MAX_NAMES);
    assert_eq!(certificate.names_total, 1000);
    let subject = certificate.subject.expect("a subject");
    assert!(subject.len() <= MAX_TEXT && !subject.contains(|c: char| c.is_control()));
    assert!(certificate.not_after > certificate.not_before);
}

#[test]
fn a_certificate_that_cannot_be_read_has_its_fingerprint() {
    for garbage in [
        &b""[..],
        b"0",
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0xff; 1 << 16],
    ] {
        let (certificate, readable) = certificate::read(garbage);
        assert!(!readable);
        assert_eq!(certificate.sha256.map(|digits| digits.len()), Some(64));
    }
}

#[test]
fn what_is_no_tls_and_what_never_ends() {
    let mut session = Session::new("www.example", now());
    session.receive(b"SSH-2.0-OpenSSH_9.2p1\r\n");
    assert_eq!(session.progress(), Progress::Over);
    assert_eq!(session.facts(), None);

    let mut session = Session::new("", now());
    session.receive(&[21, 3, 1, 0, 2, 2, 40]);
    assert_eq!(session.progress(), Progress::Over);
    let facts = session.facts().expect("TLS");
    assert_eq!(facts.failure.as_deref(), Some("alert: handshake failure"));

    // A ServerHello of 16 MB, a record at a time.
    let mut session = Session::new("fe80::1%eth0", now());
    let record = [
        &[22, 3, 3, 0x40, 0][..],
        &[2, 0xff, 0xff, 0xff, 3, 3],
        &[0; 16378],
    ]
    .concat();
    for _ in 0..64 {
        session.receive(&record);
    }
    assert_eq!(session.progress(), Progress::Over);
    let facts = session.facts().expect("TLS");
    assert_eq!(facts.version.as_deref(), Some("TLS 1.2"));
    assert!(facts.failure.is_some_and(|failure| !failure.is_empty()));
}
