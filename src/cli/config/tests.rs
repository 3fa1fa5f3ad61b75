use super::*;
use crate::cli::args::Args;
use crate::cli::command::command;
use clap::FromArgMatches;

/// What is configured by a file that holds `file`, by `variables` and by what was typed.
fn configured(typed: &str, variables: &[(&str, &str)], file: &str) -> Result<Configured, String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("nishad.toml");
    std::fs::write(&path, file).expect("writable");
    let mut variables: Vec<(OsString, OsString)> = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    if !file.is_empty() {
        variables.push(("NISHAD_CONFIG".into(), path.clone().into()));
    }
    let typed = typed.split_whitespace().map(OsString::from).collect();
    let short = |text: String| text.replace(&path.to_string_lossy().into_owned(), "FILE");
    configure(&command(), typed, variables.into_iter()).map_err(|refused| match refused {
        Refused::Typed(error) => error.to_string(),
        Refused::Configured(said) => short(said),
    })
}

fn args(typed: &str, variables: &[(&str, &str)], file: &str) -> Args {
    let configured = configured(typed, variables, file).expect("right");
    Args::from_arg_matches(&configured.matches).expect("right")
}

#[test]
fn the_nearer_place_wins() {
    let file = "retries = 1\ntimeout = \"3s\"\nrate = 50\nexact = true\nmiss = 1e-3\n";
    let variables = [("NISHAD_RETRIES", "2"), ("NISHAD_TIMEOUT", "2s")];
    let args = args("nishad -t 1s h", &variables, file);
    assert_eq!(args.timeout.map(|t| t.as_secs()), Some(1));
    assert_eq!(args.retries, Some(2));
    assert_eq!(
        (args.rate, args.exact, args.miss),
        (Some(50.0), true, Some(1e-3))
    );
    assert_eq!(args.targets, ["h"]);
}

#[test]
fn lists_are_given_one_by_one_and_replaced_as_a_whole() {
    let file = "exclude = [\"a.example\", \"10.0.0.0/8\"]\nports = \"-\"\n";
    let excluded = |typed: &str| args(typed, &[], file).exclude;
    assert_eq!(excluded("nishad h"), ["a.example", "10.0.0.0/8"]);
    assert_eq!(excluded("nishad --exclude b h"), ["b"]);
    assert_eq!(args("nishad h", &[], file).ports.as_deref(), Some("-"));
    let variables = [("NISHAD_EXCLUDE", "c,d")];
    assert_eq!(args("nishad h", &variables, file).exclude, ["c,d"]);
}

#[test]
fn an_option_takes_the_place_of_those_that_exclude_it() {
    let args = |typed, variables: &[_]| args(typed, variables, "quiet = true\n");
    assert!(args("nishad h", &[]).quiet);
    let verbose = args("nishad -v h", &[]);
    assert!(verbose.verbose && !verbose.quiet);
    let verbose = args("nishad h", &[("NISHAD_VERBOSE", "true")]);
    assert!(verbose.verbose && !verbose.quiet);
    // That it is not given excludes nothing.
    assert!(args("nishad h", &[("NISHAD_VERBOSE", "false")]).quiet);
    let error = configured("nishad h", &[], "verbose = true\nquiet = true\n");
    let error = error.expect_err("both");
    assert_eq!(
        error,
        "FILE:2:9: quiet: cannot be used together with FILE:1:11: verbose"
    );
}

#[test]
fn a_switch_is_turned_off() {
    let on = "exact = true\n";
    let exact = |typed, variables: &[_], file| args(typed, variables, file).exact;
    assert!(exact("nishad h", &[], on));
    assert!(!exact("nishad h", &[("NISHAD_EXACT", "false")], on));
    assert!(!exact("nishad --exact=false h", &[], on));
    assert!(exact("nishad --exact=true h", &[], "exact = false\n"));
    assert!(exact("nishad --exact h", &[], "exact = false\n"));
    let host = args("nishad -- --exact=false", &[], "");
    assert_eq!(host.targets, ["--exact=false"], "a target is one");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (variables, file, wanted) in [
        (
            &[][..],
            "\n timeuot = 1",
            "FILE:2:2: unknown key `timeuot`; did you mean `timeout`?",
        ),
        (
            &[],
            "top_ports = 1",
            "FILE:1:1: unknown key `top_ports`; did you mean `top-ports`?",
        ),
        (&[], "[scan]\nx = 1", "FILE:1:2: unknown key `scan`"),
        (&[], "config = \"x\"", "FILE:1:1: unknown key `config`"),
        (&[], "help = true", "FILE:1:1: unknown key `help`"),
        (
            &[],
            "timeout = \"5 parsecs\"",
            "FILE:1:11: timeout: invalid value '5 parsecs': not a duration; write 1s, 500ms",
        ),
        (
            &[],
            "order = \"up\"",
            "FILE:1:9: order: invalid value 'up' [possible values: random, sequential]",
        ),
        (&[], "exact = 1", "FILE:1:9: exact: true or false is wanted"),
        (
            &[],
            "rate = true",
            "FILE:1:8: rate: it takes a value, not true or false",
        ),
        (
            &[],
            "rate = [1]",
            "FILE:1:8: rate: it takes one value, not a list",
        ),
        (
            &[],
            "rate = 1979-05-27",
            "FILE:1:8: rate: no option takes a date",
        ),
        (
            &[],
            "exclude = [\"a\",\n  [1]]",
            "FILE:2:3: exclude: the list may hold strings and numbers",
        ),
        (&[], "rate = 1\nrate = 2", "FILE:2:1: duplicate key"),
        (&[], "ä = 1", "FILE:1:1: "),
        (&[], "rate =", "FILE:1:7: "),
        (
            &[("NISHAD_TIMEUOT", "1")],
            "",
            "NISHAD_TIMEUOT: no such variable; did you mean NISHAD_TIMEOUT?",
        ),
        (
            &[("NISHAD_timeout", "1")],
            "",
            "NISHAD_timeout: no such variable; did you mean NISHAD_TIMEOUT?",
        ),
        (
            &[("NISHAD_XYZZY", "1")],
            "",
            "NISHAD_XYZZY: no such variable; NISHAD_ and ",
        ),
        (
            &[("NISHAD_xyzzy", "1")],
            "",
            "NISHAD_xyzzy: no such variable; NISHAD_ and ",
        ),
        (
            &[("NISHAD_RATE", "x")],
            "",
            "NISHAD_RATE: invalid value 'x': not a rate",
        ),
        (
            &[("NISHAD_EXACT", "yes")],
            "",
            "NISHAD_EXACT: true or false is wanted",
        ),
    ] {
        let error = configured("nishad h", variables, file).expect_err(file);
        assert!(error.starts_with(wanted), "{file:?}: {error}");
    }
    let nowhere = [("NISHAD_CONFIG", "/nowhere/x.toml")];
    let error = configured("nishad h", &nowhere, "").expect_err("no file");
    assert!(
        error.starts_with("--config /nowhere/x.toml: cannot be read: "),
        "{error}"
    );
}

#[test]
fn a_variable_cannot_drive_the_terminal() {
    for name in [
        "NISHAD_\u{1b}[31mx",
        "NISHAD_TIMEOUT\u{1b}",
        "NISHAD_\u{202e}",
    ] {
        let error = configured("nishad h", &[(name, "1")], "").expect_err(name);
        assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        assert!(error.contains(": no such variable"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_told_without_a_lesson_on_usage() {
    use std::os::unix::ffi::OsStrExt;
    let value = OsStr::from_bytes(b"\xff").to_os_string();
    let variables = [("NISHAD_TIMEOUT".into(), value)].into_iter();
    let typed = vec!["nishad".into(), "h".into()];
    let Err(Refused::Configured(said)) = configure(&command(), typed, variables) else {
        panic!("it is refused");
    };
    assert!(said.starts_with("NISHAD_TIMEOUT: invalid UTF-8"), "{said}");
    assert!(!said.contains("Usage"), "{said}");
}

/// The program may be called by any name.
#[test]
fn a_program_called_report_takes_what_is_configured() {
    let read = configured("report report x.ndjson", &[], "verbose = true\n").expect("right");
    let (name, report) = read.matches.subcommand().expect("a report");
    assert_eq!((name, report.get_flag("verbose")), ("report", true));
}

/// The typed file wins over the variable's, and variables of the tests and empty ones say nothing.
#[test]
fn what_is_not_meant_says_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("typed.toml");
    std::fs::write(&path, "retries = 3\n").expect("writable");
    let typed = format!("nishad --config {} h", path.display());
    let variables = [
        ("NISHAD_RATE", ""),
        ("NISHAD_LAB", "required"),
        ("NO_COLOR", "1"),
    ];
    let args = args(&typed, &variables, "retries = 4\n");
    assert_eq!((args.retries, args.rate), (Some(3), None));
}

/// One file serves scans and reports; options of the other are no mistakes.
#[test]
fn a_report_takes_what_it_has() {
    let file = "rate = 5\nverbose = true\n";
    let read = configured("nishad report x.ndjson", &[], file).expect("right");
    let (name, report) = read.matches.subcommand().expect("a report");
    assert_eq!((name, report.get_flag("verbose")), ("report", true));
    let error = configured("nishad report x.ndjson", &[], "files = 1\n");
    assert!(error.is_err_and(|error| error.contains("unknown key")));
    // Scripts that the shell reads at its start must not depend on a file.
    assert!(configured("nishad completions bash", &[("NISHAD_XYZZY", "1")], "x").is_ok());
}

/// A file may hold what is needed only together with something that is typed now and then.
#[test]
fn what_needs_another_option_waits_for_it() {
    let file = "service-rules = [\"r.toml\"]\nask-printers = true\ntimeout = \"2s\"\n";
    let asked = |typed: &str, variables: &[_], file: &str| {
        let args = args(typed, variables, file);
        let services = &args.services;
        (
            services.ask_printers,
            services.service_rules.len(),
            args.timeout.is_some(),
        )
    };
    assert_eq!(asked("nishad h", &[], file), (false, 0, true));
    assert_eq!(asked("nishad --services h", &[], file), (true, 1, true));
    let variables = [("NISHAD_SERVICES", "true")];
    assert_eq!(asked("nishad h", &variables, file), (true, 1, true));
    assert_eq!(
        asked(
            "nishad --ask-printers h",
            &[],
            "services = true\nrate = 5\n"
        ),
        (true, 0, false)
    );
    let error = configured("nishad --ask-printers h", &[], "rate = 5\n").expect_err("it lacks");
    assert!(error.contains("--services"), "{error}");
}

/// What is shown can be taken for a file, and gives the same.
#[test]
fn what_is_shown_gives_the_same_again() {
    let file = "exclude = [\"a\\\"\\\\\\u202e\", \"b\"]\nexact = true\nretries = 3\n";
    let first = configured(
        "nishad -t 2s --show-config=false h",
        &[("NISHAD_RATE", "5/s")],
        file,
    );
    let first = first.expect("right");
    let shown = show(
        &command(),
        &first,
        Some(("--timing polite", &[("max-sockets", "256")])),
    );
    for line in [
        "timeout = \"2s\" # command line",
        "rate = \"5/s\" # NISHAD_RATE",
        "exact = true # FILE:2",
        "# max-sockets = 256 # --timing polite",
        "# host-sockets = 32768 # default",
        "# order = \"random\" # default",
        "# top-ports # not set",
        "# quiet = false # default",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = shown.lines().map(squeezed).any(|shown| {
            // The name of the file is one of a temporary directory.
            shown == line || line.contains("FILE") && shown.starts_with("exact = true # /")
        });
        assert!(found, "{line} is not in\n{shown}");
    }
    let again = configured("nishad h", &[], &shown).expect("right");
    let [first, again] = [first, again].map(|configured| {
        let args = Args::from_arg_matches(&configured.matches).expect("right");
        format!(
            "{:?}",
            (
                args.timeout,
                args.rate,
                args.exact,
                args.retries,
                args.exclude
            )
        )
    });
    assert_eq!(first, again);
}

/// The program under test has the variables of the tests around it.
#[test]
fn the_variables_of_the_tests_are_known() {
    fn look(dir: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).expect("there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                look(&path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let mut rest = text.as_str();
                while let Some(at) = rest.find("env::var") {
                    rest = &rest[at + 1..];
                    let line = rest.lines().next().unwrap_or_default();
                    if let Some((_, name)) = line.split_once("(\"NISHAD_") {
                        let (name, _) = name.split_once('"').unwrap_or((name, ""));
                        found.push(format!("NISHAD_{name}"));
                    }
                }
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for dir in ["tests", "benches", "src/net"] {
        look(&root.join(dir), &mut found);
    }
    assert!(found.len() > 3, "{found:?}");
    for name in found {
        assert!(environment::OF_TESTS.contains(&&*name), "{name}");
    }
}

proptest::proptest! {
    /// Whatever a file holds, it is options or one line that names a place in it.
    #[test]
    fn no_file_is_too_strange(
        before in "[a-z-]{0,8}( = )?", middle in ".{0,40}", after in "(\\PC|\n|\"|=|\\[){0,40}"
    ) {
        let text = format!("{before}{middle}\n{after}");
        let mut all = command();
        all.build();
        let names = Names { all: &all, active: &all };
        if let Err(error) = file::parse(&names, "FILE", &text) {
            assert!(error.starts_with("FILE:") && !error.contains('\n'), "{error}");
        }
    }
}
