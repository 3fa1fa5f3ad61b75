//! What talks hold, against what they are counted with.

use std::process::Command;

use nishad::engine::Options;
use nishad::service::talk::TALK_MEMORY;

use crate::hostile::Server;
use crate::{MEMORY, scan};

/// Ports to talk to in the process that does nothing else.
const PORTS: &str = "TALK_MEMORY_PORTS";
const TALKS: usize = 16;

/// A server by what it does.
type Kind = (&'static str, fn() -> Server);

/// Each at once with some that hold as much as they can: what an answer may have, and with TLS a chain
/// of certificates as long as its message may be, with more behind it.
/// `cargo test --test services -- a_talk_holds --nocapture` tells how much that is.
#[test]
fn a_talk_holds_no_more_than_it_is_counted_with() {
    if let Ok(ports) = std::env::var(PORTS) {
        let ports: Vec<u16> = ports.split(',').flat_map(str::parse).collect();
        // What all talks share is there already.
        let (found, _) = scan(ports[..1].iter().copied(), Options::default());
        assert_eq!(found.len(), 1);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let (found, _) = scan(ports[1..].iter().copied(), Options::default());
        assert_eq!(found.len(), TALKS);
        println!("bytes {}", MEMORY.peak_usage() - before);
        return;
    }
    let kinds: &[Kind] = &[
        ("endless text", || {
            Server::endless(b"220 ", b"garbage \xff\r\n")
        }),
        ("endless headers", || {
            Server::endless(b"HTTP/1.1 200 OK\r\n", b"X-More: of the same\r\n")
        }),
        ("endless handshake", Server::endless_tls),
        #[cfg(feature = "tls")]
        ("long chain", chain::server),
    ];
    for (kind, server) in kinds {
        let servers: Vec<_> = (0..=TALKS).map(|_| server()).collect();
        let ports: Vec<_> = servers
            .iter()
            .map(|server| server.port.to_string())
            .collect();
        let test = "memory::a_talk_holds_no_more_than_it_is_counted_with";
        let ran = Command::new(std::env::current_exe().expect("this one"))
            .args([test, "--exact", "--nocapture"])
            .env(PORTS, ports.join(","))
            .output()
            .expect("it runs");
        let out = String::from_utf8_lossy(&ran.stdout);
        let bytes = out.lines().find_map(|line| line.split_once("bytes "));
        let bytes: usize = bytes.and_then(|(_, bytes)| bytes.parse().ok()).expect(&out);
        println!("{kind}: {} KiB a talk", bytes / TALKS / 1024);
        assert!(
            bytes / TALKS <= TALK_MEMORY,
            "{kind}: {bytes} for {TALKS} talks"
        );
    }
}

#[cfg(feature = "tls")]
mod chain {
    use std::io::Write;
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use crate::hostile::Server;

    /// A TLS server with as much of certificates as a message of 64 KiB takes, and data without end.
    pub fn server() -> Server {
        let names: Vec<String> = (0..180).map(|n| format!("{n:0>60}.example")).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.self_signed(&key).expect("a certificate");
        let chain = vec![certificate.der().clone(); 60_000 / certificate.der().len()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        let config = Arc::new(config);
        Server::new(move |stream| {
            let connection = ServerConnection::new(config.clone()).expect("a server");
            let mut stream = StreamOwned::new(connection, stream);
            while stream.write_all(&[b'x'; 16_384]).is_ok() {}
        })
    }
}
