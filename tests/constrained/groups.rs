//! Control groups of a test, in either version; where none can be made, what comes closest.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where systems mount them: version 2 alone, and version 1 by controller.
const UNIFIED: &str = "/sys/fs/cgroup";

/// A group with a limit, which goes when it is dropped.
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// A group that has a tenth of a core.
    pub fn tenth_of_a_core() -> Result<Group, String> {
        Group::new(
            "cpu",
            &[
                &[("cpu.max", "10000 100000")],
                &[
                    ("cpu.cfs_period_us", "100000"),
                    ("cpu.cfs_quota_us", "10000"),
                ],
            ],
        )
    }

    /// A group that has so many bytes of memory.
    pub fn of_memory(bytes: u64) -> Result<Group, String> {
        let bytes = bytes.to_string();
        Group::new(
            "memory",
            &[
                &[("memory.max", &bytes)],
                &[("memory.limit_in_bytes", &bytes)],
            ],
        )
    }

    /// The files to write and their values, for version 2 and for version 1.
    fn new(controller: &str, limits: &[&[(&str, &str)]; 2]) -> Result<Group, String> {
        let name = format!("nishad-test-{}", std::process::id());
        let ways = [
            (PathBuf::from(UNIFIED), limits[0]),
            (PathBuf::from(UNIFIED).join(controller), limits[1]),
        ];
        let mut why = Vec::new();
        for (parent, limits) in ways {
            let path = parent.join(&name);
            let made = fs::create_dir(&path).and_then(|()| {
                let group = Group { path: path.clone() };
                for (file, value) in limits {
                    // A file that is not there would be made, where that is no control group.
                    fs::OpenOptions::new()
                        .write(true)
                        .open(path.join(file))
                        .and_then(|mut file| {
                            std::io::Write::write_all(&mut file, value.as_bytes())
                        })?;
                }
                Ok(group)
            });
            match made {
                Ok(group) => return Ok(group),
                Err(error) => why.push(format!("{}: {error}", path.display())),
            }
        }
        Err(why.join(", "))
    }

    /// What to start a program with so that it is in the group.
    pub fn enter(&self) -> Vec<&str> {
        let path = self.path.to_str().unwrap();
        vec![
            "sh",
            "-c",
            "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"",
            path,
        ]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process may have to be buried first.
        for _ in 0..50 {
            if fs::remove_dir(&self.path).is_ok() {
                break;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// Lets a process run a tenth of the time, until it ends.
pub fn stop_and_go(pid: Pid) {
    while is_running(pid) && kill(pid, Signal::SIGSTOP).is_ok() {
        sleep(Duration::from_millis(90));
        let _ = kill(pid, Signal::SIGCONT);
        sleep(Duration::from_millis(10));
    }
}

/// Not yet a zombie; nobody has waited for it before this returns.
fn is_running(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
    })
}
