//! From a store to a relay, at the start.

use std::time::Duration;

use relay::server::Relay;
use relay::{Record, Restored};
use store::{LoadReport, StateStore, StoreError};
use tracing::{info, warn};

use crate::record::{RecordError, SCHEMA, read_entry};
use crate::status::chain;

/// What came of restoring a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restoration {
    /// How the reading of the store went.
    pub load: LoadReport,
    /// What the relay took.
    pub restored: Restored,
    /// Entries that are not records.
    pub unreadable: u64,
    /// Time since something was last received; `None` when there was nothing.
    pub age: Option<Duration>,
    /// Set when the store was written with a schema that this version does not know. It is not
    /// read then, and not written.
    pub newer_schema: Option<u32>,
    /// Whether it was written with today's schema, or is new.
    is_current: bool,
}

impl Restoration {
    /// Whether the store holds just what the relay got from it, in today's schema, so that a
    /// journal of changes can go on from there.
    pub(crate) fn is_whole(&self) -> bool {
        self.load.damaged.is_empty() && self.unreadable == 0 && self.is_current
    }
}

/// Reads the store and puts what it holds into the relay, and says so in the log.
///
/// # Errors
///
/// The storage refuses to be read.
pub(crate) fn restore(
    relay: &Relay,
    store: &mut dyn StateStore,
) -> Result<Restoration, StoreError> {
    let loaded = store.load()?;
    let is_current = loaded.entries.is_empty() || loaded.schema == SCHEMA;
    let mut done = Restoration { load: loaded.report, is_current, ..Restoration::default() };
    for (path, why) in &done.load.damaged {
        warn!(path = %path.display(), why, "a damaged file of the state was set aside");
    }
    if loaded.schema > SCHEMA {
        done.newer_schema = Some(loaded.schema);
        return Ok(done);
    }
    let mut first_error = None;
    let mut records = Vec::with_capacity(loaded.entries.len());
    for (key, value) in loaded.entries {
        match read_entry(loaded.schema, &key, &value) {
            Ok(record) => records.push(record),
            Err(error) => {
                done.unreadable += 1;
                first_error.get_or_insert(error);
            }
        }
    }
    done.age = newest_ms(&records).map(|newest_ms| {
        let age_ms = relay.now().unix_ms.saturating_sub(newest_ms);
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    });
    // As things happened; what is held for a contact behind the contact.
    records.sort_by_key(|record| match record {
        Record::Contact(_) => (0, 0, 0),
        Record::Item(item) => (1, item.seq, 0),
        Record::Held(held) => (2, held.seq, held.received_ms),
        _ => (3, 0, 0),
    });
    done.restored = relay.restore(records);
    report(&done, first_error);
    Ok(done)
}

fn newest_ms(records: &[Record]) -> Option<i64> {
    let received = |record: &Record| match record {
        Record::Item(item) => Some(item.received_ms),
        Record::Held(held) => Some(held.received_ms),
        _ => None,
    };
    records.iter().filter_map(received).max()
}

fn report(done: &Restoration, first_error: Option<RecordError>) {
    let Restored { items, contacts, held, expired, refused, .. } = done.restored;
    if let Some(error) = first_error {
        let entries = done.unreadable;
        warn!(entries, first = chain(&error), "entries of the state cannot be read");
    }
    let generation = done.load.generation;
    if generation == 0 && items + contacts + held == 0 {
        info!("there is no state yet: the picture is empty");
        return;
    }
    let (changes, torn_bytes) = (done.load.changes, done.load.torn_bytes);
    let age_s = done.age.map(|age| age.as_secs());
    info!(
        generation,
        changes,
        torn_bytes,
        items,
        contacts,
        held,
        expired,
        refused,
        age_s,
        "the picture was restored"
    );
}
