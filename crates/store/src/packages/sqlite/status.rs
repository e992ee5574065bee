//! How a store is doing, and what it has done.

use std::error::Error;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::space::Space;
use crate::error::lack;
use crate::packages::{Clock, PackageUsage};
use crate::{LowSpace, StoreError};

/// Space that the database needs, whatever uploads leave free. Bytes.
const DATABASE_BYTES: u64 = 1 << 20;

/// Time after which a disk that has not answered is a problem. Milliseconds.
pub(super) const SLOW_MS: i64 = 2000;

/// Pause between two lines of the log that say the same of refused uploads. Milliseconds.
const TELL_EVERY_MS: i64 = 60_000;

/// What a store has done since it was opened, and is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageStats {
    /// Uploads that go on now.
    pub uploads_open: u64,
    /// Uploads that were acknowledged, or would have been if somebody had waited.
    pub uploads_completed: u64,
    /// Uploads of which nothing was kept, by why.
    pub uploads_failed: UploadFailures,
    /// Content that was read from uploads, kept or not. Bytes.
    pub bytes_received: u64,
    /// Contents that were opened to be read.
    pub downloads_opened: u64,
    /// Entries that somebody removed.
    pub entries_removed: u64,
    /// Entries that were removed because they had expired.
    pub entries_expired: u64,
    /// Contents that were re-read by a scrub.
    pub contents_scrubbed: u64,
    /// What was re-read by scrubs. Bytes.
    pub bytes_scrubbed: u64,
    /// Contents that are damaged, as was known at the last look: their packages are not listed.
    pub contents_damaged: u64,
    /// Contents that were not as they had been uploaded and were set aside, at the start or later.
    pub contents_quarantined: u64,
}

/// Uploads that were not kept, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadFailures {
    /// Who uploaded went away: nobody waits for the answer, and the content had not come.
    pub abandoned: u64,
    /// [`StoreError::Busy`].
    pub busy: u64,
    /// [`StoreError::Full`].
    pub full: u64,
    /// [`StoreError::Interrupted`].
    pub interrupted: u64,
    /// [`StoreError::HashMismatch`] and [`StoreError::SizeMismatch`].
    pub mismatch: u64,
    /// The disk or the database refused, or [`StoreError::Degraded`].
    pub other: u64,
    /// [`StoreError::QuotaExceeded`].
    pub quota: u64,
    /// [`StoreError::TooLarge`].
    pub too_large: u64,
    /// [`StoreError::Unfit`].
    pub unfit: u64,
}

impl UploadFailures {
    /// Each reason in one word, and how often it was so.
    pub fn by_reason(&self) -> [(&'static str, u64); 9] {
        [
            ("abandoned", self.abandoned),
            ("busy", self.busy),
            ("full", self.full),
            ("interrupted", self.interrupted),
            ("mismatch", self.mismatch),
            ("other", self.other),
            ("quota", self.quota),
            ("too_large", self.too_large),
            ("unfit", self.unfit),
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, times)| times).sum()
    }

    fn count(&mut self, error: &StoreError) {
        *match error {
            StoreError::Busy => &mut self.busy,
            StoreError::Full { .. } => &mut self.full,
            StoreError::Interrupted { .. } => &mut self.interrupted,
            StoreError::HashMismatch { .. } | StoreError::SizeMismatch { .. } => &mut self.mismatch,
            StoreError::QuotaExceeded { .. } => &mut self.quota,
            StoreError::TooLarge { .. } => &mut self.too_large,
            StoreError::Unfit { .. } => &mut self.unfit,
            _ => &mut self.other,
        } += 1;
    }
}

/// Whether a store does all it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackageHealth {
    /// Some of it is refused: uploads when the disk is full, all changes when the database failed,
    /// packages that are damaged.
    Degraded {
        /// For how long this is known.
        lasting: Duration,
        /// Why, for an operator.
        why: String,
    },
    /// All works.
    #[default]
    Good,
}

/// What a store knows of itself.
pub(super) struct Status {
    clock: Clock,
    inner: Mutex<State>,
}

#[derive(Default)]
struct State {
    stats: PackageStats,
    /// Since when the database takes nothing, and why.
    broken: Option<(i64, String)>,
    /// Since when the disk refuses what is written, and why.
    failing: Option<(i64, String)>,
    /// Changes so far, and how much there was after some of them.
    changes: u64,
    usage: Option<(u64, PackageUsage)>,
    /// Since when the disk is asked how much space it has.
    asked_ms: Option<i64>,
    /// Since when there is less space than is to stay free, and what there is to say of it.
    full: Option<(i64, String)>,
    /// Since when there are damaged packages.
    damaged_ms: Option<i64>,
    /// When it was last said that an upload was refused for want of space, and of quota.
    told_ms: [Option<i64>; 2],
}

impl State {
    /// Tells the log that an upload was refused for want of room, not more often than is of use.
    fn tell_refusal(&mut self, now_ms: i64, error: &StoreError) {
        let [space, quota] = &mut self.told_ms;
        let told_ms = if matches!(error, StoreError::Full { .. }) { space } else { quota };
        if told_ms.is_none_or(|told_ms| now_ms.saturating_sub(told_ms) >= TELL_EVERY_MS) {
            *told_ms = Some(now_ms);
            tracing::warn!(why = %error, "an upload was refused: remove packages, or allow more");
        }
    }
}

impl Status {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    pub(super) fn stats(&self) -> PackageStats {
        self.lock().stats
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut PackageStats)) {
        count(&mut self.lock().stats);
    }

    /// Notes that the database takes nothing any more.
    pub(super) fn break_off(&self, error: &StoreError) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        state.usage = None;
        state.broken.get_or_insert_with(|| (now_ms, chain(error)));
    }

    /// How much there is, if nothing has changed since that was counted; else the number of the last
    /// change.
    pub(super) fn usage(&self) -> Result<PackageUsage, u64> {
        let state = self.lock();
        let counted = state.usage.filter(|(changes, _)| *changes == state.changes);
        counted.map(|(_, usage)| usage).ok_or(state.changes)
    }

    /// Remembers how much there was after a change, or later.
    pub(super) fn remember_usage(&self, changes: u64, usage: PackageUsage) {
        self.lock().usage = Some((changes, usage));
    }

    /// Notes how writing went.
    pub(super) fn note<T>(&self, result: &Result<T, StoreError>) {
        let mut state = self.lock();
        state.changes += 1;
        match result {
            Ok(_) => {
                if state.failing.take().is_some() {
                    tracing::info!("packages can be written again");
                }
            }
            Err(error @ (StoreError::Database { .. } | StoreError::Io { .. })) => {
                let why = chain(error);
                match &mut state.failing {
                    Some((_, former)) => *former = why,
                    none => {
                        tracing::error!(why, "packages cannot be written");
                        *none = Some((self.clock.now_ms(), why));
                    }
                }
            }
            Err(error @ (StoreError::Full { .. } | StoreError::QuotaExceeded { .. })) => {
                state.tell_refusal(self.clock.now_ms(), error);
            }
            Err(_) => {}
        }
    }

    /// Says whether the disk may be asked how much space it has, and that it is asked if so: a disk
    /// that does not answer is not asked by ever more threads.
    pub(super) fn ask_for_space(&self) -> bool {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let may_ask = state.asked_ms.is_none();
        state.asked_ms.get_or_insert(now_ms);
        may_ask
    }

    /// Notes how much space there is.
    pub(super) fn note_space(&self, space: Option<Space>, min_free_bytes: u64) {
        let least = min_free_bytes.max(DATABASE_BYTES);
        let low = space.map(|space| LowSpace { free: space.free, least });
        let mut state = self.lock();
        state.asked_ms = None;
        match (low.filter(|low| low.free < low.least), &mut state.full) {
            (Some(low), Some((_, why))) => *why = refused(low),
            (Some(low), none) => {
                let why = refused(low);
                tracing::error!("{why}");
                *none = Some((self.clock.now_ms(), why));
            }
            (None, full) => {
                if full.take().is_some() {
                    tracing::info!("the disk has space again: uploads are taken");
                }
            }
        }
    }

    /// Notes how many contents are damaged.
    pub(super) fn note_damaged(&self, damaged: u64) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        state.stats.contents_damaged = damaged;
        state.damaged_ms = match damaged {
            0 => None,
            _ => state.damaged_ms.or(Some(now_ms)),
        };
    }

    pub(super) fn health(&self) -> PackageHealth {
        let now_ms = self.clock.now_ms();
        let state = self.lock();
        let stuck = state.asked_ms.filter(|&since_ms| now_ms.saturating_sub(since_ms) >= SLOW_MS);
        let stuck = stuck.map(|since_ms| (since_ms, "the disk has not answered".to_owned()));
        let damaged = state.damaged_ms.map(|since_ms| {
            let (is, them) = match state.stats.contents_damaged {
                1 => ("1 package is".to_owned(), "it"),
                more => (format!("{more} packages are"), "them"),
            };
            let why = format!(
                "{is} damaged: upload {them} again, or put the content back and restart; the log \
                 has the hash"
            );
            (since_ms, why)
        });
        let trouble = state.broken.clone().or(stuck).or_else(|| state.failing.clone());
        let trouble = trouble.or_else(|| state.full.clone()).or(damaged);
        trouble.map_or(PackageHealth::Good, |(since_ms, why)| {
            let lasting_ms = now_ms.saturating_sub(since_ms);
            let lasting = Duration::from_millis(u64::try_from(lasting_ms).unwrap_or_default());
            PackageHealth::Degraded { lasting, why }
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values: whole at any time.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one upload, whatever becomes of it.
pub(super) struct Tally(Option<Arc<Status>>);

impl Tally {
    pub(super) fn begin(status: &Arc<Status>) -> Self {
        status.count(|stats| stats.uploads_open += 1);
        Self(Some(Arc::clone(status)))
    }

    /// Counts how it ended.
    pub(super) fn end<T>(mut self, result: &Result<T, StoreError>) {
        if let Some(status) = self.0.take() {
            status.note(result);
            status.count(|stats| {
                stats.uploads_open -= 1;
                match result {
                    Ok(_) => stats.uploads_completed += 1,
                    Err(error) => stats.uploads_failed.count(error),
                }
            });
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(status) = self.0.take() {
            status.count(|stats| {
                stats.uploads_open -= 1;
                stats.uploads_failed.abandoned += 1;
            });
        }
    }
}

fn refused(low: LowSpace) -> String {
    format!("uploads are refused: {}", lack(Some(&low)))
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
