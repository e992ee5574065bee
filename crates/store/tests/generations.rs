//! Which files there are, and what ends a generation.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use store::testing::{Crash, Fault, SimFs};
use store::{Change, JsonState, StateStore, StoreError};

const DIR: &str = "/state";

fn open(fs: &SimFs) -> JsonState<SimFs> {
    let mut store = JsonState::with_fs(fs.clone(), DIR).unwrap();
    store.load().unwrap();
    store
}

fn commit(store: &mut JsonState<SimFs>) {
    store.begin(1, true).unwrap();
    store.put(&[Change::put("a", "1")]).unwrap();
    store.commit().unwrap();
}

/// The generations that have a file of a kind.
fn generations(fs: &SimFs, kind: &str) -> Vec<String> {
    let names = fs.files();
    let names = names.iter().filter_map(|path| path.file_name()?.to_str());
    names
        .filter_map(|name| name.strip_prefix(kind)?.split('.').next())
        .map(|digits| digits.trim_start_matches('0').to_owned())
        .collect()
}

#[test]
fn the_newest_snapshots_are_kept_with_all_journals_since() {
    let fs = SimFs::new();
    let mut store = open(&fs);
    for _ in 0..5 {
        commit(&mut store);
        store.begin(1, true).unwrap();
    }
    assert_eq!(generations(&fs, "state-"), ["5", "7", "9", "10"], "10 is not finished");
    assert_eq!(generations(&fs, "journal-"), ["5", "6", "7", "8", "9", "10"]);

    // What is there counts after a restart, too.
    drop(store);
    let mut store = JsonState::with_fs(fs.clone(), DIR).unwrap().keep_generations(2);
    assert_eq!(store.load().unwrap().report.generation, 9);
    commit(&mut store);
    assert_eq!(generations(&fs, "state-"), ["9", "11"]);
    assert_eq!(generations(&fs, "journal-"), ["9", "10", "11"]);
}

#[test]
fn little_of_a_large_snapshot_is_left_to_sync_at_its_end() {
    let fs = SimFs::new();
    let mut store = open(&fs);
    store.begin(1, true).unwrap();
    let value = format!("\"{}\"", "x".repeat(1_000));
    for part in 0..100 {
        let entries = (0..100).map(|at| Change::put(format!("{part}/{at}"), value.clone()));
        store.put(&entries.collect::<Vec<_>>()).unwrap();
    }
    fs.crash(Crash::Lost);
    let unfinished = fs.contents(Path::new("/state/state-00000001.json.tmp")).unwrap();
    assert!(unfinished.len() > 10_000_000 - (5 << 18), "{}", unfinished.len());
}

#[test]
fn a_file_that_cannot_be_removed_is_removed_later() {
    let fs = SimFs::new();
    let mut store = open(&fs).keep_generations(1);
    commit(&mut store);
    store.begin(1, true).unwrap();
    // Behind three writes, the sync, the renaming and the directory.
    fs.fail(fs.operations() + 6, Fault::Failure);
    store.commit().unwrap();
    assert_eq!(generations(&fs, "state-"), ["1", "2"]);
    commit(&mut store);
    assert_eq!(generations(&fs, "state-"), ["3"]);
}

#[test]
fn nothing_is_left_of_a_generation_that_could_not_be_begun() {
    let steps = {
        let fs = SimFs::new();
        let mut store = open(&fs);
        let before = fs.operations();
        store.begin(1, true).unwrap();
        fs.operations() - before
    };
    for step in 0..steps {
        let fs = SimFs::new();
        let mut store = open(&fs);
        fs.fail(fs.operations() + step, Fault::Full);
        let refused = store.begin(1, true).unwrap_err();
        assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
        assert_eq!(fs.files(), [""; 0].map(Path::new), "at step {step}");
        assert!(matches!(store.append(&[]), Err(StoreError::Misused(_))));
        store.begin(1, true).unwrap();
        store.append(&[Change::put("a", "1")]).unwrap();
        drop(store);
        fs.crash(Crash::Lost);
        assert_eq!(open(&fs).load().unwrap().entries.len(), 1, "at step {step}");
    }
}

#[test]
fn after_a_refused_change_a_generation_counts_from_its_commit() {
    let fs = SimFs::new();
    let mut store = open(&fs);
    commit(&mut store);
    // The write, then the sync.
    fs.fail(fs.operations() + 1, Fault::Failure);
    store.append(&[Change::put("b", "2")]).unwrap_err();
    assert!(matches!(store.append(&[Change::put("b", "2")]), Err(StoreError::Misused(_))));
    // Whatever the owner thinks.
    store.begin(1, true).unwrap();
    store.append(&[Change::put("c", "3")]).unwrap();
    let found =
        |fs: &SimFs| open(&fs.fork()).load().unwrap().entries.into_keys().collect::<Vec<_>>();
    assert_eq!(found(&fs), ["a"]);
    store.put(&[Change::put("b", "2")]).unwrap();
    store.commit().unwrap();
    assert_eq!(found(&fs), ["b", "c"]);
}

#[test]
fn attempts_that_came_to_nothing_leave_nothing() {
    let fs = SimFs::new();
    let mut store = open(&fs);
    commit(&mut store);
    for _ in 0..10 {
        store.begin(1, false).unwrap();
        store.append(&[Change::put("b", "2")]).unwrap();
    }
    assert_eq!(generations(&fs, "journal-"), ["1", "11"]);
}

#[test]
fn a_snapshot_that_is_refused_leaves_the_journal_in_use() {
    for step in 0..4 {
        let fs = SimFs::new();
        let mut store = open(&fs);
        store.begin(1, true).unwrap();
        store.append(&[Change::put("a", "1")]).unwrap();
        store.put(&[Change::put("never appended", "1")]).unwrap();
        fs.fail(fs.operations() + step, Fault::Full);
        store.commit().unwrap_err();
        assert!(matches!(store.commit(), Err(StoreError::Misused(_))));
        assert_eq!(generations(&fs, "state-"), [""; 0], "at step {step}");
        store.append(&[Change::put("b", "2")]).unwrap();
        drop(store);
        fs.crash(Crash::Lost);
        let loaded = JsonState::with_fs(fs, DIR).unwrap().load().unwrap();
        assert_eq!(loaded.entries.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let fs = SimFs::new();
    let mut store = open(&fs);
    store.begin(1, true).unwrap();
    for value in ["{", "a", "1 2", "{\"a\":1}}", "nul", "'a'", "\"\t\"", "\u{feff}1", "[1,]"] {
        let changes = [Change::put("good", "1"), Change::put("key", value)];
        for refused in [store.append(&changes), store.put(&changes)] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.to_string(), "the value of `key` is not JSON", "{value:?}");
        }
    }
    store.commit().unwrap();
    assert_eq!(open(&fs).load().unwrap().entries.len(), 0);
}
