//! Whatever happens to a file, a load finds a state that was, and says what it could not use.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use store::testing::SimFs;
use store::{Change, JsonState, Loaded, StateStore};

type Map = BTreeMap<String, String>;

const DIR: &str = "/state";
const FLIPS: usize = 10_000;

/// Three generations, and every state that was while they were written.
struct History {
    fs: SimFs,
    moments: Vec<Map>,
    /// The last moment that each generation's snapshot holds, by generation.
    committed: BTreeMap<u64, usize>,
    /// The moments between which each generation was appended to.
    appended: BTreeMap<u64, Range<usize>>,
}

impl History {
    fn write() -> Self {
        let fs = SimFs::new();
        let mut store = open(&fs);
        store.load().unwrap();
        let (mut moments, mut committed) = (vec![Map::new()], BTreeMap::new());
        let mut appended = BTreeMap::new();
        for generation in 1..=3 {
            let first = moments.len() - 1;
            store.begin(7, true).unwrap();
            append(&mut store, &mut moments, 2);
            let now = moments.last().unwrap();
            store
                .put(&now.iter().map(|(key, value)| Change::put(key, value)).collect::<Vec<_>>())
                .unwrap();
            append(&mut store, &mut moments, 3);
            store.commit().unwrap();
            committed.insert(generation, moments.len() - 1);
            for changes in [1, 4, 2, 1, 3] {
                append(&mut store, &mut moments, changes);
            }
            appended.insert(generation, first..moments.len() - 1);
        }
        Self { fs, moments, committed, appended }
    }

    fn last(&self) -> &Map {
        self.moments.last().unwrap()
    }

    fn contents(&self, name: &str) -> Vec<u8> {
        self.fs.contents(&path(name)).unwrap()
    }

    /// Loads with other contents of one file, and nothing left of others.
    fn load_with(&self, name: &str, contents: &[u8], without: &[&str]) -> (SimFs, Loaded) {
        let fs = self.fs.fork();
        fs.place(&path(name), contents);
        for name in without {
            fs.place(&path(name), b"");
        }
        let loaded = open(&fs).load().unwrap();
        (fs, loaded)
    }
}

fn open(fs: &SimFs) -> JsonState<SimFs> {
    JsonState::with_fs(fs.clone(), DIR).unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// Appends so many changes at once.
fn append(store: &mut JsonState<SimFs>, moments: &mut Vec<Map>, changes: usize) {
    let batch: Vec<_> = (0..changes)
        .map(|_| {
            let number = moments.len();
            let mut map = moments.last().unwrap().clone();
            let key = format!("item//{}", number * 7 % 11);
            let is_removed = number.is_multiple_of(5) && map.remove(&key).is_some();
            let value = (!is_removed).then(|| format!(r#"{{"number":{number}}}"#));
            if let Some(value) = value.clone() {
                map.insert(key.clone(), value);
            }
            moments.push(map);
            Change { key, value }
        })
        .collect();
    store.append(&batch).unwrap();
}

fn names(loaded: &Loaded) -> Vec<&str> {
    let damaged = loaded.report.damaged.iter();
    damaged.map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect()
}

/// So many different bits of a file, spread over it.
fn flips(len: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = len * 8;
    // A step that shares no divisor with the number of bits meets each of them.
    let step = (bits * 5 / 13..).find(|step| gcd(*step, bits) == 1).unwrap();
    (0..FLIPS.min(bits)).map(move |flip| flip * step % bits).map(|bit| (bit / 8, 1 << (bit % 8)))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn flipped(contents: &[u8], (at, bit): (usize, u8)) -> Vec<u8> {
    let mut flipped = contents.to_vec();
    flipped[at] ^= bit;
    flipped
}

const SNAPSHOT: &str = "state-00000003.json";
const JOURNAL: &str = "journal-00000003.jsonl";

#[test]
fn a_truncated_snapshot_costs_nothing_and_is_named() {
    let history = History::write();
    let contents = history.contents(SNAPSHOT);
    for len in 0..contents.len() - 1 {
        let (fs, loaded) = history.load_with(SNAPSHOT, &contents[..len], &[]);
        assert_eq!(loaded.entries, *history.last(), "cut at {len}");
        assert_eq!(names(&loaded), ["state-00000003.json.damaged"], "cut at {len}");
        assert_eq!(loaded.report.generation, 2);
        assert_eq!(fs.contents(&path("state-00000003.json.damaged")).unwrap(), contents[..len]);
    }
    let (_, loaded) = history.load_with(SNAPSHOT, &contents[..contents.len() - 1], &[]);
    assert_eq!(loaded.report.damaged, [], "only the end of the last line is missing");
}

#[test]
fn a_flipped_bit_in_a_snapshot_costs_nothing_and_is_named() {
    let history = History::write();
    let contents = history.contents(SNAPSHOT);
    for flip in flips(contents.len()) {
        let (_, loaded) = history.load_with(SNAPSHOT, &flipped(&contents, flip), &[]);
        assert_eq!(loaded.entries, *history.last(), "{flip:?}");
        assert_eq!(loaded.schema, 7, "{flip:?}");
        assert_eq!(names(&loaded), ["state-00000003.json.damaged"], "{flip:?}");
    }
}

#[test]
fn a_truncated_journal_gives_what_is_before_the_cut() {
    let history = History::write();
    let contents = history.contents(JOURNAL);
    let heading = contents.iter().position(|byte| *byte == b'\n').unwrap();
    for len in 0..=contents.len() {
        let cut = &contents[..len];
        let (_, loaded) = history.load_with(JOURNAL, cut, &[]);
        // A line without its end is whole all the same.
        let is_end = contents.get(len) == Some(&b'\n');
        let lines = cut.iter().filter(|byte| **byte == b'\n').count() + usize::from(is_end);
        let moment = history.appended[&3].start + lines.saturating_sub(1);
        let held = history.committed[&3];
        assert_eq!(loaded.entries, history.moments[moment.max(held)], "cut at {len}");
        let is_named = names(&loaded) == ["journal-00000003.jsonl.damaged"];
        if len < heading || moment < held {
            assert!(is_named, "cut at {len}: {:?}", loaded.report);
        } else {
            let line = cut.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let torn = if is_end { 0 } else { len - line };
            assert_eq!(loaded.report.torn_bytes, torn as u64, "cut at {len}");
            assert!(!is_named, "cut at {len}: {:?}", loaded.report);
        }
    }
}

#[test]
fn a_flipped_bit_in_a_journal_gives_what_is_before_it_and_is_named() {
    let history = History::write();
    let contents = history.contents(JOURNAL);
    let lines = contents.iter().filter(|byte| **byte == b'\n').count();
    for flip in flips(contents.len()) {
        let (_, loaded) = history.load_with(JOURNAL, &flipped(&contents, flip), &[]);
        let line = contents[..flip.0].iter().filter(|byte| **byte == b'\n').count();
        let moment = history.appended[&3].start + line.saturating_sub(1);
        let held = history.committed[&3];
        let is_newline = contents[flip.0] == b'\n';
        let expected = &history.moments[moment.max(held)];
        // The end of the last line may be anything.
        if !(is_newline && line + 1 == lines) {
            assert_eq!(loaded.entries, *expected, "{flip:?}");
        }
        // The last batch is the last three lines: there it may be an unfinished write.
        if line + 3 < lines {
            assert_eq!(names(&loaded), ["journal-00000003.jsonl.damaged"], "{flip:?}");
        } else {
            assert!(loaded.report.torn_bytes > 0, "{flip:?}: {:?}", loaded.report);
        }
    }
}

#[test]
fn with_two_files_damaged_an_older_moment_is_found() {
    let history = History::write();
    let middle = "journal-00000002.jsonl";
    let contents = history.contents(middle);
    for flip in flips(contents.len()).step_by(7) {
        let (_, loaded) = history.load_with(middle, &flipped(&contents, flip), &[SNAPSHOT]);
        let line = contents[..flip.0].iter().filter(|byte| **byte == b'\n').count();
        let moment = history.appended[&2].start + line.saturating_sub(1);
        let found = &history.moments[moment.max(history.committed[&2])];
        if contents[flip.0] != b'\n' {
            assert_eq!(loaded.entries, *found, "{flip:?}");
        }
        assert!(history.moments.contains(&loaded.entries), "{flip:?}");
        assert!(names(&loaded).contains(&"state-00000003.json.damaged"), "{flip:?}");
        if loaded.entries != *history.last() {
            assert!(names(&loaded).contains(&"journal-00000003.jsonl.damaged"), "{flip:?}");
        }
    }
}

#[test]
fn without_any_snapshot_the_journals_are_enough() {
    let history = History::write();
    let (_, loaded) =
        history.load_with("state-00000001.json", b"", &["state-00000002.json", SNAPSHOT]);
    assert_eq!(loaded.entries, *history.last());
    assert_eq!(loaded.report.damaged.len(), 3);
    assert_eq!(loaded.report.generation, 0);
}

#[test]
fn without_anything_good_the_start_is_empty_and_all_is_set_aside() {
    let history = History::write();
    let names: Vec<_> = history.fs.files();
    for garbage in [&b""[..], b"\0", b"{", b"\n\n\n", b"{}\n{}\n", &[0xff; 3000], &[0; 3000]] {
        let fs = history.fs.fork();
        for path in &names {
            fs.place(path, garbage);
        }
        let mut store = open(&fs);
        let loaded = store.load().unwrap();
        assert_eq!(loaded.entries, Map::new());
        assert_eq!(loaded.report.damaged.len(), names.len(), "{:?}", loaded.report);
        store.begin(1, true).unwrap();
        store.append(&[Change::put("a", "1")]).unwrap();
        drop(store);
        assert!(fs.files().contains(&path("journal-00000004.jsonl")), "numbers are not used twice");
        let loaded = open(&fs).load().unwrap();
        assert_eq!(loaded.report.damaged, [], "damage is reported once");
        assert_eq!(loaded.entries.len(), 1);
    }
}

#[test]
fn history_goes_on_behind_a_damaged_journal() {
    let history = History::write();
    let contents = history.contents(JOURNAL);
    for flip in flips(contents.len()).step_by(97) {
        let (fs, loaded) = history.load_with(JOURNAL, &flipped(&contents, flip), &[]);
        let mut now = loaded.entries;
        for round in 0..4 {
            let mut store = open(&fs);
            let loaded = store.load().unwrap();
            assert_eq!(loaded.entries, now, "{flip:?} in round {round}");
            assert_eq!(loaded.report.damaged, [], "{flip:?} in round {round}");
            store.begin(7, true).unwrap();
            now.insert("more".to_owned(), round.to_string());
            store.append(&[Change::put("more", round.to_string())]).unwrap();
        }
    }
}

#[test]
fn lines_that_are_lost_doubled_or_swapped_are_found() {
    let history = History::write();
    let contents = String::from_utf8(history.contents(JOURNAL)).unwrap();
    let lines: Vec<_> = contents.split_inclusive('\n').collect();
    let held = history.committed[&3];
    for at in 1..lines.len() - 1 {
        let mut lost = lines.clone();
        lost.remove(at);
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        for (lines, good) in [(lost, at - 1), (doubled, at), (swapped, at - 1)] {
            let (_, loaded) = history.load_with(JOURNAL, lines.concat().as_bytes(), &[]);
            let moment = history.appended[&3].start + good;
            assert_eq!(loaded.entries, history.moments[moment.max(held)], "line {at}");
            assert_eq!(names(&loaded), ["journal-00000003.jsonl.damaged"], "line {at}");
        }
    }
}

#[test]
fn files_under_the_name_of_another_generation_are_not_used() {
    let history = History::write();
    let older = history.contents("state-00000002.json");
    let (_, loaded) = history.load_with(SNAPSHOT, &older, &[]);
    assert_eq!(loaded.entries, *history.last());
    assert_eq!(names(&loaded), ["state-00000003.json.damaged"]);
    let (_, loaded) = history.load_with(JOURNAL, &history.contents("journal-00000002.jsonl"), &[]);
    assert_eq!(loaded.entries, history.moments[history.committed[&3]]);
    assert_eq!(names(&loaded), ["journal-00000003.jsonl.damaged"]);
}

#[test]
fn what_is_behind_the_end_of_a_snapshot_is_damage() {
    let history = History::write();
    let contents = history.contents(SNAPSHOT);
    for more in ["\n", "x", "\"item//1\":1\n"] {
        let longer = [contents.as_slice(), more.as_bytes()].concat();
        let (_, loaded) = history.load_with(SNAPSHOT, &longer, &[]);
        assert_eq!(loaded.entries, *history.last());
        assert_eq!(names(&loaded), ["state-00000003.json.damaged"]);
    }
}

#[test]
fn a_file_without_line_ends_is_damage_and_takes_no_memory() {
    let history = History::write();
    let endless = [history.contents(JOURNAL), vec![b'x'; 17 << 20]].concat();
    let (_, loaded) = history.load_with(JOURNAL, &endless, &[]);
    assert_eq!(loaded.entries, *history.last());
    assert_eq!(loaded.report.torn_bytes, 17 << 20);
    let (_, loaded) = history.load_with(SNAPSHOT, &vec![b'x'; 17 << 20], &[]);
    assert_eq!(loaded.entries, *history.last());
    assert_eq!(names(&loaded), ["state-00000003.json.damaged"]);
}

#[test]
fn what_is_set_aside_replaces_nothing() {
    let history = History::write();
    let fs = history.fs.fork();
    fs.place(&path("state-00000003.json.damaged"), b"first");
    fs.place(&path("state-00000003.json.damaged.2"), b"second");
    fs.place(&path(SNAPSHOT), b"third");
    let loaded = open(&fs).load().unwrap();
    assert_eq!(names(&loaded), ["state-00000003.json.damaged.3"]);
    for (suffix, contents) in [("", "first"), (".2", "second"), (".3", "third")] {
        let path = path(&format!("state-00000003.json.damaged{suffix}"));
        assert_eq!(fs.contents(&path).unwrap(), contents.as_bytes());
    }
}

#[test]
fn files_of_others_stay() {
    let history = History::write();
    let fs = history.fs.fork();
    let others =
        ["lock", "notes.txt", "state.json", "state-1.json", "x.tmp", "state-00000009.json.bak"];
    for name in others {
        fs.place(&path(name), b"other");
    }
    fs.place(&path("state-00000009.json.tmp"), b"{");
    fs.place(&path("journal-00000009.jsonl.tmp"), b"{");
    let loaded = open(&fs).load().unwrap();
    assert_eq!(loaded.entries, *history.last());
    assert_eq!((loaded.report.swept, loaded.report.damaged.len()), (2, 0));
    assert!(others.iter().all(|name| fs.contents(&path(name)).is_some()));
}
