//! What a stream of XML does not say: when an event was received, and from whom.

use std::collections::{HashMap, VecDeque};

use cot_core::Header;

use crate::error::BadRecord;
use crate::record::{Entry, Record};

/// How much earlier than the event before it an event may have been made for its sender's clock to
/// be the cause. A larger step back means that another recording begins.
const MAX_CLOCK_ERROR_MS: i64 = 60_000;

/// Senders whose team is remembered.
const MAX_SENDERS: usize = 10_000;

/// Longest uid and team that are remembered, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// Makes records of events.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// When the event before was received, as far as one can tell.
    received_ms: Option<i64>,
    /// Records that were made before any time was known.
    untimed: usize,
    /// The teams of senders, as they last said.
    teams: HashMap<String, String>,
}

impl Cutter {
    /// Whether any event so far had a time.
    pub(super) const fn has_time(&self) -> bool {
        self.received_ms.is_some()
    }

    /// Makes a record of an event, received after those before.
    pub(super) fn record(&mut self, header: &Header<'_>) -> Record {
        let sender = sender(header);
        let team = self.team(header, &sender);
        let made_ms = header.time_ms().or_else(|| header.start_ms()).or_else(|| header.stale_ms());
        self.received_ms = match (made_ms, self.received_ms) {
            (Some(made), Some(before)) if is_late(made, before) => Some(before),
            (Some(made), _) => Some(made),
            (None, before) => before,
        };
        self.untimed += usize::from(self.received_ms.is_none());
        Record::scanned(self.received_ms.unwrap_or_default(), sender, team, header)
    }

    /// Gives records that were made before any time was known the first one that is.
    pub(super) fn settle_times(&mut self, found: &mut VecDeque<Result<Entry, BadRecord>>) {
        let untimed = std::mem::take(&mut self.untimed);
        if untimed == 0 {
            return;
        }
        let mut records = found.iter_mut().filter_map(|entry| match entry {
            Ok(Entry::Event(record)) => Some(record),
            _ => None,
        });
        let first: Vec<_> = records.by_ref().take(untimed).collect();
        let time = records.next().map(|record| record.received_ms()).or(self.received_ms);
        for record in first {
            record.set_received_ms(time.unwrap_or_default());
        }
    }

    /// The team that the event names, or else the one that its sender last named.
    fn team(&mut self, header: &Header<'_>, sender: &str) -> String {
        let group = header.group().and_then(|group| group.name);
        let Some(team) = group.map(|name| name.to_cow()).filter(|name| !name.is_empty()) else {
            return self.teams.get(sender).cloned().unwrap_or_default();
        };
        let is_own = header.uid().eq_str(sender);
        let fits = sender.len() <= MAX_NAME_BYTES && team.len() <= MAX_NAME_BYTES;
        if is_own && fits {
            let has_room = self.teams.len() < MAX_SENDERS;
            match self.teams.get_mut(sender) {
                Some(known) if *known == team => {}
                Some(known) => known.replace_range(.., &team),
                None if has_room => {
                    self.teams.insert(sender.to_owned(), team.clone().into_owned());
                }
                None => {}
            }
        }
        team.into_owned()
    }
}

/// Whether an event was made before the one that was received before it, by so little that it was
/// only late, or its sender's clock is behind.
const fn is_late(made_ms: i64, before_ms: i64) -> bool {
    made_ms < before_ms && before_ms.saturating_sub(made_ms) <= MAX_CLOCK_ERROR_MS
}

/// Uid of who sent the event: its own if it is a device that speaks about itself, or else that of
/// the maker it names. Empty when it says neither.
fn sender(header: &Header<'_>) -> String {
    if header.contact().is_some_and(|contact| contact.endpoint.is_some()) {
        return header.uid().to_cow().into_owned();
    }
    let link = header.link().filter(|link| link.relation.is_some_and(|text| text.eq_str("p-p")));
    link.and_then(|link| link.uid).map(|uid| uid.to_cow().into_owned()).unwrap_or_default()
}
