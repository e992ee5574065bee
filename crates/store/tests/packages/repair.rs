use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use store::StoreError;
use store::packages::{PackageFilter, PackageStore, ScrubBudget, SqlitePackages};

use crate::support::{ALL, blobs, bytes, files, names, open, read, sha256, upload};

fn everything() -> ScrubBudget {
    let mut budget = ScrubBudget::default();
    budget.bytes_per_second = 0;
    budget.min_age = Duration::ZERO;
    budget
}

/// A store that was closed with three packages; the blob of the content of a seed.
async fn three(dir: &Path) {
    let store = open(dir).await;
    for seed in 0..3 {
        store.insert(upload(&format!("p{seed}")), &content(seed)[..]).await.unwrap();
    }
    store.close().await;
}

fn content(seed: u8) -> Vec<u8> {
    bytes(seed, 400_000)
}

fn blob(dir: &Path, seed: u8) -> std::path::PathBuf {
    let checksum = blake3::hash(&content(seed)).to_hex();
    dir.join("blobs").join(&checksum[..2]).join(checksum.as_str())
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

async fn expect_damaged(store: &SqlitePackages, seed: u8) {
    let hash = sha256(&content(seed));
    let opened = read(store, hash).await;
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{:?}", opened.map(|_| ()));
    assert!(store.find(hash, &ALL).await.unwrap().unwrap().is_damaged);
    assert!(!names(store).await.contains(&format!("p{seed}")), "it is not offered");
    let mut filter = PackageFilter::new(ALL);
    filter.include_damaged = true;
    assert_eq!(store.list(&filter).await.unwrap().len(), 3);
    assert_eq!(store.usage().await.unwrap().damaged, 1);
    // Uploading it again makes it good.
    store.insert(upload("again"), &content(seed)[..]).await.unwrap();
    assert_eq!(read(store, hash).await.unwrap(), content(seed));
    assert_eq!(store.usage().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_scrub_finds_a_flipped_bit() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path()).await;
    flip(&blob(dir.path(), 1), 399_999);
    let store = open(dir.path()).await;
    assert!(store.report().damaged.is_empty(), "the size is right");
    let mut slow = everything();
    slow.bytes_per_second = 8_000_000;
    let report = store.scrub(slow).await.unwrap();
    assert_eq!(report.damaged, [sha256(&content(1))]);
    assert_eq!((report.contents, report.bytes, report.is_complete), (3, 1_200_000, true));
    assert_eq!(files(&dir.path().join("damaged")).len(), 1, "it is kept for who wants to look");
    expect_damaged(&store, 1).await;
}

#[tokio::test]
async fn a_scrub_goes_on_where_the_last_one_ended() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path()).await;
    let store = open(dir.path()).await;
    let mut budget = everything();
    budget.bytes = 1;
    flip(&blob(dir.path(), 2), 0);
    let mut damaged = Vec::new();
    for round in 0..3 {
        let report = store.scrub(budget).await.unwrap();
        assert_eq!(report.contents, 1, "round {round}");
        damaged.extend(report.damaged);
    }
    assert_eq!(damaged, [sha256(&content(2))]);
    budget.min_age = Duration::from_secs(60);
    let report = store.scrub(budget).await.unwrap();
    assert_eq!((report.contents, report.is_complete), (0, true), "all was verified just now");
}

#[tokio::test]
async fn contents_that_are_missing_or_cut_are_found_at_the_start_and_when_opened() {
    for is_running in [false, true] {
        for is_cut in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            three(dir.path()).await;
            let early = if is_running { Some(open(dir.path()).await) } else { None };
            let path = blob(dir.path(), 1);
            if is_cut {
                File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            let store = match early {
                Some(store) => store,
                None => open(dir.path()).await,
            };
            if !is_running {
                assert_eq!(store.report().damaged, [sha256(&content(1))]);
            }
            expect_damaged(&store, 1).await;
            assert_eq!(files(&dir.path().join("damaged")).len(), usize::from(is_cut));
        }
    }
}

#[tokio::test]
async fn a_content_that_is_put_back_is_good_again() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path()).await;
    let path = blob(dir.path(), 1);
    fs::remove_file(&path).unwrap();
    open(dir.path()).await.close().await;
    fs::write(&path, bytes(7, 400_000)).unwrap();
    let store = open(dir.path()).await;
    assert!(store.report().repaired.is_empty(), "another content of the same size");
    store.close().await;
    drop(store);
    fs::write(&path, content(1)).unwrap();
    let store = open(dir.path()).await;
    assert_eq!(store.report().repaired, [sha256(&content(1))]);
    assert_eq!(read(&store, sha256(&content(1))).await.unwrap(), content(1));
}

#[tokio::test]
async fn what_uploads_left_is_swept_and_contents_without_a_row_go_after_a_day() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path()).await;
    fs::write(dir.path().join("tmp/upload-0"), b"half").unwrap();
    let orphan = |text: &[u8]| {
        let checksum = blake3::hash(text).to_hex();
        let fan_out = dir.path().join("blobs").join(&checksum[..2]);
        fs::create_dir_all(&fan_out).unwrap();
        fs::write(fan_out.join(checksum.as_str()), text).unwrap();
        fan_out.join(checksum.as_str())
    };
    let (young, old) = (orphan(b"young"), orphan(b"old"));
    let stranger = dir.path().join("blobs").join("README");
    fs::write(&stranger, b"not ours").unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
    let store = open(dir.path()).await;
    let report = store.report();
    assert_eq!((report.swept, report.orphans_removed, report.orphans_kept), (1, 1, 1));
    assert!(young.exists() && !old.exists() && stranger.exists());
    assert!(files(&dir.path().join("tmp")).is_empty());
    assert_eq!(names(&store).await, ["p2", "p1", "p0"]);
    // What is in the way of an upload and was never acknowledged is replaced.
    fs::write(&young, b"YOUNG").unwrap();
    store.insert(upload("young"), &b"young"[..]).await.unwrap();
    assert_eq!(read(&store, sha256(b"young")).await.unwrap(), b"young");
}

#[tokio::test]
async fn a_directory_has_one_store_and_what_it_held_is_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path()).await;
    let store = open(dir.path()).await;
    let other = SqlitePackages::open(dir.path(), crate::support::config()).await;
    assert!(matches!(other, Err(StoreError::Locked { .. })), "{other:?}");
    store.close().await;
    assert!(store.usage().await.is_err() && store.is_degraded().await);
    let refused = store.insert(upload("late"), &b"late"[..]).await;
    assert!(matches!(refused, Err(StoreError::Degraded)), "{refused:?}");
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(names(&store).await, ["p2", "p1", "p0"]);
    assert_eq!(blobs(dir.path()).len(), 3);
    assert_eq!(store.report(), &store::packages::PackagesReport::default());
}
