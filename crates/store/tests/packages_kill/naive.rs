//! Stores that promise what they do not keep, which the checks have to find out.

use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use store::fs::{Fs, FsEntry, FsFile, RealFs};

/// How late what was promised is done.
const DELAY: Duration = Duration::from_millis(4);

/// The system's files, except that not all is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naive {
    /// A content gets its name after its row.
    Late,
    /// Contents are left to the kernel, whenever it may write them.
    Unsynced,
}

impl Naive {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Unsynced => "unsynced",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Late, Self::Unsynced].into_iter().find(|naive| naive.name() == name)
    }
}

impl Fs for Naive {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(Unsynced(RealFs.create_new(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(Unsynced(RealFs.append(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        RealFs.open(path)
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        RealFs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if *self == Self::Unsynced {
            return RealFs.rename(from, to);
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        thread::spawn(move || {
            thread::sleep(DELAY);
            // It may be there by now.
            let _ = RealFs.rename(&from, &to);
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFs.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.create_dir(dir)
    }
}

/// A file that is never synced.
#[derive(Debug)]
struct Unsynced(Box<dyn FsFile>);

impl Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for Unsynced {
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
