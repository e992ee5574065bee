//! Writing a dump.

use super::compress::{Compressed, Finished};
use super::current::Current;
use super::encode::Encoder;
use super::recover::{Recovered, recover};
use super::shelf::Shelf;
use super::stats::{Dropped, DumpReport, DumpStats, GapReason};
use super::{DumpConfig, DumpEvent, DumpFile, MAX_LINE_BYTES};
use crate::StoreError;
use crate::fs::{Fs, RealFs};

/// With this much in the buffer it is time to write: 128 KiB, about 150 position reports.
const FLUSH_BYTES: usize = 128 << 10;
/// With this much in the buffer no more is taken: 1 MiB. One line may go beyond it.
const BUFFER_BYTES: usize = 1 << 20;

/// What became of an event that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// It is in the buffer.
    Buffered,
    /// It was dropped and counted: the buffer is full, or the event too long.
    Dropped,
    /// It is in the buffer, which is full enough to be written.
    WantsFlush,
}

/// Writes a dump.
///
/// > Push events; flush when that is wanted and at least once per second; sync once per second;
/// > compress what [`next_job`](Self::next_job) gives, on another thread.
///
/// An event that was flushed survives the end of the process; one that was synced survives a power
/// cut. Methods block for as long as the disk does. No error stops the dump: events that could not
/// be recorded are counted, the next flush that succeeds says first how many are missing, and every
/// call may be repeated whatever came before.
///
/// ```
/// use store::dump::{DumpConfig, DumpEvent, DumpWriter, Pushed, compress};
/// use store::fs::RealFs;
///
/// # let dir = tempfile::tempdir().unwrap();
/// let now_ms = 1_795_342_500_123;
/// let (mut dump, _report) = DumpWriter::open(RealFs, DumpConfig::new(dir.path()), now_ms)?;
/// let event = DumpEvent { received_ms: now_ms, sender: "A", team: "Cyan", event: "<event/>" };
/// if dump.push(&event) == Pushed::WantsFlush {
///     dump.flush(now_ms)?;
/// }
/// dump.flush(now_ms)?;
/// dump.sync()?;
/// while let Some(job) = dump.next_job() {
///     let result = compress(&RealFs, &job);
///     dump.note_compressed(job, result)?;
/// }
/// # Ok::<(), store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct DumpWriter<F: Fs = RealFs> {
    fs: F,
    config: DumpConfig,
    encoder: Encoder,
    buf: Vec<u8>,
    /// Events in the buffer.
    buffered: u64,
    /// Events that are missing since the last gap was written.
    missing: Dropped,
    current: Option<Current>,
    shelf: Shelf,
    next_number: u64,
    stats: DumpStats,
}

impl<F: Fs> DumpWriter<F> {
    /// Opens a directory, creating it when there is none. Reads the newest file to find where its
    /// last whole line ends, and cuts off what is behind. The directory must be for this one alone.
    ///
    /// # Errors
    ///
    /// The directory cannot be created or read, or what interrupted work left cannot be removed.
    pub fn open(fs: F, config: DumpConfig, now_ms: i64) -> Result<(Self, DumpReport), StoreError> {
        let Recovered { shelf, current, next_number, report } = recover(&fs, &config, now_ms)?;
        let mut writer = Self {
            fs,
            encoder: Encoder::new(config.format),
            config,
            buf: Vec::new(),
            buffered: 0,
            missing: Dropped::default(),
            current,
            shelf,
            next_number,
            stats: DumpStats { torn_bytes: report.torn_bytes, ..DumpStats::default() },
        };
        // A file that cannot be removed now is tried again with each flush, which says so.
        let _ = writer.trim();
        Ok((writer, report))
    }

    /// Puts an event into the buffer. Does not touch the disk.
    pub fn push(&mut self, event: &DumpEvent<'_>) -> Pushed {
        if self.buf.len() >= BUFFER_BYTES {
            return self.drop_event(GapReason::Busy);
        }
        if event.event.len() + event.sender.len() + event.team.len() >= MAX_LINE_BYTES {
            return self.drop_event(GapReason::TooLong);
        }
        let begin = self.buf.len();
        self.encoder.event(&mut self.buf, event);
        if self.buf.len() - begin > MAX_LINE_BYTES {
            self.buf.truncate(begin);
            return self.drop_event(GapReason::TooLong);
        }
        self.buffered += 1;
        if self.buf.len() >= FLUSH_BYTES { Pushed::WantsFlush } else { Pushed::Buffered }
    }

    /// Counts events that did not come here, and has the dump say so.
    pub fn note_gap(&mut self, events: u64, why: GapReason) {
        self.missing.add(why, events);
        self.stats.dropped.add(why, events);
    }

    /// Writes the buffer. Finishes the file before that if it is big or old enough, and removes
    /// the oldest files if there are too many.
    ///
    /// # Errors
    ///
    /// The first thing that the disk refused. The buffer is empty in any case: events that could
    /// not be written are counted as missing.
    pub fn flush(&mut self, now_ms: i64) -> Result<(), StoreError> {
        self.shelf.cut(&self.fs);
        let rotated = self.rotate_if_due(now_ms);
        let written = self.write(now_ms);
        if let Err(error) = &written {
            self.note_gap(self.buffered, GapReason::of(error));
        }
        self.buffered = 0;
        self.buf.clear();
        self.buf.shrink_to(BUFFER_BYTES);
        let trimmed = self.trim();
        rotated.and(written).and(trimmed)
    }

    /// Makes what was flushed durable.
    ///
    /// # Errors
    ///
    /// The disk refused. The file is finished then, and the next flush begins another.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.sync(&self.fs).inspect_err(|_| {
            // What the disk did not confirm may be missing.
            self.note_gap(
                self.current.as_ref().map_or(0, |c| c.unsynced_events),
                GapReason::Unsynced,
            );
            self.finish();
        })
    }

    /// A finished file that is to be given to [`compress`](super::compress).
    pub fn next_job(&mut self) -> Option<Finished> {
        self.shelf.next_job()
    }

    /// Takes note of what came of a job. One that failed is tried again after the next rotation.
    ///
    /// # Errors
    ///
    /// The job's, and that of removing the oldest files.
    pub fn note_compressed(
        &mut self,
        job: Finished,
        result: Result<Compressed, StoreError>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(done) => {
                self.shelf.replace(&done);
                self.stats.compressed += 1;
                self.trim()
            }
            // One that was removed meanwhile is not missed.
            Err(error) => {
                if self.shelf.put_off(job) {
                    Err(error)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Counters, and what there is now.
    pub fn stats(&self) -> DumpStats {
        let current_bytes = self.current.as_ref().map(|current| current.bytes);
        DumpStats {
            files: self.shelf.len() + usize::from(current_bytes.is_some()),
            stored_bytes: self.shelf.bytes() + current_bytes.unwrap_or(0),
            ..self.stats
        }
    }

    fn drop_event(&mut self, why: GapReason) -> Pushed {
        self.note_gap(1, why);
        Pushed::Dropped
    }

    fn rotate_if_due(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let Some(current) = &self.current else { return Ok(()) };
        let is_full = current.bytes + self.buf.len() as u64 > self.config.file_limit();
        let is_old = self.config.is_old(current.begun_ms, now_ms);
        if current.bytes == 0 || !(is_full || is_old) {
            return Ok(());
        }
        let synced = self.sync();
        self.finish();
        synced
    }

    /// Writes gaps and the buffer.
    fn write(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let gaps = self.put_gaps_first(now_ms);
        if self.buf.is_empty() {
            return Ok(());
        }
        let current = match &mut self.current {
            Some(current) => current,
            None => {
                let number = self.next_number;
                let begun = Current::create(&self.fs, &self.config, number, now_ms)?;
                self.next_number += 1;
                self.current.insert(begun)
            }
        };
        let appended = current.append(&self.buf, self.buffered);
        if current.is_torn {
            // If this fails, too, it counts what that means.
            let _ = self.sync();
            self.finish();
        }
        appended?;
        self.missing = Dropped::default();
        self.stats.gaps += gaps;
        self.stats.events += self.buffered;
        self.stats.bytes += self.buf.len() as u64;
        Ok(())
    }

    /// Puts what is missing in front of the buffer, and says in how many lines.
    fn put_gaps_first(&mut self, now_ms: i64) -> u64 {
        let mut lines = Vec::new();
        let mut gaps = 0;
        for why in GapReason::ALL {
            let events = self.missing.get(why);
            if events > 0 {
                self.encoder.gap(&mut lines, now_ms, events, why.text());
                gaps += 1;
            }
        }
        if gaps > 0 {
            self.buf.splice(..0, lines);
        }
        gaps
    }

    /// Puts the file on the shelf, unless there is nothing in it; the next flush begins another.
    fn finish(&mut self) {
        let Some(current) = self.current.take() else { return };
        if current.bytes == 0 && self.fs.remove(&current.path).is_ok() {
            return;
        }
        self.stats.rotated += 1;
        self.shelf.push(DumpFile {
            path: current.path.clone(),
            number: current.number,
            begun_ms: current.begun_ms,
            bytes: current.bytes,
            format: self.config.format,
            is_compressed: false,
        });
        let finished = Finished { path: current.path, bytes: current.bytes };
        if current.is_torn {
            self.shelf.push_torn(finished.clone());
        }
        if self.config.compress {
            self.shelf.push_job(finished);
        }
    }

    fn trim(&mut self) -> Result<(), StoreError> {
        let current = self.current.as_ref().map(|current| current.bytes);
        let trimmed = self.shelf.trim(&self.fs, &self.config, current);
        self.stats.removed += trimmed.removed;
        trimmed.error.map_or(Ok(()), Err)
    }
}
