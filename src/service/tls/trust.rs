//! Whether a certificate is to be trusted, without a network: RFC 5280 section 6, by webpki, under
//! the roots of Mozilla's list as it was when this program was built. Revocation is not looked up.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use webpki_roots::TLS_SERVER_ROOTS;

use crate::service::found::{Certificate, Fault};

/// What is to be judged.
pub(crate) struct Case<'a> {
    /// The server's certificate, and those it sent with it.
    pub(crate) own: &'a CertificateDer<'a>,
    pub(crate) others: &'a [CertificateDer<'a>],
    /// The same, read; and whether it could be.
    pub(crate) certificate: &'a Certificate,
    pub(crate) readable: bool,
    pub(crate) target: &'a ServerName<'a>,
    pub(crate) wall: UnixTime,
    pub(crate) algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    /// Whether the server proved that it has the key.
    pub(crate) signed: bool,
}

/// All that is wrong with it, the gravest first.
pub(crate) fn faults(case: &Case<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !case.signed {
        faults.push(Fault::BadSignature);
    }
    let Ok(own) = EndEntityCert::try_from(case.own) else {
        faults.push(Fault::Invalid);
        return faults;
    };
    let certificate = case.certificate;
    let is_self_signed = case.readable && own.issuer() == own.subject();
    let now = i64::try_from(case.wall.as_secs()).unwrap_or(i64::MAX);
    let first = certificate
        .not_before
        .map_or(i64::MIN, |time| time.as_second());
    let last = certificate
        .not_after
        .map_or(i64::MAX, |time| time.as_second());
    // The chain is judged at a time at which the certificate was valid, so that both are told.
    let at = u64::try_from(now.min(last).max(first)).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    let chain = own.verify_for_usage(
        case.algorithms,
        TLS_SERVER_ROOTS,
        case.others,
        at,
        KeyUsage::server_auth(),
        None,
        None,
    );
    match chain {
        _ if is_self_signed => faults.push(Fault::SelfSigned),
        Ok(_) => {}
        Err(webpki::Error::UnknownIssuer) => faults.push(Fault::UntrustedIssuer),
        Err(webpki::Error::CertExpired { .. }) => faults.push(Fault::Expired),
        Err(webpki::Error::CertNotValidYet { .. }) => faults.push(Fault::NotYetValid),
        Err(_) => faults.push(Fault::Invalid),
    }
    if now > last && !faults.contains(&Fault::Expired) {
        faults.push(Fault::Expired);
    }
    if now < first && !faults.contains(&Fault::NotYetValid) {
        faults.push(Fault::NotYetValid);
    }
    // A target given by its address has no name that could be wrong.
    if matches!(case.target, ServerName::DnsName(_))
        && own.verify_is_valid_for_subject_name(case.target).is_err()
    {
        faults.push(Fault::NameMismatch);
    }
    faults
}
