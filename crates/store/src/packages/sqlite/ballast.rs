//! Space that is held back, for the moment when there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::space::{self, Space};

/// A disk must be this many times as large as the ballast on it.
const LEAST_DISK: u64 = 16;

/// Bytes that are written at a time, where space cannot be had without writing.
const CHUNK_BYTES: usize = 1 << 20;

/// A file that is of no use but for its size: without it, a full disk could not even take the
/// deletion of a package. Methods wait for the disk.
pub(super) struct Ballast {
    path: PathBuf,
    /// Size that the file has when it is there; 0 for none at all.
    bytes: u64,
    is_there: Mutex<bool>,
}

impl Ballast {
    /// Looks for the ballast of a directory, and drops it if the disk is all but full.
    pub(super) fn open(dir: &Path, bytes: u64) -> Self {
        let path = dir.join("ballast");
        let space = space::of(dir);
        let is_large = space.is_some_and(|space| space.total / LEAST_DISK >= bytes);
        let bytes = if is_large { bytes } else { 0 };
        let len = fs::symlink_metadata(&path).map(|file| file.len()).ok();
        let ballast = Self { path, bytes, is_there: Mutex::new(len.is_some()) };
        if len.is_some_and(|len| len != bytes) {
            *ballast.is_there() = false;
            ballast.remove();
        }
        ballast.drop_if_low(space);
        ballast
    }

    /// Makes the ballast when it is not there and there is space for it and more.
    pub(super) fn restore(&self, space: Option<Space>, min_free_bytes: u64) {
        let needed = min_free_bytes.saturating_add(2 * self.bytes);
        let mut is_there = self.is_there();
        if self.bytes == 0 || *is_there || space.is_none_or(|space| space.free < needed) {
            return;
        }
        let made = self.make();
        *is_there = made.is_ok();
        if let Err(error) = made {
            tracing::warn!(path = %self.path.display(), %error, "cannot hold space back");
            self.remove();
        }
    }

    /// Gives the space to others; says whether there was any.
    pub(super) fn drop_it(&self) -> bool {
        let mut is_there = self.is_there();
        let had = std::mem::take(&mut *is_there) && self.remove();
        if had && self.bytes > 0 {
            tracing::warn!(bytes = self.bytes, "the disk is full: gave up space held back");
        }
        had
    }

    /// Gives the space to others when there is less than it holds.
    pub(super) fn drop_if_low(&self, space: Option<Space>) {
        if space.is_some_and(|space| space.free < self.bytes) {
            self.drop_it();
        }
    }

    fn is_there(&self) -> MutexGuard<'_, bool> {
        self.is_there.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&self.path)?;
        match space::reserve(&file, self.bytes) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.write(&mut file),
            reserved => reserved,
        }
    }

    /// Takes space by writing. What is written cannot be compressed.
    fn write(&self, file: &mut File) -> io::Result<()> {
        let mut bytes = blake3::Hasher::new().finalize_xof();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut left = self.bytes;
        while left > 0 {
            bytes.fill(&mut chunk);
            let len = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            file.write_all(chunk.get(..len).unwrap_or_default())?;
            left -= len as u64;
        }
        Ok(())
    }

    fn remove(&self) -> bool {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove a file");
                false
            }
            removed => removed.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(free: u64) -> Option<Space> {
        Some(Space { free, total: 1 << 40 })
    }

    #[test]
    fn it_is_there_while_there_is_space() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");
        let len = || fs::metadata(&path).ok().map(|file| file.len());
        let ballast = Ballast::open(dir.path(), 3000);
        ballast.restore(space(7999), 2000);
        assert_eq!(len(), None, "too little space");
        ballast.restore(None, 0);
        assert_eq!(len(), None, "nobody knows");
        ballast.restore(space(8000), 2000);
        assert_eq!(len(), Some(3000));
        ballast.drop_if_low(space(3000));
        assert_eq!(len(), Some(3000));
        ballast.drop_if_low(space(2999));
        assert_eq!(len(), None);
        assert!(!ballast.drop_it(), "it is gone");
        ballast.restore(space(8000), 2000);
        assert!(ballast.drop_it());
        ballast.restore(space(8000), 2000);
        drop(ballast);
        assert_eq!(len(), Some(3000), "it stays");
        Ballast::open(dir.path(), 4000).restore(space(8000), 0);
        assert_eq!(len(), Some(4000), "another size is wanted");
        Ballast::open(dir.path(), 0).restore(space(8000), 0);
        assert_eq!(len(), None, "none is wanted");
        Ballast::open(dir.path(), u64::MAX / 2).restore(space(u64::MAX), 0);
        assert_eq!(len(), None, "the disk is small");
    }

    #[test]
    fn it_is_written_where_space_cannot_be_reserved() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::open(dir.path(), (2 << 20) + 17);
        let mut file = File::create(dir.path().join("written")).unwrap();
        ballast.write(&mut file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), (2 << 20) + 17);
    }
}
