//! The memory of searches has a bound, however large uploaders make what is known of packages:
//! measured in a process of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;

use store::packages::{
    Audience, MAX_KEYWORD_BYTES, MAX_METADATA_BYTES, MAX_TEXT_BYTES, PackageChange, PackageFilter,
    PackageStore, PackagesConfig, SortBy, SqlitePackages, Upload, Viewer,
};

const PACKAGES: usize = 200;

/// Searches at a time, and how often each is made.
const PARALLEL: usize = 4;
const TIMES: usize = 5;

/// Most that the memory may grow by. KiB.
const MOST_KIB: u64 = 16 << 10;

/// What this process has of memory now, or had at most. KiB.
fn kib(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Adds packages of which there is as much to know as may be.
async fn fill(store: &SqlitePackages) {
    for at in 0..PACKAGES {
        let name = format!("{at:0MAX_TEXT_BYTES$}");
        let mut upload = Upload::new(name, Audience::Everyone);
        // Of each, JSON makes two bytes.
        upload.remarks = Some("\"".repeat(MAX_TEXT_BYTES - 100));
        let content = at.to_le_bytes();
        let hash = store.insert(upload, &content[..]).await.unwrap().hash;
        let number = MAX_METADATA_BYTES / MAX_KEYWORD_BYTES;
        let keyword = |at: usize| format!("{at:\"<MAX_KEYWORD_BYTES$}");
        let mut change = PackageChange::default();
        change.keywords = Some((0..number).map(keyword).collect());
        store.update(hash, &Viewer::Everything, change).await.unwrap();
    }
}

/// Searches, and says how many bytes of names were given. It is broken off after so many rows.
async fn search(store: &SqlitePackages, sort: SortBy, most: usize) -> usize {
    let mut filter = PackageFilter::new(Viewer::Everything);
    filter.sort = sort;
    let (mut rows, mut bytes) = (0, 0);
    let visit = store.visit(&filter, |package| {
        (rows, bytes) = (rows + 1, bytes + package.name.len());
        if rows == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visit.await.unwrap();
    bytes
}

#[tokio::test]
async fn searches_take_little_memory_however_large_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = PackagesConfig::default();
    (config.min_free_bytes, config.ballast_bytes) = (0, 0);
    let store = SqlitePackages::open(dir.path(), config).await.unwrap();
    fill(&store).await;
    // The peak counts from now on.
    let is_reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let Some(before) = kib("VmRSS:").filter(|_| is_reset) else {
        println!("skipped: the system does not say how much memory is used");
        return;
    };
    let tasks: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    for sort in [SortBy::Submitted, SortBy::Name, SortBy::Size] {
                        assert_eq!(search(&store, sort, 1).await, MAX_TEXT_BYTES);
                        let all = search(&store, sort, usize::MAX).await;
                        assert_eq!(all, PACKAGES * MAX_TEXT_BYTES);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let grown = kib("VmHWM:").unwrap().saturating_sub(before);
    println!("searches took {grown} KiB");
    assert!(grown < MOST_KIB, "{grown} KiB");
}
