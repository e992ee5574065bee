//! Snapshots: the whole map in one file that is complete or not there.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use super::format;
use super::lines::{Line, Lines};
use super::names::with_suffix;
use crate::fs::{Fs, FsFile};

/// How much is written and hashed at once. Bytes.
const CHUNK_BYTES: usize = 128 << 10;

/// How much is written before it is synced. Bytes. Changes wait while a snapshot is made durable at
/// its end, which on a slow card takes seconds for all of a large one.
const SYNC_BYTES: usize = 1 << 20;

/// A snapshot that is being written, under a name that a load does not look at.
#[derive(Debug)]
pub(super) struct SnapshotWriter {
    file: Box<dyn FsFile>,
    path: PathBuf,
    unfinished: PathBuf,
    /// What was not written yet.
    buf: Vec<u8>,
    /// How much was written and not synced. Bytes.
    unsynced: usize,
    hasher: blake3::Hasher,
    is_first: bool,
    /// What was appended since this began.
    later: BTreeMap<String, Option<String>>,
}

/// A snapshot that was read.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) schema: u32,
    /// How many changes of its generation's journal it holds.
    pub(super) changes: u64,
    pub(super) entries: BTreeMap<String, String>,
}

impl SnapshotWriter {
    /// Starts a snapshot that will be at `path`.
    pub(super) fn create<F: Fs>(
        fs: &F,
        path: PathBuf,
        schema: u32,
        generation: u64,
    ) -> io::Result<Self> {
        let unfinished = with_suffix(&path, ".tmp");
        let file = fs.create_new(&unfinished)?;
        Ok(Self {
            file,
            path,
            unfinished,
            buf: format::snapshot_header(schema, generation).into_bytes(),
            unsynced: 0,
            hasher: blake3::Hasher::new(),
            is_first: true,
            later: BTreeMap::new(),
        })
    }

    /// Where it is while it is being written.
    pub(super) fn unfinished(&self) -> &Path {
        &self.unfinished
    }

    /// Adds an entry.
    pub(super) fn put(&mut self, key: &str, value: Option<&str>) -> io::Result<()> {
        self.buf.extend_from_slice(if mem::take(&mut self.is_first) { b"\n" } else { b",\n" });
        format::push_entry(&mut self.buf, key, value);
        if self.buf.len() < CHUNK_BYTES { Ok(()) } else { self.write_out() }
    }

    /// Notes a change that supersedes what is put.
    pub(super) fn supersede(&mut self, key: &str, value: Option<&str>) {
        self.later.insert(key.to_owned(), value.map(str::to_owned));
    }

    /// Ends the snapshot, which holds so many changes of its generation's journal, and gives it its
    /// name. The directory is not synced.
    pub(super) fn finish<F: Fs>(mut self, fs: &F, changes: u64) -> io::Result<()> {
        self.buf.push(b'\n');
        self.buf.extend_from_slice(format::LATER);
        self.is_first = true;
        for (key, value) in mem::take(&mut self.later) {
            self.put(&key, value.as_deref())?;
        }
        self.buf.push(b'\n');
        self.buf.extend_from_slice(format::snapshot_trailer(changes).as_bytes());
        self.write_out()?;
        let sum = format::snapshot_sum(&self.hasher.finalize());
        self.file.write_all(sum.as_bytes())?;
        self.file.write_all(b"\n")?;
        self.file.sync_data()?;
        fs.rename(&self.unfinished, &self.path)
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buf);
        self.file.write_all(&self.buf)?;
        self.unsynced += self.buf.len();
        self.buf.clear();
        if self.unsynced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

impl Snapshot {
    /// Reads the snapshot of a generation, or says what is wrong with it.
    pub(super) fn read(mut lines: Lines, generation: u64) -> Result<Self, String> {
        let mut reading = Reading::default();
        let mut offset = 0;
        while !reading.is_over {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Err(format!("cut short at {offset} bytes")),
                Err(error) => return Err(unreadable(&error)),
            };
            let len = line.file_bytes();
            reading.take(&line, generation).map_err(|what| format!("{what} at byte {offset}"))?;
            offset += len;
        }
        match lines.next() {
            Ok(None) => Ok(reading.snapshot),
            Ok(Some(_)) => Err(format!("something follows its end at byte {offset}")),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

/// What is said of a file that the system does not read to its end.
pub(super) fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What is said of a file of a later version of this program.
pub(super) fn too_new(version: u32) -> String {
    format!("has version {version} of the format; {} is the newest that is known", format::VERSION)
}

/// A snapshot that is being read.
#[derive(Debug, Default)]
struct Reading {
    snapshot: Snapshot,
    hasher: blake3::Hasher,
    /// What was read and not hashed: that is several times as fast in large pieces.
    unhashed: Vec<u8>,
    part: Part,
    is_over: bool,
}

#[derive(Debug, Default)]
enum Part {
    #[default]
    Header,
    Entries,
    Later,
}

impl Reading {
    /// Takes the next line, or says what is wrong with it.
    fn take(&mut self, line: &Line<'_>, generation: u64) -> Result<(), String> {
        let (Line::Whole(bytes) | Line::Cut(bytes)) = *line else {
            return Err("a line is too long".to_owned());
        };
        if matches!(self.part, Part::Later) && bytes.first() == Some(&b'}') {
            return self.end(bytes);
        }
        self.unhashed.extend_from_slice(bytes);
        self.unhashed.push(b'\n');
        if self.unhashed.len() >= CHUNK_BYTES {
            self.hasher.update(&self.unhashed);
            self.unhashed.clear();
        }
        match self.part {
            Part::Header => self.header(bytes, generation),
            Part::Entries if bytes == format::LATER => {
                self.part = Part::Later;
                Ok(())
            }
            Part::Entries | Part::Later => {
                let (key, value) = format::parse_entry(bytes).ok_or("an entry is damaged")?;
                match value {
                    Some(value) => self.snapshot.entries.insert(key, value),
                    None => self.snapshot.entries.remove(&key),
                };
                Ok(())
            }
        }
    }

    fn header(&mut self, line: &[u8], generation: u64) -> Result<(), String> {
        match format::snapshot_version(line) {
            Some(1) => {}
            Some(version) if version > format::VERSION => return Err(too_new(version)),
            _ => return Err("not a state file".to_owned()),
        }
        let header = format::parse_snapshot_header(line).ok_or("the header is damaged")?;
        if header.generation != generation {
            return Err(format!("says that it is generation {}", header.generation));
        }
        self.snapshot.schema = header.schema;
        self.part = Part::Entries;
        Ok(())
    }

    fn end(&mut self, line: &[u8]) -> Result<(), String> {
        let (changes, summed, sum) =
            format::parse_snapshot_trailer(line).ok_or("the last line is damaged")?;
        self.hasher.update(&self.unhashed).update(line.get(..summed).unwrap_or_default());
        if self.hasher.finalize() != sum {
            return Err("the checksum does not match".to_owned());
        }
        self.snapshot.changes = changes;
        self.is_over = true;
        Ok(())
    }
}
