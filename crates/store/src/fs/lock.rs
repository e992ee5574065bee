//! One owner per directory.

use std::fs::{File, OpenOptions, TryLockError};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Fs, RealFs};
use crate::StoreError;

/// A directory that this process has for itself, until this is dropped or the process ends in any
/// way. The lock is on the file `lock` in it, which stays.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes a directory, creating it when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when another process (or another lock in this one) has it; the
    /// system's refusal otherwise.
    pub fn acquire(dir: &Path) -> Result<Self, StoreError> {
        RealFs.create_dir(dir).map_err(StoreError::io("cannot create", dir))?;
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&path).map_err(StoreError::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(StoreError::io("cannot lock", &path)(error)),
        }
    }
}
