//! The formats by name, and what the ending of a file's name says of its format.

use std::path::Path;

/// One of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line: everything that is known.
    Ndjson,
    /// A row for each listed port.
    Csv,
    /// `ip:port` for each open port.
    List,
    /// The findings of an audit, as JUnit XML.
    Junit,
    /// The findings of an audit, as SARIF 2.1.0.
    Sarif,
    /// As nmap's `-oX`.
    Xml,
    /// As nmap's `-oG`.
    Grepable,
    /// A page for a browser.
    Html,
}

impl Format {
    /// All of them, in the order in which help lists them.
    pub const ALL: [Format; 9] = [
        Format::Text,
        Format::Ndjson,
        Format::Csv,
        Format::List,
        Format::Xml,
        Format::Grepable,
        Format::Junit,
        Format::Sarif,
        Format::Html,
    ];

    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::List => "list",
            Format::Junit => "junit",
            Format::Sarif => "sarif",
            Format::Xml => "xml",
            Format::Grepable => "grepable",
            Format::Html => "html",
        }
    }

    /// The format that is typed like this.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
    }

    /// The format that the ending of a file's name stands for, in upper or lower case.
    pub fn by_ending(path: &Path) -> Option<Format> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match &*ending {
            "txt" => Format::Text,
            "ndjson" | "jsonl" => Format::Ndjson,
            "csv" => Format::Csv,
            "list" => Format::List,
            "sarif" => Format::Sarif,
            "xml" => Format::Xml,
            "gnmap" | "grep" => Format::Grepable,
            "html" | "htm" => Format::Html,
            _ => return None,
        })
    }

    /// Whether it has nothing but the findings of an audit.
    pub fn is_of_audit(self) -> bool {
        matches!(self, Format::Junit | Format::Sarif)
    }

    /// Whether each line stands by itself, so that what is written is of use at any moment. The
    /// others are of use when they are complete.
    pub fn streams(self) -> bool {
        matches!(self, Format::Ndjson | Format::Csv | Format::List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings() {
        for format in Format::ALL {
            assert_eq!(Format::named(format.as_str()), Some(format));
        }
        assert_eq!(Format::named("Text"), None);
        let ending = |name: &str| Format::by_ending(Path::new(name));
        assert_eq!(ending("a.b/found.JSONL"), Some(Format::Ndjson));
        assert_eq!(ending("found.txt"), Some(Format::Text));
        for none in ["found", "found.", ".csv", "csv", "found.csv.gz", "a.csv/b"] {
            assert_eq!(ending(none), None, "{none}");
        }
    }
}
