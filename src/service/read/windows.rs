//! What Windows and Samba speak: RDP's connection request and SMB2.

use super::bytes::{Bytes, size};
use crate::service::found::{Service, text};

/// RDP's answer to an X.224 connection request: MS-RDPBCGR sections 2.2.1.2 to 2.2.1.2.2.
pub(super) fn rdp(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    // TPKT version 3, its length, and a connection confirm.
    let [3, 0] = *bytes.take(2)? else { return None };
    let length = bytes.u16()?;
    if !(11..=64).contains(&length) || bytes.take(2)?[1] & 0xf0 != 0xd0 {
        return None;
    }
    let _references_and_class = bytes.take(5)?;
    let mut service = Service {
        name: Some("rdp".into()),
        starttls: Some(false),
        info: Some("RDP security".into()),
        ..Service::default()
    };
    let (Some(kind), Some(_)) = (bytes.u8(), bytes.take(3)) else {
        return Some(service);
    };
    let protocol = bytes.u32_le().unwrap_or(0);
    let (tls, told) = match (kind, protocol) {
        (2, 0) => (false, "RDP security"),
        (2, 1) => (true, "TLS"),
        (2, 2 | 8) => (true, "network level authentication"),
        (3, _) => (false, "negotiation refused"),
        _ => return Some(service),
    };
    service.starttls = Some(tls);
    service.info = Some(told.into());
    Some(service)
}

/// An SMB message as it goes over TCP: MS-SMB2 section 2.1, its command and what is behind the
/// header.
struct Smb<'a> {
    command: u16,
    message: &'a [u8],
    body: Bytes<'a>,
}

/// Length of an SMB2 header: MS-SMB2 section 2.2.1.
const SMB_HEADER: usize = 64;

fn smb_message<'a>(bytes: &mut Bytes<'a>) -> Option<Smb<'a>> {
    let length = size(bytes.u32()?);
    let message = bytes.up_to(length.min(1 << 17));
    let mut body = Bytes::new(message);
    let header = body.take(SMB_HEADER)?;
    let [0xfe, b'S', b'M', b'B', 64, 0, ..] = *header else {
        return None;
    };
    Some(Smb {
        command: u16::from_le_bytes([header[12], header[13]]),
        message,
        body,
    })
}

/// SMB2's answer to NEGOTIATE (section 2.2.4) or SESSION_SETUP (2.2.6).
pub(super) fn smb(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    let mut service = None;
    // The server may answer with more than one message.
    for _ in 0..2 {
        let Some(mut smb) = smb_message(&mut bytes) else {
            break;
        };
        let service = service.get_or_insert_with(|| Service {
            name: Some("smb".into()),
            ..Service::default()
        });
        match smb.command {
            0 => {
                let Some([65, 0, signing, 0, rest @ ..]) = smb.body.take(6) else {
                    return None;
                };
                let dialect = u16::from_le_bytes([rest[0], rest[1]]);
                let (major, minor) = (dialect >> 8, (dialect >> 4) & 0xf);
                let signed = if signing & 2 == 0 {
                    "not required"
                } else {
                    "required"
                };
                service.info = Some(match dialect & 0xf {
                    0 => format!("SMB {major}.{minor}, signing {signed}"),
                    patch => format!("SMB {major}.{minor}.{patch}, signing {signed}"),
                });
            }
            1 => drop(ntlm(service, smb.message)),
            _ => {}
        }
    }
    service
}

/// The NTLM challenge somewhere in `message`: MS-NLMP section 2.2.1.2. It names the host and the
/// system's version.
fn ntlm(service: &mut Service, message: &[u8]) -> Option<()> {
    const SIGNATURE: &[u8] = b"NTLMSSP\0\x02\0\0\0";
    let at = message
        .windows(SIGNATURE.len())
        .position(|at| at == SIGNATURE)?;
    let challenge = &message[at..];
    let mut bytes = Bytes::new(challenge);
    // Signature, type, target name, flags, challenge, reserved.
    bytes.take(40)?;
    let length = usize::from(bytes.u16_le()?);
    let _allocated = bytes.u16_le()?;
    let offset = size(bytes.u32_le()?);
    let (major, minor, build) = (bytes.u8()?, bytes.u8()?, bytes.u16_le()?);
    if build == 0 {
        // Samba says that it is Windows 6.1 and leaves out the build.
        service.product = Some("Samba smbd".into());
    } else {
        service.product = Some("Windows SMB".into());
        service.os = Some("Windows".into());
        service.version = Some(format!("{major}.{minor}.{build}"));
    }
    let info = challenge.get(offset..offset.checked_add(length)?)?;
    let mut info = Bytes::new(info);
    loop {
        let (kind, length) = (info.u16_le()?, info.u16_le()?);
        let value = info.take(length.into())?;
        match kind {
            0 => return Some(()),
            // The DNS name before the NetBIOS one.
            3 => service.hostname = utf16(value).or(service.hostname.take()),
            1 if service.hostname.is_none() => service.hostname = utf16(value),
            _ => {}
        }
    }
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let read: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    text(read.as_bytes())
}
