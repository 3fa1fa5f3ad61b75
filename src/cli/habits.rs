//! What users of other scanners type out of habit, and what it is here.

/// Words of nmap, masscan and RustScan, and what is to be done instead.
const HABITS: [(&str, &str); 36] = [
    ("-A", "--services finds out what answers"),
    ("-F", "--top-ports 100 is that"),
    ("-Pn", "hosts are scanned without a ping; leave it out"),
    ("-T0", "--timing polite is slow"),
    ("-T1", "--timing polite is slow"),
    ("-T2", "--timing polite is slow"),
    ("-T3", "that is the default; leave it out"),
    ("-T4", "--timing aggressive is fast"),
    ("-T5", "--timing aggressive is fast"),
    ("-a", "targets need no option before them"),
    ("-b", "--max-sockets N is that"),
    ("-g", "--format list is that"),
    ("-iL", "--targets FILE reads a list"),
    ("-n", "addresses are not looked up; leave it out"),
    ("-oA", "-o may be repeated: -o FILE.txt -o FILE.xml"),
    ("-oG", "-o FILE.gnmap is that"),
    ("-oJ", "-o FILE.ndjson is that"),
    ("-oL", "-o FILE.list is that"),
    ("-oN", "-o FILE.txt is that"),
    ("-oX", "-o FILE.xml is that"),
    (
        "-r",
        "--order sequential takes ports ascending, -p 1-1000 is a range",
    ),
    ("-sC", "--services finds out what answers"),
    ("-sS", "nishad connects; leave it out"),
    ("-sT", "nishad connects; leave it out"),
    ("-sU", "nishad scans TCP only"),
    ("-sV", "--services finds out what answers"),
    (
        "-sn",
        "hosts are found by their ports: --top-ports 10 --stop-at-first-open",
    ),
    ("--addresses", "targets need no option before them"),
    ("--batch-size", "--max-sockets N is that"),
    ("--excludefile", "--exclude-file FILE is that"),
    ("--max-rate", "--rate N/s is that"),
    ("--max-retries", "--retries N is that"),
    ("--open", "only open ports are listed; leave it out"),
    ("--range", "-p 1-1000 is a range"),
    ("--tries", "--retries N is that"),
    (
        "--ulimit",
        "the limit is raised as far as it goes; leave it out",
    ),
];

/// What is to be said of the words `typed`, of which `unknown` was refused.
pub(super) fn instead(typed: &[String], unknown: &str) -> Option<String> {
    // Of -sT, -s is refused.
    hint(typed, |word| word.starts_with(unknown))
}

/// What is to be said of words that mean something else here: the file of `-oX found.xml` would be `X`.
pub(super) fn misread(typed: &[String]) -> Option<String> {
    hint(typed, |word| word.starts_with("-o"))
}

fn hint(typed: &[String], is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let options = typed.iter().take_while(|word| *word != "--");
    let names = options.map(|word| match word.strip_prefix("--") {
        Some(_) => word.split('=').next().unwrap_or(word),
        None => word,
    });
    names.filter(|word| is_meant(word)).find_map(|word| {
        let (_, instead) = HABITS.iter().find(|(habit, _)| *habit == word)?;
        Some(format!("{word}: not an option of nishad; {instead}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::command;
    use clap::error::ErrorKind;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_string).collect()
    }

    /// No habit is in the way of an option, and what is said to do exists.
    #[test]
    fn habits_are_no_options_and_their_advice_is_right() {
        let mut built = command();
        built.build();
        for (habit, advice) in HABITS {
            let read = command().try_get_matches_from(["nishad", habit, "x"]);
            let unknown = read.is_err_and(|error| error.kind() == ErrorKind::UnknownArgument);
            assert!(unknown || habit.starts_with("-o"), "{habit}");
            for word in advice.split([' ', ';', ':']) {
                let Some(name) = word.strip_prefix("--") else {
                    continue;
                };
                let known = built
                    .get_arguments()
                    .any(|arg| arg.get_long() == Some(name));
                assert!(known, "{habit}: {advice}");
            }
        }
    }

    #[test]
    fn the_word_that_was_refused_is_explained() {
        let typed = words("nishad -n -T4 --max-rate=5 h");
        for (unknown, wanted) in [
            ("-n", "-n: not an option of nishad; addresses are"),
            ("-T", "-T4: not an option of nishad; --timing aggressive"),
            (
                "--max-rate",
                "--max-rate: not an option of nishad; --rate N/s",
            ),
        ] {
            let said = instead(&typed, unknown).expect(unknown);
            assert!(said.starts_with(wanted), "{said}");
        }
        assert_eq!(instead(&typed, "-x"), None);
        assert_eq!(instead(&words("nishad h -- -n"), "-n"), None);
        assert!(misread(&words("nishad -oX f.xml h")).is_some());
        for typed in ["nishad -oXY h", "nishad -o X h", "nishad -- -oX"] {
            assert_eq!(misread(&words(typed)), None, "{typed}");
        }
    }
}
