//! A file system in memory that promises no more than a kernel does.

#[expect(clippy::indexing_slicing, reason = "a model that is wrong must not go on")]
mod disk;
mod random;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::disk::{Disk, InodeId};
use crate::fs::{Fs, FsEntry, FsFile};

/// A file system in memory that promises no more than a kernel does.
///
/// What is written can be read at once, but a crash may take it until it is synced. A name that was
/// created, changed or removed may come back or go until its directory is synced. After a failed
/// sync, what was not durable never becomes so. Clones are the same file system.
///
/// Operations are counted, reads included, and each can be made to fail.
///
/// ```
/// use std::io::Write;
/// use std::path::Path;
///
/// use store::fs::Fs;
/// use store::testing::{Crash, SimFs};
///
/// let fs = SimFs::new();
/// fs.create_dir(Path::new("/d"))?;
/// let mut file = fs.create_new(Path::new("/d/synced"))?;
/// file.write_all(b"durable")?;
/// file.sync_data()?;
/// fs.sync_dir(Path::new("/d"))?;
/// file.write_all(b", volatile")?;
/// fs.crash(Crash::Lost);
/// assert_eq!(fs.contents(Path::new("/d/synced")).as_deref(), Some(&b"durable"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimFs {
    state: Arc<Mutex<State>>,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crash {
    /// All of it: the process was killed, the system goes on. It stays volatile.
    Killed,
    /// Nothing.
    Lost,
    /// Some: each name and each block of 512 bytes by itself, decided by this seed. Blocks that did
    /// not survive are as they were, or zeros where the file was shorter.
    Some(u64),
    /// All but the last block of each file, which is cut off, cut in two or zeros, decided by this
    /// seed.
    Torn(u64),
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An I/O error; nothing happens. What a sync was to make durable never becomes so.
    Failure,
    /// No space: half of a write is done, and the error is said; other operations do nothing.
    Full,
    /// Half of a read or write is done, which is no error. Other operations are as usual.
    Short,
    /// The process is killed: half of a write is done, and every operation fails from then on, until
    /// [`SimFs::crash`].
    Stop,
}

#[derive(Clone, Debug, Default)]
struct State {
    disk: Disk,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    is_stopped: bool,
    /// Files that were opened before the last crash are dead.
    crashes: u64,
    /// Bytes that all files may have together.
    capacity: Option<u64>,
}

impl SimFs {
    /// An empty file system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every process that uses this: what was not synced is lost as `crash` says, open files
    /// are dead, faults that did not happen will not, and operations work again.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.state();
        state.disk.crash(crash);
        state.faults.clear();
        state.is_stopped = false;
        state.crashes += 1;
    }

    /// Makes the operation fail before which `operation` others were done since the beginning.
    pub fn fail(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Sets how many bytes all files may have together; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// What is in a file, without an operation.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        self.state().disk.contents(path)
    }

    /// Puts a file there, durably and without an operation, whatever was there before.
    pub fn place(&self, path: &Path, contents: &[u8]) {
        self.state().disk.place(path, contents);
    }

    /// The files there are, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().disk.files()
    }

    /// Another file system that is as this one is now, volatile things included.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = State::clone(&self.state());
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation that is done or not.
    fn operate<T>(&self, operation: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        match state.next_fault()? {
            None | Some(Fault::Short) => operation(&mut state.disk),
            Some(fault) => Err(error_of(fault)),
        }
    }
}

impl State {
    /// Counts an operation, and says how it fails.
    fn next_fault(&mut self) -> io::Result<Option<Fault>> {
        if self.is_stopped {
            return Err(error_of(Fault::Stop));
        }
        let fault = self.faults.remove(&self.operations);
        self.operations += 1;
        self.is_stopped = fault == Some(Fault::Stop);
        Ok(fault)
    }

    fn free(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.disk.used()))
    }
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Stop => io::Error::other("the process was killed"),
        Fault::Failure | Fault::Short => io::Error::other("input/output error"),
    }
}

impl Fs for SimFs {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let inode = self.operate(|disk| disk.create(path))?;
        Ok(Box::new(SimFile { fs: self.clone(), inode, at: 0, crashes: self.state().crashes }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let inode = self.operate(|disk| disk.find(path))?;
        let state = self.state();
        let at = state.disk.len(inode);
        Ok(Box::new(SimFile { fs: self.clone(), inode, at, crashes: state.crashes }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let inode = self.operate(|disk| disk.find(path))?;
        Ok(Box::new(SimFile { fs: self.clone(), inode, at: 0, crashes: self.state().crashes }))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fault = state.next_fault()?;
        let inode = state.disk.find(path)?;
        state.sync(inode, fault)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        self.operate(|disk| disk.list(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|disk| disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate(|disk| disk.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.operate(|disk| disk.sync_dir(dir))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.operate(|disk| disk.create_dir(dir))
    }
}

impl State {
    fn sync(&mut self, inode: InodeId, fault: Option<Fault>) -> io::Result<()> {
        match fault {
            None | Some(Fault::Short) => {
                self.disk.sync(inode);
                Ok(())
            }
            Some(fault) => {
                if fault != Fault::Stop {
                    self.disk.fail_sync(inode);
                }
                Err(error_of(fault))
            }
        }
    }
}

/// An open file.
#[derive(Debug)]
struct SimFile {
    fs: SimFs,
    inode: InodeId,
    at: usize,
    crashes: u64,
}

impl SimFile {
    /// The state, unless this file was opened before a crash.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.fs.state();
        if state.crashes == self.crashes { Ok(state) } else { Err(error_of(Fault::Stop)) }
    }
}

impl Read for SimFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state()?;
        let wanted = match state.next_fault()? {
            None => buf.len(),
            Some(Fault::Short) => buf.len().min(state.disk.len(self.inode)).div_ceil(2),
            Some(fault) => return Err(error_of(fault)),
        };
        let len = state.disk.read(self.inode, self.at, buf.get_mut(..wanted).unwrap_or_default());
        drop(state);
        self.at += len;
        Ok(len)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state()?;
        let fault = state.next_fault()?;
        let free = usize::try_from(state.free()).unwrap_or(usize::MAX);
        let (len, error) = match fault {
            None if bytes.is_empty() => (0, None),
            None if free == 0 => (0, Some(error_of(Fault::Full))),
            None => (bytes.len().min(free), None),
            Some(Fault::Failure) => (0, Some(error_of(Fault::Failure))),
            Some(Fault::Short) => (bytes.len().div_ceil(2), None),
            Some(fault) => (bytes.len() / 2, Some(error_of(fault))),
        };
        state.disk.write(self.inode, self.at, bytes.get(..len).unwrap_or_default());
        drop(state);
        self.at += len;
        error.map_or(Ok(len), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for SimFile {
    fn sync_data(&mut self) -> io::Result<()> {
        let inode = self.inode;
        let mut state = self.state()?;
        let fault = state.next_fault()?;
        state.sync(inode, fault)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let at = usize::try_from(len).map_err(io::Error::other)?;
        let mut state = self.state()?;
        match state.next_fault()? {
            None | Some(Fault::Short) => state.disk.set_len(self.inode, at),
            Some(fault) => return Err(error_of(fault)),
        }
        drop(state);
        self.at = at;
        Ok(())
    }
}
