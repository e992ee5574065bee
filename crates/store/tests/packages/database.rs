use std::fs;
use std::path::Path;

use store::packages::{Audience, PackageFilter, PackageStore, SqlitePackages, Viewer};

use crate::support::{ALL, blobs, bytes, config, names, open, open_with, read, upload};

/// A closed store of ten packages.
async fn ten(dir: &Path) {
    let store = open(dir).await;
    for seed in 0..10 {
        let mut upload = upload(&format!("package {seed}"));
        upload.keywords = vec!["missionpackage".to_owned()];
        let mut content = b"PK\x03\x04".to_vec();
        content.extend(bytes(seed, 1000 + usize::from(seed)));
        store.insert(upload, &content[..]).await.unwrap();
    }
    store.close().await;
}

fn copy(from: &Path, to: &Path) {
    for part in ["blobs", "tmp", "damaged"] {
        fs::create_dir_all(to.join(part)).unwrap();
    }
    for blob in blobs(from) {
        let to = to.join(blob.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(blob, to).unwrap();
    }
}

/// Opens a store with this database: it opens or says why not, and what it lists it serves whole.
async fn start(dir: &Path, database: &[u8]) -> Option<SqlitePackages> {
    fs::write(dir.join("packages.db"), database).unwrap();
    let store = match SqlitePackages::open(dir, config()).await {
        Ok(store) => store,
        Err(error) => {
            println!("refused: {error}: {:?}", std::error::Error::source(&error));
            return None;
        }
    };
    let Ok(listed) = store.list(&PackageFilter::new(ALL)).await else {
        return Some(store);
    };
    for package in listed {
        // Never wrong bytes: `read` compares the hash.
        let _ = read(&store, package.hash).await;
    }
    Some(store)
}

#[tokio::test]
async fn a_database_that_is_cut_anywhere_is_set_aside_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let good = fs::read(dir.path().join("packages.db")).unwrap();
    let mut rebuilt = 0;
    for eighth in 0..32 {
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path());
        let len = good.len() * eighth / 32;
        let store = start(copied.path(), &good[..len]).await.expect("it starts");
        let report = store.report();
        if report.rebuilt > 0 {
            rebuilt += 1;
            assert_eq!((report.rebuilt, report.is_database_new), (10, true), "{len} bytes");
            assert_eq!(report.database_set_aside.is_some(), len > 0, "{len} bytes");
            assert_eq!(store.usage().await.unwrap().contents, 10);
        }
    }
    assert!(rebuilt > 20, "{rebuilt} of 32");
}

#[tokio::test]
async fn a_database_with_any_bit_flipped_starts_or_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let good = fs::read(dir.path().join("packages.db")).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let (mut anew, mut refused) = (0, 0);
    // The first 100 bytes, which say how to read the others, and some of each page.
    let ats = (0..100).chain((100..good.len()).step_by(good.len() / 200));
    for at in ats {
        let path = copied.path().join(at.to_string());
        copy(dir.path(), &path);
        let mut database = good.clone();
        database[at] ^= 1 << (at % 8);
        match start(&path, &database).await {
            None => refused += 1,
            Some(store) => anew += u32::from(store.report().database_set_aside.is_some()),
        }
        fs::remove_dir_all(path).unwrap();
    }
    println!("300 flips: {anew} made anew, {refused} refused");
    assert!(anew > 20 && refused < 30, "{anew} made anew, {refused} refused");
}

#[tokio::test]
async fn what_is_rebuilt_is_seen_by_whom_the_configuration_says() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    fs::write(dir.path().join("packages.db"), b"not a database, but long enough".repeat(200))
        .unwrap();
    let store = open(dir.path()).await;
    let (aside, what) = store.report().database_set_aside.clone().unwrap();
    assert!(aside.exists() && !what.is_empty());
    assert_eq!(store.report().rebuilt, 10);
    let nobody = PackageFilter::new(Viewer::groups(["Cyan"]));
    assert!(store.list(&nobody).await.unwrap().is_empty(), "it may have been for others");
    let mut filter = PackageFilter::new(ALL);
    filter.keywords = vec!["missionpackage".to_owned()];
    let listed = store.list(&filter).await.unwrap();
    assert_eq!(listed.len(), 10);
    for package in &listed {
        assert_eq!(package.name, package.hash.to_string());
        read(&store, package.hash).await.unwrap();
    }
    store.close().await;
    drop(store);

    fs::write(dir.path().join("packages.db"), b"again").unwrap();
    let mut config = config();
    config.rebuilt_audience = Audience::Everyone;
    let store = open_with(dir.path(), config).await;
    let (second, _) = store.report().database_set_aside.clone().unwrap();
    assert!(second != aside && aside.exists(), "nothing that was set aside is overwritten");
    assert_eq!(store.list(&nobody).await.unwrap().len(), 10);
}

#[tokio::test]
async fn without_a_database_contents_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    for name in ["packages.db", "packages.db-wal", "packages.db-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    let store = open(dir.path()).await;
    assert_eq!(store.report().rebuilt, 10);
    assert_eq!(store.report().database_set_aside, None);
    assert_eq!(names(&store).await.len(), 10);
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let path = dir.path().join("packages.db");
    {
        use sqlx::Connection;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'later', 1, x'00', 0)",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
    }
    let refused = SqlitePackages::open(dir.path(), config()).await;
    let error = refused.expect_err("a later version");
    assert!(error.to_string().contains("another version"), "{error}");
    assert!(path.exists());
}

/// What was made by an earlier version, or copied by hand, may have been open to everybody.
#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_database_after_a_start() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let metadata = fs::symlink_metadata(dir.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    let store = open(dir.path()).await;
    store.insert(upload("a"), &b"PK"[..]).await.unwrap();
    store.close().await;
    drop(store);
    // As after a crash: what SQLite keeps beside the database is there, too.
    for name in ["packages.db-wal", "packages.db-shm"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let elsewhere = dir.path().join("mine");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, dir.path().join("packages.db.link")).unwrap();
    fs::write(dir.path().join("packages.db.damaged-1"), "").unwrap();
    let files = ["packages.db", "packages.db-wal", "packages.db-shm", "packages.db.damaged-1"];
    for name in files.into_iter().chain(["mine"]) {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(dir.path().join("blobs"), fs::Permissions::from_mode(0o755)).unwrap();

    let store = open(dir.path()).await;
    store.insert(upload("b"), &b"PK2"[..]).await.unwrap();
    assert_eq!(files.map(mode), [0o600; 4]);
    assert_eq!((mode("blobs"), mode("mine")), (0o700, 0o644));
    assert_eq!(names(&store).await.len(), 2);
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    {
        use sqlx::Connection;
        let path = dir.path().join("packages.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        for statement in [
            "ALTER TABLE packages DROP COLUMN origin",
            "DELETE FROM _sqlx_migrations WHERE version = 3",
        ] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }
    let store = open(dir.path()).await;
    assert_eq!(store.report().database_set_aside, None);
    assert_eq!(names(&store).await.len(), 10);
    let mut again = upload("package 10");
    again.origin = Some([192, 0, 2, 1].into());
    let stored = store.insert(again, &b"of now"[..]).await.unwrap();
    assert_eq!(store.find(stored.hash, &ALL).await.unwrap(), Some(stored));
}
