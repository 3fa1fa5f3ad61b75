//! Whether the services of a host are no services: all of them alike, or none of them talking.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::found::{Manner, Service};

/// Services that are called alike; fewer may be so by chance.
pub const MIN_ALIKE: u32 = 8;

/// In what the services of a host are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alike {
    /// They accept and never say anything.
    Silent,
    /// They close every connection without a word.
    Closes,
    /// They reset every connection without a word.
    Resets,
    /// They all say the same.
    Same,
}

impl Alike {
    /// The word for it: `silent`, `closes`, `resets`, `same`.
    pub fn as_str(self) -> &'static str {
        match self {
            Alike::Silent => "silent",
            Alike::Closes => "closes",
            Alike::Resets => "resets",
            Alike::Same => "same",
        }
    }
}

/// What the services of a host have in common, in a few bytes however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likeness {
    /// Services that were asked.
    services: u32,
    /// What the first of them did, and a digest of what it said.
    first: Option<(Manner, u64)>,
    /// Whether another did or said something else.
    differ: bool,
}

impl Likeness {
    /// Counts one more. Those that were not asked, as printers are not, do not count.
    pub fn add(&mut self, service: &Service) {
        if service.manner == Manner::Unasked {
            return;
        }
        let this = (service.manner, digest(service));
        self.differ |= *self.first.get_or_insert(this) != this;
        self.services = self.services.saturating_add(1);
    }

    /// In what all of them are alike, if they are [enough](MIN_ALIKE), and how many.
    pub fn verdict(&self) -> Option<(Alike, u32)> {
        let (manner, _) = self.first?;
        let alike = match manner {
            Manner::Answers => Alike::Same,
            Manner::Silent => Alike::Silent,
            Manner::Closes => Alike::Closes,
            Manner::Resets => Alike::Resets,
            Manner::Unasked => return None,
        };
        (!self.differ && self.services >= MIN_ALIKE).then_some((alike, self.services))
    }
}

/// What a service says, without what changes from one moment to the next: of one that is known, what
/// is known of it, of another the answer itself.
fn digest(service: &Service) -> u64 {
    let mut digest = Sha256::new();
    let mut add = |part: Option<&String>| {
        digest.update(part.map_or("", String::as_str));
        // In no text.
        digest.update([0]);
    };
    add(service.name.as_ref());
    add(service.product.as_ref());
    add(service.version.as_ref());
    add(service.info.as_ref());
    if let Some(http) = &service.http {
        add(Some(&http.status.to_string()));
        add(http.title.as_ref());
        add(http.redirect.as_ref());
    }
    if let Some(tls) = &service.tls {
        let certificate = tls.certificate.as_ref();
        add(certificate.and_then(|certificate| certificate.sha256.as_ref()));
    }
    if service.name.is_none() {
        add(service.evidence.as_ref());
    }
    let digest = digest.finalize();
    digest[..8]
        .iter()
        .fold(0, |digits, byte| digits << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(manner: Manner, evidence: &str) -> Service {
        Service {
            manner,
            evidence: Some(evidence.into()).filter(|evidence: &String| !evidence.is_empty()),
            ..Service::default()
        }
    }

    fn alike<'a>(services: impl IntoIterator<Item = &'a Service>) -> Option<(Alike, u32)> {
        let mut likeness = Likeness::default();
        services
            .into_iter()
            .for_each(|service| likeness.add(service));
        likeness.verdict()
    }

    #[test]
    fn services_of_which_no_two_differ_are_called_so() {
        for (manner, evidence, verdict) in [
            (Manner::Silent, "", Alike::Silent),
            (Manner::Closes, "", Alike::Closes),
            (Manner::Resets, "", Alike::Resets),
            (Manner::Answers, "welcome", Alike::Same),
        ] {
            let same = service(manner, evidence);
            let many = |count| std::iter::repeat_n(&same, count);
            assert_eq!(alike(many(8)), Some((verdict, 8)));
            assert_eq!(alike(many(7)), None);
            let other = service(Manner::Answers, "another");
            assert_eq!(alike(many(100).chain([&other])), None);
            assert_eq!(alike([&other].into_iter().chain(many(100))), None);
        }
        let untouched = service(Manner::Unasked, "");
        assert_eq!(alike(std::iter::repeat_n(&untouched, 100)), None);
        assert_eq!(alike([]), None);
    }

    #[test]
    fn pages_that_differ_only_in_their_date_are_the_same() {
        let pages: Vec<Service> = (0..20)
            .map(|second| Service {
                name: Some("http".into()),
                evidence: Some(format!("HTTP/1.1 200 OK, second {second}")),
                manner: Manner::Answers,
                ..Service::default()
            })
            .collect();
        assert_eq!(alike(&pages), Some((Alike::Same, 20)));
    }
}
