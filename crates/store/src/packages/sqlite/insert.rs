//! From the first byte of an upload to its acknowledgement.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use tokio::io::AsyncRead;
use tokio::sync::OwnedSemaphorePermit;

use super::detached::{blocking, detached};
use super::receive::{Received, receive};
use super::rows::{self, ContentRow};
use super::status::Tally;
use super::{Inner, Writer, database};
use crate::packages::{DataPackage, PackagesConfig, Upload};
use crate::{Quota, StoreError};

pub(super) async fn insert(
    inner: &Arc<Inner>,
    upload: Upload,
    content: impl AsyncRead + Send + Unpin,
) -> Result<DataPackage, StoreError> {
    let tally = Tally::begin(&inner.status);
    let (permit, received) = match take(inner, &upload, content).await {
        Ok(taken) => taken,
        Err(error) => {
            let refused = Err(error);
            tally.end(&refused);
            return refused;
        }
    };
    let inner = Arc::clone(inner);
    // From here on it is all or nothing, whether anybody waits or not.
    detached(async move {
        let finished = match blocking(move || received.sync()).await {
            Ok(received) => {
                let mut writer = inner.writer.lock().await;
                let finished = finish(&inner, &mut writer, upload, received).await;
                writer.judge(finished)
            }
            Err(error) => Err(error),
        };
        drop(permit);
        tally.end(&finished);
        finished
    })
    .await
}

/// Takes the content of an upload, as one of those that may go on at a time.
async fn take(
    inner: &Arc<Inner>,
    upload: &Upload,
    content: impl AsyncRead + Send + Unpin,
) -> Result<(OwnedSemaphorePermit, Received), StoreError> {
    upload.check()?;
    let permit = Arc::clone(&inner.uploads).try_acquire_owned().map_err(|_| StoreError::Busy)?;
    refuse_early(inner, upload).await?;
    let received = receive(&inner.blobs, &inner.config, &inner.status, upload, content).await?;
    Ok((permit, received))
}

/// Refuses what cannot end well before any of its content is read.
async fn refuse_early(inner: &Arc<Inner>, upload: &Upload) -> Result<(), StoreError> {
    let config = &inner.config;
    let size = upload.size.unwrap_or(0);
    if size > config.max_upload_bytes {
        return Err(StoreError::TooLarge { limit: config.max_upload_bytes });
    }
    let needed = config.min_free_bytes.saturating_add(size);
    let owned = Arc::clone(inner);
    blocking(move || {
        owned.look_at_disk();
        owned.blobs.check_space(needed)
    })
    .await?;
    let mut writer = inner.writer.lock().await;
    let connection = writer.connection()?;
    let known = match upload.hash {
        Some(hash) => rows::content(connection, hash).await?,
        None => None,
    };
    // Who has not sent the content must not learn by this that others have it.
    let entry = match known {
        Some(content) => rows::entry_for(connection, content.id, &upload.audience).await?,
        None => None,
    };
    match entry {
        Some(_) => Ok(()),
        None => check_quota(connection, config, upload, size, true, true).await,
    }
}

/// Gives a content that was synced its name and its entry.
async fn finish(
    inner: &Inner,
    writer: &mut Writer,
    upload: Upload,
    received: Received,
) -> Result<DataPackage, StoreError> {
    let now_ms = inner.config.clock.now_ms();
    let connection = writer.connection()?;
    let known = rows::content(connection, received.hash).await?;
    let entry = match &known {
        Some(content) => rows::entry_for(connection, content.id, &upload.audience).await?,
        None => None,
    };
    let is_entry_new = entry.is_none();
    let size = received.size;
    check_quota(connection, &inner.config, &upload, size, known.is_none(), is_entry_new).await?;
    let (hash, checksum) = (received.hash, received.checksum);
    let is_placed = place(inner, received, known.as_ref()).await?;
    let content = ContentRow { id: 0, checksum, size, is_damaged: false };
    let package = match entry {
        Some(mut package) => {
            package.renew(upload, now_ms);
            package
        }
        None => DataPackage::new(0, upload, hash, size, now_ms),
    };
    let good_ms = is_placed.then_some(now_ms);
    let stored = match database::begin(connection).await {
        Ok(()) => {
            let stored = store(connection, known.as_ref(), content, package, good_ms).await;
            database::end(connection, stored).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &stored
        && is_placed
        && known.is_none()
        && !database::is_uncertain(error)
    {
        inner.remove_blobs(vec![checksum]).await?;
    }
    stored
}

/// Writes what is known of a content and its entry. To be done in a transaction.
async fn store(
    connection: &mut SqliteConnection,
    known: Option<&ContentRow>,
    content: ContentRow,
    package: DataPackage,
    good_ms: Option<i64>,
) -> Result<DataPackage, StoreError> {
    let id = match known {
        Some(known) => {
            if let Some(now_ms) = good_ms {
                rows::mark_good(connection, known.id, now_ms).await?;
            }
            known.id
        }
        None => {
            let now_ms = good_ms.unwrap_or(package.submitted_ms);
            rows::insert_content(connection, package.hash, &content, now_ms).await?
        }
    };
    rows::put_entry(connection, id, package).await
}

/// Puts a content where it belongs, unless it is there; says whether it was put.
async fn place(
    inner: &Inner,
    received: Received,
    known: Option<&ContentRow>,
) -> Result<bool, StoreError> {
    let blobs = Arc::clone(&inner.blobs);
    let known = known.map(|content| content.is_damaged);
    blocking(move || {
        let Received { temporary, checksum, size, .. } = received;
        if known == Some(false) && blobs.size(&checksum)? == Some(size) {
            return Ok(false);
        }
        blobs.place(temporary, &checksum, known.is_some())?;
        Ok(true)
    })
    .await
}

async fn check_quota(
    connection: &mut SqliteConnection,
    config: &PackagesConfig,
    upload: &Upload,
    size: u64,
    is_content_new: bool,
    is_entry_new: bool,
) -> Result<(), StoreError> {
    let is_over = |limit: u64, used: u64| used.saturating_add(size) > limit;
    let mut exceeded = None;
    if is_entry_new && rows::count(connection).await? >= config.max_packages {
        exceeded = Some(Quota::Packages);
    }
    if let Some(limit) = config.max_total_bytes.filter(|_| is_content_new)
        && is_over(limit, rows::total_bytes(connection).await?)
    {
        exceeded = Some(Quota::Total);
    }
    if let Some(limit) = config.max_owner_bytes.filter(|_| is_entry_new)
        && is_over(limit, rows::owner_bytes(connection, upload).await?)
    {
        exceeded = Some(Quota::Owner);
    }
    exceeded.map_or(Ok(()), |quota| Err(StoreError::QuotaExceeded { quota }))
}
