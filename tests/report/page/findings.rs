//! The page that a scan itself writes, with what its audit found.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    HOSTILE, asks_nobody, click, column, count, minds_the_dark, tells_screen_readers,
    without_scripts,
};
use crate::browser::Browser;
use crate::program::{Closed, Open, Ran, nishad};

pub fn of_a_scan(browser: &Browser, dir: &Path) {
    let (forbidden, excepted, required) = (Open::new(), Open::new(), Closed::new());
    let ports = [forbidden.port(), excepted.port(), required.port()];
    let page = scanned(dir, ports);
    // What the pages before were asked for.
    browser.requests();
    browser.open(&page);
    asks_nobody(browser, &page);
    let title = browser.run("return document.title;");
    let title = title.as_str().expect("text");
    assert!(
        title.starts_with("nishad: 2 open ports on 1 host, "),
        "{title}"
    );
    let audit = "return document.querySelector('section[aria-labelledby=audit-title]').innerText;";
    let audit = browser.run(audit);
    let audit = audit.as_str().expect("text");
    for told in [
        "Audit: failed",
        "Baseline old.ndjson of ",
        "2 not-comparable",
        "Policy p.toml, 2 rules: 3 ports checked, 1 required-missing, 1 forbidden-open, 1 excepted",
    ] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
    the_table(browser, ports);
    tells_screen_readers(browser);
    minds_the_dark(browser);
    let listed = without_scripts(browser, &page, |browser| {
        browser.run(
            "return [...document.querySelectorAll('noscript li')].map((li) => li.textContent);",
        )
    });
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 5, "{listed:?}");
    let forbidden = listed.iter().filter_map(|line| line.as_str());
    let forbidden: Vec<_> = forbidden
        .filter(|line| line.starts_with("forbidden-open: 127.0.0.1 port "))
        .collect();
    assert!(forbidden[0].contains(HOSTILE[0].0), "{forbidden:?}");
}

/// A policy that one port breaks by being open and another by being closed, with an exception for a third,
/// which the baseline does not know.
fn scanned(dir: &Path, [forbidden, excepted, required]: [u16; 3]) -> PathBuf {
    let comment = HOSTILE[0].0;
    let policy = format!(
        "[[rule]]\nforbidden = {forbidden}\nrequired = {required}\ncomment = \"{comment}\"\n\
         [[rule]]\nallowed = {excepted}\nuntil = 2999-12-31\n"
    );
    std::fs::write(dir.join("p.toml"), policy).expect("writable");
    let run = |args: &str| {
        let mut command = nishad();
        command.current_dir(dir).args(args.split(' '));
        Ran::from(command.output().expect("the program starts"))
    };
    let old = run(&format!(
        "127.0.0.1 -p {forbidden},{required} -o old.ndjson"
    ));
    assert_eq!((old.code, &*old.err), (Some(0), ""));
    let audit = "--baseline old.ndjson --expect p.toml -o live.html";
    let ran = run(&format!(
        "127.0.0.1 -p {forbidden},{excepted},{required} {audit}"
    ));
    assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(1), "", ""));
    dir.join("live.html")
}

fn the_table(browser: &Browser, [forbidden, excepted, required]: [u16; 3]) {
    let column = |title| column(browser, "finding-table", title);
    let text = |port: u16| port.to_string();
    // The worst on top.
    let kinds = [
        "required-missing",
        "forbidden-open",
        "not-comparable",
        "not-comparable",
        "excepted",
    ];
    assert_eq!(column("Kind"), kinds);
    let ports = [required, forbidden, excepted, excepted, excepted].map(text);
    assert_eq!(column("Ports"), ports);
    assert_eq!(column("Is"), ["", "open", "open", "", "open"]);
    let rules = column("Rule");
    let rule = format!("p.toml:1: {}", HOSTILE[0].0);
    assert_eq!(rules[..2], [rule.clone(), rule]);
    assert!(column("What")[0].starts_with("is not open, required ["));
    let classes = browser.run(
        "return [...document.querySelectorAll('#finding-table tbody th')].map((head) => head.className);",
    );
    let wanted = [
        "is-failed",
        "is-failed",
        "is-incomplete",
        "is-incomplete",
        "is-clean",
    ];
    assert_eq!(classes, json!(wanted));

    // What is of no host comes last, whichever way.
    for _ in 0..2 {
        click(browser, "finding-table", "Host");
        let hosts = column("Host");
        assert_eq!((&*hosts[0], &*hosts[4]), ("127.0.0.1", ""));
    }
    count(browser, "1 host, 2 ports, 5 findings");
    browser.run("document.getElementById('text').focus();");
    browser.press("FORBIDDEN-open");
    count(browser, "0 of 1 host, 0 of 2 ports, 1 of 5 findings");
    assert_eq!(column("Ports"), [text(forbidden)]);
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "1 host, 2 ports, 5 findings");
    browser.run("document.getElementById('ports').focus();");
    browser.press(&text(excepted));
    count(browser, "1 host, 1 of 2 ports, 3 of 5 findings");
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "1 host, 2 ports, 5 findings");
}
