//! `--shard`: as given, or from what runs the program.
//!
//! Slurm tells a task of an array its number and those of the others (sbatch(1), "Output
//! environment variables"), AWS Batch a child of an array job its index and the array's size,
//! Kubernetes a pod of an indexed Job its index alone, GNU parallel a job its sequence number alone.

use std::fmt;
use std::str::FromStr;

use nishad::output::escape;
use nishad::target::Shard;

const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_MIN: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_MAX: &str = "SLURM_ARRAY_TASK_MAX";
const SLURM_STEP: &str = "SLURM_ARRAY_TASK_STEP";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";
const PARALLEL_SEQ: &str = "PARALLEL_SEQ";
const AWS_INDEX: &str = "AWS_BATCH_JOB_ARRAY_INDEX";
const AWS_SIZE: &str = "AWS_BATCH_JOB_ARRAY_SIZE";

/// What was typed for `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardArg {
    /// `2/4`
    Given(Shard),
    /// `auto`, `auto/4`
    Auto(Option<u64>),
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<ShardArg, String> {
        let usage = || "write I/N, as in 2/4, or auto or auto/N".to_string();
        let (index, count) = match text.split_once('/') {
            Some((index, count)) => (index, Some(number(count).ok_or_else(usage)?)),
            None => (text, None),
        };
        match (index, count) {
            ("auto", None) => Ok(ShardArg::Auto(None)),
            ("auto", Some(count)) => {
                // The last one exists if any does.
                Shard::new(count, count).map_err(|error| error.to_string())?;
                Ok(ShardArg::Auto(Some(count)))
            }
            (index, Some(count)) => {
                let index = number(index).ok_or_else(usage)?;
                let shard = Shard::new(index, count).map_err(|error| error.to_string())?;
                Ok(ShardArg::Given(shard))
            }
            (_, None) => Err(usage()),
        }
    }
}

impl ShardArg {
    /// The shard that is meant; `variable` looks one of the environment up. The error names the
    /// variable at fault.
    pub(crate) fn resolve(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Shard, String> {
        match self {
            ShardArg::Given(shard) => Ok(shard),
            ShardArg::Auto(count) => Environment(&variable).shard(count),
        }
    }
}

/// The environment, as far as engines set it.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn shard(&self, count: Option<u64>) -> Result<Shard, String> {
        let engines = [SLURM_ID, KUBERNETES_INDEX, PARALLEL_SEQ, AWS_INDEX];
        let set: Vec<_> = engines
            .into_iter()
            .filter(|name| self.text(name).is_some())
            .collect();
        match set[..] {
            [SLURM_ID] => self.slurm(count),
            [KUBERNETES_INDEX] => {
                let count = count.ok_or_else(|| count_wanted(KUBERNETES_INDEX, "completions"))?;
                numbered(KUBERNETES_INDEX, self.number(KUBERNETES_INDEX)?, 0, count)
            }
            [PARALLEL_SEQ] => {
                let count = count.ok_or_else(|| count_wanted(PARALLEL_SEQ, "jobs"))?;
                numbered(PARALLEL_SEQ, self.number(PARALLEL_SEQ)?, 1, count)
            }
            [AWS_INDEX] => self.aws(count),
            [] => Err(self.none_set()),
            _ => Err(format!(
                "{} are set, and each means another shard; write --shard I/N",
                set.join(" and ")
            )),
        }
    }

    fn slurm(&self, count: Option<u64>) -> Result<Shard, String> {
        let (id, min) = (self.number(SLURM_ID)?, self.number(SLURM_MIN)?);
        let (max, tasks) = (self.number(SLURM_MAX)?, self.number(SLURM_COUNT)?);
        let step = match self.text(SLURM_STEP) {
            Some(_) => self.number(SLURM_STEP)?,
            None => 1,
        };
        if step == 0 {
            return Err(format!("{SLURM_STEP} is 0"));
        }
        if id < min || id > max {
            return Err(format!(
                "{SLURM_ID} is {id}, which is not within {SLURM_MIN} {min} and {SLURM_MAX} {max}"
            ));
        }
        let wanted = (max - min) / step + 1;
        if tasks != wanted || (id - min) % step != 0 {
            return Err(format!(
                "{SLURM_COUNT} is {tasks} and {SLURM_ID} {id}, but {SLURM_MIN} {min}, {SLURM_MAX} \
                 {max} and {SLURM_STEP} {step} are another array; give --array one range, as in 1-4"
            ));
        }
        agree(SLURM_COUNT, tasks, count)?;
        numbered(SLURM_ID, (id - min) / step, 0, tasks)
    }

    fn aws(&self, count: Option<u64>) -> Result<Shard, String> {
        let index = self.number(AWS_INDEX)?;
        let count = match (self.text(AWS_SIZE), count) {
            (Some(_), count) => {
                let size = self.number(AWS_SIZE)?;
                agree(AWS_SIZE, size, count)?;
                size
            }
            (None, Some(count)) => count,
            (None, None) => {
                return Err(format!(
                    "{AWS_INDEX} is set, but not {AWS_SIZE}; give the size of the array: \
                     --shard auto/N"
                ));
            }
        };
        numbered(AWS_INDEX, index, 0, count)
    }

    /// What is missing where no engine tells which shard this is.
    fn none_set(&self) -> String {
        let near = [
            (
                SLURM_ID,
                "SLURM_JOB_ID",
                "the job is no array (sbatch --array=1-N)",
            ),
            (AWS_INDEX, AWS_SIZE, "the job is no child of an array"),
        ];
        for (missing, set, why) in near {
            if self.text(set).is_some() {
                return format!("{missing} is not set, though {set} is: {why}");
            }
        }
        format!(
            "none of {SLURM_ID}, {KUBERNETES_INDEX}, {PARALLEL_SEQ} and {AWS_INDEX} is set; \
             write --shard I/N"
        )
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        let text = self
            .text(name)
            .ok_or_else(|| format!("{name} is not set"))?;
        number(&text).ok_or_else(|| format!("{name} is `{}`, which is no number", escape(&text)))
    }

    /// A variable that is set to something.
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|text| !text.is_empty())
    }
}

fn count_wanted(name: &str, what: &str) -> String {
    format!(
        "{name} tells which shard this is, but not of how many; give the number of {what}: --shard auto/N"
    )
}

/// That the count given, if any, is the engine's.
fn agree(name: &str, told: u64, given: Option<u64>) -> Result<(), String> {
    match given {
        Some(given) if given != told => Err(format!(
            "{name} is {told}, but --shard auto/{given} says {given}"
        )),
        _ => Ok(()),
    }
}

/// The shard that `name` tells by `number`, counted from `first`.
fn numbered(name: &str, number: u64, first: u64, count: u64) -> Result<Shard, String> {
    number
        .checked_sub(first)
        .and_then(|position| position.checked_add(1))
        .and_then(|index| Shard::new(index, count).ok())
        .ok_or_else(|| {
            let last = Last(first, count);
            format!("{name} is {number}, but of {count} shards it goes from {first} to {last}")
        })
}

struct Last(u64, u64);

impl fmt::Display for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.saturating_add(self.1).saturating_sub(1))
    }
}

/// Digits alone.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(arg: &str, variables: &str) -> Result<String, String> {
        let variable = |name: &str| {
            let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|pair| pair.0 == name)
                .map(|pair| pair.1.to_string())
        };
        let arg: ShardArg = arg.parse()?;
        arg.resolve(variable).map(|shard| shard.to_string())
    }

    fn slurm(id: u64, min: u64, max: u64, step: u64, count: u64) -> String {
        format!(
            "SLURM_JOB_ID=9 {SLURM_ID}={id} {SLURM_MIN}={min} {SLURM_MAX}={max} {SLURM_STEP}={step} {SLURM_COUNT}={count}"
        )
    }

    #[test]
    fn given() {
        assert_eq!(resolve("2/4", ""), Ok("2/4".into()));
        assert_eq!(resolve("1/1", "PARALLEL_SEQ=9"), Ok("1/1".into()));
        for wrong in [
            "", "2", "2/", "/4", "a/4", "2/b", "-1/4", "+1/4", "2/4/8", "auto/", "AUTO", "auto/x",
        ] {
            let error = resolve(wrong, "").expect_err(wrong);
            assert!(error.starts_with("write I/N"), "{wrong}: {error}");
        }
        for wrong in [
            "0/4",
            "5/4",
            "1/0",
            "auto/0",
            "auto/2000000",
            "1/99999999999999999999",
        ] {
            let error = resolve(wrong, "PARALLEL_SEQ=1").expect_err(wrong);
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn of_each_engine() {
        let variables = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        };
        for (arg, environment, wanted) in [
            ("auto", slurm(1, 1, 4, 1, 4), "1/4"),
            ("auto", slurm(4, 1, 4, 1, 4), "4/4"),
            ("auto/4", slurm(0, 0, 3, 1, 4), "1/4"),
            ("auto", slurm(9, 1, 9, 4, 3), "3/3"),
            ("auto", slurm(9, 1, 10, 4, 3), "3/3"),
            ("auto", slurm(7, 7, 7, 1, 1), "1/1"),
            ("auto/4", variables(&[(KUBERNETES_INDEX, "0")]), "1/4"),
            ("auto/4", variables(&[(KUBERNETES_INDEX, "3")]), "4/4"),
            ("auto/4", variables(&[(PARALLEL_SEQ, "1")]), "1/4"),
            ("auto/4", variables(&[(PARALLEL_SEQ, "4")]), "4/4"),
            (
                "auto",
                variables(&[(AWS_INDEX, "0"), (AWS_SIZE, "5")]),
                "1/5",
            ),
            (
                "auto/5",
                variables(&[(AWS_INDEX, "4"), (AWS_SIZE, "5")]),
                "5/5",
            ),
            ("auto/5", variables(&[(AWS_INDEX, "4")]), "5/5"),
        ] {
            assert_eq!(
                resolve(arg, &environment),
                Ok(wanted.into()),
                "{environment}"
            );
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_is_named() {
        let without = |name: &str, all: String| {
            let kept = all
                .split(' ')
                .filter(|pair| !pair.starts_with(&format!("{name}=")));
            kept.collect::<Vec<_>>().join(" ")
        };
        let array = || slurm(2, 1, 4, 1, 4);
        for (arg, environment, named) in [
            (
                "auto",
                String::new(),
                "none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX",
            ),
            (
                "auto",
                "SLURM_JOB_ID=7".into(),
                "SLURM_ARRAY_TASK_ID is not set",
            ),
            (
                "auto",
                "AWS_BATCH_JOB_ARRAY_SIZE=7".into(),
                "AWS_BATCH_JOB_ARRAY_INDEX is not set",
            ),
            (
                "auto",
                without(SLURM_MIN, array()),
                "SLURM_ARRAY_TASK_MIN is not set",
            ),
            (
                "auto",
                without(SLURM_MAX, array()),
                "SLURM_ARRAY_TASK_MAX is not set",
            ),
            (
                "auto",
                without(SLURM_COUNT, array()),
                "SLURM_ARRAY_TASK_COUNT is not set",
            ),
            ("auto", slurm(1, 1, 9, 1, 3), "SLURM_ARRAY_TASK_COUNT is 3"),
            ("auto", slurm(3, 1, 9, 4, 3), "SLURM_ARRAY_TASK_ID 3"),
            ("auto", slurm(5, 1, 4, 1, 4), "SLURM_ARRAY_TASK_ID is 5"),
            ("auto", slurm(5, 6, 9, 1, 4), "SLURM_ARRAY_TASK_ID is 5"),
            ("auto", slurm(5, 5, 9, 0, 5), "SLURM_ARRAY_TASK_STEP is 0"),
            (
                "auto/8",
                array(),
                "SLURM_ARRAY_TASK_COUNT is 4, but --shard auto/8",
            ),
            (
                "auto",
                format!("{SLURM_ID}=x"),
                "SLURM_ARRAY_TASK_ID is `x`",
            ),
            (
                "auto",
                format!("{KUBERNETES_INDEX}=1"),
                "JOB_COMPLETION_INDEX tells",
            ),
            (
                "auto/4",
                format!("{KUBERNETES_INDEX}=4"),
                "JOB_COMPLETION_INDEX is 4",
            ),
            ("auto", format!("{PARALLEL_SEQ}=1"), "PARALLEL_SEQ tells"),
            ("auto/4", format!("{PARALLEL_SEQ}=5"), "PARALLEL_SEQ is 5"),
            ("auto/4", format!("{PARALLEL_SEQ}=0"), "PARALLEL_SEQ is 0"),
            (
                "auto/4",
                format!("{PARALLEL_SEQ}=\u{1b}"),
                "PARALLEL_SEQ is `\\u{1b}`",
            ),
            (
                "auto",
                format!("{AWS_INDEX}=1"),
                "not AWS_BATCH_JOB_ARRAY_SIZE",
            ),
            (
                "auto",
                format!("{AWS_INDEX}=1 {AWS_SIZE}=1"),
                "AWS_BATCH_JOB_ARRAY_INDEX is 1",
            ),
            (
                "auto/3",
                format!("{AWS_INDEX}=1 {AWS_SIZE}=2"),
                "AWS_BATCH_JOB_ARRAY_SIZE is 2",
            ),
            (
                "auto/4",
                format!("{PARALLEL_SEQ}=1 {KUBERNETES_INDEX}=1"),
                "JOB_COMPLETION_INDEX and PARALLEL_SEQ are set",
            ),
        ] {
            let error = resolve(arg, &environment).expect_err(&environment);
            assert!(error.contains(named), "{arg} {environment}: {error}");
            assert!(!error.contains(['\n', '\u{1b}']), "{error}");
        }
    }
}
