//! The file that is being written.

use std::io;
use std::path::PathBuf;

use super::{DumpConfig, DumpFile, files};
use crate::StoreError;
use crate::fs::{Fs, FsFile};

/// A file that ends with a whole line, unless `is_torn`.
#[derive(Debug)]
pub(super) struct Current {
    file: Box<dyn FsFile>,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    pub(super) begun_ms: i64,
    /// Bytes up to the end of the last whole line.
    pub(super) bytes: u64,
    /// Events written since the last time the disk confirmed them.
    pub(super) unsynced_events: u64,
    is_synced: bool,
    is_name_synced: bool,
    /// An unfinished line could not be cut off: nothing can be written any more.
    pub(super) is_torn: bool,
}

impl Current {
    /// Begins a file.
    pub(super) fn create(
        fs: &impl Fs,
        config: &DumpConfig,
        number: u64,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let path = config.dir.join(files::name(now_ms, number, config.format));
        let file = fs.create_new(&path).map_err(StoreError::io("cannot create", &path))?;
        Ok(Self::new(file, path, number, now_ms, 0))
    }

    /// Goes on with a file behind its first `whole_bytes`, and cuts off the rest.
    pub(super) fn resume(
        fs: &impl Fs,
        found: &DumpFile,
        whole_bytes: u64,
    ) -> Result<Self, StoreError> {
        let path = &found.path;
        let mut file = fs.append(path).map_err(StoreError::io("cannot open", path))?;
        if whole_bytes < found.bytes {
            file.set_len(whole_bytes).map_err(StoreError::io("cannot cut", path))?;
        }
        Ok(Self::new(file, path.clone(), found.number, found.begun_ms, whole_bytes))
    }

    fn new(file: Box<dyn FsFile>, path: PathBuf, number: u64, begun_ms: i64, bytes: u64) -> Self {
        Self {
            file,
            path,
            number,
            begun_ms,
            bytes,
            unsynced_events: 0,
            is_synced: false,
            is_name_synced: false,
            is_torn: false,
        }
    }

    /// Appends lines of `events` events, with one call if the system takes them at once. When it
    /// does not take all of them, what it took is cut off again.
    pub(super) fn append(&mut self, lines: &[u8], events: u64) -> Result<(), StoreError> {
        self.is_synced = false;
        match self.file.write_all(lines) {
            Ok(()) => {
                self.bytes += lines.len() as u64;
                self.unsynced_events += events;
                Ok(())
            }
            Err(error) => {
                self.is_torn = self.file.set_len(self.bytes).is_err();
                Err(StoreError::io("cannot write", &self.path)(error))
            }
        }
    }

    /// Makes what was written durable. After an error the file is to be given up.
    pub(super) fn sync(&mut self, fs: &impl Fs) -> Result<(), StoreError> {
        if self.is_synced {
            return Ok(());
        }
        let fail = |error: io::Error| StoreError::io("cannot sync", &self.path)(error);
        self.file.sync_data().map_err(fail)?;
        if !self.is_name_synced {
            let dir = self.path.parent().unwrap_or(&self.path);
            fs.sync_dir(dir).map_err(fail)?;
            self.is_name_synced = true;
        }
        self.is_synced = true;
        self.unsynced_events = 0;
        Ok(())
    }
}
