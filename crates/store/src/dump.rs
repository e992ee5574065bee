//! Dumps: rotated files of every event that was carried, and their reader.
//!
//! ```text
//! dump-20261122T101500Z-000001.jsonl.zst    rotated and compressed
//! dump-20261123T101500Z-000002.jsonl        being written
//! ```
//!
//! Each line is one event, or a gap where events could not be recorded:
//!
//! ```text
//! {"t":"2026-11-22T10:15:00.123Z","uid":"ANDROID-1","team":"Cyan","event":"<event .../>","sum":"7c9e6679"}
//! {"t":"2026-11-22T10:16:00.000Z","gap":123,"why":"no space left on device","sum":"0b1c2d3e"}
//! ```
//!
//! `sum` is the CRC-32 of the bytes before `,"sum"`: a line that changed on its way is named instead
//! of being believed. The whole format is in `docs/dump.md`.

mod compress;
mod config;
mod current;
mod encode;
mod error;
mod files;
mod line;
mod reader;
mod recover;
mod shelf;
mod source;
mod stats;
mod time;
mod writer;

pub use compress::{Compressed, Finished, compress};
pub use config::DumpConfig;
pub use error::DumpError;
pub use files::{DumpFile, list};
pub use line::DumpLine;
pub use reader::DumpReader;
pub use source::DumpSource;
pub use stats::{Dropped, DumpReport, DumpStats, GapReason};
pub use writer::{DumpWriter, Pushed};

/// Longest line that is written or read: 16 MiB.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpFormat {
    /// One JSON line for each event, with its receive time, sender and team: `.jsonl`.
    #[default]
    Json,
    /// The events as they came, each followed by a line feed: `.cot`.
    Xml,
}

/// One event to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpEvent<'a> {
    /// When it was received: milliseconds since 1970-01-01 UTC, of the years 0 to 9998.
    pub received_ms: i64,
    /// Uid of the client that sent it; empty when it has not said.
    pub sender: &'a str,
    /// Team of the sender; empty when it has none.
    pub team: &'a str,
    /// The event's XML, as received.
    pub event: &'a str,
}
