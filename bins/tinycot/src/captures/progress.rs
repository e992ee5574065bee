//! How far a replay is.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use capture::{Due, Replay, ReplayOptions, Source, Speed};
use cot_core::CotTime;
use indicatif::{ProgressBar, ProgressStyle};

use super::input::expand;
use crate::clock;
use crate::error::Failure;

/// Captures up to this size, as stored, are read once before, to know how long they are. Of larger
/// ones it is shown how much of the bytes was read.
const MAX_MEASURED_BYTES: u64 = 128 << 20;

/// Time between two looks at the rate.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// Time between two drawings.
const DRAW_PERIOD: Duration = Duration::from_millis(100);

/// A bar on the terminal; nothing when standard error is none.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    unit: Unit,
    /// Length of one pass over the capture, in units.
    len: u64,
    drawn: Instant,
    /// Events sent when the rate was taken, when that was, and the rate.
    sent: u64,
    measured: Instant,
    rate: f64,
}

/// What the bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Events,
    Milliseconds,
}

impl Progress {
    /// Measures what is to be replayed, if there is a terminal to show it on.
    pub(super) fn new(files: &[PathBuf], options: &ReplayOptions) -> Result<Self, Failure> {
        let now = clock::now();
        let (unit, len) =
            if io::stderr().is_terminal() { measure(files, options)? } else { (Unit::Bytes, 0) };
        let bar =
            if io::stderr().is_terminal() { ProgressBar::new(len) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}%") {
            bar.set_style(style);
        }
        Ok(Self { bar, unit, len, drawn: now, sent: 0, measured: now, rate: 0.0 })
    }

    /// Shows that `due` is sent next, as the event number `sent`.
    pub(super) fn show(&mut self, due: &Due, replay: &Replay, sent: u64) {
        let now = clock::now();
        if self.bar.is_hidden() || now.duration_since(self.drawn) < DRAW_PERIOD {
            return;
        }
        self.drawn = now;
        let period = now.duration_since(self.measured);
        if period >= RATE_PERIOD {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let events = (sent - self.sent) as f64;
            self.rate = events / period.as_secs_f64();
            (self.sent, self.measured) = (sent, now);
        }
        let at = CotTime::from_unix_millis(due.record().received_ms()).to_string();
        let clock = at.get(..19).unwrap_or(&at).replace('T', " ");
        self.bar.set_message(format!("{clock}  {sent} sent, {:.1}/s", self.rate));
        match self.unit {
            Unit::Bytes => self.bar.set_position(replay.source().read_bytes()),
            Unit::Events => self.move_to(sent),
            Unit::Milliseconds => self.tick(due.after()),
        }
    }

    /// Shows that so much time has passed since the first event.
    pub(super) fn tick(&self, passed: Duration) {
        if self.unit == Unit::Milliseconds {
            self.move_to(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Prints something that is not part of the bar.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Every pass over the capture begins at the left.
    fn move_to(&self, position: u64) {
        self.bar.set_position(match position.checked_rem(self.len) {
            Some(within) if position > self.len => within,
            _ => position,
        });
    }
}

/// What to count, and how much of it there is.
fn measure(files: &[PathBuf], options: &ReplayOptions) -> Result<(Unit, u64), Failure> {
    let source = Source::open(expand(files)?)?;
    if source.total_bytes() > MAX_MEASURED_BYTES {
        return Ok((Unit::Bytes, source.total_bytes()));
    }
    let mut options = options.clone();
    options.repeat = false;
    let is_timed = options.speed != Speed::Max;
    let (mut events, mut last) = (0, Duration::ZERO);
    for due in Replay::new(source, options).flatten() {
        events += 1;
        last = due.after();
    }
    Ok(if is_timed {
        (Unit::Milliseconds, u64::try_from(last.as_millis()).unwrap_or(u64::MAX))
    } else {
        (Unit::Events, events)
    })
}
