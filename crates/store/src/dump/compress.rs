//! Compressing finished files.

use std::ffi::OsString;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::fs::{Fs, FsFile};

/// Good for text at some 200 MB/s.
const LEVEL: i32 = 3;
/// How far back the compressor looks, as a power of two: 256 KiB. Events repeat themselves within a
/// few hundred lines; more memory would not make the files much smaller.
const WINDOW_LOG: u32 = 18;
const BUFFER_BYTES: usize = 64 << 10;

/// A finished file that is to be compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// The file.
    pub path: PathBuf,
    /// How much of it is compressed: up to the end of the last whole line.
    pub bytes: u64,
}

/// A file that was compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compressed {
    /// The file that was, and is removed.
    pub from: PathBuf,
    /// The file that is.
    pub path: PathBuf,
    /// Size before.
    pub bytes_before: u64,
    /// Size after.
    pub bytes_after: u64,
}

/// Compresses a finished file and removes it. To be called on a thread that has time; takes about
/// 2 MiB of memory whatever the file's size.
///
/// The compressed file appears under its name when it is whole and durable, and only then the other
/// goes. If that was interrupted before, it is taken up where it was.
///
/// # Errors
///
/// The storage refuses something. The finished file is still there, and another call tries again.
pub fn compress<F: Fs>(fs: &F, job: &Finished) -> Result<Compressed, StoreError> {
    let path = with_suffix(&job.path, ".zst");
    let bytes_after = match is_made_of(fs, &path, job)? {
        Some(bytes) => bytes,
        None => write_aside(fs, job, &path)?,
    };
    let dir = path.parent().unwrap_or(&path);
    fs.sync_dir(dir).map_err(StoreError::io("cannot sync", dir))?;
    match fs.remove(&job.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io("cannot remove", &job.path)(error));
        }
        _ => {}
    }
    Ok(Compressed { from: job.path.clone(), path, bytes_before: job.bytes, bytes_after })
}

/// Writes the compressed file under another name, and gives it its own when it is durable. Its size.
fn write_aside(fs: &impl Fs, job: &Finished, path: &Path) -> Result<u64, StoreError> {
    let aside = with_suffix(path, ".tmp");
    remove_if_there(fs, &aside)?;
    let file = fs.create_new(&aside).map_err(StoreError::io("cannot create", &aside))?;
    let written = write_compressed(fs, job, file).map_err(StoreError::io("cannot write", &aside));
    let renamed = written.and_then(|bytes| {
        fs.rename(&aside, path).map_err(StoreError::io("cannot rename", &aside))?;
        Ok(bytes)
    });
    if renamed.is_err() {
        // If this fails, too, the next attempt or the next start does it.
        let _ = fs.remove(&aside);
    }
    renamed
}

fn write_compressed(fs: &impl Fs, job: &Finished, file: Box<dyn FsFile>) -> io::Result<u64> {
    let mut encoder = zstd::Encoder::new(Counting { file, bytes: 0 }, LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(job.bytes))?;
    copy(fs.open(&job.path)?.take(job.bytes), &mut encoder)?;
    let mut written = encoder.finish()?;
    written.file.sync_data()?;
    Ok(written.bytes)
}

/// The size of a file when it holds just what is to be compressed, as after a crash between the
/// last steps. Removes one that holds anything else.
fn is_made_of(fs: &impl Fs, path: &Path, job: &Finished) -> Result<Option<u64>, StoreError> {
    let compressed = match fs.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("cannot open", path)(error)),
    };
    let original =
        fs.open(&job.path).map_err(StoreError::io("cannot open", &job.path))?.take(job.bytes);
    let mut counted = Counting { file: compressed, bytes: 0 };
    let is_same = zstd::Decoder::new(&mut counted)
        .and_then(|decoder| is_equal(original, decoder))
        .unwrap_or(false);
    if is_same {
        return Ok(Some(counted.bytes));
    }
    remove_if_there(fs, path)?;
    Ok(None)
}

fn is_equal(a: impl Read, b: impl Read) -> io::Result<bool> {
    let mut a = BufReader::with_capacity(BUFFER_BYTES, a).bytes();
    let mut b = BufReader::with_capacity(BUFFER_BYTES, b).bytes();
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a != b => return Ok(false),
            _ => {}
        }
    }
}

fn copy(mut from: impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buf = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(taken) => to.write_all(buf.get(..taken).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn remove_if_there(fs: &impl Fs, path: &Path) -> Result<(), StoreError> {
    match fs.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("cannot remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Counts the bytes that pass to or from a file.
struct Counting<T> {
    file: T,
    bytes: u64,
}

impl<T: Write> Write for Counting<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(buf)?;
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<T: Read> Read for Counting<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let taken = self.file.read(buf)?;
        self.bytes += taken as u64;
        Ok(taken)
    }
}
