//! Durable state: a map from keys to JSON values.

#[cfg(feature = "json")]
mod json;
mod memory;

use std::collections::BTreeMap;
use std::path::PathBuf;

#[cfg(feature = "json")]
pub use json::JsonState;
pub use memory::MemoryState;

use crate::StoreError;

/// Longest key. Bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// Longest value. Bytes.
pub const MAX_VALUE_BYTES: usize = 15 << 20;

/// One change of the map.
///
/// ```text
/// key    item/Cyan/ANDROID-589520ccfcd20f01
/// value  {"received":"2026-11-22T10:15:00.123Z","event":"<event ...>"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about: any text of at most [`MAX_KEY_BYTES`].
    pub key: String,
    /// The new value, one JSON value on one line of at most [`MAX_VALUE_BYTES`]; `None` removes the
    /// key, and so does the JSON value `null`.
    pub value: Option<String>,
}

impl Change {
    /// Gives a key a value.
    pub fn put(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: Some(value.into()) }
    }

    /// Removes a key.
    pub fn remove(key: impl Into<String>) -> Self {
        Self { key: key.into(), value: None }
    }

    /// The value, unless this removes the key.
    #[must_use]
    pub fn kept(&self) -> Option<&str> {
        self.value.as_deref().filter(|value| value.trim() != "null")
    }

    /// Refuses what no storage takes. Every [`StateStore`] does this with all changes of a call
    /// before it stores the first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`] for a key or value that is too long, and for a value that is empty or
    /// has more than one line. Whether it is JSON is not looked at.
    pub fn check(&self) -> Result<(), StoreError> {
        let value = self.value.as_deref().unwrap_or("null");
        if self.key.len() > MAX_KEY_BYTES {
            Err(self.unfit("has a key that is too long"))
        } else if value.len() > MAX_VALUE_BYTES {
            Err(self.unfit("is too long"))
        } else if value.trim().is_empty() {
            Err(self.unfit("is empty"))
        } else if value.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
            Err(self.unfit("has more than one line"))
        } else {
            Ok(())
        }
    }

    /// Says what is wrong with this change.
    pub(crate) fn unfit(&self, reason: &'static str) -> StoreError {
        StoreError::Unfit { key: self.key.chars().take(64).collect(), reason }
    }
}

/// What was found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// Version of the values' schema, as the writer gave it; 0 when there was nothing.
    pub schema: u32,
    /// Keys and their values as JSON text.
    pub entries: BTreeMap<String, String>,
    /// How the reading went.
    pub report: LoadReport,
}

/// How a load went, for the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// The generation that was read; 0 when there was none.
    pub generation: u64,
    /// Changes read from journals.
    pub changes: u64,
    /// Bytes of an unfinished write that were left out.
    pub torn_bytes: u64,
    /// Files that were damaged and set aside, by their new names, each with what was wrong.
    pub damaged: Vec<(PathBuf, String)>,
    /// Files of interrupted writes that were removed.
    pub swept: u64,
}

/// A durable map of JSON values, written by one owner at a time.
///
/// A store is written in generations. [`begin`](Self::begin) starts one: from then on changes are
/// appended to it, and every entry of the map is put into its snapshot, in any order and while
/// changes go on; [`commit`](Self::commit) makes the snapshot the one that a load starts from.
/// Until then a load starts from the generation before and goes on through this one's changes.
///
/// ```text
/// load -> begin -> append* mixed with put* -> commit -> append* -> begin -> ...
/// ```
///
/// A change that is appended in a generation supersedes what its snapshot says of the key, whether
/// that was put before or after. A put entry may be newer than the changes appended so far, but
/// not newer than those appended when the generation is committed: append what is waiting, then
/// commit. Then a load always finds the map as it was between two changes.
///
/// Methods block on the disk: call them from a thread that may wait.
pub trait StateStore: Send {
    /// Reads what is there: the newest good generation and the changes since. Damaged files are set
    /// aside and reported, never an error. To be called before anything else; once more, it ends the
    /// generation that is being written.
    ///
    /// What was found may be more than what was acknowledged; it is durable when the first `begin`
    /// returns.
    ///
    /// # Errors
    ///
    /// When the storage itself cannot be read (no directory, no permission, an I/O error).
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Starts a generation, and ends the one before. `schema` is the version of the values' schema.
    ///
    /// `is_continuous` says that nothing is missing between what was loaded or appended last and
    /// this. After a change was lost it is `false`, and this generation counts from its commit on
    /// only. So does one whose `schema` differs from that of the generation before.
    ///
    /// # Errors
    ///
    /// The storage does not take it. The generation before goes on being what a load finds; no
    /// changes can be appended before a `begin` that succeeds. `is_continuous` may be `true` there
    /// if it was `true` here.
    fn begin(&mut self, schema: u32, is_continuous: bool) -> Result<(), StoreError>;

    /// Appends changes. They are durable when this returns.
    ///
    /// # Errors
    ///
    /// The storage does not take them. The first ones may have been stored, each whole; the
    /// generation is over, and the next call must be `begin`, which is not continuous whatever it
    /// says. After [`StoreError::Unfit`] and [`StoreError::Misused`] nothing has happened.
    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Adds entries to the snapshot of the generation that was begun last. Of two for the same key
    /// the later one counts, unless it has no value: those are left out.
    ///
    /// # Errors
    ///
    /// The storage does not take them. The snapshot is dropped, and the next one needs a `begin`;
    /// appending may go on. After [`StoreError::Unfit`] and [`StoreError::Misused`] nothing has
    /// happened.
    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError>;

    /// Makes the snapshot durable and the one to start from, and lets go of the oldest ones.
    ///
    /// # Errors
    ///
    /// The storage does not take it. The snapshot is dropped, and the next one needs a `begin`;
    /// appending may go on.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Bytes of changes appended in this generation, for the decision to begin another.
    fn appended_bytes(&self) -> u64;
}
