//! The README's examples of audits in CI, run as they stand there, on a network of this machine alone.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::lab::Lab;
use crate::validate::sarif;
use crate::{Place, found, program, readme};

/// What the examples scan, and where it is here.
const TARGET: &str = "192.0.2.7";
const HERE: &str = "127.0.0.1";

fn example(part: &str) -> String {
    readme::example("tests/audit", part).replace(TARGET, HERE)
}

/// The command lines of a workflow: of GitHub's `run:`, of GitLab those below `script:`.
fn commands(yaml: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut in_script = false;
    for line in yaml.lines() {
        let text = line.trim();
        if let Some(command) = text.strip_prefix("- run: ") {
            commands.push(command);
        } else if text == "script:" {
            in_script = true;
        } else if in_script && let Some(command) = text.strip_prefix("- ") {
            commands.push(command);
        } else {
            in_script = false;
        }
    }
    commands
}

impl Place {
    fn sh(&self, command: &str) -> Output {
        let program = Path::new(program::path()).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("sh")
            .args(["-ec", command])
            .env("PATH", format!("{}:{path}", program.display()))
            .current_dir(self.0.path())
            .output()
            .expect("sh is there")
    }

    /// Runs each of `commands`; the exit code of the last.
    #[track_caller]
    fn all(&self, commands: &[&str]) -> Option<i32> {
        let mut last = None;
        for command in commands {
            assert!([None, Some(0)].contains(&last), "{command}");
            let output = self.sh(command);
            assert!(output.stderr.is_empty(), "{command}: {output:?}");
            last = output.status.code();
        }
        last
    }
}

fn listen(port: u16) -> TcpListener {
    TcpListener::bind((HERE, port)).expect("free")
}

#[test]
fn the_readme_s_workflows_run() {
    let Some(_lab) = Lab::enter("examples::the_readme_s_workflows_run") else {
        return;
    };
    let github = example("runs-on:");
    let github = commands(&github);
    let gitlab = example("artifacts:");
    let gitlab = commands(&gitlab);
    let first = example("-o baseline.ndjson");
    let policy = example("[[rule]]");
    assert!(!github.is_empty() && !gitlab.is_empty());
    let place = || {
        let place = Place::new();
        place.write("policy.toml", &policy);
        assert_eq!(place.all(&[first.trim()]), Some(0));
        place
    };
    let (_ssh, _web) = (listen(22), listen(443));
    let good = place();
    assert_eq!(good.all(&github), Some(0));
    let document = sarif(&good.read("audit.sarif"));
    assert_eq!(
        document["runs"][0]["results"].as_array().map(Vec::len),
        Some(0)
    );
    let good = place();
    assert_eq!(good.all(&gitlab), Some(0));

    let (github_place, gitlab_place) = (place(), place());
    let _telnet = listen(23);
    assert_eq!(github_place.all(&github), Some(1));
    let document = sarif(&github_place.read("audit.sarif"));
    let results = document["runs"][0]["results"].as_array().expect("results");
    let rules: Vec<_> = results
        .iter()
        .map(|result| result["ruleId"].as_str())
        .collect();
    assert_eq!(rules, [Some("opened"), Some("forbidden-open")]);
    assert_eq!(gitlab_place.all(&gitlab), Some(1));
    assert_eq!(
        found(&gitlab_place.read("found.ndjson")),
        ["opened 23", "forbidden-open 23"]
    );
    let junit = gitlab_place.read("audit.xml");
    assert_eq!(junit.matches("<failure ").count(), 2, "{junit}");
}
