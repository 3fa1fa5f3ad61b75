//! Where a target was given, for messages about it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::list;

/// Where a name was given, as messages begin; displayed with what separates it from what follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// A file or a flag; nothing for what was typed as TARGET.
    source: Option<Arc<str>>,
    /// In a file, from 1; 0 elsewhere.
    line: u64,
}

impl Place {
    /// The list at `path`.
    pub(crate) fn of(path: &Path) -> Place {
        Place::flag(&list::name(path))
    }

    /// What was given to `flag`.
    pub(crate) fn flag(flag: &str) -> Place {
        Place {
            source: Some(flag.into()),
            line: 0,
        }
    }

    /// The line `line` there.
    pub(crate) fn at(&self, line: u64) -> Place {
        Place {
            source: self.source.clone(),
            line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.line) {
            (None, _) => Ok(()),
            (Some(source), 0) => write!(f, "{source}: "),
            (Some(source), line) => write!(f, "{source}:{line}: "),
        }
    }
}
