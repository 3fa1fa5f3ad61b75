//! A network of its own for a test: the test runs itself again in a new network namespace, from
//! which nothing leaves. Needs Linux, unshare (util-linux), ip (iproute2) and, as an ordinary user,
//! user namespaces. Where it cannot be made, the test is skipped with the reason, or fails if the
//! environment says `NISHAD_LAB=required`.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const INSIDE: &str = "NISHAD_LAB_INSIDE";

/// The namespace that the test is in; what it started there ends with it.
#[derive(Debug)]
pub struct Lab {
    peer: Option<Child>,
}

impl Lab {
    /// Inside: the lab, with its loopback device up. Outside: runs `test` (the calling test's full
    /// name) again inside, panics if it fails there, and gives `None`.
    pub fn enter(test: &str) -> Option<Lab> {
        if std::env::var_os(INSIDE).is_some() {
            run("ip link set lo up");
            return Some(Lab { peer: None });
        }
        let Some(unshare) = namespace_command() else {
            skip(
                test,
                "no network namespace can be made here (unshare -n, unshare -rn)",
            );
            return None;
        };
        let exe = std::env::current_exe().expect("a test knows its own program");
        let output = Command::new(unshare[0])
            .args(&unshare[1..])
            .arg(exe)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .output()
            .expect("unshare was there a moment ago");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{test} in a namespace:\n{text}\n{errors}"
        );
        print!("{text}");
        None
    }

    /// Adds a second namespace, reached over a veth pair: here `near` with 192.0.2.1/24 and
    /// 2001:db8::1/64, there `far` with 192.0.2.2 and 2001:db8::2, and the default routes.
    pub fn add_peer(&mut self) {
        let peer = Command::new("unshare")
            .args(["-n", "sleep", "600"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let pid = peer.id();
        self.peer = Some(peer);
        let own = std::fs::read_link("/proc/self/ns/net").expect("/proc is there");
        // Until unshare has made the namespace, `sleep` would be in ours.
        while std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|ns| ns == own) {
            std::thread::yield_now();
        }
        run(&format!(
            "ip link add near type veth peer name far netns {pid}"
        ));
        for (dev, end) in [("near", 1), ("far", 2)] {
            let run = |command: &str| {
                if dev == "near" {
                    run(command)
                } else {
                    self.peer(command)
                }
            };
            run(&format!("ip addr add 192.0.2.{end}/24 dev {dev}"));
            run(&format!("ip addr add 2001:db8::{end}/64 dev {dev} nodad"));
            run(&format!("ip link set {dev} up"));
        }
        self.peer("ip link set lo up");
        // The far end takes part in neighbour discovery up to a second after it is up.
        let deadline = Instant::now() + Duration::from_secs(20);
        for far in ["192.0.2.2:9", "[2001:db8::2]:9"] {
            let far = far.parse().expect("an address");
            let refused = || match TcpStream::connect_timeout(&far, Duration::from_millis(100)) {
                Ok(_) => false,
                Err(error) => error.kind() == ErrorKind::ConnectionRefused,
            };
            while !refused() {
                assert!(
                    Instant::now() < deadline,
                    "{far} cannot be reached over the veth pair"
                );
            }
        }
    }

    /// Runs `command` in the second namespace.
    pub fn peer(&self, command: &str) {
        let pid = self.peer.as_ref().expect("add_peer() was called").id();
        run(&format!("nsenter --net=/proc/{pid}/ns/net {command}"));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(mut peer) = self.peer.take() {
            let _ = peer.kill();
            let _ = peer.wait();
        }
    }
}

/// Runs `command` (words apart by spaces); panics if it fails.
pub fn run(command: &str) {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program)
        .args(words)
        .output()
        .unwrap_or_else(|error| panic!("`{command}`: {error}"));
    assert!(
        output.status.success(),
        "`{command}`: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether `command` runs and succeeds.
pub fn runs(command: &str) -> bool {
    let mut words = command.split(' ');
    Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Says why `test` is skipped; fails where the lab is required.
pub fn skip(test: &str, reason: &str) {
    assert!(
        std::env::var("NISHAD_LAB").as_deref() != Ok("required"),
        "{test}: {reason}, and NISHAD_LAB=required"
    );
    println!("{test}: skipped: {reason}");
}

fn namespace_command() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["unshare", "-n"], &["unshare", "-r", "-n"]];
    WAYS.into_iter()
        .find(|way| runs(&format!("{} ip link set lo up", way.join(" "))))
}
