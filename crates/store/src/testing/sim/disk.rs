//! What is on a disk, and what is only in memory above it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use super::Crash;
use super::random::Random;
use crate::fs::FsEntry;

/// What a disk writes at once. Bytes.
const BLOCK_BYTES: usize = 512;

/// The number of a file.
pub(super) type InodeId = usize;

/// The files of a file system.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, InodeId>,
    durable_names: BTreeMap<PathBuf, InodeId>,
    /// Changes of names that are not durable, in order.
    volatile: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
}

/// A file's content.
#[derive(Clone, Debug, Default)]
struct Inode {
    contents: Vec<u8>,
    durable: Vec<u8>,
    /// Whether a sync failed: what is not durable will not become so.
    is_lost: bool,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, InodeId),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, InodeId),
}

impl Disk {
    pub(super) fn create(&mut self, path: &Path) -> io::Result<InodeId> {
        self.check_dir(path)?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(path.to_owned(), inode);
        self.volatile.push(NameChange::Create(path.to_owned(), inode));
        Ok(inode)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<InodeId> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = self.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(files
            .filter_map(|(path, inode)| {
                Some(FsEntry::new(path.file_name()?, self.len(*inode) as u64))
            })
            .collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.find(from)?;
        if self.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.check_dir(to)?;
        self.names.remove(from);
        self.names.insert(to.to_owned(), inode);
        if from.parent() == to.parent() {
            self.volatile.push(NameChange::Rename(from.to_owned(), to.to_owned(), inode));
        } else {
            // Each directory is durable by itself: a crash may leave both names, or none.
            self.volatile.push(NameChange::Create(to.to_owned(), inode));
            self.volatile.push(NameChange::Remove(from.to_owned()));
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.names.remove(path);
        self.volatile.push(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        for change in mem::take(&mut self.volatile) {
            if change.path().parent() == Some(dir) {
                change.apply(&mut self.durable_names);
            } else {
                self.volatile.push(change);
            }
        }
        Ok(())
    }

    pub(super) fn create_dir(&mut self, dir: &Path) -> io::Result<()> {
        if self.names.contains_key(dir) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    pub(super) fn len(&self, inode: InodeId) -> usize {
        self.inodes[inode].contents.len()
    }

    pub(super) fn read(&self, inode: InodeId, at: usize, buf: &mut [u8]) -> usize {
        let rest = self.inodes[inode].contents.get(at..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn write(&mut self, inode: InodeId, at: usize, bytes: &[u8]) {
        let contents = &mut self.inodes[inode].contents;
        let end = at + bytes.len();
        contents.resize(contents.len().max(end), 0);
        contents[at..end].copy_from_slice(bytes);
    }

    pub(super) fn set_len(&mut self, inode: InodeId, len: usize) {
        self.inodes[inode].contents.resize(len, 0);
    }

    pub(super) fn sync(&mut self, inode: InodeId) {
        let inode = &mut self.inodes[inode];
        if !inode.is_lost {
            inode.durable.clone_from(&inode.contents);
        }
    }

    pub(super) fn fail_sync(&mut self, inode: InodeId) {
        self.inodes[inode].is_lost = true;
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|inode| self.len(*inode) as u64).sum()
    }

    pub(super) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        self.names.get(path).map(|inode| self.inodes[*inode].contents.clone())
    }

    pub(super) fn place(&mut self, path: &Path, contents: &[u8]) {
        let inode = self.inodes.len();
        let (contents, durable) = (contents.to_owned(), contents.to_owned());
        self.inodes.push(Inode { contents, durable, is_lost: false });
        self.names.insert(path.to_owned(), inode);
        self.durable_names.insert(path.to_owned(), inode);
        self.dirs.extend(path.ancestors().skip(1).map(Path::to_owned));
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        let mut random = Random::new(match crash {
            Crash::Killed => return,
            Crash::Lost => 0,
            Crash::Some(seed) | Crash::Torn(seed) => seed,
        });
        for change in mem::take(&mut self.volatile) {
            let survives = match crash {
                Crash::Killed | Crash::Torn(_) => true,
                Crash::Lost => false,
                Crash::Some(_) => random.coin(),
            };
            if survives {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        for inode in &mut self.inodes {
            if inode.contents != inode.durable {
                inode.contents = match crash {
                    Crash::Some(_) => inode.some(&mut random),
                    Crash::Torn(_) => inode.torn(&mut random),
                    Crash::Killed | Crash::Lost => mem::take(&mut inode.durable),
                };
            }
            inode.durable.clone_from(&inode.contents);
            inode.is_lost = false;
        }
    }

    fn check_dir(&self, path: &Path) -> io::Result<()> {
        let is_there = path.parent().is_some_and(|dir| self.dirs.contains(dir));
        if is_there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl Inode {
    /// Each block as it is or as it was; the length likewise, or between.
    fn some(&self, random: &mut Random) -> Vec<u8> {
        let (new, old) = (&self.contents, &self.durable);
        let (short, long) = (new.len().min(old.len()), new.len().max(old.len()));
        let len = match random.upto(3) {
            0 => old.len(),
            1 => short + random.upto(long - short),
            _ => new.len(),
        };
        let mut survived = vec![0; len];
        for (index, block) in survived.chunks_mut(BLOCK_BYTES).enumerate() {
            let source = if random.coin() { new } else { old };
            copy(block, source.get(index * BLOCK_BYTES..).unwrap_or_default());
        }
        survived
    }

    /// All but the last block that differs: that is gone, cut in two or zeros.
    fn torn(&self, random: &mut Random) -> Vec<u8> {
        let mut survived = self.contents.clone();
        let is_same = |&at: &usize| self.contents.get(at) == self.durable.get(at);
        let Some(last) = (0..survived.len()).rev().find(|at| !is_same(at)) else {
            return survived;
        };
        let first = (0..last).rev().find(is_same).map_or(0, |at| at + 1);
        let start = (last / BLOCK_BYTES * BLOCK_BYTES).max(first);
        match random.upto(2) {
            0 => survived.truncate(start),
            1 => survived.truncate(start + random.upto(last - start)),
            _ => survived[start..=last].fill(0),
        }
        survived
    }
}

impl NameChange {
    /// A name in the directory that it changes.
    fn path(&self) -> &Path {
        match self {
            Self::Create(path, _) | Self::Remove(path) | Self::Rename(path, ..) => path,
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, InodeId>) {
        match self {
            Self::Create(path, inode) => {
                names.insert(path, inode);
            }
            Self::Remove(path) => {
                names.remove(&path);
            }
            Self::Rename(from, to, inode) => {
                names.remove(&from);
                names.insert(to, inode);
            }
        }
    }
}

/// Copies as much as there is and fits.
fn copy(to: &mut [u8], from: &[u8]) {
    let len = to.len().min(from.len());
    to[..len].copy_from_slice(&from[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with a file of 2,000 durable `a` and 2,000 volatile `b`.
    fn disk() -> (Disk, InodeId) {
        let mut disk = Disk::default();
        disk.create_dir(Path::new("/d")).unwrap();
        let inode = disk.create(Path::new("/d/file")).unwrap();
        disk.write(inode, 0, &[b'a'; 2000]);
        disk.sync(inode);
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.write(inode, 2000, &[b'b'; 2000]);
        (disk, inode)
    }

    #[test]
    fn a_kill_takes_nothing_and_a_later_power_cut_takes_it_all() {
        let (mut disk, inode) = disk();
        disk.crash(Crash::Killed);
        assert_eq!(disk.len(inode), 4000);
        disk.crash(Crash::Lost);
        assert_eq!(disk.len(inode), 2000);
    }

    #[test]
    fn whatever_survives_what_was_synced_does() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..200 {
            for crash in [Crash::Lost, Crash::Some(seed), Crash::Torn(seed)] {
                let (mut disk, _) = disk();
                disk.crash(crash);
                let contents = disk.contents(Path::new("/d/file")).unwrap();
                assert!(contents.starts_with(&[b'a'; 2000]), "{crash:?}");
                assert!(contents[2000..].iter().all(|byte| [0, b'b'].contains(byte)));
                outcomes.insert(contents);
            }
        }
        assert!(outcomes.len() > 50, "only {} different ones", outcomes.len());
        assert!(outcomes.iter().any(|contents| contents.contains(&0)), "no holes");
    }

    #[test]
    fn names_are_volatile_until_the_directory_is_synced() {
        let dir = Path::new("/d");
        let (file, other) = (Path::new("/d/file"), Path::new("/d/other"));
        let mut outcomes = BTreeSet::new();
        for seed in 0..20 {
            let (mut disk, _) = disk();
            disk.rename(file, other).unwrap();
            disk.create(file).unwrap();
            disk.crash(Crash::Some(seed));
            outcomes.insert(disk.files());
        }
        assert_eq!(outcomes.len(), 3, "{outcomes:?}");
        let (mut disk, _) = disk();
        disk.rename(file, other).unwrap();
        disk.sync_dir(dir).unwrap();
        disk.remove(other).unwrap();
        disk.crash(Crash::Lost);
        assert_eq!(disk.files(), [other]);
    }

    #[test]
    fn a_name_in_another_directory_is_durable_with_that_directory() {
        let (file, other) = (Path::new("/d/file"), Path::new("/e/other"));
        let mut outcomes = BTreeSet::new();
        for seed in 0..40 {
            let (mut disk, _) = disk();
            disk.create_dir(Path::new("/e")).unwrap();
            disk.rename(file, other).unwrap();
            disk.crash(Crash::Some(seed));
            outcomes.insert(disk.files());
        }
        assert_eq!(outcomes.len(), 4, "{outcomes:?}");
        let (mut disk, _) = disk();
        assert!(disk.rename(file, other).is_err(), "there is no such directory");
        disk.create_dir(Path::new("/e")).unwrap();
        disk.rename(file, other).unwrap();
        disk.sync_dir(Path::new("/e")).unwrap();
        disk.crash(Crash::Lost);
        assert_eq!(disk.files(), [file, other]);
    }

    #[test]
    fn a_sync_after_a_failed_one_changes_nothing() {
        let (mut disk, inode) = disk();
        disk.fail_sync(inode);
        disk.sync(inode);
        disk.crash(Crash::Lost);
        assert_eq!(disk.len(inode), 2000);
    }
}
