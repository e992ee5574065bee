//! What another user has made, and who may read it.

use std::fs;
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use store::StoreError;
use store::fs::{Fs, FsEntry, FsFile, RealFs};
use store::packages::{PackageFilter, PackageHealth, PackageStore, SqlitePackages, check_owner};

use crate::support::{ALL, blobs, config, names, open, open_on, open_with, read, sha256, upload};

/// The system's files, some of which are somebody else's.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<PathBuf>>>);

impl Shared {
    fn check(&self, path: &Path) -> io::Result<()> {
        let theirs = self.0.lock().unwrap();
        if theirs.iter().any(|theirs| path.starts_with(theirs)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    fn take(&self, path: &Path) {
        self.0.lock().unwrap().push(path.to_owned());
    }

    fn give_back(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl Fs for Shared {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.check(path)?;
        RealFs.create_new(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.check(path)?;
        RealFs.append(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.check(path)?;
        RealFs.open(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        RealFs.sync_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        self.check(dir)?;
        RealFs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(from.parent().unwrap())?;
        RealFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(path.parent().unwrap())?;
        RealFs.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(dir)?;
        RealFs.sync_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.create_dir(dir)
    }
}

async fn open_shared(dir: &Path, shared: &Shared) -> SqlitePackages {
    open_on(dir, shared).await
}

/// A closed store with two packages; where the content of the first is.
async fn two(dir: &Path) -> PathBuf {
    let store = open(dir).await;
    store.insert(upload("theirs"), &b"theirs"[..]).await.unwrap();
    let [blob] = blobs(dir).try_into().unwrap();
    store.insert(upload("ours"), &b"ours"[..]).await.unwrap();
    store.close().await;
    blob
}

/// All is there again, with its name.
async fn expect_both(dir: &Path, shared: &Shared) {
    shared.give_back();
    let store = open_shared(dir, shared).await;
    assert_eq!(store.report().repaired, [sha256(b"theirs")]);
    assert_eq!(read(&store, sha256(b"theirs")).await.unwrap(), b"theirs");
    assert_eq!(names(&store).await.len(), 2);
    assert_eq!((store.health().await, store.stats().contents_damaged), (PackageHealth::Good, 0));
}

#[tokio::test]
async fn a_folder_that_may_not_be_read_costs_its_packages_until_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let blob = two(dir.path()).await;
    let shared = Shared::default();
    shared.take(blob.parent().unwrap());
    for _ in 0..2 {
        let store = open_shared(dir.path(), &shared).await;
        assert_eq!(read(&store, sha256(b"ours")).await.unwrap(), b"ours");
        let refused = read(&store, sha256(b"theirs")).await;
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
        let PackageHealth::Degraded { why, .. } = store.health().await else {
            panic!("a package is damaged");
        };
        assert!(why.starts_with("1 package is damaged: upload it again"), "{why}");
        assert_eq!(store.stats().contents_damaged, 1);
        store.insert(upload("more"), &b"ours"[..]).await.unwrap();
        store.close().await;
        assert!(blob.exists(), "it is not touched");
    }
    expect_both(dir.path(), &shared).await;
}

#[tokio::test]
async fn a_file_that_may_not_be_read_stays_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let blob = two(dir.path()).await;
    let shared = Shared::default();
    shared.take(&blob);
    let store = open_shared(dir.path(), &shared).await;
    let mut budget = store::packages::ScrubBudget::default();
    budget.min_age = std::time::Duration::ZERO;
    assert_eq!(store.scrub(budget).await.unwrap().damaged, [sha256(b"theirs")]);
    assert_eq!((store.stats().contents_damaged, store.stats().contents_quarantined), (1, 1));
    store.close().await;
    drop(store);
    assert!(blob.exists());
    expect_both(dir.path(), &shared).await;
}

#[tokio::test]
async fn a_database_is_not_whole_until_all_could_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let blob = two(dir.path()).await;
    for file in ["packages.db", "packages.db-wal", "packages.db-shm"] {
        drop(fs::remove_file(dir.path().join(file)));
    }
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    fs::File::options().write(true).open(&blob).unwrap().set_modified(long_ago).unwrap();
    let shared = Shared::default();
    let rebuilt = async |expected| {
        let store = open_shared(dir.path(), &shared).await;
        assert_eq!(store.report().rebuilt, expected);
        let all = store.list(&PackageFilter::new(ALL)).await.unwrap().len();
        store.close().await;
        all
    };
    shared.take(blob.parent().unwrap());
    assert_eq!(rebuilt(1).await, 1);
    assert_eq!(rebuilt(0).await, 1);
    shared.give_back();
    shared.take(&blob);
    assert_eq!(rebuilt(0).await, 1);
    shared.give_back();
    assert_eq!(rebuilt(1).await, 2);
    assert_eq!(rebuilt(0).await, 2);
}

#[tokio::test]
async fn what_is_damaged_at_the_start_is_told_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let blob = two(dir.path()).await;
    fs::write(&blob, b"th").unwrap();
    let store = open(dir.path()).await;
    assert_eq!((store.stats().contents_damaged, store.stats().contents_quarantined), (1, 1));
    assert_ne!(store.health().await, PackageHealth::Good);
    store.insert(upload("again"), &b"theirs"[..]).await.unwrap();
    assert_eq!((store.health().await, store.stats().contents_damaged), (PackageHealth::Good, 0));
}

#[tokio::test]
async fn a_disk_with_too_little_space_is_not_called_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.min_free_bytes = 1 << 60;
    let store = open_with(dir.path(), config).await;
    let PackageHealth::Degraded { why, .. } = store.health().await else {
        panic!("uploads are refused");
    };
    let refused = store.insert(upload("a"), &b"a"[..]).await.unwrap_err().to_string();
    for text in [why, refused] {
        assert!(text.contains("iB free, and must have 1048576.0 TiB"), "{text}");
        assert!(text.contains("make room") && text.contains("`packages_free`"), "{text}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.insert(upload("a"), &b"a"[..]).await.unwrap();
    let backup = dir.path().join("backup");
    store.backup(&backup).await.unwrap();
    let mut checked = 0;
    for dir in [dir.path(), &backup] {
        for file in ["packages.db", "packages.db-wal", "packages.db-shm"] {
            let Ok(file) = dir.join(file).metadata() else { continue };
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

#[cfg(unix)]
#[tokio::test]
async fn another_user_is_told_whose_the_packages_are() {
    let dir = tempfile::tempdir().unwrap();
    let packages = dir.path().join("packages");
    check_owner(&packages).unwrap();
    open(&packages).await.close().await;
    check_owner(&packages).unwrap();
    let database = packages.join("packages.db");
    if database.metadata().unwrap().uid() != 0 {
        println!("skipped: only root may give files away");
        return;
    }
    chown(&packages, Some(4321), None).unwrap();
    check_owner(&packages).expect("the database is what counts");
    chown(&database, Some(4321), None).unwrap();
    let refused = check_owner(&packages).unwrap_err().to_string();
    assert!(refused.contains("belong to user UID 4321, and this is UID 0"), "{refused}");
    fs::remove_dir_all(&packages).unwrap();
    chown(dir.path(), Some(4321), None).unwrap();
    assert!(check_owner(&packages).is_err(), "it would be made in somebody else's directory");
}
