//! The page: a template whose places are filled.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::audit;
use super::data;
use super::rows::{Accepting, Rows};
use crate::audit::Audit;
use crate::engine::{Counts, State};
use crate::output::escape::{escape, escape_up_to};
use crate::output::ndjson::{RunLine, StartLine};
use crate::output::times::Seconds;
use crate::output::words::{Chance, Thousands, chance_of, unknown};
use crate::target::Dealt;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Ports, and findings, for those who run no script.
pub(super) const PLAIN: usize = 1_000;

/// Characters of the command line that are shown.
const COMMAND: usize = 2_000;

/// All that a page tells of.
pub(super) struct Page<'a> {
    pub(super) start: Option<&'a StartLine>,
    pub(super) rows: &'a Rows,
    pub(super) audit: Option<&'a Audit>,
    pub(super) run: &'a RunLine,
}

impl Page<'_> {
    /// Writes it. Errors are those of `out`.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut pieces = TEMPLATE.split("{{");
        out.write_all(pieces.next().unwrap_or_default().as_bytes())?;
        for piece in pieces {
            let (place, rest) = piece.split_once("}}").unwrap_or((piece, ""));
            match place {
                "data" => data::write(out, self.rows, self.audit)?,
                place => out.write_all(self.fill(place).as_bytes())?,
            }
            out.write_all(rest.as_bytes())?;
        }
        Ok(())
    }

    /// What stands in a place of the template.
    fn fill(&self, place: &str) -> String {
        let mut text = String::new();
        let written = match place {
            "style" => return STYLE.into(),
            "script" => return SCRIPT.into(),
            "version" => return html(&self.run.version),
            "title" => return self.title(),
            "policy" => policy(&mut text),
            "completeness" => self.completeness(&mut text),
            "facts" => self.facts(&mut text),
            "reasons" => self.reasons(&mut text),
            "audit" => match self.audit {
                Some(audit) => audit::section(&mut text, audit),
                None => Ok(()),
            },
            "accepting" => self.accepting(&mut text),
            "plain" => self.plain(&mut text),
            _ => unreachable!("the template names no other place"),
        };
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        text
    }

    fn title(&self) -> String {
        let meaningless: u64 = self.rows.accepting.iter().map(|host| host.open).sum();
        let open = self.run.counts.open.saturating_sub(meaningless);
        let (open, hosts) = (plural(open, "open port"), plural(self.run.hosts, "host"));
        format!("nishad: {open} on {hosts}, {}", minute(self.run.started))
    }

    /// Whether everything is known, and if not, what is not and why.
    fn completeness(&self, text: &mut String) -> fmt::Result {
        let run = self.run;
        let planned = Thousands(run.planned);
        if run.complete {
            let part = if run.shard.is_some() {
                " of this shard"
            } else {
                ""
            };
            let left_out = match run.left_out {
                0 => String::new(),
                n => format!(", but for {} that were not wanted any more", Thousands(n)),
            };
            return write!(
                text,
                "<p class=\"complete\"><strong>Complete</strong>: each of {planned} planned probes{part} has its verdict{left_out}.</p>"
            );
        }
        write!(
            text,
            "<div class=\"incomplete\"><strong>Incomplete</strong>: what is missing may be open.\n<ul>"
        )?;
        if run.counts.unscanned > 0 {
            let reasons = self.rows.reasons.of(State::Unscanned);
            let reasons = summed(reasons.iter().map(|(reason, n)| (n, reason.as_str())));
            let colon = if reasons.is_empty() { "" } else { ": " };
            let unscanned = Thousands(run.counts.unscanned);
            write!(
                text,
                "<li>{unscanned} of {planned} planned probes without a verdict{colon}{reasons}</li>"
            )?;
        }
        let begun = (self.rows.hosts.len() as u64).saturating_add(self.rows.silent);
        if let Some(never) = run.hosts.checked_sub(begun).filter(|never| *never > 0) {
            write!(
                text,
                "<li>{} never begun, or not in what was saved</li>",
                plural(never, "host")
            )?;
        }
        if run.targets_failed > 0 {
            let failed = plural(run.targets_failed, "target");
            write!(
                text,
                "<li>{failed} not scanned: cannot be read or resolved</li>"
            )?;
        }
        write!(text, "</ul></div>")
    }

    fn facts(&self, text: &mut String) -> fmt::Result {
        let run = self.run;
        let counts = Counts::from(run.counts);
        fact(text, "Command", html_up_to(&run.args.join(" "), COMMAND))?;
        fact(text, "Started", second(run.started))?;
        fact(text, "Took", format_args!("{} s", Seconds(run.elapsed_s)))?;
        if let Some(shard) = run.shard {
            let of = match shard.by {
                Dealt::Hosts => "its hosts",
                Dealt::Ports => "its ports of each host",
            };
            fact(
                text,
                "Shard",
                format_args!("{} of {}: {of} alone", shard.index, shard.count),
            )?;
        }
        let hosts = Thousands(run.hosts);
        match self.rows.silent {
            0 => fact(text, "Hosts", hosts)?,
            n => fact(
                text,
                "Hosts",
                format_args!(
                    "{hosts}, {} without an open, closed or listed port",
                    Thousands(n)
                ),
            )?,
        }
        fact(
            text,
            "Probes",
            format_args!(
                "{}: {}",
                Thousands(run.planned),
                summed(State::ALL.map(|state| (counts.get(state), state.as_str())))
            ),
        )?;
        if let Some(ports) = self.start.and_then(|start| start.ports.as_deref()) {
            fact(text, "Ports", html_up_to(ports, COMMAND))?;
        }
        fact(text, "Attempts", Thousands(run.attempts))?;
        let all_answered = counts.open + counts.closed == counts.total();
        let chance = match run.miss {
            Some(miss) => Chance { miss, all_answered }.to_string(),
            None => unknown(&counts, self.is_merged()).into(),
        };
        fact(text, chance_of(&counts), chance)?;
        fact(text, "Seed", run.seed)?;
        fact(text, "Run", html(&run.run_id))
    }

    fn is_merged(&self) -> bool {
        let shards = self.start.and_then(|start| start.key.shards);
        self.run.shard.is_none() && shards.is_some()
    }

    fn reasons(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "<table>\n<caption>Ports by reason</caption>\n<thead><tr><th scope=\"col\">State</th><th scope=\"col\">Reason</th><th scope=\"col\" class=\"number\">Ports</th></tr></thead>\n<tbody>"
        )?;
        for state in State::ALL {
            for (reason, n) in self.rows.reasons.of(state).iter() {
                let (state, reason) = (state.as_str(), reason.as_str());
                let n = Thousands(n);
                writeln!(
                    text,
                    "<tr><td class=\"{state}\">{state}</td><th scope=\"row\">{reason}</th><td class=\"number\">{n}</td></tr>"
                )?;
            }
        }
        writeln!(text, "</tbody></table>")
    }

    /// Hosts that accept everything, which says nothing of their ports.
    fn accepting(&self, text: &mut String) -> fmt::Result {
        if self.rows.accepting.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "<section aria-labelledby=\"accepting-title\">\n<h2 id=\"accepting-title\">Hosts that accept everything</h2>\n<p class=\"note\">Something completes every handshake there: that a port is open means nothing. Their open ports are in no other table.</p>\n<details>\n<summary>{}</summary>\n<ul>",
            plural(self.rows.accepting.len() as u64, "host"),
        )?;
        for Accepting {
            ip,
            name,
            open,
            unlikely,
            ports,
        } in &self.rows.accepting
        {
            write!(
                text,
                "<li>{ip}{}: {} open",
                in_brackets(name.as_deref()),
                Thousands(*open)
            )?;
            write!(text, "; {unlikely} of {unlikely} unlikely ports open")?;
            if let Some(ports) = ports {
                write!(text, "; {ports}")?;
            }
            writeln!(text, "</li>")?;
        }
        writeln!(text, "</ul>\n</details>\n</section>")
    }

    /// The first ports, for those who run no script.
    fn plain(&self, text: &mut String) -> fmt::Result {
        if let Some(audit) = self.audit {
            audit::plain(text, audit)?;
        }
        let all = self.rows.listed();
        let rows = || {
            let hosts = self.rows.hosts.iter();
            hosts.flat_map(|host| host.ports.iter().map(move |port| (host, port)))
        };
        let first = match all > PLAIN as u64 {
            true => format!(
                "The first {} of {} listed ports; a browser that runs scripts shows all",
                Thousands(PLAIN as u64),
                Thousands(all)
            ),
            false => "Listed ports".into(),
        };
        writeln!(text, "<table>\n<caption>{first}</caption>\n<thead><tr>")?;
        for title in ["Host", "Name", "Port", "Service", "State", "Reason"] {
            write!(text, "<th scope=\"col\">{title}</th>")?;
        }
        writeln!(text, "</tr></thead>\n<tbody>")?;
        for (host, row) in rows().take(PLAIN) {
            let name = plain_html(host.name.as_deref().unwrap_or_default());
            let service = self.rows.services.list.get(row.service as usize);
            let service = plain_html(service.map_or("", |name| name));
            let (ip, port) = (host.ip, row.port);
            let (state, reason) = (row.reason.state().as_str(), row.reason.as_str());
            writeln!(
                text,
                "<tr><th scope=\"row\">{ip}</th><td>{name}</td><td class=\"number\">{port}</td><td>{service}</td><td class=\"{state}\">{state}</td><td>{reason}</td></tr>"
            )?;
        }
        writeln!(text, "</tbody></table>")
    }
}

/// What the page may do: apply its own style and run its own script, known by their digests.
fn policy(text: &mut String) -> fmt::Result {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    write!(
        text,
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

fn fact(text: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(text, "<dt>{name}</dt><dd>{value}</dd>")
}

/// Text from outside as text of a page.
pub(super) fn html(text: &str) -> String {
    plain_html(&escape(text).to_string())
}

/// The same of what is longer than a name, up to `most` characters of it.
fn html_up_to(text: &str, most: usize) -> String {
    plain_html(&escape_up_to(text, most).to_string())
}

/// Text that is safe to show as text of a page.
pub(super) fn plain_html(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c => shown.push(c),
        }
    }
    shown
}

fn in_brackets(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!(" ({})", plain_html(name)))
}

pub(super) fn second(time: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(time);
    format!("{} {:.0} UTC", time.date(), time.time())
}

fn minute(time: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(time);
    format!(
        "{} {:02}:{:02} UTC",
        time.date(),
        time.hour(),
        time.minute()
    )
}

/// `1,024 open, 7 closed`.
fn summed<'a>(parts: impl IntoIterator<Item = (u64, &'a str)>) -> String {
    let parts = parts.into_iter();
    let parts = parts.map(|(n, word)| format!("{} {word}", Thousands(n)));
    parts.collect::<Vec<_>>().join(", ")
}

/// `1,024 ports` of `port`.
pub(super) fn plural(n: u64, word: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {word}{s}", Thousands(n))
}
