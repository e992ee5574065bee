//! The events of capture files, one after the other.

mod stream;

use std::io;
use std::path::{Path, PathBuf};

use cot_core::Scanner;
use store::dump::{DumpError, DumpFormat, DumpLine, DumpReader, DumpSource};

use self::stream::Stream;
use crate::error::{BadRecord, CaptureError, Place, Why};
use crate::record::{self, Entry, Gap, Record};

/// The events of one or more capture files, streamed: of a file only what is being read is held.
///
/// What a file is shows in its bytes, not in its name:
///
/// - a dump of JSON lines, as TinyCoT writes it;
/// - events as XML, one after the other as on a connection, with or without declarations, blanks
///   and comments between them. They are cut and validated by the rules of a connection. Such a
///   file does not say when an event was received: that is the event's `time`, but never earlier
///   than that of the event before it, unless by more than a minute. The sender is known for
///   reports of a device about itself, and for events that name their maker;
/// - either of them compressed with zstd.
///
/// Several files are read in the order of their first events.
///
/// # Examples
///
/// ```no_run
/// use capture::{Entry, Source};
///
/// let mut scanner = capture::scanner();
/// for entry in Source::open(["monday.jsonl.zst", "tuesday.cot"])? {
///     match entry {
///         Ok(Entry::Event(record)) => println!("{}", record.header(&mut scanner)?.kind()),
///         Ok(_) => println!("a gap"),
///         Err(bad) => eprintln!("{bad}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    /// In the order in which they are read.
    files: Vec<CaptureFile>,
    /// Which file is read next.
    next: usize,
    reader: Option<Reader>,
    scanner: Scanner,
}

/// One of the files.
#[derive(Debug)]
struct CaptureFile {
    path: PathBuf,
    bytes: u64,
}

/// A file that is being read.
#[derive(Debug)]
enum Reader {
    Dump(DumpReader),
    Stream(Box<Stream>),
}

impl Source {
    /// Looks at each file, and puts them in the order of their first events. Files without events
    /// come last.
    ///
    /// # Errors
    ///
    /// When a file is not there or may not be read. What is wrong inside of a file comes up when it
    /// is read.
    pub fn open<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, CaptureError> {
        let mut scanner = record::scanner();
        let mut files = Vec::new();
        for path in paths {
            let path = path.into();
            let bytes = readable(&path)?;
            files.push(CaptureFile { path, bytes });
        }
        if files.len() > 1 {
            files.sort_by_cached_key(|file| first_ms(&file.path, &mut scanner).unwrap_or(i64::MAX));
        }
        Ok(Self { files, next: 0, reader: None, scanner })
    }

    /// When the first event was received, in milliseconds since 1970; `None` without any.
    #[must_use]
    pub fn first_ms(&self) -> Option<i64> {
        let mut scanner = record::scanner();
        self.files.iter().find_map(|file| first_ms(&file.path, &mut scanner))
    }

    /// Begins again with the first file.
    pub fn rewind(&mut self) {
        self.next = 0;
        self.reader = None;
    }

    /// The files in the order in which they are read.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Bytes of all files together, as stored, when they were opened.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// How many of these bytes were read so far.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        let (done, current) = match &self.reader {
            Some(reader) => (self.next.saturating_sub(1), reader.position()),
            None => (self.next, 0),
        };
        self.files.iter().take(done).map(|file| file.bytes).sum::<u64>() + current
    }
}

/// Goes on after an error, which concerns one record, or the rest of one file.
impl Iterator for Source {
    type Item = Result<Entry, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(reader) = &mut self.reader {
                match reader.next(&mut self.scanner) {
                    Some(entry) => return Some(entry),
                    None => self.reader = None,
                }
            }
            let file = self.files.get(self.next)?;
            self.next += 1;
            match Reader::open(&file.path) {
                Ok(reader) => self.reader = Some(reader),
                Err(bad) => return Some(Err(bad)),
            }
        }
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, BadRecord> {
        let source = match DumpSource::open(path) {
            // A server may have compressed its dump since it was looked at.
            Err(DumpError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                DumpSource::open(compressed(path))
            }
            opened => opened,
        }
        .map_err(|error| bad(error, path))?;
        Ok(match source.format() {
            DumpFormat::Json => {
                Self::Dump(DumpReader::new(source).map_err(|error| bad(error, path))?)
            }
            _ => Self::Stream(Box::new(Stream::new(source))),
        })
    }

    fn next(&mut self, scanner: &mut Scanner) -> Option<Result<Entry, BadRecord>> {
        match self {
            Self::Dump(reader) => {
                let line = reader.next()?;
                let path = reader.source().path();
                Some(match line {
                    Ok(line) => entry(line, path, reader.line(), scanner),
                    Err(error) => Err(bad(error, path)),
                })
            }
            Self::Stream(stream) => stream.next(scanner),
        }
    }

    fn position(&self) -> u64 {
        match self {
            Self::Dump(reader) => reader.source().position(),
            Self::Stream(stream) => stream.source().position(),
        }
    }
}

/// The files of the dump that a server keeps in `dir`, oldest first; other files are left out.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn dump_files(dir: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    match store::dump::list(dir) {
        Ok(files) => Ok(files.into_iter().map(|file| file.path).collect()),
        Err(error) => {
            let source = match error {
                DumpError::Open { source, .. } => source,
                other => io::Error::other(other),
            };
            Err(CaptureError::List { path: dir.to_owned(), source })
        }
    }
}

/// The size of a file that can be opened.
fn readable(path: &Path) -> Result<u64, CaptureError> {
    let opened = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::File::open(compressed(path)).map_err(|_| error)
        }
        opened => opened,
    };
    let metadata = opened.and_then(|file| file.metadata()).and_then(|metadata| {
        let is_dir = metadata.is_dir();
        if is_dir { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(metadata) }
    });
    match metadata {
        Ok(metadata) => Ok(metadata.len()),
        Err(source) => Err(CaptureError::Open { path: path.to_owned(), source }),
    }
}

/// The name that a dump has once it is compressed.
fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".zst");
    name.into()
}

/// When the first event of a file was received.
fn first_ms(path: &Path, scanner: &mut Scanner) -> Option<i64> {
    let mut reader = Reader::open(path).ok()?;
    loop {
        if let Ok(Entry::Event(record)) = reader.next(scanner)? {
            return Some(record.received_ms());
        }
    }
}

fn entry(
    line: DumpLine,
    path: &Path,
    number: u64,
    scanner: &mut Scanner,
) -> Result<Entry, BadRecord> {
    let bad = |why| BadRecord { path: path.to_owned(), place: Place::Line(number), why };
    match line {
        DumpLine::Event { received_ms, sender, team, event } => {
            let record = Record::new(received_ms, sender, team, event, scanner);
            record.map(Entry::Event).map_err(|reject| bad(Why::Event(reject)))
        }
        DumpLine::Gap { at_ms, events, why } => {
            Ok(Entry::Gap(Gap { until_ms: Some(at_ms), events, why }))
        }
        _ => Err(bad(Why::Line("a kind of line that this version does not know".to_owned()))),
    }
}

fn bad(error: DumpError, path: &Path) -> BadRecord {
    let (place, why) = match error {
        DumpError::Damaged { line, what, .. } => (Place::Line(line), Why::Line(what)),
        DumpError::NotADump { .. } => (Place::Whole, Why::Foreign),
        DumpError::Open { source, .. } => (Place::Whole, Why::Broken(source)),
        DumpError::Unreadable { line, source, .. } => (Place::Line(line + 1), Why::Broken(source)),
        other => (Place::Whole, Why::Broken(io::Error::other(other))),
    };
    BadRecord { path: path.to_owned(), place, why }
}
