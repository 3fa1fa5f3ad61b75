//! JUnit XML of an audit, as CI systems read it: a suite for the scan, the baseline and the policy.
//!
//! What differs or breaks a rule is a failure, what cannot be told an error, an exception that holds
//! a skipped test. Each suite has a test that passes, so that a clean audit is seen to have been made.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::findings::files;
use super::{Record, escape};
use crate::audit::{Audit, Finding, Findings, Outcome};

/// A suite: its name, what its passing test says, and its findings.
struct Suite<'a> {
    name: String,
    summary: String,
    findings: Option<&'a Findings>,
    /// Why the summary is an error instead.
    error: Option<&'static str>,
}

/// Tests of a suite, or of all.
#[derive(Clone, Copy, Default)]
struct Sums {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

/// Writes the whole document, if `record` is the audit. Errors are those of `out`.
pub fn write(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    match record {
        Record::Audit(audit) => document(out, audit),
        _ => Ok(()),
    }
}

fn document(out: &mut impl Write, audit: &Audit) -> io::Result<()> {
    let suites = suites(audit);
    let all = suites
        .iter()
        .map(Suite::sums)
        .fold(Sums::default(), Sums::plus);
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = xml
        .create_element("testsuites")
        .with_attribute(("name", "nishad"));
    // Jenkins' schema has no skipped tests here.
    let root = all
        .attributes()
        .into_iter()
        .take(3)
        .fold(root, |root, (key, value)| {
            root.with_attribute((key, &*value))
        });
    root.write_inner_content(|xml| suites.iter().try_for_each(|suite| suite.write(xml, audit)))?;
    out.write_all(b"\n")
}

fn suites(audit: &Audit) -> Vec<Suite<'_>> {
    let mut suites = vec![Suite {
        name: "scan".into(),
        summary: "the scan is complete".into(),
        findings: None,
        error: audit.incomplete.then_some("the scan is incomplete"),
    }];
    suites.extend(audit.baseline.as_ref().map(|compared| Suite {
        name: format!("baseline {}", files(compared)),
        summary: format!("ports compared: {}", compared.ports),
        findings: Some(&compared.findings),
        error: None,
    }));
    suites.extend(audit.policy.as_ref().map(|checked| Suite {
        name: format!("policy {}", escape(&checked.file)),
        summary: format!("ports checked: {}", checked.ports),
        findings: Some(&checked.findings),
        error: None,
    }));
    suites
}

impl Suite<'_> {
    fn sums(&self) -> Sums {
        let error = u64::from(self.error.is_some());
        let own = Sums {
            tests: 1,
            errors: error,
            ..Sums::default()
        };
        let findings = self.findings.into_iter();
        let more = findings
            .clone()
            .filter(|findings| findings.not_listed() > 0);
        let listed = findings.flat_map(Findings::list).map(|finding| Sums {
            tests: 1,
            failures: u64::from(finding.kind.outcome() == Outcome::Failed),
            errors: u64::from(finding.kind.outcome() == Outcome::Incomplete),
            skipped: u64::from(finding.kind.outcome() == Outcome::Clean),
        });
        let more = more.map(|_| Sums {
            tests: 1,
            errors: 1,
            ..Sums::default()
        });
        listed.chain(more).fold(own, Sums::plus)
    }

    fn write<W: Write>(&self, xml: &mut Writer<W>, audit: &Audit) -> io::Result<()> {
        // The date and time of XML Schema, in UTC, without what some readers do not know.
        let started = format!("{:.0}", TimeZone::UTC.to_datetime(audit.started));
        let time = format!("{:.3}", audit.elapsed_s);
        let sums = self.sums().attributes();
        let suite = xml
            .create_element("testsuite")
            .with_attribute(("name", &*self.name))
            .with_attribute(("timestamp", &*started));
        let suite = match self.findings {
            None => suite.with_attribute(("time", &*time)),
            Some(_) => suite.with_attribute(("time", "0")),
        };
        let suite = sums.iter().fold(suite, |suite, (key, value)| {
            suite.with_attribute((*key, &**value))
        });
        suite.write_inner_content(|xml| {
            self.summary(xml)?;
            let findings = self.findings.into_iter();
            let mut names = Names::default();
            findings
                .clone()
                .flat_map(Findings::list)
                .try_for_each(|finding| case(xml, finding, &mut names))?;
            match findings.map(Findings::not_listed).sum() {
                0 => Ok(()),
                more => self.not_listed(xml, more),
            }
        })?;
        Ok(())
    }

    fn summary<W: Write>(&self, xml: &mut Writer<W>) -> io::Result<()> {
        let case = xml
            .create_element("testcase")
            .with_attribute(("classname", &*self.name))
            .with_attribute(("name", &*self.summary));
        match self.error {
            None => case.write_empty()?,
            Some(error) => {
                case.write_inner_content(|xml| told(xml, "error", "incomplete", error))?
            }
        };
        Ok(())
    }

    fn not_listed<W: Write>(&self, xml: &mut Writer<W>, more: u64) -> io::Result<()> {
        let message = format!("{more} more findings are not listed");
        let case = xml
            .create_element("testcase")
            .with_attribute(("classname", &*self.name))
            .with_attribute(("name", "more"));
        case.write_inner_content(|xml| told(xml, "error", "not-listed", &message))?;
        Ok(())
    }
}

/// How often a class has a test of a name: of two that are called alike, GitLab shows one.
#[derive(Default)]
struct Names(HashMap<(String, String), u64>);

impl Names {
    /// `name`, with a number if there is one of that name already.
    fn distinct(&mut self, class: &str, name: String) -> String {
        let before = self.0.entry((class.into(), name.clone())).or_default();
        *before += 1;
        match *before {
            1 => name,
            nth => format!("{name} ({nth})"),
        }
    }
}

/// The test that `finding` is.
fn case<W: Write>(xml: &mut Writer<W>, finding: &Finding, names: &mut Names) -> io::Result<()> {
    let kind = finding.kind.as_str();
    let class = match &finding.host {
        Some(host) => match &host.name {
            Some(name) => format!("{host} ({})", escape(name)),
            None => host.to_string(),
        },
        None => "all hosts".into(),
    };
    let name = match finding.ports_in_short() {
        Some(ports) => format!("{kind}: {ports}"),
        None => kind.into(),
    };
    let name = names.distinct(&class, name);
    let case = xml
        .create_element("testcase")
        .with_attribute(("classname", &*class))
        .with_attribute(("name", &*name));
    let message = finding.to_string();
    case.write_inner_content(|xml| match finding.kind.outcome() {
        Outcome::Failed => told(xml, "failure", kind, &message),
        Outcome::Incomplete => told(xml, "error", kind, &message),
        Outcome::Clean => {
            let skipped = xml.create_element("skipped");
            skipped
                .with_attribute(("message", &*message))
                .write_empty()?;
            Ok(())
        }
    })?;
    Ok(())
}

fn told<W: Write>(xml: &mut Writer<W>, what: &str, kind: &str, message: &str) -> io::Result<()> {
    let element = xml
        .create_element(what)
        .with_attribute(("type", kind))
        .with_attribute(("message", message));
    element.write_text_content(BytesText::new(message))?;
    Ok(())
}

impl Sums {
    fn plus(self, other: Sums) -> Sums {
        Sums {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
        }
    }

    fn attributes(&self) -> [(&'static str, String); 4] {
        [
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Checked, Kind};

    #[test]
    fn no_two_tests_of_a_class_are_called_alike() {
        let mut findings = Findings::default();
        for message in ["one gap", "another", "a third"] {
            findings.add(Finding::new(Kind::Unclear, message.into()));
        }
        for rule in 0..2 {
            findings.add(Finding {
                port: Some(22),
                ..Finding::new(Kind::Unclear, format!("required [{rule}]"))
            });
        }
        let audit = Audit {
            policy: Some(Checked {
                findings,
                ..Checked::default()
            }),
            ..Audit::default()
        };
        let mut out = Vec::new();
        document(&mut out, &audit).expect("a Vec takes all");
        let text = String::from_utf8(out).expect("UTF-8");
        let names = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once("classname=\"all hosts\" name=\"")?;
            Some(rest.split_once('"')?.0)
        });
        let wanted = [
            "unclear",
            "unclear (2)",
            "unclear (3)",
            "unclear: port 22",
            "unclear: port 22 (2)",
        ];
        assert_eq!(names.collect::<Vec<_>>(), wanted, "{text}");
    }
}
