//! Saved results, read and written in one of the formats, and that read back where that is quick.

#![no_main]

mod support;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use nishad::engine::State;
use nishad::output::{Format, Output, Record, Show, TextOptions};
use nishad::report::{Merge, Problem, Survey, Weight};

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
    let format = Format::ALL[usize::from(how & 0x3f) % Format::ALL.len()];
    let mut output = Output::new(format, text(how & 0x40 != 0));
    let mut written = Vec::new();
    let open = |index: usize| Ok(inputs[index]);
    let mut each = |record: &Record<'_>| output.record(&mut written, record);
    let more = merge.write(show, open, &mut each);
    let more = more.expect("slices are readable, a Vec takes all");
    more.iter().for_each(support::is_one_safe_line);
    let written = String::from_utf8(written).expect("UTF-8");
    // What comes from outside has none of these either, but formats do.
    let dangerous = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    assert!(!written.contains(dangerous), "{written:?}");
    match format {
        Format::Ndjson => is_ndjson(&written),
        Format::Html => is_page(&written),
        _ => {}
    }
});

fn text(verbose: bool) -> TextOptions {
    TextOptions {
        color: false,
        verbose,
        reasons: verbose,
        more_hosts: 0,
        zone: TimeZone::UTC,
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

/// It has its own two scripts and no more, and the first is JSON.
fn is_page(written: &str) {
    let mut scripts = written.split("<script");
    let data = scripts.nth(1).expect("the data");
    let data = data.split_once('>').expect("a tag").1;
    let (data, _) = data.split_once("</script>").expect("its end");
    serde_json::from_str::<serde_json::Value>(data).expect("JSON");
    assert_eq!(scripts.count(), 1, "{written}");
    assert_eq!(written.matches("</script>").count(), 2, "{written}");
}
