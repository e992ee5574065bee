use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use store::StoreError;
use store::packages::{Owner, PackageFilter, PackageStore, PackagesReport, SqlitePackages};

use crate::support::{
    ALL, blobs, bytes, config, files, names, open, open_with, read, sha256, until, upload,
};

async fn fill(store: &SqlitePackages) {
    for seed in 0..20 {
        let mut upload = upload(&format!("p{seed}"));
        upload.keywords = vec!["missionpackage".to_owned()];
        store.insert(upload, &bytes(seed, 10_000)[..]).await.unwrap();
    }
}

/// Opens a copy, and reads all that it lists.
async fn check(dir: &Path) -> Vec<String> {
    let store = open_with(dir, config()).await;
    assert_eq!(store.report(), &PackagesReport::default());
    for package in store.list(&PackageFilter::new(ALL)).await.unwrap() {
        read(&store, package.hash).await.unwrap();
    }
    assert_eq!(blobs(dir).len() as u64, store.usage().await.unwrap().contents);
    names(&store).await
}

#[tokio::test]
async fn a_backup_opens_as_a_store_and_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store")).await;
    fill(&store).await;
    let to = dir.path().join("backups/today");
    let report = store.backup(&to).await.unwrap();
    assert_eq!((report.packages, report.contents, report.bytes), (20, 20, 200_000));
    assert!(report.damaged.is_empty());
    // The store goes on, and neither has to do with the other.
    let gone = sha256(&bytes(3, 10_000));
    store.remove(gone, &ALL, &Owner::Anyone).await.unwrap();
    store.insert(upload("later"), &b"later"[..]).await.unwrap();
    assert_eq!(check(&to).await.len(), 20);
    assert_eq!(names(&store).await.len(), 20);
    let copied = open(&to).await;
    copied.remove(sha256(&bytes(4, 10_000)), &ALL, &Owner::Anyone).await.unwrap();
    read(&copied, gone).await.unwrap();
    read(&store, sha256(&bytes(4, 10_000))).await.unwrap();

    let again = store.backup(&to).await.unwrap_err();
    assert!(again.to_string().contains("cannot back up to"), "{again}");
    fs::create_dir(dir.path().join("next.partial")).unwrap();
    let taken = store.backup(dir.path().join("next")).await.unwrap_err();
    assert!(taken.to_string().contains("next.partial"), "{taken}");
    assert!(dir.path().join("next.partial").exists(), "it is not ours");
}

#[tokio::test]
async fn a_backup_to_another_file_system_is_copied_and_verified() {
    let memory = Path::new("/dev/shm");
    let Ok(other) = tempfile::tempdir_in(memory) else {
        println!("skipped: there is no other file system");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    fill(&store).await;
    let flipped = blobs(dir.path())[5].clone();
    let mut content = fs::read(&flipped).unwrap();
    content[77] ^= 1;
    fs::write(&flipped, content).unwrap();
    let to = other.path().join("copy");
    let report = store.backup(&to).await.unwrap();
    if report.linked > 0 {
        println!("skipped: {} is no other file system", memory.display());
        return;
    }
    assert_eq!((report.contents, report.bytes, report.damaged.len()), (20, 190_000, 1));
    let copied = open_with(&to, config()).await;
    assert_eq!(copied.report().damaged, report.damaged);
    assert_eq!(names(&copied).await.len(), 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store")).await;
    fill(&store).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (store, is_over) = (store.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                for round in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Contents come, go, and come again.
                    let content = bytes(100 + task * 8 + round % 8, 20_000);
                    store.insert(upload("busy"), &content[..]).await.unwrap();
                    let hash = sha256(&content);
                    if round % 3 > 0 {
                        store.remove(hash, &ALL, &Owner::Anyone).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for at in 0..10 {
        let to = dir.path().join(format!("copy-{at}"));
        let report = store.backup(&to).await.unwrap();
        assert!(report.damaged.is_empty(), "{:?}", report.damaged);
        let names = check(&to).await;
        assert!((20..=52).contains(&names.len()), "{names:?}");
    }
    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    // What was removed meanwhile is gone now.
    until(async || {
        let contents = store.usage().await.unwrap().contents;
        (blobs(&dir.path().join("store")).len() as u64 == contents).then_some(())
    })
    .await;
    for package in store.list(&PackageFilter::new(ALL)).await.unwrap() {
        read(&store, package.hash).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store")).await;
    fill(&store).await;
    let to = dir.path().join("copy");
    for polls in 0.. {
        let mut left = polls;
        let mut backup = Box::pin(store.backup(&to));
        let ended = std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            backup.as_mut().poll(context).map(Some)
        })
        .await;
        drop(backup);
        match ended {
            None => {}
            // The one before is not removed yet.
            Some(Err(StoreError::Io { source, .. })) => {
                assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
            }
            Some(ended) => {
                assert_eq!(ended.unwrap().packages, 20);
                break;
            }
        }
        until(async || (!dir.path().join("copy.partial").exists()).then_some(())).await;
        if to.exists() {
            break;
        }
    }
    assert_eq!(check(&to).await.len(), 20);
    until(async || (!dir.path().join("copy.partial").exists()).then_some(())).await;
    // Where nothing can be made.
    let refused = store.backup("/dev/full/copy").await.unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert_eq!(files(&dir.path().join("store/blobs")).len(), 20);
}
