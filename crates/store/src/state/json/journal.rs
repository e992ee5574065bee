//! Journals: what changed since a generation began, one line for each change.

use std::io::{self, Write};
use std::path::Path;

use super::format::{self, Heading, Position, Record};
use super::lines::{Line, Lines};
use super::names::with_suffix;
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
    /// What was there when the generation began. Bytes.
    begun_len: u64,
}

impl JournalWriter {
    /// Starts the journal of a generation with changes that the one before may lose. It is there
    /// whole or not at all; its name is not durable when this returns.
    pub(super) fn create<F: Fs>(
        fs: &F,
        path: &Path,
        heading: Heading,
        tail: &[Change],
    ) -> io::Result<Self> {
        let mut lines = Vec::new();
        format::push_journal_header(&mut lines, heading);
        for (number, change) in (1..).zip(tail) {
            format::push_change(&mut lines, number, 1, change);
        }
        let unfinished = with_suffix(path, ".tmp");
        let mut file = fs.create_new(&unfinished)?;
        let finished = file
            .write_all(&lines)
            .and_then(|()| file.sync_data())
            .and_then(|()| fs.rename(&unfinished, path));
        if let Err(error) = finished {
            if let Err(error) = fs.remove(&unfinished) {
                tracing::debug!(path = %unfinished.display(), %error, "cannot remove a file");
            }
            return Err(error);
        }
        let (generation, changes) = (heading.generation, tail.len() as u64);
        let len = lines.len() as u64;
        Ok(Self { file, generation, changes, len, begun_len: len })
    }

    /// Where the history is now.
    pub(super) fn position(&self) -> Position {
        Position { generation: self.generation, changes: self.changes }
    }

    /// Bytes of changes.
    pub(super) fn appended_bytes(&self) -> u64 {
        self.len - self.begun_len
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
    /// Reads the first line of the journal of a generation, or says what is wrong with it.
    pub(super) fn open(mut lines: Lines, generation: u64) -> Result<(Self, Heading), String> {
        let line = match lines.next() {
            Ok(Some(Line::Whole(line) | Line::Cut(line))) => line,
            Ok(_) => return Err("has no first line".to_owned()),
            Err(error) => return Err(unreadable(&error)),
        };
        let good_bytes = line.len() as u64 + 1;
        match format::journal_version(line) {
            Some(1) => {}
            Some(version) if version > format::VERSION => return Err(too_new(version)),
            _ => return Err("not a journal".to_owned()),
        }
        let heading = format::open_line(line).and_then(format::parse_journal_header);
        let heading = heading.ok_or("the first line is damaged")?;
        if heading.generation != generation {
            return Err(format!("says that it is generation {}", heading.generation));
        }
        Ok((Self { lines, changes: 0, good_bytes, stop: None }, heading))
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
                    if is_later(&line, self.changes) {
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

/// Whether a line was written after the changes up to the one behind `changes` were durable.
fn is_later(line: &Line<'_>, changes: u64) -> bool {
    let (Line::Whole(bytes) | Line::Cut(bytes)) = line else {
        return false;
    };
    let change = format::open_line(bytes).and_then(format::parse_change);
    change.is_some_and(|change| change.batch > changes + 1)
}
