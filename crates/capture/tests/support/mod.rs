//! A small language for tests of captures: [`report`] makes an event, [`Files`] holds captures,
//! [`events`] reads them.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::PathBuf;

use capture::{BadRecord, Entry, Gap, Record, Source};
use cot_core::CotTime;
use cot_core::build::{self, Sender};
use cot_core::{Event, Point};
use tempfile::TempDir;

/// 2026-11-22T10:00:00Z, when every test begins.
pub(crate) const BEGIN: i64 = 1_795_341_600_000;

/// A position report of a device, made so many milliseconds after [`BEGIN`].
pub(crate) fn report(uid: &str, callsign: &str, after_ms: i64) -> Event {
    let at = Point::new(47.0 + degrees(after_ms), 8.5).with_hae(400.5).with_ce(5.0);
    let sender = Sender::new(uid, callsign).at(at);
    build::position(&sender, "Cyan", "Team Lead", BEGIN + after_ms)
}

/// So many millionths of a degree.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn degrees(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

/// A line of a dump, without a checksum.
pub(crate) fn line(received_ms: i64, sender: &str, team: &str, event: &str) -> String {
    let t = CotTime::from_unix_millis(received_ms).to_string();
    serde_json::json!({ "t": t, "uid": sender, "team": team, "event": event }).to_string() + "\n"
}

/// A line of a dump around a [`report`] that was received when it was made.
pub(crate) fn report_line(uid: &str, after_ms: i64) -> String {
    line(BEGIN + after_ms, uid, "Cyan", &report(uid, uid, after_ms).to_xml())
}

/// A directory of captures.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Writes a file.
    pub(crate) fn with(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a file, compressed.
    pub(crate) fn with_zstd(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.with(name, zstd::encode_all(content.as_ref(), 3).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Everything that is in the captures.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: Vec<Record>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) bad: Vec<BadRecord>,
}

impl Found {
    /// The uids of the events.
    pub(crate) fn uids(&self) -> Vec<String> {
        self.records.iter().map(uid).collect()
    }
}

/// Reads captures to their end.
pub(crate) fn read(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for entry in Source::open(paths).unwrap() {
        match entry {
            Ok(Entry::Event(record)) => found.records.push(record),
            Ok(Entry::Gap(gap)) => found.gaps.push(gap),
            Ok(other) => panic!("{other:?}"),
            Err(bad) => found.bad.push(bad),
        }
    }
    found
}

/// The uid of a record's event.
pub(crate) fn uid(record: &Record) -> String {
    let mut scanner = capture::scanner();
    record.header(&mut scanner).unwrap().uid().to_cow().into_owned()
}
