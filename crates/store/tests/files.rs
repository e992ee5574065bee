//! What the system sees: modes of files, the lock, a disk that is full.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::Command;

use store::fs::{Fs, RealFs};
use store::{Change, DirLock, JsonState, StateStore, StoreError};

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("data/state");
    let _lock = DirLock::acquire(&dir.path().join("data")).unwrap();
    let mut store = JsonState::open(&state).unwrap();
    store.load().unwrap();
    store.begin(1, true).unwrap();
    store.commit().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("data")), 0o700);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&dir.path().join("data/lock")), 0o600);
    let files: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DirLock::acquire(dir.path()).unwrap();
    let refused = DirLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { dir: locked } if locked == dir.path()));
    let message = refused.to_string();
    assert!(message.contains(dir.path().to_str().unwrap()), "{message}");
    assert!(message.contains("in use by another process"), "{message}");
    drop(lock);
    DirLock::acquire(dir.path()).unwrap();
}

#[test]
fn real_files_replace_nothing_and_go_on_at_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let mut file = RealFs.create_new(&one).unwrap();
    file.write_all(b"0123456789").unwrap();
    file.set_len(4).unwrap();
    file.write_all(b"ab").unwrap();
    file.sync_data().unwrap();
    RealFs.sync_file(&one).unwrap();
    RealFs.create_new(&two).unwrap();
    let kind = |error: std::io::Error| error.kind();
    assert_eq!(RealFs.create_new(&one).map_err(kind).unwrap_err(), ErrorKind::AlreadyExists);
    assert_eq!(RealFs.rename(&one, &two).map_err(kind).unwrap_err(), ErrorKind::AlreadyExists);
    RealFs.remove(&two).unwrap();
    RealFs.rename(&one, &two).unwrap();
    RealFs.sync_dir(dir.path()).unwrap();
    RealFs.append(&two).unwrap().write_all(b"cd").unwrap();
    let mut text = String::new();
    RealFs.open(&two).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "0123abcd");
    fs::create_dir(dir.path().join("three")).unwrap();
    let entries = RealFs.list(dir.path()).unwrap();
    assert_eq!(entries.len(), 1, "directories are no files: {entries:?}");
    assert_eq!((entries[0].name.to_str(), entries[0].len), (Some("two"), 8));
}

#[test]
fn hints_change_nothing_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one");
    let bytes: Vec<u8> = (0..251_u8).cycle().take(9 << 20).collect();
    let mut file = RealFs.create_new(&path).unwrap();
    let (mut from, mut calls) = (0, 0);
    for part in bytes.chunks(100_000) {
        file.write_all(part).unwrap();
        file.write_out(from, part.len() as u64);
        from += part.len() as u64;
    }
    file.write_out(from, 0);
    // More than there is, and before it is on the disk.
    file.write_out(from - 5, 1 << 40);
    RealFs.forget(&path, &mut || calls += 1);
    file.sync_data().unwrap();
    RealFs.forget(&path, &mut || calls += 1);
    let mut read = Vec::new();
    RealFs.open(&path).unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    // Bit by bit, where there is anything to it: 9 MiB in steps of 4.
    assert_eq!(calls, if cfg!(target_os = "linux") { 2 * 3 } else { 0 });
    RealFs.forget(&dir.path().join("none"), &mut || panic!("there is nothing to forget"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = JsonState::open(file.join("state")).unwrap_err();
    assert!(refused.to_string().contains("cannot create"), "{refused}");
    assert!(refused.to_string().contains(file.to_str().unwrap()), "{refused}");
}

/// A small file system that is there as long as this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(dir.path())
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "cannot unmount");
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_acknowledged_stays() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let dir = disk.0.path().join("state");
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![0; 128 << 10]).unwrap();
    let mut store = JsonState::open(&dir).unwrap();
    store.load().unwrap();
    store.begin(1, true).unwrap();
    store.put(&[Change::put("first", "1")]).unwrap();
    store.commit().unwrap();
    let value = format!("\"{}\"", "x".repeat(5_000));
    let mut acknowledged = 0;
    let refused = loop {
        match store.append(&[Change::put(format!("{acknowledged}"), value.as_str())]) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(acknowledged > 10);
    let StoreError::Io { source, path, .. } = &refused else { panic!("{refused}") };
    assert_eq!(source.kind(), ErrorKind::StorageFull);
    assert!(path.ends_with("journal-00000001.jsonl"));
    let loaded = JsonState::open(&dir).unwrap().load().unwrap();
    assert_eq!(loaded.entries.len(), acknowledged + 1);
    assert_eq!(loaded.report.damaged, []);

    // A new generation needs space, too.
    let more = disk.0.path().join("more");
    fs::write(&more, vec![0; 128 << 10]).unwrap_err();
    store.begin(1, false).unwrap_err();
    fs::remove_file(&more).unwrap();
    fs::remove_file(&filler).unwrap();
    store.begin(1, false).unwrap();
    store.put(&[Change::put("second", "2")]).unwrap();
    store.commit().unwrap();
    store.append(&[Change::put("third", "3")]).unwrap();
    let loaded = JsonState::open(&dir).unwrap().load().unwrap();
    assert_eq!(loaded.entries.keys().collect::<Vec<_>>(), ["second", "third"]);
    assert_eq!(loaded.report.damaged, []);
}
