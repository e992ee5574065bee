//! What every package store must do.

mod model;
mod renewal;
mod support;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::SeekFrom;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use self::support::{Cut, all, join};
use super::{
    Audience, Circle, Clock, ContentHash, DataPackage, MAX_GROUPS, MAX_KEYWORD_BYTES, MAX_KEYWORDS,
    MAX_METADATA_BYTES, MAX_TEXT_BYTES, MemoryPackages, Owner, PackageChange, PackageFilter,
    PackageStore, PackageUsage, PackagesConfig, ReadContent, Upload, Viewer,
};
use crate::{Quota, StoreError};

/// Checks that a store does what [`PackageStore`] says.
///
/// `open` opens an empty store, which another call does not see, with a configuration.
///
/// ```
/// use store::packages::MemoryPackages;
/// use store::testing::package_contract;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// package_contract(async |config| MemoryPackages::new(config)).await;
/// # }
/// ```
///
/// # Panics
///
/// When the store does something else, with a message that says what.
pub async fn package_contract<S: PackageStore>(open: impl AsyncFn(PackagesConfig) -> S) {
    let (clock, config) = config();
    a_package_is_found_as_it_was_uploaded(&open(config.clone()).await).await;
    what_is_missing_is_filled_in(&open(config.clone()).await).await;
    content_can_be_read_from_anywhere(&open(config.clone()).await).await;
    a_lie_leaves_nothing(&open(config.clone()).await).await;
    what_is_out_of_bounds_is_refused(&open(config.clone()).await).await;
    renewal::another_upload_renews(&open(config.clone()).await, &clock).await;
    teams_see_their_own(&open(config.clone()).await).await;
    metadata_can_be_changed(&open(config.clone()).await).await;
    only_owners_remove(&open(config.clone()).await).await;
    what_has_expired_is_gone(&open(config.clone()).await, &clock).await;
    places_are_found_in_circles(&open(config.clone()).await).await;
    texts_are_literal(&open(config.clone()).await).await;
    parallel_uploads_are_one(&open(config.clone()).await).await;
    model::searches_agree(&open(config.clone()).await, &MemoryPackages::new(config), &clock).await;
    let (_, mut config) = self::config();
    config.max_upload_bytes = 1000;
    config.max_total_bytes = Some(2500);
    config.max_owner_bytes = Some(1500);
    config.max_packages = 4;
    quotas_hold(&open(config).await).await;
}

/// A clock that is set, and a configuration that uses it.
fn config() -> (Arc<AtomicI64>, PackagesConfig) {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let shared = Arc::clone(&clock);
    let config = PackagesConfig {
        clock: Clock::new(move || shared.load(Ordering::SeqCst)),
        min_free_bytes: 0,
        ..PackagesConfig::default()
    };
    (clock, config)
}

const TAKEN: &str = "a good store takes it";
const READ: &str = "a good store can be read";

fn cyan() -> Viewer {
    Viewer::groups(["Cyan"])
}

fn upload(name: &str) -> Upload {
    Upload::new(name, Audience::groups(["Cyan"]))
}

fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash::from_bytes(Sha256::digest(bytes).into())
}

async fn names<S: PackageStore>(store: &S, filter: &PackageFilter) -> Vec<String> {
    let found = store.list(filter).await.expect(READ);
    assert_eq!(store.count(filter).await.expect(READ), found.len() as u64, "count of {filter:?}");
    found.into_iter().map(|package| package.name).collect()
}

async fn is_empty<S: PackageStore>(store: &S, why: &str) {
    assert_eq!(store.usage().await.expect(READ), PackageUsage::default(), "{why}");
}

async fn a_package_is_found_as_it_was_uploaded<S: PackageStore>(store: &S) {
    let bytes = b"PK\x03\x04 recon";
    let upload = Upload {
        filename: Some("recon.zip".into()),
        hash: Some(hash(bytes)),
        size: Some(bytes.len() as u64),
        uid: Some("uid-1".into()),
        mime_type: "application/x-zip-compressed".into(),
        tool: "private".into(),
        keywords: ["missionpackage", "b", "", "b", "a"].map(str::to_owned).into(),
        submitter: Some("alice".into()),
        creator_uid: Some("ANDROID-1".into()),
        expires_ms: Some(1_900_000_000_000),
        latitude: Some(50.1),
        longitude: Some(-8.6),
        altitude: Some(0.0),
        remarks: Some("two\nlines".into()),
        download_path: Some("../up".into()),
        mission: Some("Op".into()),
        contacts: Some("HAWK".into()),
        origin: Some([192, 0, 2, 1].into()),
        ..Upload::new("recon", Audience::groups(["Red", "Cyan"]))
    };
    let expected = DataPackage {
        keywords: ["missionpackage", "b", "a"].map(str::to_owned).into(),
        ..DataPackage::new(0, upload.clone(), hash(bytes), bytes.len() as u64, 1_800_000_000_000)
    };
    let stored = store.insert(upload, &bytes[..]).await.expect(TAKEN);
    assert!(stored.key > 0, "keys count from 1");
    let expected = DataPackage { key: stored.key, ..expected };
    assert_eq!(stored, expected, "the answer to the upload");
    assert_eq!(store.find(stored.hash, &cyan()).await.expect(READ), Some(expected.clone()));
    let listed = store.list(&PackageFilter::new(cyan())).await.expect(READ);
    assert!(listed.iter().eq([&expected]), "what is listed: {listed:?}");
    let (opened, mut content) = store.open(stored.hash, &cyan()).await.expect(READ);
    assert_eq!(opened, expected, "what is opened");
    let mut read = Vec::new();
    content.read_to_end(&mut read).await.expect(READ);
    assert_eq!(read, bytes, "the content");
    let usage = store.usage().await.expect(READ);
    assert_eq!((usage.packages, usage.contents, usage.bytes, usage.damaged), (1, 1, 10, 0));
}

async fn what_is_missing_is_filled_in<S: PackageStore>(store: &S) {
    let stored = store.insert(upload(""), &b"x"[..]).await.expect(TAKEN);
    let text = hash(b"x").to_string();
    assert_eq!([&stored.name, &stored.uid, &stored.filename], [&text; 3]);
    assert_eq!((stored.tool.as_str(), stored.expires_ms), ("public", None));
    assert_eq!(store.find(stored.hash, &cyan()).await.expect(READ), Some(stored));
    let missing = hash(b"y");
    assert_eq!(store.find(missing, &cyan()).await.expect(READ), None);
    let opened = store.open(missing, &cyan()).await.map(drop);
    assert!(matches!(opened, Err(StoreError::NotFound { .. })), "{opened:?}");
}

async fn content_can_be_read_from_anywhere<S: PackageStore>(store: &S) {
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(|at| (at % 65_521).to_le_bytes()).collect();
    // A reader that gives little at a time, and what was read has to be waited for.
    let (mut sender, receiver) = tokio::io::duplex(3_000);
    let sent = bytes.clone();
    let sending = async move {
        tokio::io::AsyncWriteExt::write_all(&mut sender, &sent).await.expect("is read");
    };
    let (stored, ()) = join(store.insert(upload("large"), receiver), sending).await;
    let stored = stored.expect(TAKEN);
    assert_eq!((stored.hash, stored.size), (hash(&bytes), 4_000_000));
    let (_, mut content) = store.open(stored.hash, &cyan()).await.expect(READ);
    for (from, len) in [(0, 10), (3_999_990, 10), (1_234_567, 300_000), (0, 4_000_000)] {
        content.seek(SeekFrom::Start(from as u64)).await.expect(READ);
        let mut part = vec![0; len];
        content.read_exact(&mut part).await.expect(READ);
        assert!(part == bytes[from..from + len], "{len} bytes from {from}");
    }
    for (from, len) in [(0, 4_000_000), (1_234_567, 1_500_000), (3_999_990, 10), (5, 7)] {
        content.seek(SeekFrom::Start(from as u64)).await.expect(READ);
        let mut part = Vec::new();
        while part.len() < len {
            let wanted = (len - part.len()) as u64;
            let piece = poll_fn(|cx| Pin::new(&mut content).poll_piece(cx, wanted));
            let piece = piece.await.expect(READ);
            assert!(!piece.is_empty() && piece.len() as u64 <= wanted, "{} bytes", piece.len());
            part.extend(piece);
        }
        assert!(part == bytes[from..from + len], "{len} bytes in pieces from {from}");
    }
    assert_eq!(content.seek(SeekFrom::End(0)).await.expect(READ), 4_000_000);
    let piece = poll_fn(|cx| Pin::new(&mut content).poll_piece(cx, 10)).await.expect(READ);
    assert!(piece.is_empty(), "no piece after the end");
    assert_eq!(content.read(&mut [0; 10]).await.expect(READ), 0, "nothing after the end");
}

async fn a_lie_leaves_nothing<S: PackageStore>(store: &S) {
    let claim = |hash| Upload { hash: Some(hash), ..upload("a") };
    let refused = store.insert(claim(hash(b"b")), &b"a"[..]).await;
    let (claimed, actual) = (hash(b"b"), hash(b"a"));
    assert!(
        matches!(&refused, Err(StoreError::HashMismatch { claimed: c, actual: a })
            if *c == claimed && *a == actual),
        "{refused:?}"
    );
    for (declared, bytes) in [(2, &b"a"[..]), (2, b"abc"), (0, b"a")] {
        let refused = store.insert(Upload { size: Some(declared), ..upload("a") }, bytes).await;
        let is_right = matches!(refused, Err(StoreError::SizeMismatch { declared: d, .. })
            if d == declared);
        assert!(is_right, "{declared} for {bytes:?}: {refused:?}");
    }
    let refused = store.insert(upload("a"), &b""[..]).await;
    assert!(matches!(refused, Err(StoreError::Unfit { .. })), "empty: {refused:?}");
    let refused = store.insert(upload("a"), Cut(&b"abc"[..])).await;
    assert!(matches!(refused, Err(StoreError::Interrupted { .. })), "cut: {refused:?}");
    is_empty(store, "after lies").await;
    // Who names what is there and sends something else does no harm to it.
    store.insert(claim(hash(b"b")), &b"b"[..]).await.expect(TAKEN);
    let refused = store.insert(claim(hash(b"b")), &b"a"[..]).await;
    assert!(matches!(refused, Err(StoreError::HashMismatch { .. })), "{refused:?}");
    assert_eq!(store.usage().await.expect(READ).packages, 1);
    store.open(hash(b"b"), &cyan()).await.expect(READ);
}

async fn what_is_out_of_bounds_is_refused<S: PackageStore>(store: &S) {
    let long = "n".repeat(MAX_TEXT_BYTES + 1);
    let many: Vec<_> = (0..=MAX_KEYWORDS).map(|at| at.to_string()).collect();
    let keywords = |keywords| Upload { keywords, ..upload("a") };
    let unfit = [
        upload(&long),
        Upload { remarks: Some(long.clone()), ..upload("a") },
        Upload { uid: Some(long.clone()), ..upload("a") },
        {
            let third = Some("n".repeat(MAX_METADATA_BYTES / 3));
            let (remarks, contacts) = (third.clone(), third.clone());
            Upload { uid: third, remarks, contacts, ..upload("a") }
        },
        keywords(many),
        keywords(vec!["k".repeat(MAX_KEYWORD_BYTES + 1)]),
        keywords(vec!["two\nlines".to_owned()]),
        Upload::new("a", Audience::groups((0..=MAX_GROUPS).map(|at| at.to_string()))),
    ];
    for upload in unfit {
        let refused = store.insert(upload, &b"a"[..]).await;
        assert!(matches!(refused, Err(StoreError::Unfit { .. })), "{refused:?}");
    }
    is_empty(store, "after what is unfit").await;
    let longest = "ü".repeat(MAX_TEXT_BYTES / 2);
    let stored = store.insert(upload(&longest), &b"a"[..]).await.expect(TAKEN);
    assert_eq!(stored.name, longest);
    let change = PackageChange { name: Some(long), ..PackageChange::default() };
    let refused = store.update(stored.hash, &cyan(), change).await;
    assert!(matches!(refused, Err(StoreError::Unfit { .. })), "{refused:?}");
}

async fn teams_see_their_own<S: PackageStore>(store: &S) {
    let bytes = b"shared";
    let hash = hash(bytes);
    let red = Viewer::groups(["Red"]);
    let both = Viewer::groups(["Red", "Cyan"]);
    let nobody = Viewer::groups(Vec::<String>::new());
    let to = |name, groups: &[&str]| Upload::new(name, Audience::groups(groups.to_vec()));
    store.insert(to("of cyan", &["Cyan"]), &bytes[..]).await.expect(TAKEN);
    assert_eq!(store.find(hash, &red).await.expect(READ), None, "another team's");
    let opened = store.open(hash, &red).await.map(drop);
    assert!(matches!(opened, Err(StoreError::NotFound { .. })), "{opened:?}");
    let changed = store.update(hash, &red, PackageChange::default()).await;
    assert!(matches!(changed, Err(StoreError::NotFound { .. })), "{changed:?}");
    let removed = store.remove(hash, &red, &Owner::Anyone).await;
    assert!(matches!(removed, Err(StoreError::NotFound { .. })), "{removed:?}");

    store.insert(to("of red", &["Red"]), &bytes[..]).await.expect(TAKEN);
    let all = |viewer: &Viewer| PackageFilter::new(viewer.clone());
    assert_eq!(names(store, &all(&cyan())).await, ["of cyan"], "nobody sees another's name");
    assert_eq!(names(store, &all(&red)).await, ["of red"]);
    assert_eq!(names(store, &all(&both)).await, ["of red"], "a content is listed once");
    assert_eq!(names(store, &all(&Viewer::Everything)).await, ["of red"]);
    assert_eq!(names(store, &all(&nobody)).await, [""; 0]);
    let each = |viewer: &Viewer| PackageFilter { each_audience: true, ..all(viewer) };
    assert_eq!(names(store, &each(&cyan())).await, ["of cyan"], "nobody sees another's name");
    assert_eq!(names(store, &each(&both)).await, ["of red", "of cyan"], "each entry is listed");
    assert_eq!(names(store, &each(&Viewer::Everything)).await, ["of red", "of cyan"]);
    assert_eq!(names(store, &each(&nobody)).await, [""; 0]);
    let usage = store.usage().await.expect(READ);
    assert_eq!((usage.packages, usage.contents, usage.bytes), (2, 1, 6));

    store.insert(Upload::new("of all", Audience::Everyone), &b"all"[..]).await.expect(TAKEN);
    store.insert(Upload::new("hidden", Audience::nobody()), &b"hidden"[..]).await.expect(TAKEN);
    assert_eq!(names(store, &all(&nobody)).await, ["of all"]);
    assert_eq!(names(store, &all(&cyan())).await, ["of all", "of cyan"]);
    assert_eq!(names(store, &all(&Viewer::Everything)).await, ["hidden", "of all", "of red"]);
    // A group's name is a name, not a pattern.
    for group in ["*", "%", "Cya", "cyan", "[\"Cyan\"]", "Cyan\",\"Red", ""] {
        assert_eq!(names(store, &all(&Viewer::groups([group]))).await, ["of all"], "{group}");
    }
    store.remove(hash, &red, &Owner::Anyone).await.expect(TAKEN);
    assert_eq!(names(store, &all(&red)).await, ["of all"]);
    assert_eq!(names(store, &all(&both)).await, ["of all", "of cyan"], "the other's is there");
    store.open(hash, &cyan()).await.expect(READ);
}

async fn metadata_can_be_changed<S: PackageStore>(store: &S) {
    let stored = store.insert(upload("old"), &b"a"[..]).await.expect(TAKEN);
    store.insert(upload("other"), &b"b"[..]).await.expect(TAKEN);
    let change = PackageChange {
        name: Some("new".into()),
        filename: Some("new.zip".into()),
        mime_type: Some("application/zip".into()),
        tool: Some("private".into()),
        keywords: Some(vec!["x".into(), "x".into(), "y".into()]),
        submitter: Some(Some("alice".into())),
        expires_ms: Some(Some(1_900_000_000_000)),
        remarks: Some(Some("r".into())),
    };
    let expected = DataPackage {
        name: "new".into(),
        filename: "new.zip".into(),
        mime_type: "application/zip".into(),
        tool: "private".into(),
        keywords: vec!["x".into(), "y".into()],
        submitter: Some("alice".into()),
        expires_ms: Some(1_900_000_000_000),
        remarks: Some("r".into()),
        ..stored.clone()
    };
    let changed = store.update(stored.hash, &cyan(), change).await.expect(TAKEN);
    assert_eq!(changed, expected, "the answer to the change");
    assert_eq!(store.find(stored.hash, &cyan()).await.expect(READ), Some(expected.clone()));
    let by_keyword = PackageFilter { keywords: vec!["y".into()], ..PackageFilter::new(cyan()) };
    assert_eq!(names(store, &by_keyword).await, ["new"]);
    assert_eq!(names(store, &PackageFilter::new(cyan())).await, ["other", "new"], "as before");
    let nothing = PackageChange { name: Some(String::new()), ..PackageChange::default() };
    assert_eq!(store.update(stored.hash, &cyan(), nothing).await.expect(TAKEN), expected);
    let cleared = PackageChange {
        expires_ms: Some(None),
        remarks: Some(None),
        submitter: Some(None),
        keywords: Some(Vec::new()),
        ..PackageChange::default()
    };
    let cleared = store.update(stored.hash, &cyan(), cleared).await.expect(TAKEN);
    assert_eq!((cleared.expires_ms, cleared.remarks, cleared.submitter), (None, None, None));
    assert_eq!(cleared.keywords, [""; 0]);
}

async fn only_owners_remove<S: PackageStore>(store: &S) {
    let by = |user: Option<&str>| Upload {
        submitter: user.map(str::to_owned),
        creator_uid: Some("DEVICE".into()),
        origin: Some([10, 0, 0, 1].into()),
        ..upload("a")
    };
    let (user, device) = (Owner::User("alice".into()), Owner::Device("DEVICE".into()));
    let addr = Owner::Address([10, 0, 0, 1].into());
    let others = [
        Owner::User("bob".into()),
        Owner::User(String::new()),
        Owner::Device("D".into()),
        Owner::Address([10, 0, 0, 2].into()),
        Owner::Nobody,
    ];
    for (owner, good, bad) in [
        (Some("alice"), &user, &device),
        (Some("alice"), &user, &addr),
        (None, &device, &user),
        (None, &addr, &user),
    ] {
        let stored = store.insert(by(owner), &b"a"[..]).await.expect(TAKEN);
        for other in others.iter().chain([bad]) {
            let refused = store.remove(stored.hash, &cyan(), other).await;
            assert!(matches!(refused, Err(StoreError::NotOwner { .. })), "{other:?}: {refused:?}");
        }
        // Another who uploads it does not own it.
        let by_bob = Upload { origin: Some([10, 0, 0, 2].into()), ..by(Some("bob")) };
        store.insert(by_bob, &b"a"[..]).await.expect(TAKEN);
        let refused = store.remove(stored.hash, &cyan(), &Owner::User("bob".into())).await;
        assert!(matches!(refused, Err(StoreError::NotOwner { .. })), "{refused:?}");
        let (_, mut content) = store.open(stored.hash, &cyan()).await.expect(READ);
        store.remove(stored.hash, &cyan(), good).await.expect(TAKEN);
        let refused = store.remove(stored.hash, &cyan(), good).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
        let opened = store.open(stored.hash, &cyan()).await.map(drop);
        assert!(matches!(opened, Err(StoreError::NotFound { .. })), "{opened:?}");
        assert_eq!(content.read_u8().await.expect("open content stays"), b'a');
        is_empty(store, "all was removed").await;
    }
    // One entry of a content may be meant, by its number.
    let kept = store.insert(upload("kept"), &b"a"[..]).await.expect(TAKEN);
    let other = Upload::new("gone", Audience::groups(["Red"]));
    let gone = store.insert(other, &b"a"[..]).await.expect(TAKEN);
    let one = Owner::Entry(gone.key);
    let refused = store.remove(gone.hash, &cyan(), &one).await;
    assert!(matches!(refused, Err(StoreError::NotOwner { .. })), "not seen: {refused:?}");
    store.remove(gone.hash, &Viewer::Everything, &one).await.expect(TAKEN);
    assert_eq!(names(store, &PackageFilter::new(Viewer::Everything)).await, ["kept"]);
    store.open(kept.hash, &cyan()).await.expect(READ);
}

async fn what_has_expired_is_gone<S: PackageStore>(store: &S, clock: &AtomicI64) {
    let now_ms = clock.load(Ordering::SeqCst);
    let until = |name, expires_ms| Upload { expires_ms, ..upload(name) };
    store.insert(until("soon", Some(now_ms + 1000)), &b"a"[..]).await.expect(TAKEN);
    store.insert(until("later", Some(now_ms + 2000)), &b"b"[..]).await.expect(TAKEN);
    store.insert(until("never", None), &b"c"[..]).await.expect(TAKEN);
    clock.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(names(store, &PackageFilter::new(cyan())).await, ["never", "later"]);
    let opened = store.open(hash(b"a"), &cyan()).await.map(drop);
    assert!(matches!(opened, Err(StoreError::NotFound { .. })), "{opened:?}");
    let changed = store.update(hash(b"a"), &cyan(), PackageChange::default()).await;
    assert!(matches!(changed, Err(StoreError::NotFound { .. })), "{changed:?}");
    assert_eq!(store.usage().await.expect(READ).packages, 3, "not removed yet");
    // The later expiration counts, and what has expired begins anew.
    let later = Upload { expires_ms: Some(now_ms + 1500), ..upload("later") };
    let renewed = store.insert(later, &b"b"[..]).await.expect(TAKEN);
    assert_eq!(renewed.expires_ms, Some(now_ms + 2000));
    let anew = Upload { submitter: Some("bob".into()), ..until("anew", Some(now_ms + 3000)) };
    let anew = store.insert(anew, &b"a"[..]).await.expect(TAKEN);
    assert_eq!((anew.expires_ms, anew.submitter.as_deref()), (Some(now_ms + 3000), Some("bob")));
    clock.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(store.remove_expired().await.expect(TAKEN), 1);
    assert_eq!(store.remove_expired().await.expect(TAKEN), 0);
    assert_eq!(store.usage().await.expect(READ).contents, 2);
    assert_eq!(names(store, &PackageFilter::new(cyan())).await, ["anew", "never"]);
}

async fn places_are_found_in_circles<S: PackageStore>(store: &S) {
    let places = [
        ("here", 50.0, 8.0),
        ("100 m north", 50.0009, 8.0),
        ("100 m east", 50.0, 8.0014),
        ("Fiji", -17.0, 179.9),
        ("Fiji, west of the line", -17.0, -179.9),
        ("pole", 90.0, 0.0),
    ];
    for (name, latitude, longitude) in places {
        let (latitude, longitude) = (Some(latitude), Some(longitude));
        let placed = Upload { latitude, longitude, ..upload(name) };
        store.insert(placed, name.as_bytes()).await.expect(TAKEN);
    }
    store.insert(upload("nowhere"), &b"nowhere"[..]).await.expect(TAKEN);
    let found = async |latitude, longitude, radius_m| {
        let circle = Some(Circle { latitude, longitude, radius_m });
        let mut filter = PackageFilter { circle, ..PackageFilter::new(cyan()) };
        filter.is_ascending = true;
        names(store, &filter).await
    };
    assert_eq!(found(50.0, 8.0, 0.0).await, ["here"]);
    assert_eq!(found(50.0, 8.0, 99.0).await, ["here"]);
    assert_eq!(found(50.0, 8.0, 101.0).await, ["here", "100 m north", "100 m east"]);
    assert_eq!(found(-17.0, 180.0, 11_000.0).await, ["Fiji", "Fiji, west of the line"]);
    assert_eq!(found(-17.0, -180.0, 11_000.0).await, ["Fiji", "Fiji, west of the line"]);
    assert_eq!(found(89.9, 177.0, 12_000.0).await, ["pole"], "all meridians meet there");
    for radius_m in [21_000_000.0, f64::INFINITY] {
        assert_eq!(found(12.0, -34.0, radius_m).await.len(), places.len(), "the whole Earth");
    }
    for (latitude, longitude, radius_m) in
        [(50.0, 8.0, -1.0), (50.0, 8.0, f64::NAN), (f64::NAN, 8.0, 1e8), (50.0, f64::NAN, 1e8)]
    {
        assert_eq!(found(latitude, longitude, radius_m).await, [""; 0], "no circle");
    }
}

/// Texts that have done harm elsewhere.
const HOSTILE: &[&str] = &[
    "' OR 1=1--",
    "\"; DROP TABLE packages; --",
    "'); DELETE FROM contents; --",
    "%",
    "_",
    "a%b",
    "\\",
    "../../../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "%2e%2e%2f",
    "CON",
    ".",
    "..",
    "a\0b",
    "a\nb",
    "a\r\nSet-Cookie: x",
    "\u{ff0e}\u{ff0e}\u{ff0f}",
    "\u{202e}gnp.exe",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\u{1f9ed} Übung",
    "İstanbul",
    "null",
    "[\"Cyan\"]",
];

async fn texts_are_literal<S: PackageStore>(store: &S) {
    for (at, text) in HOSTILE.iter().enumerate() {
        let stored = Upload {
            filename: Some((*text).into()),
            uid: Some((*text).into()),
            tool: (*text).into(),
            submitter: Some((*text).into()),
            creator_uid: Some((*text).into()),
            mission: Some((*text).into()),
            keywords: Some((*text).to_owned())
                .filter(|text| !text.contains(char::is_control))
                .into_iter()
                .collect(),
            ..Upload::new(*text, Audience::groups(["Cyan", text]))
        };
        let bytes = at.to_string();
        let stored = store.insert(stored, bytes.as_bytes()).await.expect(TAKEN);
        assert_eq!(stored.name, *text);
        assert_eq!(store.find(stored.hash, &cyan()).await.expect(READ), Some(stored));
    }
    let filter = || PackageFilter::new(cyan());
    for text in HOSTILE {
        let wanted = || Some((*text).to_owned());
        for exact in [
            PackageFilter { uid: wanted(), ..filter() },
            PackageFilter { tool: wanted(), ..filter() },
            PackageFilter { submitter: wanted(), ..filter() },
            PackageFilter { creator_uid: wanted(), ..filter() },
            PackageFilter { mission: wanted(), ..filter() },
        ] {
            assert_eq!(names(store, &exact).await, [*text], "{exact:?}");
        }
        let group = PackageFilter::new(Viewer::groups([*text]));
        assert_eq!(names(store, &group).await, [*text], "{group:?}");
        let keyword = PackageFilter { keywords: vec![(*text).into()], ..filter() };
        let is_one = !text.contains(char::is_control);
        assert_eq!(names(store, &keyword).await.len(), usize::from(is_one), "{keyword:?}");
        let found = names(store, &PackageFilter { name: wanted(), ..filter() }).await;
        let containing = HOSTILE.iter().filter(|other| other.contains(text)).count();
        assert!(found.contains(&(*text).to_owned()), "{text:?} is found by its name");
        assert!(found.len() >= containing && found.len() < HOSTILE.len(), "{text:?}: {found:?}");
    }
    let many = (0..10_000).map(|at| at.to_string()).collect();
    assert_eq!(names(store, &PackageFilter { keywords: many, ..filter() }).await, [""; 0]);
    let same = vec!["null".to_owned(); 10_000];
    assert_eq!(names(store, &PackageFilter { keywords: same, ..filter() }).await, ["null"]);
    let groups = Viewer::groups((0..10_000).map(|at| format!("team {at}")).chain(["%".into()]));
    assert_eq!(names(store, &PackageFilter::new(groups)).await, ["%"]);
    assert_eq!(store.usage().await.expect(READ).packages, HOSTILE.len() as u64);
}

async fn parallel_uploads_are_one<S: PackageStore>(store: &S) {
    let bytes: Arc<[u8]> = (0..600_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let whole = hash(&bytes);
    let uploads = (0..32).map(|at| {
        let bytes = Arc::clone(&bytes);
        async move {
            let upload = Upload { hash: Some(whole), ..upload("same") };
            if at % 2 == 0 {
                store.insert(upload, &bytes[..]).await.map(Some)
            } else {
                let refused = store.insert(upload, Cut(&bytes[..at * 18_000])).await;
                let is_cut = matches!(refused, Err(StoreError::Interrupted { .. }));
                assert!(is_cut, "{refused:?}");
                Ok(None)
            }
        }
    });
    let mut keys = BTreeSet::new();
    for stored in all(uploads.collect()).await {
        keys.extend(stored.expect(TAKEN).map(|stored| stored.key));
    }
    assert_eq!(keys.len(), 1, "one entry");
    let usage = store.usage().await.expect(READ);
    assert_eq!((usage.packages, usage.contents, usage.bytes), (1, 1, 600_000));
    let (_, mut content) = store.open(whole, &cyan()).await.expect(READ);
    let mut read = Vec::new();
    content.read_to_end(&mut read).await.expect(READ);
    assert_eq!(hash(&read), whole);
}

async fn quotas_hold<S: PackageStore>(store: &S) {
    let by = |user: &str| Upload { submitter: Some(user.into()), ..upload("a") };
    let bytes = |fill: u8, len: usize| vec![fill; len];
    let refused = store.insert(by("alice"), &bytes(1, 1001)[..]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { limit: 1000 })), "{refused:?}");
    is_empty(store, "too large").await;
    store.insert(by("alice"), &bytes(1, 1000)[..]).await.expect(TAKEN);
    let expect = async |upload: Upload, bytes: Vec<u8>, quota: Quota| {
        let refused = store.insert(upload, &bytes[..]).await;
        let is_right =
            matches!(&refused, Err(StoreError::QuotaExceeded { quota: q }) if *q == quota);
        assert!(is_right, "{quota}: {refused:?}");
    };
    expect(by("alice"), bytes(2, 501), Quota::Owner).await;
    store.insert(by("alice"), &bytes(1, 1000)[..]).await.expect("what is there costs nothing");
    store.insert(by("bob"), &bytes(3, 1000)[..]).await.expect(TAKEN);
    expect(by("carol"), bytes(4, 501), Quota::Total).await;
    store.insert(by("carol"), &bytes(4, 500)[..]).await.expect("exactly the quota");
    // What is there already takes no more space for another audience, but an entry.
    let other = Upload { submitter: Some("dan".into()), ..Upload::new("a", Audience::Everyone) };
    store.insert(other.clone(), &bytes(1, 1000)[..]).await.expect(TAKEN);
    expect(other, bytes(3, 1000), Quota::Packages).await;
    assert_eq!(store.usage().await.expect(READ).bytes, 2500);
    store.remove(hash(&bytes(3, 1000)), &cyan(), &Owner::Anyone).await.expect(TAKEN);
    store.insert(by("bob"), &bytes(5, 1000)[..]).await.expect("space was made");
}
