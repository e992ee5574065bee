//! What is to be reported to an observer at the end of a turn.

use std::sync::Arc;

use bytes::Bytes;

use super::Hub;
use super::keys::{Key, KeyKind};
use super::log::{Log, Seq};
use super::masks::Teams;
use crate::now::Now;
use crate::observe::{
    Accepted, Item, ItemKind, Observe, Observed, PictureChange, Record, RecordKey,
};

/// Entries of one report. What comes beyond it, because nobody takes reports, is only counted.
const MAX_ENTRIES: usize = 1 << 16;

/// Collects what is reported. Events are named by their place in the log until the turn settles.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) what: Observe,
    report: Observed,
    /// Changes so far.
    changes: u64,
    /// Accepted events of this turn that are reported as the log has them: place in the report, and
    /// in the log.
    open_events: Vec<(usize, Seq)>,
    /// Changes of this turn, likewise.
    open_changes: Vec<(usize, Seq)>,
    /// End of the log at the last settling, in bytes.
    settled_pos: u64,
}

impl Watch {
    /// Changes of the picture so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Reports an event that was accepted at `seq`. `original` is what was received when the log
    /// has it otherwise.
    pub(super) fn accepted(
        &mut self,
        now: Now,
        sender: &Arc<str>,
        team: &Arc<str>,
        seq: Seq,
        original: Option<Bytes>,
    ) {
        if self.report.events.len() >= MAX_ENTRIES {
            self.report.missed_events += 1;
            return;
        }
        match &original {
            Some(bytes) => self.report.held_bytes += bytes.len(),
            None => self.open_events.push((self.report.events.len(), seq)),
        }
        self.report.events.push(Accepted {
            received_ms: now.unix_ms,
            sender: sender.clone(),
            team: team.clone(),
            event: original.unwrap_or_default(),
        });
    }

    /// Reports a change of the picture.
    pub(super) fn change(&mut self, change: PictureChange) {
        self.changes += 1;
        if self.report.changes.len() >= MAX_ENTRIES {
            self.report.missed_changes += 1;
            return;
        }
        if let PictureChange::Put(Record::Item(item)) = &change {
            self.open_changes.push((self.report.changes.len(), item.seq));
        }
        if let PictureChange::Put(Record::Held(held)) = &change {
            self.report.held_bytes += held.event.len();
        }
        self.report.changes.push(change);
    }

    /// Fills in the events of this turn. The log must be sealed.
    pub(super) fn settle(&mut self, log: &Log) {
        for (at, seq) in self.open_events.drain(..) {
            if let Some(event) = self.report.events.get_mut(at) {
                event.event = log.event(seq).unwrap_or_default();
            }
        }
        for (at, seq) in self.open_changes.drain(..) {
            if let Some(PictureChange::Put(Record::Item(item))) = self.report.changes.get_mut(at) {
                item.event = log.event(seq).unwrap_or_default();
            }
        }
        if self.what != Observe::default() {
            let span = log.end_pos() - std::mem::replace(&mut self.settled_pos, log.end_pos());
            self.report.held_bytes += usize::try_from(span).unwrap_or(usize::MAX);
        }
    }

    fn take(&mut self, into: &mut Observed) {
        into.clear();
        std::mem::swap(into, &mut self.report);
        into.changes_upto = self.changes;
    }
}

impl Observed {
    /// Lets go of what it holds and keeps the memory of its lists.
    pub fn clear(&mut self) {
        self.events.clear();
        self.changes.clear();
        (self.held_bytes, self.missed_events, self.missed_changes) = (0, 0, 0);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.changes.is_empty()
            && self.missed_events == 0
            && self.missed_changes == 0
    }
}

impl Hub {
    /// Has accepted events, changes of the picture or both reported from now on. Take the reports
    /// with [`take_observed`](Self::take_observed) after each turn: one that is not taken grows to
    /// 65,536 entries of either kind, and counts what comes beyond them as missed.
    pub fn observe(&mut self, what: Observe) {
        self.watch.what = what;
        self.watch.settled_pos = self.log.end_pos();
    }

    /// Hands over what happened since the last time. `into` is emptied first.
    pub fn take_observed(&mut self, into: &mut Observed) {
        self.settle();
        self.watch.take(into);
    }

    /// Changes of the picture since the relay was made, reported or not.
    pub fn changes(&self) -> u64 {
        self.watch.changes()
    }

    /// Reports the newest event of a uid, if newcomers are told of it.
    pub(super) fn watch_put(&mut self, now: Now, key: super::keys::KeyId) {
        if !self.watch.what.changes {
            return;
        }
        let Some(key) = self.log.keys.get(key) else { return };
        if let Some(item) = item(now, key, &self.teams, Bytes::new()) {
            self.watch.change(PictureChange::Put(Record::Item(item)));
        }
    }

    /// Reports that newcomers are told of a uid no more.
    pub(super) fn watch_remove(&mut self, key: &Key) {
        watch_remove(&mut self.watch, &self.teams, key);
    }
}

/// Reports that newcomers are told of a uid no more, if they were.
pub(super) fn watch_remove(watch: &mut Watch, teams: &Teams, key: &Key) {
    if watch.what.changes && key.kind.is_lasting() {
        let (uid, is_alert) = name_of(key);
        let scope = teams.scope_name(key.scope);
        watch.change(PictureChange::Remove(RecordKey::Item { scope, uid, is_alert }));
    }
}

/// The newest event of a uid as a record. `None` if a restart need not know it.
pub(super) fn item(now: Now, key: &Key, teams: &Teams, event: Bytes) -> Option<Item> {
    let kind = match key.kind {
        KeyKind::Item => ItemKind::Item,
        KeyKind::Presence => ItemKind::Presence,
        KeyKind::Emergency => ItemKind::Alert,
        KeyKind::Tombstone { item_time } => ItemKind::Deletion { item_time_ms: item_time },
        KeyKind::Transient => return None,
    };
    let (uid, _) = name_of(key);
    Some(Item {
        seq: key.newest,
        scope: teams.scope_name(key.scope),
        uid,
        kind,
        sender: key.origin.sender.clone(),
        team: key.origin.team.clone(),
        audience: key.origin.audience.clone(),
        received_ms: now.unix_of(key.origin.received_ms),
        until_ms: now.unix_of(i64::try_from(key.until_ms).unwrap_or(i64::MAX)),
        event,
    })
}

/// The uid that a key stands for, and whether for its alert.
fn name_of(key: &Key) -> (Arc<str>, bool) {
    match key.uid.strip_suffix(super::accept::ALERT_SUFFIX) {
        Some(uid) => (uid.into(), true),
        None => (key.uid.clone(), false),
    }
}
