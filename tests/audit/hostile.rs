//! What a policy, a baseline and names say is data: in every format it comes out as text.

use serde_json::Value;

use crate::program::Open;
use crate::validate::{junit, sarif};
use crate::{Place, of_type};

/// What must not reach a reader as it is, or be taken for more than text: control of a terminal,
/// change of direction, the end of a CDATA section, markup, links, and what XML cannot have.
const HOSTILE: &str = "\x1b[2J\x1b]0;x\x07\u{202e}\u{2066}\0\u{9b}\u{fffe}\u{ffff}]]></failure>\
                       <script>&amp;\"'[link](http://198.51.100.1/){0}\r\n\u{e0041}";

/// Whether `text` can be shown as it is.
fn is_safe(text: &str) -> bool {
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    !text.contains(bad) && !text.contains(['\u{2066}', '\u{fffe}', '\u{ffff}', '\u{e0041}'])
}

/// A result with one open port, of a host with a hostile name, and a policy that forbids it with a
/// hostile comment, name and file name.
fn hostile_place(port: u16) -> (Place, String) {
    let place = Place::new();
    let run = place.run(&format!("127.0.0.1 -p {port} -o plain.ndjson"));
    assert_eq!(run.code, Some(0));
    let name = serde_json::to_string(HOSTILE).expect("JSON");
    let plain = place.read("plain.ndjson");
    place.write(
        "found.ndjson",
        plain.replace("\"host\":null", &format!("\"host\":{name}")),
    );
    // What is JSON is also a string of TOML, but for escapes that TOML does not have.
    let toml = HOSTILE
        .chars()
        .map(|c| format!("\\U{:08x}", u32::from(c)))
        .collect::<String>();
    // No file has NUL in its name, and not every system takes the rest.
    let file = if cfg!(unix) {
        "p\x1b[2J\u{202e}]]>.toml"
    } else {
        "p\u{202e}.toml"
    };
    let rule = format!("[[rule]]\nforbidden = {port}\nname = \"{toml}\"\ncomment = \"{toml}\"");
    place.write(file, rule);
    (place, file.into())
}

fn report(place: &Place, args: &[&str]) -> crate::program::Ran {
    let mut command = crate::program::nishad();
    command.current_dir(place.0.path()).arg("report").args(args);
    command.output().expect("the program starts").into()
}

#[test]
fn policies_and_names_are_text_in_every_format() {
    const TEST: &str = "hostile::policies_and_names_are_text_in_every_format";
    let open = Open::new();
    let (place, policy) = hostile_place(open.port());
    let audit = |more: &[&str]| {
        let args = ["found.ndjson", "--expect", &policy];
        let ran = report(&place, &[&args[..], more].concat());
        assert_eq!((ran.code, &*ran.err), (Some(1), ""));
        assert!(is_safe(&ran.out), "{:?}", ran.out);
        ran.out
    };
    let shown = "\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{202e}\\u{2066}\\u{0}\\u{9b}\\u{fffe}\\u{ffff}]]>\
                 </failure><script>&amp;\"'[link](http://198.51.100.1/){0}\\u{d}\\u{a}\\u{e0041}";

    let text = audit(&[]);
    let findings: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("forbidden-open"))
        .collect();
    assert_eq!(findings.len(), 1, "{text}");
    assert!(
        findings[0].contains(&format!("127.0.0.1 ({shown}) port ")),
        "{text}"
    );
    assert!(
        findings[0].ends_with(&format!(": {shown}: {shown}]")),
        "{text}"
    );

    let ndjson = audit(&["--format", "ndjson"]);
    let finding = &of_type(&ndjson, "finding")[0];
    assert_eq!(finding["host"], HOSTILE);
    assert_eq!(finding["rule"]["comment"], HOSTILE);
    assert_eq!(finding["rule"]["file"], policy);
    assert_eq!(of_type(&ndjson, "audit")[0]["policy"]["file"], policy);

    let document = sarif(&audit(&["--format", "sarif"]));
    let result = &document["runs"][0]["results"][0];
    let message = result["message"]["text"].as_str().expect("text");
    assert!(is_safe(message), "{message:?}");
    // No link is made of it (SARIF 3.11.6).
    assert!(
        message.contains("(link)(http") && !message.contains('['),
        "{message}"
    );
    let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(uri.as_str().expect("text").is_ascii(), "{uri}");

    audit(&["-o", "junit:a.xml"]);
    assert!(is_safe(&place.read("a.xml")));
    if let Some(cases) = junit(TEST, &place, "a.xml") {
        let case = cases.last().expect("tests");
        assert_eq!(case[0], format!("127.0.0.1 ({shown})"));
        assert!(
            case[3].ends_with(&format!(": {shown}: {shown}]")),
            "{}",
            case[3]
        );
    }
}

#[test]
fn baselines_are_text_in_every_format() {
    const TEST: &str = "hostile::baselines_are_text_in_every_format";
    let open = Open::new();
    let (place, _) = hostile_place(open.port());
    // A host that only the baseline has, with a name from it.
    let plain = place.read("found.ndjson");
    place.write("old.ndjson", plain.replace("127.0.0.1", "127.0.0.2"));
    let audit = |more: &[&str]| {
        let args = ["plain.ndjson", "--baseline", "old.ndjson"];
        let ran = report(&place, &[&args[..], more].concat());
        assert_eq!((ran.code, &*ran.err), (Some(3), ""));
        assert!(is_safe(&ran.out), "{:?}", ran.out);
        ran.out
    };
    let gone = |finding: &Value| finding["ip"] == "127.0.0.2";
    let ndjson = audit(&["--format", "ndjson"]);
    let finding = of_type(&ndjson, "finding")
        .into_iter()
        .find(gone)
        .expect("a finding");
    assert_eq!(finding["host"], HOSTILE);
    let text = audit(&[]);
    let told = text
        .lines()
        .filter(|line| line.contains("127.0.0.2 (\\u{1b}[2J"));
    assert_eq!(told.count(), 1, "{text}");
    let document = sarif(&audit(&["--format", "sarif"]));
    let results = document["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 2, "{results:?}");
    audit(&["-o", "junit:b.xml"]);
    if let Some(cases) = junit(TEST, &place, "b.xml") {
        let failed = cases.iter().filter(|case| case[2] == "error");
        assert_eq!(failed.count(), 2, "{cases:?}");
    }
}

/// What is not even text, or too long, is told in one short line that can be shown.
#[test]
fn what_is_no_text_is_one_line_of_error() {
    let place = Place::new();
    let open = Open::new();
    let run = place.run(&format!("127.0.0.1 -p {} -o good.ndjson", open.port()));
    assert_eq!(run.code, Some(0));
    let good = place.read("good.ndjson");
    let start = good.lines().next().expect("a line");
    let line = |bytes: &[u8]| [start.as_bytes(), b"\n", bytes, b"\n"].concat();
    let long = "x".repeat(10 << 20);
    let too_long = "x".repeat(17 << 20);
    for (what, bytes) in [
        (
            "invalid",
            line(b"{\"type\":\"port\",\"ip\":\"\xff\xfe\x1b[2J\"}"),
        ),
        ("nul", line(b"\0\0\0\x1b[2J")),
        (
            "long",
            line(format!("{{\"type\":\"port\",\"ip\":\"{long}\"}}").as_bytes()),
        ),
        ("too long", line(too_long.as_bytes())),
        ("nothing", Vec::new()),
        ("nested", line("[".repeat(1 << 20).as_bytes())),
    ] {
        place.write("old.ndjson", &bytes);
        let ran = report(&place, &["good.ndjson", "--baseline", "old.ndjson"]);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{what}");
        assert!(
            ran.err.starts_with("error: old.ndjson"),
            "{what}: {}",
            ran.err
        );
        assert!(
            ran.err.len() < 500 && is_safe(&ran.err),
            "{what}: {:?}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1, "{what}: {}", ran.err);
    }
    for (what, bytes) in [
        ("invalid", b"default = \"\xff\"".to_vec()),
        ("nul", b"default = \"\0\x1b[2J\"".to_vec()),
        ("long", format!("default = \"{long}\"").into_bytes()),
        (
            "key",
            format!("\"{}\\u001b[2J\" = 1", &long[..500_000]).into_bytes(),
        ),
        (
            "nested",
            format!("default = {}", "[".repeat(500_000)).into_bytes(),
        ),
        (
            "tables",
            "[a.b.c]\n[d.\u{202e}]\n".repeat(1000).into_bytes(),
        ),
    ] {
        place.write("p.toml", &bytes);
        let ran = report(&place, &["good.ndjson", "--expect", "p.toml"]);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{what}");
        assert!(ran.err.starts_with("error: p.toml:"), "{what}: {}", ran.err);
        assert!(
            ran.err.len() < 1000 && is_safe(&ran.err),
            "{what}: {:?}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1, "{what}: {}", ran.err);
    }
}
