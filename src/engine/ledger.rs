//! What is known of each port of an active host: two bytes a port, by its index in the host's order.

/// Where a port stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Never tried.
    Fresh,
    /// Its latest attempt is in the window.
    Window,
    /// Waits for attempts whose soft deadline passed.
    Parked,
    /// Wants another attempt.
    Queued,
    /// As often silent as was asked for; final when the host is complete.
    Silent,
    /// Has its verdict.
    Done,
}

/// The last bit: an attempt was given up for another port.
const EVICTED: u16 = 1 << 15;

/// One port: stage, attempts that count as silent, attempts made, attempts parked.
#[derive(Clone, Copy, Debug, Default)]
struct Port(u16);

const STAGES: [Stage; 6] = [
    Stage::Fresh,
    Stage::Window,
    Stage::Parked,
    Stage::Queued,
    Stage::Silent,
    Stage::Done,
];

/// Most attempts that can count as silent: four bits.
pub const MAX_COUNTED: u8 = 15;
/// Attempts made are counted up to this: five bits. A port tried that often is tried no more.
pub const MAX_MADE: u8 = 31;
/// Most attempts of a port parked at once: three bits.
pub const MAX_PARKED: u8 = 7;

/// Stands for a port with its verdict where others have their silences counted.
const MARK_DONE: u8 = 15;

impl Port {
    fn stage(self) -> Stage {
        // Only `with_stage` writes these bits, from a Stage; the last one stands for the two values it never writes.
        STAGES
            .get(usize::from(self.0 & 7))
            .copied()
            .unwrap_or(Stage::Done)
    }
    fn with_stage(self, stage: Stage) -> Port {
        Port(self.0 & !7 | stage as u16)
    }
    fn counted(self) -> u8 {
        (self.0 >> 3 & 15) as u8
    }
    fn made(self) -> u8 {
        (self.0 >> 7 & 31) as u8
    }
    fn parked(self) -> u8 {
        (self.0 >> 12 & 7) as u8
    }
}

/// The ports of one host.
#[derive(Debug)]
pub struct Ledger {
    ports: Vec<Port>,
    fresh: u32,
    queued: u32,
    silent: u32,
    done: u32,
    sweep: u32,
}

impl Ledger {
    /// `len` ports, none of them tried.
    pub fn new(len: u32) -> Ledger {
        Ledger {
            ports: vec![Port::default(); len as usize],
            fresh: 0,
            queued: 0,
            silent: 0,
            done: 0,
            sweep: 0,
        }
    }

    /// Number of ports.
    pub fn len(&self) -> u32 {
        self.ports.len() as u32
    }

    /// Ports tried: those with an index below this.
    pub fn tried(&self) -> u32 {
        self.fresh
    }

    /// Ports that have their verdict.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// Four bits for each port tried, two ports a byte: [`MARK_DONE`], or the attempts that count as
    /// silent.
    pub fn marks(&self) -> Vec<u8> {
        let mark = |port: &Port| match port.stage() {
            Stage::Done => MARK_DONE,
            _ => port.counted().min(MARK_DONE - 1),
        };
        let pair = |pair: &[Port]| mark(&pair[0]) | pair.get(1).map_or(0, mark) << 4;
        self.ports[..self.fresh as usize]
            .chunks(2)
            .map(pair)
            .collect()
    }

    /// The ports that [`marks`](Self::marks) tells of, those without a verdict wanting an attempt,
    /// and others up to `len`; `None` if it tells of more or fewer than `tried`.
    pub fn restore(len: u32, tried: u32, marks: &[u8]) -> Option<Ledger> {
        if tried > len || marks.len() != tried.div_ceil(2) as usize {
            return None;
        }
        let mut ledger = Ledger::new(len);
        ledger.fresh = tried;
        for index in 0..tried {
            let mark = marks[index as usize / 2] >> (index % 2 * 4) & 15;
            if mark == MARK_DONE {
                ledger.finish(index);
            } else {
                let mark = u16::from(mark);
                ledger.ports[index as usize].0 |= mark << 3 | mark << 7;
                ledger.set_stage(index, Stage::Queued);
            }
        }
        Some(ledger)
    }

    /// Takes the next port that was never tried.
    pub fn next_fresh(&mut self) -> Option<u32> {
        let index = self.fresh;
        if index >= self.len() {
            return None;
        }
        self.fresh += 1;
        Some(index)
    }

    /// Whether some port was never tried.
    pub fn has_fresh(&self) -> bool {
        self.fresh < self.len()
    }

    /// Takes the next port that wants another attempt, in the order of the ports, round and round.
    pub fn next_queued(&mut self) -> Option<u32> {
        if self.queued == 0 {
            return None;
        }
        let (before, after) = self.ports.split_at(self.sweep as usize);
        let queued = |port: &Port| port.stage() == Stage::Queued;
        let index = match after.iter().position(queued) {
            Some(offset) => self.sweep + offset as u32,
            None => before.iter().position(queued)? as u32,
        };
        self.sweep = index + 1;
        Some(index)
    }

    /// Ports that want another attempt.
    pub fn queued(&self) -> u32 {
        self.queued
    }

    /// Ports that are silent so far.
    pub fn silent(&self) -> u32 {
        self.silent
    }

    /// Whether every port is answered or silent.
    pub fn is_settled(&self) -> bool {
        self.silent + self.done == self.len()
    }

    /// Where the port stands.
    pub fn stage(&self, index: u32) -> Stage {
        self.ports[index as usize].stage()
    }

    /// Attempts on the port that count as silent.
    pub fn counted(&self, index: u32) -> u8 {
        self.ports[index as usize].counted()
    }

    /// Attempts made on the port.
    pub fn made(&self, index: u32) -> u8 {
        self.ports[index as usize].made()
    }

    /// Attempts on the port that are parked.
    pub fn parked(&self, index: u32) -> u8 {
        self.ports[index as usize].parked()
    }

    /// An attempt starts.
    pub fn start(&mut self, index: u32) {
        let port = self.ports[index as usize];
        if port.made() < MAX_MADE {
            self.ports[index as usize].0 += 1 << 7;
        }
        self.set_stage(index, Stage::Window);
    }

    /// The attempt in the window never took place: it is put back.
    pub fn put_back(&mut self, index: u32) {
        self.unmake(index);
        self.set_stage(index, Stage::Queued);
    }

    /// An attempt was cut short by this machine, and is none of those that a port has.
    pub fn unmake(&mut self, index: u32) {
        if self.made(index) > 0 {
            self.ports[index as usize].0 -= 1 << 7;
        }
    }

    /// The attempt in the window is parked.
    pub fn park(&mut self, index: u32, wanted: u8) {
        if self.parked(index) < MAX_PARKED {
            self.ports[index as usize].0 += 1 << 12;
        }
        self.set_stage(index, Stage::Parked);
        self.restage(index, wanted);
    }

    /// An attempt on the port went unanswered in its time and was given up for another port.
    pub fn mark_evicted(&mut self, index: u32) {
        self.ports[index as usize].0 |= EVICTED;
    }

    /// Whether such an attempt was marked.
    pub fn was_evicted(&self, index: u32) -> bool {
        self.ports[index as usize].0 & EVICTED != 0
    }

    /// A parked attempt will not count, whatever becomes of it.
    pub fn discount(&mut self, index: u32, wanted: u8) {
        let port = &mut self.ports[index as usize];
        if port.parked() > 0 {
            port.0 -= 1 << 12;
        }
        self.restage(index, wanted);
    }

    /// A parked attempt ends, as silent if it `counts`.
    pub fn unpark(&mut self, index: u32, counts: bool, wanted: u8) {
        let port = &mut self.ports[index as usize];
        if port.parked() > 0 {
            port.0 -= 1 << 12;
        }
        if counts && port.counted() < MAX_COUNTED {
            port.0 += 1 << 3;
        }
        self.restage(index, wanted);
    }

    /// Looks again at whether the port needs another attempt to reach `wanted` silences.
    pub fn restage(&mut self, index: u32, wanted: u8) {
        let port = self.ports[index as usize];
        if matches!(port.stage(), Stage::Fresh | Stage::Window | Stage::Done) {
            return;
        }
        // Attempts that never count are bounded; what the silence is worth is said at the end.
        let stage = if port.counted() >= wanted || port.made() >= MAX_MADE {
            if port.parked() == 0 {
                Stage::Silent
            } else {
                Stage::Parked
            }
        } else if port.counted() + port.parked() < wanted && port.parked() < MAX_PARKED {
            Stage::Queued
        } else {
            Stage::Parked
        };
        self.set_stage(index, stage);
    }

    /// Forgets the silences counted so far: they turned out to say nothing.
    pub fn forget_silences(&mut self, wanted: u8) {
        for index in 0..self.fresh {
            let port = &mut self.ports[index as usize];
            port.0 &= !(15 << 3);
            self.restage(index, wanted);
        }
    }

    /// Looks again at every port after more or fewer attempts were asked for.
    pub fn restage_all(&mut self, wanted: u8) {
        (0..self.fresh).for_each(|index| self.restage(index, wanted));
    }

    /// The port has its verdict.
    pub fn finish(&mut self, index: u32) {
        self.set_stage(index, Stage::Done);
    }

    /// The least number of counted attempts of a silent port.
    pub fn least_counted(&self) -> Option<u8> {
        self.ports
            .iter()
            .filter(|port| port.stage() == Stage::Silent)
            .map(|port| port.counted())
            .min()
    }

    fn set_stage(&mut self, index: u32, stage: Stage) {
        let port = &mut self.ports[index as usize];
        let old = port.stage();
        *port = port.with_stage(stage);
        if let Some(count) = self.count_of(old) {
            *count -= 1;
        }
        if let Some(count) = self.count_of(stage) {
            *count += 1;
        }
    }

    /// The number of ports at a stage, where it is kept.
    fn count_of(&mut self, stage: Stage) -> Option<&mut u32> {
        match stage {
            Stage::Queued => Some(&mut self.queued),
            Stage::Silent => Some(&mut self.silent),
            Stage::Done => Some(&mut self.done),
            Stage::Fresh | Stage::Window | Stage::Parked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_port_is_tried_as_often_as_wanted() {
        let mut ledger = Ledger::new(2);
        let index = ledger.next_fresh().expect("a port");
        for attempt in 1..=3 {
            ledger.start(index);
            assert_eq!(ledger.stage(index), Stage::Window);
            ledger.park(index, 3);
            ledger.unpark(index, true, 3);
            assert_eq!(ledger.stage(index) == Stage::Silent, attempt == 3);
            assert_eq!(ledger.next_queued().is_some(), attempt < 3);
        }
        assert_eq!(
            (ledger.made(index), ledger.counted(index), ledger.silent()),
            (3, 3, 1)
        );
        ledger.restage_all(4);
        assert_eq!(ledger.stage(index), Stage::Queued);
    }

    #[test]
    fn the_next_attempt_starts_while_the_last_is_parked() {
        let mut ledger = Ledger::new(1);
        ledger.next_fresh();
        ledger.start(0);
        ledger.park(0, 2);
        assert_eq!(ledger.stage(0), Stage::Queued);
        ledger.start(0);
        ledger.park(0, 2);
        assert_eq!(ledger.stage(0), Stage::Parked);
        ledger.unpark(0, false, 2);
        assert_eq!(
            ledger.stage(0),
            Stage::Queued,
            "an attempt that did not count is made again"
        );
    }

    #[test]
    fn attempts_that_never_count_are_bounded() {
        let mut ledger = Ledger::new(1);
        ledger.next_fresh();
        let mut made = 0;
        while ledger.stage(0) != Stage::Silent {
            ledger.start(0);
            ledger.park(0, 5);
            ledger.unpark(0, false, 5);
            made += 1;
            assert!(made <= 31);
        }
    }

    #[test]
    fn queued_ports_are_taken_in_turn() {
        let mut ledger = Ledger::new(5);
        while let Some(index) = ledger.next_fresh() {
            ledger.start(index);
            ledger.put_back(index);
        }
        let taken: Vec<_> = (0..7)
            .map(|_| ledger.next_queued().expect("a queued port"))
            .collect();
        assert_eq!(taken, [0, 1, 2, 3, 4, 0, 1]);
        assert_eq!(ledger.made(0), 0);
    }
}
