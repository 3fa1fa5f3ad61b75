//! XML as nmap's `-oX` has it, for what reads that: valid against nmap.dtd, output version 1.05.
//!
//! nmap knows no port without a verdict: `unscanned` is its state `unknown`, with the reason. Hosts
//! that answered are `up`, of the others nothing is known. What XML 1.0 cannot hold is replaced by
//! U+FFFD; what could drive a terminal is a character reference, which any XML reader undoes.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use quick_xml::Writer;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::QName;

use super::Record;
use super::escape::is_dangerous;
use super::held::{Held, HeldPort, Rest, rest};
use super::ndjson::{HostLine, Line, RunLine, ServiceField, StartLine};
use super::times::{Seconds, ctime, end};
use crate::engine::State;

/// Version of nmap's format (`xmloutputversion`), that of nmap 7.
const VERSION: &str = "1.05";

/// Characters of an attribute at most, then `…`: readers have a limit of their own, libxml2 one of
/// 10 MB. Half of all ports, one by one, is a third of this.
const LONGEST: usize = 1 << 20;

/// The XML format.
#[derive(Debug)]
pub struct Xml {
    zone: TimeZone,
    held: Held,
    /// Hosts written that answered.
    up: u64,
}

impl Xml {
    /// XML with times in words in `zone`.
    pub fn new(zone: TimeZone) -> Xml {
        Xml {
            zone,
            held: Held::default(),
            up: 0,
        }
    }

    /// Takes a record; writes a host when it is complete. Errors are those of `out`.
    pub fn record(&mut self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        let mut text = Tags(Writer::new(Vec::new()));
        match record {
            Record::Line(Line::Start(start)) => self.start(&mut text, start)?,
            Record::Line(Line::Host(host)) => self.host(&mut text, host)?,
            Record::Line(Line::Run(run)) => self.finish(&mut text, run)?,
            _ => {}
        }
        self.held.add(record);
        out.write_all(&text.0.into_inner())
    }

    fn start(&self, text: &mut Tags, start: &StartLine) -> io::Result<()> {
        let xml = BytesDecl::new("1.0", Some("UTF-8"), None);
        text.event(Event::Decl(xml))?;
        text.event(Event::DocType(BytesText::from_escaped("nmaprun")))?;
        let version = format!("nishad {}", start.version);
        text.open(
            "nmaprun",
            &[
                ("scanner", "nmap"),
                ("args", &start.args.join(" ")),
                ("start", &start.started.as_second().to_string()),
                ("startstr", &ctime(start.started, &self.zone)),
                ("version", &version),
                ("xmloutputversion", VERSION),
            ],
        )?;
        if let Some(ports) = start.port_set() {
            text.empty(
                "scaninfo",
                &[
                    ("type", "connect"),
                    ("protocol", "tcp"),
                    ("numservices", &ports.len().to_string()),
                    ("services", &ports.to_string()),
                ],
            )?;
        }
        text.empty("verbose", &[("level", "0")])?;
        text.empty("debugging", &[("level", "0")])
    }

    fn host(&mut self, text: &mut Tags, host: &HostLine<'_>) -> io::Result<()> {
        let ports = self.held.take(host);
        self.up += u64::from(answered(host));
        let started = host.started.as_second().to_string();
        let ended = end(host.started, host.elapsed_s).as_second().to_string();
        let mut attributes = vec![("starttime", &*started), ("endtime", &*ended)];
        let comment = host.suspect.as_deref().map(suspect);
        attributes.extend(comment.as_deref().map(|comment| ("comment", comment)));
        text.open("host", &attributes)?;
        let status = [
            ("state", if answered(host) { "up" } else { "unknown" }),
            ("reason", status_reason(host)),
            ("reason_ttl", "0"),
        ];
        text.empty("status", &status)?;
        let kind = if host.ip.addr.is_ipv6() {
            "ipv6"
        } else {
            "ipv4"
        };
        text.empty(
            "address",
            &[("addr", &host.ip.to_string()), ("addrtype", kind)],
        )?;
        text.open("hostnames", &[])?;
        if let Some(name) = &host.host {
            text.empty("hostname", &[("name", name), ("type", "user")])?;
        }
        text.close("hostnames")?;
        text.open("ports", &[])?;
        for rest in rest(host, &ports) {
            extra_ports(text, &rest)?;
        }
        for held in &ports {
            port(text, held)?;
        }
        text.close("ports")?;
        text.close("host")
    }

    fn finish(&self, text: &mut Tags, run: &RunLine) -> io::Result<()> {
        let ended = end(run.started, run.elapsed_s);
        let time = ctime(ended, &self.zone);
        let (up, hosts) = (self.up, run.hosts.max(self.up));
        let elapsed = Seconds(run.elapsed_s).to_string();
        let summary = format!(
            "nishad done at {time}; {hosts} IP addresses ({up} hosts up) scanned in {elapsed} seconds"
        );
        let ended = ended.as_second().to_string();
        let mut finished = vec![
            ("time", &*ended),
            ("timestr", &time),
            ("summary", &summary),
            ("elapsed", &elapsed),
        ];
        let missing = missing(run);
        match &missing {
            None => finished.push(("exit", "success")),
            Some(missing) => finished.extend([("exit", "error"), ("errormsg", missing)]),
        }
        text.open("runstats", &[])?;
        text.empty("finished", &finished)?;
        let [up, down, total] = [up, hosts - up, hosts].map(|n| n.to_string());
        text.empty("hosts", &[("up", &up), ("down", &down), ("total", &total)])?;
        text.close("runstats")?;
        text.close("nmaprun")
    }
}

/// Ports that are not listed.
fn extra_ports(text: &mut Tags, rest: &Rest) -> io::Result<()> {
    let count = rest.count.to_string();
    text.open(
        "extraports",
        &[("state", state(rest.state)), ("count", &count)],
    )?;
    for (reason, n) in &rest.reasons {
        let n = n.to_string();
        text.empty(
            "extrareasons",
            &[("reason", reason.as_str()), ("count", &n)],
        )?;
    }
    text.close("extraports")
}

fn port(text: &mut Tags, held: &HeldPort) -> io::Result<()> {
    let number = held.port.to_string();
    text.open("port", &[("protocol", "tcp"), ("portid", &number)])?;
    let from = held.verdict.from.map(|from| from.to_string());
    let mut attributes = vec![
        ("state", state(held.verdict.state())),
        ("reason", held.verdict.reason.as_str()),
        ("reason_ttl", "0"),
    ];
    attributes.extend(from.as_deref().map(|from| ("reason_ip", from)));
    text.empty("state", &attributes)?;
    service(text, &held.service)?;
    text.close("port")
}

/// What is known of a service: what the port is registered for, of which nmap says that it is confident
/// by 3 of 10, or what was found out.
fn service(text: &mut Tags, service: &ServiceField<'_>) -> io::Result<()> {
    let Some(found) = &service.found else {
        return match &service.registered {
            Some(name) => text.empty(
                "service",
                &[("name", name), ("method", "table"), ("conf", "3")],
            ),
            None => Ok(()),
        };
    };
    let name = found.name.as_deref().unwrap_or("unknown");
    let mut attributes = vec![("name", name), ("method", "probed"), ("conf", "10")];
    let told = [
        ("product", &found.product),
        ("version", &found.version),
        ("extrainfo", &found.info),
        ("hostname", &found.hostname),
        ("ostype", &found.os),
    ];
    let told = told
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_deref()?)));
    attributes.extend(told);
    if found.tls.is_some() && found.starttls != Some(true) {
        attributes.push(("tunnel", "ssl"));
    }
    text.open("service", &attributes)?;
    for cpe in &found.cpe {
        text.0
            .create_element("cpe")
            .write_text_content(BytesText::from_escaped(reference(cpe)))?;
    }
    text.close("service")
}

/// A state by nmap's name for it.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Unscanned => "unknown",
        known => known.as_str(),
    }
}

/// Whether anything of the host answered.
pub(super) fn answered(host: &HostLine<'_>) -> bool {
    host.counts.open > 0 || host.counts.closed > 0
}

/// Why a host is what it is: what most of its answers were, or of its silences.
fn status_reason(host: &HostLine<'_>) -> &'static str {
    let answers = |state: State| matches!(state, State::Open | State::Closed);
    let counted = host
        .reasons
        .iter()
        .filter(|(reason, _)| answers(reason.state()) == answered(host));
    let most = counted.max_by_key(|(_, n)| **n);
    most.map_or("no-response", |(reason, _)| reason.as_str())
}

fn suspect(suspect: &str) -> String {
    format!("suspect: {suspect}")
}

/// What keeps a run from being complete.
pub(super) fn missing(run: &RunLine) -> Option<String> {
    (!run.complete).then(|| {
        format!(
            "incomplete: {} ports unscanned, {} targets not read or resolved",
            run.counts.unscanned.saturating_sub(run.left_out),
            run.targets_failed
        )
    })
}

/// Tags, each on a line of its own.
struct Tags(Writer<Vec<u8>>);

impl Tags {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.0.write_event(event)?;
        self.0.get_mut().write_all(b"\n")
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.event(Event::Start(tag(name, attributes)))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.event(Event::Empty(tag(name, attributes)))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.event(Event::End(BytesEnd::new(name)))
    }
}

fn tag<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut tag = BytesStart::new(name);
    for (key, value) in attributes {
        // Escaped here, and so taken as it is.
        tag.push_attribute(Attribute {
            key: QName(key),
            value: reference(value).into(),
        });
    }
    tag
}

/// Text as the value of an attribute.
fn reference(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(LONGEST));
    for (index, c) in text.chars().enumerate() {
        let _ = match c {
            _ if index == LONGEST => {
                safe.push('…');
                break;
            }
            '&' => safe.write_str("&amp;"),
            '<' => safe.write_str("&lt;"),
            '>' => safe.write_str("&gt;"),
            '"' => safe.write_str("&quot;"),
            '\'' => safe.write_str("&apos;"),
            // XML 1.0, production 2: no character, not even as a reference.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                safe.write_char(char::REPLACEMENT_CHARACTER)
            }
            c if is_dangerous(c) => write!(safe, "&#x{:x};", u32::from(c)),
            c => safe.write_char(c),
        };
    }
    safe
}

#[cfg(test)]
mod tests;
