//! The outputs of one scan, and the same made later from what was saved.

use crate::program::{Closed, Open, Ran, json_lines};

#[test]
fn results_go_to_the_file_asked_for() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("found");
    let closed = Closed::new();
    let run = |output: &str| Ran::with(&format!("127.0.0.1 -p {} -o {output}", closed.port()));
    let name = file.to_str().expect("UTF-8");
    let ran = run(name);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "", "")
    );
    let written = std::fs::read_to_string(&file).expect("the file was made");
    assert!(written.contains("\n1 port: 0 open, 1 closed"), "{written}");
    assert!(run("-").out.contains("\n1 port: 0 open, 1 closed"));

    let folder = dir.path().join("none");
    let nowhere = folder.join("found");
    for format in ["text", "ndjson"] {
        let ran = run(&format!("{format}:{}", nowhere.display()));
        let (nowhere, folder) = (nowhere.display(), folder.display());
        let wanted = format!("error: --output: {nowhere}: there is no directory {folder}\n");
        assert_eq!((ran.code, ran.err), (Some(2), wanted));
        let ran = run(&format!("{format}:{name}/found"));
        let wanted = format!("error: --output: {name}/found: {name} is no directory\n");
        assert_eq!((ran.code, ran.err), (Some(2), wanted));
        let ran = run(&format!("{format}:{} --force", dir.path().display()));
        let wanted = format!(
            "error: --output: {} is a directory; name a file\n",
            dir.path().display()
        );
        assert_eq!((ran.code, ran.err), (Some(2), wanted));
    }
}

#[test]
fn a_scan_has_as_many_outputs_as_are_asked_for() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (open, closed) = (Open::new(), Closed::new());
    let (open, closed) = (open.port(), closed.port());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let outputs =
        ["found.txt", "found.ndjson", "found.csv"].map(|name| format!("-o {}", path(name)));
    let all = format!("{} -o csv:{} -o list:-", outputs.join(" "), path("rows"));
    let args = format!("127.0.0.1 -p {open},{closed} --show closed {all}");
    let ran = Ran::with(&args);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, format!("127.0.0.1:{open}\n"));
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("it was made");
    assert!(read("found.txt").contains(&format!("\nPort {closed}: CLOSED")));
    let lines = json_lines(&read("found.ndjson"));
    assert_eq!(lines.len(), 5);
    assert_eq!(read("rows"), read("found.csv"));
    // The same facts, the same moments.
    let mut rows = csv::Reader::from_path(path("rows")).expect("it was made");
    let columns = rows.headers().expect("a header").clone();
    let mut n = 0;
    for row in rows.records() {
        let row = row.expect("a row");
        let line = lines
            .iter()
            .find(|line| row.get(2) == Some(&line["port"].to_string()))
            .expect("the port is there");
        for (column, cell) in columns.iter().zip(&row) {
            let value = match &line[column] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, value, "{column}");
        }
        n += 1;
    }
    assert_eq!(n, 2);

    // What is there is not overwritten unless that is asked for, and nothing is begun.
    let before = read("found.ndjson");
    let ran = Ran::with(&args);
    let wanted = format!(
        "error: --output: {} exists; --force overwrites it\n",
        path("found.txt")
    );
    assert_eq!((ran.code, ran.err, ran.out), (Some(2), wanted, "".into()));
    assert_eq!(read("found.ndjson"), before);
    assert_eq!(Ran::with(&format!("{args} --force")).code, Some(0));
    assert_ne!(read("found.ndjson"), before);
    assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 4);
}

const ENDINGS: [&str; 6] = ["txt", "ndjson", "csv", "list", "xml", "gnmap"];

#[test]
fn what_a_saved_scan_is_made_into_is_what_the_scan_would_have_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (open, closed) = (Open::new(), Closed::new());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let outputs = |name: &str| {
        let of = |ending: &str| format!("-o {}", path(&format!("{name}.{ending}")));
        ENDINGS.map(of).join(" ")
    };
    let (open, closed) = (open.port(), closed.port());
    let scan = format!(
        "127.0.0.1 -p {open},{closed} --show all {}",
        outputs("scan")
    );
    let ran = Ran::with(&scan);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let report = format!("report {} {}", path("scan.ndjson"), outputs("later"));
    let ran = Ran::with(&report);
    assert_eq!(
        (ran.code, ran.err.as_str(), ran.out.as_str()),
        (Some(0), "", "")
    );
    for ending in ENDINGS {
        let read = |name: &str| std::fs::read_to_string(path(&format!("{name}.{ending}")));
        let (scan, later) = (read("scan").expect("made"), read("later").expect("made"));
        assert!(!scan.is_empty() && scan == later, "{scan}{later}");
    }
}
