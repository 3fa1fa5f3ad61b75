//! Real servers of Debian's packages, started here on usual and on unusual ports, are told by name.
#![cfg(target_os = "linux")]

#[path = "../support/lab.rs"]
#[allow(dead_code, reason = "a part is needed")]
mod lab;
mod park;
#[path = "../support/program.rs"]
mod program;

use std::collections::BTreeMap;

use serde_json::Value;

use lab::Lab;
use park::{Park, SERVERS};
use program::Ran;

#[test]
fn real_servers_are_identified() {
    const TEST: &str = "real_servers_are_identified";
    if !nix::unistd::geteuid().is_root() {
        return lab::skip(TEST, "servers change their user, for which they need root");
    }
    if let Some(server) = SERVERS.iter().find(|server| server.version().is_none()) {
        return lab::skip(TEST, &format!("{} is not installed", server.package));
    }
    let Some(_lab) = Lab::enter(TEST) else {
        return;
    };
    let _park = Park::start();
    let ran = Ran::with(&format!(
        "-V --format ndjson -p {} 127.0.0.1",
        park::ports()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let found: BTreeMap<u64, Value> = ran
        .json("port")
        .into_iter()
        .filter_map(|line| Some((line["port"].as_u64()?, line["service"].clone())))
        .collect();
    let mut wrong = Vec::new();
    for server in SERVERS {
        let version = server.version().unwrap_or_default();
        for (port, label, told) in server.ports {
            let service = &found[&u64::from(*port)];
            let is = |field: &str, wanted: &str| {
                let told = service[field].as_str().unwrap_or_default();
                told.to_lowercase().starts_with(&wanted.to_lowercase())
            };
            let tls = label
                .strip_suffix('s')
                .filter(|_| service["tls"].is_object());
            let named = is("name", tls.unwrap_or(label));
            let product = is("product", server.product);
            if !named || !product || (*told && !is("version", &version)) {
                wrong.push(format!(
                    "port {port} is {label}, {} {version}: {service}",
                    server.product
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    certificates_are_told(&found);
}

/// Also under TLS 1.3, where the certificate is encrypted.
fn certificates_are_told(found: &BTreeMap<u64, Value>) {
    for (port, version) in [(443, "TLS 1.2"), (10443, "TLS 1.3")] {
        let tls = &found[&port]["tls"];
        assert_eq!(tls["version"], version, "{tls}");
        let certificate = &tls["certificate"];
        assert_eq!(certificate["names"][1], "mail.test", "{tls}");
        assert_eq!(tls["trusted"], false, "{tls}");
        let sha256 = certificate["sha256"].as_str().unwrap_or_default();
        assert_eq!(sha256.len(), 64, "{tls}");
    }
    assert_eq!(found[&80]["http"]["redirect"], "https://www.test/");
    assert_eq!(found[&10443]["http"]["title"], "Hello & welcome");
}
