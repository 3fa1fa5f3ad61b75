//! What all targets want of what is found out about a service.

use nishad::service::{MAX_EVIDENCE, MAX_NAMES, MAX_TEXT, Service};
use serde_json::Value;

/// Asserts that `service` is bounded, has no empty text and no control characters, and is read back
/// from JSON as it was.
pub fn is_bounded(service: &Service) {
    let value = serde_json::to_value(service).expect("JSON");
    walk(&value);
    let again: Service = serde_json::from_value(value).expect("a service");
    assert_eq!(&again, service);
}

fn walk(value: &Value) {
    match value {
        Value::String(text) => {
            assert!(
                !text.is_empty() && text.len() <= MAX_TEXT.max(MAX_EVIDENCE),
                "{text:?}"
            );
            assert!(!text.contains(char::is_control), "{text:?}");
        }
        Value::Array(values) => {
            assert!(values.len() <= MAX_NAMES);
            values.iter().for_each(walk);
        }
        Value::Object(fields) => fields.values().for_each(walk),
        _ => {}
    }
}
