//! Checkpoints: read, written, and gone on with to the end of the run.

#![no_main]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use nishad::checkpoint::Checkpoint;
use nishad::engine::{Action, Options, Outcome, Reason, Scanner, SnapshotError};
use nishad::output::{About, Clock, Recorder, Show};
use nishad::target::{HostSet, PortSet, TargetSpace};

/// Turns of the loop: more than the few probes of the run take.
const TURNS: usize = 200;
/// Hosts that a checkpoint may bring along, to keep an execution short.
const LATE: usize = 4;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Two hosts, six ports.
static SPACE: LazyLock<TargetSpace> = LazyLock::new(|| {
    let mut hosts = HostSet::default();
    let addr = |low| IpAddr::from(Ipv4Addr::new(192, 0, 2, low));
    hosts.insert_range(addr(1), addr(2), 0);
    TargetSpace::new(hosts, (20..26).collect::<PortSet>(), &[22], 7)
});

fuzz_target!(|input: &[u8]| {
    let saved = match Checkpoint::parse(input) {
        Ok(saved) => saved,
        Err(error) => return support::is_one_safe_line(&error),
    };
    let written = serde_json::to_vec(&saved).expect("it was read");
    Checkpoint::parse(&written).expect("it was written");
    if saved.snapshot.late.len() <= LATE
        && let Err(error) = go_on(&saved)
    {
        support::is_one_safe_line(&error);
    }
});

/// Ends the run: every second port answers, the others are silent, and what is left is interrupted.
fn go_on(saved: &Checkpoint) -> Result<(), SnapshotError> {
    let options = Options {
        retries: 1,
        give_up: Duration::from_secs(3),
        ..Options::default()
    };
    let mut now = *ORIGIN;
    let space = SPACE.clone();
    let mut recorder = Recorder::new(
        Show::default(),
        Clock::go_on(saved.started, saved.elapsed),
        About::new(&space, saved.key.clone(), Vec::new()),
    );
    recorder.take_up(&saved.pending);
    let mut scanner = Scanner::resume(space, options, &saved.snapshot, now)?;
    for turn in 0..TURNS {
        if turn == TURNS / 2 {
            scanner.interrupt(now);
        }
        while let Some(action) = scanner.poll_action(now) {
            match action {
                Action::Connect { id, addr } if addr.port() % 2 == 0 => {
                    let reason = match addr.port() {
                        22 => Reason::SynAck,
                        _ => Reason::ConnRefused,
                    };
                    scanner.handle_outcome(now, id, Outcome::Answered { reason, from: None });
                }
                Action::Report(report) => {
                    let told = recorder.report(&report, &mut |_| Ok(()));
                    told.expect("nothing is written");
                }
                Action::Connect { .. } | Action::Close { .. } | Action::Ending => {}
            }
        }
        if scanner.is_done() {
            return Ok(());
        }
        if let Some(next) = scanner.poll_timeout() {
            now = now.max(next);
        }
        scanner.handle_timeout(now);
    }
    panic!("the run does not end");
}
