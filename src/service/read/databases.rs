//! Databases: MySQL, PostgreSQL, MongoDB, Cassandra.

use super::bytes::{Bytes, size};
use crate::service::found::{Service, text};

/// `CLIENT_SSL` among the lower capability flags: MySQL's "Capabilities Flags".
const MYSQL_TLS: u16 = 0x0800;

/// What MariaDB puts before its version, so that old replicas take it for MySQL 5.5.
const MARIADB_DISGUISE: &[u8] = b"5.5.5-";

fn named(name: &str) -> Service {
    Service {
        name: Some(name.into()),
        ..Service::default()
    }
}

/// The greeting of MySQL or MariaDB: "Protocol::HandshakeV10", or an error before it.
pub(super) fn mysql(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    let length = u32::from_le_bytes([bytes.u8()?, bytes.u8()?, bytes.u8()?, 0]);
    if bytes.u8()? != 0 || !(8..=1024).contains(&length) {
        return None;
    }
    let mut service = named("mysql");
    match bytes.u8()? {
        10 => {
            let told = bytes.until_zero()?;
            if told.is_empty() || !told.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                return None;
            }
            let version = told.strip_prefix(MARIADB_DISGUISE).unwrap_or(told);
            service.product = Some("MySQL".into());
            service.version = text(version);
            if let Some(at) = find(version, b"-MariaDB") {
                service.product = Some("MariaDB".into());
                service.version = text(&version[..at]);
                let package = &version[at + b"-MariaDB".len()..];
                service.info = text(package.strip_prefix(b"-").unwrap_or(package));
            }
            if let Some(flags) = bytes.take(4 + 8 + 1).and_then(|_| bytes.u16_le()) {
                service.starttls = Some(flags & MYSQL_TLS != 0);
            }
        }
        0xff => {
            let code = bytes.u16_le()?;
            if !(1000..5000).contains(&code) {
                return None;
            }
            let message = bytes.up_to(size(length).saturating_sub(3));
            let is_mariadb = find(message, b"MariaDB").is_some();
            service.product = Some(if is_mariadb { "MariaDB" } else { "MySQL" }.into());
            service.info = text(message);
        }
        _ => return None,
    }
    Some(service)
}

/// PostgreSQL's answer to an SSLRequest: one letter.
pub(super) fn postgresql_tls(answer: &[u8]) -> Option<Service> {
    let offered = match answer {
        b"S" => true,
        b"N" => false,
        _ => return postgresql(answer),
    };
    Some(Service {
        starttls: Some(offered),
        ..named("postgresql")
    })
}

/// PostgreSQL's answer to a startup message: it asks for a login, refuses, or lets in and tells its
/// version.
pub(super) fn postgresql(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    let kind = bytes.u8()?;
    let length = size(bytes.u32()?);
    if !(8..=8192).contains(&length) {
        return None;
    }
    let mut message = Bytes::new(bytes.up_to(length - 4));
    let mut service = named("postgresql");
    match kind {
        b'R' => {
            let login = message.u32()?;
            service.info = match login {
                0 => Some("lets in without a password".into()),
                3 => Some("asks for a password in plain text".into()),
                5 => Some("asks for an MD5 password".into()),
                7..=9 => Some("asks for GSSAPI or SSPI".into()),
                10 => {
                    let kind = text(message.until_zero()?)?;
                    text(format!("asks for {kind}").as_bytes())
                }
                _ => return None,
            };
            service.version = parameter(bytes, b"server_version");
        }
        b'E' => {
            let mut fields = 0;
            while let Some(field) = message.u8().filter(|field| *field != 0) {
                let value = message.until_zero()?;
                fields += 1;
                if field == b'M' {
                    service.info = text(value);
                }
            }
            if fields < 2 {
                return None;
            }
        }
        _ => return None,
    }
    service.product = Some("PostgreSQL".into());
    Some(service)
}

/// PostgreSQL's answer to an SMB message, which is an error: that tells who answers, and no more.
pub(super) fn postgresql_by_error(answer: &[u8]) -> Option<Service> {
    Some(Service {
        info: None,
        ..postgresql(answer)?
    })
}

/// The value of a "ParameterStatus" among the messages in `bytes`.
fn parameter(mut bytes: Bytes<'_>, wanted: &[u8]) -> Option<String> {
    loop {
        let kind = bytes.u8()?;
        let length = size(bytes.u32()?);
        let mut message = Bytes::new(bytes.take(length.checked_sub(4)?)?);
        if kind == b'S' && message.until_zero()? == wanted {
            return text(message.until_zero()?);
        }
    }
}

/// MongoDB's answer to `buildInfo`: an OP_MSG with a BSON document.
pub(super) fn mongodb(answer: &[u8]) -> Option<Service> {
    const OP_MSG: u32 = 2013;
    let mut bytes = Bytes::new(answer);
    let length = size(bytes.u32_le()?);
    let _ids = bytes.take(8)?;
    if bytes.u32_le()? != OP_MSG || !(26..=1 << 20).contains(&length) {
        return None;
    }
    let _flags = bytes.take(4)?;
    if bytes.u8()? != 0 {
        return None;
    }
    let document = bytes.rest();
    let string = |name| bson_string(document, name).and_then(text);
    Some(Service {
        product: Some("MongoDB".into()),
        version: string(b"version"),
        info: string(b"errmsg"),
        ..named("mongodb")
    })
}

/// The string called `wanted` in a BSON document, embedded ones not looked into.
fn bson_string<'a>(document: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut bytes = Bytes::new(document);
    bytes.take(4)?;
    loop {
        let kind = bytes.u8().filter(|kind| *kind != 0)?;
        let name = bytes.until_zero()?;
        match kind {
            // Double, date, timestamp, 64-bit integer.
            0x01 | 0x09 | 0x11 | 0x12 => bytes.take(8)?,
            0x02 => {
                let length = size(bytes.u32_le()?);
                let value = bytes.take(length)?;
                if name == wanted {
                    return value.strip_suffix(b"\0");
                }
                value
            }
            // Document, array: their length counts itself.
            0x03 | 0x04 => {
                let length = size(bytes.u32_le()?);
                bytes.take(length.checked_sub(4)?)?
            }
            0x05 => {
                let length = size(bytes.u32_le()?);
                bytes.take(length.checked_add(1)?)?
            }
            0x07 => bytes.take(12)?,
            0x08 => bytes.take(1)?,
            0x0a => bytes.take(0)?,
            0x10 => bytes.take(4)?,
            _ => return None,
        };
    }
}

/// Cassandra's answer to OPTIONS, a SUPPORTED or an ERROR: "CQL binary protocol v4" sections 2, 4.
pub(super) fn cassandra(answer: &[u8]) -> Option<Service> {
    const ERROR: u8 = 0;
    const SUPPORTED: u8 = 6;
    let mut bytes = Bytes::new(answer);
    let version = bytes.u8()?;
    if !(0x81..=0x86).contains(&version) {
        return None;
    }
    let _flags_and_stream = bytes.take(3)?;
    let kind = bytes.u8()?;
    let length = size(bytes.u32()?);
    if length > 1 << 16 {
        return None;
    }
    let mut body = Bytes::new(bytes.up_to(length));
    let mut service = named("cassandra");
    match kind {
        SUPPORTED => {
            let entries = body.u16()?;
            for _ in 0..entries.min(16) {
                let key = body.counted_u16()?;
                let values = body.u16()?;
                let mut last = None;
                for _ in 0..values.min(64) {
                    last = body.counted_u16();
                }
                if key == b"CQL_VERSION" {
                    let told = last.and_then(text);
                    let told = told.map(|version| format!("CQL {version}"));
                    service.info = told.and_then(|told| text(told.as_bytes()));
                }
            }
        }
        ERROR => {
            let _code = body.u32()?;
            service.info = body.counted_u16().and_then(text);
            let is_told = |info: &String| info.contains("protocol version");
            if !service.info.as_ref().is_some_and(is_told) {
                return None;
            }
        }
        _ => return None,
    }
    service.product = Some("Apache Cassandra".into());
    Some(service)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|at| at == wanted)
}
