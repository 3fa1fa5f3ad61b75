//! The README's examples, so that tests run what it says.

use std::path::Path;

/// The README.
pub fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("readable")
}

/// The one example of the README that is marked as one of `test` and has `part` in it.
pub fn example(test: &str, part: &str) -> String {
    let readme = readme();
    let mark = format!("<!-- {test}");
    let marked = readme.split(&mark).skip(1);
    let block = |text: &str| {
        let (_, fenced) = text.split_once("```").expect("a block follows");
        let (_, code) = fenced.split_once('\n').expect("lines");
        let (code, _) = code.split_once("```").expect("its end");
        code.to_string()
    };
    let mut found: Vec<_> = marked
        .map(block)
        .filter(|code| code.contains(part))
        .collect();
    assert_eq!(found.len(), 1, "examples with {part}: {found:?}");
    found.remove(0)
}
