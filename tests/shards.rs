//! The README's examples of runs in shards, with what really runs them, on a network of this
//! machine alone: GNU parallel over ssh, a Slurm array, the command of a Kubernetes Job.

#![cfg(target_os = "linux")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[allow(dead_code, reason = "a part is needed")]
#[path = "support/lab.rs"]
mod lab;
#[path = "support/program.rs"]
mod program;
#[path = "support/readme.rs"]
mod readme;

use lab::Lab;
use readme::readme;

/// What the examples scan, and what is open there.
const NETWORK: &str = "192.0.2.0/24";
const OPEN: [(&str, u16); 4] = [
    ("192.0.2.7", 22),
    ("192.0.2.7", 443),
    ("192.0.2.80", 80),
    ("192.0.2.255", 8080),
];

/// Longest that an example may take, and that a daemon may take to be ready.
const PATIENCE: &str = "120";
const READY: Duration = Duration::from_secs(60);

#[test]
fn gnu_parallel_over_ssh() {
    let test = "gnu_parallel_over_ssh";
    let Some(place) = Place::enter(test, &["parallel", "ssh", "ssh-keygen", "sshd"]) else {
        return;
    };
    let port = place.free_port();
    for key in ["host", "user"] {
        let path = place.path(key);
        lab::run(&format!(
            "ssh-keygen -q -t ed25519 -C test -N  -f {}",
            path.display()
        ));
    }
    let dir = place.dir.path().display();
    place.write(
        "sshd_config",
        &format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host\nPidFile none\n\
             AuthorizedKeysFile {dir}/user.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nSetEnv PATH={}\n",
            place.search_path()
        ),
    );
    place.write(
        "ssh_config",
        &format!(
            "Host scan1 scan2\nHostName 127.0.0.1\nPort {port}\nUser root\nIdentityFile {dir}/user\n\
             IdentitiesOnly yes\nUserKnownHostsFile {dir}/known\nStrictHostKeyChecking accept-new\n"
        ),
    );
    // Where sshd locks itself up before anybody has logged in.
    fs::create_dir_all("/run/sshd").expect("root may");
    // It starts itself again and so wants its whole path.
    let sshd = found("sshd").expect("it is installed");
    let config = place.path("sshd_config");
    let words = [
        sshd.as_path(),
        "-De".as_ref(),
        "-f".as_ref(),
        config.as_path(),
    ];
    let _sshd = place.daemon(&words.map(|word| word.to_str().expect("UTF-8")));
    place.wait_for("sshd", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let ssh = format!("ssh -F {dir}/ssh_config");
    let output = place.sh(&example("parallel "), &[("PARALLEL_SSH", &ssh)]);
    check(&output);
}

#[test]
fn a_slurm_array() {
    let test = "a_slurm_array";
    let Some(place) = Place::enter(test, &["slurmctld", "slurmd", "sbatch", "sinfo"]) else {
        return;
    };
    // Slurm looks for an address that is not of the loopback.
    lab::run("ip addr add 198.51.100.1/32 dev lo");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("readable");
    let host = host
        .trim()
        .split('.')
        .next()
        .unwrap_or_default()
        .to_string();
    let dir = place.dir.path().display().to_string();
    for sub in ["state", "spool"] {
        fs::create_dir(place.path(sub)).expect("writable");
    }
    let (ctld, d) = (place.free_port(), place.free_port());
    place.write(
        "slurm.conf",
        &format!(
            "ClusterName=lab\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n\
             AuthType=auth/none\nCredType=cred/none\nMpiDefault=none\nMailProg=/bin/true\n\
             SlurmctldPort={ctld}\nSlurmdPort={d}\n\
             StateSaveLocation={dir}/state\nSlurmdSpoolDir={dir}/spool\n\
             SlurmctldPidFile={dir}/slurmctld.pid\nSlurmdPidFile={dir}/slurmd.pid\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             SelectType=select/linear\nSchedulerType=sched/builtin\nReturnToService=2\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN\n\
             PartitionName=main Nodes={host} Default=YES State=UP OverSubscribe=FORCE:4\n"
        ),
    );
    let _slurmctld = place.daemon(&["slurmctld", "-D"]);
    let _slurmd = place.daemon(&["slurmd", "-D", "-N", &host]);
    place.wait_for("a node of Slurm", || {
        let nodes = place.command("sinfo").args(["-h", "-o", "%T"]).output();
        nodes.is_ok_and(|nodes| nodes.stdout.starts_with(b"idle"))
    });
    place.write("scan.sbatch", &example("#SBATCH"));
    let output = place.sh(&example("sbatch --wait"), &[]);
    check(&output);
}

/// There is no Kubernetes here; what it would set and run is.
#[test]
fn the_command_of_a_kubernetes_job() {
    let Some(place) = Place::enter("the_command_of_a_kubernetes_job", &[]) else {
        return;
    };
    let manifest = example("kind: Job");
    let field = |name: &str| {
        let line = manifest
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {manifest}"))
            .trim()
            .to_string()
    };
    let list = |name: &str| -> Vec<String> { serde_json::from_str(&field(name)).expect(name) };
    assert_eq!(field("completionMode:"), "Indexed");
    let completions: u32 = field("completions:").parse().expect("a number");
    let mut logs = Vec::new();
    for index in 0..completions {
        let pod = place
            .command(&list("command:")[0])
            .args(list("args:"))
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .output()
            .expect("it runs");
        assert_eq!(pod.status.code(), Some(0), "{pod:?}");
        // The log of a pod has both.
        logs.extend(pod.stdout);
        logs.extend(pod.stderr);
    }
    fs::write(place.path("logs"), logs).expect("writable");
    let readme = readme();
    let pipe = readme
        .lines()
        .find(|line| line.contains("kubectl logs"))
        .expect("it is there");
    let (_, report) = pipe.split_once('|').expect("a pipe");
    check(&place.sh(&format!("cat logs | {report}"), &[]));
}

/// That the result is whole and right.
#[track_caller]
fn check(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let all = format!("{:?}\n{text}\n{errors}", output.status);
    assert_eq!(output.status.code(), Some(0), "{all}");
    let mut found = Vec::new();
    let mut host = "";
    for line in text.lines() {
        if let Some(target) = line.strip_prefix("Scanning target: ") {
            host = target;
        } else if let Some((port, _)) = line
            .strip_prefix("Port ")
            .and_then(|l| l.split_once(": OPEN"))
        {
            found.push((host, port.parse::<u16>().expect(line)));
        }
    }
    found.sort_by_key(|(host, port)| (host.rsplit('.').next().map(str::len), *host, *port));
    assert_eq!(found, OPEN, "{all}");
    let sums = "256 hosts, 25600 ports: 4 open, 25596 closed, 0 filtered, 0 unscanned\n";
    assert!(text.contains(sums), "{all}");
    assert!(!errors.contains("missing"), "{all}");
}

fn example(part: &str) -> String {
    readme::example("tests/shards.rs", part)
}

/// Where an example runs: a namespace whose only network is this machine's, and an empty directory.
struct Place {
    dir: tempfile::TempDir,
    _open: Vec<TcpListener>,
    _lab: Lab,
}

impl Place {
    fn enter(test: &str, programs: &[&str]) -> Option<Place> {
        if !nix::unistd::geteuid().is_root() {
            lab::skip(test, "only root can run the daemons of the example");
            return None;
        }
        if let Some(program) = programs.iter().find(|program| found(program).is_none()) {
            lab::skip(test, &format!("{program} is not installed"));
            return None;
        }
        let lab = Lab::enter(test)?;
        // Every address of the network is this machine.
        lab::run(&format!("ip route add local {NETWORK} dev lo"));
        let open = OPEN.map(|addr| TcpListener::bind(addr).expect("free"));
        Some(Place {
            dir: tempfile::tempdir().expect("a temporary directory"),
            _open: open.into(),
            _lab: lab,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writable");
    }

    /// A port that is free, here where nobody else takes one.
    fn free_port(&self) -> u16 {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        socket.local_addr().expect("bound").port()
    }

    /// Where programs are looked for: the one under test first.
    fn search_path(&self) -> String {
        let own = Path::new(program::path()).parent().expect("in a directory");
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", own.display())
    }

    fn command(&self, program: &str) -> Command {
        let program = match program {
            "nishad" => program::path().into(),
            _ => found(program).expect("it is installed"),
        };
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env("PATH", self.search_path())
            .env("HOME", self.dir.path())
            .env("SLURM_CONF", self.path("slurm.conf"))
            .stdin(Stdio::null());
        command
    }

    /// Runs `script` to its end.
    fn sh(&self, script: &str, env: &[(&str, &str)]) -> Output {
        let mut command = self.command("timeout");
        command
            .args([PATIENCE, "sh", "-euc", script])
            .envs(env.iter().copied());
        let output = command.output().expect("it runs");
        if !output.status.success() {
            self.tell_logs();
        }
        output
    }

    /// Starts a daemon, with whose end all that it started ends.
    fn daemon(&self, words: &[&str]) -> Daemon {
        let log = |stream| {
            let name = Path::new(words[0]).file_name().expect("a name");
            let path = self.path(&format!("{}.{stream}", name.to_string_lossy()));
            fs::File::create(path).expect("writable")
        };
        let child = self
            .command("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc"])
            .args(words)
            .stdout(log("out"))
            .stderr(log("log"))
            .spawn();
        Daemon(child.expect("it runs"))
    }

    fn wait_for(&self, what: &str, is_ready: impl Fn() -> bool) {
        let deadline = Instant::now() + READY;
        while !is_ready() {
            if Instant::now() > deadline {
                self.tell_logs();
                panic!("{what} is not ready");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn tell_logs(&self) {
        let entries = fs::read_dir(self.dir.path()).expect("readable");
        for path in entries.flatten().map(|entry| entry.path()) {
            if path
                .extension()
                .is_some_and(|ext| ext == "log" || ext == "err")
            {
                let text = fs::read(&path).unwrap_or_default();
                println!("{}:\n{}", path.display(), String::from_utf8_lossy(&text));
            }
        }
    }
}

/// A daemon as long as this lives: the `unshare` that waits for it.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // The first process of a process namespace takes all others of it along, and leaves nothing
        // behind where its parent sees it end.
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            if let Ok(child) = child.parse() {
                let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            }
        }
        let deadline = Instant::now() + READY;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where an installed program is.
fn found(program: &str) -> Option<PathBuf> {
    let dirs = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let mut paths = dirs.iter().map(|dir| Path::new(dir).join(program));
    paths.find(|path| path.is_file())
}
