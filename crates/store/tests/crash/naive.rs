//! What must not survive: a file that is rewritten in place.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use store::fs::{Fs, FsFile};
use store::testing::SimFs;
use store::{Change, Loaded, StateStore, StoreError};

/// Rewrites the whole map in place at every change, and syncs nothing.
pub(crate) struct NaiveState {
    fs: SimFs,
    entries: BTreeMap<String, String>,
    snapshot: BTreeMap<String, String>,
    file: Option<Box<dyn FsFile>>,
}

const PATH: &str = "/naive/state.json";

impl NaiveState {
    pub(crate) fn new(fs: SimFs) -> Self {
        Self { fs, entries: BTreeMap::new(), snapshot: BTreeMap::new(), file: None }
    }

    fn rewrite(&mut self) -> Result<(), StoreError> {
        let json = serde_json::to_vec(&self.entries).expect("text is JSON");
        let file = self.file.as_mut().ok_or(StoreError::Misused("not open"))?;
        file.set_len(0).and_then(|()| file.write_all(&json)).map_err(refused)
    }
}

fn refused(source: io::Error) -> StoreError {
    StoreError::Io { doing: "cannot use", path: PathBuf::from(PATH), source }
}

impl StateStore for NaiveState {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        let path = Path::new(PATH);
        self.fs.create_dir(Path::new("/naive")).map_err(refused)?;
        let mut loaded = Loaded::default();
        let mut json = Vec::new();
        if let Ok(mut file) = self.fs.open(path) {
            file.read_to_end(&mut json).map_err(refused)?;
            match serde_json::from_slice(&json) {
                Ok(entries) => loaded.entries = entries,
                Err(error) => {
                    loaded.report.damaged.push((PathBuf::from(PATH), error.to_string()));
                }
            }
        }
        self.entries = loaded.entries.clone();
        Ok(loaded)
    }

    fn begin(&mut self, _: u32, _: bool) -> Result<(), StoreError> {
        let path = Path::new(PATH);
        self.snapshot.clear();
        let file = self.fs.append(path).or_else(|_| self.fs.create_new(path));
        self.file = Some(file.map_err(refused)?);
        Ok(())
    }

    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match &change.value {
                Some(value) => self.entries.insert(change.key.clone(), value.clone()),
                None => self.entries.remove(&change.key),
            };
        }
        self.rewrite()
    }

    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError> {
        let entries = entries.iter().cloned();
        self.snapshot.extend(entries.filter_map(|entry| Some((entry.key, entry.value?))));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.entries.extend(self.snapshot.clone());
        self.rewrite()
    }

    fn appended_bytes(&self) -> u64 {
        0
    }
}
