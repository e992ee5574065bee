//! The JSON form: XML to JSON to XML changes nothing.

#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/strategy.rs"]
mod strategy;
#[path = "support/tree.rs"]
mod tree;

use cot_core::xml::Element;
use cot_core::{CotTime, Event};
use proptest::prelude::*;

fn through_json(event: &Event) -> Event {
    let json = serde_json::to_string(event).expect("events have a JSON form");
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn every_corpus_event_survives_json() {
    corpus::each_event(|name, bytes| {
        let event = Event::from_xml(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = through_json(&event);
        assert_eq!(event, again, "{name}");
        let source = std::str::from_utf8(bytes).expect("the corpus is UTF-8");
        assert_eq!(tree::parse(source), tree::parse(&again.to_xml()), "{name}");
    });
}

#[test]
fn every_generated_event_survives_json() {
    for bytes in cot_core::generate::Traffic::new(78).events().take(1500) {
        let event = Event::from_xml(&bytes).expect("generated events are events");
        assert_eq!(through_json(&event), event);
    }
}

proptest! {
    #[test]
    fn any_event_survives_json(event in strategy::event()) {
        prop_assert_eq!(&through_json(&event), &event);
        let value = serde_json::to_value(&event).expect("events have a JSON form");
        let sorted: Event = serde_json::from_value(value).expect("the order of keys is free");
        prop_assert_eq!(tree::parse(&sorted.to_xml()).attributes, tree::parse(&event.to_xml()).attributes);
    }

    #[test]
    fn any_element_survives_json(element in strategy::element()) {
        let json = serde_json::to_string(&element).expect("elements have a JSON form");
        let again: Element = serde_json::from_str(&json).expect("what was written is read");
        prop_assert_eq!(again, element);
    }

    #[test]
    fn any_json_is_read_or_refused_without_panic(json in "[\\[\\]{}\",:#a1. ]{0,40}") {
        let _ = serde_json::from_str::<Event>(&json);
        let _ = serde_json::from_str::<Element>(&json);
    }
}

#[test]
fn the_form_is_as_documented() {
    let xml = concat!(
        r#"<event version="2.0" uid="A" type="a-f-G" time="2026-01-01T00:00:00Z" stale="x" how="m-g" qos="1-r-c">"#,
        r#"<point lat="46.8" lon="-9.80" hae="0" ce="9999999.0" le="38.856650047254725"/>"#,
        r#"<detail><contact callsign="HOPE"/><archive/><remarks source="A">text</remarks>"#,
        r#"<__chat id="B"><chatgrp uid0="A"/>mixed</__chat></detail></event>"#,
    );
    let event = Event::from_xml(xml.as_bytes()).expect("an event");
    assert_eq!(
        serde_json::to_string(&event).expect("events have a JSON form"),
        concat!(
            r#"{"version":"2.0","uid":"A","type":"a-f-G","time":"2026-01-01T00:00:00Z","stale":"x","how":"m-g","qos":"1-r-c","#,
            r#""point":{"lat":46.8,"lon":"-9.80","hae":0,"ce":9999999.0,"le":"38.856650047254725"},"#,
            r##""detail":[{"contact":{"callsign":"HOPE"}},{"archive":{}},{"remarks":{"source":"A","#":"text"}},"##,
            r##"{"__chat":{"id":"B","#":[{"chatgrp":{"uid0":"A"}},"mixed"]}}]}"##,
        )
    );
    assert_eq!(through_json(&event).to_xml(), xml);
}

#[test]
fn events_of_unusual_build_survive() {
    let head = r#"<event uid="A" type="t" time="1" stale="2">"#;
    let odd = r#"<event uid="A" type="t" time="1" stale="2" point="x" detail="y">"#;
    let point = r#"<point lat="1" lon="2"/>"#;
    for xml in [
        format!("{head}</event>"),
        format!("{head}<detail/>{point}</event>"),
        format!("{head}<contact/>{point}</event>"),
        format!("{head}{point}<contact/><x/><detail/></event>"),
        format!("{head}<x/>{point}<y/></event>"),
        format!("{head}{point}{point}<detail/><detail/></event>"),
        format!(r#"{head}{point}<detail a="b">t</detail></event>"#),
        format!("{head}{point}text</event>"),
        format!(r#"{head}<point lat="1" lon="2">x<y/></point></event>"#),
        format!("{odd}{point}<detail>x</detail></event>"),
        format!("{odd}</event>"),
    ] {
        let event =
            Event::from_xml(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
        assert_eq!(through_json(&event).to_xml(), xml);
    }
}

#[test]
fn numbers_and_truth_values_are_read_as_attributes() {
    let json = r##"{"uid":1,"type":"t","time":"1","stale":"2","detail":[{"status":{"battery":88,"readiness":true}},{"track":{"speed":1.5}}]}"##;
    let event: Event = serde_json::from_str(json).expect("an event");
    assert_eq!(
        event.to_xml(),
        r#"<event uid="1" type="t" time="1" stale="2"><detail><status battery="88" readiness="true"/><track speed="1.5"/></detail></event>"#
    );
}

#[test]
fn what_is_not_an_event_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for json in [
        "1",
        "[]",
        "{}",
        r#"{"uid":"A","type":"t","time":"1"}"#,
        r#"{"uid":null,"type":"t","time":"1","stale":"2"}"#,
        r#"{"uid":"A","uid":"B","type":"t","time":"1","stale":"2"}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","a b":"c"}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","x":{}}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","point":{"lat":"x","lon":1}}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","detail":[{"<":{}}]}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","detail":[{"a":{},"b":{}}]}"#,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","detail":[{"a":"b"}]}"#,
        r##"{"uid":"A","type":"t","time":"1","stale":"2","#":{}}"##,
        r#"{"uid":"A","type":"t","time":"1","stale":"2","detail":[{"event":{}}]}"#,
        &deep,
    ] {
        assert!(serde_json::from_str::<Event>(json).is_err(), "{json}");
    }
}

#[test]
fn times_are_strings() {
    let time = CotTime::from_unix_millis(1);
    assert_eq!(serde_json::to_string(&time).expect("a string"), r#""1970-01-01T00:00:00.001Z""#);
    assert_eq!(
        serde_json::from_str::<CotTime>(r#""1970-01-01T00:00:00.001Z""#).expect("a time"),
        time
    );
    assert!(serde_json::from_str::<CotTime>("1").is_err());
}
