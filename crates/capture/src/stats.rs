//! What is in a capture, in figures.

use std::collections::HashMap;

use cot_core::{CotTime, EventType, Header};
use serde::Serialize;

use crate::record::{Gap, Record};

/// Types, senders and teams that are counted by name, each; what comes on top of them is counted
/// together. A capture of an exercise has some hundreds.
pub const MAX_NAMES: usize = 100_000;

/// Longest name that is counted by itself, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// Counts what a capture holds.
///
/// # Complexity
///
/// Memory grows with the number of types and senders, up to [`MAX_NAMES`] of each.
#[derive(Debug, Default)]
pub struct Stats {
    total: Count,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    previous_ms: Option<i64>,
    longest_pause_ms: i64,
    /// The second of the event before, and how many events were received in it.
    second: (i64, u64),
    peak: u64,
    gaps: u64,
    missing: u64,
    bad: u64,
    kinds: Names<Count>,
    senders: Names<Sender>,
    teams: Names<Count>,
}

/// Events and their bytes as XML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Count {
    /// Number of events.
    pub events: u64,
    /// Bytes of their XML.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, record: &Record) {
        self.events += 1;
        self.bytes += u64::try_from(record.event().len()).unwrap_or(u64::MAX);
    }
}

#[derive(Debug, Default)]
struct Sender {
    count: Count,
    callsign: String,
    team: String,
}

impl Stats {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an event. `header` is that of `record`.
    pub fn add(&mut self, record: &Record, header: &Header<'_>) {
        self.total.add(record);
        self.add_time(record.received_ms());
        self.kinds.at(header.kind()).add(record);
        let uid = header.uid().to_cow();
        let sender = if record.sender().is_empty() { &uid } else { record.sender() };
        let group = header.group().and_then(|group| group.name);
        let own_team = group.map(|name| name.to_cow()).unwrap_or_default();
        let team = if record.team().is_empty() { &own_team } else { record.team() };
        self.teams.at(team).add(record);
        let entry = self.senders.at(sender);
        entry.count.add(record);
        if !team.is_empty() && team.len() <= MAX_NAME_BYTES && entry.team != team {
            team.clone_into(&mut entry.team);
        }
        let callsign = header.contact().and_then(|contact| contact.callsign);
        if let Some(callsign) = callsign
            && sender == uid
            && callsign.raw().len() <= MAX_NAME_BYTES
            && !callsign.eq_str(&entry.callsign)
        {
            entry.callsign = callsign.to_cow().into_owned();
        }
    }

    /// Counts events that the capture has not recorded.
    pub fn add_gap(&mut self, gap: &Gap) {
        self.gaps += 1;
        self.missing = self.missing.saturating_add(gap.events);
    }

    /// Counts a record that could not be read.
    pub const fn add_bad(&mut self) {
        self.bad += 1;
    }

    /// The figures so far, most frequent names first.
    #[must_use]
    pub fn report(&self) -> StatsReport {
        let kind = |(kind, count): (&str, &Count)| KindCount {
            kind: kind.to_owned(),
            name: EventType::new(kind).describe(),
            count: *count,
        };
        let sender = |(uid, sender): (&str, &Sender)| SenderCount {
            uid: uid.to_owned(),
            callsign: sender.callsign.clone(),
            team: sender.team.clone(),
            count: sender.count,
        };
        let team =
            |(name, count): (&str, &Count)| TeamCount { name: name.to_owned(), count: *count };
        let time = |ms: Option<i64>| ms.map(|ms| CotTime::from_unix_millis(ms).to_string());
        let span_ms =
            self.last_ms.zip(self.first_ms).map(|(last, first)| last.saturating_sub(first));
        let span = span_ms.map(seconds).unwrap_or_default();
        StatsReport {
            total: self.total,
            first: time(self.first_ms),
            last: time(self.last_ms),
            seconds: span,
            events_per_second: (span > 0.0).then(|| ratio(self.total.events, span)),
            peak_second: self.peak,
            longest_pause_seconds: seconds(self.longest_pause_ms),
            gaps: self.gaps,
            missing: self.missing,
            bad: self.bad,
            types: ranked(self.kinds.iter().map(kind), |kind| (kind.count, &kind.kind)),
            senders: ranked(self.senders.iter().map(sender), |sender| (sender.count, &sender.uid)),
            teams: ranked(self.teams.iter().map(team), |team| (team.count, &team.name)),
            other_types: self.kinds.others(|count| *count),
            other_senders: self.senders.others(|sender| sender.count),
        }
    }

    fn add_time(&mut self, received_ms: i64) {
        self.first_ms = Some(self.first_ms.map_or(received_ms, |first| first.min(received_ms)));
        self.last_ms = Some(self.last_ms.map_or(received_ms, |last| last.max(received_ms)));
        if let Some(previous) = self.previous_ms.replace(received_ms) {
            self.longest_pause_ms = self.longest_pause_ms.max(received_ms.saturating_sub(previous));
        }
        let second = received_ms.div_euclid(1_000);
        self.second = match self.second {
            (current, events) if current == second => (current, events + 1),
            _ => (second, 1),
        };
        self.peak = self.peak.max(self.second.1);
    }
}

/// The figures of a capture. As JSON:
///
/// ```text
/// {"events": 1200, "bytes": 820000, "first": "2026-11-22T10:00:00.000Z", "last": "..",
///  "seconds": 600.0, "events_per_second": 2.0, "peak_second": 17, "longest_pause_seconds": 3.1,
///  "gaps": 0, "missing": 0, "bad": 0,
///  "types": [{"type": "a-f-G-U-C", "name": "friendly ground combat unit", "events": 900, "bytes": 620000}],
///  "senders": [{"uid": "ANDROID-1", "callsign": "HOPE", "team": "Cyan", "events": 300, "bytes": 200000}],
///  "teams": [{"name": "Cyan", "events": 600, "bytes": 400000}],
///  "other_types": {"events": 0, "bytes": 0}, "other_senders": {"events": 0, "bytes": 0}}
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StatsReport {
    /// All events.
    #[serde(flatten)]
    pub total: Count,
    /// When the earliest event was received; `None` without events.
    pub first: Option<String>,
    /// When the latest event was received.
    pub last: Option<String>,
    /// Time between the two.
    pub seconds: f64,
    /// Mean rate; `None` when no time passed.
    pub events_per_second: Option<f64>,
    /// Most events within one second of the clock.
    pub peak_second: u64,
    /// Longest time between an event and the next.
    pub longest_pause_seconds: f64,
    /// Places where the capture says that events are missing.
    pub gaps: u64,
    /// How many events are missing there.
    pub missing: u64,
    /// Records that could not be read.
    pub bad: u64,
    /// Events by type.
    pub types: Vec<KindCount>,
    /// Events by the uid of who sent them, or by their own where that is unknown.
    pub senders: Vec<SenderCount>,
    /// Events by team; the empty name is "none".
    pub teams: Vec<TeamCount>,
    /// Events of types beyond the first [`MAX_NAMES`], or with names of more than 512 bytes.
    pub other_types: Count,
    /// Events of senders beyond the first [`MAX_NAMES`], or with names of more than 512 bytes.
    pub other_senders: Count,
}

/// Events of one type.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KindCount {
    /// The `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means, in words.
    pub name: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// Events of one sender.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SenderCount {
    /// Its uid.
    pub uid: String,
    /// The callsign it had last; empty when it did not say.
    pub callsign: String,
    /// The team it had last; empty when unknown.
    pub team: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// Events of one team.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TeamCount {
    /// Its name; empty for events without a team.
    pub name: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// Values by name, of at most [`MAX_NAMES`] names.
#[derive(Debug, Default)]
struct Names<V> {
    named: HashMap<String, V>,
    others: V,
}

impl<V: Default> Names<V> {
    fn at(&mut self, name: &str) -> &mut V {
        // Looked up twice, so that a name that is known already is not copied.
        if !self.named.contains_key(name) {
            if self.named.len() >= MAX_NAMES || name.len() > MAX_NAME_BYTES {
                return &mut self.others;
            }
            self.named.insert(name.to_owned(), V::default());
        }
        self.named.get_mut(name).unwrap_or(&mut self.others)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.named.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn others(&self, count: impl FnOnce(&V) -> Count) -> Count {
        count(&self.others)
    }
}

/// The most frequent first, equals by name.
fn ranked<T>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> (Count, &String)) -> Vec<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort_by(|a, b| {
        let ((a, a_name), (b, b_name)) = (key(a), key(b));
        b.events.cmp(&a.events).then_with(|| a_name.cmp(b_name))
    });
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(events: u64, seconds: f64) -> f64 {
    events as f64 / seconds
}
