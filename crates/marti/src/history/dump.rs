//! Events by time, from the files of a dump.

use std::ops::ControlFlow;
use std::path::PathBuf;

use capture::{Entry, Source};
use store::dump::{self, DumpFile, DumpFormat};
use tracing::debug;

use super::{History, HistoryError, Past};

/// How much later than the end of a file's time its last event may have been received, and how far
/// beyond the time in question an event must be for the rest of its file not to be read. Clocks are
/// set. Milliseconds.
const SLACK_MS: i64 = 60_000;

/// The events of a dump, read from its files at each question.
///
/// Only what is being read is held: a few MiB, whatever the dump's size. Of the files only those
/// are opened whose names say that they may hold events of the time in question. A dump in the form
/// `xml` does not say of which teams its events are.
#[derive(Clone, Debug)]
pub struct DumpHistory {
    dir: PathBuf,
}

impl DumpHistory {
    /// Reads the dump in this directory, which may be empty or not there yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
}

impl History for DumpHistory {
    fn read(
        &self,
        from_ms: i64,
        to_ms: i64,
        each: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        let files = match dump::list(&self.dir) {
            Err(_) if !self.dir.exists() => return Ok(()),
            listed => listed?,
        };
        for (at, file) in files.iter().enumerate() {
            if !may_hold(file, files.get(at + 1), from_ms, to_ms) {
                continue;
            }
            let source = match Source::open([&file.path]) {
                Ok(source) => source,
                // The server may have removed it since it was listed.
                Err(error) => {
                    debug!(%error, "a file of the dump is left out");
                    continue;
                }
            };
            let has_teams = file.format == DumpFormat::Json;
            if read_file(source, has_teams, from_ms, to_ms, each).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a file may hold events of this time: it was begun before the end of it, and the next one
/// after its start. A clock that was set back in between makes that longer, never shorter.
fn may_hold(file: &DumpFile, next: Option<&DumpFile>, from_ms: i64, to_ms: i64) -> bool {
    let end = next.map_or(i64::MAX, |next| next.begun_ms.saturating_add(SLACK_MS));
    file.begun_ms.min(end) <= to_ms && end.max(file.begun_ms) >= from_ms
}

fn read_file(
    source: Source,
    has_teams: bool,
    from_ms: i64,
    to_ms: i64,
    each: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for entry in source {
        // Damaged lines and gaps are for those who look after the dump.
        let Ok(Entry::Event(record)) = entry else { continue };
        let received_ms = record.received_ms();
        if received_ms > to_ms.saturating_add(SLACK_MS) {
            break;
        }
        if (from_ms..=to_ms).contains(&received_ms) {
            let team = has_teams.then(|| record.team());
            each(Past { received_ms, team, event: record.event() })?;
        }
    }
    ControlFlow::Continue(())
}
