//! Reading the lines of a dump.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::line::{check, decode};
use super::{DumpError, DumpFormat, DumpLine, DumpSource, MAX_LINE_BYTES};

/// The lines of a dump of JSON lines, compressed or not, in order.
///
/// A damaged line is an error, after which the next line can be read. A line's checksum decides
/// whether it is damaged; a file made by hand may have none at all, but a line without one behind a
/// line that has one is damaged too. Takes memory for one line: at most 16 MiB.
///
/// ```no_run
/// use store::dump::{DumpLine, DumpReader};
///
/// for line in DumpReader::open("dump-20261122T101500Z-000001.jsonl.zst")? {
///     match line {
///         Ok(DumpLine::Event { sender, event, .. }) => println!("{sender}: {event}"),
///         Ok(_) => println!("a gap"),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # Ok::<(), store::dump::DumpError>(())
/// ```
#[derive(Debug)]
pub struct DumpReader {
    source: DumpSource,
    buf: Vec<u8>,
    line: u64,
    has_sums: bool,
    is_over: bool,
}

impl DumpReader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As [`DumpSource::open`]; [`DumpError::NotADump`] also for a dump of XML.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DumpError> {
        Self::new(DumpSource::open(path)?)
    }

    /// Reads what was opened.
    ///
    /// # Errors
    ///
    /// [`DumpError::NotADump`] when it is XML.
    pub fn new(source: DumpSource) -> Result<Self, DumpError> {
        match source.format() {
            DumpFormat::Json => {
                Ok(Self { source, buf: Vec::new(), line: 0, has_sums: false, is_over: false })
            }
            DumpFormat::Xml => Err(DumpError::NotADump { path: source.path().to_owned() }),
        }
    }

    /// What is read, for its name and how far it was read.
    pub fn source(&self) -> &DumpSource {
        &self.source
    }

    /// Number of the line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads a line into the buffer without its end; `false` at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        self.buf.clear();
        let limit = MAX_LINE_BYTES as u64;
        if self.source.by_ref().take(limit).read_until(b'\n', &mut self.buf)? == 0 {
            return Ok(false);
        }
        if self.buf.pop_if(|byte| *byte == b'\n').is_some() {
            self.buf.pop_if(|byte| *byte == b'\r');
        }
        Ok(true)
    }

    /// Reads the line in the buffer.
    fn parse(&mut self) -> Result<DumpLine, DumpError> {
        let result = if self.buf.len() >= MAX_LINE_BYTES {
            match self.source.skip_until(b'\n') {
                Ok(_) => Err("longer than 16 MiB".to_owned()),
                Err(source) => return Err(self.unreadable(source)),
            }
        } else {
            self.checked()
        };
        result.map_err(|what| DumpError::Damaged { path: self.path(), line: self.line, what })
    }

    fn checked(&mut self) -> Result<DumpLine, String> {
        match check(&self.buf) {
            Some(true) => self.has_sums = true,
            Some(false) => return Err("its checksum does not match".to_owned()),
            None if self.has_sums => return Err("it has no checksum".to_owned()),
            None => {}
        }
        decode(&self.buf)
    }

    fn unreadable(&mut self, source: io::Error) -> DumpError {
        self.is_over = true;
        DumpError::Unreadable { path: self.path(), line: self.line, source }
    }

    fn path(&self) -> PathBuf {
        Path::to_owned(self.source.path())
    }
}

impl Iterator for DumpReader {
    type Item = Result<DumpLine, DumpError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.read_line() {
                Ok(true) => self.line += 1,
                Ok(false) => self.is_over = true,
                Err(source) => return Some(Err(self.unreadable(source))),
            }
            if !self.buf.trim_ascii().is_empty() {
                return Some(self.parse());
            }
        }
        None
    }
}
