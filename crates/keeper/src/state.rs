//! The thread that keeps the picture in a store: changes once per interval, snapshots now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relay::server::Relay;
use relay::{ExportCursor, Now, PictureChange, Record, RecordKey};
use store::{Change, StateStore, StoreError};
use tracing::debug;

use crate::clock;
use crate::feed::{BUDGET, Changes};
use crate::queue::{Queue, Wanted};
use crate::record::{SCHEMA, write_change, write_entry};
use crate::status::{Status, chain};

/// Records exported at once. The relay waits meanwhile, and the memory for them comes on top.
const EXPORT_PART: usize = 64;

/// Pause after a first failure, and the longest one: what was wrong is over within it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Time between two looks at the clock when nothing happens.
const IDLE: Duration = Duration::from_secs(30);

/// Difference between the wall clock and the monotonic one that is a jump, in milliseconds.
const JUMP_MS: u64 = 2_000;

/// What an operator can do.
const TODO: &str = "look at the disk, its free space and the rights to the data directory";

/// How the picture is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StateConfig {
    /// Longest time that a change is not yet durable, unless the disk is slow. Defaults to 1 s.
    pub sync_interval: Duration,
    /// Bytes of changes beyond which a new snapshot is written, unless the last one was more than
    /// half as large. Defaults to 4 MiB.
    pub journal_bytes: u64,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { sync_interval: Duration::from_secs(1), journal_bytes: 4 << 20 }
    }
}

/// Counters of what was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateStats {
    /// Snapshots completed.
    pub snapshots: u64,
    /// Bytes of the last snapshot.
    pub snapshot_bytes: u64,
    /// Times that changes were made durable.
    pub syncs: u64,
    /// Changes made durable.
    pub changes: u64,
    /// Bytes of changes since the last snapshot began.
    pub journal_bytes: u64,
    /// Bytes handed to the store, snapshots included.
    pub written_bytes: u64,
    /// Changes that were lost because the disk was too slow; the snapshot after them has what came
    /// of them.
    pub lost_changes: u64,
    /// Operations that the store refused.
    pub errors: u64,
    /// Bytes of changes that wait to be taken.
    pub queue_bytes: usize,
    /// When changes or a snapshot were last made durable.
    pub synced: Option<Instant>,
}

/// Everything the thread works with.
pub(crate) struct Recorder {
    relay: Relay,
    store: Box<dyn StateStore>,
    queue: Arc<Queue<Changes>>,
    status: Arc<Status<StateStats>>,
    config: StateConfig,
    /// What is not durable yet: the newest change of each key with its place in their order.
    pending: HashMap<String, (u64, Option<String>)>,
    pending_bytes: usize,
    order: u64,
    /// When the oldest of it has to be made durable.
    sync_at: Option<Instant>,
    /// Whether the store takes changes.
    is_open: bool,
    /// Whether what the store has is everything up to the last change it took.
    is_continuous: bool,
    wants_snapshot: bool,
    /// No snapshot before this, after a failure.
    rest_until: Option<Instant>,
    pause: Duration,
    /// When the last one was complete.
    snapshot_ended: Option<Instant>,
    skew: Skew,
    /// How long the last sync took.
    sync_took: Duration,
}

/// Why a snapshot did not come about.
#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error("changes came faster than the disk took them")]
    Lost,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there was no time")]
    Time,
}

impl Recorder {
    /// Makes the recorder of a picture that is what the store holds if `is_continuous`.
    pub(crate) fn new(
        relay: Relay,
        store: Box<dyn StateStore>,
        queue: Arc<Queue<Changes>>,
        status: Arc<Status<StateStats>>,
        config: StateConfig,
        is_continuous: bool,
    ) -> Self {
        Self {
            skew: Skew::new(relay.now()),
            relay,
            store,
            queue,
            status,
            config,
            pending: HashMap::new(),
            pending_bytes: 0,
            order: 0,
            sync_at: None,
            is_open: false,
            is_continuous,
            wants_snapshot: !is_continuous,
            rest_until: None,
            pause: FIRST_PAUSE,
            snapshot_ended: None,
            sync_took: Duration::ZERO,
        }
    }

    /// Works until it is told to finish, and finishes.
    pub(crate) fn run(mut self) {
        // A start is not to be held up by the snapshot that may follow it.
        self.rest_until = Some(clock::now() + self.config.sync_interval);
        loop {
            let (wanted, until) = self.next();
            let finish = self.queue.wait(wanted, until);
            self.drain();
            if let Some(within) = finish {
                self.finish(within);
                return;
            }
            self.work();
        }
    }

    /// What to wait for, and until when.
    fn next(&self) -> (Wanted, Instant) {
        let snapshot_at = self.rest_until.filter(|_| self.wants_snapshot);
        match self.sync_at.into_iter().chain(snapshot_at).min() {
            Some(at) => (Wanted::Urgent, at),
            None => (Wanted::Any, clock::now() + IDLE),
        }
    }

    fn work(&mut self) {
        if self.skew.has_jumped(self.relay.now()) {
            debug!("the wall clock has been set: all times are written anew");
            self.wants_snapshot = true;
        }
        let now = clock::now();
        let is_full = self.pending_bytes > BUDGET;
        if is_full || self.sync_at.is_some_and(|at| now >= at) {
            self.sync();
        }
        if self.wants_snapshot && self.rest_until.is_none_or(|at| now >= at) {
            self.try_snapshot(None);
        }
    }

    /// Makes what is pending durable, or has a snapshot do so.
    fn sync(&mut self) {
        self.sync_at = None;
        if !self.is_open {
            self.wants_snapshot |= !self.pending.is_empty();
            return;
        }
        if let Err(error) = self.append() {
            self.fail(&error.into());
            return;
        }
        let limit = self.config.journal_bytes.max(2 * self.status.stats().snapshot_bytes);
        self.wants_snapshot |= self.store.appended_bytes() > limit;
    }

    fn try_snapshot(&mut self, within: Option<Instant>) {
        match self.snapshot(within) {
            Ok(()) => {
                self.is_continuous = true;
                self.wants_snapshot = false;
                self.rest_until = None;
                self.snapshot_ended = Some(clock::now());
                self.pause = FIRST_PAUSE;
                self.status.recover();
            }
            Err(SnapshotError::Time) => {}
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &SnapshotError) {
        if !(self.is_open && self.is_continuous) {
            // Nothing that is appended counts until there is a snapshot, which has it all.
            self.is_open = false;
            self.is_continuous = false;
            self.forget_pending();
        }
        self.wants_snapshot = true;
        self.rest_until = Some(clock::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.status.count(|stats| stats.errors += 1);
        self.status.fail(chain(error), TODO);
    }

    /// Begins a generation and writes the whole picture into it, while changes go on.
    fn snapshot(&mut self, within: Option<Instant>) -> Result<(), SnapshotError> {
        if self.is_open && self.is_continuous {
            self.append()?;
        }
        // What is lost until now will be in what is exported from now on.
        self.drain();
        let is_continuous = self.is_continuous;
        self.is_open = false;
        self.busy("begin a generation", |store| store.begin(SCHEMA, is_continuous))?;
        self.is_open = true;
        self.append()?;
        let mut cursor = ExportCursor::default();
        let mut bytes = 0;
        loop {
            let records = self.relay.export(&mut cursor, EXPORT_PART);
            if records.is_empty() {
                break;
            }
            let entries: Vec<_> = records.iter().filter_map(write_entry).collect();
            drop(records);
            bytes += entries.iter().map(entry_bytes).sum::<u64>();
            self.busy("write a snapshot", |store| store.put(&entries))?;
            self.drain();
            if !self.is_open {
                return Err(SnapshotError::Lost);
            }
            let now = clock::now();
            if self.pending_bytes > BUDGET || self.sync_at.is_some_and(|at| now >= at) {
                self.append()?;
            }
            if within.is_some_and(|within| now >= within) {
                return Err(SnapshotError::Time);
            }
        }
        // Changes up to here are in the journal before the snapshot counts.
        self.relay.report();
        self.drain();
        if !self.is_open {
            return Err(SnapshotError::Lost);
        }
        self.append()?;
        self.busy("complete a snapshot", |store| store.commit())?;
        let appended = self.store.appended_bytes();
        self.status.count(|stats| {
            stats.snapshots += 1;
            stats.snapshot_bytes = bytes;
            stats.written_bytes += bytes;
            stats.journal_bytes = appended;
            stats.synced = Some(clock::now());
        });
        Ok(())
    }

    /// Makes what is pending durable.
    fn append(&mut self) -> Result<(), StoreError> {
        self.sync_at = None;
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut changes: Vec<_> = self.pending.drain().collect();
        self.pending_bytes = 0;
        // A batch that is cut off by a power cut is cut off in the order in which things happened.
        changes.sort_unstable_by_key(|(_, (order, _))| *order);
        let changes: Vec<_> =
            changes.into_iter().map(|(key, (_, value))| Change { key, value }).collect();
        let begin = clock::now();
        let done = self.busy("write changes", |store| store.append(&changes));
        if done.is_err() {
            self.is_open = false;
            self.is_continuous = false;
        }
        done?;
        let now = clock::now();
        self.sync_took = now.duration_since(begin);
        let bytes = changes.iter().map(entry_bytes).sum::<u64>();
        let appended = self.store.appended_bytes();
        self.status.count(|stats| {
            stats.syncs += 1;
            stats.changes += changes.len() as u64;
            stats.written_bytes += bytes;
            stats.journal_bytes = appended;
            stats.synced = Some(now);
        });
        Ok(())
    }

    /// Takes what the relay has reported: the newest change of each key, as text, so that nothing
    /// of the relay's log is held on to.
    fn drain(&mut self) {
        let taken = self.queue.take();
        if taken.lost > 0 {
            self.status.count(|stats| stats.lost_changes += taken.lost);
            self.is_open = false;
            self.is_continuous = false;
            self.wants_snapshot = true;
            self.forget_pending();
            // A snapshot makes up for it; a flood must not have one follow the other.
            let rest_until = self.snapshot_ended.map(|at| at + FIRST_PAUSE);
            self.rest_until = self.rest_until.max(rest_until);
        }
        let mut newest: HashMap<RecordKey, (u64, PictureChange)> = HashMap::new();
        for change in taken.list {
            // An event that has left the log again has been followed by another of its uid.
            if matches!(&change, PictureChange::Put(Record::Item(item)) if item.event.is_empty()) {
                continue;
            }
            self.order += 1;
            let key = match &change {
                PictureChange::Put(record) => record.key(),
                PictureChange::Remove(key) => key.clone(),
                _ => continue,
            };
            newest.insert(key, (self.order, change));
        }
        if !(self.is_open || self.is_continuous) {
            return;
        }
        for (order, change) in newest.into_values() {
            let Some(change) = write_change(&change) else { continue };
            self.pending_bytes += change.key.len() + change.value.as_ref().map_or(0, String::len);
            let former = self.pending.insert(change.key, (order, change.value));
            if let Some((_, Some(former))) = former {
                self.pending_bytes = self.pending_bytes.saturating_sub(former.len());
            }
        }
        if !self.pending.is_empty() && self.sync_at.is_none() {
            // The writing is part of the interval.
            let margin = (self.config.sync_interval / 20).max(self.sync_took);
            let wait = self.config.sync_interval - margin.min(self.config.sync_interval / 2);
            self.sync_at = Some(clock::now() + wait);
        }
    }

    /// What is left is made durable, and a snapshot written if there is something new and time.
    fn finish(&mut self, within: Instant) {
        self.relay.report();
        self.drain();
        self.sync();
        self.settle();
        let is_changed = self.wants_snapshot || self.store.appended_bytes() > 0;
        if is_changed && clock::now() < within {
            self.try_snapshot(Some(within));
            self.settle();
        }
    }

    /// Says so if the store has everything.
    fn settle(&self) {
        if self.is_continuous && self.pending.is_empty() {
            self.status.settle();
        }
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
        self.sync_at = None;
    }

    fn busy<T>(
        &mut self,
        doing: &'static str,
        operation: impl FnOnce(&mut dyn StateStore) -> T,
    ) -> T {
        let store = self.store.as_mut();
        self.status.busy(doing, || operation(store))
    }
}

/// Wall clock minus monotonic clock.
struct Skew {
    millis: i64,
}

impl Skew {
    fn new(now: Now) -> Self {
        let mono_ms = i64::try_from(now.mono_ms).unwrap_or(i64::MAX);
        Self { millis: now.unix_ms.saturating_sub(mono_ms) }
    }

    /// Whether one of the clocks has jumped since the last jump.
    fn has_jumped(&mut self, now: Now) -> bool {
        let skew = Self::new(now);
        let has_jumped = skew.millis.abs_diff(self.millis) > JUMP_MS;
        if has_jumped {
            *self = skew;
        }
        has_jumped
    }
}

fn entry_bytes(entry: &Change) -> u64 {
    (entry.key.len() + entry.value.as_ref().map_or(0, String::len)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once_and_one_that_drifts_is_not() {
        let at = |mono_ms: u64, unix_ms: i64| Now { mono_ms, unix_ms };
        let mut skew = Skew::new(at(1_000, 1_000_000));
        assert!(!skew.has_jumped(at(61_000, 1_060_000)));
        assert!(!skew.has_jumped(at(61_000, 1_062_000)));
        assert!(skew.has_jumped(at(62_000, 1_063_001)));
        assert!(!skew.has_jumped(at(63_000, 1_064_001)));
        assert!(skew.has_jumped(at(64_000, 0)), "back, as well");
        assert!(!skew.has_jumped(at(65_000, 1_000)));
    }
}
