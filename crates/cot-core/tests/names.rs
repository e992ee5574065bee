//! Readable names of types.

#[path = "support/corpus.rs"]
mod corpus;

use cot_core::{Affiliation, Dimension, Event, EventType};

#[test]
fn things_are_named_by_side_dimension_and_function() {
    for (kind, words) in [
        ("a-f-G-U-C", "friendly ground combat unit"),
        ("a-f-G-U-C-I", "friendly ground infantry unit"),
        ("a-f-G-E-V-C", "friendly ground civilian vehicle"),
        ("a-f-A-M-H-Q", "friendly air rotary wing drone"),
        ("a-n-A-C-F", "neutral air civil fixed wing aircraft"),
        ("a-h-G-E-V-A-T", "hostile ground tank"),
        ("a-u-G", "unknown ground"),
        ("a-U-G", "unknown ground"),
        ("a-s-S-X-M", "suspect surface merchant vessel"),
        ("a-p-U-S-N", "pending subsurface nuclear submarine"),
        ("a-a-P-S", "assumed friendly space satellite"),
        ("a-j-F-G-S", "joker special operations special forces unit"),
        ("a-k-X-anything", "faker other"),
        ("a-f", "friendly"),
        ("a-f-Q-Z", "friendly"),
        ("a-f-G-Z-Z-Z", "friendly ground"),
        ("a-f-G-E-V-A-T-unheard-of", "friendly ground tank"),
        ("a-f-G-U-C;note", "friendly ground combat unit"),
    ] {
        assert_eq!(EventType::new(kind).describe(), words, "{kind}");
    }
}

#[test]
fn messages_drawings_and_tasks_are_named() {
    for (kind, words) in [
        ("b-t-f", "GeoChat message"),
        ("b-t-f-d", "GeoChat delivered receipt"),
        ("b-m-p-s-m", "spot marker"),
        ("b-m-r", "route"),
        ("b-a-o-tbl", "911 alert"),
        ("b-a-o-can", "emergency cancelled"),
        ("b-f-t-r", "file transfer request"),
        ("u-d-f-m", "telestration"),
        ("u-d-r-unheard-of", "rectangle drawing"),
        ("t-x-c-t", "ping"),
        ("t-x-c-t-r", "pong"),
        ("t-x-takp-q", "protocol request"),
        ("y-c", "task completed"),
    ] {
        assert_eq!(EventType::new(kind).describe(), words, "{kind}");
    }
}

#[test]
fn what_has_no_name_is_shown_as_it_is() {
    for kind in ["", "a", "b", "-", "a-", "a-x", "a-é-東", "b-q", "t-x", "z-z-z", "GeoChat message"]
    {
        assert_eq!(EventType::new(kind).describe(), kind);
        assert_eq!(EventType::new(kind).function(), None);
    }
}

#[test]
fn parts_are_told_apart() {
    let kind = EventType::new("a-h-S-C-L-F-F");
    assert_eq!(kind.affiliation(), Some(Affiliation::Hostile));
    assert_eq!(kind.dimension(), Some(Dimension::Surface));
    assert_eq!(kind.function(), Some("frigate or corvette"));
    assert_eq!(kind.atoms().count(), 7);
    assert!(kind.is_atom() && kind.is_within("a-h-S") && kind.is_within("a-h-S-C-L-F-F"));
    assert!(
        !kind.is_within("a-h-SC") && !kind.is_within("a-h-S-C-L-F-F-X") && !kind.is_within("a-")
    );
    assert_eq!(EventType::new("b-f-G").affiliation(), None);
    assert!(EventType::new("t-x-c-t").is_ping() && EventType::new("t-x-c-t-r").is_pong());
    assert!(EventType::new("t-x-d-d").is_delete());
    assert!(!EventType::new("t-x-c-t-r").is_ping());
}

#[test]
fn nearly_every_type_of_the_corpus_has_a_name() {
    let (mut named, mut total) = (0, 0);
    corpus::each_event(|name, bytes| {
        let event = Event::from_xml(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_named = event.kind().describe() != event.kind().as_str();
        if !is_named {
            println!("no name: {} in {name}", event.kind());
        }
        named += usize::from(is_named);
        total += 1;
    });
    assert!(named * 100 >= total * 97, "{named} of {total}");
}
