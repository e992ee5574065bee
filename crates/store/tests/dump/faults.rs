//! Faults and crashes at every step: nothing that was synced is lost, nothing is there twice, and
//! what is missing is told.

use std::io::Cursor;
use std::path::Path;

use store::dump::{
    DumpConfig, DumpLine, DumpReader, DumpSource, DumpStats, DumpWriter, GapReason, compress,
};
use store::testing::{Crash, Fault, SimFs};

use crate::support::*;

const DIR: &str = "/data/dump";

/// Small files, so that all that can happen does.
fn config() -> DumpConfig {
    let mut config = DumpConfig::new(DIR);
    config.max_file_bytes = 5000;
    config
}

/// What a run of the script knows.
#[derive(Debug, Default)]
struct Known {
    pushed: u64,
    /// Events that a sync has confirmed.
    synced: Vec<u64>,
    /// How many may be both in the dump and told as missing.
    unsynced: u64,
    errors: u64,
}

/// Pushes events in threes, beginning with `first`, flushes each, syncs every other, and compresses
/// what is finished.
fn run(fs: &SimFs, first: u64, known: &mut Known) {
    let Ok((mut dump, _)) = DumpWriter::open(fs.clone(), config(), NOW_MS) else {
        known.errors += 1;
        return;
    };
    let mut flushed = Vec::new();
    let unsynced = |stats: DumpStats| stats.dropped.get(GapReason::Unsynced);
    let lost = |stats: DumpStats| stats.dropped.total() - unsynced(stats);
    for round in 0..14 {
        let events = first + 3 * round..first + 3 * round + 3;
        known.pushed += 3;
        events.clone().for_each(|number| push(&mut dump, number));
        let before = dump.stats();
        known.errors += u64::from(dump.flush(NOW_MS).is_err());
        if unsynced(dump.stats()) > unsynced(before) {
            flushed.clear();
        }
        if lost(dump.stats()) == lost(before) {
            flushed.extend(events);
        }
        if round % 2 == 1 {
            match dump.sync() {
                Ok(()) => known.synced.append(&mut flushed),
                Err(_) => {
                    known.errors += 1;
                    flushed.clear();
                }
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
    known.unsynced += unsynced(dump.stats());
}

/// What a dump holds after another start.
#[derive(Debug, Default)]
struct Found {
    events: Vec<u64>,
    missing: u64,
    damaged: u64,
}

/// Starts again and reads all there is. Lines are right, in order, and none is there twice.
fn found(fs: &SimFs, case: &str) -> Found {
    let (mut dump, _) = DumpWriter::open(fs.clone(), config(), NOW_MS).expect(case);
    compress_all(fs, &mut dump).expect(case);
    let files = fs.files();
    assert_eq!(dump.stats().files, files.len(), "{case}: {files:?}");
    let mut found = Found::default();
    for path in files {
        let content = Cursor::new(fs.contents(&path).unwrap());
        let source = DumpSource::new(&path, content).expect(case);
        for read in DumpReader::new(source).expect(case) {
            match read {
                Ok(DumpLine::Gap { events, .. }) => found.missing += events,
                Ok(read @ DumpLine::Event { received_ms, .. }) => {
                    let number = (received_ms - NOW_MS).cast_unsigned();
                    assert_eq!(read, line(number), "{case}");
                    found.events.push(number);
                }
                Ok(other) => panic!("{case}: {other:?}"),
                Err(error) => {
                    assert!(!error.is_final(), "{case}: {error}");
                    found.damaged += 1;
                }
            }
        }
    }
    assert!(found.events.is_sorted_by(|a, b| a < b), "{case}: {:?}", found.events);
    found
}

fn assert_synced_are_there(known: &Known, found: &Found, case: &str) {
    for number in &known.synced {
        assert!(found.events.contains(number), "{case}: {number} is lost: {:?}", found.events);
    }
}

/// How many operations the script takes without a fault.
fn operations() -> u64 {
    let fs = SimFs::new();
    let mut known = Known::default();
    run(&fs, 0, &mut known);
    assert_eq!((known.errors, known.synced.len()), (0, 42));
    fs.operations()
}

/// Crashes of each kind.
fn crashes(seed: u64) -> [Crash; 5] {
    let (some, torn) = (Crash::Some, Crash::Torn);
    [Crash::Killed, Crash::Lost, some(seed), some(!seed), torn(seed)]
}

#[test]
fn a_fault_at_any_step_costs_no_synced_event_and_is_told() {
    for fault in [Fault::Failure, Fault::Full, Fault::Short] {
        for in_a_row in [1, 2, 8] {
            for at in 0..operations() {
                let case = format!("{fault:?} {in_a_row} times at operation {at}");
                let fs = SimFs::new();
                (at..at + in_a_row).for_each(|operation| fs.fail(operation, fault));
                let mut known = Known::default();
                run(&fs, 0, &mut known);
                fs.crash(Crash::Killed);
                let found = found(&fs, &case);
                assert_synced_are_there(&known, &found, &case);
                assert_eq!(found.damaged, 0, "{case}");
                let told = found.events.len() as u64 + found.missing;
                assert!(told >= known.pushed, "{case}: {found:?}");
                assert!(told - known.unsynced <= known.pushed, "{case}: {found:?}");
                if fault == Fault::Short {
                    assert_eq!((known.errors, found.missing), (0, 0), "{case}");
                }
            }
        }
    }
    println!("3 faults, 1, 2 and 8 in a row, at each of {} operations", operations());
}

#[test]
fn a_crash_at_any_step_costs_no_synced_event() {
    let mut damaged = 0;
    for at in 0..operations() {
        for crash in crashes(at) {
            let case = format!("{crash:?} at operation {at}");
            let fs = SimFs::new();
            fs.fail(at, Fault::Stop);
            let mut known = Known::default();
            run(&fs, 0, &mut known);
            fs.crash(crash);
            let found = found(&fs, &case);
            assert_synced_are_there(&known, &found, &case);
            damaged += found.damaged;
            assert!(found.damaged == 0 || matches!(crash, Crash::Some(_)), "{case}: {found:?}");
        }
    }
    println!(
        "5 crashes at each of {} operations: {damaged} lines damaged, all unsynced",
        operations()
    );
}

#[test]
fn a_power_cut_after_a_fault_costs_no_synced_event() {
    for fault in [Fault::Failure, Fault::Full] {
        for at in 0..operations() {
            for crash in crashes(at) {
                let case = format!("{fault:?} at operation {at}, {crash:?}");
                let fs = SimFs::new();
                fs.fail(at, fault);
                let mut known = Known::default();
                run(&fs, 0, &mut known);
                fs.crash(crash);
                assert_synced_are_there(&known, &found(&fs, &case), &case);
            }
        }
    }
}

#[test]
fn a_second_crash_costs_no_synced_event_either() {
    for at in (0..operations()).step_by(3) {
        for (first, second) in crashes(at).into_iter().zip(crashes(at + 1).into_iter().rev()) {
            let case = format!("{first:?} at operation {at}, then {second:?}");
            let fs = SimFs::new();
            fs.fail(at, Fault::Stop);
            let mut known = Known::default();
            run(&fs, 0, &mut known);
            fs.crash(first);
            // While it starts, or somewhat later.
            fs.fail(fs.operations() + at % 29, Fault::Stop);
            run(&fs, 100, &mut known);
            fs.crash(second);
            run(&fs, 200, &mut known);
            fs.crash(Crash::Lost);
            assert_synced_are_there(&known, &found(&fs, &case), &case);
        }
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_used_when_it_is_not() {
    let fs = SimFs::new();
    fs.place(&Path::new(DIR).join("other"), &[0; 100]);
    fs.set_capacity(Some(100));
    let (mut dump, _) = DumpWriter::open(fs.clone(), config(), NOW_MS).unwrap();
    for number in 0..5 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap_err();
    }
    fs.set_capacity(None);
    push(&mut dump, 5);
    dump.flush(NOW_MS).unwrap();
    assert_eq!(dump.stats().dropped.get(GapReason::NoSpace), 5);
    assert_eq!((dump.stats().events, dump.stats().gaps, dump.stats().files), (1, 1, 1));
}
