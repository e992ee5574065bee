//! What the header reads, and where it says things lie.

use cot_core::{Dest, Header, Limits, RejectCode, Scanner};

fn scan(text: &str) -> Header<'_> {
    Scanner::new(Limits::default()).scan(text.as_bytes()).unwrap()
}

fn event(detail: &str) -> String {
    format!(
        "<event uid='A &amp; B' type='a-f-G' how='m-g' time='2026-01-01T00:00:00.5Z' \
         start='2026-01-01T00:00:01Z' stale='soon'><point lat='1.25' lon=' -2' le='NaN'/>\
         {detail}</event>"
    )
}

#[test]
fn the_root_and_the_point_are_read() {
    let text = event("");
    let header = scan(&text);
    assert!(header.uid().eq_str("A & B"));
    assert_eq!(header.uid().raw(), "A &amp; B");
    assert_eq!((header.kind(), &text[header.kind_range()]), ("a-f-G", "a-f-G"));
    assert_eq!(header.time_ms(), Some(1_767_225_600_500));
    assert_eq!(header.start_ms(), Some(1_767_225_601_000));
    assert_eq!((header.stale().raw(), header.stale_ms()), ("soon", None));
    assert_eq!(&text[header.time_range()], "2026-01-01T00:00:00.5Z");
    assert_eq!(&text[header.start_range().unwrap()], "2026-01-01T00:00:01Z");
    assert_eq!(&text[header.stale_range()], "soon");
    assert_eq!((header.lat().raw(), header.lon().raw()), ("1.25", " -2"));
    assert_eq!(header.le().map(|le| le.raw()), Some("NaN"));
    assert!(header.hae().is_none() && header.ce().is_none());
    assert!(header.contact().is_none() && header.detail_end().is_none());
    assert_eq!(header.dests().count(), 0);
}

#[test]
fn the_prolog_is_not_part_of_the_event() {
    let text = event("");
    let framed = format!(
        "\u{FEFF}<?xml version='1.0' encoding='utf-16'?> <!-- a --><?b c?>\n{text}\n <!--d-->"
    );
    let header = scan(&framed);
    assert_eq!(header.as_str(), text);
    assert_eq!(&text[header.kind_range()], "a-f-G");
}

#[test]
fn only_children_of_the_first_detail_count() {
    let text = event(
        "<contact callsign='outside'/><detail><a><contact callsign='deeper'/></a></detail>\
         <detail><contact callsign='second'/></detail>",
    );
    let header = scan(&text);
    assert!(header.contact().is_none());
    assert_eq!(header.detail_end(), text.find("</detail>"));
}

#[test]
fn the_first_of_each_name_counts() {
    let text = event(
        "<detail><contact endpoint='e'/><contact callsign='late'/><__group name='Red'/>\
         <__group role='HQ'/><link uid='1'/><link uid='2'/></detail>",
    );
    let header = scan(&text);
    let contact = header.contact().unwrap();
    assert!(contact.callsign.is_none() && contact.endpoint.unwrap().eq_str("e"));
    let group = header.group().unwrap();
    assert!(group.name.unwrap().eq_str("Red") && group.role.is_none());
    assert!(header.link().unwrap().uid.unwrap().eq_str("1"));
}

#[test]
fn every_destination_of_every_marti_counts() {
    let text = event(
        "<detail><marti><dest callsign='B'/><x/><dest mission='M' path='p'/></marti><y><marti/></y>\
         <marti/><marti a='1'><dest uid='U' callsign='first'/><dest/><dest mission-guid='G'/></marti>\
         </detail>",
    );
    let header = scan(&text);
    let dests: Vec<_> = header
        .dests()
        .map(|dest| match dest {
            Dest::Callsign(text) | Dest::Mission(text) | Dest::MissionGuid(text) => text.raw(),
            Dest::Unknown => "?",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(dests, ["B", "M", "first", "?", "G"]);
    assert_eq!(header.marti_count(), 3);
    assert!(text[header.marti_range().unwrap()].starts_with("<marti><dest callsign='B'/>"));
    assert!(
        header.marti_ranges().all(|range| {
            text[range.clone()].ends_with("</marti>") || &text[range] == "<marti/>"
        })
    );
}

#[test]
fn chat_emergency_and_control_are_read() {
    let text = event(
        "<detail><__chat parent='RootContactGroup' groupOwner='false' messageId='m1' \
         chatroom='R' id='I' senderCallsign='A'><hierarchy/><chatgrp uid0='s' uid1='t' uidx='no' \
         id='I'/></__chat><emergency type='911 Alert' cancel='True'>A</emergency><TakControl>\
         <TakProtocolSupport version='9'/><TakRequest version='1'/></TakControl>\
         <_flow-tags_ TAK-Server-1='x' marti1='y'/><archive/></detail>",
    );
    let header = scan(&text);
    let chat = header.chat().unwrap();
    assert!(!chat.receipt && chat.id.unwrap().eq_str("I") && chat.parent.is_some());
    assert!(chat.message_id.unwrap().eq_str("m1") && chat.chatroom.unwrap().eq_str("R"));
    assert!(chat.sender_callsign.unwrap().eq_str("A"));
    let members: Vec<_> = chat.members().map(|(number, uid)| (number, uid.raw())).collect();
    assert_eq!(members, [(0, "s"), (1, "t")]);
    let emergency = header.emergency().unwrap();
    assert!(emergency.cancel && emergency.kind.unwrap().eq_str("911 Alert"));
    assert!(header.tak_request().unwrap().eq_str("1"));
    let tags = header.flow_tags().unwrap();
    assert!(tags.carries("marti1") && !tags.carries("marti"));
    assert_eq!(&text[tags.range], "<_flow-tags_ TAK-Server-1='x' marti1='y'/>");
    assert!(header.has_archive() && !header.has_ack_response() && !header.has_force_delete());
}

#[test]
fn what_must_be_rewritten_is_not_a_datagram() {
    let mut scanner = Scanner::new(Limits::default());
    let mut code = |text: String| scanner.scan(text.as_bytes()).map(drop).unwrap_err().code;
    let whole = event("<!-- a -->");
    assert_eq!(code(whole.replace("</event>", "</event >")), RejectCode::AmbiguousEnd);
    assert_eq!(code(whole.replace(" a ", "</event>")), RejectCode::AmbiguousEnd);
    assert_eq!(code(format!("{whole}{whole}")), RejectCode::Trailing);
    assert_eq!(code(format!("{whole}x")), RejectCode::Trailing);
    assert_eq!(code(format!("x{whole}")), RejectCode::Root);
    assert_eq!(code(whole.replace("event", "vent")), RejectCode::Root);
    assert_eq!(code(String::new()), RejectCode::Root);
    assert_eq!(code(format!("<!DOCTYPE a>{whole}")), RejectCode::Doctype);
}

#[test]
fn limits_hold() {
    let mut limits = Limits::default();
    limits.depth = 3;
    limits.attributes = 7;
    limits.elements = 6;
    limits.event = 400;
    let mut scanner = Scanner::new(limits);
    let mut result = |detail: &str| {
        scanner.scan(event(detail).as_bytes()).map(drop).map_err(|reject| reject.code)
    };
    assert_eq!(result("<detail><a/></detail>"), Ok(()));
    assert_eq!(result("<detail><a><b/></a></detail>"), Ok(()));
    assert_eq!(result("<detail><a><b></b></a></detail>"), Err(RejectCode::Depth));
    assert_eq!(result("<a b='' c='' d='' e='' f='' g='' h=''/>"), Ok(()));
    let many = "<a b='' c='' d='' e='' f='' g='' h='' i=''/>";
    assert_eq!(result(many), Err(RejectCode::TooManyAttributes));
    assert_eq!(result("<a/><a/><a/><a/>"), Ok(()));
    assert_eq!(result("<a/><a/><a/><a/><a/>"), Err(RejectCode::TooManyElements));
    assert_eq!(result(&" ".repeat(400)), Err(RejectCode::TooLong));
}

#[test]
fn duplicates_are_found_however_many_attributes_there_are() {
    for count in 1..100 {
        let names: String = (0..count).map(|n| format!(" longprefix{n}=''")).collect();
        let text = event(&format!("<a{names}/>"));
        scan(&text);
        for again in [0, count / 2, count - 1] {
            let text = event(&format!("<a{names} longprefix{again}=''/>"));
            let result = Scanner::new(Limits::default()).scan(text.as_bytes()).map(drop);
            assert_eq!(result.unwrap_err().code, RejectCode::DuplicateAttribute, "{text}");
        }
    }
}

#[test]
fn a_rejection_is_eight_bytes_and_says_what_and_where() {
    assert_eq!(size_of::<cot_core::Reject>(), 8);
    let text = event("<a b='1' b='2'/>");
    let reject = Scanner::new(Limits::default()).scan(text.as_bytes()).unwrap_err();
    assert_eq!(reject.offset as usize, text.rfind("b=").unwrap());
    assert_eq!(reject.to_string(), format!("duplicate attribute at byte {}", reject.offset));
    assert_eq!(reject.code.as_str(), "duplicate_attribute");
}
