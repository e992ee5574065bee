//! A replay keeps the spacing of the capture and moves its times to now.

mod support;

use std::time::Duration;

use capture::{Due, Replay, ReplayOptions, Source, Speed};
use cot_core::{CotTime, Event};
use support::{BEGIN, Files, line, report, report_line, uid};

/// Everything that is due, up to `max`, with when it is in milliseconds.
fn replay(text: &str, max: usize, change: impl FnOnce(&mut ReplayOptions)) -> Vec<(Due, u128)> {
    let files = Files::new();
    let source = Source::open([files.with("a", text)]).expect("it is there");
    let mut options = ReplayOptions::default();
    change(&mut options);
    let due = Replay::new(source, options).take(max).map(|due| due.expect("all is good"));
    due.map(|due| (due.clone(), due.after().as_millis())).collect()
}

fn when(due: &[(Due, u128)]) -> Vec<u128> {
    due.iter().map(|(_, after)| *after).collect()
}

fn capture_of(after_ms: &[i64]) -> String {
    after_ms.iter().map(|&ms| report_line("A", ms)).collect()
}

#[test]
fn spacing_is_kept_and_scaled() {
    let text = capture_of(&[0, 1_000, 1_000, 61_000]);
    assert_eq!(when(&replay(&text, 9, |_| {})), [0, 1_000, 1_000, 61_000]);
    let fast = replay(&text, 9, |options| options.speed = Speed::Times(10.0));
    assert_eq!(when(&fast), [0, 100, 100, 6_100]);
    let slow = replay(&text, 9, |options| options.speed = Speed::Times(0.5));
    assert_eq!(when(&slow), [0, 2_000, 2_000, 122_000]);
    assert_eq!(when(&replay(&text, 9, |options| options.speed = Speed::Max)), [0; 4]);
    let short = replay(&text, 9, |options| options.max_pause = Some(Duration::from_secs(5)));
    assert_eq!(when(&short), [0, 1_000, 1_000, 6_000]);
}

#[test]
fn a_clock_that_was_set_back_costs_no_time() {
    let text = capture_of(&[0, 60_000, -3_600_000, -3_599_000]);
    assert_eq!(when(&replay(&text, 9, |_| {})), [0, 60_000, 60_000, 61_000]);
}

#[test]
fn passes_follow_each_other_by_the_mean_interval() {
    let text = capture_of(&[0, 1_000, 4_000]);
    let due = replay(&text, 7, |options| options.repeat = true);
    assert_eq!(when(&due), [0, 1_000, 4_000, 6_000, 7_000, 10_000, 12_000]);
}

#[test]
fn a_repeated_capture_without_a_wanted_event_ends() {
    let text = capture_of(&[0, 1_000]);
    let due = replay(&text, 9, |options| {
        options.repeat = true;
        options.filter.teams.push("Red".to_owned());
    });
    assert!(due.is_empty());
}

#[test]
fn the_first_wanted_event_is_due_at_once() {
    let text = report_line("A", 0) + &report_line("B", 60_000) + &report_line("B", 61_000);
    let due = replay(&text, 9, |options| options.filter.uids.push("B".to_owned()));
    assert_eq!(when(&due), [0, 1_000]);
}

#[test]
fn times_are_moved_by_what_has_passed_since_receipt() {
    // The sender's clock is 90 s behind, and the report is valid for 75 s.
    let event = report("A", "HÖPE & Co", -90_000);
    let text = line(BEGIN, "A", "Cyan", &event.to_xml());
    let now_ms = BEGIN + 86_400_000 + 123;
    let mut out = Vec::new();
    replay(&text, 1, |_| {})[0].0.write(now_ms, &mut out);
    let mut expected = event;
    expected.set_times(CotTime::from_unix_millis(now_ms - 90_000), 75_000);
    assert_eq!(Event::from_xml(&out).expect("valid"), expected);
}

#[test]
fn nothing_else_of_an_event_changes() {
    let event = "<event how='h-e'  stale='2026-11-22T10:01:00Z' uid='A'\n\
                 type='b-m-p-s-m' time='2026-11-22T10:00:00Z' x=\"&#65;\">\
                 <!-- note --><point lat='1.50' lon='2' hae='9999999.0'/>\
                 <detail><link production_time='2026-11-22T10:00:00Z'/><![CDATA[<a>]]></detail></event>";
    let mut out = Vec::new();
    replay(&line(BEGIN, "", "", event), 1, |_| {})[0].0.write(BEGIN + 1_000, &mut out);
    let expected = event
        .replace("stale='2026-11-22T10:01:00Z'", "stale='2026-11-22T10:01:01.000Z'")
        .replace(" time='2026-11-22T10:00:00Z'", " time='2026-11-22T10:00:01.000Z'");
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn what_belongs_to_a_connection_is_left_out() {
    let with_kind = |uid: &str, kind: &str| {
        let mut event = report(uid, uid, 0);
        event.set_kind(kind);
        event.to_xml()
    };
    let text: String =
        ["t-x-c-t", "t-x-c-t-r", "t-x-takp-v", "t-x-takp-q", "t-x-takp-r", "t-x-d-d", "a-f-G"]
            .map(|kind| with_kind(kind, kind))
            .concat();
    let files = Files::new();
    let source = Source::open([files.with("a.cot", text)]).expect("it is there");
    let mut replay = Replay::new(source, ReplayOptions::default());
    let sent: Vec<_> = replay.by_ref().map(|due| uid(due.expect("good").record())).collect();
    assert_eq!(sent, ["t-x-d-d", "a-f-G"]);
    assert_eq!((replay.left_out(), replay.passes()), (5, 1));
}

#[test]
fn bad_records_and_gaps_do_not_end_a_replay() {
    let text = report_line("A", 0)
        + "nonsense\n"
        + "{\"t\":\"2026-11-22T10:00:00Z\",\"gap\":5,\"why\":\"x\"}\n"
        + &report_line("A", 10);
    let files = Files::new();
    let source = Source::open([files.with("a.jsonl", text)]).expect("it is there");
    let mut replay = Replay::new(source, ReplayOptions::default());
    let results: Vec<_> = replay.by_ref().map(|due| due.is_ok()).collect();
    assert_eq!(results, [true, false, true]);
    assert_eq!(replay.missing(), 5);
}
