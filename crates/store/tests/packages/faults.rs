use std::time::Duration;

use store::packages::{Owner, PackageStore, SqlitePackages};
use store::testing::{Crash, Fault, SimFs};

use crate::support::{ALL, bytes, open_on, sha256, upload};

/// Uploads, uploads again and removes; gives what was acknowledged and must be there.
async fn work(store: &SqlitePackages) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    for seed in 0..3 {
        let content = bytes(seed, 300_000 + usize::from(seed));
        if store.insert(upload("a"), &content[..]).await.is_ok() {
            kept.push(content);
        }
    }
    let again = bytes(0, 300_000);
    if store.insert(upload("b"), &again[..]).await.is_ok() && !kept.contains(&again) {
        kept.push(again);
    }
    let gone = bytes(1, 300_001);
    if store.remove(sha256(&gone), &ALL, &Owner::Anyone).await.is_ok() {
        kept.retain(|content| *content != gone);
    }
    kept
}

/// Runs `work` with a fault, crashes, and checks what the next start finds.
async fn crash(fault: Option<(u64, Fault)>, crash: Crash) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let fs = SimFs::new();
    let store = open_on(dir.path(), &fs).await;
    let begun = fs.operations();
    if let Some((operation, fault)) = fault {
        fs.fail(begun + operation, fault);
    }
    let kept = work(&store).await;
    let operations = fs.operations() - begun;
    store.close().await;
    drop(store);
    fs.crash(crash);

    let store = open_on(dir.path(), &fs).await;
    assert!(store.report().damaged.is_empty(), "{fault:?}, {crash:?}: a row without content");
    for content in kept {
        let found = store.find(sha256(&content), &ALL).await.unwrap();
        assert!(found.is_some(), "{fault:?}, {crash:?}: acknowledged and lost");
        let checksum = blake3::hash(&content).to_hex();
        let path = dir.path().join("blobs").join(&checksum[..2]).join(checksum.as_str());
        assert!(fs.contents(&path).as_ref() == Some(&content), "{fault:?}, {crash:?}: torn");
    }
    let scrubbed = store.scrub(everything()).await.unwrap();
    assert!(scrubbed.is_complete && scrubbed.damaged.is_empty(), "{fault:?}, {crash:?}");
    let tmp = dir.path().join("tmp");
    assert!(!fs.files().iter().any(|path| path.starts_with(&tmp)), "{fault:?}: not swept");
    // And it works.
    let content = bytes(9, 10_000);
    store.insert(upload("after"), &content[..]).await.unwrap();
    operations
}

fn everything() -> store::packages::ScrubBudget {
    let mut budget = store::packages::ScrubBudget::default();
    budget.bytes_per_second = 0;
    budget.min_age = Duration::ZERO;
    budget
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_operation_on_files_loses_nothing_acknowledged() {
    let mut operations = 0;
    for how in [Crash::Killed, Crash::Lost, Crash::Some(1), Crash::Torn(1)] {
        operations = crash(None, how).await;
    }
    assert!(operations > 20, "only {operations} operations");
    for operation in 0..operations {
        let how = match operation % 3 {
            0 => Crash::Lost,
            1 => Crash::Some(operation),
            _ => Crash::Torn(operation),
        };
        for fault in [Fault::Stop, Fault::Failure, Fault::Full, Fault::Short] {
            crash(Some((operation, fault)), how).await;
        }
    }
    println!("{} crashes, {operations} operations", 4 * operations + 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_anywhere_in_a_large_upload_keeps_nothing() {
    let content = bytes(3, 36 << 20);
    let hash = sha256(&content);
    let (mut kept, mut refused) = (0, 0);
    // It is written in 576 pieces.
    for operation in (0..800).step_by(89) {
        for fault in [Fault::Stop, Fault::Failure, Fault::Full] {
            let dir = tempfile::tempdir().unwrap();
            let fs = SimFs::new();
            let store = open_on(dir.path(), &fs).await;
            fs.fail(fs.operations() + operation, fault);
            let stored = store.insert(upload("large"), &content[..]).await;
            store.close().await;
            drop(store);
            fs.crash(Crash::Lost);
            let store = open_on(dir.path(), &fs).await;
            let found = store.find(hash, &ALL).await.unwrap();
            assert_eq!(found.is_some(), stored.is_ok(), "{operation}, {fault:?}: {stored:?}");
            *(if stored.is_ok() { &mut kept } else { &mut refused }) += 1;
            assert_eq!(store.scrub(everything()).await.unwrap().damaged, []);
        }
    }
    println!("{kept} kept, {refused} refused");
    assert!(kept > 0 && refused > 10);
}
