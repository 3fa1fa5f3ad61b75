//! What to say next: a pure choice among the probes, by the port and by what was learned.

use crate::service::rules::{Probe, Rules, Say};

/// How a port took what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It said something.
    Answered,
    /// Not a byte, and the connection stayed.
    Silent,
    /// Closed without a byte.
    Closed,
    /// Reset without a byte.
    Reset,
}

/// One exchange that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// What was sent, an index among the probes; `None`: a greeting was waited for.
    pub(super) probe: Option<usize>,
    /// Whether inside TLS.
    pub(super) inside: bool,
    /// What came of it.
    pub(super) reaction: Reaction,
    /// How many pieces of the probe had been sent at its end, and of how many.
    pub(super) pieces: (usize, usize),
    /// Whether the connection had been asked something before.
    pub(super) kept: bool,
}

/// Where pieces of `probe` end that go out one after the other where nothing is known: whether a server
/// ends the connection at one of them or waits for more tells what it may be.
pub(super) fn ends(probe: &Probe) -> &'static [usize] {
    match &*probe.name {
        // What TLS takes for a record.
        "dns" => &[6],
        // One byte less than what LDAP takes for a message; it is longer where the host's name is.
        "http" => &[1, 70],
        _ if probe.anywhere => &[1],
        _ => &[],
    }
}

impl Exchange {
    /// Whether the connection ended at the first piece of several.
    fn is_early(&self) -> bool {
        matches!(self.pieces, (1, 2..))
    }

    /// Whether it took two pieces, and ended at the third.
    fn is_late(&self) -> bool {
        self.pieces == (3, 3)
    }
}

/// What is known when a choice is made.
pub(super) struct Known<'a> {
    pub(super) port: u16,
    /// The protocol, if it is known.
    pub(super) service: Option<&'a str>,
    /// Whether this is inside TLS.
    pub(super) inside: bool,
    /// The probe that the last answer calls for.
    pub(super) then: Option<&'a str>,
    pub(super) past: &'a [Exchange],
}

impl Known<'_> {
    /// The next probe, an index into those of `rules`: the one that the last answer calls for; those
    /// that ask a known service for more; those for the port; those for any; and, last, the one that
    /// fits how the port took them.
    pub(super) fn next(&self, rules: &Rules) -> Option<usize> {
        let probes = rules.probes();
        let left: Vec<usize> = (0..probes.len())
            .filter(|&index| !self.was_asked(index))
            .filter(|&index| !(self.inside && probes[index].say == Say::Tls))
            .collect();
        let by = |wanted: &dyn Fn(usize) -> bool| left.iter().copied().find(|&index| wanted(index));
        let named = |name: &str| by(&|index| probes[index].name == name);
        if let Some(then) = self.then {
            return named(then);
        }
        if let Some(service) = self.service {
            return by(&|index| probes[index].asks(service));
        }
        let waits = self.reaction(rules, "http") == Some(Reaction::Silent);
        by(&|index| probes[index].is_for(self.port))
            // A TLS server waits for nothing after a request in plain text.
            .or_else(|| {
                by(&|index| probes[index].anywhere && !(waits && probes[index].say == Say::Tls))
            })
            .or_else(|| self.learned(rules).and_then(named))
    }

    /// Whether a probe has been sent here. One that met a connection about to close has not.
    fn was_asked(&self, index: usize) -> bool {
        self.past.iter().any(|past| {
            let is_lost = past.kept && matches!(past.reaction, Reaction::Closed | Reaction::Reset);
            past.probe == Some(index) && past.inside == self.inside && !is_lost
        })
    }

    /// How the port took a probe, here.
    fn reaction(&self, rules: &Rules, probe: &str) -> Option<Reaction> {
        self.exchange(rules, probe).map(|past| past.reaction)
    }

    fn exchange(&self, rules: &Rules, probe: &str) -> Option<&Exchange> {
        self.past.iter().find(|past| {
            let sent = past.probe.map(|index| &rules.probes()[index]);
            past.inside == self.inside && sent.is_some_and(|sent| sent.name == probe)
        })
    }

    /// What a server may speak that took an HTTP request, its first byte sent ahead, then up to 70, and
    /// what came after in this way:
    /// - MQTT (section 3.1.0) ends a connection whose first byte begins no CONNECT;
    /// - Redis ends one in which a line begins with `Host:`, and waits for the end of a line of TLS;
    /// - PostgreSQL takes four bytes for a length, which is too long. It answers an SMB message with
    ///   an error that is its own;
    /// - DNS over TCP (RFC 7766) takes two for a length, and waits for 18,000 more; LDAP (RFC 4511)
    ///   takes one, and waits for 69, so that it ends the connection at a third piece; SMB three, and waits for 4 MB; TLS that looks at whole records
    ///   only (RFC 8446 section 5.1) takes two, and waits for 8,000. A DNS query is answered by the
    ///   first, is a wrong message of 30 bytes for the second, has 2 MB for the third, and is for the
    ///   last a wrong record of one byte, which is [ahead](ends) of the rest.
    fn learned(&self, rules: &Rules) -> Option<&'static str> {
        let http = self.exchange(rules, "http")?;
        let is_closed = |reaction| matches!(reaction, Reaction::Closed | Reaction::Reset);
        if self.inside {
            return match http.reaction {
                Reaction::Silent => Some("ldap"),
                closed if is_closed(closed) && http.is_early() => Some("mqtt"),
                closed if is_closed(closed) && http.is_late() => Some("ldap"),
                closed if is_closed(closed) => Some("redis"),
                _ => None,
            };
        }
        let dns = self.exchange(rules, "dns");
        let dns_early = dns.is_some_and(Exchange::is_early);
        match (
            http.reaction,
            dns.map(|past| past.reaction),
            self.reaction(rules, "tls"),
        ) {
            (Reaction::Silent, None, _) => Some("dns"),
            (Reaction::Silent, Some(Reaction::Silent), _) => Some("smb"),
            (Reaction::Silent, Some(closed), None) if is_closed(closed) && dns_early => Some("tls"),
            (Reaction::Silent, Some(closed), _) if is_closed(closed) => Some("ldap"),
            (closed, _, Some(_)) if is_closed(closed) && http.is_early() => Some("mqtt"),
            (closed, _, Some(Reaction::Silent)) if is_closed(closed) => Some("redis"),
            (closed, _, Some(_)) if is_closed(closed) && http.is_late() => Some("ldap"),
            (closed, _, Some(_)) if is_closed(closed) => Some("smb"),
            _ => None,
        }
    }
}
