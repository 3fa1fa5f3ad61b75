//! What was found out about an open port: the documented shape of `service` in NDJSON.
//!
//! Every text came from outside. It is bounded, has no line breaks or control characters, and is
//! escaped on its way out like any other; `evidence` is ASCII, other bytes are `\x` escapes in it.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::output::ndjson::maybe_time;

/// Longest text of a [`Service`], in bytes; a host name has at most 253.
pub const MAX_TEXT: usize = 256;

/// Longest evidence, in bytes of its escaped form.
pub const MAX_EVIDENCE: usize = 256;

/// CPE names kept of a service.
pub const MAX_CPE: usize = 4;

/// Names kept of a certificate; [`Certificate::names_total`] tells how many it has.
pub const MAX_NAMES: usize = 32;

/// What answers on a port, as far as it can be told. A field is `None` where nothing is known;
/// none is ever empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The protocol: `ssh`, `http`, `imap`, inside TLS the one within; `tls` if that is unknown.
    #[serde(deserialize_with = "maybe")]
    pub name: Option<String>,
    /// The program: `OpenSSH`.
    #[serde(deserialize_with = "maybe")]
    pub product: Option<String>,
    /// Its version: `9.2p1`.
    #[serde(deserialize_with = "maybe")]
    pub version: Option<String>,
    /// More that it told: `protocol 2.0`, the distribution, whether it asks for a password.
    #[serde(deserialize_with = "maybe")]
    pub info: Option<String>,
    /// The name the host gives itself there.
    #[serde(deserialize_with = "maybe")]
    pub hostname: Option<String>,
    /// The operating system: `Debian`, `Windows`.
    #[serde(deserialize_with = "maybe")]
    pub os: Option<String>,
    /// Common Platform Enumeration names, `cpe:/a:openbsd:openssh:9.2p1`; at most 4.
    #[serde(deserialize_with = "cpes")]
    pub cpe: Vec<String>,
    /// Whether the plain connection can be made a TLS one; `None`: not asked.
    pub starttls: Option<bool>,
    /// What HTTP tells.
    pub http: Option<Box<Http>>,
    /// What TLS tells.
    pub tls: Option<Box<Tls>>,
    /// How the port behaved.
    pub manner: Manner,
    /// What the answer was to: `greeting` or the name of a probe.
    #[serde(deserialize_with = "maybe")]
    pub probe: Option<String>,
    /// The beginning of the answer, bytes other than printable ASCII escaped as `\x0a`.
    #[serde(deserialize_with = "shown")]
    pub evidence: Option<String>,
}

/// How a port behaved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// It sent something.
    Answers,
    /// It accepted and never said anything, whatever was sent.
    Silent,
    /// It closed every connection without a word.
    Closes,
    /// It reset every connection without a word.
    Resets,
    /// It was only listened to, as printers are.
    #[default]
    Unasked,
}

/// What an HTTP server tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Http {
    /// Status code.
    pub status: u16,
    /// `Server` header, as it came.
    #[serde(deserialize_with = "maybe")]
    pub server: Option<String>,
    /// Title of the page.
    #[serde(deserialize_with = "maybe")]
    pub title: Option<String>,
    /// Where it redirects to.
    #[serde(deserialize_with = "maybe")]
    pub redirect: Option<String>,
    /// What it asks to log in with: `Basic realm="private"`.
    #[serde(deserialize_with = "maybe")]
    pub login: Option<String>,
}

/// What a TLS handshake tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// `TLS 1.3`; `None` if the handshake did not get so far.
    #[serde(deserialize_with = "maybe")]
    pub version: Option<String>,
    /// Cipher suite: `TLS_AES_256_GCM_SHA384`.
    #[serde(deserialize_with = "maybe")]
    pub cipher: Option<String>,
    /// Protocol agreed on by ALPN: `http/1.1`.
    #[serde(deserialize_with = "maybe")]
    pub alpn: Option<String>,
    /// Why the handshake failed.
    #[serde(deserialize_with = "maybe")]
    pub failure: Option<String>,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
    /// Whether the certificate is valid now, for the name asked for if there was one, under a root
    /// of Mozilla's list; `None`: not checked. Whatever it is, the service is identified.
    pub trusted: Option<bool>,
    /// Why it is not.
    pub faults: Vec<Fault>,
}

/// An X.509 certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// Whose it is: `CN=www.example`.
    #[serde(deserialize_with = "maybe")]
    pub subject: Option<String>,
    /// Who signed it.
    #[serde(deserialize_with = "maybe")]
    pub issuer: Option<String>,
    /// DNS names and addresses it is for, at most 32.
    #[serde(deserialize_with = "names")]
    pub names: Vec<String>,
    /// How many such names it has.
    pub names_total: u32,
    /// Valid from then on.
    #[serde(with = "maybe_time")]
    pub not_before: Option<Timestamp>,
    /// Valid until then.
    #[serde(with = "maybe_time")]
    pub not_after: Option<Timestamp>,
    /// SHA-256 of the certificate, 64 hexadecimal digits.
    #[serde(deserialize_with = "maybe")]
    pub sha256: Option<String>,
    /// Kind and size of its key: `RSA 2048`.
    #[serde(deserialize_with = "maybe")]
    pub key: Option<String>,
}

#[cfg(feature = "tls")]
impl Certificate {
    /// What a certificate in DER says; of one that cannot be read only the fingerprint.
    pub fn read(der: &[u8]) -> Certificate {
        super::tls::certificate::read(der).0
    }
}

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It is signed by itself.
    SelfSigned,
    /// No known root stands behind it.
    UntrustedIssuer,
    /// More certificates were sent with it than are looked at, and no way through those leads to a root.
    ChainTooLong,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names.
    NameMismatch,
    /// The server did not prove that it has the key.
    BadSignature,
    /// It cannot be read, or breaks the rules for certificates.
    Invalid,
    /// A fault that this version does not know.
    #[serde(other)]
    Other,
}

impl Service {
    /// The protocol as ports are named: `https` for HTTP inside TLS, `redis/tls` where there is no
    /// such name.
    pub fn label(&self) -> Option<String> {
        let name = self.name.as_deref()?;
        if self.tls.is_none() || self.starttls == Some(true) || name == "tls" {
            return Some(name.into());
        }
        Some(match name {
            "http" | "imap" | "pop3" | "smtp" | "ftp" | "ldap" | "irc" | "nntp" | "telnet"
            | "sip" | "amqp" => {
                format!("{name}s")
            }
            _ => format!("{name}/tls"),
        })
    }

    /// Product, version, and what else there is in brackets: `OpenSSH 9.2p1 Debian (protocol 2.0)`.
    /// Empty if nothing is known.
    pub fn description(&self) -> String {
        let parts = [&self.product, &self.version, &self.os];
        let mut text = String::new();
        let info = self.info.as_deref().map(|info| format!("({info})"));
        let parts = parts.into_iter().flatten().map(String::as_str);
        for part in parts.chain(info.as_deref()) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(part);
        }
        text
    }

    /// Takes from `other` what is not known here.
    pub fn complete_with(&mut self, other: Service) {
        // Version and comment belong to the product they were told with.
        let other_product = self.product.is_some() && other.product.is_some();
        if !other_product || self.product == other.product {
            self.product = self.product.take().or(other.product);
            self.version = self.version.take().or(other.version);
            self.info = self.info.take().or(other.info);
        }
        self.name = self.name.take().or(other.name);
        self.hostname = self.hostname.take().or(other.hostname);
        self.os = self.os.take().or(other.os);
        if self.cpe.is_empty() {
            self.cpe = other.cpe;
        }
        self.starttls = self.starttls.or(other.starttls);
        self.http = self.http.take().or(other.http);
        self.tls = self.tls.take().or(other.tls);
        self.probe = self.probe.take().or(other.probe);
        self.evidence = self.evidence.take().or(other.evidence);
    }
}

/// Bytes from outside as a text of a [`Service`]: UTF-8 as far as it is, runs of white space and
/// control characters a blank each, nothing around it, at most [`MAX_TEXT`] bytes. `None` if nothing
/// remains.
pub fn text(bytes: &[u8]) -> Option<String> {
    // What is cut may be white space; more than this is not looked at.
    let bytes = &bytes[..bytes.len().min(4 * MAX_TEXT)];
    let mut text = String::new();
    let mut blank = false;
    for chunk in bytes.utf8_chunks() {
        let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for c in chunk.valid().chars().chain(invalid) {
            if c.is_whitespace() || c.is_control() {
                blank = !text.is_empty();
                continue;
            }
            if text.len() + usize::from(blank) + c.len_utf8() > MAX_TEXT {
                return Some(text);
            }
            if std::mem::take(&mut blank) {
                text.push(' ');
            }
            text.push(c);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The beginning of an answer as evidence, in printable ASCII.
pub fn evidence(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    for byte in bytes {
        let escaped = byte.escape_ascii();
        if text.len() + escaped.len() > MAX_EVIDENCE {
            break;
        }
        text.extend(escaped.map(char::from));
    }
    (!text.is_empty()).then_some(text)
}

fn maybe<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let read = Option::<String>::deserialize(from)?;
    Ok(read.and_then(|read| text(read.as_bytes())))
}

/// Evidence, every blank of it.
fn shown<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let read = Option::<String>::deserialize(from)?.unwrap_or_default();
    let printable = read.chars().filter(|c| matches!(c, ' '..='~'));
    let text: String = printable.take(MAX_EVIDENCE).collect();
    Ok((!text.is_empty()).then_some(text))
}

fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let read = Vec::<String>::deserialize(from)?;
    let texts = read.iter().filter_map(|read| text(read.as_bytes()));
    Ok(texts.take(MAX_NAMES).collect())
}

fn cpes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let mut read = names(from)?;
    read.truncate(MAX_CPE);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_printable_and_never_empty() {
        assert_eq!(text(b""), None);
        assert_eq!(text(b" \r\n\t\0 "), None);
        assert_eq!(text(b"  a\r\n\t b\x1b[2J \0"), Some("a b [2J".into()));
        assert_eq!(text(b"caf\xc3\xa9 \xff"), Some("café \u{fffd}".into()));
        let long = text("é".repeat(100_000).as_bytes()).expect("a text");
        assert_eq!(long, "é".repeat(MAX_TEXT / 2));
        let blanks = [b"a".to_vec(), vec![b' '; 1 << 20], b"b".to_vec()].concat();
        assert_eq!(text(&blanks), Some("a".into()));
    }

    #[test]
    fn evidence_is_printable_ascii_and_not_cut_within_an_escape() {
        assert_eq!(evidence(b""), None);
        assert_eq!(evidence(b"a\0\xff\r\n"), Some("a\\x00\\xff\\r\\n".into()));
        let long = evidence(&[0xff; 1 << 20]).expect("evidence");
        assert_eq!(long, "\\xff".repeat(MAX_EVIDENCE / 4));
    }

    #[test]
    fn a_service_is_read_back_as_it_was_written() {
        let service = Service {
            name: Some("http".into()),
            cpe: vec!["cpe:/a:nginx:nginx:1.22.1".into()],
            http: Some(Box::new(Http {
                status: 301,
                redirect: Some("https://www.example/".into()),
                ..Http::default()
            })),
            tls: Some(Box::new(Tls {
                version: Some("TLS 1.3".into()),
                certificate: Some(Certificate {
                    not_after: Some(Timestamp::UNIX_EPOCH),
                    ..Certificate::default()
                }),
                trusted: Some(false),
                faults: vec![Fault::SelfSigned, Fault::Expired],
                ..Tls::default()
            })),
            manner: Manner::Answers,
            // Blanks at its end and in a row, which the fuzzer had lost.
            evidence: evidence(b" a  b\r\n "),
            ..Service::default()
        };
        let json = serde_json::to_string(&service).expect("JSON");
        assert!(
            json.contains(r#""not_after":"1970-01-01T00:00:00Z""#),
            "{json}"
        );
        assert!(
            json.contains(r#""faults":["self-signed","expired"]"#),
            "{json}"
        );
        let read: Service = serde_json::from_str(&json).expect("a service");
        assert_eq!(read, service);
    }

    #[test]
    fn what_is_read_is_bounded_and_an_empty_text_is_none() {
        let json = format!(
            r#"{{"name":"","product":"{}","cpe":["",{}"z"],"manner":"silent","new":1}}"#,
            "x".repeat(1 << 20),
            r#""y","#.repeat(100)
        );
        let read: Service = serde_json::from_str(&json).expect("a service");
        assert_eq!(read.name, None);
        assert_eq!(read.product.map(|product| product.len()), Some(MAX_TEXT));
        assert_eq!(read.cpe, ["y"; MAX_CPE]);
        assert_eq!(read.manner, Manner::Silent);
    }

    #[test]
    fn labels_and_descriptions() {
        let mut service = Service {
            name: Some("http".into()),
            product: Some("nginx".into()),
            version: Some("1.22.1".into()),
            info: Some("a".into()),
            ..Service::default()
        };
        assert_eq!(service.description(), "nginx 1.22.1 (a)");
        assert_eq!(service.label().as_deref(), Some("http"));
        service.tls = Some(Box::default());
        assert_eq!(service.label().as_deref(), Some("https"));
        service.name = Some("redis".into());
        assert_eq!(service.label().as_deref(), Some("redis/tls"));
        assert_eq!(Service::default().label(), None);
        assert_eq!(Service::default().description(), "");
    }
}
