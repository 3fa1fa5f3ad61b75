mod networks;

use super::*;
use crate::service::rules::shared;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("digits"))
        .collect()
}

/// What `answer` to `probe` is, as everything together reads it, and its beginnings are read too.
fn read_whole(probe: &str, answer: &[u8]) -> Service {
    let rules = shared();
    for length in 0..answer.len() {
        rules.identify(probe, &answer[..length]);
    }
    let mut odd = answer.to_vec();
    for at in 0..answer.len().min(64) {
        for value in [0, 0x7f, 0xff] {
            odd[at] = value;
            rules.identify(probe, &odd);
        }
        odd[at] = answer[at];
    }
    rules.identify(probe, answer).expect("a service").service
}

/// Name, description, host name, offer of TLS.
fn told(service: &Service) -> (&str, String, Option<&str>, Option<bool>) {
    (
        service.name.as_deref().unwrap_or_default(),
        service.description(),
        service.hostname.as_deref(),
        service.starttls,
    )
}

fn check(
    probe: &str,
    answer: &[u8],
    name: &str,
    description: &str,
    hostname: Option<&str>,
    starttls: Option<bool>,
) {
    let service = read_whole(probe, answer);
    assert_eq!(
        told(&service),
        (name, description.into(), hostname, starttls)
    );
}

/// A MySQL greeting with this version.
fn mysql(version: &str, flags: [u8; 2]) -> Vec<u8> {
    let mut body = vec![10];
    body.extend(version.as_bytes());
    body.extend([0, 7, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
    body.extend(flags);
    body.extend([8; 30]);
    let length = u8::try_from(body.len()).expect("short");
    [vec![length, 0, 0, 0], body].concat()
}

#[test]
fn mysql_and_mariadb() {
    let greeting = mysql("5.5.5-10.11.6-MariaDB-0+deb12u1", [0xfe, 0xf7]);
    check(
        "greeting",
        &greeting,
        "mysql",
        "MariaDB 10.11.6 (0+deb12u1)",
        None,
        Some(false),
    );
    let greeting = mysql("8.0.36", [0xff, 0xff]);
    check(
        "greeting",
        &greeting,
        "mysql",
        "MySQL 8.0.36",
        None,
        Some(true),
    );
    let refusal =
        b"\x47\0\0\0\xff\x6a\x04Host '192.0.2.7' is not allowed to connect to this MariaDB server";
    check(
        "greeting",
        refusal,
        "mysql",
        "MariaDB (Host '192.0.2.7' is not allowed to connect to this MariaDB server)",
        None,
        None,
    );
}

#[test]
fn postgresql() {
    check("postgresql", b"S", "postgresql", "", None, Some(true));
    check("postgresql", b"N", "postgresql", "", None, Some(false));
    let login = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    check(
        "postgresql-login",
        login,
        "postgresql",
        "PostgreSQL (asks for SCRAM-SHA-256)",
        None,
        None,
    );
    let mut trusted = b"R\0\0\0\x08\0\0\0\0".to_vec();
    for (name, value) in [
        ("in_hot_standby", "off"),
        ("server_version", "15.5 (Debian 15.5-0+deb12u1)"),
    ] {
        let length = u8::try_from(4 + name.len() + value.len() + 2).expect("short");
        trusted.extend([b'S', 0, 0, 0, length]);
        trusted.extend(format!("{name}\0{value}\0").as_bytes());
    }
    check(
        "postgresql-login",
        &trusted,
        "postgresql",
        "PostgreSQL 15.5 (Debian 15.5-0+deb12u1) (lets in without a password)",
        None,
        None,
    );
    let error = b"E\0\0\0\x3bSFATAL\0VFATAL\0C28000\0Mno entry for host \"192.0.2.7\"\0\0\0\0\0";
    check(
        "postgresql-login",
        error,
        "postgresql",
        "PostgreSQL (no entry for host \"192.0.2.7\")",
        None,
        None,
    );
    // What it answers to an SMB message.
    let error = b"E\0\0\0\x30SFATAL\0VFATAL\0C0A000\0Munsupported protocol\0\0\0";
    check("smb", error, "postgresql", "PostgreSQL", None, None);
}

#[test]
fn mongodb() {
    let mut document =
        b"\x02version\0\x06\0\0\x007.0.1\0\x10maxBsonObjectSize\0\0\0\0\x01".to_vec();
    document.extend(b"\x03o\0\x05\0\0\0\0\x08b\0\x01\x01ok\0\0\0\0\0\0\0\xf0\x3f\0");
    let mut answer = vec![0; 4];
    answer.extend([9, 0, 0, 0, 1, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0]);
    answer.extend((document.len() as u32 + 4).to_le_bytes());
    answer.extend(&document);
    let length = (answer.len() as u32).to_le_bytes();
    answer[..4].copy_from_slice(&length);
    check("mongodb", &answer, "mongodb", "MongoDB 7.0.1", None, None);
    let over_http = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\
        Content-Length: 85\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the \
        native driver port.\r\n";
    check("http", over_http, "mongodb", "", None, None);
}

#[test]
fn cassandra() {
    let mut supported = hex("84 000000 06 0000001b 0001 000b");
    supported.extend(b"CQL_VERSION\0\x01\0\x053.4.6");
    supported[8] = u8::try_from(supported.len() - 9).expect("short");
    check(
        "cassandra",
        &supported,
        "cassandra",
        "Apache Cassandra (CQL 3.4.6)",
        None,
        None,
    );
    let message =
        b"Invalid or unsupported protocol version (71); the lowest supported version is 3 \
        and the greatest is 5";
    let mut error = hex("84 000000 00 00000000 0000000a 0000");
    error[14] = u8::try_from(message.len()).expect("short");
    error.extend(message);
    error[8] = u8::try_from(error.len() - 9).expect("short");
    let service = read_whole("http", &error);
    assert_eq!(service.product.as_deref(), Some("Apache Cassandra"));
}

#[test]
fn mqtt() {
    let mut answer = hex("20020000 9003000100 3035 0013");
    answer.extend(b"$SYS/broker/versionmosquitto version 2.0.11");
    answer[10] = u8::try_from(answer.len() - 11).expect("short");
    check(
        "mqtt",
        &answer,
        "mqtt",
        "mosquitto 2.0.11 (lets in without a password)",
        None,
        None,
    );
    check(
        "mqtt",
        &hex("20020005"),
        "mqtt",
        "(asks for a password)",
        None,
        None,
    );
    assert_eq!(read("mqtt", &hex("20020009")), None);
}

#[test]
fn amqp() {
    check(
        "http",
        b"AMQP\0\0\x09\x01",
        "amqp",
        "(protocol 0-9-1)",
        None,
        None,
    );
    check(
        "http",
        b"AMQP\x03\x01\0\0",
        "amqp",
        "(protocol 1.0.0)",
        None,
        None,
    );
    let mut table = Vec::new();
    table.extend(b"\x0ccapabilitiesF\0\0\0\x04\x01at\x01");
    for (name, value) in [
        ("cluster_name", "rabbit@a"),
        ("product", "RabbitMQ"),
        ("version", "3.10.8"),
    ] {
        table.push(name.len() as u8);
        table.extend(name.as_bytes());
        table.extend(b"S\0\0\0");
        table.push(value.len() as u8);
        table.extend(value.as_bytes());
    }
    let mut answer = hex("01 0000 00000000 000a 000a 00 09");
    answer.extend((table.len() as u32).to_be_bytes());
    answer.extend(&table);
    answer.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US\xce");
    let length = (answer.len() as u32 - 8).to_be_bytes();
    answer[3..7].copy_from_slice(&length);
    check(
        "amqp",
        &answer,
        "amqp",
        "RabbitMQ 3.10.8 (protocol 0-9)",
        Some("rabbit@a"),
        None,
    );
}

#[test]
fn x11() {
    let mut open = hex("01 00 0b00 0000 5000");
    open.extend(12_101_007_u32.to_le_bytes());
    open.resize(24, 0);
    open.extend([20, 0]);
    open.resize(40, 0);
    open.extend(b"The X.Org Foundation");
    check(
        "x11",
        &open,
        "x11",
        "The X.Org Foundation 21.1.7 (open to everybody)",
        None,
        None,
    );
    let refused = b"\0\x15\x0b\0\0\0\x06\0No protocol specified";
    check(
        "x11",
        refused,
        "x11",
        "(refused: No protocol specified)",
        None,
        None,
    );
    // Whatever stands before a text, it is read back as it was written.
    let wordy = [&b"\0\xff\x0b\0\0\0\x40\0"[..], &[b'x'; 255]].concat();
    let told = read("x11", &wordy).and_then(|service| service.info);
    assert_eq!(told.map(|told| told.len()), Some(crate::service::MAX_TEXT));
}

#[test]
fn telnet() {
    let greeting =
        b"\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xfb\x01Debian GNU/Linux 12\r\nhost login: ";
    check(
        "greeting",
        greeting,
        "telnet",
        "(Debian GNU/Linux 12 host login:)",
        None,
        None,
    );
}

#[test]
fn docker_kubernetes_and_elasticsearch() {
    let docker = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\
        Content-Length: 29\r\n\r\n{\"message\":\"page not found\"}\n";
    check("http", docker, "docker", "", None, None);
    let version = b"HTTP/1.1 200 OK\r\nServer: Docker/20.10.24 (linux)\r\n\r\n{\"Platform\":{\"Name\":\"\"},\
        \"Components\":[{\"Name\":\"Engine\",\"Version\":\"20.10.24\",\"Details\":{\"ApiVersion\":\"1.41\",";
    check(
        "docker",
        version,
        "docker",
        "Docker 20.10.24 (API 1.41)",
        None,
        None,
    );
    let refused =
        b"HTTP/1.1 403 Forbidden\r\n\r\n{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",";
    check("http", refused, "kubernetes", "", None, None);
    let version = b"HTTP/1.1 200 OK\r\n\r\n{\n  \"major\": \"1\",\n  \"gitVersion\": \"v1.28.3\",";
    check(
        "kubernetes",
        version,
        "kubernetes",
        "Kubernetes 1.28.3",
        None,
        None,
    );
    let elastic = b"HTTP/1.1 200 OK\r\n\r\n{ \"name\" : \"a\", \"cluster_name\" : \"logs\", \"version\" : {\n\
        \"number\" : \"8.11.1\", \"lucene_version\" : \"9.8.0\"";
    check(
        "http",
        elastic,
        "elasticsearch",
        "Elasticsearch 8.11.1 (cluster logs)",
        None,
        None,
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(
        asked in 0..64_usize,
        begin in proptest::sample::select(vec![
            "", "HTTP/1.1 200 OK\r\n", "SIP/2.0 200 a\n", "\0\0\0\u{50}\u{fe}SMB", "AMQP", "\u{1}\0\0",
            "0\u{7f}\u{2}\u{1}\u{1}d", " \u{2}\0\0", "E\0\0\0\u{20}", "$9\r\n# Server\r\n", "220 ",
        ]),
        rest in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
    ) {
        let rules = shared();
        let probes: Vec<&str> = ["greeting"].into_iter().chain(rules.names()).collect();
        let answer = [begin.as_bytes(), &rest].concat();
        let found = rules.identify(probes[asked % probes.len()], &answer).unwrap_or_default();
        let service = found.service;
        for text in [&service.product, &service.version, &service.info, &service.hostname] {
            let bounded = |text: &String| !text.is_empty() && text.len() <= crate::service::MAX_TEXT;
            proptest::prop_assert!(text.as_ref().is_none_or(bounded), "{:?}", text);
        }
        is_whole(probes[asked % probes.len()], &answer);
        goes_on(&answer);
    }
}
