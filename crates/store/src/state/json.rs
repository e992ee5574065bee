//! State in JSON files.

mod format;
mod journal;
mod lines;
mod load;
mod names;
mod snapshot;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use self::format::{Heading, Position};
use self::journal::JournalWriter;
use self::names::Kind;
use self::snapshot::SnapshotWriter;
use super::{Change, Loaded, StateStore};
use crate::StoreError;
use crate::fs::{Fs, RealFs};

/// Generations that are kept unless told otherwise.
const DEFAULT_GENERATIONS: usize = 3;

/// State in JSON files of one directory, which nobody else writes to: hold a
/// [`DirLock`](crate::DirLock).
///
/// ```text
/// state-00000012.json     the map at the beginning of generation 12
/// journal-00000012.jsonl  what changed since
/// *.tmp                   an unfinished snapshot; removed by the next load
/// *.damaged               what a load could not use; never removed
/// ```
///
/// The documentation page `state.md` describes what is in them.
pub struct JsonState<F: Fs = RealFs> {
    fs: F,
    dir: PathBuf,
    /// At least 1.
    generations: usize,
    /// Whether the fields below say what is in the directory.
    is_loaded: bool,
    /// Generations that have a snapshot.
    snapshots: BTreeSet<u64>,
    /// Generations that have a journal.
    journals: BTreeSet<u64>,
    /// The greatest generation there ever was.
    newest: u64,
    /// Version of the schema of the values that a load would find; `None` before there are any.
    schema: Option<u32>,
    /// Version of the schema of the values in the generation that was begun.
    begun_schema: u32,
    /// Where the generation that was begun goes on; `None` when a change was lost before it and its
    /// snapshot was not committed.
    at: Option<Position>,
    /// What was loaded and comes behind that, as the journal there may lose it: all of the last
    /// write that nothing shows to have been synced.
    tail: Vec<Change>,
    journal: Option<JournalWriter>,
    snapshot: Option<SnapshotWriter>,
}

impl JsonState {
    /// Uses a directory, which is created when there is none, for its owner alone.
    ///
    /// # Errors
    ///
    /// The directory cannot be created.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::with_fs(RealFs, dir)
    }
}

impl<F: Fs> JsonState<F> {
    /// Uses a directory of another file system.
    ///
    /// # Errors
    ///
    /// The directory cannot be created.
    pub fn with_fs(fs: F, dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        fs.create_dir(&dir).map_err(StoreError::io("cannot create", &dir))?;
        Ok(Self {
            fs,
            dir,
            generations: DEFAULT_GENERATIONS,
            is_loaded: false,
            snapshots: BTreeSet::new(),
            journals: BTreeSet::new(),
            newest: 0,
            schema: None,
            begun_schema: 0,
            at: None,
            tail: Vec::new(),
            journal: None,
            snapshot: None,
        })
    }

    /// How many snapshots are kept, with the journals since the oldest of them: at least 1, which
    /// leaves nothing to fall back to when one is damaged. Defaults to 3.
    #[must_use]
    pub fn keep_generations(mut self, generations: usize) -> Self {
        self.generations = generations.max(1);
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, kind: Kind, generation: u64) -> PathBuf {
        self.dir.join(names::file_name(kind, generation))
    }

    /// Creates the files of a generation.
    fn create(&mut self, schema: u32, generation: u64) -> Result<(), StoreError> {
        let path = self.path(Kind::Journal, generation);
        let heading = Heading { schema, generation, follows: self.at };
        let journal = JournalWriter::create(&self.fs, &path, heading, &self.tail)
            .map_err(StoreError::io("cannot create", &path))?;
        let path = self.path(Kind::Snapshot, generation);
        let snapshot = SnapshotWriter::create(&self.fs, path.clone(), schema, generation)
            .map_err(StoreError::io("cannot create", &path))?;
        self.snapshot = Some(snapshot);
        self.fs.sync_dir(&self.dir).map_err(StoreError::io("cannot sync", &self.dir))?;
        self.journal = Some(journal);
        self.tail.clear();
        Ok(())
    }

    /// Ends a generation, whose journal got so far.
    fn end(&mut self, position: Position) {
        if self.at.is_some() {
            self.at = Some(position);
        } else if self.remove(&self.path(Kind::Journal, position.generation)) {
            // It would have counted with its snapshot only. While a disk is full there are many.
            self.journals.remove(&position.generation);
        }
    }

    /// Drops the snapshot that is being written.
    fn drop_snapshot(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            self.remove(snapshot.unfinished());
        }
    }

    /// Removes a file that is not needed; it does no harm when that fails. Says whether it is gone.
    fn remove(&self, path: &Path) -> bool {
        match self.fs.remove(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot remove a file");
                false
            }
        }
    }

    /// Removes what is older than the oldest snapshot to keep.
    fn rotate(&mut self) {
        let Some(&oldest) = self.snapshots.iter().rev().nth(self.generations - 1) else {
            return;
        };
        for generation in self.snapshots.clone().range(..oldest) {
            if self.remove(&self.path(Kind::Snapshot, *generation)) {
                self.snapshots.remove(generation);
            }
        }
        for generation in self.journals.clone().range(..oldest) {
            if self.remove(&self.path(Kind::Journal, *generation)) {
                self.journals.remove(generation);
            }
        }
    }
}

impl<F: Fs> StateStore for JsonState<F> {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.is_loaded = false;
        self.journal = None;
        self.snapshot = None;
        let found = load::load(&self.fs, &self.dir)?;
        self.snapshots = found.snapshots;
        self.journals = found.journals;
        self.newest = self.newest.max(found.newest);
        self.schema = found.schema;
        self.at = Some(found.at);
        self.tail = found.tail;
        self.is_loaded = true;
        let schema = found.schema.unwrap_or(0);
        Ok(Loaded { schema, entries: found.entries, report: found.report })
    }

    fn begin(&mut self, schema: u32, is_continuous: bool) -> Result<(), StoreError> {
        if !self.is_loaded {
            return Err(StoreError::Misused("nothing was loaded before this generation"));
        }
        self.drop_snapshot();
        if let Some(journal) = self.journal.take() {
            self.end(journal.position());
        }
        if !is_continuous || self.schema.is_some_and(|kept| kept != schema) {
            self.at = None;
            self.tail.clear();
        }
        // Each attempt has a number of its own: what a failed one leaves is never written to.
        self.newest += 1;
        let generation = self.newest;
        self.journals.insert(generation);
        self.begun_schema = schema;
        let created = self.create(schema, generation);
        if created.is_err() {
            self.drop_snapshot();
            if self.remove(&self.path(Kind::Journal, generation)) {
                self.journals.remove(&generation);
            }
        }
        created
    }

    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let Some(journal) = &mut self.journal else {
            return Err(StoreError::Misused("no generation was begun"));
        };
        changes.iter().try_for_each(check)?;
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(error) = journal.append(changes) {
            let generation = journal.position().generation;
            self.journal = None;
            self.at = None;
            self.drop_snapshot();
            let path = self.path(Kind::Journal, generation);
            return Err(StoreError::io("cannot write", &path)(error));
        }
        if self.at.is_some() {
            self.schema = Some(self.begun_schema);
        }
        if let Some(snapshot) = &mut self.snapshot {
            for change in changes {
                snapshot.supersede(&change.key, change.kept());
            }
        }
        Ok(())
    }

    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError> {
        let Some(snapshot) = &mut self.snapshot else {
            return Err(StoreError::Misused("no snapshot is being written"));
        };
        entries.iter().try_for_each(check)?;
        let mut kept = entries.iter().filter_map(|entry| Some((&entry.key, entry.kept()?)));
        if let Err(error) = kept.try_for_each(|(key, value)| snapshot.put(key, Some(value))) {
            let path = snapshot.unfinished().to_owned();
            self.drop_snapshot();
            return Err(StoreError::io("cannot write", &path)(error));
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let (Some(journal), Some(snapshot)) = (&self.journal, self.snapshot.take()) else {
            return Err(StoreError::Misused("no snapshot is being written"));
        };
        let Position { generation, changes } = journal.position();
        let path = snapshot.unfinished().to_owned();
        if let Err(error) = snapshot.finish(&self.fs, changes) {
            self.remove(&path);
            return Err(StoreError::io("cannot write", &path)(error));
        }
        self.snapshots.insert(generation);
        self.fs.sync_dir(&self.dir).map_err(StoreError::io("cannot sync", &self.dir))?;
        self.at = Some(Position { generation, changes });
        self.schema = Some(self.begun_schema);
        self.rotate();
        Ok(())
    }

    fn appended_bytes(&self) -> u64 {
        self.journal.as_ref().map_or(0, JournalWriter::appended_bytes)
    }
}

impl<F: Fs> fmt::Debug for JsonState<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonState").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Refuses what cannot be written or would not be JSON.
fn check(change: &Change) -> Result<(), StoreError> {
    change.check()?;
    match change.kept().map(serde_json::from_str::<IgnoredAny>) {
        Some(Err(_)) => Err(change.unfit("is not JSON")),
        _ => Ok(()),
    }
}
