//! Files of every version that ever was can be read, and those of versions to come are kept.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use store::testing::SimFs;
use store::{Change, JsonState, Loaded, StateStore};

const DIR: &str = "/state";

/// A directory of files as a version wrote them.
fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/version-{version}"))
}

/// The files of a directory, by their names.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn placed(files: &BTreeMap<String, Vec<u8>>) -> SimFs {
    let fs = SimFs::new();
    for (name, contents) in files {
        fs.place(&Path::new(DIR).join(name), contents);
    }
    fs
}

fn open(fs: &SimFs) -> JsonState<SimFs> {
    JsonState::with_fs(fs.clone(), DIR).unwrap()
}

fn load(fs: &SimFs) -> Loaded {
    open(fs).load().unwrap()
}

/// What wrote the files of version 1.
fn write_version_1(fs: &SimFs) {
    let mut store = open(fs);
    store.load().unwrap();
    store.begin(1, true).unwrap();
    store
        .append(&[Change::put("item//A", r#"{"event":"<event uid='A'/>","received":1}"#)])
        .unwrap();
    store.begin(1, true).unwrap();
    store.put(&[Change::put("item//A", r#"{"event":"<event uid='A'/>","received":1}"#)]).unwrap();
    store.put(&[Change::put("contact/\"B\"", r#"{"callsign":"HÖPE \\ 11"}"#)]).unwrap();
    store
        .append(&[
            Change::put("item/Cyan/\u{1f9ed}\n", r#"{"event":"<event/>","received":2}"#),
            Change::remove("item//A"),
        ])
        .unwrap();
    store.commit().unwrap();
    store.append(&[Change::put("number", "17.50")]).unwrap();
    store.begin(1, true).unwrap();
    store.append(&[Change::put("contact/\"B\"", "{}"), Change::put("list", "[1, 2]")]).unwrap();
}

/// What is in them.
fn version_1() -> BTreeMap<String, String> {
    let entries = [
        ("item/Cyan/\u{1f9ed}\n", r#"{"event":"<event/>","received":2}"#),
        ("contact/\"B\"", "{}"),
        ("number", "17.50"),
        ("list", "[1, 2]"),
    ];
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[test]
fn files_of_version_1_are_read() {
    let fs = placed(&files(&fixture(1)));
    let loaded = load(&fs);
    assert_eq!(loaded.entries, version_1());
    assert_eq!(loaded.schema, 1);
    assert_eq!((loaded.report.generation, loaded.report.changes), (2, 3));
    assert_eq!((loaded.report.damaged.len(), loaded.report.torn_bytes), (0, 0));
}

/// A change of the format needs a new version, and a fixture of this one stays.
#[test]
fn files_are_written_as_the_fixture_has_them() {
    let fs = SimFs::new();
    write_version_1(&fs);
    let mut written: BTreeMap<_, _> =
        fs.files().iter().map(|path| (name(path), fs.contents(path).unwrap())).collect();
    // The snapshot that was not finished.
    written.remove("state-00000003.json.tmp").unwrap();
    let fixture = files(&fixture(1));
    assert_eq!(written.keys().collect::<Vec<_>>(), fixture.keys().collect::<Vec<_>>());
    for (name, contents) in &written {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(contents), text(&fixture[name]), "{name}");
    }
}

#[test]
fn a_snapshot_is_json_that_anyone_can_read() {
    for (name, contents) in files(&fixture(1)) {
        for line in contents.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if name.ends_with(".jsonl") {
                serde_json::from_slice::<serde_json::Value>(line).unwrap();
            }
        }
        if name.ends_with(".json") {
            let snapshot: serde_json::Value = serde_json::from_slice(&contents).unwrap();
            assert_eq!(snapshot["entries"]["item//A"]["received"], 1);
            assert_eq!(snapshot["later"]["item//A"], serde_json::Value::Null);
        }
    }
}

/// What the documentation shows are files.
#[test]
fn the_documented_files_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/state.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<_> = page.split("```json\n").skip(1).collect();
    let [snapshot, journal] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let contents = |block: &str| block.split("```").next().unwrap().as_bytes().to_vec();
    let loaded = load(&placed(&BTreeMap::from([
        ("state-00000012.json".to_owned(), contents(snapshot)),
        ("journal-00000012.jsonl".to_owned(), contents(journal)),
    ])));
    assert_eq!((loaded.report.damaged.len(), loaded.report.torn_bytes), (0, 0));
    assert_eq!((loaded.report.generation, loaded.report.changes), (12, 2));
    assert_eq!(loaded.entries.len(), 4);
    let end = contents(snapshot).split_off(contents(snapshot).len() - 78);
    assert!(end.starts_with(b",\"blake3\":"));
}

#[test]
fn files_of_a_newer_version_are_set_aside_and_named() {
    for name in ["state-00000002.json", "journal-00000003.jsonl"] {
        let mut files = files(&fixture(1));
        let text = String::from_utf8(files[name].clone()).unwrap();
        let newer = text.replacen("\"version\":1,", "\"version\":2,\"more\":[],", 1);
        assert_ne!(newer, text);
        files.insert(name.to_owned(), newer.clone().into_bytes());
        let fs = placed(&files);
        let loaded = load(&fs);
        let [(path, what)] = loaded.report.damaged.as_slice() else {
            panic!("{:?}", loaded.report);
        };
        assert_eq!(path, &Path::new(DIR).join(format!("{name}.damaged")));
        assert!(what.contains("version 2"), "{what}");
        assert_eq!(fs.contents(path).unwrap(), newer.into_bytes());
        // The snapshot is made up for by the journals before it.
        assert_eq!(loaded.entries == version_1(), name.starts_with("state"));
        assert!(loaded.entries.contains_key("number"));
    }
}
