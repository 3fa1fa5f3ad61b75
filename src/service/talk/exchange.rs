//! One exchange of a talk: begun, answered, understood, and what follows from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::{self, Exchange, Known, Reaction};
use super::{Ended, MAX_CONNECTIONS, MAX_EXCHANGES, MAX_LOOKS, MAX_READ, Phase, Talk};
use crate::service::found;
use crate::service::read;
use crate::service::rules::{GREETING, Say, with_host};
use crate::service::tls::{Progress, Session};

impl Talk {
    /// Begins an exchange on an open connection: `probe` is sent, or a greeting waited for.
    pub(super) fn begin(&mut self, now: Instant, probe: Option<usize>) {
        self.probe = probe;
        self.heard.clear();
        self.held.clear();
        self.pieces = 1;
        self.looks = 0;
        self.quiet = None;
        let Some(probe) = probe else {
            self.deadline = now + self.greeting();
            return;
        };
        self.asked = true;
        self.deadline = now + self.moments.answer;
        let rules = Arc::clone(&self.rules);
        let probe = &rules.probes()[probe];
        match &probe.say {
            Say::Tls => {
                let mut session = Session::new(&self.target, self.wall);
                session.outgoing(&mut self.out);
                if session.progress() == Progress::Handshake {
                    self.tls = Some(Box::new(session));
                }
            }
            Say::Bytes(send) => {
                let mut request = with_host(send, &self.host);
                if !probe.is_for(self.port) && self.service.name.is_none() {
                    for end in plan::ends(probe).iter().rev().copied() {
                        if end < request.len() {
                            self.held.push(request.split_off(end));
                        }
                    }
                    self.pieces += self.held.len();
                }
                self.say(&request);
            }
        }
    }

    /// Sends `request`, inside TLS if there is a session.
    pub(super) fn say(&mut self, request: &[u8]) {
        match &mut self.tls {
            None => self.out.extend_from_slice(request),
            Some(session) => {
                session.send(request);
                session.outgoing(&mut self.out);
            }
        }
    }

    /// How long a greeting is waited for.
    fn greeting(&self) -> Duration {
        let mut probes = self.rules.probes().iter();
        let is_asked = probes.any(|probe| probe.is_for(self.port));
        if self.rules.greets(self.port) && (self.tls.is_some() || !is_asked) {
            self.moments.answer
        } else if is_asked {
            self.moments.brief
        } else {
            self.moments.greeting
        }
    }

    /// Whether a TLS handshake is under way.
    pub(super) fn is_shaking(&self) -> bool {
        matches!(&self.tls, Some(session) if session.progress() == Progress::Handshake)
    }

    /// The TLS handshake has come to its end.
    pub(super) fn shaken(&mut self, now: Instant) {
        let Some(session) = &self.tls else { return };
        let progress = session.progress();
        let Some(facts) = session.facts() else {
            // It is no TLS, but it is an answer.
            self.tls = None;
            self.quiet = Some(now + self.moments.quiet);
            return;
        };
        self.service.tls = Some(Box::new(facts));
        self.past.push(Exchange {
            probe: self.probe,
            inside: false,
            reaction: Reaction::Answered,
            pieces: (1, 1),
            kept: self.kept,
        });
        if progress != Progress::Established {
            return self.finish();
        }
        let mut probe = self.resumed.take();
        if probe.is_none() && self.service.name.is_some() {
            // TLS was begun by what is known already: there is no greeting to wait for.
            probe = self.next(true, None);
            if probe.is_none() {
                return self.finish();
            }
        }
        self.asked = false;
        self.kept = false;
        self.begin(now, probe);
        if let Some(session) = &mut self.tls {
            session.data(&mut self.heard);
        }
        if !self.heard.is_empty() {
            self.quiet = Some(now + self.moments.quiet);
        }
    }

    /// The exchange is over: what it told is kept, and the next one begins, if there is one.
    pub(super) fn settle(&mut self, now: Instant, ended: Option<Ended>) {
        let unfinished = self.is_shaking();
        if unfinished {
            let facts = self.tls.take().and_then(|session| session.facts());
            if let Some(facts) = facts {
                self.service.tls.get_or_insert_with(|| Box::new(facts));
            }
        }
        let reaction = match ended {
            _ if !self.heard.is_empty() => Reaction::Answered,
            None => Reaction::Silent,
            Some(Ended::Closed | Ended::Failed) => Reaction::Closed,
            Some(Ended::Reset) => Reaction::Reset,
        };
        let inside = self.tls.is_some();
        self.past.push(Exchange {
            probe: self.probe,
            inside,
            reaction,
            pieces: (self.pieces - self.held.len(), self.pieces),
            kept: self.kept,
        });
        let then = self.learn();
        self.left = self.end.saturating_duration_since(now);
        if self.left.is_zero() || self.read == MAX_READ || self.past.len() >= MAX_EXCHANGES {
            return self.finish();
        }
        let Some(next) = self.next(inside, then.as_deref()) else {
            return self.finish();
        };
        // A service that greeted, or answered what was meant for it, goes on; others have been
        // confused by a probe, or by half of one.
        let known = reaction == Reaction::Answered && self.service.name.is_some();
        let answered = known && !self.is_asked_blindly();
        if ended.is_none() && !unfinished && (!self.asked || answered) {
            self.kept = self.asked;
            return self.begin(now, Some(next));
        }
        if self.connections >= MAX_CONNECTIONS || self.service.product.is_some() {
            return self.finish();
        }
        let is_tls = |index: &usize| self.rules.probes()[*index].say == Say::Tls;
        let tls = (0..self.rules.probes().len()).find(is_tls);
        (self.probe, self.resumed) = match inside {
            true => (tls, Some(next)),
            false => (Some(next), None),
        };
        self.phase = Phase::Connecting;
        self.out.clear();
        self.out_sent = 0;
    }

    /// The next probe, if anything may be sent.
    fn next(&self, inside: bool, then: Option<&str>) -> Option<usize> {
        let known = Known {
            port: self.port,
            service: self.service.name.as_deref(),
            inside,
            then,
            past: &self.past,
        };
        known.next(&self.rules).filter(|_| !self.listens_only)
    }

    /// Takes what the answer tells; gives the name of the probe to go on with, if it says so.
    fn learn(&mut self) -> Option<String> {
        if self.heard.is_empty() {
            return None;
        }
        let found = self.rules.identify(self.asked_by(), &self.heard);
        let found = found.unwrap_or_default();
        let mut service = found.service;
        if self.tls.is_some() && service.starttls == Some(false) {
            // Inside TLS there is nothing to offer.
            service.starttls = None;
        }
        if service.starttls == Some(false) && self.is_whole() == Some(false) {
            // The offer may be in what is missing.
            service.starttls = None;
        }
        if self.service.name.is_none() && service.name.is_some() {
            // What did not tell anything is no evidence.
            self.service.evidence = None;
            self.service.probe = None;
        }
        self.service.complete_with(service);
        if self.service.evidence.is_none() {
            self.service.evidence = found::evidence(&self.heard);
            self.service.probe = Some(self.asked_by().into());
        }
        found.then
    }

    /// Whether what was asked is what is asked everywhere.
    fn is_asked_blindly(&self) -> bool {
        let probe = self.probe.map(|probe| &self.rules.probes()[probe]);
        probe.is_some_and(|probe| probe.anywhere)
    }

    /// What the exchange's answer is to.
    fn asked_by(&self) -> &str {
        let probe = self.probe.map(|probe| &self.rules.probes()[probe]);
        probe.map_or(GREETING, |probe| &probe.name)
    }

    /// Whether the answer is whole for certain, which saves waiting for more.
    pub(super) fn is_complete(&mut self) -> bool {
        if self.looks == MAX_LOOKS || self.is_whole() != Some(true) {
            return false;
        }
        self.looks += 1;
        self.is_understood()
    }

    /// Whether an answer that pauses may go on: it is half a page, or means nothing so far.
    pub(super) fn is_worth_waiting(&self) -> bool {
        self.heard.is_empty() || self.is_whole() == Some(false) || !self.is_understood()
    }

    /// Whether the answer is there to its end, as far as that can be told.
    pub(super) fn is_whole(&self) -> Option<bool> {
        read::is_whole(self.asked_by(), &self.heard)
    }

    /// Whether the answer is one of a service that is known.
    fn is_understood(&self) -> bool {
        self.rules.identify(self.asked_by(), &self.heard).is_some()
    }

    pub(super) fn finish(&mut self) {
        if self.service.tls.is_some() && self.service.name.is_none() {
            self.service.name = Some("tls".into());
        }
        self.phase = Phase::Done;
        self.tls = None;
        self.out = Vec::new();
        self.held = Vec::new();
        self.heard = Vec::new();
    }
}
