//! A TLS server in memory, for tests.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

/// A server's side of one connection.
pub(crate) struct Server {
    connection: ServerConnection,
    /// What it was sent, in plain text.
    pub(crate) heard: Vec<u8>,
}

/// A certificate for these names, signed by itself, and its key.
pub(crate) fn self_signed(params: &CertificateParams) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (vec![certificate.der().clone()], key)
}

/// Parameters of a certificate for these names.
pub(crate) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
    CertificateParams::new(names).expect("names")
}

impl Server {
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Server {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let connection = ServerConnection::new(Arc::new(config)).expect("a server");
        Server {
            connection,
            heard: Vec::new(),
        }
    }

    /// One with all versions and a certificate for `www.example`.
    pub(crate) fn simple() -> Server {
        let (chain, key) = self_signed(&params(&["www.example"]));
        Server::new(chain, &key, rustls::ALL_VERSIONS)
    }

    /// Takes what a client sends, and gives what goes back to it.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).expect("memory");
            let _ = self.connection.process_new_packets();
            let _ = self.connection.reader().read_to_end(&mut self.heard);
        }
        self.pending()
    }

    /// Says this inside, and gives what goes to the client.
    pub(crate) fn say(&mut self, text: &[u8]) -> Vec<u8> {
        self.connection.writer().write_all(text).expect("memory");
        self.pending()
    }

    fn pending(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut out).expect("memory");
        }
        out
    }
}
