//! The page that `--format html` writes, in a browser.

#[path = "page/findings.rs"]
mod findings;
#[path = "page/made.rs"]
mod made;

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::lab::{self, Lab};
use made::Made;

/// Texts that are more than text to somebody, and how the page shows them.
const HOSTILE: [(&str, &str); 7] = [
    ("</script><script>document.title='owned'</script>", ""),
    (
        "<img src=http://192.0.2.9/x onerror=\"document.title='owned'\">",
        "",
    ),
    ("<!--<script>", ""),
    ("]]>&amp;\"'`", ""),
    ("a\u{202e}b", "a\\u{202e}b"),
    ("nul\0 \u{1b}[2J", "nul\\u{0} \\u{1b}[2J"),
    ("=HYPERLINK(\"http://192.0.2.9\")", ""),
];

const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";
const SPACE: &str = " ";

#[test]
fn the_page_in_a_browser() {
    let name = "page::the_page_in_a_browser";
    let Some(_lab) = Lab::enter(name) else {
        return;
    };
    let Some(browser) = Browser::start() else {
        lab::skip(name, "there is no chromedriver here");
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let small = Made {
        hosts: 6,
        ports: vec![21, 22, 23, 24],
        hostile: true,
    };
    let large = Made {
        hosts: 5_000,
        ports: (20..30).collect(),
        hostile: false,
    };
    let small = small.page(&dir, "small.html");
    browser.open(&small);
    asks_nobody(&browser, &small);
    hostile_texts_are_text(&browser);
    sorts(&browser);
    filters(&browser);
    is_used_by_keyboard(&browser);
    tells_screen_readers(&browser);
    shows_on_paper(&browser);
    minds_the_dark(&browser);
    does_without_scripts(&browser, &small);
    assert_eq!(browser.console(), [""; 0]);
    findings::of_a_scan(&browser, dir.path());
    assert_eq!(browser.console(), [""; 0]);
    holds_much(&browser, &large.page(&dir, "large.html"));
    assert_eq!(browser.console(), [""; 0]);
}

fn asks_nobody(browser: &Browser, page: &Path) {
    browser.becomes(
        "document.querySelector('#port-table tbody tr') !== null",
        true,
    );
    assert_eq!(browser.console(), [""; 0]);
    let asked = browser.requests();
    let own = format!("file://{}", page.display());
    let others = asked.iter().filter(|url| **url != own && *url != "data:,");
    assert_eq!(others.count(), 0, "{asked:?}");
    assert!(asked.contains(&own), "{asked:?}");
}

fn hostile_texts_are_text(browser: &Browser) {
    let found = browser.run(
        "return [document.title.slice(0, 7), document.images.length, document.scripts.length,
            document.querySelectorAll('a, iframe, object, embed').length];",
    );
    assert_eq!(found, json!(["nishad:", 0, 2, 0]));
    let cells = column(browser, "host-table", "Name");
    let services = column(browser, "port-table", "Service");
    for (text, shown) in &HOSTILE[..6] {
        let shown = if shown.is_empty() { text } else { shown };
        assert!(cells.iter().any(|cell| cell == shown), "{shown}: {cells:?}");
        assert!(
            services.iter().any(|cell| cell == shown),
            "{shown}: {services:?}"
        );
    }
    let facts = browser.run("return document.querySelector('dl').textContent;");
    assert!(
        facts.as_str().expect("text").contains("<!--<script>"),
        "{facts}"
    );
    // The worst is on top.
    let first = browser.run("return document.querySelector('header').innerText;");
    let first = first.as_str().expect("text");
    assert!(
        first.contains("Incomplete") && first.contains("2 interrupted"),
        "{first}"
    );
    let red = browser.run("return getComputedStyle(document.querySelector('.incomplete')).color;");
    assert_eq!(red, "rgb(177, 15, 31)");
}

fn sorts(browser: &Browser) {
    let hosts = column(browser, "host-table", "Host");
    let wanted: Vec<_> = (0..7).map(host).collect();
    assert_eq!(hosts, wanted, "by address, not as text");
    click(browser, "port-table", "Port");
    let ports = numbers(browser, "port-table", "Port");
    assert!(ports.is_sorted(), "{ports:?}");
    assert_eq!(
        sorted_by(browser, "port-table"),
        json!([["Port", "ascending"]])
    );
    click(browser, "port-table", "Port");
    let ports = numbers(browser, "port-table", "Port");
    assert!(ports.iter().rev().is_sorted(), "{ports:?}");
    assert_eq!(
        sorted_by(browser, "port-table"),
        json!([["Port", "descending"]])
    );
    click(browser, "host-table", "Filtered");
    click(browser, "host-table", "Filtered");
    assert_eq!(column(browser, "host-table", "Host")[0], host(1));
    // Those that have the port open come first.
    click(browser, "matrix", "23");
    assert_eq!(column(browser, "matrix", "Host")[5], host(0));
    assert_eq!(column(browser, "matrix", "23")[4..], ["●open", ""]);
}

fn filters(browser: &Browser) {
    count(browser, "7 hosts, 25 ports");
    browser.run("document.getElementById('ports').focus();");
    browser.press("22,24-30");
    count(browser, "6 of 7 hosts, 12 of 25 ports");
    let ports = numbers(browser, "port-table", "Port");
    assert_eq!(ports.len(), 12);
    assert!(
        ports.iter().all(|port| [22.0, 24.0].contains(port)),
        "{ports:?}"
    );
    browser.press("x");
    browser.becomes("document.getElementById('ports').ariaInvalid", "true");
    count(browser, "Ports are numbers and ranges: 22,8000-8100");
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "7 hosts, 25 ports");
    browser.run("document.getElementById('text').focus();");
    browser.press("10.0.0.10 SYN");
    count(browser, "1 of 7 hosts, 4 of 25 ports");
    assert_eq!(column(browser, "matrix", "Host"), [host(5)]);
    assert_eq!(column(browser, "host-table", "Host"), [host(5)]);
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "7 hosts, 25 ports");
    browser.run(
        "const state = document.getElementById('state');
        state.value = 'filtered'; state.dispatchEvent(new Event('input', {bubbles: true}));",
    );
    count(browser, "1 of 7 hosts, 1 of 25 ports");
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "7 hosts, 25 ports");
}

fn is_used_by_keyboard(browser: &Browser) {
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0);");
    browser.run("document.getElementById('text').focus();");
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press(TAB);
        let focus = browser.run(
            "const at = document.activeElement, style = getComputedStyle(at);
            return [at.closest('table')?.id ?? at.id, at.textContent.slice(0, 20), style.outlineStyle];",
        );
        assert_ne!(focus[2], "none", "{focus}: its focus is seen");
        reached.push((focus[0].clone(), focus[1].clone()));
        if focus[0] == "port-table" && focus[1] == "Service" {
            break;
        }
    }
    let service = (json!("port-table"), json!("Service"));
    assert_eq!(reached.last(), Some(&service), "{reached:?}");
    browser.press(ENTER);
    assert_eq!(
        sorted_by(browser, "port-table"),
        json!([["Service", "ascending"]])
    );
    browser.press(SPACE);
    assert_eq!(
        sorted_by(browser, "port-table"),
        json!([["Service", "descending"]])
    );
}

fn tells_screen_readers(browser: &Browser) {
    let wrong = browser.run(
        "const wrong = [];
        for (const table of document.querySelectorAll('table')) {
            if (!table.caption?.textContent) wrong.push(`no caption: ${table.id}`);
            for (const head of table.querySelectorAll('th')) {
                if (!head.scope) wrong.push(`no scope: ${head.textContent}`);
            }
            for (const line of table.tBodies[0].rows) {
                if (!line.querySelector('th[scope=row]')) wrong.push(`no row head: ${line.textContent}`);
            }
        }
        for (const input of document.querySelectorAll('input, select')) {
            if (!input.labels.length) wrong.push(`no label: ${input.id}`);
        }
        for (const region of document.querySelectorAll('[aria-labelledby]')) {
            const title = document.getElementById(region.getAttribute('aria-labelledby'));
            if (!title?.textContent) wrong.push(`no title: ${region.outerHTML.slice(0, 80)}`);
        }
        const count = document.getElementById('count');
        if (count.getAttribute('aria-live') !== 'polite') wrong.push('the count is silent');
        if (document.documentElement.lang !== 'en') wrong.push('no language');
        return wrong;",
    );
    assert_eq!(wrong, json!([]));
    let levels =
        browser.run("return [...document.querySelectorAll('h1,h2,h3')].map((h) => h.tagName);");
    let levels = levels.as_array().expect("a list");
    assert_eq!(
        (
            &levels[0],
            levels.iter().filter(|level| **level == "H1").count()
        ),
        (&json!("H1"), 1)
    );
}

fn shows_on_paper(browser: &Browser) {
    let details =
        "return [...document.querySelectorAll('details')].map((details) => details.open);";
    assert_eq!(
        browser.run(details),
        json!([false]),
        "collapsed on a screen"
    );
    let printed = browser.devtools("Page.printToPDF", json!({}));
    assert!(
        printed["data"]
            .as_str()
            .is_some_and(|pdf| pdf.starts_with("JVBERi"))
    );
    assert_eq!(browser.run(details), json!([true]));
    browser.devtools("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let shown = browser.run(
        "const shown = (at) => getComputedStyle(at).display !== 'none';
        return [shown(document.getElementById('filter')), shown(document.querySelector('#port-table')),
            shown(document.querySelector('.more')), getComputedStyle(document.body).backgroundColor];",
    );
    assert_eq!(shown, json!([false, true, false, "rgb(255, 255, 255)"]));
    browser.devtools("Emulation.setEmulatedMedia", json!({"media": ""}));
}

fn minds_the_dark(browser: &Browser) {
    let colors = |scheme: &str| {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        browser.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]}));
        let luminance = browser.run(
            "const of = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number)
                .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
            const paper = of(getComputedStyle(document.body).backgroundColor);
            const contrast = (at) => {
                const ink = of(getComputedStyle(at).color);
                return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
            };
            const all = document.querySelectorAll('dt, dd, td, th, caption, .note, h1, label');
            return [paper, Math.min(...[...all].map(contrast))];",
        );
        let number = |index: usize| luminance[index].as_f64().expect("a number");
        (number(0), number(1))
    };
    let (light, dark) = (colors("light"), colors("dark"));
    assert!(light.0 > 0.9 && dark.0 < 0.1, "{light:?} {dark:?}");
    // WCAG 2.2, 1.4.3: what can be read.
    assert!(light.1 >= 4.5 && dark.1 >= 4.5, "{light:?} {dark:?}");
    browser.devtools("Emulation.setEmulatedMedia", json!({"features": []}));
}

fn does_without_scripts(browser: &Browser, page: &Path) {
    without_scripts(browser, page, |browser| {
        let shown = browser.run(
            "return [document.querySelectorAll('noscript tbody tr').length,
                document.getElementById('live').hidden, document.querySelector('dl').innerText.length > 100];",
        );
        assert_eq!(shown, json!([25, true, true]));
        let text = browser.run("return document.querySelector('noscript table').textContent;");
        assert!(
            text.as_str().expect("text").contains(HOSTILE[1].0),
            "{text}"
        );
    });
}

/// What `look` finds on a page whose script does not run.
fn without_scripts<T>(browser: &Browser, page: &Path, look: impl FnOnce(&Browser) -> T) -> T {
    let disabled = |value: bool| {
        let value = json!({ "value": value });
        browser.devtools("Emulation.setScriptExecutionDisabled", value);
    };
    disabled(true);
    browser.open(page);
    let found = look(browser);
    disabled(false);
    found
}

fn holds_much(browser: &Browser, page: &Path) {
    browser.open(page);
    browser.becomes(
        "document.querySelector('#port-table tbody tr') !== null",
        true,
    );
    let shown = browser.run("return document.querySelectorAll('tr').length;");
    assert!(
        shown.as_u64().expect("a number") < 1_000,
        "{shown}: in slices"
    );
    count(browser, "5,000 hosts, 50,000 ports");
    browser.run("document.getElementById('text').focus();");
    browser.press("10.0.19.1 ");
    // 10.0.19.1, .10 to .19, .100 to .141.
    count(browser, "53 of 5,000 hosts, 530 of 50,000 ports");
    browser.run("document.querySelector('#filter button').click();");
    count(browser, "5,000 hosts, 50,000 ports");
    click(browser, "port-table", "RTT, ms");
    let rtts = numbers(browser, "port-table", "RTT, ms");
    assert!(rtts.is_sorted() && rtts.len() == 200, "{rtts:?}");
    let rows = "document.querySelectorAll('#port-table tbody tr').length";
    more(browser, 0);
    browser.becomes(rows, 1_200);
    // What was added has the focus.
    let focused = browser.run("return document.activeElement.rowIndex;");
    assert_eq!(focused, 201);
    // All of a part: 50,000 rows take a browser seconds.
    browser.run("document.getElementById('text').focus();");
    browser.press("10.0.3. ");
    count(browser, "256 of 5,000 hosts, 2,560 of 50,000 ports");
    more(browser, 1);
    browser.becomes(rows, 2_560);
    let buttons = "document.querySelectorAll('#port-table-title ~ .more button').length";
    browser.becomes(buttons, 0);
}

/// Asks for more rows of the ports: some more, or all.
fn more(browser: &Browser, which: usize) {
    browser.run(&format!(
        "document.querySelectorAll('#port-table-title ~ .more button')[{which}].click();"
    ));
}

/// Waits until so much is said to be found.
#[track_caller]
fn count(browser: &Browser, wanted: &str) {
    browser.becomes("document.getElementById('count').textContent", wanted);
}

fn click(browser: &Browser, table: &str, title: &str) {
    browser.run(&format!(
        "[...document.querySelectorAll('#{table} thead button')].find((button) => button.textContent === '{title}').click();"
    ));
}

/// What a table is sorted by.
fn sorted_by(browser: &Browser, table: &str) -> Value {
    browser.run(&format!(
        "return [...document.querySelectorAll('#{table} [aria-sort]')].map((head) => [head.textContent, head.getAttribute('aria-sort')]);"
    ))
}

/// The cells of a column.
fn column(browser: &Browser, table: &str, title: &str) -> Vec<String> {
    let cells = browser.run(&format!(
        "const heads = [...document.querySelectorAll('#{table} thead th')];
        const index = heads.findIndex((head) => head.textContent === '{title}');
        return [...document.querySelectorAll('#{table} tbody tr')].map((line) => line.cells[index].textContent);"
    ));
    let cells = cells.as_array().expect("a list").iter();
    cells
        .map(|cell| cell.as_str().expect("text").into())
        .collect()
}

fn numbers(browser: &Browser, table: &str, title: &str) -> Vec<f64> {
    let cells = column(browser, table, title).into_iter();
    cells
        .map(|cell| cell.parse().unwrap_or(f64::INFINITY))
        .collect()
}

/// The nth host: every second address, so that text and numbers are ordered differently.
fn host(n: u32) -> String {
    let low = if n < 6 { 2 * n } else { n + 6 };
    Ipv4Addr::from(0x0a00_0000 + low).to_string()
}
