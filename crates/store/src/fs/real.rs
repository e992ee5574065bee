//! The system's files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::{Fs, FsEntry, FsFile};

/// Bytes that are forgotten at a time. This takes the system 0.3 ms, where a file of 100 MB takes it
/// 7 ms.
#[cfg(target_os = "linux")]
const FORGET_BYTES: u64 = 4 << 20;

/// The system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_file() {
                entries.push(FsEntry::new(entry.file_name(), metadata.len()));
            }
        }
        Ok(entries)
    }

    // The system's own renaming would replace. Two steps are enough where one owner writes.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(target_os = "linux")]
    fn forget(&self, path: &Path, between: &mut dyn FnMut()) {
        let Ok(file) = File::open(path) else { return };
        let len = file.metadata().map_or(0, |found| found.len());
        let mut from = 0;
        while from < len {
            between();
            drop_cached(&file, from, FORGET_BYTES);
            from += FORGET_BYTES;
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Elsewhere directories cannot be opened, and names are durable without it.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        self.create_dir(parent)?;
        #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are of Unix"))]
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        builder.mode(0o700);
        match builder.create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !dir.is_dir() => {
                return Err(error);
            }
            _ => {}
        }
        self.sync_dir(parent)
    }
}

/// Has the system forget a part of a file. What is not on the disk yet is sent there, and stays in
/// memory.
#[cfg(target_os = "linux")]
fn drop_cached(file: &File, from: u64, len: u64) {
    if let Some(len) = std::num::NonZeroU64::new(len) {
        // A hint: a file system may be unable to.
        let _ = rustix::fs::fadvise(file, from, Some(len), rustix::fs::Advice::DontNeed);
    }
}

#[derive(Debug)]
struct RealFile(File);

impl Write for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for RealFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn write_out(&mut self, from: u64, len: u64) {
        drop_cached(&self.0, from, len);
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.0.seek(SeekFrom::Start(len)).map(drop)
    }
}
