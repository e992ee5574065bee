use std::fs;
use std::path::Path;
use std::process::Command;

use store::StoreError;
use store::packages::{Owner, PackageChange, PackageStore, SqlitePackages};

use crate::support::{ALL, bytes, config, files, read, sha256, until, upload};

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
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn t30_a_full_disk_refuses_uploads_and_nothing_else() {
    let Some(disk) = Tmpfs::mount() else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let mut config = config();
    config.min_free_bytes = 8 << 20;
    let dir = disk.path().join("packages");
    let store = SqlitePackages::open(&dir, config).await.unwrap();
    let (kept, large) = (bytes(1, 30 << 20), bytes(2, 40 << 20));
    let hash = sha256(&kept);
    store.insert(upload("kept"), &kept[..]).await.unwrap();
    let mut declared = upload("large");
    declared.size = Some(large.len() as u64);
    // Nothing is read where it is known that it does not fit.
    let refused = store.insert(declared, tokio::io::empty()).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    let refused = store.insert(upload("large"), &large[..]).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    until(async || files(&dir.join("tmp")).is_empty().then_some(())).await;

    // Somebody else takes all there is.
    let filler = disk.path().join("filler");
    let mut len = 64 << 20;
    while len > 0 {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        if std::io::Write::write_all(&mut file, &vec![0; len]).is_err() {
            len /= 2;
        }
    }
    let refused = store.insert(upload("small"), &b"small"[..]).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert_eq!(read(&store, hash).await.unwrap(), kept, "reading goes on");
    let mut outcomes = (0, 0);
    for at in 0..2000 {
        let mut change = PackageChange::default();
        change.name = Some(format!("{at} {}", "n".repeat(4000)));
        match store.update(hash, &ALL, change).await {
            Ok(_) => outcomes.0 += 1,
            Err(StoreError::Full { .. }) => outcomes.1 += 1,
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
    }
    println!("{} changes fitted, {} did not", outcomes.0, outcomes.1);
    assert!(!store.is_degraded().await);

    fs::remove_file(&filler).unwrap();
    store.insert(upload("small"), &b"small"[..]).await.unwrap();
    store.remove(hash, &ALL, &Owner::Anyone).await.unwrap();
    store.insert(upload("large"), &large[..]).await.unwrap();
    assert_eq!(read(&store, sha256(&large)).await.unwrap(), large);
}
