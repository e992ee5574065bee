//! Records survive being written as text, in this version and from every earlier one.

use std::collections::BTreeMap;

use bytes::Bytes;
use keeper::record::{RecordError, SCHEMA, read_entry, write_change, write_entry};
use proptest::prelude::*;
use relay::{Audience, HeldEvent, Item, ItemKind, KnownContact, PictureChange, Record, RecordKey};
use serde_json::Value;

/// Entries as the first version with a schema wrote them: a map from keys to values.
const SCHEMA_1: &str = include_str!("fixtures/schema-1.json");

#[test]
fn a_file_of_schema_1_is_read_and_written_as_it_was() {
    let entries: BTreeMap<String, Value> = serde_json::from_str(SCHEMA_1).unwrap();
    assert_eq!(entries.len(), 9);
    for (key, value) in entries {
        let record = read_entry(1, &key, &value.to_string()).unwrap();
        let written = write_entry(&record).unwrap();
        assert_eq!(written.key, key);
        let written: Value = serde_json::from_str(&written.value.unwrap()).unwrap();
        assert_eq!(written, value);
    }
}

#[test]
fn what_a_file_of_schema_1_says_is_understood() {
    let entries: BTreeMap<String, Value> = serde_json::from_str(SCHEMA_1).unwrap();
    let read = |key: &str| read_entry(1, key, &entries[key].to_string()).unwrap();
    let Record::Item(item) = read("item/Cyan/ANDROID-1") else { panic!("an item") };
    assert_eq!((item.seq, item.kind, &*item.scope), (17, ItemKind::Presence, "Cyan"));
    assert_eq!((&*item.sender, &*item.team), ("ANDROID-1", "Cyan"));
    assert_eq!(item.audience, Audience::Reach);
    assert_eq!(item.until_ms - item.received_ms, 375_000);
    assert!(item.event.starts_with(b"<event ") && item.event.ends_with(b"</event>"));
    let Record::Item(deletion) = read("item//marker-9") else { panic!("an item") };
    let item_time_ms = Some(1_795_342_500_001);
    assert_eq!(deletion.kind, ItemKind::Deletion { item_time_ms });
    let Record::Item(alert) = read("alert//ANDROID-1-9-1-1") else { panic!("an item") };
    assert_eq!(alert.audience, Audience::Team("Dark Blue".into()));
    let Record::Contact(left) = read("contact/ANDROID-2") else { panic!("a contact") };
    assert_eq!(left.left_ms, Some(1_795_342_499_000));
    let Record::Held(held) = read("held/ANDROID-2/GeoChat.ANDROID-1.ANDROID-2.4f") else {
        panic!("a held event")
    };
    assert_eq!((held.seq, &*held.to, &*held.sender), (0, "ANDROID-2", "ANDROID-1"));
}

#[test]
fn what_is_not_a_record_is_named() {
    let error = |schema, key: &str, value: &str| {
        let error = read_entry(schema, key, value).unwrap_err();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    assert_eq!(error(1, "mission/x", "{}"), "there are no records of the kind `mission`");
    assert_eq!(error(1, "", "{}"), "there are no records of the kind ``");
    assert!(matches!(read_entry(0, "contact/x", "{}"), Err(RecordError::Schema { schema: 0 })));
    assert!(error(SCHEMA + 1, "contact/x", "{}").contains("schema 2 is not known"));
    let text = error(1, "contact/x", "{\"uid\":\"x\"}");
    assert!(text.starts_with("the value is not one of `contact`: missing field"), "{text}");
    let text = error(1, "item//x", "[");
    assert!(text.starts_with("the value is not one of `item`: EOF"), "{text}");
    let wrong_time = SCHEMA_1.replace("2026-11-22T10:15:00.000Z", "yesterday");
    let entries: BTreeMap<String, Value> = serde_json::from_str(&wrong_time).unwrap();
    let text = error(1, "item/Cyan/ANDROID-1", &entries["item/Cyan/ANDROID-1"].to_string());
    assert!(text.contains("not of the form YYYY-MM-DDTHH:MM:SS.mmmZ"), "{text}");
}

#[test]
fn a_removal_has_the_key_of_what_it_removes() {
    let contact = Record::Contact(contact("a/b", "HOPE", "", None));
    let removal = write_change(&PictureChange::Remove(contact.key())).unwrap();
    assert_eq!((removal.key.as_str(), removal.value), ("contact/a%2Fb", None));
    let put = write_change(&PictureChange::Put(contact)).unwrap();
    assert_eq!(put.key, "contact/a%2Fb");
    assert_eq!(put.value.unwrap(), r#"{"uid":"a/b","callsign":"HOPE"}"#);
    let key = RecordKey::Item { scope: "".into(), uid: "A".into(), is_alert: true };
    assert_eq!(write_change(&PictureChange::Remove(key)).unwrap().key, "alert//A");
}

fn contact(uid: &str, callsign: &str, team: &str, left_ms: Option<i64>) -> KnownContact {
    let (uid, callsign, team, role) = (uid.into(), callsign.into(), team.into(), team.into());
    KnownContact { uid, callsign, team, role, left_ms }
}

/// Times that the text can hold: the years 0000 to 9999.
fn time() -> impl Strategy<Value = i64> {
    -62_167_219_200_000..=253_402_300_799_999_i64
}

fn kind() -> impl Strategy<Value = ItemKind> {
    prop_oneof![
        Just(ItemKind::Alert),
        Just(ItemKind::Item),
        Just(ItemKind::Presence),
        prop::option::of(time()).prop_map(|item_time_ms| ItemKind::Deletion { item_time_ms }),
    ]
}

fn audience() -> impl Strategy<Value = Audience> {
    prop_oneof![
        Just(Audience::All),
        Just(Audience::Reach),
        any::<String>().prop_map(|team| Audience::Team(team.into())),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let text = any::<String>;
    let item = ((any::<u64>(), kind(), audience()), [text(), text(), text(), text(), text()]);
    let item = (item, time(), time()).prop_map(
        |(((seq, kind, audience), [uid, scope, sender, team, event]), received_ms, until_ms)| {
            Record::Item(Item {
                seq,
                scope: scope.into(),
                uid: uid.into(),
                kind,
                sender: sender.into(),
                team: team.into(),
                audience,
                received_ms,
                until_ms,
                event: Bytes::from(event),
            })
        },
    );
    let known = ([text(), text(), text()], prop::option::of(time())).prop_map(
        |([uid, callsign, team], left_ms)| {
            Record::Contact(contact(&uid, &callsign, &team, left_ms))
        },
    );
    let held = (any::<u64>(), [text(), text(), text(), text(), text()], time()).prop_map(
        |(seq, [to, uid, sender, team, event], received_ms)| {
            Record::Held(HeldEvent {
                seq,
                to: to.into(),
                uid: uid.into(),
                sender: sender.into(),
                team: team.into(),
                received_ms,
                event: Bytes::from(event),
            })
        },
    );
    prop_oneof![item, known, held]
}

proptest! {
    #[test]
    fn every_record_survives_being_written(record in record()) {
        let entry = write_entry(&record).unwrap();
        let value = entry.value.unwrap();
        prop_assert!(!value.contains('\n') && entry.key.len() <= 1_024);
        let back = read_entry(SCHEMA, &entry.key, &value).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{record:?}"));
    }

    #[test]
    fn no_text_makes_the_reader_fail_otherwise_than_by_an_error(
        schema in 0..3_u32,
        key in "(item|alert|contact|held|x)?/?.*",
        value in ".*",
    ) {
        let _ = read_entry(schema, &key, &value);
    }
}
