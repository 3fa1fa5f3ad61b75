//! A TLS session by rustls, without I/O: what comes is given to it, what it wants sent is taken.
//!
//! Any certificate is accepted: a service is identified whoever it says it is. What is wrong with
//! it is [told](super::trust).

use std::io::Read;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};

use super::hello::{LOOKED_AT, alert, recognise};
use super::{Progress, Tls, certificate, trust};
use crate::service::found;
use crate::service::talk::MAX_ANSWER;

/// The one protocol offered by ALPN; servers of others do not mind it.
const ALPN: &[u8] = b"http/1.1";

/// A handshake, and what comes after it.
#[derive(Debug)]
pub(crate) struct Session {
    /// `None` if it cannot even begin.
    connection: Option<Box<ClientConnection>>,
    witness: Arc<Witness>,
    target: ServerName<'static>,
    wall: UnixTime,
    /// The first bytes that came.
    first: Vec<u8>,
    data: Vec<u8>,
    progress: Progress,
    failure: Option<String>,
}

impl Session {
    /// A handshake with `target`, a name or an address, at this time of day.
    pub(crate) fn new(target: &str, wall: Timestamp) -> Session {
        let seconds = u64::try_from(wall.as_second()).unwrap_or(0);
        let wall = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        // A name that TLS cannot say is not said.
        let target = ServerName::try_from(target.to_owned())
            .unwrap_or_else(|_| ServerName::from(IpAddr::from([0, 0, 0, 0])));
        let witness = Arc::new(Witness::new(provider()));
        let connection = config(Arc::clone(&witness), wall)
            .and_then(|config| ClientConnection::new(Arc::new(config), target.clone()));
        let failure = connection.as_ref().err().map(words);
        Session {
            progress: match failure {
                None => Progress::Handshake,
                Some(_) => Progress::Over,
            },
            connection: connection.ok().map(Box::new),
            witness,
            target,
            wall,
            first: Vec::new(),
            data: Vec::new(),
            failure,
        }
    }

    /// Moves what is to be sent behind `out`.
    pub(crate) fn outgoing(&mut self, out: &mut Vec<u8>) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        while connection.wants_write() {
            // Writing to memory does not fail.
            if !matches!(connection.write_tls(out), Ok(1..)) {
                break;
            }
        }
    }

    /// Takes what came.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        let wanted = LOOKED_AT.saturating_sub(self.first.len());
        self.first
            .extend_from_slice(&bytes[..wanted.min(bytes.len())]);
        let Some(connection) = &mut self.connection else {
            return;
        };
        while !bytes.is_empty() && self.progress != Progress::Over {
            let taken = connection.read_tls(&mut bytes);
            let state = connection.process_new_packets();
            if let Err(error) = &state {
                self.failure = Some(words(error));
            }
            let ended = state.is_err() || state.is_ok_and(|state| state.peer_has_closed());
            drain(connection, &mut self.data);
            if ended || !matches!(taken, Ok(1..)) {
                self.progress = Progress::Over;
            } else if !connection.is_handshaking() {
                self.progress = Progress::Established;
            }
        }
    }

    /// Sends data; nothing while there is no session.
    pub(crate) fn send(&mut self, data: &[u8]) {
        use std::io::Write;
        if let Some(connection) = &mut self.connection
            && self.progress == Progress::Established
        {
            // What is sent is at most a packet long, and nothing waits before it.
            let _ = connection.writer().write(data);
        }
    }

    /// Moves data that came behind `data`.
    pub(crate) fn data(&mut self, data: &mut Vec<u8>) {
        data.append(&mut self.data);
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// What was learned, if the other side speaks TLS.
    pub(crate) fn facts(&self) -> Option<Tls> {
        let mut facts = recognise(&self.first)??;
        let Some(connection) = &self.connection else {
            return Some(facts);
        };
        if let Some(version) = connection.protocol_version() {
            facts.version = Some(named(version));
        }
        let suite = connection.negotiated_cipher_suite();
        let suite = suite.and_then(|suite| suite.suite().as_str());
        facts.cipher = suite.map(|name| name.replace("TLS13_", "TLS_"));
        facts.alpn = connection.alpn_protocol().and_then(found::text);
        facts.failure = self.failure.clone().or(facts.failure);
        let chain = self
            .witness
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((own, others)) = chain.split_first() {
            let (certificate, readable) = certificate::read(own);
            let faults = trust::faults(&trust::Case {
                own,
                others,
                certificate: &certificate,
                readable,
                target: &self.target,
                wall: self.wall,
                algorithms: self.witness.algorithms.all,
                signed: !self.witness.is_forged.load(Ordering::Relaxed),
            });
            facts.trusted = Some(faults.is_empty());
            facts.faults = faults;
            facts.certificate = Some(certificate);
        }
        Some(facts)
    }
}

/// Takes out all data, and keeps what an answer may have.
fn drain(connection: &mut ClientConnection, data: &mut Vec<u8>) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = connection.reader().read(&mut chunk) {
        let room = MAX_ANSWER.saturating_sub(data.len());
        data.extend_from_slice(&chunk[..count.min(room)]);
    }
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider()))
}

fn config(witness: Arc<Witness>, wall: UnixTime) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_details(Arc::clone(provider()), Arc::new(Wall(wall)));
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(witness)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// An error as a fact about the server.
fn words(error: &Error) -> String {
    match error {
        Error::AlertReceived(description) => alert(u8::from(*description)),
        other => found::text(other.to_string().as_bytes()).unwrap_or_default(),
    }
}

fn named(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_3 => "TLS 1.3".into(),
        ProtocolVersion::TLSv1_2 => "TLS 1.2".into(),
        other => format!("{other:?}"),
    }
}

/// The time of day, as it was told.
#[derive(Debug)]
struct Wall(UnixTime);

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// Accepts every certificate, keeps it, and notes whether the server has its key.
#[derive(Debug)]
struct Witness {
    algorithms: WebPkiSupportedAlgorithms,
    chain: Mutex<Vec<CertificateDer<'static>>>,
    is_forged: AtomicBool,
}

impl Witness {
    fn new(provider: &CryptoProvider) -> Witness {
        Witness {
            algorithms: provider.signature_verification_algorithms,
            chain: Mutex::default(),
            is_forged: AtomicBool::new(false),
        }
    }

    fn note(
        &self,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.is_forged.fetch_or(checked.is_err(), Ordering::Relaxed);
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(own).chain(others);
        let all = all.map(|certificate| certificate.clone().into_owned());
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls12_signature(
            message,
            own,
            signature,
            &self.algorithms,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls13_signature(
            message,
            own,
            signature,
            &self.algorithms,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
