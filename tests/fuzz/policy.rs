//! Policies: read, and a small result held against them.

#![no_main]

#[path = "support/audit.rs"]
mod audit;
mod support;

use libfuzzer_sys::fuzz_target;
use nishad::audit::Policy;

/// A host that answers on two ports, and one that is cut off.
const SAVED: &str = concat!(
    r#"{"type":"start","schema":1,"version":"0.1.0","args":[],"seed":7,"run_id":"x","key":{"targets":"a","ports":"b","seed":7,"shards":null,"options":{}},"shard":null,"show":null,"started":"2026-01-01T00:00:00Z","hosts":2,"planned":8,"run_hosts":2,"run_planned":8,"targets_failed":0}"#,
    "\n",
    r#"{"type":"port","ip":"192.0.2.1","host":"h.example","port":22,"proto":"tcp","state":"open","reason":"syn-ack","from":null,"service":{"registered":"ssh","name":"telnet"},"rtt_ms":1.5,"attempts":1,"time":"2026-01-01T00:00:00Z"}"#,
    "\n",
    r#"{"type":"port","ip":"192.0.2.1","host":"h.example","port":443,"proto":"tcp","state":"open","reason":"syn-ack","from":null,"service":"https","rtt_ms":1.5,"attempts":1,"time":"2026-01-01T00:00:00Z"}"#,
    "\n",
    r#"{"type":"host","ip":"192.0.2.1","host":"h.example","planned":4,"open":2,"closed":2,"filtered":0,"unscanned":0,"reasons":{"syn-ack":2,"conn-refused":2},"miss":0.0,"loss":0.0,"refusals_limited":false,"suspect":null,"suspect_ports":null,"open_not_listed":0,"started":"2026-01-01T00:00:00Z","elapsed_s":0.5}"#,
    "\n",
    r#"{"type":"port","ip":"fe80::1%2","host":null,"port":23,"proto":"tcp","state":"open","reason":"syn-ack","from":null,"service":"telnet","rtt_ms":1.5,"attempts":1,"time":"2026-01-01T00:00:00Z"}"#,
    "\n",
);

fuzz_target!(|input: &[u8]| {
    let how = input.len() as u8;
    match Policy::read("p\u{1b}.toml", input) {
        Ok(policy) => audit::audit(SAVED.as_bytes(), None, Some(policy), how),
        Err(error) => support::is_one_safe_line(&error),
    }
});
