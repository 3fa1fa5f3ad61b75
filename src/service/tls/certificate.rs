//! A certificate's fields, as far as it can be read.

use std::net::IpAddr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::service::found::{Certificate, MAX_NAMES, text};

/// Ed25519 keys: RFC 8410 section 3.
const ED25519: Oid<'static> = oid!(1.3.101.112);

/// What `der` says, and whether it could be read. If not, it still has a fingerprint.
pub(crate) fn read(der: &[u8]) -> (Certificate, bool) {
    let fingerprint = Sha256::digest(der);
    let hex = fingerprint.iter().map(|byte| format!("{byte:02x}"));
    let mut read = Certificate {
        sha256: Some(hex.collect()),
        ..Certificate::default()
    };
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return (read, false);
    };
    read.subject = name(certificate.subject());
    read.issuer = name(certificate.issuer());
    read.not_before = Some(time(certificate.validity().not_before));
    read.not_after = Some(time(certificate.validity().not_after));
    read.key = key(certificate.public_key());
    if let Ok(Some(extension)) = certificate.subject_alternative_name() {
        let names = extension.value.general_names.iter().filter_map(alternative);
        for name in names {
            read.names_total = read.names_total.saturating_add(1);
            if read.names.len() < MAX_NAMES {
                read.names.push(name);
            }
        }
    }
    (read, true)
}

fn name(name: &X509Name<'_>) -> Option<String> {
    let registry = x509_parser::objects::oid_registry();
    let written = name.to_string_with_registry(registry).ok()?;
    text(written.as_bytes())
}

/// The time; one beyond what a clock here can say is the first or the last that it can.
fn time(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    let bound = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(bound)
}

fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => text(name.as_bytes()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).map(IpAddr::from),
                _ => <[u8; 16]>::try_from(*bytes).map(IpAddr::from),
            };
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn key(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() > 0 => Some(format!("RSA {}", rsa.key_size())),
        Ok(PublicKey::EC(point)) if point.key_size() > 0 => {
            Some(format!("EC {}", point.key_size()))
        }
        Ok(PublicKey::DSA(_)) => Some("DSA".into()),
        _ if key.algorithm.algorithm == ED25519 => Some("Ed25519".into()),
        _ => None,
    }
}
