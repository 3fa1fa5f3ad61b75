//! A whole talk with a port: what comes, when, and how connections end.

#![no_main]

#[path = "support/service.rs"]
mod service;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use nishad::service::Rules;
use nishad::service::talk::{Ended, MAX_CONNECTIONS, MAX_READ, Moments, Options, Talk, Want};

fuzz_target!(|input: &[u8]| {
    static RULES: OnceLock<Arc<Rules>> = OnceLock::new();
    let rules = RULES.get_or_init(|| Arc::new(Rules::new(&[]).expect("the built-in rules")));
    let Some((port, script)) = input.split_first_chunk::<2>() else {
        return;
    };
    let options = Options {
        target: "www.example".into(),
        rtt: None,
        ask_printers: false,
        wall: Timestamp::UNIX_EPOCH,
    };
    let begun = Instant::now();
    let mut now = begun;
    let mut talk = Talk::new(Arc::clone(rules), u16::from_be_bytes(*port), &options, now);
    // The script is a byte for what happens, and after some a count of bytes that come.
    let mut script = script.iter();
    let (mut connections, mut read) = (0, 0);
    while talk.want() != Want::Done {
        let deadline = talk.poll_timeout();
        match talk.want() {
            Want::Connect => {
                connections += 1;
                talk.connected(now);
                continue;
            }
            Want::Send(bytes) => {
                assert!(!bytes.is_empty());
                let count = bytes.len();
                talk.sent(now, count);
                continue;
            }
            Want::Read(most) => {
                assert!(most > 0);
                let Some(step) = script.next() else {
                    now = now.max(deadline.expect("a deadline"));
                    talk.timeout(now);
                    continue;
                };
                match step {
                    0..=15 => talk.closed(now, Ended::Closed),
                    16..=23 => talk.closed(now, Ended::Reset),
                    24..=31 => talk.closed(now, Ended::Failed),
                    32..=63 => {
                        now = now.max(deadline.expect("a deadline"));
                        talk.timeout(now);
                    }
                    64..=79 => now += Duration::from_millis(u64::from(step - 63)),
                    count => {
                        let came: Vec<u8> = script
                            .by_ref()
                            .take(usize::from(count - 79))
                            .copied()
                            .collect();
                        let came = &came[..came.len().min(most)];
                        read += came.len();
                        talk.received(now, came);
                    }
                }
            }
            Want::Done => unreachable!("it wants something"),
        }
    }
    assert!(connections <= u32::from(MAX_CONNECTIONS));
    assert!(read <= MAX_READ);
    assert!(now - begun <= Moments::of(None).total + Duration::from_secs(17));
    service::is_bounded(&talk.into_service());
});
