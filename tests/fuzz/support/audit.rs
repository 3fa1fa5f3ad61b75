//! Results audited, and what was found written in each format that has findings.

use jiff::tz::TimeZone;
use nishad::audit::{Auditor, Baseline, Policy};
use nishad::output::ndjson::Line;
use nishad::output::{Format, Output, Record, TextOptions};
use nishad::report::{Merge, Survey};

/// Audits the result in `saved`, of which there may be none. `how` says in which format.
pub fn audit(saved: &[u8], baseline: Option<Baseline>, policy: Option<Policy>, how: u8) {
    let mut survey = Survey::default();
    survey.add("now", saved).expect("a slice is readable");
    if survey.check_run().is_err() {
        return;
    }
    let Some(merge) = Merge::new(survey) else {
        return;
    };
    let mut against = Some((baseline, policy));
    let mut auditor = None;
    let mut each = |record: &Record<'_>| {
        if let (Record::Line(Line::Start(start)), Some((baseline, policy))) =
            (record, against.take())
        {
            auditor = Some(Auditor::new(start, baseline, policy));
        }
        if let Some(auditor) = &mut auditor {
            auditor.record(record);
        }
        Ok(())
    };
    let told = merge.write(merge.saved(), |_| Ok(saved), &mut each);
    told.expect("a slice is readable, nothing is written");
    let audit = auditor.expect("there is a start line").finish();
    audit.findings().for_each(crate::support::is_one_safe_line);
    let formats = [Format::Text, Format::Ndjson, Format::Junit, Format::Sarif];
    let text = TextOptions {
        color: false,
        verbose: false,
        reasons: false,
        more_hosts: 0,
        zone: TimeZone::UTC,
    };
    let mut output = Output::new(formats[usize::from(how) % formats.len()], text);
    let mut written = Vec::new();
    let record = Record::Audit(&audit);
    output
        .record(&mut written, &record)
        .expect("a Vec takes all");
    let written = String::from_utf8(written).expect("UTF-8");
    assert!(
        !written.contains(|c: char| c.is_control() && c != '\n'),
        "{written:?}"
    );
}
