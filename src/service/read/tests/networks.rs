//! RDP, SMB, LDAP, DNS.

use super::*;

#[test]
fn rdp() {
    let nla = hex("030000130ed000001234000209080002000000");
    check(
        "rdp",
        &nla,
        "rdp",
        "(network level authentication)",
        None,
        Some(true),
    );
    let rules = shared();
    let then = rules.identify("rdp", &nla).and_then(|found| found.then);
    assert_eq!(then.as_deref(), Some("tls"));
    let old = hex("0300000b06d00000123400");
    check("rdp", &old, "rdp", "(RDP security)", None, Some(false));
    let refused = hex("030000130ed000001234000300080005000000");
    check(
        "rdp",
        &refused,
        "rdp",
        "(negotiation refused)",
        None,
        Some(false),
    );
}

/// An SMB2 answer to a command.
fn smb(command: u8, body: &[u8]) -> Vec<u8> {
    let mut header = b"\xfeSMB\x40\0\0\0\0\0\0\0".to_vec();
    header.extend([command, 0, 1, 0, 1, 0, 0, 0]);
    header.resize(64, 0);
    let length = (header.len() + body.len()) as u32;
    [&length.to_be_bytes()[..], &header, body].concat()
}

#[test]
fn smb_of_samba_and_windows() {
    let mut negotiated = vec![65, 0, 1, 0, 0x02, 0x03];
    negotiated.resize(65, 0);
    let negotiated = smb(0, &negotiated);
    check(
        "smb",
        &negotiated,
        "smb",
        "(SMB 3.0.2, signing not required)",
        None,
        None,
    );
    let name = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    for (version, description) in [
        ([6, 1, 0, 0, 0, 0, 0, 15], "Samba smbd"),
        (
            [10, 0, 0x7c, 0x4f, 0, 0, 0, 15],
            "Windows SMB 10.0.20348 Windows",
        ),
    ] {
        let mut info = Vec::new();
        for (kind, text) in [(1, "SERVER"), (3, "server.example"), (0, "")] {
            let value = name(text);
            info.extend([kind, 0, value.len() as u8, 0]);
            info.extend(value);
        }
        let mut challenge = b"NTLMSSP\0\x02\0\0\0".to_vec();
        challenge.resize(40, 0);
        challenge.extend([info.len() as u8, 0, info.len() as u8, 0, 56, 0, 0, 0]);
        challenge.extend(version);
        challenge.extend(info);
        let mut body = vec![9, 0, 0, 0, 72, 0, challenge.len() as u8, 0];
        body.extend(challenge);
        let answer = smb(1, &body);
        check(
            "smb-session",
            &answer,
            "smb",
            description,
            Some("server.example"),
            None,
        );
    }
}

#[test]
fn ldap() {
    fn ber(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [&[tag, 0x82], &length[..], body].concat()
    }
    let attribute = |name: &str, values: &[&str]| {
        let values: Vec<u8> = values
            .iter()
            .flat_map(|value| ber(4, value.as_bytes()))
            .collect();
        ber(
            0x30,
            &[ber(4, name.as_bytes()), ber(0x31, &values)].concat(),
        )
    };
    let answer = |attributes: &[Vec<u8>]| {
        let entry = ber(
            0x64,
            &[ber(4, b""), ber(0x30, &attributes.concat())].concat(),
        );
        let done = ber(0x30, &hex("020101 65 07 0a0100 0400 0400"));
        [ber(0x30, &[hex("020101"), entry].concat()), done].concat()
    };
    let openldap = answer(&[
        attribute("objectClass", &["top", "OpenLDAProotDSE"]),
        attribute("namingContexts", &["dc=example", "dc=other"]),
        attribute(
            "supportedExtension",
            &["1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.1466.20037"],
        ),
    ]);
    check(
        "ldap",
        &openldap,
        "ldap",
        "OpenLDAP (dc=example)",
        None,
        Some(true),
    );
    let windows = answer(&[
        attribute("dnsHostName", &["dc1.example"]),
        attribute("rootDomainNamingContext", &["DC=example"]),
    ]);
    let description = "Active Directory LDAP (DC=example)";
    check(
        "ldap",
        &windows,
        "ldap",
        description,
        Some("dc1.example"),
        None,
    );
    let other = answer(&[
        attribute("vendorName", &["389 Project"]),
        attribute("vendorVersion", &["389-Directory/2.3.1"]),
    ]);
    check(
        "ldap",
        &other,
        "ldap",
        "389 Project 389-Directory/2.3.1",
        None,
        None,
    );
}

#[test]
fn dns() {
    let answer = |flags: &str, told: Option<&str>| {
        let count = if told.is_some() { "0001" } else { "0000" };
        let mut message = hex(&format!("6e00 {flags} 0001 {count} 0000 0000"));
        message.extend(b"\x07version\x04bind\0\0\x10\0\x03");
        if let Some(told) = told {
            message.extend(hex("c00c 0010 0003 00000000"));
            message.extend([0, told.len() as u8 + 1, told.len() as u8]);
            message.extend(told.as_bytes());
        }
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    for (told, description) in [
        (
            "9.18.19-1~deb12u1-Debian",
            "ISC BIND 9.18.19 (1~deb12u1-Debian)",
        ),
        ("dnsmasq-2.89", "dnsmasq 2.89"),
        ("unbound 1.17.1", "unbound 1.17.1"),
        ("none", "none"),
    ] {
        check(
            "dns",
            &answer("8580", Some(told)),
            "domain",
            description,
            None,
            None,
        );
    }
    check(
        "dns",
        &answer("8505", None),
        "domain",
        "(version refused)",
        None,
        None,
    );
}
