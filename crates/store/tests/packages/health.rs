use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use store::StoreError;
use store::packages::{Clock, Owner, PackageHealth, PackageStore, PackageUsage, ScrubBudget};

use crate::support::{
    ALL, blobs, bytes, config, names, open, open_with, read, sha256, until, upload,
};

fn everything() -> ScrubBudget {
    let mut budget = ScrubBudget::default();
    budget.bytes_per_second = 0;
    budget.min_age = Duration::ZERO;
    budget
}

#[tokio::test]
async fn what_is_done_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.max_upload_bytes = 1_000_000;
    config.max_packages = 3;
    config.max_total_bytes = Some(4000);
    config.max_uploads = 1;
    let store = open_with(dir.path(), config).await;
    let hash = store.insert(upload("a"), &b"abc"[..]).await.unwrap().hash;
    store.insert(upload("again"), &b"abc"[..]).await.unwrap();
    store.insert(upload("b"), &b"b"[..]).await.unwrap();
    store.insert(upload("c"), &b"c"[..]).await.unwrap();
    let refuse = async |upload, content: &[u8]| {
        store.insert(upload, content).await.unwrap_err();
    };
    refuse(upload("quota"), b"d").await;
    store.remove(sha256(b"c"), &ALL, &Owner::Anyone).await.unwrap();
    refuse(upload("quota"), &bytes(0, 5000)).await;
    refuse(upload("too large"), &bytes(0, 1_000_001)).await;
    refuse(upload("empty"), b"").await;
    let mut wrong = upload("mismatch");
    wrong.hash = Some(hash);
    refuse(wrong, b"x").await;
    let mut wrong = upload("mismatch");
    wrong.size = Some(2);
    refuse(wrong, b"x").await;

    store.remove(sha256(b"b"), &ALL, &Owner::Anyone).await.unwrap();
    store.remove(sha256(b"b"), &ALL, &Owner::Anyone).await.unwrap_err();
    let (mut sender, receiver) = tokio::io::duplex(100);
    let slow = store.clone();
    let slow = tokio::spawn(async move { slow.insert(upload("slow"), receiver).await });
    tokio::io::AsyncWriteExt::write_all(&mut sender, b"begun").await.unwrap();
    until(async || (store.stats().uploads_open == 1).then_some(())).await;
    refuse(upload("busy"), b"e").await;
    slow.abort();
    until(async || (store.stats().uploads_open == 0).then_some(())).await;

    read(&store, hash).await.unwrap();
    store.find(hash, &ALL).await.unwrap();
    store.open(sha256(b"nothing"), &ALL).await.unwrap_err();
    std::fs::write(blobs(dir.path()).last().unwrap(), b"?").unwrap();
    store.scrub(everything()).await.unwrap();

    let stats = store.stats();
    assert_eq!((stats.uploads_completed, stats.downloads_opened), (4, 1));
    let failed: Vec<_> = stats.uploads_failed.by_reason().into_iter().filter(|r| r.1 > 0).collect();
    let expected = [
        ("abandoned", 1),
        ("busy", 1),
        ("mismatch", 2),
        ("quota", 2),
        ("too_large", 1),
        ("unfit", 1),
    ];
    assert_eq!((failed.as_slice(), stats.uploads_failed.total()), (&expected[..], 8));
    // What is too much is read until it is.
    assert!((1_000_000..1_300_000).contains(&stats.bytes_received), "{}", stats.bytes_received);
    assert_eq!((stats.entries_removed, stats.entries_expired), (2, 0));
    assert_eq!((stats.contents_scrubbed, stats.contents_quarantined), (1, 1));
}

#[tokio::test]
async fn usage_is_that_of_the_last_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let expect = async |packages, bytes| {
        for _ in 0..2 {
            let usage = store.usage().await.unwrap();
            assert_eq!((usage.packages, usage.bytes), (packages, bytes));
        }
    };
    assert_eq!(store.usage().await.unwrap(), PackageUsage::default());
    let hash = store.insert(upload("a"), &b"abc"[..]).await.unwrap().hash;
    expect(1, 3).await;
    store.insert(upload("b"), &b"b"[..]).await.unwrap();
    expect(2, 4).await;
    store.remove(hash, &ALL, &Owner::Anyone).await.unwrap();
    expect(1, 1).await;
}

#[tokio::test]
async fn a_store_that_takes_nothing_any_more_says_since_when_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let now_ms = Arc::new(AtomicI64::new(0));
    let shared = Arc::clone(&now_ms);
    let mut config = config();
    config.clock = Clock::new(move || shared.load(Ordering::SeqCst));
    let store = open_with(dir.path(), config).await;
    assert_eq!(store.health().await, PackageHealth::Good);
    store.close().await;
    now_ms.store(90_000, Ordering::SeqCst);
    let PackageHealth::Degraded { lasting, why } = store.health().await else {
        panic!("it is closed");
    };
    assert_eq!((lasting, why.as_str()), (Duration::from_secs(90), "the database was closed"));
    let refused = store.insert(upload("a"), &b"a"[..]).await;
    assert!(matches!(refused, Err(StoreError::Degraded)), "{refused:?}");
    assert_eq!(store.stats().uploads_failed.other, 1);
}

#[tokio::test]
async fn maintenance_removes_what_has_expired_finds_damage_and_ends_with_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let now_ms = Arc::new(AtomicI64::new(1_800_000_000_000));
    let shared = Arc::clone(&now_ms);
    let mut config = config();
    config.clock = Clock::new(move || shared.load(Ordering::SeqCst));
    let store = open_with(dir.path(), config.clone()).await;
    let damaged = store.insert(upload("damaged"), &b"good"[..]).await.unwrap();
    std::fs::write(&blobs(dir.path())[0], b"bad!").unwrap();
    let mut short = upload("short");
    short.expires_ms = Some(1_800_000_000_500);
    store.insert(short, &b"short"[..]).await.unwrap();
    store.insert(upload("long"), &b"long"[..]).await.unwrap();
    // One that is dropped does no harm.
    let dropped = tokio::spawn(store.maintain(Duration::ZERO, everything()));
    dropped.abort();
    let _ = dropped.await;
    let maintenance = tokio::spawn(store.maintain(Duration::ZERO, everything()));
    until(async || (store.usage().await.unwrap().damaged == 1).then_some(())).await;
    assert!(store.find(damaged.hash, &ALL).await.unwrap().unwrap().is_damaged);
    now_ms.fetch_add(1000, Ordering::SeqCst);
    until(async || (store.stats().entries_expired == 1).then_some(())).await;
    assert_eq!(names(&store).await, ["long"]);
    store.close().await;
    tokio::time::timeout(Duration::from_secs(5), maintenance).await.unwrap().unwrap();
    drop(store);

    now_ms.fetch_add(1000, Ordering::SeqCst);
    let store = open_with(dir.path(), config.clone()).await;
    let maintenance = tokio::spawn(store.maintain(Duration::from_secs(3600), everything()));
    until(async || (store.stats().contents_scrubbed > 0).then_some(())).await;
    drop(store);
    tokio::time::timeout(Duration::from_secs(5), maintenance).await.unwrap().unwrap();
    open_with(dir.path(), config).await;
}
