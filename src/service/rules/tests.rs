use super::*;

fn service(probe: &str, answer: &[u8]) -> Service {
    let rules = shared();
    rules.identify(probe, answer).expect("a match").service
}

#[test]
fn every_built_in_pattern_compiles() {
    // As the user's they are checked when they are read.
    let mut rules = Rules::default();
    rules
        .read("builtin.toml", BUILTIN, Origin::User)
        .expect("patterns, groups, probes");
    assert!(!rules.own.is_empty());
}

#[test]
fn greetings_of_ssh() {
    let found = service("greeting", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    assert_eq!(found.name.as_deref(), Some("ssh"));
    assert_eq!(
        found.description(),
        "OpenSSH 9.2p1 Debian (2+deb12u3, protocol 2.0)"
    );
    assert_eq!(found.cpe, ["cpe:/a:openbsd:openssh:9.2p1"]);
    let found = service("greeting", b"SSH-2.0-dropbear_2022.83\r\n");
    assert_eq!(found.description(), "dropbear 2022.83 (protocol 2.0)");
    let found = service("greeting", b"SSH-2.0-OpenSSH_9.9\r\n");
    assert_eq!(found.description(), "OpenSSH 9.9 (protocol 2.0)");
    assert_eq!(found.os, None);
}

#[test]
fn a_users_rules_come_first_and_fill_no_field_with_nothing() {
    let own = r#"
        [[match]]
        pattern = '^SSH-2.0-Mine(_(\d+))?'
        name = "mine"
        version = "$2"
        info = "costs $$$2"
        product = "$1"
    "#;
    let rules = Rules::new(&[("own.toml", own)]).expect("rules");
    let found = |answer| rules.identify("greeting", answer).expect("a match").service;
    let mine = found(b"SSH-2.0-Mine\r\n");
    assert_eq!(mine.name.as_deref(), Some("mine"));
    assert_eq!((mine.version, mine.info, mine.product), (None, None, None));
    assert_eq!(
        found(b"SSH-2.0-Mine_7\r\n").info.as_deref(),
        Some("costs $7")
    );
    assert_eq!(found(b"SSH-2.0-x\r\n").name.as_deref(), Some("ssh"));
}

#[test]
fn faults_are_told_with_file_line_and_column() {
    for (text, place, message) in [
        ("[[match]]\npattern = '^('\n", "2:11", "unclosed group"),
        (
            "[[match]]\npattern = 'x'\nname = \"é\" \"\n",
            "3:12",
            "newline",
        ),
        ("[[match]]\npatern = 'x'\n", "2:1", "unknown field `patern`"),
        (
            "[[match]]\npattern = 'x'\nproduct = '$1'",
            "3:11",
            "no group 1",
        ),
        (
            "[[match]]\npattern = '(x)'\nproduct = 'a$'",
            "3:11",
            "$$ for a dollar",
        ),
        (
            "[[match]]\npattern = 'x'\nserver = 'y'",
            "1:1",
            "one of `pattern`",
        ),
        (
            "greets = '1'\n[[match]]\nname = 'x'",
            "2:1",
            "one of `pattern`",
        ),
        (
            "[[match]]\npattern = 'x'\nprobe = 'no'",
            "3:9",
            "no probe has this name",
        ),
        (
            "[[match]]\npattern = 'x'\nthen = 'no'",
            "3:8",
            "no probe has this name",
        ),
        (
            "[[match]]\npattern = '(a{1000}){1000}'",
            "2:11",
            "size limit",
        ),
        (
            "[[probe]]\nname = 'http'\nsend='x'",
            "2:8",
            "is there already",
        ),
        (
            "[[probe]]\nname = 'greeting'\nsend='x'",
            "2:8",
            "is there already",
        ),
        ("[[probe]]\nname = 'A'\nsend='x'", "2:8", "a-z, 0-9"),
        ("[[probe]]\nname = 'a'", "2:8", "has one of"),
        ("[[probe]]\nname = 'a'\nsend=''", "2:8", "sends 1 to"),
        ("[[probe]]\nname = 'a'\nhex='0'", "3:5", "pairs of digits"),
        ("[[probe]]\nname = 'a'\nhex='0g'", "3:5", "pairs of digits"),
        (
            "[[probe]]\nname = 'a'\nhex='00'\nports='70000'",
            "4:7",
            "above 65535",
        ),
        (
            "\"a\\u001b\\u202e\" = 1",
            "1:1",
            "unknown field `a\\u{1b}\\u{202e}`",
        ),
        ("greets = '1-'\nx = 1", "2:1", "unknown field `x`"),
    ] {
        let error = Rules::new(&[("own.toml", text)])
            .expect_err(text)
            .to_string();
        assert!(
            error.starts_with(&format!("own.toml:{place}: ")) && error.contains(message),
            "{text:?}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let long = "#".repeat(2 << 20);
    let error = Rules::new(&[("own.toml", &long)])
        .map(drop)
        .expect_err("too long");
    assert_eq!(error.line, 1);
}

#[test]
fn what_a_pattern_begins_with() {
    for (pattern, prefix) in [
        ("^SSH-2", "SSH-2"),
        (r"^a\.b.c", "a.b"),
        ("^ab*", "a"),
        ("^ab?c", "a"),
        ("^ab{0,2}", "a"),
        ("^ab+", "ab"),
        ("^a|b", ""),
        ("abc", ""),
        ("(?i)^abc", ""),
        (r"^\d", ""),
        (r"^a\x00", "a"),
    ] {
        assert_eq!(pattern::prefix(pattern), prefix.as_bytes(), "{pattern}");
    }
}
