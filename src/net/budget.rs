//! What a scan may use of this machine, worked out once at the start.
//!
//! An attempt in flight holds a descriptor, memory of the kernel and of this process, a source port
//! and, behind a firewall that keeps state, an entry in its table. The least plentiful of them bounds
//! how many there may be at once. A scan that is told too much works nonetheless: what the system
//! refuses is tried again later ([`LocalFault`](crate::engine::LocalFault)). But memory is refused
//! by ending the process, so that it has to be reckoned with before.

use std::fmt;

use super::{Services, limits, sys};
use crate::engine::Options;
use crate::service::talk::TALK_MEMORY;

/// Memory that an attempt in flight takes, in bytes: 4.1 KiB of kernel objects (socket, inode, the
/// SYN kept for sending it again, epoll's entry) and 0.3 KiB of ours, measured over 1,000 to 19,000
/// attempts in flight in a memory control group of Linux 6.18; and a page, which control groups of
/// version 2 charge for what TCP may queue.
pub const SOCKET_MEMORY: u64 = 9 * 1024;

/// Memory of a scan without any attempt in flight, in bytes: 1.3 MiB charged to a control group with
/// 8 hosts of 65,535 ports, measured as above, and as much again for results and what is planned.
pub const BASE_MEMORY: u64 = 5 << 19;

/// The scan takes one part in so many of the memory that is free: others need some too.
const MEMORY_SHARE: u64 = 2;

/// Bytes that the engine keeps for a port of an active host, and the part of the memory for that at most.
const PORT_MEMORY: u64 = 2;
const PORTS_SHARE: u64 = 8;

/// The part of the memory for talks with open ports at most. Sockets have what these two leave.
const TALKS_SHARE: u64 = 4;

/// One part in so many of the free entries of a connection-tracking table may be in flight. Linux
/// makes room by dropping entries that were never answered (`early_drop`), so that older silent
/// attempts go first; what is in flight must fit.
const FLOWS_SHARE: u64 = 2;

/// How long the table keeps an unanswered attempt (nf_conntrack_tcp_timeout_syn_sent).
const FLOW_SECONDS: u64 = 120;

/// What this machine lets a scan have. A field is `None` where the system does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Descriptors that this process may have open.
    pub descriptor_limit: usize,
    /// Of these, what is left for sockets.
    pub descriptors: usize,
    /// Memory that is free for the scan.
    pub memory: Option<Memory>,
    /// Ports that connections leave from.
    pub source_ports: Option<SourcePorts>,
    /// The table of tracked connections, if the system has one.
    pub flows: Option<FlowTable>,
    /// Of the memory, what is for other things than sockets, in bytes.
    kept: u64,
}

/// Free memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How much, in bytes.
    pub bytes: u64,
    /// What bounds it.
    pub bound: MemoryBound,
}

/// What bounds the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryBound {
    /// What the machine has to give away (Linux: `MemAvailable`).
    Machine,
    /// The limit of a control group that this process is in, less what the group uses.
    ControlGroup,
    /// What the user lets the scan have, its own memory included.
    User,
}

/// Ports that connections leave from, without those that the user binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePorts {
    /// How many.
    pub count: u32,
    /// Whether connections to different addresses or ports share one. Then they bound only the
    /// attempts on the same port of the same host.
    pub shared: bool,
}

/// The connection-tracking table of this machine's own firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTable {
    /// Entries at most.
    pub most: u64,
    /// Entries in use.
    pub used: u64,
}

impl Budget {
    /// What can be had now.
    pub fn of_this_machine() -> Budget {
        Budget {
            descriptor_limit: sys::descriptor_limit(),
            descriptors: limits::available_sockets(),
            memory: sys::free_memory(),
            source_ports: sys::source_ports(),
            flows: sys::flow_table(),
            kept: 0,
        }
    }

    /// Lets the scan have `bytes` of memory at most, this process and the kernel's part together.
    pub fn limit_memory(&mut self, bytes: u64) {
        let free = self.free_memory();
        if free.is_none_or(|free| Self::for_scan(bytes) < free) {
            self.memory = Some(Memory {
                bytes,
                bound: MemoryBound::User,
            });
        }
    }

    /// Sockets that the scan may have at once beside what it is [`bound`](Self::bound) to; 1 at least.
    pub fn sockets(&self) -> usize {
        let memory = self.free_memory();
        let memory = memory.map(|bytes| bytes.saturating_sub(self.kept) / SOCKET_MEMORY);
        let ports = self.source_ports.filter(|ports| !ports.shared);
        let ports = ports.map(|ports| u64::from(ports.count));
        let flows = self.flows.map(|flows| flows.free() / FLOWS_SHARE);
        let least = [memory, ports, flows].into_iter().flatten().min();
        let least = least.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        least.min(self.descriptors).max(1)
    }

    /// `options` and `services`, as far as this budget goes: sockets, ports of active hosts, and talks,
    /// which together take no more memory than there is.
    pub fn bound(&mut self, options: Options, services: Option<&mut Services>) -> Options {
        let part = |share| self.free_memory().map_or(u64::MAX, |bytes| bytes / share);
        let ports = u64::from(options.active_ports).min(part(PORTS_SHARE) / PORT_MEMORY);
        let talks = services.map_or(0, |services| {
            let most = usize::try_from(part(TALKS_SHARE) / TALK_MEMORY as u64);
            services.at_once = services.at_once.min(most.unwrap_or(usize::MAX).max(1));
            services.at_once as u64
        });
        self.kept = (ports * PORT_MEMORY).saturating_add(talks.saturating_mul(TALK_MEMORY as u64));
        Options {
            max_sockets: options.max_sockets.min(self.sockets()),
            // It was no more than that before.
            active_ports: u32::try_from(ports).unwrap_or(u32::MAX),
            ..options
        }
    }

    /// Memory for attempts in flight, ports of active hosts and talks.
    fn free_memory(&self) -> Option<u64> {
        self.memory.map(|memory| match memory.bound {
            MemoryBound::User => Self::for_scan(memory.bytes),
            // This process is part of what is used already.
            MemoryBound::Machine | MemoryBound::ControlGroup => memory.bytes / MEMORY_SHARE,
        })
    }

    fn for_scan(bytes: u64) -> u64 {
        bytes.saturating_sub(BASE_MEMORY)
    }
}

impl FlowTable {
    /// Entries that are not in use.
    pub fn free(&self) -> u64 {
        self.most.saturating_sub(self.used)
    }
}

/// In one line: what there is, and what it comes to.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} sockets: ", self.sockets())?;
        if self.descriptor_limit == usize::MAX {
            f.write_str("descriptors without limit")?;
        } else {
            write!(
                f,
                "{} of {} descriptors left",
                self.descriptors, self.descriptor_limit
            )?;
        }
        if let Some(memory) = self.memory {
            let size = Size(memory.bytes);
            let what = match memory.bound {
                MemoryBound::Machine => "free memory",
                MemoryBound::ControlGroup => "memory left in the control group",
                MemoryBound::User => "memory allowed",
            };
            write!(f, ", {size} {what} at {} a socket", Size(SOCKET_MEMORY))?;
        }
        if let Some(ports) = self.source_ports {
            let how = if ports.shared {
                "for each port of a host"
            } else {
                "for all connections"
            };
            write!(f, ", {} source ports {how}", ports.count)?;
        }
        if let Some(flows) = self.flows {
            write!(
                f,
                ", {} of {} entries free in the connection-tracking table, which keeps silent \
                 attempts for {FLOW_SECONDS} s: enough for --rate {}/s",
                flows.free(),
                flows.most,
                flows.free() / FLOW_SECONDS,
            )?;
        }
        Ok(())
    }
}

/// Bytes in the largest unit that leaves a number of three digits or so.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let unit = units.into_iter().find(|(_, bits)| self.0 >= 2 << bits);
        match unit {
            Some((unit, bits)) => write!(f, "{} {unit}", self.0 >> bits),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Budget = Budget {
        descriptor_limit: 20_000,
        descriptors: 19_990,
        memory: None,
        source_ports: None,
        flows: None,
        kept: 0,
    };

    fn memory(bytes: u64, bound: MemoryBound) -> Budget {
        let memory = Some(Memory { bytes, bound });
        Budget { memory, ..PLENTY }
    }

    #[test]
    fn what_is_least_plentiful_bounds() {
        assert_eq!(PLENTY.sockets(), 19_990);
        let group = memory(16 << 20, MemoryBound::ControlGroup);
        assert_eq!(group.sockets(), 910);
        let ports = |count, shared| Budget {
            source_ports: Some(SourcePorts { count, shared }),
            ..PLENTY
        };
        assert_eq!(ports(64, true).sockets(), 19_990);
        assert_eq!(ports(64, false).sockets(), 64);
        let flows = |most, used| Budget {
            flows: Some(FlowTable { most, used }),
            ..PLENTY
        };
        assert_eq!(flows(262_144, 100).sockets(), 19_990);
        assert_eq!(flows(16_384, 384).sockets(), 8_000);
        // A table that shrank below what it holds.
        assert_eq!(flows(10, 20).sockets(), 1);
        assert_eq!(memory(0, MemoryBound::Machine).sockets(), 1);
    }

    #[test]
    fn the_user_bounds_memory_but_makes_none() {
        let mut budget = memory(1 << 34, MemoryBound::Machine);
        budget.limit_memory(4 << 20);
        assert_eq!(budget.memory.map(|m| m.bound), Some(MemoryBound::User));
        assert_eq!(budget.sockets(), 170);
        let options = budget.bound(Options::default(), None);
        assert_eq!((options.max_sockets, options.active_ports), (149, 98_304));
        let mut budget = memory(1 << 20, MemoryBound::ControlGroup);
        budget.limit_memory(1 << 30);
        assert_eq!(
            budget.memory.map(|m| m.bound),
            Some(MemoryBound::ControlGroup)
        );
        let mut unknown = PLENTY;
        unknown.limit_memory(16 << 20);
        assert_eq!(unknown.sockets(), 1_536);
    }

    #[test]
    fn a_wide_budget_changes_nothing() {
        let plain = Options {
            max_sockets: 100,
            ..Options::default()
        };
        let mut wide = memory(1 << 34, MemoryBound::Machine);
        let bound = wide.bound(plain.clone(), None);
        assert_eq!(format!("{bound:?}"), format!("{plain:?}"));
    }

    /// They came to 137% where sockets had all of it.
    #[cfg(feature = "services")]
    #[test]
    fn all_parts_together_take_no_more_memory_than_there_is() {
        use crate::service::Rules;
        let rules = std::sync::Arc::new(Rules::new(&[]).expect("they are compiled in"));
        for bytes in [1 << 20, 16 << 20, 100 << 20, 1 << 30, 1 << 34] {
            for (ports, talks) in [(1, 0), (1 << 19, 0), (1 << 19, 1024), (u32::MAX, 1 << 20)] {
                let mut budget = memory(bytes, MemoryBound::ControlGroup);
                budget.descriptors = usize::MAX;
                let mut services = Services::new(rules.clone());
                services.at_once = talks;
                let options = Options {
                    active_ports: ports,
                    max_sockets: usize::MAX,
                    ..Options::default()
                };
                let asked = Some(&mut services).filter(|_| talks > 0);
                let options = budget.bound(options, asked);
                let sockets = options.max_sockets as u64 * SOCKET_MEMORY;
                let ports = u64::from(options.active_ports) * PORT_MEMORY;
                // There is always one.
                let talks = services.at_once.saturating_sub(1) as u64 * TALK_MEMORY as u64;
                let free = bytes / MEMORY_SHARE;
                assert!(
                    sockets + ports + talks <= free,
                    "{sockets}, {ports} and {talks} of {free}"
                );
                assert!(sockets > free / 4, "{sockets} of {free}");
                assert_eq!(budget.sockets(), options.max_sockets, "as it is told");
            }
        }
    }

    #[test]
    fn it_is_told_in_a_line() {
        let budget = Budget {
            source_ports: Some(SourcePorts {
                count: 28_232,
                shared: true,
            }),
            flows: Some(FlowTable {
                most: 65_536,
                used: 536,
            }),
            ..memory(3 << 30, MemoryBound::Machine)
        };
        assert_eq!(
            budget.to_string(),
            "up to 19990 sockets: 19990 of 20000 descriptors left, 3 GiB free memory at 9 KiB a \
             socket, 28232 source ports for each port of a host, 65000 of 65536 entries free in \
             the connection-tracking table, which keeps silent attempts for 120 s: enough for \
             --rate 541/s"
        );
        for (bytes, text) in [(0, "0 bytes"), (3 << 10, "3 KiB"), (1 << 30, "1024 MiB")] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
