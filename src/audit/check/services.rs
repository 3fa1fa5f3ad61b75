//! What a policy says of the services behind open ports, and of their certificates.

use jiff::Unit;
use jiff::tz::TimeZone;

use super::{Check, bracketed};
use crate::audit::facts::Facts;
use crate::audit::known::Known;
use crate::audit::policy::{Stance, Which};
use crate::audit::{Finding, Kind, RuleRef};
use crate::engine::State;
use crate::output::escape;
use crate::service::{Certificate, Manner, Service};
use crate::target::PortSet;

impl Check {
    /// Checks what answers on the open ports of a host.
    pub(super) fn services(&mut self, facts: &Facts, rules: &[u32]) {
        let Some(asked) = self.asks_for_services(rules) else {
            return;
        };
        let mut unknown = Vec::new();
        for port in &facts.open {
            match facts.service(*port) {
                Some(service) if service.manner != Manner::Unasked => {
                    self.service(facts, rules, *port, service);
                }
                _ => unknown.push(*port),
            }
        }
        if !unknown.is_empty() {
            let message = format!(
                "what answers is not known: scan with --services{}",
                bracketed(Some(&asked))
            );
            let ports: PortSet = unknown.into_iter().collect();
            let finding = Finding {
                rule: Some(asked),
                ..Finding::new(Kind::Unclear, message).on(ports)
            };
            self.add(facts, finding);
        }
    }

    /// The last rule that says anything of services.
    pub(super) fn asks_for_services(&self, rules: &[u32]) -> Option<RuleRef> {
        let mut in_force = self.policy.chosen(rules, Which::InForce(self.day));
        let asks =
            in_force.rfind(|rule| !rule.forbid.is_empty() || rule.certificate_days.is_some());
        asks.map(|rule| self.policy.reference(rule))
    }

    fn service(&mut self, facts: &Facts, rules: &[u32], port: u16, service: &Service) {
        let findings = [
            self.forbidden_service(rules, port, service),
            service
                .tls
                .as_ref()
                .and_then(|tls| tls.certificate.as_ref())
                .and_then(|certificate| self.certificate(rules, certificate)),
        ];
        for finding in findings.into_iter().flatten() {
            self.add_port(facts, port, Known::Is(State::Open), finding);
        }
    }

    /// The last rule that forbids the service, or lets the port be open, decides.
    fn forbidden_service(&self, rules: &[u32], port: u16, service: &Service) -> Option<Finding> {
        let label = service.label();
        let names = [service.name.as_deref(), label.as_deref()];
        let forbids = |name: &str| names.contains(&Some(name));
        let mut in_force = self.policy.chosen(rules, Which::InForce(self.day));
        let decides = in_force.rfind(|rule| {
            let lets = matches!(rule.stance(port), Some(Stance::Required | Stance::Allowed));
            lets || rule.forbid.iter().any(|name| forbids(name))
        })?;
        let name = decides.forbid.iter().find(|name| forbids(name))?;
        let rule = self.policy.reference(decides);
        let message = format!(
            "speaks {}, forbidden{}",
            escape(name),
            bracketed(Some(&rule))
        );
        Some(Finding {
            rule: Some(rule),
            ..Finding::new(Kind::ForbiddenService, message)
        })
    }

    /// The last rule that says how long a certificate must be valid decides.
    fn certificate(&self, rules: &[u32], certificate: &Certificate) -> Option<Finding> {
        let mut in_force = self.policy.chosen(rules, Which::InForce(self.day));
        let rule = in_force.rfind(|rule| rule.certificate_days.is_some())?;
        let wanted = i64::from(rule.certificate_days?);
        let ends = certificate
            .not_after?
            .to_zoned_datetime(TimeZone::UTC)
            .date();
        let left = self.day.until((Unit::Day, ends)).ok()?.get_days();
        if i64::from(left) >= wanted {
            return None;
        }
        let rule = self.policy.reference(rule);
        let whose = certificate
            .subject
            .as_deref()
            .map_or(String::new(), |subject| format!(" of {}", escape(subject)));
        let when = match left {
            ..0 => format!("expired on {ends}"),
            _ => format!("expires on {ends}, within {wanted} days"),
        };
        Some(Finding {
            message: format!("the certificate{whose} {when}{}", bracketed(Some(&rule))),
            rule: Some(rule),
            ..Finding::new(Kind::Certificate, String::new())
        })
    }
}
