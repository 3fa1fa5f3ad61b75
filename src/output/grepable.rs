//! Lines as nmap's `-oG` has them, for what greps in that: a host a line, its fields between tabs.
//!
//! nmap knows no port without a verdict: `unscanned` is its state `unknown`. In text from outside the
//! characters that stand between fields are written out, as are those that could drive a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::held::{Held, HeldPort, rest};
use super::ndjson::{HostLine, Line, RunLine, StartLine};
use super::times::{Seconds, ctime, end};
use super::xml::{answered, missing, state};
use super::{Record, escape};
use crate::service::Service;

/// The grepable format.
#[derive(Debug)]
pub struct Grepable {
    zone: TimeZone,
    held: Held,
    /// Hosts written that answered.
    up: u64,
}

impl Grepable {
    /// Lines with times in words in `zone`.
    pub fn new(zone: TimeZone) -> Grepable {
        Grepable {
            zone,
            held: Held::default(),
            up: 0,
        }
    }

    /// Takes a record; writes a host when it is complete. Errors are those of `out`.
    pub fn record(&mut self, out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = match record {
            Record::Line(Line::Start(start)) => self.start(&mut text, start),
            Record::Line(Line::Host(host)) => self.host(&mut text, host),
            Record::Line(Line::Run(run)) => self.finish(&mut text, run),
            _ => Ok(()),
        };
        self.held.add(record);
        out.write_all(text.as_bytes())
    }

    fn start(&self, text: &mut String, start: &StartLine) -> fmt::Result {
        let time = ctime(start.started, &self.zone);
        let (version, args) = (escape(&start.version), start.args.join(" "));
        let args = escape(&args);
        writeln!(text, "# nishad {version} scan initiated {time} as: {args}")?;
        if let Some(ports) = start.port_set() {
            let n = ports.len();
            writeln!(
                text,
                "# Ports scanned: TCP({n};{ports}) UDP(0;) SCTP(0;) PROTOCOLS(0;)"
            )?;
        }
        Ok(())
    }

    fn host(&mut self, text: &mut String, host: &HostLine<'_>) -> fmt::Result {
        let ports = self.held.take(host);
        self.up += u64::from(answered(host));
        let name = Field(host.host.as_deref().unwrap_or_default());
        let head = format!("Host: {} ({name})\t", host.ip);
        let status = if answered(host) { "Up" } else { "Unknown" };
        writeln!(text, "{head}Status: {status}")?;
        if host.planned == 0 {
            return Ok(());
        }
        let listed = ports.iter().map(|held| Port(held).to_string());
        let listed = listed.collect::<Vec<_>>().join(", ");
        let mut fields = Vec::new();
        if !listed.is_empty() {
            fields.push(format!("Ports: {listed}"));
        }
        for rest in rest(host, &ports) {
            fields.push(format!(
                "Ignored State: {} ({})",
                state(rest.state),
                rest.count
            ));
        }
        writeln!(text, "{head}{}", fields.join("\t"))
    }

    fn finish(&self, text: &mut String, run: &RunLine) -> fmt::Result {
        let time = ctime(end(run.started, run.elapsed_s), &self.zone);
        let (up, hosts) = (self.up, run.hosts.max(self.up));
        write!(
            text,
            "# nishad done at {time} -- {hosts} IP addresses ({up} hosts up) scanned in {} seconds",
            Seconds(run.elapsed_s)
        )?;
        if let Some(missing) = missing(run) {
            write!(text, "; {missing}")?;
        }
        writeln!(text)
    }
}

/// `22/open/tcp//ssh///`: port, state, protocol, owner, service, RPC, version.
struct Port<'a>(&'a HeldPort);

impl fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0;
        let label = held.service.label();
        let service = Field(label.as_deref().unwrap_or_default());
        let found = held.service.found.as_deref();
        let version = found.map_or(String::new(), Service::description);
        let version = Field(&version);
        let state = state(held.verdict.state());
        write!(f, "{}/{state}/tcp//{service}//{version}/", held.port)
    }
}

/// Text from outside, without what stands between fields.
struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in escape(self.0).to_string().chars() {
            match c {
                '/' | ',' | '(' | ')' => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Reason, Trust};
    use crate::output::made::{counts, document, host, port, recorder, run};
    use crate::output::{Output, Show};

    #[test]
    fn a_host_is_a_line_of_fields() {
        let name = "a) Ports: 9/open,\u{1b}\t\nHost: 192.0.2.9 (b";
        let reports = [
            port(Some(name), 22, Reason::SynAck),
            port(Some(name), 3, Reason::ConnRefused),
            port(Some(name), 4, Reason::NoResponse),
            port(Some(name), 60_001, Reason::SynAck),
            host(Some(name), counts(2, 1, 1, 0), Trust::default()),
        ];
        let mut output = Output::Grepable(Grepable::new(TimeZone::UTC));
        let end = run(3, counts(2, 1, 1, 8));
        let text = document(&mut recorder(Show::default()), &mut output, &reports, &end);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(
            lines[0].ends_with(" as: nishad \\u{202e}\\u{e0041}x"),
            "{text}"
        );
        assert_eq!(
            lines[1],
            "# Ports scanned: TCP(4;1-4) UDP(0;) SCTP(0;) PROTOCOLS(0;)"
        );
        let host = "Host: 192.0.2.7 (a\\u{29} Ports: 9\\u{2f}open\\u{2c}\\u{1b}\\u{9}\\u{a}Host: \
                    192.0.2.9 \\u{28}b)\t";
        assert_eq!(lines[2], format!("{host}Status: Up"));
        assert_eq!(
            lines[3],
            format!(
                "{host}Ports: 22/open/tcp//ssh///, 60001/open/tcp/////\
                 \tIgnored State: closed (1)\tIgnored State: filtered (1)"
            )
        );
        assert!(lines[4].starts_with("# nishad done at "), "{text}");
        assert!(
            lines[4].contains(
                " -- 3 IP addresses (1 hosts up) scanned in 2.31 seconds; incomplete: 8 "
            ),
            "{text}"
        );
    }
}
