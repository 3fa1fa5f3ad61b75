//! Whether a certificate is to be trusted, without a network: RFC 5280 section 6, by webpki, under
//! the roots of Mozilla's list as it was when this program was built. Revocation is not looked up.
//!
//! What it costs is bounded, for it is one step of the event loop: webpki's own bounds, 200,000 certificates
//! tried and 100 signatures checked, take up to 100 ms. Here it is 2,000, and some 10 ms.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, UnixTime,
};
use webpki::{EndEntityCert, KeyUsage};
use webpki_roots::TLS_SERVER_ROOTS;

use crate::service::found::{Certificate, Fault};

/// Certificates sent with the server's own that are looked at. As many are on webpki's longest path, they
/// are to come in its order (RFC 8446 section 4.4.2), and there are 1,956 ways to put them one behind the
/// other.
const MOST_OTHERS: usize = 6;

/// Signatures checked: those of the longest path, and as many on paths that lead nowhere.
const MOST_SIGNATURES: u32 = 16;

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
    let left = AtomicU32::new(MOST_SIGNATURES);
    let algorithms = case.algorithms.iter().map(|algorithm| Counted {
        algorithm: *algorithm,
        left: &left,
    });
    let algorithms: Vec<_> = algorithms.collect();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        algorithms.iter().map(|one| one as _).collect();
    let others = &case.others[..case.others.len().min(MOST_OTHERS)];
    let chain = own.verify_for_usage(
        &algorithms,
        TLS_SERVER_ROOTS,
        others,
        at,
        KeyUsage::server_auth(),
        None,
        None,
    );
    match chain {
        _ if is_self_signed => faults.push(Fault::SelfSigned),
        Ok(_) => {}
        Err(_) if others.len() < case.others.len() || left.load(Ordering::Relaxed) == 0 => {
            faults.push(Fault::ChainTooLong);
        }
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

/// An algorithm that checks so many signatures, together with others, and takes all further ones for wrong.
#[derive(Debug)]
struct Counted<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    left: &'a AtomicU32,
}

impl SignatureVerificationAlgorithm for Counted<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let left = self.left.load(Ordering::Relaxed);
        let left = left.checked_sub(1).ok_or(InvalidSignature)?;
        self.left.store(left, Ordering::Relaxed);
        self.algorithm
            .verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::default_provider;

    #[test]
    fn signatures_are_checked_until_so_many_were() {
        let left = AtomicU32::new(2);
        let all = default_provider().signature_verification_algorithms.all;
        for (algorithm, after) in [(all[0], 1), (all[1], 0), (all[0], 0)] {
            let counted = Counted {
                algorithm,
                left: &left,
            };
            assert_eq!(counted.signature_alg_id(), algorithm.signature_alg_id());
            assert!(counted.verify_signature(b"", b"", b"").is_err());
            assert_eq!(left.load(Ordering::Relaxed), after);
        }
    }
}
