//! Names and directories: LDAP and DNS.

use super::bytes::{Bytes, size};
use crate::service::found::{Service, text};

/// The extension that begins TLS: RFC 4511 section 4.14.1.
const STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// An LDAP answer to a search for the root entry: RFC 4511 section 4.5.2.
pub(super) fn ldap(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    let mut service: Option<Service> = None;
    // The entry, then the result; of any other message only that it is one.
    for _ in 0..2 {
        let Some((0x30, message)) = element(&mut bytes) else {
            break;
        };
        let mut message = Bytes::new(message);
        let (2, id) = element(&mut message)? else {
            return None;
        };
        let (kind, body) = element(&mut message)?;
        if id.is_empty() || id.len() > 4 || !matches!(kind, 0x61 | 0x64 | 0x65 | 0x78) {
            return None;
        }
        let service = service.get_or_insert_with(|| Service {
            name: Some("ldap".into()),
            ..Service::default()
        });
        if kind == 0x64 {
            entry(service, body);
        }
    }
    service
}

/// What the attributes of the root entry tell: RFC 4512 section 5.1, and what each server adds.
fn entry(service: &mut Service, body: &[u8]) -> Option<()> {
    let mut body = Bytes::new(body);
    let (4, _name) = element(&mut body)? else {
        return None;
    };
    let (0x30, attributes) = element(&mut body)? else {
        return None;
    };
    let mut attributes = Bytes::new(attributes);
    while let Some((0x30, attribute)) = element(&mut attributes) {
        let mut attribute = Bytes::new(attribute);
        let (4, name) = element(&mut attribute)? else {
            return None;
        };
        let (0x31, values) = element(&mut attribute)? else {
            return None;
        };
        let mut values = Bytes::new(values);
        let name = name.to_ascii_lowercase();
        while let Some((4, value)) = element(&mut values) {
            fact(service, &name, value);
        }
    }
    Some(())
}

fn fact(service: &mut Service, name: &[u8], value: &[u8]) {
    match name {
        b"objectclass" if value == b"OpenLDAProotDSE" => service.product = Some("OpenLDAP".into()),
        b"vendorname" if service.product.is_none() => service.product = text(value),
        b"vendorversion" => service.version = text(value),
        b"dnshostname" => service.hostname = text(value),
        b"rootdomainnamingcontext" => {
            service.product = Some("Active Directory LDAP".into());
            service.info = text(value);
        }
        b"namingcontexts" if service.info.is_none() => service.info = text(value),
        b"supportedextension" if value == STARTTLS => service.starttls = Some(true),
        _ => {}
    }
}

/// The next element in BER: its tag and its content, as far as it has come.
fn element<'a>(bytes: &mut Bytes<'a>) -> Option<(u8, &'a [u8])> {
    let tag = bytes.u8()?;
    let length = match bytes.u8()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let digits = bytes.take(usize::from(long & 0x7f))?;
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit))
        }
        _ => return None,
    };
    Some((tag, bytes.up_to(length)))
}

/// The DNS answer over TCP to `version.bind` in class CHAOS: RFC 1035 sections 4.1 and 4.2.2.
pub(super) fn dns(answer: &[u8]) -> Option<Service> {
    /// What the question has for an id.
    const ID: u16 = 0x6e00;
    let mut bytes = Bytes::new(answer);
    let length = bytes.u16()?;
    if length < 12 || bytes.u16()? != ID {
        return None;
    }
    let flags = bytes.u16()?;
    if flags & 0x8000 == 0 {
        return None;
    }
    let (questions, answers) = (bytes.u16()?, bytes.u16()?);
    let mut service = Service {
        name: Some("domain".into()),
        ..Service::default()
    };
    bytes.take(4)?;
    let told = version(bytes, questions, answers);
    let Some(told) = told.and_then(text) else {
        service.info = match flags & 0xf {
            5 => Some("version refused".into()),
            _ => None,
        };
        return Some(service);
    };
    // BIND says its version only; others say their names.
    if told.starts_with(|c: char| c.is_ascii_digit()) {
        let (version, rest) = told.split_once('-').unwrap_or((&told, ""));
        service.product = Some("ISC BIND".into());
        service.version = text(version.as_bytes());
        service.info = text(rest.as_bytes());
    } else {
        let end = told
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(told.len());
        let (product, version) = told.split_at(end);
        service.product = text(product.trim_end_matches([' ', '-', '/']).as_bytes());
        service.version = text(version.as_bytes());
    }
    Some(service)
}

/// The text of the first TXT record.
fn version(mut bytes: Bytes<'_>, questions: u16, answers: u16) -> Option<&[u8]> {
    const TXT: u16 = 16;
    for _ in 0..questions.min(2) {
        skip_name(&mut bytes)?;
        bytes.take(4)?;
    }
    for _ in 0..answers.min(4) {
        skip_name(&mut bytes)?;
        let kind = bytes.u16()?;
        bytes.take(6)?;
        let mut data = Bytes::new(bytes.counted_u16()?);
        if kind == TXT {
            let count = data.u8()?;
            return data.take(count.into());
        }
    }
    None
}

/// Passes over a name: labels up to an empty one or a pointer.
fn skip_name(bytes: &mut Bytes<'_>) -> Option<()> {
    // A name has at most 127 labels.
    for _ in 0..128 {
        match bytes.u8()? {
            0 => return Some(()),
            0xc0.. => return bytes.u8().map(drop),
            count => bytes.take(size(count.into()))?,
        };
    }
    None
}
