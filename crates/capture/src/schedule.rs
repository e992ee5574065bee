//! When each event of a capture is due, and what its times become.

use std::ops::Range;
use std::time::Duration;

use cot_core::{CotTime, Header};

/// Time between two passes over a capture from whose events none can be taken: it has only one, or
/// all of one moment.
const LONE_PERIOD_MS: i64 = 1_000;

/// How fast a capture is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Speed {
    /// Without any wait.
    Max,
    /// So many times as fast as it was received: 1 is the original pace. Values that are not above
    /// zero act as 1.
    Times(f64),
}

impl Default for Speed {
    fn default() -> Self {
        Self::Times(1.0)
    }
}

/// Keeps the spacing of a capture: says for each event when it is due, counted from the first.
///
/// Reads no clock. A clock that was set back while the capture was made costs nothing: the event
/// behind the step is due at once, and spacing goes on from there.
///
/// ```
/// use std::time::Duration;
/// use capture::{Schedule, Speed};
///
/// let mut schedule = Schedule::new(Speed::Times(10.0));
/// let due = [5_000, 7_000, 7_000, 3_000, 4_000].map(|received_ms| schedule.due(received_ms));
/// assert_eq!(due.map(|due| due.as_millis()), [0, 200, 200, 200, 300]);
///
/// // Another pass over the same capture, after the mean interval.
/// schedule.restart();
/// assert_eq!(schedule.due(5_000), Duration::from_millis(375));
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    speed: Speed,
    max_pause_ms: i64,
    /// Original time that has passed since the first event.
    position_ms: i64,
    /// Position of the first event of this pass.
    pass_began_ms: i64,
    /// Events of this pass.
    pass_events: i64,
    previous_ms: Option<i64>,
}

impl Schedule {
    /// Begins with the next event that is asked about.
    #[must_use]
    pub const fn new(speed: Speed) -> Self {
        Self {
            speed,
            max_pause_ms: i64::MAX,
            position_ms: 0,
            pass_began_ms: 0,
            pass_events: 0,
            previous_ms: None,
        }
    }

    /// Shortens longer pauses of the capture to `pause`. Without it all are kept.
    #[must_use]
    pub fn with_max_pause(mut self, pause: Duration) -> Self {
        self.max_pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// When the next event, received at `received_ms`, is due: time since the first was.
    pub fn due(&mut self, received_ms: i64) -> Duration {
        if let Some(previous) = self.previous_ms.replace(received_ms) {
            let pause = received_ms.saturating_sub(previous).clamp(0, self.max_pause_ms);
            self.position_ms = self.position_ms.saturating_add(pause);
        }
        self.pass_events += 1;
        self.after(self.position_ms)
    }

    /// Begins another pass over the capture. Its first event is due one mean interval after the
    /// last one of the pass before; one second after it, if there is no such interval.
    pub fn restart(&mut self) {
        let span = self.position_ms.saturating_sub(self.pass_began_ms);
        let mean = if self.pass_events > 1 { span / (self.pass_events - 1) } else { 0 };
        let wait = match (span, self.pass_events) {
            (_, 0) => 0,
            (0, _) => LONE_PERIOD_MS,
            _ => mean.max(1),
        };
        self.position_ms = self.position_ms.saturating_add(wait);
        self.pass_began_ms = self.position_ms;
        self.pass_events = 0;
        self.previous_ms = None;
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a replay are far below 2^52")]
    fn after(&self, position_ms: i64) -> Duration {
        let speed = match self.speed {
            Speed::Max => return Duration::ZERO,
            Speed::Times(times) if times > 0.0 => times,
            Speed::Times(_) => 1.0,
        };
        let seconds = position_ms as f64 / 1_000.0 / speed;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// The times of one event and where they stand in it, ready to be moved.
///
/// All are moved by the same amount, so what they say about each other stays: how long the event is
/// valid, and how far the sender's clock was off. What is not a time is left alone, and so is
/// everything else in the event.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// In the order in which they stand in the event.
    found: [Option<(Range<usize>, CotTime)>; 3],
}

impl Times {
    /// Finds `time`, `start` and `stale`.
    #[must_use]
    pub fn find(header: &Header<'_>) -> Self {
        let at = |ms: Option<i64>| ms.map(CotTime::from_unix_millis);
        let mut found = [
            at(header.time_ms()).map(|time| (header.time_range(), time)),
            header.start_range().zip(at(header.start_ms())),
            at(header.stale_ms()).map(|time| (header.stale_range(), time)),
        ];
        found.sort_by_key(|found| found.as_ref().map_or(usize::MAX, |(range, _)| range.start));
        Self { found }
    }

    /// Appends `event`, whose times these are, with all of them moved by `by_ms` milliseconds.
    pub fn write_shifted(&self, event: &str, by_ms: i64, out: &mut Vec<u8>) {
        let event = event.as_bytes();
        let mut copied = 0;
        for (range, time) in self.found.iter().flatten() {
            out.extend_from_slice(event.get(copied..range.start).unwrap_or_default());
            let mut text = [0; CotTime::TEXT_LEN];
            out.extend_from_slice(time.plus_millis(by_ms).write_to(&mut text).as_bytes());
            copied = range.end;
        }
        out.extend_from_slice(event.get(copied..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pauses_can_be_shortened() {
        let mut schedule = Schedule::new(Speed::default()).with_max_pause(Duration::from_secs(2));
        let due = [0, 1_000, 90_000, 91_000].map(|ms| schedule.due(ms).as_millis());
        assert_eq!(due, [0, 1_000, 3_000, 4_000]);
    }

    #[test]
    fn at_full_speed_all_is_due_at_once() {
        let mut schedule = Schedule::new(Speed::Max);
        assert_eq!([0, 1_000_000].map(|ms| schedule.due(ms)), [Duration::ZERO; 2]);
    }

    #[test]
    fn passes_over_a_lone_event_do_not_spin() {
        let mut schedule = Schedule::new(Speed::default());
        let mut due = Vec::new();
        for _ in 0..3 {
            due.push(schedule.due(77).as_millis());
            schedule.restart();
        }
        assert_eq!(due, [0, 1_000, 2_000]);
    }

    #[test]
    fn extreme_times_are_no_overflow() {
        let mut schedule = Schedule::new(Speed::Times(f64::MIN_POSITIVE));
        for ms in [i64::MIN, i64::MAX, i64::MIN, i64::MAX] {
            schedule.due(ms);
        }
        schedule.restart();
        assert!(schedule.due(0) > Duration::from_secs(1 << 40));
    }

    fn shifted(event: &str, by_ms: i64) -> String {
        let mut scanner = crate::scanner();
        let header = scanner.scan(event.as_bytes()).expect("a valid event");
        let mut out = Vec::new();
        Times::find(&header).write_shifted(event, by_ms, &mut out);
        String::from_utf8(out).expect("made of text")
    }

    #[test]
    fn times_are_moved_together_wherever_they_stand() {
        assert_eq!(
            shifted(
                "<event stale='2026-01-01T00:01:15Z' uid='A' start=\"2026-01-01T00:00:00.000001Z\" \
                 type='a-f-G' time='2026-01-01T01:00:00.5+01:00'><point lat='1' lon='2'/>\
                 <detail><x time='2026-01-01T00:00:00Z'/></detail></event>",
                86_400_000 + 250,
            ),
            "<event stale='2026-01-02T00:01:15.250Z' uid='A' start=\"2026-01-02T00:00:00.250Z\" \
             type='a-f-G' time='2026-01-02T00:00:00.750Z'><point lat='1' lon='2'/>\
             <detail><x time='2026-01-01T00:00:00Z'/></detail></event>"
        );
    }

    #[test]
    fn what_is_no_time_stays() {
        let event = "<event uid='A' type='a' time='now' stale=''><point lat='1' lon='2'/></event>";
        assert_eq!(shifted(event, 1), event);
    }
}
