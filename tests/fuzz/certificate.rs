//! Certificates.

#![no_main]

#[path = "support/service.rs"]
mod service;

use libfuzzer_sys::fuzz_target;
use nishad::service::{Certificate, Service, Tls};

fuzz_target!(|der: &[u8]| {
    let certificate = Certificate::read(der);
    assert_eq!(certificate.sha256.as_ref().map(String::len), Some(64));
    service::is_bounded(&Service {
        tls: Some(Box::new(Tls {
            certificate: Some(certificate),
            ..Tls::default()
        })),
        ..Service::default()
    });
});
