//! What a relay tells an observer of itself: the events it accepted, and how its picture changed.
//!
//! The picture is what a restart must not lose: the newest event of every uid that newcomers would
//! be sent, active alerts, deletions that are still remembered, who has been here, and the events
//! held for those who are away. Times are milliseconds since 1970 by the server's clock, taken when
//! something was received; no clock of a sender decides anything.

use std::sync::Arc;

use bytes::Bytes;

/// What to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observe {
    /// Every accepted event.
    pub events: bool,
    /// Every change of the picture.
    pub changes: bool,
}

impl Observe {
    /// Reports accepted events, or changes of the picture, or both.
    pub fn new(events: bool, changes: bool) -> Self {
        Self { events, changes }
    }
}

/// What happened since the last report, in order.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Events that were accepted, from clients and from the application; not the server's own.
    pub events: Vec<Accepted>,
    /// Changes of the picture.
    pub changes: Vec<PictureChange>,
    /// How many changes there were since the relay was made, these and those in `missed_changes`
    /// included.
    pub changes_upto: u64,
    /// Upper bound of the memory that the bytes above hold, shared with the log while that needs
    /// them too.
    pub held_bytes: usize,
    /// Events that were not reported because no report was taken for too long.
    pub missed_events: u64,
    /// Changes that were not reported, likewise. The picture must be exported anew.
    pub missed_changes: u64,
}

/// One accepted event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// When it was received.
    pub received_ms: i64,
    /// The uid that its connection is known by; empty before it said one, and for the application.
    pub sender: Arc<str>,
    /// The team that its connection had named, or in whose name it was submitted; empty without one.
    pub team: Arc<str>,
    /// The event as it was received, from `<event` to `</event>`.
    pub event: Bytes,
}

/// A change of the picture.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PictureChange {
    /// This record is new, or takes the place of the one with the same key.
    Put(Record),
    /// The record with this key is gone. Those that run out by themselves are not reported.
    Remove(RecordKey),
}

/// One thing that the picture holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record {
    /// The newest event of a uid.
    Item(Item),
    /// Somebody who has said who they are.
    Contact(KnownContact),
    /// An event that waits for somebody who is away.
    Held(HeldEvent),
}

/// What a record is about. No two records of a picture have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordKey {
    /// The newest event of a uid.
    Item {
        /// The team that has this uid for itself; empty on an open server.
        scope: Arc<str>,
        /// The uid.
        uid: Arc<str>,
        /// Whether it is an alert: those are apart from other items of the same uid.
        is_alert: bool,
    },
    /// Somebody known.
    Contact {
        /// Their uid.
        uid: Arc<str>,
    },
    /// An event that waits.
    Held {
        /// The uid it waits for.
        to: Arc<str>,
        /// The event's own uid.
        uid: Arc<str>,
    },
}

/// What an [`Item`] is to newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemKind {
    /// A position, marker, drawing or route.
    Item,
    /// A device speaking about itself.
    Presence,
    /// An alert that has not been cancelled.
    Alert,
    /// A deletion. `item_time_ms` is the `time` of what was deleted, by its sender's clock, to know
    /// older copies of it.
    Deletion {
        /// That time, if it could be read.
        item_time_ms: Option<i64>,
    },
}

/// Who may see an [`Item`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// Everyone.
    All,
    /// Whom the sender's team reaches.
    Reach,
    /// The members of one team.
    Team(Arc<str>),
}

/// The newest event of a uid.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its place in the order of events. Unique; later events have greater ones.
    pub seq: u64,
    /// The team that has this uid for itself; empty on an open server.
    pub scope: Arc<str>,
    /// The uid that it is the newest word of. A deletion's is the deleted one.
    pub uid: Arc<str>,
    /// What it is.
    pub kind: ItemKind,
    /// The uid of the connection it came from; empty if that had none.
    pub sender: Arc<str>,
    /// The team of the connection it came from; empty without one.
    pub team: Arc<str>,
    /// Who may see it.
    pub audience: Audience,
    /// When it was received.
    pub received_ms: i64,
    /// Until when newcomers are told.
    pub until_ms: i64,
    /// The event as it is relayed.
    pub event: Bytes,
}

/// Somebody who has said who they are, present or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownContact {
    /// Their uid.
    pub uid: Arc<str>,
    /// Their callsign.
    pub callsign: Arc<str>,
    /// Their team; empty without one.
    pub team: Arc<str>,
    /// Their role; empty without one, or in records of earlier versions.
    pub role: Arc<str>,
    /// When they left; `None` while they are here.
    pub left_ms: Option<i64>,
}

/// An event that waits for somebody who is away.
#[derive(Clone, Debug)]
pub struct HeldEvent {
    /// Its place in the order of what is held: for whom it waits gets it behind those with lower
    /// numbers. 0 in records of earlier versions, whose order is that of their times.
    pub seq: u64,
    /// The uid it waits for.
    pub to: Arc<str>,
    /// The event's own uid.
    pub uid: Arc<str>,
    /// The uid of its sender; empty if that had none.
    pub sender: Arc<str>,
    /// The team of its sender; empty without one.
    pub team: Arc<str>,
    /// When it was received.
    pub received_ms: i64,
    /// The event as it will be delivered.
    pub event: Bytes,
}

impl Record {
    /// What it is about.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Item(item) => RecordKey::Item {
                scope: item.scope.clone(),
                uid: item.uid.clone(),
                is_alert: item.kind == ItemKind::Alert,
            },
            Self::Contact(contact) => RecordKey::Contact { uid: contact.uid.clone() },
            Self::Held(held) => RecordKey::Held { to: held.to.clone(), uid: held.uid.clone() },
        }
    }
}

/// What came of restoring a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Newest events of uids, alerts and deletions among them.
    pub items: u64,
    /// Those known.
    pub contacts: u64,
    /// Events that wait for somebody.
    pub held: u64,
    /// Records whose time had run out.
    pub expired: u64,
    /// Records that could not be used: not a valid event, or no room.
    pub refused: u64,
}
