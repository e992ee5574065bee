//! Finding the newest state that the files of a directory hold.
//!
//! A journal says which one it follows, and after how many of its changes. So generations form a
//! tree, in which the history is the path from the newest good snapshot that takes the newest
//! branch everywhere. Other branches are generations whose beginning failed, or what could not be
//! read at an earlier load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::format::{Heading, MAX_LINE_BYTES, Position, Record};
use super::journal::{JournalReader, Tail};
use super::lines::Lines;
use super::names::{self, Files, Journal};
use super::snapshot::Snapshot;
use crate::StoreError;
use crate::fs::Fs;
use crate::state::{Change, LoadReport};

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: BTreeMap<String, String>,
    /// Version of the values' schema, `None` when there are no values.
    pub(super) schema: Option<u32>,
    pub(super) report: LoadReport,
    /// Up to where the history is durable for sure.
    pub(super) at: Position,
    /// The changes behind that: the newest ones that were written at once.
    pub(super) tail: Vec<Change>,
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
    let mut found = Found { newest, ..Found::default() };
    found.snapshots.extend(snapshots.keys());
    found.journals.extend(journals.iter().filter(|file| !file.1.is_aside).map(|file| file.0));
    let mut loader = Loader { fs, found, branches: BTreeMap::new(), lost: BTreeMap::new() };
    for path in unfinished {
        loader.sweep(&path);
    }
    for (generation, path) in snapshots.iter().rev() {
        if loader.read_snapshot(*generation, path)? {
            break;
        }
    }
    let base = loader.found.at.generation;
    let journals: BTreeMap<_, _> = journals.into_iter().filter(|file| file.0 >= base).collect();
    for (generation, journal) in &journals {
        loader.read_heading(*generation, journal)?;
    }
    loader.follow(&journals)?;
    loader.report_lost(&journals);
    Ok(loader.found)
}

struct Loader<'a, F> {
    fs: &'a F,
    found: Found,
    /// What good journals say, by their generations.
    branches: BTreeMap<u64, Heading>,
    /// Generations of which changes are missing, and from which one on.
    lost: BTreeMap<u64, u64>,
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
                self.found.entries = snapshot.entries;
                self.found.schema = Some(snapshot.schema);
                self.found.report.generation = generation;
                self.found.at = Position { generation, changes: snapshot.changes };
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

    fn read_heading(&mut self, generation: u64, file: &Journal) -> Result<(), StoreError> {
        match JournalReader::open(self.open(&file.path)?, generation) {
            Ok((_, heading)) => {
                self.branches.insert(generation, heading);
            }
            Err(what) => {
                // What the base holds of it is not lost.
                let base = self.found.at;
                let from = if base.generation == generation { base.changes + 1 } else { 0 };
                self.lost.insert(generation, from);
                self.set_journal_aside(generation, file, what);
            }
        }
        Ok(())
    }

    /// Goes along the history from the base.
    fn follow(&mut self, journals: &BTreeMap<u64, Journal>) -> Result<(), StoreError> {
        let mut at = self.found.at;
        loop {
            let next = self.newest_branch(at.generation);
            let heading = self.branches.get(&at.generation).filter(|it| self.is_same_schema(it));
            if let (Some(&heading), Some(file)) = (heading, journals.get(&at.generation)) {
                let end = next.map_or(u64::MAX, |next| next.1);
                at.changes = self.read_journal(heading, file, at.changes, end)?;
            }
            match next {
                Some((generation, changes)) if changes == at.changes => {
                    at = Position { generation, changes: 0 };
                }
                Some((_, changes)) if changes > at.changes => {
                    self.lost.insert(at.generation, at.changes + 1);
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// The newest generation that follows this one, and after how many changes.
    fn newest_branch(&self, generation: u64) -> Option<(u64, u64)> {
        self.branches.range(generation + 1..).rev().find_map(|(branch, heading)| {
            let place = heading.follows.filter(|place| place.generation == generation)?;
            self.is_same_schema(heading).then_some((*branch, place.changes))
        })
    }

    /// Whether values of a generation can be mixed with what was read.
    fn is_same_schema(&self, heading: &Heading) -> bool {
        self.found.schema.is_none_or(|schema| schema == heading.schema)
    }

    /// Takes the changes of a journal from behind the first `held` up to `end`, and says where it
    /// ended.
    fn read_journal(
        &mut self,
        heading: Heading,
        file: &Journal,
        held: u64,
        end: u64,
    ) -> Result<u64, StoreError> {
        let generation = heading.generation;
        let mut journal = match JournalReader::open(self.open(&file.path)?, generation) {
            Ok((journal, _)) => journal,
            Err(what) => {
                self.set_journal_aside(generation, file, what);
                return Ok(held);
            }
        };
        while journal.changes() < end
            && let Some(change) = journal.next()
        {
            if change.number > held {
                self.found.schema = Some(heading.schema);
                self.found.take(generation, &change);
            }
        }
        let changes = journal.changes();
        self.sync_file(&file.path);
        if changes < end {
            match journal.tail() {
                Tail::Damaged(what) => self.set_journal_aside(generation, file, what),
                _ if changes < held => {
                    let what = format!("ends after {changes} of {held} changes");
                    self.set_journal_aside(generation, file, what);
                }
                Tail::Clean => {}
                Tail::Torn(bytes) => self.found.report.torn_bytes += bytes,
            }
        }
        Ok(changes.max(held))
    }

    /// Sets aside what follows something that is lost.
    fn report_lost(&mut self, journals: &BTreeMap<u64, Journal>) {
        let base = self.found.report.generation;
        for (generation, heading) in self.branches.clone() {
            let (Some(place), Some(file)) = (heading.follows, journals.get(&generation)) else {
                continue;
            };
            let is_missing = place.generation > base && !journals.contains_key(&place.generation);
            let is_lost =
                self.lost.get(&place.generation).is_some_and(|from| place.changes >= *from);
            if is_missing || is_lost {
                let Position { generation: before, changes } = place;
                let what =
                    format!("follows change {changes} of generation {before}, which is lost");
                self.lost.insert(generation, 0);
                self.set_journal_aside(generation, file, what);
            }
        }
    }

    fn open(&self, path: &Path) -> Result<Lines, StoreError> {
        let reader = self.fs.open(path).map_err(StoreError::io("cannot open", path))?;
        Ok(Lines::new(reader, MAX_LINE_BYTES))
    }

    /// Makes what was read durable, as its writer may have been killed before. A success proves
    /// nothing, when an error was told to the one before; so the end is written once more, too.
    fn sync_file(&self, path: &Path) {
        if let Err(error) = self.fs.sync_file(path) {
            tracing::warn!(path = %path.display(), %error, "cannot sync a file");
        }
    }

    /// Sets a damaged journal aside, unless that was done before.
    fn set_journal_aside(&mut self, generation: u64, file: &Journal, what: String) {
        if !file.is_aside && self.set_aside(&file.path, what) {
            self.found.journals.remove(&generation);
        }
    }

    /// Gives a damaged file another name and reports it. Says whether that worked.
    fn set_aside(&mut self, path: &Path, what: String) -> bool {
        let aside = names::set_aside(self.fs, path);
        let is_done = aside != path;
        self.found.report.damaged.push((aside, what));
        is_done
    }
}

impl Found {
    /// Takes a change of a journal. What was written before it is durable: it was synced before
    /// this was written.
    fn take(&mut self, generation: u64, change: &Record<'_>) {
        let before = change.batch.min(change.number).saturating_sub(1);
        if self.at.generation != generation || self.at.changes < before {
            self.at = Position { generation, changes: before };
            self.tail.clear();
        }
        let (key, value) = (change.key.clone(), change.value.map(str::to_owned));
        self.tail.push(Change { key: key.clone(), value: value.clone() });
        match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
        self.report.changes += 1;
    }
}
