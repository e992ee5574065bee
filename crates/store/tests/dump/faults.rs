//! Faults of the disk at every step: nothing that was synced is lost, nothing is there twice, and
//! what is missing is told.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::dump::{DumpConfig, DumpLine, DumpWriter, GapReason, compress};
use store::fs::{Fs, FsEntry, FsFile, RealFs};

use crate::support::*;

/// What goes wrong, and for how many operations.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Operations are refused.
    Refused(ErrorKind, u64),
    /// The process is killed in the middle: a write is torn, and nothing is done any more.
    Killed,
    /// A write takes half of what it is given, without an error.
    Short,
    /// A write takes half, and those after it are refused.
    Torn(ErrorKind, u64),
}

/// The system's file system, on which the operation with a given number goes wrong.
#[derive(Clone, Debug)]
struct Faulty {
    at: u64,
    fault: Fault,
    operations: Arc<AtomicU64>,
    /// Which operations were refused.
    refused: Arc<Mutex<Vec<&'static str>>>,
}

impl Faulty {
    fn new(at: u64, fault: Fault) -> Self {
        Self { at, fault, operations: Arc::default(), refused: Arc::default() }
    }

    /// Counts an operation; how much of it is done, in halves.
    fn step(&self, name: &'static str) -> io::Result<usize> {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        let Some(since) = number.checked_sub(self.at) else { return Ok(2) };
        let refused = match self.fault {
            Fault::Short if since == 0 => return Ok(1),
            Fault::Torn(..) | Fault::Killed if since == 0 && name == "write" => return Ok(1),
            Fault::Torn(kind, count) | Fault::Refused(kind, count) if since < count => kind,
            Fault::Killed => ErrorKind::BrokenPipe,
            _ => return Ok(2),
        };
        self.refused.lock().unwrap().push(name);
        Err(refused.into())
    }
}

impl Fs for Faulty {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.step("create")?;
        Ok(Box::new(FaultyFile { fs: self.clone(), file: RealFs.create_new(path)? }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.step("append")?;
        Ok(Box::new(FaultyFile { fs: self.clone(), file: RealFs.append(path)? }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.step("open")?;
        RealFs.open(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step("sync file")?;
        RealFs.sync_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        self.step("list")?;
        RealFs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename")?;
        RealFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove")?;
        RealFs.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.step("sync dir").map(drop)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.step("create dir")?;
        RealFs.create_dir(dir)
    }
}

#[derive(Debug)]
struct FaultyFile {
    fs: Faulty,
    file: Box<dyn FsFile>,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let halves = self.fs.step("write")?;
        self.file.write(&bytes[..bytes.len() * halves / 2])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for FaultyFile {
    // Really syncing takes long, and nobody here cuts the power.
    fn sync_data(&mut self) -> io::Result<()> {
        self.fs.step("sync").map(drop)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.fs.step("set len")?;
        self.file.set_len(len)
    }
}

/// What a run of the script knows.
#[derive(Debug, Default)]
struct Known {
    pushed: u64,
    /// Events below this that were flushed without an error are synced.
    synced: Vec<u64>,
    unsynced: u64,
    operations: u64,
    errors: u64,
}

/// Small files, so that all that can happen does.
fn config(dir: &Path) -> DumpConfig {
    let mut config = DumpConfig::new(dir);
    config.max_file_bytes = 5000;
    config
}

/// Pushes events in threes, flushes each, syncs every other, and compresses what is finished.
fn run(fs: &Faulty, dir: &Path, known: &mut Known) {
    let Ok((mut dump, _)) = DumpWriter::open(fs.clone(), config(dir), NOW_MS) else {
        known.errors += 1;
        return;
    };
    let mut flushed = Vec::new();
    for round in 0..14 {
        let begin = known.pushed;
        known.pushed += 3;
        (begin..known.pushed).for_each(|number| push(&mut dump, number));
        let dropped = dump.stats().dropped.total() - dump.stats().dropped.get(GapReason::Unsynced);
        known.errors += u64::from(dump.flush(NOW_MS).is_err());
        let dropped_by_now =
            dump.stats().dropped.total() - dump.stats().dropped.get(GapReason::Unsynced);
        if dropped == dropped_by_now {
            flushed.extend(begin..known.pushed);
        }
        if round % 2 == 1 {
            let unsynced = dump.stats().dropped.get(GapReason::Unsynced);
            let result = dump.sync();
            known.errors += u64::from(result.is_err());
            if result.is_ok() && unsynced == dump.stats().dropped.get(GapReason::Unsynced) {
                known.synced.append(&mut flushed);
            }
        }
        while let Some(job) = dump.next_job() {
            let result = compress(fs, &job);
            known.errors += u64::from(dump.note_compressed(job, result).is_err());
        }
    }
    // The fault is over at some time, and then the gap is told and what was torn is cut off.
    for _ in 0..9 {
        let _ = dump.flush(NOW_MS);
    }
    known.unsynced = dump.stats().dropped.get(GapReason::Unsynced);
    known.operations = fs.operations.load(Ordering::Relaxed);
}

/// The events and the number of those missing, after another start. Lines are in order, none twice.
fn found(dir: &Path) -> (Vec<u64>, u64) {
    let fs = Faulty::new(u64::MAX, Fault::Killed);
    let (mut dump, _) = DumpWriter::open(fs.clone(), config(dir), NOW_MS).unwrap();
    compress_all(&fs, &mut dump).unwrap();
    assert!(names(dir).iter().all(|name| !name.ends_with(".tmp")));
    let (mut events, mut missing) = (Vec::new(), 0);
    for read in lines(dir) {
        match read {
            DumpLine::Gap { events, .. } => missing += events,
            DumpLine::Event { received_ms, .. } => {
                let number = (received_ms - NOW_MS).cast_unsigned();
                assert_eq!(read, line(number));
                events.push(number);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(events.is_sorted_by(|a, b| a < b), "in order and none twice: {events:?}");
    (events, missing)
}

/// Runs the script with a fault at every operation there is.
fn at_every_operation(fault: Fault) -> u64 {
    let mut at = 0;
    loop {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("dump");
        let fs = Faulty::new(at, fault);
        let mut known = Known::default();
        run(&fs, &dir, &mut known);
        let refused = fs.refused.lock().unwrap().first().copied();
        let case = format!("{fault:?} at {at} ({refused:?})");
        let (events, missing) = found(&dir);
        for number in &known.synced {
            assert!(events.contains(number), "{case}: {number} was synced and is lost");
        }
        if !matches!(fault, Fault::Killed) {
            let told = events.len() as u64 + missing;
            assert!(told >= known.pushed, "{case}: {events:?}, {missing} missing");
            assert!(told - known.unsynced <= known.pushed, "{case}: {events:?}, {missing} missing");
        }
        if matches!(fault, Fault::Short) {
            assert_eq!((known.errors, missing), (0, 0), "{case}");
        }
        at += 1;
        if known.operations != 0 && at > known.operations {
            return at;
        }
    }
}

#[test]
fn a_refusal_at_any_step_costs_no_synced_event_and_is_told() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for count in [1, 3, 8] {
            let operations = at_every_operation(Fault::Refused(kind, count));
            println!("{kind:?}, {count} in a row: at each of {operations} operations");
        }
    }
}

#[test]
fn a_torn_write_at_any_step_costs_no_synced_event_and_is_told() {
    for count in [1, 3, 8] {
        let operations = at_every_operation(Fault::Torn(ErrorKind::StorageFull, count));
        println!("torn, {count} in a row: at each of {operations} operations");
    }
}

#[test]
fn a_short_write_at_any_step_is_no_matter() {
    at_every_operation(Fault::Short);
}

#[test]
fn a_kill_at_any_step_costs_no_synced_event() {
    let operations = at_every_operation(Fault::Killed);
    println!("killed at each of {operations} operations");
}
