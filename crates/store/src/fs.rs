//! The few operations on files that durable storage needs, behind a trait so that faults can be
//! injected.

mod lock;
mod real;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

pub use lock::DirLock;
pub use real::RealFs;

/// A file system.
///
/// Nothing here replaces a file: names are taken exclusively, by creation and by renaming. What was
/// written is durable after [`FsFile::sync_data`]; a name that was created, changed or removed is
/// so after [`sync_dir`](Self::sync_dir) of its directory.
pub trait Fs: Send + Sync + 'static {
    /// Creates a file for writing, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name is taken; what the system says
    /// otherwise.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file for writing at its end.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when there is none; what the system says otherwise.
    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file for reading from its start.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when there is none; what the system says otherwise.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;

    /// Makes what was written to a file durable, whoever wrote it.
    ///
    /// # Errors
    ///
    /// What the system says. Some of the content may be lost then, and a later success does not
    /// bring it back.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// The files of a directory, in no order; what is not a regular file is left out.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>>;

    /// Gives a file another name in the same file system.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the new name is taken; what the system
    /// says otherwise.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Has the system forget what it keeps of a file in memory and has on the disk, bit by bit, with
    /// a call of `between` before each. A hint, after which there is less to do at once when the file
    /// is removed. Does nothing by default.
    fn forget(&self, path: &Path, between: &mut dyn FnMut()) {
        let _ = (path, between);
    }

    /// Makes the names in a directory durable as they are now.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a directory and those above it, for its owner alone, durable when this returns. It
    /// is no error when the directory is there.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is being written. Each `write` is one call of the system, and may write less than
/// it was given.
pub trait FsFile: io::Write + Send + fmt::Debug {
    /// Makes what was written durable.
    ///
    /// # Errors
    ///
    /// What the system says. The file is finished then: some of its content may be lost, and a
    /// later success does not bring it back.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Asks the system to begin to write a part of the file to the disk: `len` bytes from `from` on,
    /// which were written. A hint, after which less is left for [`sync_data`](Self::sync_data) to
    /// wait for. Does nothing by default.
    fn write_out(&mut self, from: u64, len: u64) {
        let _ = (from, len);
    }

    /// Cuts the file, or lengthens it with zeros. Writing goes on at the new end.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

/// A file as a directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsEntry {
    /// Its name in the directory.
    pub name: OsString,
    /// Its size. Bytes.
    pub len: u64,
}

impl FsEntry {
    /// Describes a file.
    pub fn new(name: impl Into<OsString>, len: u64) -> Self {
        Self { name: name.into(), len }
    }
}
