//! Contents in files named by their BLAKE3.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{owner, space};
use crate::fs::{Fs, FsFile};
use crate::{LowSpace, StoreError};

/// Contents in files named by their BLAKE3. Methods wait for the disk.
pub(super) struct Blobs {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    /// Temporary files so far; each has a number of its own.
    temporaries: AtomicU64,
    held: Mutex<Held>,
}

/// The contents that there are.
pub(super) struct Found {
    /// Their sizes, by their names. Bytes.
    pub(super) files: BTreeMap<[u8; 32], u64>,
    /// Where nobody could look: the first bytes of the names.
    pub(super) unreadable: BTreeSet<u8>,
}

/// What is not removed yet.
#[derive(Default)]
struct Held {
    /// Those who want that nothing is removed.
    holders: usize,
    /// Contents that are to be removed when there are none.
    removed: BTreeSet<[u8; 32]>,
}

/// As long as this is there, contents that are removed stay where they are.
pub(super) struct Hold {
    blobs: Arc<Blobs>,
}

/// A temporary file, removed when it is dropped before it got its name.
pub(super) struct Temporary {
    blobs: Arc<Blobs>,
    path: Option<PathBuf>,
}

impl Blobs {
    /// Creates the directories.
    pub(super) fn open(fs: Arc<dyn Fs>, dir: &Path) -> Result<Self, StoreError> {
        for name in ["blobs", "tmp", "damaged"] {
            let path = dir.join(name);
            fs.create_dir(&path).map_err(StoreError::io("cannot create", &path))?;
        }
        Ok(Self { fs, dir: dir.to_owned(), temporaries: AtomicU64::new(0), held: Mutex::default() })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn fan_out(&self, checksum: &blake3::Hash) -> PathBuf {
        self.dir.join("blobs").join(checksum.to_hex().get(..2).unwrap_or_default())
    }

    /// Where a content is.
    pub(super) fn path(&self, checksum: &blake3::Hash) -> PathBuf {
        self.fan_out(checksum).join(checksum.to_hex().as_str())
    }

    /// Refuses to let less space free than `bytes`.
    pub(super) fn check_space(&self, bytes: u64) -> Result<(), StoreError> {
        match space::of(&self.dir) {
            Some(space) if space.free < bytes => {
                let low = LowSpace { free: space.free, least: bytes };
                Err(StoreError::Full { dir: self.dir.clone(), low: Some(low) })
            }
            _ => Ok(()),
        }
    }

    /// What the system said when `doing` something to `path`.
    pub(super) fn failed(&self, doing: &'static str, path: &Path, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { dir: self.dir.clone(), low: None }
            }
            _ => StoreError::io(doing, path)(error),
        }
    }

    /// Creates a temporary file.
    pub(super) fn create(self: &Arc<Self>) -> Result<(Box<dyn FsFile>, Temporary), StoreError> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join("tmp").join(format!("upload-{number}"));
        let file = self.fs.create_new(&path);
        let file = file.map_err(|error| self.failed("cannot create", &path, error))?;
        Ok((file, Temporary { blobs: Arc::clone(self), path: Some(path) }))
    }

    /// Gives a temporary file, which was synced, its name. What has that name is set aside if it
    /// counts as a content, and removed if not.
    pub(super) fn place(
        &self,
        mut temporary: Temporary,
        checksum: &blake3::Hash,
        is_known: bool,
    ) -> Result<(), StoreError> {
        let dir = self.fan_out(checksum);
        self.fs.create_dir(&dir).map_err(|error| self.failed("cannot create", &dir, error))?;
        let path = self.path(checksum);
        self.held().removed.remove(checksum.as_bytes());
        let from = temporary.path().to_owned();
        let mut renamed = self.fs.rename(&from, &path);
        if matches!(&renamed, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            if is_known {
                self.set_aside(checksum)?;
            } else {
                self.remove_file(&path);
            }
            renamed = self.fs.rename(&from, &path);
        }
        renamed.map_err(|error| self.failed("cannot write", &path, error))?;
        temporary.path = None;
        self.fs.sync_dir(&dir).map_err(|error| self.failed("cannot sync", &dir, error))
    }

    /// Size of a content; `None` when there is no such file, or nobody may look.
    pub(super) fn size(&self, checksum: &blake3::Hash) -> Result<Option<u64>, StoreError> {
        let dir = self.fan_out(checksum);
        let name = checksum.to_hex();
        let entries = match self.fs.list(&dir) {
            Err(error) if is_missing(&error) => return Ok(None),
            listed => listed.map_err(StoreError::io("cannot list", &dir))?,
        };
        Ok(entries.iter().find(|entry| entry.name == name.as_str()).map(|entry| entry.len))
    }

    /// All contents. Other files are none. A folder that cannot be read is no reason to give up
    /// the others.
    pub(super) fn all(&self) -> Found {
        let mut found = Found { files: BTreeMap::new(), unreadable: BTreeSet::new() };
        for first in 0..=u8::MAX {
            let dir = self.dir.join("blobs").join(format!("{first:02x}"));
            let entries = match self.fs.list(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tell_unreadable(&dir, &error);
                    found.unreadable.insert(first);
                    continue;
                }
                Ok(entries) => entries,
            };
            for entry in entries {
                let checksum = entry.name.to_str().and_then(|name| {
                    let checksum = blake3::Hash::from_hex(name).ok()?;
                    (checksum.to_hex().as_str() == name).then_some(checksum)
                });
                if let Some(checksum) =
                    checksum.filter(|sum| sum.as_bytes().first() == Some(&first))
                {
                    found.files.insert(*checksum.as_bytes(), entry.len);
                }
            }
        }
        found
    }

    /// Opens a content to check it.
    pub(super) fn read(&self, checksum: &blake3::Hash) -> io::Result<Box<dyn io::Read + Send>> {
        self.fs.open(&self.path(checksum))
    }

    /// Removes a content, when nobody holds it any more; when that fails, the next start tries again.
    pub(super) fn remove(&self, checksum: &blake3::Hash) {
        let path = self.path(checksum);
        self.forget(&path);
        let mut held = self.held();
        if held.holders > 0 {
            held.removed.insert(*checksum.as_bytes());
        } else {
            self.remove_file(&path);
        }
    }

    /// Lets contents that are removed stay for a while.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        self.held().holders += 1;
        Hold { blobs: Arc::clone(self) }
    }

    /// Removes what was held. Nothing gets its name meanwhile, so nothing new is removed.
    fn release(&self) {
        let mut held = self.held();
        held.holders -= 1;
        if held.holders == 0 {
            for checksum in std::mem::take(&mut held.removed) {
                self.remove_file(&self.path(&blake3::Hash::from_bytes(checksum)));
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a content to the damaged ones; it is no error when there is none. One that may not be
    /// read stays where it is: it may be good, which is seen at the next start.
    pub(super) fn set_aside(&self, checksum: &blake3::Hash) -> Result<(), StoreError> {
        let from = self.path(checksum);
        if let Err(error) = self.fs.open(&from)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            tell_unreadable(&from, &error);
            return Ok(());
        }
        let dir = self.dir.join("damaged");
        for number in 0_u32.. {
            let name = match number {
                0 => checksum.to_string(),
                _ => format!("{checksum}-{number}"),
            };
            match self.fs.rename(&from, &dir.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("cannot set aside", &from)(error));
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Removes what uploads left, and says how many files that were.
    pub(super) fn sweep(&self) -> u64 {
        let dir = self.dir.join("tmp");
        let entries = self.fs.list(&dir).unwrap_or_else(|error| {
            tell_unreadable(&dir, &error);
            Vec::new()
        });
        entries.iter().for_each(|entry| self.remove_file(&dir.join(&entry.name)));
        entries.len() as u64
    }

    /// Gets a file out of memory, so that removing it is not long work without a break. Who removes
    /// may hold up uploads, so this does not wait for anybody.
    fn forget(&self, path: &Path) {
        self.fs.forget(path, &mut thread::yield_now);
    }

    fn remove_file(&self, path: &Path) {
        match self.fs.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "cannot remove a file");
            }
            _ => {}
        }
    }
}

/// Whether nothing is known of a content.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Says what to do about something that another user has made.
pub(super) fn tell_unreadable(path: &Path, error: &io::Error) {
    let path = path.display();
    match owner::user().filter(|_| error.kind() == io::ErrorKind::PermissionDenied) {
        Some(user) => tracing::error!(
            "{path} cannot be read ({error}), its packages count as damaged until then: run \
             `chown -R {user} '{path}'` and restart"
        ),
        None => tracing::error!(%path, %error, "packages cannot be read, and count as damaged"),
    }
}

impl Hold {
    pub(super) fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let blobs = Arc::clone(&self.blobs);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || blobs.release())),
            Err(_) => blobs.release(),
        }
    }
}

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or_else(|| Path::new(""))
    }

    pub(super) fn blobs(&self) -> &Blobs {
        &self.blobs
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else {
            return;
        };
        // Removing a large file takes a while, and this may be dropped by a task that others wait
        // for.
        let blobs = Arc::clone(&self.blobs);
        let remove = move || {
            blobs.forget(&path);
            blobs.remove_file(&path);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
