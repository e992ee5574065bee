//! The typed model: what is read is what is written.

#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/strategy.rs"]
mod strategy;
#[path = "support/tree.rs"]
mod tree;

use cot_core::detail::{Contact, Dest, Group, Status, Track};
use cot_core::xml::Element;
use cot_core::{CotTime, Event, Limits, ParseError, Point};
use proptest::prelude::*;

fn event(content: &str) -> String {
    let head = r#"<event version="2.0" uid="u" type="a-f-G" time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:01:00Z" how="m-g">"#;
    format!("{head}{content}</event>")
}

fn with_detail(detail: &str) -> Event {
    let xml = event(&format!(
        r#"<point lat="1" lon="2" hae="3" ce="4" le="5"/><detail>{detail}</detail>"#
    ));
    Event::from_xml(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

#[test]
fn every_corpus_event_survives_a_round_trip() {
    corpus::each_event(|name, bytes| {
        let parsed = Event::from_xml(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = parsed.to_xml();
        let again = Event::from_xml(written.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(parsed, again, "{name}");
        let source = std::str::from_utf8(bytes).expect("the corpus is UTF-8");
        assert_eq!(tree::parse(source), tree::parse(&written), "{name}");
        assert!(written.starts_with("<event ") && written.ends_with("</event>"), "{name}");
    });
}

proptest! {
    #[test]
    fn any_event_survives_a_round_trip(event in strategy::event()) {
        let xml = event.to_xml();
        let read = Event::from_xml(xml.as_bytes()).map_err(|e| TestCaseError::fail(format!("{e}: {xml}")))?;
        prop_assert_eq!(&read, &event);
        prop_assert_eq!(&read.to_xml(), &xml);
        tree::parse(&xml);
        prop_assert_eq!(xml.matches("</event>").count(), 1);
    }

    #[test]
    fn any_damage_is_read_or_refused_and_what_is_read_is_well_formed(
        seed in any::<u64>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..24_usize), 1..4),
    ) {
        const PIECES: [&str; 24] = [
            "", "<", ">", "</event>", "<!--", "-->", "<![CDATA[", "]]>", "&", "&#0;", "&foo;", "\"",
            "'", " x='1'", "<!DOCTYPE a>", "\u{FFFF}", "\u{1}", "é", "<a:b/>", "<?xml version='1.0'?>",
            "</detail>", "<event>", "/", "&#xE9;",
        ];
        let mut bytes = Vec::new();
        cot_core::generate::Traffic::new(seed).write_event(&mut bytes);
        for (at, piece) in edits {
            let at = at.index(bytes.len());
            let piece = PIECES.get(piece).copied().unwrap_or_default();
            bytes.splice(at..at + usize::from(piece.is_empty()), piece.bytes());
        }
        if let Ok(event) = Event::from_xml(&bytes) {
            let xml = event.to_xml();
            let source = std::str::from_utf8(&bytes).expect("only UTF-8 is read");
            prop_assert_eq!(tree::parse(source), tree::parse(&xml));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::from_xml(&bytes);
    }
}

#[test]
fn every_generated_event_survives_a_round_trip() {
    for bytes in cot_core::generate::Traffic::new(77).events().take(1500) {
        let parsed = Event::from_xml(&bytes).expect("generated events are events");
        let written = parsed.to_xml();
        let source = std::str::from_utf8(&bytes).expect("generated events are UTF-8");
        assert_eq!(tree::parse(source), tree::parse(&written));
    }
}

#[test]
fn characters_that_need_care_are_escaped_and_come_back() {
    let hard = "a\"b'c&d<e>f\ng\th\r i ]]> é 東 \u{1F600}";
    let mut event = with_detail("");
    event.detail_mut().element_mut().push(Element::new("x").with("y", hard).with_text(hard));
    let xml = event.to_xml();
    assert!(
        xml.contains("&quot;b&apos;c&amp;d&lt;e&gt;f&#10;g&#9;h&#13; i ]]&gt; é 東 😀\""),
        "{xml}"
    );
    assert!(xml.contains(">a\"b'c&amp;d&lt;e&gt;f\ng\th&#13; i ]]&gt;"), "{xml}");
    let read = Event::from_xml(xml.as_bytes()).expect("what is written is read");
    let x = read.detail().element().child("x").expect("it was written");
    assert_eq!(x.attribute("y"), Some(hard));
    assert_eq!(x.text(), hard);
}

#[test]
fn what_xml_cannot_express_is_replaced() {
    let mut event = with_detail("");
    event.set_uid("a\0b\u{1F}c\u{FFFE}d");
    let read = Event::from_xml(event.to_xml().as_bytes()).expect("well-formed");
    assert_eq!(read.uid(), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d");
}

#[test]
fn references_character_data_and_line_ends_are_resolved() {
    let read =
        with_detail("<x a='&#xE4;&amp;&#10;\n\t'>1&lt;2<![CDATA[<&>]]>\r\n3<!-- no -->4</x>");
    let x = read.detail().element().child("x").expect("it is there");
    assert_eq!(x.attribute("a"), Some("ä&\n  "));
    assert_eq!(x.text(), "1<2<&>\n34");
}

#[test]
fn unknown_values_are_none_and_keep_their_text() {
    for unknown in ["9999999.0", "9999999", "999999", "999999.0", "NaN", "nan", "", "x", "inf"] {
        let xml = event(&format!(
            r#"<point lat="1.50" lon=" 2" hae="{unknown}" ce="{unknown}" le="{unknown}"/>"#
        ));
        let mut event = Event::from_xml(xml.as_bytes()).expect("an event");
        assert_eq!(event.point(), Some(Point::new(1.5, 2.0)), "{unknown}");
        event.set_point(Point::new(1.5, 2.0));
        assert_eq!(event.to_xml(), xml, "an unchanged point keeps its text");
        event.set_point(Point::new(1.5, 2.0).with_hae(12.0));
        assert!(event.to_xml().contains(&format!(r#"hae="12.0" ce="{unknown}""#)));
    }
}

#[test]
fn a_point_out_of_range_is_refused_and_never_written() {
    for (lat, lon) in
        [("90.1", "0"), ("0", "-180.5"), ("NaN", "0"), ("-Infinity", "0"), ("", "0"), ("1,5", "0")]
    {
        let xml = event(&format!(r#"<point lat="{lat}" lon="{lon}" hae="0" ce="0" le="0"/>"#));
        assert!(
            matches!(Event::from_xml(xml.as_bytes()), Err(ParseError::InvalidAttribute { .. })),
            "{lat} {lon}"
        );
    }
    let point = Point { hae: Some(f64::INFINITY), ce: Some(f64::NAN), ..Point::new(f64::NAN, 1e9) };
    let event = with_detail("").with_point(point);
    let read = Event::from_xml(event.to_xml().as_bytes()).expect("an event");
    assert_eq!(read.point(), Some(Point::new(0.0, 180.0)));
}

#[test]
fn times_keep_their_text_until_they_change() {
    let mut event = with_detail("");
    event.set_times(CotTime::parse("2026-01-01T00:00:00Z").expect("a time"), 60_000);
    assert!(event.to_xml().contains(r#"time="2026-01-01T00:00:00Z""#));
    event.set_times(CotTime::parse("2026-01-01T00:00:01Z").expect("a time"), 60_000);
    assert!(event.to_xml().contains(r#"stale="2026-01-01T00:01:01.000Z""#));
    event.set_attribute("stale", "soon");
    assert_eq!(event.stale(), None);
}

#[test]
fn a_view_changes_only_what_it_knows() {
    let mut event = with_detail(
        r#"<contact x="1" callsign="A" endpoint="e" phone=""/><contact callsign="B"/><status battery="088"/><track speed="?" course="1.50"/>"#,
    );
    let contact = event.detail().contact().expect("it is there");
    assert_eq!((contact.callsign, contact.phone), (Some("A"), Some("")));
    let detail = event.detail_mut();
    detail.set(&Contact { callsign: Some("C"), phone: Some("7"), ..Contact::default() });
    detail.set(&Status { battery: Some(88), readiness: None });
    detail.set(&Track { speed: None, course: Some(1.5), slope: Some(2.0) });
    detail.set(&Group { team: Some("Cyan"), ..Group::default() });
    assert_eq!(
        event.detail().element().to_string(),
        concat!(
            r#"<detail><contact x="1" callsign="C" phone="7"/><contact callsign="B"/>"#,
            r#"<status battery="088"/><track speed="?" course="1.50" slope="2.0"/>"#,
            r#"<__group name="Cyan"/></detail>"#,
        )
    );
}

#[test]
fn chats_and_destinations_are_read_and_written() {
    let mut event = with_detail(
        r#"<__chat id="g" chatroom="R" senderCallsign="S" groupOwner="true" y="1"><chatgrp uid10="k" uid0="a" uid1="b" id="g"/><hierarchy/></__chat><marti><dest callsign="A"/><dest x=""/></marti><marti><dest uid="B" mission="M"/></marti>"#,
    );
    let mut chat = event.detail().chat().expect("a chat");
    assert_eq!(chat.members, ["a", "b", "k"]);
    assert_eq!((chat.receipt, chat.id, chat.group_owner), (false, Some("g"), Some(true)));
    let dests: Vec<_> = event.detail().dests().collect();
    assert_eq!(dests, [Dest::Callsign("A"), Dest::Unknown, Dest::Uid("B")]);
    chat.members.push("z");
    let mut other = event.clone();
    other.detail_mut().set_chat(&chat);
    other.detail_mut().set_dests(&[Dest::Mission("M"), Dest::Group("G")]);
    assert_eq!(
        other.detail().element().to_string(),
        concat!(
            r#"<detail><__chat id="g" chatroom="R" senderCallsign="S" groupOwner="true" y="1">"#,
            r#"<chatgrp id="g" uid0="a" uid1="b" uid2="k" uid3="z"/><hierarchy/></__chat>"#,
            r#"<marti><dest mission="M"/><dest group="G"/></marti></detail>"#,
        )
    );
    event.detail_mut().set_dests(&[]);
    assert!(!event.to_xml().contains("marti"));
}

#[test]
fn order_duplicates_and_strangers_stay() {
    let xml = event(
        r#"<contact callsign="X"/><detail a="1"><archive/><y/>t<archive/></detail><point lat="1" lon="2"/><point lat="x"/><detail/>"#,
    );
    let event = Event::from_xml(xml.as_bytes()).expect("an event");
    assert_eq!(event.to_xml(), xml);
    assert_eq!(event.callsign(), Some("X"));
    assert!(event.detail().is_archived());
}

#[test]
fn an_event_is_never_written_as_an_empty_element() {
    let xml = br#"<event uid="u" type="t" time="1" stale="2"/>"#;
    let event = Event::from_xml(xml).expect("an event");
    assert_eq!(event.to_xml(), r#"<event uid="u" type="t" time="1" stale="2"></event>"#);
    assert_eq!(event.point(), None);
    assert_eq!(event.detail().element().to_string(), "<detail/>");
}

#[test]
fn what_is_not_an_event_is_refused() {
    let head = r#"<event uid="u" type="t" time="1" stale="2">"#;
    for xml in [
        "",
        " ",
        "text",
        "<event",
        "<event>",
        "<a/>",
        "</event>",
        r#"<event uid="u" type="t" time="1"/>"#,
        r#"<event uid="" type="t" time="1" stale="2"/>"#,
        r#"<event uid="u" type="" time="1" stale="2"/>"#,
        r#"<event uid="u" uid="u" type="t" time="1" stale="2"/>"#,
        r#"<event uid="u"type="t" time="1" stale="2"/>"#,
        r#"<event uid=u type="t" time="1" stale="2"/>"#,
        r#"<event uid type="t" time="1" stale="2"/>"#,
        r#"<event uid="<" type="t" time="1" stale="2"/>"#,
        r#"<event uid="&x;" type="t" time="1" stale="2"/>"#,
        r#"<event uid="&amp" type="t" time="1" stale="2"/>"#,
        r#"<!DOCTYPE event><event uid="u" type="t" time="1" stale="2"/>"#,
        r#" <?xml version="1.0"?><event uid="u" type="t" time="1" stale="2"/>"#,
        &format!("{head}</event>x"),
        &format!("x{head}</event>"),
        &format!("{head}</event>{head}</event>"),
        &format!("{head}<a></b></event>"),
        &format!("{head}<1/></event>"),
        &format!("{head}<a:b/></event>"),
        &format!("{head}]]></event>"),
        &format!("{head}&#0;</event>"),
        &format!("{head}&nbsp;</event>"),
        &format!("{head}&</event>"),
        &format!("{head}\u{1}</event>"),
        &format!("{head}<!-- -- --></event>"),
        &format!("{head}<detail>"),
        &format!("{head}<detail><a>{head}</event></a></detail></event>"),
    ] {
        assert!(Event::from_xml(xml.as_bytes()).is_err(), "{xml}");
    }
    assert!(Event::from_xml(b"<event uid='\xFF' type='t' time='1' stale='2'/>").is_err());
}

#[test]
fn limits_bound_what_is_read() {
    let deep =
        |n: usize| event(&format!("<detail>{}{}</detail>", "<a>".repeat(n), "</a>".repeat(n)));
    let depth = Limits::default().depth;
    assert!(Event::from_xml(deep(depth - 2).as_bytes()).is_ok());
    let refused = |xml: &str, wanted: &str| match Event::from_xml(xml.as_bytes()) {
        Err(ParseError::Limit { what, .. }) => assert_eq!(what, wanted),
        other => panic!("{wanted}: {other:?}"),
    };
    refused(&deep(depth - 1), "depth");
    refused(&deep(100_000), "depth");
    refused(&event(&"<a/>".repeat(10_000)), "elements");
    let attributes: String = (0..129).map(|n| format!(" a{n}=''")).collect();
    refused(&event(&format!("<a{attributes}/>")), "attributes");
    refused(&event(&" ".repeat(1 << 20)), "bytes");
}
