//! What answers on a port, in words.

use jiff::tz::TimeZone;

use crate::output::escape;
use crate::service::{Http, Manner, Service, Tls};

/// Product and version, or how the port behaves if it tells none.
pub(super) fn description(service: &Service) -> String {
    let told = service.description();
    let behaves = match service.manner {
        Manner::Silent => "says nothing",
        Manner::Closes => "closes at once",
        Manner::Resets => "resets at once",
        Manner::Unasked => "not asked",
        Manner::Answers if service.name.is_none() => "says something unknown",
        Manner::Answers => "",
    };
    match told.is_empty() {
        true => behaves.into(),
        false => escape(&told).to_string(),
    }
}

/// What else there is to tell, a line each.
pub(super) fn details(service: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(http) = &service.http {
        lines.extend(of_http(http));
    }
    if let Some(tls) = &service.tls {
        lines.extend(of_tls(tls));
    }
    if service.starttls == Some(true) {
        lines.push("offers STARTTLS".into());
    }
    if let (None, Some(evidence)) = (&service.name, &service.evidence) {
        lines.push(format!("said: {}", escape(evidence)));
    }
    lines
}

fn of_http(http: &Http) -> impl Iterator<Item = String> {
    let mut line = format!("HTTP {}", http.status);
    if let Some(to) = &http.redirect {
        line += &format!(" to {}", escape(to));
    }
    let title = http.title.as_deref();
    let title = title.map(|title| format!("title: {}", escape(title)));
    let login = http.login.as_deref();
    let login = login.map(|login| format!("login: {}", escape(login)));
    [Some(line), title, login].into_iter().flatten()
}

fn of_tls(tls: &Tls) -> impl Iterator<Item = String> {
    let session = [&tls.version, &tls.cipher, &tls.alpn, &tls.failure];
    let session = session
        .into_iter()
        .flatten()
        .map(|part| escape(part).to_string());
    let session = session.collect::<Vec<_>>().join(", ");
    let certificate = tls.certificate.as_ref().map(|certificate| {
        let mut line = "certificate:".to_string();
        if let Some(subject) = &certificate.subject {
            line += &format!(" {}", escape(subject));
        }
        if let Some(until) = certificate.not_after {
            line += &format!(" until {}", TimeZone::UTC.to_datetime(until).date());
        }
        match tls.trusted {
            Some(true) => line += ", trusted",
            Some(false) => line += ", not trusted",
            None => {}
        }
        line
    });
    let session = (!session.is_empty()).then_some(session);
    [session, certificate].into_iter().flatten()
}
