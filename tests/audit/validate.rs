//! Findings as CI systems read them, with parsers of theirs.

use std::process::{Command, Output};

use serde_json::Value;

use crate::Place;
use crate::lab::{runs, skip};
use crate::program::{Closed, Open};

/// What OASIS publishes for SARIF 2.1.0, from
/// https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json.
const SARIF: &str = include_str!("../support/sarif-schema-2.1.0.json");

/// What Jenkins' xunit plugin takes for JUnit XML.
const JUNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/junit-10.xsd");

/// Reads SARIF, which must be valid by its schema.
pub fn sarif(text: &str) -> Value {
    // A bracket too many in the pattern of a property that is not used here; not every reader takes it.
    let schema = SARIF.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let document: Value = serde_json::from_str(text).expect("JSON");
    let errors: Vec<_> = schema
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0], "{text}");
    document
}

/// Reads JUnit XML, which must be valid by Jenkins' schema, with Python's junitparser: each test as
/// class, name, what it came to, and the message. `None`: these are not installed here.
pub fn junit(test: &str, place: &Place, name: &str) -> Option<Vec<[String; 4]>> {
    if !runs("xmllint --version") {
        skip(test, "xmllint (libxml2-utils) is not installed");
        return None;
    }
    let valid = Command::new("xmllint")
        .args(["--noout", "--schema", JUNIT, name])
        .current_dir(place.0.path())
        .output()
        .expect("it runs");
    assert!(
        valid.status.success(),
        "{}",
        String::from_utf8_lossy(&valid.stderr)
    );
    // Debian's, which its packages are for: another may come first on the PATH.
    let read = Command::new("/usr/bin/python3")
        .args(["-c", READ, name])
        .current_dir(place.0.path())
        .output();
    let told = |read: &Output| String::from_utf8_lossy(&read.stderr).into_owned();
    let missing = |read: &Output| told(read).contains("No module named 'junitparser'");
    let Some(read) = read.ok().filter(|read| !missing(read)) else {
        skip(
            test,
            "Python's junitparser (python3-junitparser) is not installed",
        );
        return None;
    };
    let errors = told(&read);
    assert!(read.status.success(), "{errors}");
    let text = String::from_utf8(read.stdout).expect("UTF-8");
    let case = |line: &str| serde_json::from_str(line).expect("texts");
    Some(text.lines().map(case).collect())
}

/// Prints a line of JSON for each test; that the sums are right is asked for, too.
const READ: &str = r#"
import json, sys
from junitparser import JUnitXml, Error, Failure, Skipped
xml = JUnitXml.fromfile(sys.argv[1])
said = (xml.tests, xml.failures, xml.errors)
for suite in xml:
    told = (suite.tests, suite.failures, suite.errors, suite.skipped)
    suite.update_statistics()
    assert told == (suite.tests, suite.failures, suite.errors, suite.skipped), told
    for case in suite:
        result = case.result[0] if case.result else None
        names = {Error: "error", Failure: "failure", Skipped: "skipped", type(None): "passed"}
        message = result.message if result is not None else ""
        print(json.dumps([case.classname, case.name, names[type(result)], message]))
xml.update_statistics()
assert said == (xml.tests, xml.failures, xml.errors), said
"#;

#[test]
fn findings_are_read_by_ci_systems() {
    const TEST: &str = "validate::findings_are_read_by_ci_systems";
    let place = Place::new();
    let (open, other, closed) = (Open::new(), Open::new(), Closed::new());
    let held = (open, other, closed);
    let (open, other, closed) = (held.0.port(), held.1.port(), held.2.port());
    place.write(
        "p.toml",
        format!(
            "[[rule]]\nrequired = [{closed}, 9]\nname = 'web'\n\
             [[rule]]\nallowed = {other}\nuntil = 2999-12-31\ncomment = 'old'"
        ),
    );
    let scan = format!("127.0.0.1 -p {open},{other},{closed}");
    let run = place.run(&format!(
        "{scan} --expect p.toml --junit a.xml --sarif a.sarif"
    ));
    assert_eq!((run.code, &*run.err), (Some(1), ""), "{}", run.out);
    // The usual output is there, too.
    assert!(run.out.contains("Audit: failed"), "{}", run.out);

    let document = sarif(&place.read("a.sarif"));
    let results = document["runs"][0]["results"]
        .as_array()
        .expect("results")
        .clone();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let rule = &document["runs"][0]["tool"]["driver"]["rules"];
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rule[index]["id"], result["ruleId"]);
            let place = &result["locations"][0]["physicalLocation"];
            (
                result["ruleId"].as_str().expect("text"),
                result["level"].as_str().expect("text"),
                place["artifactLocation"]["uri"].as_str().expect("text"),
                place["region"]["startLine"].as_u64().expect("a line"),
            )
        })
        .collect();
    let wanted = [
        ("required-missing", "error", "p.toml", 1),
        ("not-allowed", "error", "p.toml", 1),
        ("unclear", "warning", "p.toml", 1),
        ("excepted", "note", "p.toml", 4),
    ];
    assert_eq!(told, wanted);
    assert_eq!(results[3]["suppressions"][0]["justification"], "old");
    assert_eq!(
        results[0]["message"]["text"],
        format!("127.0.0.1 port {closed}: is not open, required (p.toml:1: web)")
    );

    let Some(cases) = junit(TEST, &place, "a.xml") else {
        return;
    };
    let told: Vec<_> = cases.iter().map(|case| (&*case[1], &*case[2])).collect();
    let names = [
        format!("required-missing: port {closed}"),
        format!("not-allowed: port {open}"),
        format!("excepted: port {other}"),
    ];
    let wanted = [
        ("the scan is complete", "passed"),
        ("ports checked: 3", "passed"),
        (&*names[0], "failure"),
        (&*names[1], "failure"),
        (&*names[2], "skipped"),
        ("unclear: port 9", "error"),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_clean_audit_is_seen_to_have_been_made() {
    const TEST: &str = "validate::a_clean_audit_is_seen_to_have_been_made";
    let place = Place::new();
    let open = Open::new();
    let scan = format!("127.0.0.1 -p {}", open.port());
    assert_eq!(place.run(&format!("{scan} -o old.ndjson")).code, Some(0));
    let run = place.run(&format!(
        "{scan} --baseline old.ndjson --junit a.xml --format sarif"
    ));
    assert_eq!((run.code, &*run.err), (Some(0), ""));
    let document = sarif(&run.out);
    assert_eq!(document["runs"][0]["results"], Value::Array(Vec::new()));
    assert_eq!(
        document["runs"][0]["invocations"][0]["executionSuccessful"],
        true
    );
    if let Some(cases) = junit(TEST, &place, "a.xml") {
        let told: Vec<_> = cases.iter().map(|case| (&*case[0], &*case[2])).collect();
        assert_eq!(
            told,
            [("scan", "passed"), ("baseline old.ndjson", "passed")]
        );
    }
}
