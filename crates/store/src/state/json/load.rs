//! Finding the newest state that the files of a directory hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::format::{MAX_LINE_BYTES, Position};
use super::journal::{JournalReader, Tail};
use super::lines::Lines;
use super::names::{self, Files, Journal};
use super::snapshot::Snapshot;
use crate::StoreError;
use crate::fs::Fs;
use crate::state::LoadReport;

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: BTreeMap<String, String>,
    /// Version of the values' schema, `None` when there are no values.
    pub(super) schema: Option<u32>,
    pub(super) report: LoadReport,
    /// Where the history is: more than one place when nothing lies between them. Empty when what
    /// was read may not be there the next time.
    pub(super) at: Vec<Position>,
    /// Generations that have a snapshot.
    pub(super) snapshots: BTreeSet<u64>,
    /// Generations that have a journal.
    pub(super) journals: BTreeSet<u64>,
    /// The greatest generation that any file bears.
    pub(super) newest: u64,
}

/// Reads the newest state in `dir`, sets aside what is damaged, removes what is unfinished.
pub(super) fn load<F: Fs>(fs: &F, dir: &Path) -> Result<Found, StoreError> {
    let entries = fs.list(dir).map_err(StoreError::io("cannot list", dir))?;
    let Files { snapshots, journals, unfinished, newest } = names::sort(dir, &entries);
    let mut loader = Loader {
        fs,
        found: Found {
            at: vec![Position { generation: 0, changes: 0 }],
            snapshots: snapshots.keys().copied().collect(),
            journals: journals.iter().filter(|file| !file.1.is_aside).map(|file| *file.0).collect(),
            newest,
            ..Found::default()
        },
        held: 0,
        uncounted: BTreeSet::new(),
        is_durable: true,
    };
    for path in unfinished {
        loader.sweep(&path);
    }
    for (generation, path) in snapshots.iter().rev() {
        if loader.read_snapshot(*generation, path)? {
            break;
        }
    }
    for (generation, journal) in journals.range(loader.found.report.generation..) {
        loader.read_journal(*generation, journal)?;
    }
    loader.sync_dir(dir);
    if !loader.is_durable {
        loader.found.at.clear();
    }
    Ok(loader.found)
}

struct Loader<'a, F> {
    fs: &'a F,
    found: Found,
    /// How many changes of its generation's journal the snapshot holds that is the base.
    held: u64,
    /// Generations that are not part of the history, because a change was lost before them.
    uncounted: BTreeSet<u64>,
    /// Whether what was read will be there after a power cut.
    is_durable: bool,
}

impl<F: Fs> Loader<'_, F> {
    fn sweep(&mut self, path: &Path) {
        match self.fs.remove(path) {
            Ok(()) => self.found.report.swept += 1,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot remove an unfinished file");
            }
        }
    }

    /// Takes the snapshot as the base, if it is good.
    fn read_snapshot(&mut self, generation: u64, path: &Path) -> Result<bool, StoreError> {
        match Snapshot::read(self.open(path)?, generation) {
            Ok(snapshot) => {
                self.held = snapshot.changes;
                self.found.entries = snapshot.entries;
                self.found.schema = Some(snapshot.schema);
                self.found.report.generation = generation;
                self.found.at = vec![Position { generation, changes: snapshot.changes }];
                Ok(true)
            }
            Err(what) => {
                if self.set_aside(path, what) {
                    self.found.snapshots.remove(&generation);
                }
                Ok(false)
            }
        }
    }

    /// Goes on through a journal, if it begins where the history is.
    fn read_journal(&mut self, generation: u64, file: &Journal) -> Result<(), StoreError> {
        let is_base = generation == self.found.report.generation;
        let mut journal = JournalReader::open(self.open(&file.path)?, generation);
        let verdict = match self.place(is_base, &journal) {
            Place::Elsewhere(what) => Some(what),
            Place::Uncounted => {
                self.uncounted.insert(generation);
                return Ok(());
            }
            Place::Next { skip } => {
                self.apply(generation, &mut journal, skip);
                self.sync_file(&file.path);
                None
            }
        };
        let changes = journal.changes();
        let held = if is_base { self.held } else { 0 };
        let verdict = match journal.tail() {
            Tail::Damaged(what) => Some(what),
            _ if verdict.is_some() => verdict,
            _ if changes < held => Some(format!("ends after {changes} of {held} changes")),
            Tail::Clean => None,
            Tail::Torn(bytes) => {
                self.found.report.torn_bytes += bytes;
                None
            }
        };
        if let Some(what) = verdict
            && !file.is_aside
            && self.set_aside(&file.path, what)
        {
            self.found.journals.remove(&generation);
        }
        Ok(())
    }

    /// Where a journal belongs.
    fn place(&self, is_base: bool, journal: &JournalReader) -> Place {
        let Some(header) = journal.header() else {
            // Without a good first line it has no changes, whatever it followed.
            return Place::Next { skip: 0 };
        };
        if self.found.schema.is_some_and(|schema| schema != header.schema) {
            return Place::Uncounted;
        }
        if is_base {
            return Place::Next { skip: self.held };
        }
        match header.follows {
            Some(place) if self.found.at.contains(&place) => Place::Next { skip: 0 },
            Some(place) if !self.uncounted.contains(&place.generation) => {
                Place::Elsewhere(format!(
                    "follows change {} of generation {}, which is not there",
                    place.changes, place.generation
                ))
            }
            _ => Place::Uncounted,
        }
    }

    /// Takes the changes of a journal behind those that the base holds.
    fn apply(&mut self, generation: u64, journal: &mut JournalReader, skip: u64) {
        let Some(schema) = journal.header().map(|header| header.schema) else {
            return;
        };
        while let Some(change) = journal.next() {
            if change.number <= skip {
                continue;
            }
            self.found.report.changes += 1;
            self.found.schema = Some(schema);
            match change.value {
                Some(value) => self.found.entries.insert(change.key, value.to_owned()),
                None => self.found.entries.remove(&change.key),
            };
        }
        let place = Position { generation, changes: journal.changes() };
        if place.changes > skip {
            self.found.at = vec![place];
        } else if skip == 0 {
            self.found.at.push(place);
        }
    }

    fn open(&self, path: &Path) -> Result<Lines, StoreError> {
        let reader = self.fs.open(path).map_err(StoreError::io("cannot open", path))?;
        Ok(Lines::new(reader, MAX_LINE_BYTES))
    }

    /// Gives a damaged file another name and reports it. Says whether that worked.
    fn set_aside(&mut self, path: &Path, what: String) -> bool {
        let aside = names::set_aside(self.fs, path);
        let is_done = aside != path;
        self.found.report.damaged.push((aside, what));
        is_done
    }

    /// Makes what was read of a file durable: its writer may not have come to that.
    fn sync_file(&mut self, path: &Path) {
        if let Err(error) = self.fs.sync_file(path) {
            tracing::warn!(path = %path.display(), %error, "cannot sync a file that was read");
            self.is_durable = false;
        }
    }

    fn sync_dir(&mut self, dir: &Path) {
        if let Err(error) = self.fs.sync_dir(dir) {
            tracing::warn!(path = %dir.display(), %error, "cannot sync a directory");
            self.is_durable = false;
        }
    }
}

/// Where a journal belongs in the history.
enum Place {
    /// It should be part of it, but what comes before it is missing.
    Elsewhere(String),
    /// Next, without its first changes.
    Next { skip: u64 },
    /// Beside it: a change was lost before it, and its snapshot was not committed.
    Uncounted,
}
