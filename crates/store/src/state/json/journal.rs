//! Journals: what changed since a generation began, one line for each change.

use std::io::{self, Write};
use std::path::Path;

use super::format::{self, Header, Position, Record};
use super::lines::{Line, Lines};
use super::snapshot::{too_new, unreadable};
use crate::fs::{Fs, FsFile};
use crate::state::Change;

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct JournalWriter {
    file: Box<dyn FsFile>,
    generation: u64,
    changes: u64,
    /// What is durable. Bytes.
    len: u64,
    header_len: u64,
}

impl JournalWriter {
    /// Starts the journal of a generation. Its content is durable when this returns, its name not.
    pub(super) fn create<F: Fs>(
        fs: &F,
        path: &Path,
        schema: u32,
        generation: u64,
        follows: Option<Position>,
    ) -> io::Result<Self> {
        let mut header = Vec::new();
        format::push_journal_header(&mut header, schema, generation, follows);
        let mut file = fs.create_new(path)?;
        file.write_all(&header)?;
        file.sync_data()?;
        let len = header.len() as u64;
        Ok(Self { file, generation, changes: 0, len, header_len: len })
    }

    /// Where the history is now.
    pub(super) fn position(&self) -> Position {
        Position { generation: self.generation, changes: self.changes }
    }

    /// Bytes of changes.
    pub(super) fn appended_bytes(&self) -> u64 {
        self.len - self.header_len
    }

    /// Appends changes, durably, with one call of the system unless that writes less. After an
    /// error nothing must be appended.
    pub(super) fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let batch = self.changes + 1;
        let mut lines = Vec::new();
        for (number, change) in (batch..).zip(changes) {
            format::push_change(&mut lines, number, batch, change);
        }
        if let Err(error) = self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            // What was acknowledged stays; what was not goes, if it can, and gives its space back.
            if let Err(error) = self.file.set_len(self.len) {
                tracing::debug!(%error, "cannot cut an unfinished journal");
            }
            return Err(error);
        }
        self.changes += changes.len() as u64;
        self.len += lines.len() as u64;
        Ok(())
    }
}

/// A journal that is being read.
pub(super) struct JournalReader {
    lines: Lines,
    header: Option<Header>,
    changes: u64,
    /// Length of what is good. Bytes.
    good_bytes: u64,
    stop: Option<Stop>,
}

/// Where reading a journal came to its end.
#[derive(Debug)]
enum Stop {
    /// At a line that may be an unfinished write.
    Bad(&'static str, u64),
    /// At the end of the file.
    End,
    /// At what cannot be an unfinished write.
    Wrong(String),
}

/// What follows the good part of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// Something that was damaged after it had been written.
    Damaged(String),
    /// So many bytes of an unfinished write.
    Torn(u64),
}

impl JournalReader {
    /// Reads the first line of the journal of a generation.
    pub(super) fn open(lines: Lines, generation: u64) -> Self {
        let mut reader = Self { lines, header: None, changes: 0, good_bytes: 0, stop: None };
        match reader.read_header(generation) {
            Ok(header) => reader.header = Some(header),
            Err(stop) => reader.stop = Some(stop),
        }
        reader
    }

    /// Its first line, unless that is damaged.
    pub(super) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// How many changes were read.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The next change, until the end or the first bad line.
    pub(super) fn next(&mut self) -> Option<Record<'_>> {
        if self.stop.is_some() {
            return None;
        }
        let (line, len) = match next_line(&mut self.lines) {
            Ok(found) => found,
            Err(stop) => {
                self.stop = Some(stop);
                return None;
            }
        };
        let record = match read_change(line, len, self.changes + 1) {
            Ok(record) => record,
            Err(stop) => {
                self.stop = Some(stop);
                return None;
            }
        };
        self.changes += 1;
        self.good_bytes += len;
        Some(record)
    }

    /// Reads what is left and judges it.
    pub(super) fn tail(mut self) -> Tail {
        while self.next().is_some() {}
        let (what, mut torn_bytes) = match self.stop.take() {
            None | Some(Stop::End) => return Tail::Clean,
            Some(Stop::Wrong(what)) => return Tail::Damaged(self.at(&what)),
            Some(Stop::Bad(what, len)) => (what, len),
        };
        loop {
            match self.lines.next() {
                Ok(None) => return Tail::Torn(torn_bytes),
                Ok(Some(line)) => {
                    torn_bytes += line.file_bytes();
                    if self.header.is_none() && is_good(&line) || is_later(&line, self.changes) {
                        return Tail::Damaged(self.at(what));
                    }
                }
                Err(error) => return Tail::Damaged(self.at(&unreadable(&error))),
            }
        }
    }

    fn at(&self, what: &str) -> String {
        format!("{what}, after {} changes, at byte {}", self.changes, self.good_bytes)
    }

    fn read_header(&mut self, generation: u64) -> Result<Header, Stop> {
        let (line, len) = next_line(&mut self.lines)?;
        let Some(line) = line else {
            return Err(Stop::Bad("a line is too long", len));
        };
        match format::journal_version(line) {
            Some(version) if version > format::VERSION => {
                return Err(Stop::Wrong(too_new(version)));
            }
            _ => {}
        }
        let record = format::open_line(line).ok_or(Stop::Bad("the first line is damaged", len))?;
        let header = match format::journal_version(line) {
            Some(1) => format::parse_journal_header(record),
            _ => None,
        };
        let header = header.ok_or_else(|| Stop::Wrong("not a journal".to_owned()))?;
        if header.generation != generation {
            return Err(Stop::Wrong(format!("says that it is generation {}", header.generation)));
        }
        self.good_bytes += len;
        Ok(header)
    }
}

/// The next line and how much of the file it takes; no bytes if it is too long.
fn next_line(lines: &mut Lines) -> Result<(Option<&[u8]>, u64), Stop> {
    let line = lines.next().map_err(|error| Stop::Wrong(unreadable(&error)))?.ok_or(Stop::End)?;
    let len = line.file_bytes();
    match line {
        Line::Whole(bytes) | Line::Cut(bytes) => Ok((Some(bytes), len)),
        Line::TooLong(_) => Ok((None, len)),
    }
}

/// Reads a line that must have the change of this number.
fn read_change(line: Option<&[u8]>, len: u64, number: u64) -> Result<Record<'_>, Stop> {
    let line = line.ok_or(Stop::Bad("a line is too long", len))?;
    let record = format::open_line(line).ok_or(Stop::Bad("a line is damaged", len))?;
    match format::parse_change(record) {
        Some(change) if change.number == number => Ok(change),
        Some(change) => Err(Stop::Wrong(format!("change {} is not next", change.number))),
        None => Err(Stop::Wrong("a line has no change".to_owned())),
    }
}

/// Whether a line is as it was written.
fn is_good(line: &Line<'_>) -> bool {
    matches!(line, Line::Whole(bytes) | Line::Cut(bytes) if format::open_line(bytes).is_some())
}

/// Whether a line was written after the changes up to the one behind `changes` were durable.
fn is_later(line: &Line<'_>, changes: u64) -> bool {
    let (Line::Whole(bytes) | Line::Cut(bytes)) = line else {
        return false;
    };
    let change = format::open_line(bytes).and_then(format::parse_change);
    change.is_some_and(|change| change.batch > changes + 1)
}
