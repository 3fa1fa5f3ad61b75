//! Linux: what a process may have, as /proc and the control groups tell (proc(5),
//! Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel).

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::net::budget::{FlowTable, Memory, MemoryBound, SourcePorts};

/// Control groups above one another that are looked at; the kernel has no such bound.
const LEVELS: usize = 64;

/// The least of what the machine and the control groups of this process leave.
pub(in crate::net) fn free_memory() -> Option<Memory> {
    let machine = field(&read("/proc/meminfo")?, "MemAvailable:").map(|kib| Memory {
        bytes: kib.saturating_mul(1024),
        bound: MemoryBound::Machine,
    });
    let groups = read("/proc/self/cgroup").zip(read("/proc/self/mountinfo"));
    let group = groups.and_then(|(groups, mounts)| {
        let memory = group_directories(&groups, &mounts);
        memory.into_iter().filter_map(|group| group.free()).min()
    });
    let group = group.map(|bytes| Memory {
        bytes,
        bound: MemoryBound::ControlGroup,
    });
    [machine, group]
        .into_iter()
        .flatten()
        .min_by_key(|memory| memory.bytes)
}

/// Ports that connect() takes by itself. One serves any number of targets (`__inet_hash_connect`).
pub(in crate::net) fn source_ports() -> Option<SourcePorts> {
    let range = read("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(u32::from_str);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(SourcePorts {
        count: (last + 1).checked_sub(first)?,
        shared: true,
    })
}

/// The table of tracked connections; none where the module is not loaded.
pub(in crate::net) fn flow_table() -> Option<FlowTable> {
    let number = |name: &str| read(&format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
    Some(FlowTable {
        most: number("max")?.trim().parse().ok()?,
        used: number("count")?.trim().parse().ok()?,
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The number after `name` in lines of names and numbers.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let number = line.strip_prefix(name)?.split_whitespace().next()?;
        number.parse().ok()
    })
}

/// A control group of this process that has to do with memory.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    /// Version 2, the unified hierarchy.
    unified: bool,
    mount: PathBuf,
    directory: PathBuf,
}

/// The groups of /proc/self/cgroup, where /proc/self/mountinfo says that they are.
fn group_directories(groups: &str, mounts: &str) -> Vec<Group> {
    let mount = |line: &str| {
        let (fields, system) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let unified = kind == "cgroup2";
        let memory = kind == "cgroup" && options.split(',').any(|option| option == "memory");
        if !unified && !memory {
            return None;
        }
        let path = groups.lines().find_map(|group| {
            let mut parts = group.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let ours = if unified {
                number == "0"
            } else {
                controllers.split(',').any(|name| name == "memory")
            };
            ours.then_some(path)
        })?;
        // Where only a part is mounted, as in a container, the path may lie beside it.
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        Some(Group {
            unified,
            mount: point.into(),
            directory: Path::new(point).join(below),
        })
    };
    mounts.lines().filter_map(mount).collect()
}

impl Group {
    /// What the limits of the group and of those above it leave; `None`: there is no limit.
    fn free(&self) -> Option<u64> {
        let ours = |level: &&Path| level.starts_with(&self.mount);
        let levels = self.directory.ancestors().take_while(ours).take(LEVELS);
        levels.filter_map(|level| self.free_at(level)).min()
    }

    fn free_at(&self, level: &Path) -> Option<u64> {
        let text = |name: &str| fs::read_to_string(level.join(name)).ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        let (limits, usage, idle): (&[&str], _, _) = if self.unified {
            // Above `high` the group is slowed down. Without a limit the files say "max".
            let limits = &["memory.max", "memory.high"];
            (limits, "memory.current", "inactive_file ")
        } else {
            // Without a limit the file says the largest number of pages that fits, 2^63.
            let limits = &["memory.limit_in_bytes"];
            (limits, "memory.usage_in_bytes", "total_inactive_file ")
        };
        let limit = limits
            .iter()
            .filter_map(|name| number(name))
            .min()
            .filter(|limit| *limit < 1 << 60)?;
        let usage = number(usage)?;
        // Files read once are counted as used but given up for anything else.
        let idle = text("memory.stat").and_then(|text| field(&text, idle));
        let used = usage.saturating_sub(idle.unwrap_or(0));
        Some(limit.saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
24 22 0:20 / /proc rw - proc proc rw
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn groups_are_found_where_they_are_mounted() {
        let groups = "8:pids:/x\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/d\n";
        let found = group_directories(groups, MOUNTS);
        let group = |unified, mount: &str, directory: &str| Group {
            unified,
            mount: mount.into(),
            directory: directory.into(),
        };
        let (v1, v2) = ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified");
        assert_eq!(
            found,
            [
                group(false, v1, &format!("{v1}/a/b")),
                group(true, v2, &format!("{v2}/d"))
            ]
        );
        // A container sees its own part only.
        let mounts = "41 31 0:38 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw";
        let found = group_directories("0::/docker/1/sub", mounts);
        assert_eq!(found, [group(true, "/sys/fs/cgroup", "/sys/fs/cgroup/sub")]);
        let found = group_directories("0::/", mounts);
        assert_eq!(found, [group(true, "/sys/fs/cgroup", "/sys/fs/cgroup/")]);
        assert!(group_directories("", MOUNTS).is_empty());
        assert!(group_directories("nonsense\n\n:::", "a b - c\n - \n-").is_empty());
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mount = dir.path().join("mount");
        let leaf = mount.join("a/b");
        fs::create_dir_all(&leaf).expect("directories");
        let write = |path: &str, text: &str| fs::write(dir.path().join(path), text).expect("files");
        let free = |unified| {
            Group {
                unified,
                mount: mount.clone(),
                directory: leaf.clone(),
            }
            .free()
        };
        assert_eq!((free(true), free(false)), (None, None));
        for at in ["", "mount/", "mount/a/", "mount/a/b/"] {
            write(&format!("{at}memory.max"), "max\n");
            write(&format!("{at}memory.current"), "5000\n");
            write(
                &format!("{at}memory.limit_in_bytes"),
                "9223372036854771712\n",
            );
            write(&format!("{at}memory.usage_in_bytes"), "5000\n");
        }
        assert_eq!((free(true), free(false)), (None, None));
        write("mount/memory.max", "9000\n");
        assert_eq!(free(true), Some(4000));
        write("mount/a/memory.max", "8000\n");
        write("mount/a/memory.stat", "anon 1\ninactive_file 500\n");
        assert_eq!(free(true), Some(3500));
        write("mount/a/b/memory.high", "7000\n");
        assert_eq!(free(true), Some(2000));
        write("mount/a/memory.limit_in_bytes", "4000\n");
        assert_eq!(free(false), Some(0));
        write(
            "mount/a/memory.stat",
            "inactive_file 9\ntotal_inactive_file 4500\n",
        );
        assert_eq!(free(false), Some(3500));
        // What lies above the mount is none of ours.
        write("memory.max", "1\n");
        assert_eq!(free(true), Some(2000));
    }

    #[test]
    fn this_machine_tells() {
        let memory = free_memory().expect("every Linux has /proc/meminfo");
        assert!(memory.bytes > 0);
        let ports = source_ports().expect("every Linux has it");
        assert!(ports.shared && ports.count > 0);
    }
}
