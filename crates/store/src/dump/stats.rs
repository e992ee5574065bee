//! What a dump counts.

use std::io;
use std::path::PathBuf;

use crate::StoreError;

/// Why events were not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// They came faster than they could be written.
    Busy,
    /// The disk refused them.
    Failed,
    /// The disk is full, or a quota is used up.
    NoSpace,
    /// Longer than [`MAX_LINE_BYTES`](super::MAX_LINE_BYTES).
    TooLong,
    /// They were written, but the disk failed before it had confirmed them: some may be in the dump.
    Unsynced,
}

impl GapReason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Busy, Self::Failed, Self::NoSpace, Self::TooLong, Self::Unsynced];

    /// One word, for a metric: `no_space`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoSpace => "no_space",
            Self::TooLong => "too_long",
            Self::Unsynced => "unsynced",
        }
    }

    /// As the dump says it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Busy => "more than could be written",
            Self::Failed => "the disk refused them",
            Self::NoSpace => "no space left on device",
            Self::TooLong => "longer than a line may be",
            Self::Unsynced => "not confirmed by the disk, some may be here",
        }
    }

    /// The reason that an error is.
    pub(super) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::NoSpace
            }
            _ => Self::Failed,
        }
    }
}

/// A number of events for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([u64; GapReason::ALL.len()]);

impl Dropped {
    /// How many for one reason.
    pub fn get(&self, reason: GapReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, reason: GapReason, events: u64) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += events;
        }
    }
}

/// Counters of a [`DumpWriter`](super::DumpWriter) since it was opened, and what there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpStats {
    /// Events written.
    pub events: u64,
    /// Bytes written, before compression.
    pub bytes: u64,
    /// Events not recorded, by reason. Those that are [`Unsynced`](GapReason::Unsynced) are counted
    /// as written, too.
    pub dropped: Dropped,
    /// Gaps written.
    pub gaps: u64,
    /// Files finished by size, by age, or because the disk failed.
    pub rotated: u64,
    /// Files compressed.
    pub compressed: u64,
    /// Files removed to keep within the caps.
    pub removed: u64,
    /// Bytes of an unfinished line that were cut off at the start.
    pub torn_bytes: u64,
    /// Files there are now, the one being written among them.
    pub files: usize,
    /// Bytes they take now.
    pub stored_bytes: u64,
}

/// What was found when a dump was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpReport {
    /// Files of interrupted work that were removed.
    pub swept: u64,
    /// Bytes of an unfinished line that were cut off the newest file.
    pub torn_bytes: u64,
    /// Lines in the newest file that are damaged; they are left where they are.
    pub damaged_lines: u64,
    /// The file that is written on, if there was one to go on with.
    pub resumed: Option<PathBuf>,
    /// Files there are, that one among them.
    pub files: usize,
    /// Bytes they take.
    pub bytes: u64,
}
