//! State that lives as long as the process.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Change, LoadReport, Loaded, StateStore};
use crate::StoreError;

/// State without files: kept as long as one clone of this value is. Each clone is another owner of
/// the same map, as another process would be of the same directory.
#[derive(Debug, Default)]
pub struct MemoryState {
    kept: Arc<Mutex<Kept>>,
    writing: Option<Writing>,
    is_loaded: bool,
}

/// What a load finds.
#[derive(Debug, Default)]
struct Kept {
    /// Of the entries; `None` before there were any.
    schema: Option<u32>,
    generation: u64,
    entries: BTreeMap<String, String>,
}

/// A generation that was begun.
#[derive(Debug)]
struct Writing {
    schema: u32,
    /// Whether changes count at once, or from the commit on.
    is_counting: bool,
    snapshot: Option<Snapshot>,
    appended_bytes: u64,
}

#[derive(Debug, Default)]
struct Snapshot {
    entries: BTreeMap<String, String>,
    later: BTreeMap<String, Option<String>>,
}

impl MemoryState {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Each change is whole before the lock is let go, so another's panic leaves nothing half.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for MemoryState {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), writing: None, is_loaded: false }
    }
}

impl StateStore for MemoryState {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.writing = None;
        self.is_loaded = true;
        let kept = self.kept();
        let report = LoadReport { generation: kept.generation, ..LoadReport::default() };
        Ok(Loaded { schema: kept.schema.unwrap_or(0), entries: kept.entries.clone(), report })
    }

    fn begin(&mut self, schema: u32, is_continuous: bool) -> Result<(), StoreError> {
        if !self.is_loaded {
            return Err(StoreError::Misused("nothing was loaded before this generation"));
        }
        let was_counting = self.writing.take().is_none_or(|writing| writing.is_counting);
        let is_same = self.kept().schema.is_none_or(|kept| kept == schema);
        let is_counting = is_continuous && was_counting && is_same;
        let snapshot = Some(Snapshot::default());
        self.writing = Some(Writing { schema, is_counting, snapshot, appended_bytes: 0 });
        Ok(())
    }

    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let Some(writing) = &mut self.writing else {
            return Err(StoreError::Misused("no generation was begun"));
        };
        changes.iter().try_for_each(Change::check)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            let value = change.kept().map(str::to_owned);
            let len = change.key.len() + value.as_ref().map_or(0, String::len);
            writing.appended_bytes += len as u64;
            if let Some(snapshot) = &mut writing.snapshot {
                snapshot.later.insert(change.key.clone(), value.clone());
            }
            if writing.is_counting {
                kept.schema = Some(writing.schema);
                apply(&mut kept.entries, change.key.clone(), value);
            }
        }
        Ok(())
    }

    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError> {
        let snapshot = self.writing.as_mut().and_then(|writing| writing.snapshot.as_mut());
        let Some(snapshot) = snapshot else {
            return Err(StoreError::Misused("no snapshot is being written"));
        };
        entries.iter().try_for_each(Change::check)?;
        for entry in entries {
            if let Some(value) = entry.kept() {
                snapshot.entries.insert(entry.key.clone(), value.to_owned());
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let Some((writing, mut snapshot)) = self.writing.as_mut().and_then(|writing| {
            let snapshot = writing.snapshot.take()?;
            Some((writing, snapshot))
        }) else {
            return Err(StoreError::Misused("no snapshot is being written"));
        };
        for (key, value) in mem::take(&mut snapshot.later) {
            apply(&mut snapshot.entries, key, value);
        }
        writing.is_counting = true;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.schema = Some(writing.schema);
        kept.generation += 1;
        kept.entries = snapshot.entries;
        Ok(())
    }

    fn appended_bytes(&self) -> u64 {
        self.writing.as_ref().map_or(0, |writing| writing.appended_bytes)
    }
}

fn apply(entries: &mut BTreeMap<String, String>, key: String, value: Option<String>) {
    match value {
        Some(value) => entries.insert(key, value),
        None => entries.remove(&key),
    };
}
