//! Figures of a capture, and events printed again.

mod support;

use capture::{EventFormat, EventWriter, MAX_NAMES, Record, Stats};
use cot_core::Event;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{BEGIN, Files, line, read, report, report_line};

fn stats(text: &str) -> Value {
    let found = read(&[Files::new().with("a", text)]);
    let (mut stats, mut scanner) = (Stats::new(), capture::scanner());
    for record in &found.records {
        stats.add(record, &record.header(&mut scanner).expect("scanned before"));
    }
    found.gaps.iter().for_each(|gap| stats.add_gap(gap));
    found.bad.iter().for_each(|_| stats.add_bad());
    serde_json::to_value(stats.report()).expect("it has a form")
}

#[test]
fn a_capture_is_summed_up() {
    let chat = report("GeoChat.A.x", "", 4_000).to_xml().replace("a-f-G-U-C", "b-t-f");
    let text = report_line("A", 0)
        + &report_line("A", 100)
        + &report_line("B", 900)
        + &line(BEGIN + 4_000, "A", "Cyan", &chat)
        + "nonsense\n"
        + "{\"t\":\"2026-11-22T10:00:09Z\",\"gap\":5,\"why\":\"x\"}\n";
    let figures = stats(&text);
    assert_eq!(figures["events"], 4);
    assert_eq!(figures["first"], "2026-11-22T10:00:00.000Z");
    assert_eq!(figures["last"], "2026-11-22T10:00:04.000Z");
    assert_eq!(figures["seconds"], 4.0);
    assert_eq!(figures["events_per_second"], 1.0);
    assert_eq!(figures["peak_second"], 3);
    assert_eq!(figures["longest_pause_seconds"], 3.1);
    assert_eq!([&figures["gaps"], &figures["missing"], &figures["bad"]], [1, 5, 1]);
    let first = |list: &str, names: [&str; 3]| names.map(|name| figures[list][0][name].clone());
    assert_eq!(
        first("types", ["type", "name", "events"]),
        [json!("a-f-G-U-C"), json!("friendly ground combat unit"), json!(3)]
    );
    assert_eq!(first("senders", ["uid", "callsign", "events"]), [json!("A"), json!("A"), json!(3)]);
    assert_eq!(first("teams", ["name", "events", "x"]), [json!("Cyan"), json!(4), Value::Null]);
}

#[test]
fn an_empty_capture_has_no_rate() {
    let figures = stats("");
    assert_eq!((&figures["events"], &figures["first"]), (&json!(0), &Value::Null));
    assert_eq!(figures["events_per_second"], Value::Null);
}

#[test]
fn more_names_than_are_kept_are_counted_together() {
    let (mut stats, mut scanner) = (Stats::new(), capture::scanner());
    let template = report("@", "@", 0).to_xml();
    let uids = (0..=MAX_NAMES).map(|n| n.to_string()).chain(["x".repeat(1_000)]);
    for uid in uids {
        let event = template.replace("uid=\"@\"", &format!("uid=\"{uid}\""));
        let record = Record::new(0, "", "", event, &mut scanner).expect("valid");
        stats.add(&record, &record.header(&mut scanner).expect("scanned before"));
    }
    let report = stats.report();
    assert_eq!(report.senders.len(), MAX_NAMES);
    assert_eq!(report.other_senders.events, 2);
}

fn print(format: EventFormat, text: &str) -> String {
    let found = read(&[Files::new().with("a", text)]);
    let (mut scanner, mut out) = (capture::scanner(), Vec::new());
    let mut writer = EventWriter::new(format);
    for record in &found.records {
        writer.write(record, &record.header(&mut scanner).expect("scanned before"), &mut out);
    }
    writer.finish(&mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn xml_is_printed_as_it_was_captured() {
    let event = report("A", "<&\"HOPE", 0).to_xml().replace("><", ">\n<");
    let text = line(BEGIN, "S", "Cyan", &event) + &report_line("B", 1);
    let printed = print(EventFormat::Xml, &text);
    assert_eq!(printed, format!("{event}\n{}\n", report("B", "B", 1)));
    // It is a capture again.
    assert_eq!(read(&[Files::new().with("a.cot", printed)]).uids(), ["A", "B"]);
}

#[test]
fn a_dump_is_printed_as_one_that_can_be_read_again() {
    let text = line(BEGIN, "S\"", "T\u{1b}", &report("A", "A\u{9b}", 0).to_xml());
    let printed = print(EventFormat::Dump, &text);
    let files = Files::new();
    let [before, after] = [&text, &printed].map(|text| read(&[files.with("a", text)]).records);
    assert_eq!(before, after);
}

#[derive(Deserialize)]
struct Line {
    t: String,
    uid: String,
    team: String,
    event: Event,
}

#[test]
fn json_has_the_event_in_its_own_form() {
    let event = report("A", "<HOPE>", 0);
    let printed = print(EventFormat::Json, &line(BEGIN + 5, "S", "Red", &event.to_xml()));
    assert_eq!(printed.lines().count(), 1);
    let line: Line = serde_json::from_str(&printed).expect("JSON");
    let head = [line.t.as_str(), &line.uid, &line.team];
    assert_eq!(head, ["2026-11-22T10:00:00.005Z", "S", "Red"]);
    assert_eq!(line.event, event);
}

#[test]
fn geojson_has_the_places() {
    let nowhere = report("N", "N", 0).to_xml();
    let nowhere = nowhere.replace("lat=\"47.0\" lon=\"8.5\"", "lat=\"0.0\" lon=\"0.0\"");
    let nowhere = nowhere.replace("ce=\"5.0\"", "ce=\"9999999.0\"");
    let text = report_line("A", 0) + &line(BEGIN, "N", "", &nowhere) + &report_line("B", 1);
    let printed: Value = serde_json::from_str(&print(EventFormat::GeoJson, &text)).expect("JSON");
    assert_eq!(printed["type"], "FeatureCollection");
    let features = printed["features"].as_array().expect("a list");
    assert_eq!(features.len(), 2);
    assert_eq!(
        features[0]["geometry"],
        json!({"type": "Point", "coordinates": [8.5, 47.0, 400.5]})
    );
    assert_eq!(features[0]["properties"]["callsign"], "A");
    let empty: Value = serde_json::from_str(&print(EventFormat::GeoJson, "")).expect("JSON");
    assert_eq!(empty["features"], json!([]));
}
