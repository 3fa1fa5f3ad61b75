//! What is wrong with targets: all of it counted, some of it shown.

/// Most that are shown.
const SHOWN: usize = 10;

/// Targets that cannot be read or resolved.
#[derive(Debug, Default)]
pub(crate) struct Bad {
    count: u64,
    shown: Vec<String>,
}

impl Bad {
    /// Adds one, with its reason in one line.
    pub(crate) fn push(&mut self, line: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(line());
        }
    }

    /// Adds all of `other`; those of it that are shown.
    pub(crate) fn merge(&mut self, other: Bad) -> &[String] {
        let from = self.shown.len();
        self.count += other.count;
        let room = SHOWN - from;
        self.shown.extend(other.shown.into_iter().take(room));
        &self.shown[from..]
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The lines to show: the first ones, and how many more there are.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let more = self.count - self.shown.len() as u64;
        let more = (more > 0).then(|| format!("{more} more that cannot be read or resolved"));
        self.shown.iter().cloned().chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_shown() {
        let mut bad = Bad::default();
        for n in 0..7 {
            bad.push(|| n.to_string());
        }
        assert_eq!(bad.lines().count(), 7);
        let mut more = Bad::default();
        for n in 7..1007 {
            more.push(|| n.to_string());
        }
        assert_eq!(bad.merge(more), ["7", "8", "9"]);
        assert_eq!(bad.count(), 1007);
        let lines: Vec<String> = bad.lines().collect();
        assert_eq!((lines.len(), lines[9].as_str()), (11, "9"));
        assert_eq!(lines[10], "997 more that cannot be read or resolved");
    }
}
