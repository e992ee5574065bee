//! A capture as events that are due one after the other.

use std::time::Duration;

use cot_core::{EventType, Header, Scanner};

use crate::error::BadRecord;
use crate::filter::Filter;
use crate::record::{self, Entry, Record};
use crate::schedule::{Schedule, Speed, Times};
use crate::source::Source;

/// How a capture is replayed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReplayOptions {
    /// What is sent.
    pub filter: Filter,
    /// How fast. Defaults to the original pace.
    pub speed: Speed,
    /// Pauses longer than this are shortened to it. Defaults to keeping them all.
    pub max_pause: Option<Duration>,
    /// Whether to begin again at the end, for ever.
    pub repeat: bool,
}

/// Replays captures: gives one event after the other with the time when it is due. Sends nothing
/// and waits for nothing; that is for its user.
///
/// Left out, besides what the filter does not want, are pings, pongs and the events with which
/// client and server agree on a protocol: they belong to the connection on which they were
/// captured.
///
/// # Examples
///
/// ```no_run
/// use std::io::Write;
/// use std::net::TcpStream;
/// use std::time::{Instant, SystemTime, UNIX_EPOCH};
/// use capture::{Replay, ReplayOptions, Source};
///
/// let mut server = TcpStream::connect("127.0.0.1:8087")?;
/// let began = Instant::now();
/// for due in Replay::new(Source::open(["capture.cot"])?, ReplayOptions::default()) {
///     let due = due?;
///     std::thread::sleep(due.after().saturating_sub(began.elapsed()));
///     let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
///     let mut event = Vec::new();
///     due.write(now.as_millis().try_into()?, &mut event);
///     server.write_all(&event)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    source: Source,
    filter: Filter,
    repeat: bool,
    schedule: Schedule,
    scanner: Scanner,
    /// Passes over the capture that are done.
    passes: u64,
    /// Whether this pass gave any event: one that gave none would repeat for ever.
    is_fruitful: bool,
    left_out: u64,
    missing: u64,
}

impl Replay {
    /// Begins with the first event of `source`.
    #[must_use]
    pub fn new(source: Source, options: ReplayOptions) -> Self {
        let schedule = Schedule::new(options.speed);
        Self {
            source,
            filter: options.filter,
            repeat: options.repeat,
            schedule: match options.max_pause {
                Some(pause) => schedule.with_max_pause(pause),
                None => schedule,
            },
            scanner: record::scanner(),
            passes: 0,
            is_fruitful: false,
            left_out: 0,
            missing: 0,
        }
    }

    /// Whole passes over the capture.
    #[must_use]
    pub const fn passes(&self) -> u64 {
        self.passes
    }

    /// Events that the filter did not want, and those of the connection itself.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Events that the capture says it has not recorded.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// What is read from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The event with its time, if it is to be sent.
    fn admit(&mut self, record: Record) -> Option<Due> {
        let header = record.header(&mut self.scanner).ok()?;
        if !self.filter.admits(&record, &header) || is_of_connection(&header) {
            self.left_out += 1;
            return None;
        }
        let times = Times::find(&header);
        let after = self.schedule.due(record.received_ms());
        Some(Due { after, record, times })
    }
}

/// Goes on after an error, which concerns one record, or the rest of one file.
impl Iterator for Replay {
    type Item = Result<Due, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.source.next() {
                Some(Ok(Entry::Event(record))) => {
                    if let Some(due) = self.admit(record) {
                        self.is_fruitful = true;
                        return Some(Ok(due));
                    }
                }
                Some(Ok(Entry::Gap(gap))) => self.missing = self.missing.saturating_add(gap.events),
                Some(Err(bad)) => return Some(Err(bad)),
                None => {
                    self.passes += u64::from(self.is_fruitful);
                    if !self.repeat || !self.is_fruitful {
                        return None;
                    }
                    self.is_fruitful = false;
                    self.schedule.restart();
                    self.source.rewind();
                }
            }
        }
    }
}

/// An event and when to send it.
#[derive(Clone, Debug)]
pub struct Due {
    after: Duration,
    record: Record,
    times: Times,
}

impl Due {
    /// How long after the first event of the replay this one is due.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }

    /// The event as it was captured.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Appends the event as if it had been received at `now_ms`, in milliseconds since 1970: its
    /// times are moved by what has passed since it really was.
    pub fn write(&self, now_ms: i64, out: &mut Vec<u8>) {
        let by_ms = now_ms.saturating_sub(self.record.received_ms());
        self.times.write_shifted(self.record.event(), by_ms, out);
    }
}

fn is_of_connection(header: &Header<'_>) -> bool {
    let kind = EventType::new(header.kind());
    kind.is_ping() || kind.is_pong() || kind.is_within("t-x-takp")
}
