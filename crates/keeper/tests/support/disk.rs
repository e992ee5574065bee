//! The real file system behind a switch.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use store::fs::{Fs, FsEntry, FsFile, RealFs};

/// What a disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What it is asked to.
    Good,
    /// Nothing, until the mode changes.
    Held,
    /// It takes no more bytes and no more files.
    Full,
    /// It takes everything and confirms nothing.
    Unsynced,
}

/// A file system whose mode can be changed at any time. Clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    mode: Arc<(Mutex<Mode>, Condvar)>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { mode: Arc::new((Mutex::new(Mode::Good), Condvar::new())) }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.0.lock().unwrap() = mode;
        self.mode.1.notify_all();
    }

    /// Waits while the disk is held.
    fn mode(&self) -> Mode {
        let mode = self.mode.0.lock().unwrap();
        *self.mode.1.wait_while(mode, |mode| *mode == Mode::Held).unwrap()
    }

    fn write(&self) -> io::Result<()> {
        match self.mode() {
            Mode::Full => Err(io::Error::from_raw_os_error(28)),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self.mode() {
            Mode::Unsynced => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    }

    fn file(&self, file: Box<dyn FsFile>) -> Box<dyn FsFile> {
        Box::new(File { disk: self.clone(), file })
    }
}

impl Fs for Disk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.write()?;
        RealFs.create_new(path).map(|file| self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.mode();
        RealFs.open(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.mode();
        RealFs.append(path).map(|file| self.file(file))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.sync()?;
        RealFs.sync_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        self.mode();
        RealFs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mode();
        RealFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.mode();
        RealFs.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.sync()?;
        RealFs.sync_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.write()?;
        RealFs.create_dir(dir)
    }
}

#[derive(Debug)]
struct File {
    disk: Disk,
    file: Box<dyn FsFile>,
}

impl io::Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.disk.write()?;
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FsFile for File {
    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.sync()?;
        self.file.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.disk.mode();
        self.file.set_len(len)
    }
}
