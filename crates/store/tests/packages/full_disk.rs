#![expect(clippy::disallowed_methods, reason = "time is what is measured")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use store::StoreError;
use store::packages::{
    ContentHash, Owner, PackageChange, PackageHealth, PackageStore, PackagesConfig, SqlitePackages,
};
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::{ALL, bytes, config, files, open_with, read, sha256, until, upload};

/// A file system of 64 MiB in memory, until it is dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(dir.path())
            .output();
        mount.is_ok_and(|mount| mount.status.success()).then(|| Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Somebody else takes all there is.
    fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        let mut len = 64 << 20;
        while len > 0 {
            if file.write_all(&vec![0; len]).is_err() {
                len /= 2;
            }
        }
    }

    /// Somebody else makes room.
    fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Content that nobody may read.
struct Unread;

impl AsyncRead for Unread {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        panic!("it was read")
    }
}

fn small_disk(ballast_bytes: u64) -> PackagesConfig {
    let mut config = config();
    config.min_free_bytes = 8 << 20;
    config.ballast_bytes = ballast_bytes;
    config
}

fn expect_full<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Full { .. })), "{result:?}");
}

/// Changes metadata until no change fits any more.
async fn use_up(store: &SqlitePackages, hash: ContentHash) {
    let (mut fitted, mut refused) = (0, 0);
    for at in 0.. {
        let mut change = PackageChange::default();
        change.name = Some(format!("{at} {}", "n".repeat(4000)));
        match store.update(hash, &ALL, change).await {
            Ok(_) => fitted += 1,
            Err(StoreError::Full { .. }) => refused += 1,
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
        if refused == 20 || at == 3000 {
            break;
        }
    }
    println!("{fitted} changes fitted, {refused} did not");
    assert!(!store.is_degraded().await);
}

#[tokio::test]
async fn t30_a_full_disk_refuses_uploads_and_nothing_else() {
    let Some(disk) = Tmpfs::mount() else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let dir = disk.path().join("packages");
    let ballast = || fs::metadata(dir.join("ballast")).ok().map(|file| file.len());
    let store = open_with(&dir, small_disk(4 << 20)).await;
    assert_eq!(ballast(), Some(4 << 20));
    let (kept, other, large) = (bytes(1, 20 << 20), bytes(2, 5000), bytes(3, 40 << 20));
    let (hash, gone) = (sha256(&kept), sha256(&other));
    store.insert(upload("kept"), &kept[..]).await.unwrap();
    store.insert(upload("gone"), &other[..]).await.unwrap();
    // Nothing is read where it is known that it does not fit.
    let mut declared = upload("large");
    declared.size = Some(large.len() as u64);
    let started = Instant::now();
    expect_full(&store.insert(declared, Unread).await);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    expect_full(&store.insert(upload("large"), &large[..]).await);
    until(async || files(&dir.join("tmp")).is_empty().then_some(())).await;
    assert_eq!(store.health().await, PackageHealth::Good, "it is only too large");

    disk.fill();
    let started = Instant::now();
    expect_full(&store.insert(upload("small"), Unread).await);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(read(&store, hash).await.unwrap(), kept, "reading goes on");
    use_up(&store, hash).await;
    let health = store.health().await;
    let PackageHealth::Degraded { why, .. } = &health else {
        panic!("{health:?}");
    };
    assert!(why.contains("free, and must have 8.0 MiB"), "{why}");
    assert_eq!((store.stats().uploads_failed.full, store.stats().uploads_failed.total()), (3, 3));

    // There is room for a removal even now.
    assert_eq!(ballast(), Some(4 << 20), "it is not for changes");
    store.remove(gone, &ALL, &Owner::Anyone).await.unwrap();
    assert_eq!(ballast(), None);
    disk.fill();
    store.close().await;
    drop(store);
    disk.fill();
    let store = open_with(&dir, small_disk(4 << 20)).await;
    assert_eq!(read(&store, hash).await.unwrap(), kept, "also after a start");
    assert_ne!(store.health().await, PackageHealth::Good);

    disk.clear();
    let returned = Instant::now();
    until(async || (store.health().await == PackageHealth::Good).then_some(())).await;
    store.insert(upload("small"), &b"small"[..]).await.unwrap();
    assert!(returned.elapsed() < Duration::from_secs(15), "{:?}", returned.elapsed());
    assert_eq!(ballast(), Some(4 << 20));
    store.remove(hash, &ALL, &Owner::Anyone).await.unwrap();
    store.insert(upload("large"), &large[..]).await.unwrap();
    assert_eq!(read(&store, sha256(&large)).await.unwrap(), large);
}

#[tokio::test]
async fn a_store_starts_and_removes_on_a_disk_that_was_filled_while_it_was_closed() {
    let Some(disk) = Tmpfs::mount() else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let dir = disk.path().join("packages");
    let open = async || SqlitePackages::open(&dir, small_disk(4 << 20)).await;
    let kept = bytes(1, 5_000_000);
    let store = open().await.unwrap();
    store.insert(upload("kept"), &kept[..]).await.unwrap();
    store.close().await;
    drop(store);
    disk.fill();
    let store = open().await.unwrap();
    assert_eq!(read(&store, sha256(&kept)).await.unwrap(), kept);
    expect_full(&store.insert(upload("small"), Unread).await);
    store.remove(sha256(&kept), &ALL, &Owner::Anyone).await.unwrap();
}

#[tokio::test]
async fn without_ballast_a_full_disk_takes_no_removal_until_there_is_space() {
    let Some(disk) = Tmpfs::mount() else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let dir = disk.path().join("packages");
    let kept = bytes(1, 5_000_000);
    let store = open_with(&dir, small_disk(0)).await;
    store.insert(upload("kept"), &kept[..]).await.unwrap();
    disk.fill();
    use_up(&store, sha256(&kept)).await;
    expect_full(&store.remove(sha256(&kept), &ALL, &Owner::Anyone).await);
    assert_eq!(read(&store, sha256(&kept)).await.unwrap(), kept);
    disk.clear();
    store.remove(sha256(&kept), &ALL, &Owner::Anyone).await.unwrap();
    assert_eq!(store.usage().await.unwrap().packages, 0);
}

#[tokio::test]
async fn a_small_disk_has_no_ballast() {
    let Some(disk) = Tmpfs::mount() else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let store = open_with(disk.path(), PackagesConfig::default()).await;
    assert!(!disk.path().join("ballast").exists());
    assert_ne!(store.health().await, PackageHealth::Good, "512 MiB are to stay free");
}
