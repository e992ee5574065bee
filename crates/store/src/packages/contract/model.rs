//! A store and a model of it are done the same to and asked the same.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, Ordering};

use super::support::Random;
use super::{READ, TAKEN, hash};
use crate::packages::{
    Audience, Bounds, Circle, ContentHash, MemoryPackages, Owner, PackageChange, PackageFilter,
    PackageStore, SortBy, Upload, Viewer,
};

const TEAMS: [&str; 3] = ["Cyan", "Red", "Blue"];

/// Does the same to a store and to a model of it, and asks both the same.
pub(super) async fn searches_agree<S: PackageStore>(
    store: &S,
    model: &MemoryPackages,
    clock: &AtomicI64,
) {
    let mut random = Random(7);
    for _ in 0..150 {
        clock.fetch_add(10, Ordering::SeqCst);
        let upload = any_upload(&mut random, clock.load(Ordering::SeqCst));
        let bytes = any_content(&mut random);
        let stored = store.insert(upload.clone(), bytes.as_bytes()).await.expect(TAKEN);
        let expected = model.insert(upload, bytes.as_bytes()).await.expect(TAKEN);
        assert_eq!(stored, expected, "what an upload answers");
        if random.is_one_in(8) {
            alter_both(&mut random, store, model, stored.hash).await;
        }
    }
    let now_ms = clock.load(Ordering::SeqCst);
    for _ in 0..400 {
        let filter = any_filter(&mut random, now_ms);
        let found = store.list(&filter).await.expect(READ);
        assert_eq!(found, model.list(&filter).await.expect(READ), "{filter:?}");
        let count = store.count(&filter).await.expect(READ);
        assert_eq!(count, model.count(&filter).await.expect(READ), "{filter:?}");
    }
    let (usage, expected) = (store.usage().await, model.usage().await);
    assert_eq!(usage.expect(READ), expected.expect(READ));
}

async fn alter_both<S: PackageStore>(
    random: &mut Random,
    store: &S,
    model: &MemoryPackages,
    hash: ContentHash,
) {
    let viewer = Viewer::groups([random.pick(&TEAMS)]);
    if random.is_one_in(2) {
        let change = PackageChange {
            tool: Some("changed".into()),
            keywords: Some(vec![format!("k{}", random.below(5))]),
            ..PackageChange::default()
        };
        let changed = store.update(hash, &viewer, change.clone()).await.ok();
        let expected = model.update(hash, &viewer, change).await.ok();
        assert_eq!(changed, expected, "what a change answers");
    } else {
        let owner = match random.below(3) {
            0 => Owner::Address(any_addr(random)),
            _ => Owner::User(format!("user{}", random.below(3))),
        };
        let removed = store.remove(hash, &viewer, &owner).await.is_ok();
        let expected = model.remove(hash, &viewer, &owner).await.is_ok();
        assert_eq!(removed, expected, "what a removal answers");
    }
}

/// One of 60.
fn any_content(random: &mut Random) -> String {
    "x".repeat(1 + random.below(60))
}

fn any_upload(random: &mut Random, now_ms: i64) -> Upload {
    let groups: Vec<_> = TEAMS.into_iter().filter(|_| random.is_one_in(2)).collect();
    let audience = if random.is_one_in(5) { Audience::Everyone } else { Audience::groups(groups) };
    let mut upload = Upload::new(format!("Ünit {} Name", random.below(40)), audience);
    upload.tool = random.pick(&["public", "private", "other"]).into();
    upload.mime_type = random.pick(&["application/zip", "text/plain"]).into();
    upload.keywords = (0..random.below(4)).map(|_| format!("k{}", random.below(5))).collect();
    upload.filename = random.is_one_in(2).then(|| format!("File-{}.ZIP", random.below(9)));
    upload.uid = random.is_one_in(2).then(|| format!("uid-{}", random.below(20)));
    upload.submitter = random.is_one_in(2).then(|| format!("user{}", random.below(3)));
    upload.creator_uid = random.is_one_in(2).then(|| format!("DEVICE-{}", random.below(3)));
    upload.origin = random.is_one_in(2).then(|| any_addr(random));
    upload.is_by_operator = random.is_one_in(10);
    upload.mission = random.is_one_in(3).then(|| format!("Op {}", random.below(3)));
    if random.is_one_in(4) {
        upload.expires_ms = Some(now_ms + i64::try_from(random.below(2000)).unwrap_or_default());
    }
    if !random.is_one_in(3) {
        upload.latitude = Some(degrees(random, 90));
        upload.longitude = Some(degrees(random, 180));
    }
    upload.altitude = random.is_one_in(2).then(|| degrees(random, 1000));
    upload
}

fn any_addr(random: &mut Random) -> IpAddr {
    let last = u8::try_from(random.below(2)).unwrap_or_default();
    if random.is_one_in(3) { Ipv6Addr::LOCALHOST.into() } else { [10, 0, 0, last].into() }
}

/// Within `most` on either side of 0.
fn degrees(random: &mut Random, most: u16) -> f64 {
    f64::from(u16::try_from(random.below(2 * usize::from(most))).unwrap_or_default())
        - f64::from(most)
}

fn any_filter(random: &mut Random, now_ms: i64) -> PackageFilter {
    let viewer = match random.below(5) {
        0 => Viewer::Everything,
        1 => Viewer::groups(["Cyan", "Blue"]),
        _ => Viewer::groups([random.pick(&TEAMS)]),
    };
    let mut filter = PackageFilter::new(viewer);
    filter.each_audience = random.is_one_in(3);
    filter.is_ascending = random.is_one_in(2);
    filter.sort = random.pick(&[SortBy::Name, SortBy::Size, SortBy::Submitted]);
    filter.tool = random.is_one_in(5).then(|| "public".into());
    filter.name = random.is_one_in(4).then(|| "üNIT 1".into());
    filter.filename = random.is_one_in(6).then(|| ".zip".into());
    filter.mime_type = random.is_one_in(6).then(|| "text/plain".into());
    filter.submitter = random.is_one_in(6).then(|| "user1".into());
    filter.creator_uid = random.is_one_in(6).then(|| "DEVICE-1".into());
    filter.mission = random.is_one_in(8).then(|| "Op 1".into());
    filter.since_ms = random.is_one_in(6).then_some(now_ms - 1000);
    filter.until_ms = random.is_one_in(6).then_some(now_ms - 300);
    filter.min_altitude = random.is_one_in(8).then_some(-300.0);
    filter.max_altitude = random.is_one_in(8).then_some(300.0);
    filter.hash = random.is_one_in(20).then(|| hash(any_content(random).as_bytes()));
    filter.key = random.is_one_in(30).then_some(17);
    filter.uid = match random.below(12) {
        0 => Some(format!("uid-{}", random.below(20))),
        1 => Some(hash(any_content(random).as_bytes()).to_string()),
        _ => None,
    };
    if random.is_one_in(4) {
        let keywords = 0..=random.below(2);
        filter.keywords = keywords.map(|_| format!("k{}", random.below(5))).collect();
    }
    if random.is_one_in(5) {
        let (west, east) = (degrees(random, 180), degrees(random, 180));
        filter.bounds = Some(Bounds { south: -60.0, west, north: 60.0, east });
    }
    if random.is_one_in(5) {
        let (latitude, longitude) = (degrees(random, 90), degrees(random, 180));
        let radius_m = 9e6 + 1e4 * degrees(random, 900);
        filter.circle = Some(Circle { latitude, longitude, radius_m });
    }
    if random.is_one_in(3) {
        filter.offset = u32::try_from(random.below(10)).unwrap_or_default();
        filter.limit = u32::try_from(random.below(10)).unwrap_or_default();
    }
    filter
}
