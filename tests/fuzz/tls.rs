//! What comes instead of a TLS server's handshake.

#![no_main]

#[path = "support/service.rs"]
mod service;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use nishad::service::Rules;
use nishad::service::talk::{Ended, Options, Talk, Want};

fuzz_target!(|input: &[u8]| {
    static RULES: OnceLock<Arc<Rules>> = OnceLock::new();
    let rules = RULES.get_or_init(|| Arc::new(Rules::new(&[]).expect("the built-in rules")));
    let options = Options {
        target: "www.example".into(),
        rtt: None,
        ask_printers: false,
        wall: Timestamp::UNIX_EPOCH,
    };
    let now = Instant::now();
    let mut talk = Talk::new(Arc::clone(rules), 443, &options, now);
    talk.connected(now);
    // No greeting.
    let deadline = talk.poll_timeout().expect("a deadline");
    talk.timeout(deadline);
    // The first byte says how much comes at once.
    let Some((piece, input)) = input.split_first() else {
        return;
    };
    let mut pieces = input.chunks(usize::from(*piece) + 1);
    let mut first = true;
    loop {
        match talk.want() {
            Want::Done => break,
            Want::Connect => {
                first = false;
                talk.connected(deadline);
            }
            Want::Send(bytes) => {
                let count = bytes.len();
                talk.sent(deadline, count);
            }
            Want::Read(_) => match pieces.next().filter(|_| first) {
                Some(piece) => talk.received(deadline, piece),
                None => talk.closed(deadline, Ended::Closed),
            },
        }
    }
    service::is_bounded(&talk.into_service());
});
