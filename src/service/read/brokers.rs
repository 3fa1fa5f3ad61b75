//! Message brokers: MQTT and AMQP.

use super::bytes::{Bytes, size};
use crate::service::found::{Service, text};

/// Topic under which brokers publish their version.
const VERSION_TOPIC: &[u8] = b"$SYS/broker/version";

/// MQTT's answer to CONNECT and SUBSCRIBE: a CONNACK, a SUBACK, the version as a PUBLISH; MQTT 3.1.1
/// section 3.2.
pub(super) fn mqtt(answer: &[u8]) -> Option<Service> {
    let [0x20, 2, 0 | 1, code @ 0..=5, rest @ ..] = answer else {
        return None;
    };
    let told = match code {
        0 => "lets in without a password",
        1 => "protocol version refused",
        2 => "client name refused",
        3 => "not available",
        _ => "asks for a password",
    };
    let mut service = Service {
        name: Some("mqtt".into()),
        info: Some(told.into()),
        ..Service::default()
    };
    let mut bytes = Bytes::new(rest);
    while let Some((kind, mut packet)) = mqtt_packet(&mut bytes) {
        // PUBLISH at QoS 0.
        if kind & 0xf6 == 0x30 && packet.counted_u16() == Some(VERSION_TOPIC) {
            broker(&mut service, packet.rest());
        }
    }
    Some(service)
}

/// `mosquitto version 2.0.18`
fn broker(service: &mut Service, told: &[u8]) {
    let Some(told) = text(told) else { return };
    let (product, version) = told.split_once(" version ").unwrap_or((&told, ""));
    service.product = text(product.as_bytes());
    service.version = text(version.as_bytes());
}

/// The next packet: its first byte, and what is behind its length.
fn mqtt_packet<'a>(bytes: &mut Bytes<'a>) -> Option<(u8, Bytes<'a>)> {
    let kind = bytes.u8()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = bytes.u8()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return bytes.take(length).map(|packet| (kind, Bytes::new(packet)));
        }
    }
    None
}

/// AMQP: a protocol header, which is what a broker answers to anything else, or Connection.Start:
/// AMQP 0-9-1 sections 4.2.2 and 1.4.
pub(super) fn amqp(answer: &[u8]) -> Option<Service> {
    let mut service = Service {
        name: Some("amqp".into()),
        ..Service::default()
    };
    if let [
        b'A',
        b'M',
        b'Q',
        b'P',
        kind @ 0..=3,
        major,
        minor,
        revision,
        ..,
    ] = answer
    {
        service.info = Some(match (kind, major) {
            (0, 0) => format!("protocol {major}-{minor}-{revision}"),
            _ => format!("protocol {major}.{minor}.{revision}"),
        });
        return Some(service);
    }
    let mut bytes = Bytes::new(answer);
    let [1, 0, 0] = *bytes.take(3)? else {
        return None;
    };
    let length = size(bytes.u32()?);
    let mut method = Bytes::new(bytes.up_to(length));
    let (class, kind) = (method.u16()?, method.u16()?);
    if (class, kind) != (10, 10) {
        return None;
    }
    let (major, minor) = (method.u8()?, method.u8()?);
    service.info = Some(format!("protocol {major}-{minor}"));
    let length = size(method.u32()?);
    let mut table = Bytes::new(method.up_to(length));
    while let Some((name, value)) = amqp_field(&mut table) {
        match name {
            b"product" => service.product = value.and_then(text),
            b"version" => service.version = value.and_then(text),
            b"cluster_name" => service.hostname = value.and_then(text),
            _ => {}
        }
    }
    Some(service)
}

/// A field of a table: its name, and its value if that is a string.
fn amqp_field<'a>(table: &mut Bytes<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let count = table.u8()?;
    let name = table.take(count.into())?;
    let width = match table.u8()? {
        b'S' => {
            let length = size(table.u32()?);
            return Some((name, Some(table.take(length)?)));
        }
        // Tables and arrays are not looked into.
        b'F' | b'A' | b'x' => size(table.u32()?),
        b't' | b'b' | b'B' => 1,
        b's' | b'u' | b'U' => 2,
        b'I' | b'i' | b'f' => 4,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'D' => 5,
        b'V' => 0,
        _ => return None,
    };
    table.take(width)?;
    Some((name, None))
}
