//! What is in the data directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use store::dump::{DumpLine, DumpReader};

use super::event::{self, Stamp};
use super::model::{Effect, Fault, Model};

/// What an end left behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leftovers {
    /// Files whose last line is not complete.
    pub(crate) torn: u64,
    /// Files that were being written aside.
    pub(crate) unfinished: u64,
    /// Files that were set aside.
    pub(crate) damaged: u64,
}

impl Leftovers {
    pub(crate) fn look(data: &Path) -> Self {
        let mut left = Self::default();
        // An upload that broke off.
        left.unfinished += files(&data.join("packages/tmp")).len() as u64;
        for path in files(&data.join("state")).into_iter().chain(files(&data.join("dump"))) {
            let name = path.to_string_lossy();
            left.unfinished += u64::from(name.ends_with(".tmp"));
            left.damaged += u64::from(name.contains(".damaged"));
            // A file may go while one looks.
            let is_torn = |text: Vec<u8>| text.last().is_some_and(|&byte| byte != b'\n');
            if name.ends_with(".jsonl") {
                left.torn += u64::from(fs::read(&path).is_ok_and(is_torn));
            }
        }
        left
    }
}

/// Checks a dump against what was sent. Returns the number of its events.
pub(crate) fn check_dump(dir: &Path, model: &mut Model) -> u64 {
    let mut faults = Vec::new();
    let mut count: BTreeMap<Stamp, u32> = BTreeMap::new();
    let mut newest: BTreeMap<usize, u32> = BTreeMap::new();
    let mut events = 0;
    for file in store::dump::list(dir).unwrap() {
        let path = file.path;
        for line in DumpReader::open(&path).unwrap() {
            let text = match line {
                Ok(DumpLine::Event { event, .. }) => event,
                Ok(other) => {
                    faults.push((Fault::Lost, format!("{}: {other:?}", path.display())));
                    continue;
                }
                Err(error) => {
                    faults.push((Fault::Unreadable, error.to_string()));
                    continue;
                }
            };
            events += 1;
            let Some(stamp) = event::stamp(text.as_bytes()) else {
                faults.push((Fault::Wrong, format!("{}: {text}", path.display())));
                continue;
            };
            *count.entry(stamp).or_default() += 1;
            let newest = newest.entry(stamp.by).or_default();
            if stamp.n < *newest {
                faults.push((Fault::Wrong, format!("{stamp:?} is dumped behind {newest}")));
            }
            *newest = stamp.n;
        }
    }
    for (stamp, op) in model.all().filter(|(_, op)| op.effect != Effect::Leave) {
        let is_due = op.seen.zip(op.end).is_some_and(|(seen, end)| seen <= end.dumped);
        match count.remove(&stamp).unwrap_or(0) {
            0 if is_due && !op.is_returned => {
                faults.push((Fault::Lost, format!("{stamp:?} is not in the dump: {op:?}")));
            }
            0 | 1 => {}
            times => faults.push((Fault::Repeated, format!("{stamp:?} is dumped {times} times"))),
        }
    }
    for stamp in count.keys() {
        faults.push((Fault::Wrong, format!("{stamp:?} is dumped and was never sent")));
    }
    for (fault, what) in faults {
        model.fault(fault, what);
    }
    events
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
