//! Records of a relay's picture as the text that a store keeps, and back.
//!
//! The text is for people too: names instead of codes, times as RFC 3339. `docs/state.md` explains
//! every field.

mod key;
mod time;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use relay::{Audience, HeldEvent, Item, ItemKind, KnownContact, PictureChange, Record};
use serde::{Deserialize, Serialize};
use store::{Change, MAX_VALUE_BYTES};

use key::key_text;

/// Version of the records' text. A store that was written with an earlier one is read, one that was
/// written with a later one is not.
pub const SCHEMA: u32 = 1;

/// Why an entry of a store is not a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The value is not what the key says.
    #[error("the value is not one of `{kind}`")]
    Value {
        /// The first part of the key.
        kind: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The key begins with a word that says nothing.
    #[error("there are no records of the kind `{kind}`")]
    Kind {
        /// The first part of the key.
        kind: String,
    },
    /// The store was written with a schema that this version does not know: by a later one.
    #[error("schema {schema} is not known; schemas 1 to {SCHEMA} are")]
    Schema {
        /// The schema of the store.
        schema: u32,
    },
}

/// The change as a store takes it, in the newest schema. `None` is a kind of record that this version
/// does not know. A record that is too large for any store removes the one before it.
pub fn write_change(change: &PictureChange) -> Option<Change> {
    match change {
        PictureChange::Put(record) => {
            write_entry(record).or_else(|| Some(Change::remove(key_text(&record.key())?)))
        }
        PictureChange::Remove(key) => Some(Change::remove(key_text(key)?)),
        _ => None,
    }
}

/// The record as an entry of a store, in the newest schema. `None` is a kind of record that this
/// version does not know, or one whose text is longer than [`MAX_VALUE_BYTES`].
pub fn write_entry(record: &Record) -> Option<Change> {
    let value = match record {
        Record::Item(item) => serde_json::to_string(&ItemText::from(item)),
        Record::Contact(contact) => serde_json::to_string(&ContactText::from(contact)),
        Record::Held(held) => serde_json::to_string(&HeldText::from(held)),
        _ => return None,
    };
    let value = value.ok().filter(|value| value.len() <= MAX_VALUE_BYTES)?;
    Some(Change::put(key_text(&record.key())?, value))
}

/// The record that an entry of a store holds.
///
/// # Errors
///
/// The entry is not one of `schema`.
pub fn read_entry(schema: u32, key: &str, value: &str) -> Result<Record, RecordError> {
    match schema {
        1 => read_entry_1(key, value),
        schema => Err(RecordError::Schema { schema }),
    }
}

fn read_entry_1(key: &str, value: &str) -> Result<Record, RecordError> {
    let kind = key.split('/').next().unwrap_or_default();
    let record = match kind {
        "item" | "alert" => serde_json::from_str::<ItemText<'_>>(value).map(Record::from),
        "contact" => serde_json::from_str::<ContactText<'_>>(value).map(Record::from),
        "held" => serde_json::from_str::<HeldText<'_>>(value).map(Record::from),
        _ => return Err(RecordError::Kind { kind: kind.to_owned() }),
    };
    record.map_err(|source| RecordError::Value { kind: kind.to_owned(), source })
}

/// An [`Item`] in schema 1.
#[derive(Serialize, Deserialize)]
struct ItemText<'a> {
    seq: u64,
    kind: KindText,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    scope: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    sender: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    team: Cow<'a, str>,
    #[serde(borrow)]
    audience: AudienceText<'a>,
    #[serde(with = "time")]
    received: i64,
    #[serde(with = "time")]
    until: i64,
    /// Of deletions: when what was deleted was made, by its sender's clock.
    #[serde(with = "time::optional", default, skip_serializing_if = "Option::is_none")]
    item_time: Option<i64>,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindText {
    Alert,
    Deletion,
    Item,
    Presence,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AudienceText<'a> {
    All,
    Reach,
    Team(#[serde(borrow)] Cow<'a, str>),
}

/// A [`KnownContact`] in schema 1.
#[derive(Serialize, Deserialize)]
struct ContactText<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    callsign: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    team: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    role: Cow<'a, str>,
    #[serde(with = "time::optional", default, skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
}

/// A [`HeldEvent`] in schema 1.
#[derive(Serialize, Deserialize)]
struct HeldText<'a> {
    #[serde(default, skip_serializing_if = "is_none")]
    seq: u64,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    sender: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    team: Cow<'a, str>,
    #[serde(with = "time")]
    received: i64,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

impl<'a> From<&'a Item> for ItemText<'a> {
    fn from(item: &'a Item) -> Self {
        let (kind, item_time) = match item.kind {
            ItemKind::Alert => (KindText::Alert, None),
            ItemKind::Deletion { item_time_ms } => (KindText::Deletion, item_time_ms),
            ItemKind::Presence => (KindText::Presence, None),
            _ => (KindText::Item, None),
        };
        Self {
            seq: item.seq,
            kind,
            uid: Cow::Borrowed(&item.uid),
            scope: Cow::Borrowed(&item.scope),
            sender: Cow::Borrowed(&item.sender),
            team: Cow::Borrowed(&item.team),
            audience: match &item.audience {
                Audience::All => AudienceText::All,
                Audience::Team(team) => AudienceText::Team(Cow::Borrowed(team)),
                // The narrower one, should there be more of them one day.
                _ => AudienceText::Reach,
            },
            received: item.received_ms,
            until: item.until_ms,
            item_time,
            event: event_text(&item.event),
        }
    }
}

impl From<ItemText<'_>> for Record {
    fn from(text: ItemText<'_>) -> Self {
        Self::Item(Item {
            seq: text.seq,
            scope: shared(&text.scope),
            uid: shared(&text.uid),
            kind: match text.kind {
                KindText::Alert => ItemKind::Alert,
                KindText::Deletion => ItemKind::Deletion { item_time_ms: text.item_time },
                KindText::Item => ItemKind::Item,
                KindText::Presence => ItemKind::Presence,
            },
            sender: shared(&text.sender),
            team: shared(&text.team),
            audience: match text.audience {
                AudienceText::All => Audience::All,
                AudienceText::Reach => Audience::Reach,
                AudienceText::Team(team) => Audience::Team(shared(&team)),
            },
            received_ms: text.received,
            until_ms: text.until,
            event: event_bytes(text.event),
        })
    }
}

impl<'a> From<&'a KnownContact> for ContactText<'a> {
    fn from(contact: &'a KnownContact) -> Self {
        Self {
            uid: Cow::Borrowed(&contact.uid),
            callsign: Cow::Borrowed(&contact.callsign),
            team: Cow::Borrowed(&contact.team),
            role: Cow::Borrowed(&contact.role),
            left: contact.left_ms,
        }
    }
}

impl From<ContactText<'_>> for Record {
    fn from(text: ContactText<'_>) -> Self {
        Self::Contact(KnownContact {
            uid: shared(&text.uid),
            callsign: shared(&text.callsign),
            team: shared(&text.team),
            role: shared(&text.role),
            left_ms: text.left,
        })
    }
}

impl<'a> From<&'a HeldEvent> for HeldText<'a> {
    fn from(held: &'a HeldEvent) -> Self {
        Self {
            seq: held.seq,
            to: Cow::Borrowed(&held.to),
            uid: Cow::Borrowed(&held.uid),
            sender: Cow::Borrowed(&held.sender),
            team: Cow::Borrowed(&held.team),
            received: held.received_ms,
            event: event_text(&held.event),
        }
    }
}

impl From<HeldText<'_>> for Record {
    fn from(text: HeldText<'_>) -> Self {
        Self::Held(HeldEvent {
            seq: text.seq,
            to: shared(&text.to),
            uid: shared(&text.uid),
            sender: shared(&text.sender),
            team: shared(&text.team),
            received_ms: text.received,
            event: event_bytes(text.event),
        })
    }
}

/// Whether a record has no place in an order, as those of earlier versions.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "how serde asks")]
fn is_none(seq: &u64) -> bool {
    *seq == 0
}

/// The text of an event. Those that a relay accepted are UTF-8, so that nothing is replaced.
pub(crate) fn event_text(event: &[u8]) -> Cow<'_, str> {
    // Some five times as fast as looking for what to replace.
    match std::str::from_utf8(event) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(event),
    }
}

fn event_bytes(text: Cow<'_, str>) -> Bytes {
    Bytes::from(text.into_owned())
}

fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}
