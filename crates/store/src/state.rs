//! Durable state: a map from keys to JSON values.

use std::collections::BTreeMap;

use crate::StoreError;

/// One change of the map.
///
/// ```text
/// key    item/Cyan/ANDROID-589520ccfcd20f01
/// value  {"received":"2026-11-22T10:15:00.123Z","event":"<event ...>"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about: at most 1,024 bytes.
    pub key: String,
    /// The new value, one JSON value on one line; `None` removes the key.
    pub value: Option<String>,
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
    pub damaged: Vec<(std::path::PathBuf, String)>,
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
/// What is put must hold every change appended before the commit or be followed by it: a value
/// that is put and changed later in the same generation is superseded by the change.
///
/// Methods block on the disk: call them from a thread that may wait.
pub trait StateStore: Send {
    /// Reads what is there: the newest good generation and the changes since. Damaged files are set
    /// aside and reported, never an error. To be called once, before anything else.
    ///
    /// # Errors
    ///
    /// When the storage itself cannot be read (no directory, no permission, an I/O error).
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Starts a generation. `schema` is the version of the values' schema. `is_continuous` says
    /// that nothing is missing between the last append and this; after a change was lost it is
    /// `false`, and this generation counts from its commit on only.
    ///
    /// # Errors
    ///
    /// The storage does not take it. The generation before goes on being what a load finds; no
    /// changes can be appended before a `begin` that succeeds.
    fn begin(&mut self, schema: u32, is_continuous: bool) -> Result<(), StoreError>;

    /// Appends changes. They are durable when this returns.
    ///
    /// # Errors
    ///
    /// The storage does not take them. Some may have been stored, in order, the last one whole; the
    /// generation is over, and the next call must be `begin` with `is_continuous` false.
    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Adds entries to the snapshot of the generation that was begun last.
    ///
    /// # Errors
    ///
    /// The storage does not take them. The snapshot is dropped; appending may go on.
    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError>;

    /// Makes the snapshot durable and the one to start from, and lets go of the oldest ones.
    ///
    /// # Errors
    ///
    /// The storage does not take it. The snapshot is dropped; appending may go on.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Bytes of changes appended in this generation, for the decision to begin another.
    fn appended_bytes(&self) -> u64;
}
