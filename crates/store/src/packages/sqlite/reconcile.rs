//! What is done at the start.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use sqlx::sqlite::SqliteConnection;

use super::blobs::{Blobs, Found};
use super::detached::blocking;
use super::rows::{self, ContentRow};
use super::{blobs, database, scrub};
use crate::StoreError;
use crate::packages::{ContentHash, DataPackage, PackagesConfig, Upload};

/// Contents that nobody knows are kept this long: somebody may put an older database back.
const ORPHAN_MS: i64 = 24 * 60 * 60 * 1000;

/// Contents that are compared at a time.
const BATCH: i64 = 1024;

/// What was found and done when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackagesReport {
    /// Files of unfinished uploads that were removed.
    pub swept: u64,
    /// Contents that are missing, have another size or may not be read, and are not given from now
    /// on.
    pub damaged: Vec<ContentHash>,
    /// Damaged contents that are good again, because somebody put them back.
    pub repaired: Vec<ContentHash>,
    /// Contents without an entry that were removed: they were never acknowledged.
    pub orphans_removed: u64,
    /// Contents without an entry that were kept: they are younger than a day, or a content that has
    /// an entry is damaged.
    pub orphans_kept: u64,
    /// The damaged database under its new name, and what was wrong with it.
    pub database_set_aside: Option<(PathBuf, String)>,
    /// There was no database, or none that could be used, or one that could not be made of all
    /// contents yet.
    pub is_database_new: bool,
    /// Contents that a new database was made of. Their names and their audiences are lost.
    pub rebuilt: u64,
}

impl PackagesReport {
    pub(super) fn log(&self) {
        if let Some((aside, what)) = &self.database_set_aside {
            tracing::error!(
                aside = %aside.display(), what, rebuilt = self.rebuilt,
                "the database of packages was damaged: packages are there, their names are lost"
            );
        } else if self.rebuilt > 0 {
            tracing::error!(
                rebuilt = self.rebuilt,
                "the database of packages was missing: packages are there, their names are lost"
            );
        }
        for hash in &self.damaged {
            tracing::error!(%hash, "the content of a package is missing, has another size or may not be read");
        }
        if self.swept > 0 || self.orphans_removed > 0 || !self.repaired.is_empty() {
            tracing::info!(
                swept = self.swept,
                orphans = self.orphans_removed,
                repaired = self.repaired.len(),
                "cleaned up the packages"
            );
        }
    }
}

/// Makes files and rows agree.
pub(super) async fn reconcile(
    connection: &mut SqliteConnection,
    blobs: &Arc<Blobs>,
    config: &PackagesConfig,
    report: &mut PackagesReport,
) -> Result<(), StoreError> {
    let owned = Arc::clone(blobs);
    let (swept, Found { mut files, unreadable }) =
        blocking(move || Ok((owned.sweep(), owned.all()))).await?;
    report.swept = swept;
    if report.is_database_new {
        let is_whole = rebuild_all(connection, blobs, config, report, files).await?;
        if is_whole && unreadable.is_empty() {
            database::mark_whole(connection).await?;
        }
        return Ok(());
    }
    let (mut after, mut any_damaged) = (0, false);
    loop {
        let contents = rows::contents_after(connection, after, BATCH).await?;
        let Some(last) = contents.last() else {
            break;
        };
        after = last.id;
        for content in contents {
            let size = files.remove(content.checksum.as_bytes());
            let first = content.checksum.as_bytes().first();
            let may_look = first.is_none_or(|first| !unreadable.contains(first));
            any_damaged |=
                !compare(connection, blobs, config, report, content, size, may_look).await?;
        }
    }
    // A row that lost its content may be the one that this content lost.
    let newest_ms =
        if any_damaged { i64::MIN } else { config.clock.now_ms().saturating_sub(ORPHAN_MS) };
    let owned = Arc::clone(blobs);
    let (removed, kept) = blocking(move || {
        let mut counts = (0, 0);
        for checksum in files.into_keys().map(blake3::Hash::from_bytes) {
            if modified_ms(&owned, &checksum).is_some_and(|then| then <= newest_ms) {
                owned.remove(&checksum);
                counts.0 += 1;
            } else {
                counts.1 += 1;
            }
        }
        Ok(counts)
    })
    .await?;
    (report.orphans_removed, report.orphans_kept) = (removed, kept);
    Ok(())
}

/// Makes entries of all contents that have none; says whether all could be read.
async fn rebuild_all(
    connection: &mut SqliteConnection,
    blobs: &Arc<Blobs>,
    config: &PackagesConfig,
    report: &mut PackagesReport,
    mut files: BTreeMap<[u8; 32], u64>,
) -> Result<bool, StoreError> {
    // An earlier start may have come to some of them.
    let mut after = 0;
    loop {
        let contents = rows::contents_after(connection, after, BATCH).await?;
        let Some(last) = contents.last() else {
            break;
        };
        after = last.id;
        for content in contents {
            files.remove(content.checksum.as_bytes());
        }
    }
    let mut is_whole = true;
    for (name, size) in files {
        let checksum = blake3::Hash::from_bytes(name);
        is_whole &= rebuild(connection, blobs, config, report, checksum, size).await?;
    }
    Ok(is_whole)
}

/// Makes one row say what there is; says whether its content is good.
async fn compare(
    connection: &mut SqliteConnection,
    blobs: &Arc<Blobs>,
    config: &PackagesConfig,
    report: &mut PackagesReport,
    content: ContentRow,
    size: Option<u64>,
    may_look: bool,
) -> Result<bool, StoreError> {
    let checksum = content.checksum;
    let is_whole = size == Some(content.size);
    let owned = Arc::clone(blobs);
    if is_whole && !content.is_damaged {
        return Ok(true);
    }
    let is_good = is_whole && blocking(move || scrub::is_good(&owned, &checksum)).await?;
    let hash = rows::hash_of(connection, content.id).await?;
    if is_good {
        rows::mark_good(connection, content.id, config.clock.now_ms()).await?;
        report.repaired.extend(hash);
        return Ok(true);
    }
    if rows::mark_damaged(connection, content.id).await? {
        report.damaged.extend(hash);
    }
    if may_look {
        let owned = Arc::clone(blobs);
        blocking(move || owned.set_aside(&checksum)).await?;
    }
    Ok(false)
}

/// Makes an entry of what a content tells; says whether it could be read.
async fn rebuild(
    connection: &mut SqliteConnection,
    blobs: &Arc<Blobs>,
    config: &PackagesConfig,
    report: &mut PackagesReport,
    checksum: blake3::Hash,
    size: u64,
) -> Result<bool, StoreError> {
    let owned = Arc::clone(blobs);
    let now_ms = config.clock.now_ms();
    let examined = blocking(move || {
        let examined = match scrub::examine(&owned, &checksum) {
            Err(StoreError::Io { path, source, .. }) => {
                blobs::tell_unreadable(&path, &source);
                return Ok(None);
            }
            examined => examined?,
        };
        if examined.is_none() {
            owned.set_aside(&checksum)?;
        }
        Ok(Some((examined, modified_ms(&owned, &checksum).unwrap_or(now_ms))))
    })
    .await?;
    let Some((examined, modified_ms)) = examined else {
        return Ok(false);
    };
    let Some(examined) = examined.filter(|_| size > 0) else {
        return Ok(true);
    };
    let mut upload = Upload::new("", config.rebuilt_audience.clone());
    if examined.is_zip {
        upload.mime_type = "application/x-zip-compressed".to_owned();
        upload.keywords.push("missionpackage".to_owned());
    }
    let content = ContentRow { id: 0, checksum, size, is_damaged: false };
    let package = DataPackage::new(0, upload, examined.hash, size, modified_ms);
    database::begin(connection).await?;
    let stored = match rows::insert_content(connection, examined.hash, &content, now_ms).await {
        Ok(id) => rows::put_entry(connection, id, package).await,
        Err(error) => Err(error),
    };
    database::end(connection, stored).await?;
    report.rebuilt += 1;
    Ok(true)
}

/// When a content was written. Milliseconds since the Unix epoch.
fn modified_ms(blobs: &Blobs, checksum: &blake3::Hash) -> Option<i64> {
    let metadata = std::fs::symlink_metadata(blobs.path(checksum));
    let modified = metadata.and_then(|metadata| metadata.modified());
    let since = modified.and_then(|then| then.duration_since(UNIX_EPOCH).map_err(io::Error::other));
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok())
}
