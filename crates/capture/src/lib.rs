#![doc = include_str!("../README.md")]

mod error;
mod filter;
mod print;
mod record;
mod replay;
mod schedule;
mod source;
mod stats;
mod tracks;

pub use error::{BadRecord, CaptureError, Place, Why};
pub use filter::Filter;
pub use print::{EventFormat, EventWriter};
pub use record::{Entry, Gap, MAX_EVENT_BYTES, Record, scanner};
pub use replay::{Due, Replay, ReplayOptions};
pub use schedule::{Schedule, Speed, Times};
pub use source::{Source, dump_files};
pub use stats::{Count, KindCount, MAX_NAMES, SenderCount, Stats, StatsReport, TeamCount};
pub use tracks::{DEFAULT_MAX_POSITIONS, DEFAULT_SPLIT, Position, Track, TrackFormat, Tracks};
