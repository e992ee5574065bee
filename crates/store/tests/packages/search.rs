#![expect(clippy::disallowed_methods, reason = "time is what is measured")]

use std::time::{Duration, Instant};

use store::packages::{
    Audience, PackageFilter, PackageStore, SortBy, SqlitePackages, Upload, Viewer,
};

use crate::support::{ALL, config, open_with};

const PACKAGES: usize = 10_000;

/// Far above what it takes (see `docs/packages.md`), because tests share a processor.
const MOST: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_over_ten_thousand_packages_takes_milliseconds() {
    // Durability is not what is measured.
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let store = open_with(dir.path(), config()).await;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for at in (task..PACKAGES).step_by(4) {
                    fill(&store, at).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let cyan = || PackageFilter::new(Viewer::groups(["Team 3"]));
    let with = |change: &dyn Fn(&mut PackageFilter)| {
        let mut filter = cyan();
        filter.limit = 100;
        change(&mut filter);
        filter
    };
    let all = PackageFilter::new(ALL);
    measure(&store, "all, first 1000", &all, 1000).await;
    measure(&store, "of a team, all", &cyan(), 1000).await;
    measure(
        &store,
        "as ATAK asks",
        &with(&|filter| {
            filter.keywords = vec!["missionpackage".to_owned()];
            filter.tool = Some("public".to_owned());
        }),
        100,
    )
    .await;
    measure(&store, "rare keyword", &with(&|filter| filter.keywords = vec!["k777".into()]), 1)
        .await;
    measure(&store, "name", &with(&|filter| filter.name = Some("PACKAGE 99".to_owned())), 11).await;
    measure(&store, "no such name", &with(&|filter| filter.name = Some("zzz".to_owned())), 0).await;
    measure(&store, "uid", &with(&|filter| filter.uid = Some("uid-7".to_owned())), 0).await;
    measure(&store, "tool", &with(&|filter| filter.tool = Some("none".to_owned())), 0).await;
    measure(&store, "creator", &with(&|filter| filter.creator_uid = Some("D-3".into())), 100).await;
    measure(&store, "by size", &with(&|filter| filter.sort = SortBy::Size), 100).await;
    measure(&store, "last page", &with(&|filter| filter.offset = 950), 50).await;
    let started = Instant::now();
    assert_eq!(store.count(&all).await.unwrap(), PACKAGES as u64);
    println!("{:>20}: {:?}", "count", started.elapsed());
    store.close().await;
    drop(store);
    let started = Instant::now();
    let store = open_with(dir.path(), config()).await;
    println!("{:>20}: {:?}", "start", started.elapsed());
    drop(store);
}

async fn fill(store: &SqlitePackages, at: usize) {
    let audience = Audience::groups([format!("Team {}", at % 10)]);
    let mut upload = Upload::new(format!("Package {at}.zip"), audience);
    upload.uid = Some(format!("uid-{at}"));
    upload.creator_uid = Some(format!("D-{}", at % 10));
    upload.keywords = vec!["missionpackage".to_owned(), format!("k{}", at / 10 % 1000)];
    upload.mime_type = "application/x-zip-compressed".to_owned();
    store.insert(upload, format!("content {at}").as_bytes()).await.unwrap();
}

async fn measure(store: &SqlitePackages, what: &str, filter: &PackageFilter, expected: usize) {
    let mut times = Vec::new();
    for _ in 0..9 {
        let started = Instant::now();
        let found = store.list(filter).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(found.len(), expected, "{what}");
    }
    times.sort();
    println!("{what:>20}: {expected:>4} found, median {:?}", times[times.len() / 2]);
    // A machine with other work to do makes some slow, not each.
    assert!(times[0] < MOST, "{what}: {times:?}");
}
