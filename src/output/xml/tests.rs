//! XML on hand-made reports, read back by quick-xml.

use std::collections::BTreeMap;

use quick_xml::{Reader, XmlVersion};

use super::*;
use crate::engine::{Reason, Report, Trust};
use crate::output::made::{counts, document, host, port, recorder, run};
use crate::output::{Output, Show};
use crate::service::Service;

/// Every tag with its attributes, as a reader has them.
fn tags(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        let tag = match reader.read_event().expect("well-formed") {
            Event::Start(tag) | Event::Empty(tag) => tag,
            Event::Eof => return found,
            _ => continue,
        };
        let name = tag.name().as_ref().to_string();
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.expect("well-formed");
            let key = attribute.key.as_ref().to_string();
            (
                key,
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .expect("escaped")
                    .into_owned(),
            )
        });
        found.push((name, attributes.collect()));
    }
}

fn of<'a>(
    tags: &'a [(String, BTreeMap<String, String>)],
    name: &'a str,
) -> impl Iterator<Item = &'a BTreeMap<String, String>> {
    tags.iter()
        .filter(move |tag| tag.0 == name)
        .map(|tag| &tag.1)
}

fn written(show: Show, reports: &[Report]) -> String {
    let mut output = Output::Xml(Xml::new(TimeZone::UTC));
    let text = document(
        &mut recorder(show),
        &mut output,
        reports,
        &run(3, counts(1, 2, 3, 4)),
    );
    let Output::Xml(xml) = output else {
        panic!("it was XML")
    };
    assert!(xml.held.is_empty(), "ports of complete hosts are held");
    text
}

#[test]
fn every_port_is_listed_or_counted_with_its_reason() {
    let reports = [
        port(None, 443, Reason::NoResponse),
        port(None, 3, Reason::ConnRefused),
        port(None, 22, Reason::SynAck),
        port(None, 4, Reason::ConnRefused),
        port(None, 80, Reason::AdminProhibited),
        port(None, 9, Reason::NoResponse),
        host(None, counts(1, 2, 3, 0), Trust::default()),
    ];
    let facts = |show| {
        let tags = tags(&written(show, &reports));
        let port = |tag: &BTreeMap<String, String>| tag["portid"].clone();
        let ports: Vec<_> = of(&tags, "port").map(port).collect();
        let extra = |tag: &BTreeMap<String, String>| {
            let what = tag.get("state").or(tag.get("reason")).cloned();
            format!("{} {}", what.expect("one of them"), tag["count"])
        };
        let all = tags.iter().filter(|tag| tag.0.starts_with("extra"));
        let extra = all.map(|tag| extra(&tag.1)).collect::<Vec<_>>().join(", ");
        (ports.join(" "), extra)
    };
    assert_eq!(
        facts(Show::default()),
        (
            "22".into(),
            "filtered 3, no-response 2, admin-prohibited 1, closed 2, conn-refused 2".into()
        )
    );
    assert_eq!(
        facts(Show::with(&[State::Filtered])),
        ("9 22 80 443".into(), "closed 2, conn-refused 2".into())
    );
    let tags = tags(&written(Show::default(), &reports));
    let ports = of(&tags, "scaninfo").next().expect("it is there");
    assert_eq!((&*ports["services"], &*ports["numservices"]), ("1-4", "4"));
    let finished = of(&tags, "finished").next().expect("it is there");
    assert_eq!(finished["exit"], "error");
    assert!(finished["errormsg"].starts_with("incomplete: 4 ports unscanned"));
}

#[test]
fn what_comes_from_outside_is_an_attribute_and_no_more() {
    let name = "]]><!--\"'&x;\u{1b}[2J\u{202e}\n\t\u{85}\u{fffe}é";
    let reports = [
        port(Some(name), 22, Reason::SynAck),
        host(Some(name), counts(1, 0, 0, 0), Trust::default()),
    ];
    let text = written(Show::default(), &reports);
    let raw = text.chars().find(|c| *c != '\n' && is_dangerous(*c));
    assert_eq!(raw, None, "{text}");
    let tags = tags(&text);
    let read = of(&tags, "hostname").next().expect("it is there");
    assert_eq!(
        read["name"],
        name.replace(['\u{1b}', '\u{fffe}'], "\u{fffd}")
    );
    assert_eq!(
        of(&tags, "nmaprun").next().expect("it is there")["args"],
        "nishad \u{202e}\u{e0041}x"
    );
    let long = reference(&"x".repeat(2 * LONGEST));
    assert_eq!(long.chars().count(), LONGEST + 1);
}

#[test]
fn a_host_that_accepts_everything_is_counted_and_named() {
    let reports = [
        port(None, 22, Reason::SynAck),
        host(
            None,
            counts(1, 0, 0, 0),
            Trust {
                accepts_all: 30,
                ..Trust::default()
            },
        ),
    ];
    for (show, listed) in [(Show::default(), 0), (Show::with(&[State::Open]), 1)] {
        let tags = tags(&written(show, &reports));
        assert_eq!(of(&tags, "port").count(), listed);
        assert_eq!(of(&tags, "extraports").count(), 1 - listed);
        let host = of(&tags, "host").next().expect("it is there");
        assert_eq!(host["comment"], "suspect: accepts-all");
    }
}

/// What a port that was talked to tells, in the order in which nmap has it.
#[test]
fn what_answers_is_a_probed_service() {
    let found = Service {
        name: Some("http".into()),
        product: Some("a<b>\u{1b}".into()),
        version: Some("1.0".into()),
        cpe: vec!["cpe:/a:x&y".into()],
        tls: Some(Box::default()),
        ..Service::default()
    };
    let mut field = ServiceField::from(Some("https"));
    let written = |field: &ServiceField<'_>| {
        let mut text = Tags(Writer::new(Vec::new()));
        service(&mut text, field).expect("a Vec takes all");
        String::from_utf8(text.0.into_inner()).expect("UTF-8")
    };
    let table = "<service name=\"https\" method=\"table\" conf=\"3\"/>\n";
    assert_eq!(written(&field), table);
    field.found = Some(found.into());
    assert_eq!(
        written(&field),
        "<service name=\"http\" method=\"probed\" conf=\"10\" product=\"a&lt;b&gt;\u{fffd}\" \
         version=\"1.0\" tunnel=\"ssl\">\n<cpe>cpe:/a:x&amp;y</cpe></service>\n"
    );
    assert_eq!(written(&ServiceField::default()), "");
}
