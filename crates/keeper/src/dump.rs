//! The thread that records accepted events in a dump.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use relay::server::Relay;
use store::StoreError;
use store::dump::{
    Compressed, DumpConfig, DumpEvent, DumpStats, DumpWriter, Finished, GapReason, Pushed,
};
use store::fs::Fs;
use tracing::{info, warn};

use crate::clock;
use crate::feed::{Entry, Events};
use crate::queue::{Queue, Wanted};
use crate::record::event_text;
use crate::status::{Status, chain};

/// Longest time that an event is not yet durable, less what the writing may take.
const SYNC_INTERVAL: Duration = Duration::from_millis(900);

/// Time between two attempts while the disk refuses.
const PAUSE: Duration = Duration::from_secs(1);

/// Time between two looks at the clock when nothing happens.
const IDLE: Duration = Duration::from_secs(60);

/// Stack of the thread that compresses: what it works with is elsewhere.
const STACK_BYTES: usize = 256 << 10;

/// What an operator can do.
const TODO: &str = "look at the disk, its free space and the rights to the directory of the dump";

/// Counters of the dump as the thread knows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct DumpCounts {
    pub(crate) writer: DumpStats,
    pub(crate) errors: u64,
}

/// What came of compressing a file.
pub(crate) type CompressionDone = (Finished, Result<Compressed, StoreError>);

/// A dump that is still to be opened.
pub(crate) struct Opening<F: Fs> {
    pub(crate) config: DumpConfig,
    pub(crate) fs: F,
    pub(crate) relay: Relay,
    pub(crate) queue: Arc<Queue<Events>>,
    pub(crate) status: Arc<Status<DumpCounts>>,
}

impl<F: Fs + Clone> Opening<F> {
    /// Opens the dump and records until it is told to finish. Events wait in the queue meanwhile.
    pub(crate) fn run(self) {
        loop {
            let (fs, config) = (self.fs.clone(), self.config.clone());
            let now_ms = self.relay.now().unix_ms;
            let opened = self.status.busy("open the dump", || DumpWriter::open(fs, config, now_ms));
            match opened {
                Ok((writer, report)) => {
                    info!(
                        dir = %self.config.dir.display(),
                        files = report.files,
                        bytes = report.bytes,
                        torn_bytes = report.torn_bytes,
                        damaged_lines = report.damaged_lines,
                        "dumping events"
                    );
                    self.status.recover();
                    return Dumper::new(writer, self).run();
                }
                Err(error) => {
                    self.status.count(|counts| counts.errors += 1);
                    self.status.fail(chain(&error), TODO);
                }
            }
            if self.queue.wait(Wanted::Nothing, clock::now() + PAUSE).is_some() {
                return;
            }
        }
    }
}

/// Everything the thread works with.
struct Dumper<F: Fs> {
    writer: DumpWriter<F>,
    fs: F,
    relay: Relay,
    queue: Arc<Queue<Events>>,
    status: Arc<Status<DumpCounts>>,
    /// When what was taken has to be durable.
    sync_at: Option<Instant>,
    /// The disk refused something: nothing is taken before this.
    rest_until: Option<Instant>,
    /// Gaps that had been written when it was last looked.
    gaps: u64,
    /// Whether the dump has yet to say that events are missing.
    owes_gap: bool,
    /// Whether the last write failed.
    is_failing: bool,
    is_compressing: bool,
}

impl<F: Fs + Clone> Dumper<F> {
    fn new(writer: DumpWriter<F>, opening: Opening<F>) -> Self {
        let Opening { fs, relay, queue, status, .. } = opening;
        Self {
            writer,
            fs,
            relay,
            queue,
            status,
            sync_at: None,
            rest_until: None,
            gaps: 0,
            owes_gap: false,
            is_failing: false,
            is_compressing: false,
        }
    }

    /// Works until it is told to finish, and finishes.
    fn run(mut self) {
        self.count();
        self.compress();
        loop {
            let (wanted, until) = match (self.rest_until, self.sync_at) {
                (Some(at), _) => (Wanted::Nothing, at),
                (None, Some(at)) => (Wanted::Urgent, at),
                (None, None) => (Wanted::Any, clock::now() + IDLE),
            };
            if self.queue.wait(wanted, until).is_some() {
                self.relay.report();
                self.take();
                self.sync();
                if self.rest_until.is_none() {
                    self.status.settle();
                }
                return;
            }
            let now = clock::now();
            if self.rest_until.is_some_and(|at| now < at) {
                continue;
            }
            // After a failure the disk is tried with what there is: the gap. What waits, waits on.
            if self.rest_until.take().is_some() {
                self.sync();
            }
            if self.rest_until.is_none() {
                self.take();
            }
            if self.sync_at.is_some_and(|at| clock::now() >= at) {
                self.sync();
            }
        }
    }

    /// Hands what waits to the writer.
    fn take(&mut self) {
        let taken = self.queue.take();
        for (job, result) in taken.compressed {
            self.is_compressing = false;
            self.note_compressed(job, result);
        }
        if !taken.list.is_empty() && self.sync_at.is_none() {
            self.sync_at = Some(clock::now() + SYNC_INTERVAL);
        }
        for entry in taken.list {
            match entry {
                Entry::Event(accepted) => {
                    let text = event_text(&accepted.event);
                    let pushed = self.writer.push(&DumpEvent {
                        received_ms: accepted.received_ms,
                        sender: &accepted.sender,
                        team: &accepted.team,
                        event: &text,
                    });
                    match pushed {
                        Pushed::Dropped => self.owes_gap = true,
                        Pushed::WantsFlush => self.flush(),
                        _ => {}
                    }
                }
                Entry::Gap(events) => {
                    // A gap comes before everything that is in the buffer when it is written.
                    self.flush();
                    self.writer.note_gap(events, GapReason::Busy);
                    self.owes_gap = true;
                }
            }
        }
        self.compress();
        self.count();
    }

    /// Writes the buffer. If that loses events, the disk is left alone for a while, so that no more
    /// are lost before the queue is full.
    fn flush(&mut self) {
        let now_ms = self.relay.now().unix_ms;
        let lost = self.writer.stats().dropped.total();
        let writer = &mut self.writer;
        let flushed = self.status.busy("write events", || writer.flush(now_ms));
        let stats = self.writer.stats();
        self.owes_gap &= stats.gaps == self.gaps;
        self.owes_gap |= stats.dropped.total() > lost;
        self.gaps = stats.gaps;
        self.is_failing = flushed.is_err();
        if let Err(error) = flushed {
            self.fail(&error);
            if self.owes_gap {
                self.rest_until = Some(clock::now() + PAUSE);
            }
        }
    }

    /// Writes what is in the buffer and makes everything durable.
    fn sync(&mut self) {
        self.sync_at = None;
        self.flush();
        if self.rest_until.is_none() {
            let writer = &mut self.writer;
            match self.status.busy("make events durable", || writer.sync()) {
                Ok(()) if self.is_failing => {}
                Ok(()) => self.status.recover(),
                Err(error) => {
                    self.fail(&error);
                    self.owes_gap = true;
                    self.rest_until = Some(clock::now() + PAUSE);
                }
            }
        }
        self.compress();
        self.count();
    }

    fn fail(&self, error: &StoreError) {
        self.status.count(|counts| counts.errors += 1);
        self.status.fail(chain(error), TODO);
    }

    fn note_compressed(&mut self, job: Finished, result: Result<Compressed, StoreError>) {
        if let Err(error) = self.writer.note_compressed(job, result) {
            self.status.count(|counts| counts.errors += 1);
            warn!(why = chain(&error), "a file of the dump stays uncompressed for now");
        }
    }

    /// Has one closed file compressed, on a thread of its own.
    fn compress(&mut self) {
        if self.is_compressing {
            return;
        }
        let Some(job) = self.writer.next_job() else { return };
        let (fs, queue) = (self.fs.clone(), self.queue.clone());
        let failed = job.clone();
        let compress = move || {
            let result = store::dump::compress(&fs, &job);
            queue.add(|events| events.compressed.push((job, result)));
        };
        let thread = thread::Builder::new().name("dump-zstd".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn(compress) {
            Ok(_) => self.is_compressing = true,
            // No thread to be had now: again after the next rotation.
            Err(source) => {
                let path = failed.path.clone();
                let error = StoreError::Io { doing: "cannot compress", path, source };
                self.note_compressed(failed, Err(error));
            }
        }
    }

    fn count(&self) {
        let stats = self.writer.stats();
        self.status.count(|counts| counts.writer = stats);
    }
}
