//! What is looked at: X11 and Telnet.

use super::bytes::Bytes;
use crate::service::found::{Service, text};

/// X11's answer to a connection setup: "X Window System Protocol", section 8.
pub(super) fn x11(answer: &[u8]) -> Option<Service> {
    let mut bytes = Bytes::new(answer);
    let status = bytes.u8()?;
    let length = bytes.u8()?;
    let (major, minor) = (bytes.u16_le()?, bytes.u16_le()?);
    let _more = bytes.u16_le()?;
    if status > 2 || major != 11 || minor > 16 {
        return None;
    }
    let mut service = Service {
        name: Some("x11".into()),
        info: Some("asks for authentication".into()),
        ..Service::default()
    };
    match status {
        0 => {
            let reason = text(bytes.up_to(length.into()));
            let told = reason.map(|reason| format!("refused: {reason}"));
            service.info = told.and_then(|told| text(told.as_bytes()));
        }
        1 => {
            service.info = Some("open to everybody".into());
            let release = bytes.u32_le()?;
            bytes.take(12)?;
            let count = bytes.u16_le()?;
            bytes.take(14)?;
            service.product = text(bytes.up_to(count.into()));
            service.version = version(release);
        }
        _ => {}
    }
    Some(service)
}

/// A release as X.Org counts: `12101007` is 21.1.7, `11905000` is 1.19.5.
fn version(release: u32) -> Option<String> {
    let (year, middle, last) = (
        release / 100_000 % 1000,
        release / 1000 % 100,
        release % 1000,
    );
    match release {
        12_100_000.. => Some(format!("{}.{middle}.{last}", year - 100)),
        10_000_000.. => Some(format!("1.{}.{}", year % 100, middle)),
        _ => None,
    }
}

/// Telnet begins with negotiation: RFC 854.
pub(super) fn telnet(answer: &[u8]) -> Option<Service> {
    const IAC: u8 = 255;
    const SB: u8 = 250;
    const SE: u8 = 240;
    let [IAC, 251..=254, _, ..] = answer else {
        return None;
    };
    let mut shown = Vec::new();
    let mut bytes = Bytes::new(answer);
    while let Some(byte) = bytes.u8() {
        if byte != IAC {
            shown.push(byte);
            continue;
        }
        match bytes.u8() {
            Some(IAC) => shown.push(IAC),
            Some(251..=254) => drop(bytes.u8()),
            Some(SB) => {
                while let Some(byte) = bytes.u8() {
                    if byte == IAC && bytes.u8() == Some(SE) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    Some(Service {
        name: Some("telnet".into()),
        info: text(&shown),
        ..Service::default()
    })
}
