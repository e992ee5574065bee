//! Events as XML, one after the other.

mod cutter;

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use cot_core::{Deframer, Item, Scanner};
use memchr::memmem;
use store::dump::DumpSource;

use self::cutter::Cutter;
use crate::error::{BadRecord, Place, Why};
use crate::record::{Entry, Gap};

/// Bytes that are cut into events at a time. It is also how exactly the place of a fault is known.
const CHUNK_BYTES: usize = 16 << 10;

/// Longest line that is looked at to see whether it notes a gap.
const MAX_NOTE_BYTES: u64 = 4 << 10;

/// Events without a readable time at the start of a file that are held back until one has a time.
const MAX_HELD: usize = 1_000;

/// A file of events as XML.
#[derive(Debug)]
pub(super) struct Stream {
    source: DumpSource,
    deframer: Deframer,
    cutter: Cutter,
    /// What was found and not given out yet. Bounded by what one chunk can complete, and by
    /// [`MAX_HELD`].
    found: VecDeque<Result<Entry, BadRecord>>,
    /// The bytes that are cut next.
    buf: Vec<u8>,
    /// Bytes that were cut, uncompressed.
    cut_bytes: u64,
    /// The file has nothing more.
    is_over: bool,
}

impl Stream {
    pub(super) fn new(source: DumpSource) -> Self {
        Self {
            source,
            deframer: Deframer::new(),
            cutter: Cutter::default(),
            found: VecDeque::new(),
            buf: Vec::with_capacity(CHUNK_BYTES),
            cut_bytes: 0,
            is_over: false,
        }
    }

    pub(super) const fn source(&self) -> &DumpSource {
        &self.source
    }

    pub(super) fn next(&mut self, scanner: &mut Scanner) -> Option<Result<Entry, BadRecord>> {
        let is_ready = |stream: &Self| match stream.found.len() {
            0 => false,
            held => stream.cutter.has_time() || held >= MAX_HELD,
        };
        while !is_ready(self) && !self.is_over {
            if let Err(error) = self.read(scanner) {
                self.end(Why::Broken(error));
            }
        }
        self.cutter.settle_times(&mut self.found);
        self.found.pop_front()
    }

    /// Cuts some more bytes.
    fn read(&mut self, scanner: &mut Scanner) -> io::Result<()> {
        let mut chunk = self.source.fill_buf()?;
        chunk = chunk.get(..CHUNK_BYTES).unwrap_or(chunk);
        if chunk.is_empty() {
            self.is_over = true;
            if self.deframer.pending() > 0 {
                self.end(Why::Truncated);
            }
            return Ok(());
        }
        let is_note = chunk.starts_with(b"<!--") && self.deframer.pending() == 0;
        let mut bytes = std::mem::take(&mut self.buf);
        bytes.clear();
        if is_note {
            self.source.by_ref().take(MAX_NOTE_BYTES).read_until(b'\n', &mut bytes)?;
            self.found.extend(gap(&bytes).map(|gap| Ok(Entry::Gap(gap))));
        } else {
            // Up to the next line that may be a note, so that it begins a chunk.
            let len = memmem::find(chunk, b"\n<!--").map_or(chunk.len(), |at| at + 1);
            bytes.extend_from_slice(chunk.get(..len).unwrap_or(chunk));
            self.source.consume(bytes.len());
        }
        self.cut(&bytes, scanner);
        self.buf = bytes;
        Ok(())
    }

    fn cut(&mut self, bytes: &[u8], scanner: &mut Scanner) {
        self.cut_bytes += u64::try_from(bytes.len()).unwrap_or_default();
        let (path, place) = (self.source.path(), Place::Before(self.cut_bytes));
        let (cutter, found) = (&mut self.cutter, &mut self.found);
        let fed = self.deframer.feed(scanner, bytes, &mut |item| match item {
            Item::Event(header) => found.push_back(Ok(Entry::Event(cutter.record(&header)))),
            Item::Rejected(reject) => {
                let why = Why::Event(reject);
                found.push_back(Err(BadRecord { path: path.to_owned(), place, why }));
            }
            // A login document belongs to a connection.
            _ => {}
        });
        if let Err(error) = fed {
            self.deframer = Deframer::new();
            self.end(Why::Stream(error));
        }
    }

    /// Reports `why` behind what was found already.
    fn end(&mut self, why: Why) {
        let place = Place::Before(self.cut_bytes);
        let bad = BadRecord { path: self.source.path().to_owned(), place, why };
        self.is_over |= bad.ends_file();
        self.found.push_back(Err(bad));
    }
}

/// Reads the comment by which a dump of XML notes that events are missing:
///
/// ```text
/// <!-- 2026-11-22T10:16:00.000Z gap: 123 events not recorded before this: no space left -->
/// ```
fn gap(line: &[u8]) -> Option<Gap> {
    let line = str::from_utf8(line).ok()?.trim_ascii();
    let note = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (time, note) = note.split_once(" gap: ")?;
    let (events, why) = note.split_once(" events not recorded before this: ")?;
    let until_ms = cot_core::CotTime::parse(time).ok()?.as_unix_millis();
    Some(Gap { until_ms: Some(until_ms), events: events.parse().ok()?, why: why.to_owned() })
}
