//! What a world was sent, and what became of it.

use std::collections::HashMap;
use std::fmt;

/// What was sent to one port. Times are nanoseconds after the first SYN of the scan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// SYNs of different connection attempts.
    pub attempts: u32,
    /// SYNs of the same attempt sent again by the scanner's kernel.
    pub again: u32,
    pub first: u64,
    pub last: u64,
    tuple: (u16, u32),
}

/// All that was counted in a world.
#[derive(Debug, Default)]
pub struct Tally {
    pub ports: HashMap<(u32, u16), Seen>,
    pub attempts: u64,
    pub again: u64,
    pub acks: u64,
    pub closes: u64,
    /// Packets that are no TCP, or for no host of the world.
    pub stray: u64,
    /// When the last SYN came.
    pub last_syn: u64,
    pub syn_acks: u64,
    pub rsts: u64,
    /// Segments of services.
    pub said: u64,
    pub icmp: u64,
    /// Of all these, what came besides an answer.
    pub strays: u64,
    /// Packets that the path lost at random.
    pub lost: u64,
    /// Packets sent while the path was dead.
    pub dead: u64,
    /// SYNs over a limit.
    pub syns_over: u64,
    /// SYNs for which the router had no entry left.
    pub table_full: u64,
    /// Packets that a full queue dropped, up and down.
    pub queue_up: u64,
    pub queue_down: u64,
    pub rsts_over: u64,
    pub icmp_over: u64,
    /// SYNs that a full accept queue dropped.
    pub busy: u64,
    /// What the TUN device's own queue dropped: must be 0, for no world decides that.
    pub tun_dropped: u64,
    /// ICMP errors that came while a call of the scanner held their socket.
    pub met_a_call: u64,
    /// Packets that the kernel would not take.
    pub write_failed: u64,
    /// Processor time that the world itself took, in seconds.
    pub cpu: f64,
    buckets: Vec<u32>,
}

impl Tally {
    /// Counts a SYN.
    pub fn syn(&mut self, host: u32, port: u16, tuple: (u16, u32), at: u64) {
        let seen = self.ports.entry((host, port)).or_default();
        if seen.attempts == 0 {
            seen.first = at;
        }
        seen.last = at;
        if seen.attempts > 0 && seen.tuple == tuple {
            seen.again += 1;
            self.again += 1;
        } else {
            seen.attempts += 1;
            self.attempts += 1;
        }
        seen.tuple = tuple;
        self.last_syn = at;
        // Ten minutes of tenths of a second; what comes later is in the last one.
        let bucket = usize::try_from(at / 100_000_000).map_or(5_999, |bucket| bucket.min(5_999));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    /// The most SYNs in a tenth of a second.
    pub fn peak(&self) -> u32 {
        self.buckets.iter().copied().max().unwrap_or(0)
    }

    /// SYNs in each tenth of a second.
    pub fn timeline(&self) -> &[u32] {
        &self.buckets
    }

    /// The port that was probed most often, which is a canary if there was one.
    pub fn busiest(&self) -> Option<((u32, u16), Seen)> {
        self.ports
            .iter()
            .max_by_key(|(_, seen)| seen.attempts)
            .map(|(key, seen)| (*key, *seen))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sent: {} attempts to {} ports, {} SYNs repeated by the kernel, {} ACKs, {} closes; last SYN after {:.2} s, at most {} SYNs in 100 ms; the world took {:.2} s of processor",
            self.attempts,
            self.ports.len(),
            self.again,
            self.acks,
            self.closes,
            self.last_syn as f64 / 1e9,
            self.peak(),
            self.cpu
        )?;
        writeln!(
            f,
            "answered: {} SYN-ACKs, {} RSTs, {} ICMP ({} met a call), {} of them strays",
            self.syn_acks, self.rsts, self.icmp, self.met_a_call, self.strays
        )?;
        let dropped = [
            ("by loss", self.lost),
            ("on a dead path", self.dead),
            ("over the SYN limit", self.syns_over),
            ("without a flow entry", self.table_full),
            ("by the queue up", self.queue_up),
            ("by the queue down", self.queue_down),
            ("over the RST limit", self.rsts_over),
            ("over the ICMP limit", self.icmp_over),
            ("by a full accept queue", self.busy),
            ("for no host", self.stray),
            ("by the TUN device", self.tun_dropped),
            ("refused by the kernel", self.write_failed),
        ];
        write!(f, "dropped:")?;
        for (what, count) in dropped.iter().filter(|(_, count)| *count > 0) {
            write!(f, " {count} {what},")?;
        }
        writeln!(f)?;
        if let Some(((host, port), seen)) = self.busiest() {
            write!(
                f,
                "most often probed: port {port} of host {host}, {} times",
                seen.attempts
            )?;
        }
        Ok(())
    }
}
