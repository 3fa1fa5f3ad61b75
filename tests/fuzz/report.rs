//! Saved results, read and written in one of the formats, and that read back.

#![no_main]

mod support;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use nishad::engine::State;
use nishad::output::{Clock, Show, TextOptions};
use nishad::report::{Merge, Problem, Survey, View, Weight};

fuzz_target!(|input: &[u8]| {
    // The first byte says how it is written, and one that is in no UTF-8 parts the inputs.
    let Some((how, saved)) = input.split_first() else {
        return;
    };
    let inputs: Vec<_> = saved.split(|byte| *byte == 0xff).take(4).collect();
    let mut survey = Survey::default();
    for (name, input) in ["a", "b\u{1b}", "c\u{202e}", "d"].iter().zip(&inputs) {
        survey.add(name, *input).expect("a slice is readable");
    }
    if let Err(error) = survey.check_run() {
        return support::is_one_safe_line(&error);
    }
    let Some(merge) = Merge::new(survey) else {
        return;
    };
    merge.problems().iter().for_each(support::is_one_safe_line);
    let show = match how & 0x80 {
        0 => merge.saved(),
        _ => Show::with(&State::ALL),
    };
    let mut written = Vec::new();
    let open = |index: usize| Ok(inputs[index]);
    let more = merge.write(view(*how), show, open, &mut written);
    let more = more.expect("slices are readable, a Vec takes all");
    more.iter().for_each(support::is_one_safe_line);
    let written = String::from_utf8(written).expect("UTF-8");
    match how & 0x7f {
        0 => is_ndjson(&written),
        _ => assert!(
            !written.contains(|c: char| c.is_control() && c != '\n'),
            "{written:?}"
        ),
    }
});

fn view(how: u8) -> View {
    match how & 0x7f {
        0 => View::Ndjson,
        how => View::Text(TextOptions {
            show: Show::default(),
            color: false,
            verbose: how & 1 == 0,
            hosts: 0,
            part: None,
            merged: false,
            zone: TimeZone::UTC,
            clock: Clock::start(),
        }),
    }
}

/// Every line of it can be read again.
fn is_ndjson(written: &str) {
    let mut survey = Survey::default();
    survey
        .add("again", written.as_bytes())
        .expect("a slice is readable");
    let wrong = |problem: &&Problem| problem.weight() == Weight::Wrong;
    assert_eq!(survey.problems().iter().find(wrong), None, "{written}");
}
