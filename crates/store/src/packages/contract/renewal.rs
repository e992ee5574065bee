//! Another upload of what is there.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{READ, TAKEN, cyan, names, upload};
use crate::packages::{DataPackage, PackageChange, PackageFilter, PackageStore, Upload};

/// Uploads the same content again, as its owner and as others.
pub(super) async fn another_upload_renews<S: PackageStore>(store: &S, clock: &AtomicI64) {
    let first = Upload {
        keywords: vec!["a".into(), "missionpackage".into()],
        submitter: Some("alice".into()),
        remarks: Some("kept".into()),
        uid: Some("uid-1".into()),
        ..upload("first")
    };
    let first = store.insert(first, &b"same"[..]).await.expect(TAKEN);
    store.insert(upload("other"), &b"other"[..]).await.expect(TAKEN);
    clock.fetch_add(1000, Ordering::SeqCst);
    let by_bob = Upload {
        keywords: vec!["b".into()],
        submitter: Some("bob".into()),
        expires_ms: Some(i64::MAX),
        tool: "private".into(),
        uid: Some("uid-2".into()),
        mission: Some("Op".into()),
        origin: Some([10, 0, 0, 2].into()),
        ..upload("second")
    };
    let second = store.insert(by_bob.clone(), &b"same"[..]).await.expect(TAKEN);
    let expected = DataPackage {
        keywords: ["a", "missionpackage", "b"].map(str::to_owned).into(),
        submitted_ms: first.submitted_ms + 1000,
        ..first.clone()
    };
    assert_eq!(second, expected, "another's upload adds, and changes nothing");
    assert_eq!(names(store, &PackageFilter::new(cyan())).await, ["first", "other"], "the newest");
    let usage = store.usage().await.expect(READ);
    assert_eq!((usage.packages, usage.contents, usage.bytes), (2, 2, 9));

    let by_owner = Upload {
        submitter: Some("alice".into()),
        creator_uid: Some("ANOTHER DEVICE".into()),
        tool: "private".into(),
        origin: Some([10, 0, 0, 1].into()),
        ..upload("third")
    };
    let third = store.insert(by_owner, &b"same"[..]).await.expect(TAKEN);
    let expected = DataPackage {
        name: "third".into(),
        filename: "third".into(),
        tool: "private".into(),
        origin: Some([10, 0, 0, 1].into()),
        ..second
    };
    assert_eq!(third, expected, "the owner's does, and keeps what it does not say");
    let published = Upload { tool: "public".into(), ..by_bob };
    let published = store.insert(published, &b"same"[..]).await.expect(TAKEN);
    assert_eq!(published, DataPackage { tool: "public".into(), ..third }, "anybody publishes");
    let by_operator = Upload { is_by_operator: true, ..upload("fourth") };
    let fourth = store.insert(by_operator, &b"same"[..]).await.expect(TAKEN);
    assert_eq!((fourth.name.as_str(), fourth.origin), ("fourth", published.origin));
    assert_eq!(fourth.submitter, first.submitter, "an operator changes names, and no owners");

    let nobodys = store.insert(upload("nobody's"), &b"nobody's"[..]).await.expect(TAKEN);
    let by_bob = Upload { submitter: Some("bob".into()), ..upload("anybody's") };
    let renamed = store.insert(by_bob, &b"nobody's"[..]).await.expect(TAKEN);
    assert_eq!((renamed.name.as_str(), renamed.submitter), ("anybody's", nobodys.submitter));
    only_its_owner_takes_from_a_consumer(store).await;
}

async fn only_its_owner_takes_from_a_consumer<S: PackageStore>(store: &S) {
    for (bytes, owner) in [(b"of a user", Some("alice")), (b"of no one", None)] {
        let by = |user: Option<&str>, name: &str| Upload {
            submitter: user.map(str::to_owned),
            ..upload(name)
        };
        let stored = store.insert(by(owner, "a"), &bytes[..]).await.expect(TAKEN);
        let tool = Some("profile-connection".into());
        let change = PackageChange { tool, ..PackageChange::default() };
        store.update(stored.hash, &cyan(), change).await.expect(TAKEN);
        for user in [None, Some("bob")] {
            let kept = store.insert(by(user, "b"), &bytes[..]).await.expect(TAKEN);
            assert_eq!(kept.tool, "profile-connection", "{owner:?}");
        }
        let by_owner = Upload { is_by_operator: owner.is_none(), ..by(owner, "c") };
        let taken = store.insert(by_owner, &bytes[..]).await.expect(TAKEN);
        assert_eq!((taken.name.as_str(), taken.tool.as_str()), ("c", "public"));
    }
}
