//! Packages in files, and what is known of them in SQLite.

mod blobs;
mod content;
mod database;
mod detached;
mod insert;
mod receive;
mod reconcile;
mod rows;
mod scrub;
mod search;
mod space;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::io::AsyncRead;
use tokio::sync::{Mutex, Semaphore};

pub use content::PackageContent;
pub use reconcile::PackagesReport;
pub use scrub::{ScrubBudget, ScrubReport};

use self::blobs::Blobs;
use self::detached::{blocking, detached};
use self::rows::ContentRow;
use super::{
    ContentHash, DataPackage, Owner, PackageChange, PackageFilter, PackageStore, PackageUsage,
    PackagesConfig, Upload, Viewer,
};
use crate::fs::{Fs, RealFs};
use crate::{DirLock, StoreError};

/// Packages in one directory, which nobody else writes to.
///
/// ```text
/// lock               held while this is open
/// packages.db        what is known of the packages: SQLite, with its -wal and -shm
/// blobs/ab/ab12...   contents, named by their BLAKE3
/// tmp/               uploads in progress; emptied at the start
/// damaged/           contents that are not what was uploaded any more; never removed
/// ```
///
/// An upload is written to a temporary file and hashed on the way, synced, renamed, and its
/// directory synced; only then the database learns of it, and only then the uploader. Whatever
/// moment the process or the machine stops at, what was acknowledged is there and nothing else is.
///
/// Clones are the same store. It works in a Tokio runtime with time enabled, and waits for disks on
/// its blocking threads.
#[derive(Clone)]
pub struct SqlitePackages {
    inner: Arc<Inner>,
}

struct Inner {
    config: PackagesConfig,
    blobs: Arc<Blobs>,
    /// Changes are made one after the other. Who holds this may change blobs that have a row, too.
    writer: Mutex<Writer>,
    readers: SqlitePool,
    uploads: Arc<Semaphore>,
    report: PackagesReport,
    _lock: DirLock,
}

/// The connection that writes; `None` once it is closed or cannot be trusted any more.
struct Writer(Option<SqliteConnection>);

impl Writer {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.0.as_mut().ok_or(StoreError::Degraded)
    }

    /// Closes the connection after an error that leaves open what is on the disk.
    fn judge<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && database::is_uncertain(error)
        {
            tracing::error!(%error, "the database of packages takes nothing until a restart");
            self.0 = None;
        }
        result
    }
}

impl SqlitePackages {
    /// Opens a directory, which is created when there is none, and puts in order what a crash left.
    ///
    /// A database that is damaged is set aside under another name, and a new one is made of what
    /// the contents tell: their hashes are their names, and
    /// [`rebuilt_audience`](PackagesConfig::rebuilt_audience) sees them.
    /// [`report`](Self::report) tells of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`]; when the disk cannot be read or written; when the database is of a
    /// later version.
    pub async fn open(dir: impl AsRef<Path>, config: PackagesConfig) -> Result<Self, StoreError> {
        Self::start(dir.as_ref(), config, Arc::new(RealFs)).await
    }

    /// Writes, checks and removes contents through another file system. The database and
    /// [`open`](PackageStore::open) use the system's, so this is for tests of faults.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[cfg(feature = "testing")]
    pub async fn open_with_fs(
        dir: impl AsRef<Path>,
        config: PackagesConfig,
        fs: impl Fs,
    ) -> Result<Self, StoreError> {
        Self::start(dir.as_ref(), config, Arc::new(fs)).await
    }

    async fn start(
        dir: &Path,
        config: PackagesConfig,
        fs: Arc<dyn Fs>,
    ) -> Result<Self, StoreError> {
        let owned = dir.to_owned();
        let (lock, blobs) = blocking(move || {
            let lock = DirLock::acquire(&owned)?;
            Ok((lock, Arc::new(Blobs::open(fs, &owned)?)))
        })
        .await?;
        let (mut writer, mut report) = database::open(dir).await?;
        reconcile::reconcile(&mut writer, &blobs, &config, &mut report).await?;
        report.log();
        let uploads = Arc::new(Semaphore::new(config.max_uploads));
        let readers = database::readers(dir);
        let writer = Mutex::new(Writer(Some(writer)));
        let inner = Inner { config, blobs, writer, readers, uploads, report, _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What was found and done at the start.
    pub fn report(&self) -> &PackagesReport {
        &self.inner.report
    }

    /// Whether writes are refused because an earlier one may not have reached the disk.
    pub async fn is_degraded(&self) -> bool {
        self.inner.writer.lock().await.0.is_none()
    }

    /// Waits for writes to end and closes the database. Calls after this fail.
    ///
    /// The directory is free for another store when all clones and futures are gone.
    pub async fn close(&self) {
        let writer = self.inner.writer.lock().await.0.take();
        self.inner.readers.close().await;
        if let Some(connection) = writer
            && let Err(error) = sqlx::Connection::close(connection).await
        {
            tracing::warn!(%error, "the database of packages did not close well");
        }
    }

    /// Re-reads contents, those first that were verified longest ago, and sets aside what is not as
    /// it was uploaded.
    ///
    /// # Errors
    ///
    /// When the database cannot be read or written.
    ///
    /// # Cancel safety
    ///
    /// A dropped future forgets at most the last 64 contents that were good.
    pub async fn scrub(&self, budget: ScrubBudget) -> Result<ScrubReport, StoreError> {
        scrub::scrub(&self.inner, budget).await
    }
}

impl PackageStore for SqlitePackages {
    type Content = PackageContent;

    async fn insert(
        &self,
        upload: Upload,
        content: impl AsyncRead + Send + Unpin,
    ) -> Result<DataPackage, StoreError> {
        insert::insert(&self.inner, upload, content).await
    }

    async fn list(&self, filter: &PackageFilter) -> Result<Vec<DataPackage>, StoreError> {
        search::list(&self.inner, filter).await
    }

    async fn count(&self, filter: &PackageFilter) -> Result<u64, StoreError> {
        search::count(&self.inner, filter).await
    }

    async fn find(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<Option<DataPackage>, StoreError> {
        let entry = search::find(&self.inner, hash, viewer).await?;
        Ok(entry.map(|entry| entry.package))
    }

    async fn open(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<(DataPackage, PackageContent), StoreError> {
        content::open(&self.inner, hash, viewer).await
    }

    async fn update(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        change: PackageChange,
    ) -> Result<DataPackage, StoreError> {
        change.check()?;
        let (inner, viewer) = (Arc::clone(&self.inner), viewer.clone());
        detached(async move {
            let now_ms = inner.config.clock.now_ms();
            let mut writer = inner.writer.lock().await;
            let updated = rows::update(writer.connection()?, hash, &viewer, now_ms, change).await;
            writer.judge(updated)
        })
        .await
    }

    async fn remove(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        owner: &Owner,
    ) -> Result<(), StoreError> {
        let (inner, viewer, owner) = (Arc::clone(&self.inner), viewer.clone(), owner.clone());
        detached(async move {
            let now_ms = inner.config.clock.now_ms();
            let mut writer = inner.writer.lock().await;
            let connection = writer.connection()?;
            let removed = rows::remove(connection, hash, &viewer, now_ms, &owner).await;
            let unused = writer.judge(removed)?;
            inner.remove_blobs(unused).await
        })
        .await
    }

    async fn remove_expired(&self) -> Result<u64, StoreError> {
        let inner = Arc::clone(&self.inner);
        detached(async move {
            let now_ms = inner.config.clock.now_ms();
            let mut total = 0;
            loop {
                let mut writer = inner.writer.lock().await;
                let removed = rows::remove_expired(writer.connection()?, now_ms).await;
                let (count, unused) = writer.judge(removed)?;
                inner.remove_blobs(unused).await?;
                total += count;
                if count == 0 {
                    return Ok(total);
                }
            }
        })
        .await
    }

    async fn usage(&self) -> Result<PackageUsage, StoreError> {
        search::usage(&self.inner).await
    }
}

impl Inner {
    /// Removes contents that have no row any more. What cannot be removed is left to the next start.
    async fn remove_blobs(&self, checksums: Vec<blake3::Hash>) -> Result<(), StoreError> {
        let blobs = Arc::clone(&self.blobs);
        blocking(move || {
            checksums.iter().for_each(|checksum| blobs.remove(checksum));
            Ok(())
        })
        .await
    }

    /// Sets a content aside that is not as it was uploaded, and gives its name on the wire; `None`
    /// when it is good, because another upload replaced it, or gone.
    async fn quarantine(
        self: &Arc<Self>,
        content: &ContentRow,
    ) -> Result<Option<ContentHash>, StoreError> {
        let inner = Arc::clone(self);
        let (id, checksum, size) = (content.id, content.checksum, content.size);
        detached(async move {
            let mut writer = inner.writer.lock().await;
            let blobs = Arc::clone(&inner.blobs);
            let is_good = blocking(move || {
                Ok(blobs.size(&checksum)? == Some(size) && scrub::is_good(&blobs, &checksum)?)
            });
            let connection = writer.connection()?;
            let Some(hash) = rows::hash_of(connection, id).await? else {
                return Ok(None);
            };
            if is_good.await? {
                return Ok(None);
            }
            let marked = rows::mark_damaged(connection, id).await;
            writer.judge(marked)?;
            let blobs = Arc::clone(&inner.blobs);
            blocking(move || blobs.set_aside(&checksum)).await?;
            Ok(Some(hash))
        })
        .await
    }
}

impl fmt::Debug for SqlitePackages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlitePackages")
            .field("dir", &self.inner.blobs.dir())
            .finish_non_exhaustive()
    }
}
