//! Servers as they behave, at their ports and at others.

use super::*;

fn name_of(played: &Played) -> Option<&str> {
    assert!(played.connections <= usize::from(MAX_CONNECTIONS));
    played.service.name.as_deref()
}

/// Ends a connection that begins with anything but CONNECT, at its first byte.
fn mosquitto(got: &[u8], said: usize) -> Act {
    match got {
        [] => Act::Wait,
        [0x10, 0x12, rest @ ..] if rest.len() >= 0x12 && said == 0 => Act::Say(
            b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x2d\0\x13$SYS/broker/versionmosquitto version 2.0.11".to_vec(),
        ),
        [0x10, ..] => Act::Wait,
        _ => Act::Close,
    }
}

/// Takes the second byte for a length, waits for as much, and closes if it is no LDAP.
fn slapd(got: &[u8], said: usize) -> Act {
    match got {
        [0x30, ..] if said == 0 => Act::Say(
            b"\x30\x2b\x02\x01\x01\x64\x26\x04\0\x30\x22\x30\x20\x04\x0bobjectClass\x31\x11\x04\x0fOpenLDAProotDSE"
                .to_vec(),
        ),
        [0x30, ..] => Act::Wait,
        [_, length, rest @ ..] if rest.len() >= usize::from(*length) => Act::Close,
        _ => Act::Wait,
    }
}

/// Takes two bytes for a length and waits for as much.
fn bind(got: &[u8], said: usize) -> Act {
    match got {
        [0, length, rest @ ..] if rest.len() >= usize::from(*length) && said == 0 => Act::Say(
            b"\0\x34n\0\x85\0\0\x01\0\x01\0\0\0\0\x07version\x04bind\0\0\x10\0\x03\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x0a\x099.18.19-1"
                .to_vec(),
        ),
        _ => Act::Wait,
    }
}

/// Takes four bytes for a length and closes if it is too long.
fn counts_four(got: &[u8]) -> Option<u32> {
    let (length, _) = got.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*length))
}

fn smbd(got: &[u8], said: usize) -> Act {
    let mut negotiated = b"\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\x01\0\0\0".to_vec();
    negotiated.resize(64, 0);
    negotiated.extend([65, 0, 1, 0, 2, 3]);
    negotiated.resize(129, 0);
    match counts_four(got) {
        None => Act::Wait,
        Some(length) if got.len() < length as usize => Act::Wait,
        _ if said == 0 => Act::Say([b"\0\0\0\x81".to_vec(), negotiated].concat()),
        _ => Act::Wait,
    }
}

fn postgres(got: &[u8], said: usize) -> Act {
    let refusal = b"E\0\0\0\x39SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol\0\0";
    match counts_four(got) {
        None => Act::Wait,
        Some(10_001..) => Act::Close,
        Some(8) if said == 0 => Act::Say(b"N".to_vec()),
        Some(8) if said == 1 && got.len() == 8 => Act::Wait,
        Some(8) if said == 1 => Act::Say(b"R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\x04".to_vec()),
        _ if said == 0 => Act::Say(refusal.to_vec()),
        _ => Act::Wait,
    }
}

fn rabbitmq(got: &[u8], said: usize) -> Act {
    let start = b"\x01\0\0\0\0\0\x32\0\x0a\0\x0a\0\x09\0\0\0\x28\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8\xce";
    match got {
        [b'A', b'M', b'Q', b'P', 0, 0, 9, 1] if said == 0 => Act::Say(start.to_vec()),
        _ if got.len() < 8 => Act::Wait,
        _ if said == 0 => Act::Say(b"AMQP\0\0\x09\x01".to_vec()),
        _ => Act::Close,
    }
}

/// Ends a connection with a line that begins with `Host:`, waits for the end of any other.
fn redis(got: &[u8], said: usize) -> Act {
    let lines = String::from_utf8_lossy(got);
    match said {
        0 if lines.contains("\nHost:") => Act::Close,
        0 if lines == "INFO server\r\n" => {
            Act::Say(b"$44\r\n# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1\r\n".to_vec())
        }
        _ => Act::Wait,
    }
}

/// Ends a connection that looks like HTTP, and knows none of the lines of TLS.
fn memcached(got: &[u8], said: usize) -> Act {
    match got {
        [b'G', b'E', b'T', b' ', ..] => Act::Close,
        b"version\r\n" if said == 0 => Act::Say(b"VERSION 1.6.18\r\n".to_vec()),
        [22, 3, ..] if said == 0 => Act::Say(b"ERROR\r\nERROR\r\n".to_vec()),
        _ => Act::Wait,
    }
}

#[test]
fn protocols_are_found_at_any_port_within_three_connections() {
    type Serve = fn(&[u8], usize) -> Act;
    for (server, own, name, description) in [
        (mosquitto as Serve, 1883, "mqtt", "mosquitto 2.0.11"),
        (slapd, 389, "ldap", "OpenLDAP"),
        (bind, 53, "domain", "ISC BIND 9.18.19"),
        (smbd, 445, "smb", ""),
        (postgres, 5432, "postgresql", "PostgreSQL"),
        (rabbitmq, 5672, "amqp", "RabbitMQ 3.10.8"),
        (redis, 6379, "redis", "Redis key-value store 7.0.15"),
        (memcached, 11211, "memcached", "Memcached 1.6.18"),
    ] {
        // LDAP was missed where the host's name makes a request of more than 70 bytes.
        for length in [11, 25, 26, 60, 200] {
            let options = Options {
                target: "a".repeat(length).into(),
                ..options()
            };
            for port in [own, 12345] {
                let played = play_as(&options, port, &mut { server });
                assert_eq!(name_of(&played), Some(name), "{port}, {length}");
                let told = played.service.description();
                assert!(told.starts_with(description), "{port}, {length}: {told}");
                if port == own {
                    assert_eq!(played.connections, 1, "{name} at its own port");
                }
            }
        }
    }
}

#[test]
fn mail_is_asked_whether_it_offers_tls() {
    let played = play(25, &mut |got, said| match (got, said) {
        ([], 0) => Act::Say(b"220 mail.example ESMTP Postfix (Debian/GNU)\r\n".to_vec()),
        ([.., b'\n'], 1) => Act::Say(b"250-mail.example\r\n250-STARTTLS\r\n250 DSN\r\n".to_vec()),
        _ => Act::Wait,
    });
    assert_eq!(played.sent, [b"EHLO nishad.invalid\r\n"]);
    let service = played.service;
    assert_eq!(service.description(), "Postfix smtpd Debian");
    assert_eq!(service.starttls, Some(true));
    assert_eq!(service.label().as_deref(), Some("smtp"));
    assert!(
        service
            .evidence
            .is_some_and(|evidence| evidence.starts_with("220 "))
    );
}

#[test]
fn a_mail_server_that_thinks_before_it_greets_is_not_interrupted() {
    let mut asked_after = None;
    let mut listened = 0;
    let played = play(25, &mut |got, _| {
        match got {
            [] => listened += 1,
            _ => asked_after = asked_after.or(Some(listened)),
        }
        Act::Wait
    });
    // One whole wait for an answer, before anything was sent.
    assert_eq!(asked_after, Some(1));
    assert!(played.elapsed >= Moments::of(Some(RTT)).answer);
}

#[test]
fn a_web_server() {
    let page = b"HTTP/1.1 301 Moved Permanently\r\nServer: nginx/1.22.1\r\nLocation: https://www.example/\r\n\
        Content-Length: 19\r\n\r\n<title>301</title>\n";
    for port in [80, 12345] {
        let played = play(
            port,
            &mut |got, said| match (got.ends_with(b"\r\n\r\n"), said) {
                (true, 0) => Act::Say(page[..90].to_vec()),
                (true, 1) => Act::Say(page[90..].to_vec()),
                _ => Act::Wait,
            },
        );
        assert_eq!(played.connections, 1);
        let service = played.service;
        assert_eq!(service.label().as_deref(), Some("http"));
        assert_eq!(service.description(), "nginx 1.22.1");
        assert_eq!(service.cpe, ["cpe:/a:nginx:nginx:1.22.1"]);
        let http = service.http.expect("HTTP");
        assert_eq!(http.status, 301);
        assert_eq!(http.title.as_deref(), Some("301"));
        assert_eq!(http.redirect.as_deref(), Some("https://www.example/"));
    }
}

#[cfg(feature = "tls")]
mod inside_tls {
    use super::*;
    use crate::service::found::Fault;
    use crate::service::tls::testing;

    /// `server` behind TLS, and what it does with a connection that is none.
    fn play_inside(port: u16, server: Server<'_>, plain: &mut dyn FnMut(&[u8]) -> Act) -> Played {
        let mut tls = testing::Server::simple();
        let (mut taken, mut said) = (0, 0);
        play(port, &mut |got, answers| {
            if answers == 0 && got.len() < taken || got.is_empty() {
                // Another connection.
                (tls, taken, said) = (testing::Server::simple(), 0, 0);
            }
            match got.first() {
                None => return Act::Wait,
                Some(22) => {}
                Some(_) => return plain(got),
            }
            let back = tls.take(&got[taken..]);
            taken = got.len();
            if !back.is_empty() {
                return Act::Say(back);
            }
            match server(&tls.heard, said) {
                Act::Say(text) => {
                    said += 1;
                    Act::Say(tls.say(&text))
                }
                other => other,
            }
        })
    }

    #[test]
    fn https() {
        let played = play_inside(
            443,
            &mut |got, said| match (got.ends_with(b"\r\n\r\n"), said) {
                (true, 0) => Act::Say(
                    b"HTTP/1.1 200 OK\r\nServer: Caddy\r\nContent-Length: 0\r\n\r\n".to_vec(),
                ),
                _ => Act::Wait,
            },
            &mut |_| Act::Close,
        );
        assert_eq!(played.connections, 1);
        let service = played.service;
        assert_eq!(service.label().as_deref(), Some("https"));
        assert_eq!(service.description(), "Caddy");
        let tls = service.tls.expect("TLS");
        assert_eq!(tls.version.as_deref(), Some("TLS 1.3"));
        assert!(tls.faults.contains(&Fault::SelfSigned));
        assert_eq!(
            tls.certificate.map(|certificate| certificate.names_total),
            Some(1)
        );
    }

    #[test]
    fn imaps_greets_inside() {
        let played = play_inside(
            993,
            &mut |got, said| match (got, said) {
                ([], 0) => {
                    Act::Say(b"* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.\r\n".to_vec())
                }
                ([.., b'\n'], 1) => Act::Say(b"* CAPABILITY IMAP4rev1\r\nn1 OK x\r\n".to_vec()),
                _ => Act::Wait,
            },
            &mut |_| Act::Close,
        );
        assert_eq!(played.service.label().as_deref(), Some("imaps"));
        assert_eq!(played.service.description(), "Dovecot imapd Debian");
        assert_eq!(played.service.starttls, None);
    }

    #[test]
    fn redis_inside_tls_at_any_port() {
        for port in [6379, 12345] {
            let played = play_inside(port, &mut redis, &mut |_| Act::Close);
            assert_eq!(played.service.version.as_deref(), Some("7.0.15"), "{port}");
            assert_eq!(
                played.service.label().as_deref(),
                Some("redis/tls"),
                "{port}"
            );
            assert!(played.connections <= 3);
        }
    }

    #[test]
    fn mqtt_and_ldap_inside_tls_at_a_port_of_none() {
        let played = play_inside(12345, &mut mosquitto, &mut |_| Act::Close);
        assert_eq!(played.service.label().as_deref(), Some("mqtt/tls"));
        let played = play_inside(12345, &mut slapd, &mut |_| Act::Close);
        assert_eq!(played.service.label().as_deref(), Some("ldaps"));
        assert_eq!(played.connections, 3);
    }

    /// It looks at whole records only, and so says nothing to HTTP.
    #[test]
    fn tls_that_waits_for_a_whole_record_is_found_at_any_port() {
        let alert = b"\x15\x03\x01\0\x02\x02\x0a";
        for complaint in [None, Some(alert)] {
            let played = play_inside(
                12345,
                &mut |_, said| match said {
                    0 => Act::Say(b"220 mail.example ESMTP Exim 4.96\r\n".to_vec()),
                    _ => Act::Wait,
                },
                &mut |got| match (got, complaint) {
                    ([_, _, _, high, low, rest @ ..], _)
                        if rest.len() < usize::from(u16::from_be_bytes([*high, *low])) =>
                    {
                        Act::Wait
                    }
                    ([] | [_] | [_, _] | [_, _, _] | [_, _, _, _], _) => Act::Wait,
                    (_, None) => Act::Close,
                    (_, Some(alert)) => Act::Say(alert.to_vec()),
                },
            );
            assert_eq!(played.connections, 3);
            assert_eq!(played.service.label().as_deref(), Some("smtps"));
            assert_eq!(played.service.version.as_deref(), Some("4.96"));
        }
    }

    #[test]
    fn a_tls_port_that_answers_plain_http_is_https() {
        let complaint = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n<title>400 The \
            plain HTTP request was sent to HTTPS port</title>";
        let played = play_inside(
            12345,
            &mut |got, said| match (got.ends_with(b"\r\n\r\n"), said) {
                (true, 0) => Act::Say(
                    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n".to_vec(),
                ),
                _ => Act::Wait,
            },
            &mut |got| match got.ends_with(b"\r\n\r\n") {
                true => Act::Say(complaint.to_vec()),
                false => Act::Wait,
            },
        );
        assert_eq!(played.connections, 2);
        assert_eq!(played.service.label().as_deref(), Some("https"));
        assert_eq!(played.service.http.map(|http| http.status), Some(200));
    }

    #[test]
    fn tls_begins_on_the_same_connection_after_postgresqls_yes() {
        let mut tls = testing::Server::simple();
        let mut taken = 8;
        let played = play(5432, &mut |got, said| {
            match (got.len(), said) {
                (0..8, _) | (8, 1..) => return Act::Wait,
                (8, 0) => return Act::Say(b"S".to_vec()),
                _ => {}
            }
            let back = tls.take(&got[taken..]);
            taken = got.len();
            match (back.is_empty(), tls.heard.is_empty()) {
                (false, _) => Act::Say(back),
                (_, false) => Act::Say(tls.say(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")),
                _ => Act::Wait,
            }
        });
        assert_eq!(played.connections, 1);
        let service = played.service;
        assert_eq!(service.label().as_deref(), Some("postgresql"));
        assert_eq!(service.description(), "PostgreSQL (asks for SCRAM-SHA-256)");
        assert_eq!(service.starttls, Some(true));
        assert!(service.tls.is_some());
    }
}
