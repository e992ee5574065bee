//! Packages in files, and what is known of them in SQLite.

mod backup;
mod ballast;
mod blobs;
mod content;
mod database;
mod detached;
mod insert;
mod maintain;
mod owner;
mod receive;
mod reconcile;
mod rows;
mod scrub;
mod search;
mod space;
mod status;

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::io::AsyncRead;
use tokio::sync::{Mutex, Semaphore, watch};

pub use backup::BackupReport;
pub use content::PackageContent;
pub use owner::check_owner;
pub use reconcile::PackagesReport;
pub use scrub::{ScrubBudget, ScrubReport};
pub use status::{PackageHealth, PackageStats, UploadFailures};

use self::ballast::Ballast;
use self::blobs::Blobs;
use self::detached::{blocking, detached};
use self::rows::ContentRow;
use self::status::Status;
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
/// ballast            space that is held back, for when the disk is full
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
    ballast: Ballast,
    status: Arc<Status>,
    /// Changes are made one after the other. Who holds this may change blobs that have a row, too.
    writer: Mutex<Writer>,
    readers: SqlitePool,
    uploads: Arc<Semaphore>,
    /// Places of contents that are read ahead.
    read_ahead: Arc<Semaphore>,
    report: PackagesReport,
    /// Whether [`close`](SqlitePackages::close) was called.
    closed: watch::Sender<bool>,
    _lock: DirLock,
}

/// The one who writes.
struct Writer {
    /// `None` once it is closed or cannot be trusted any more.
    connection: Option<SqliteConnection>,
    status: Arc<Status>,
}

impl Writer {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Degraded)
    }

    /// Notes how a change went. Closes the connection after an error that leaves open what is on
    /// the disk.
    fn judge<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.status.note(&result);
        if let Err(error) = &result
            && database::is_uncertain(error)
        {
            tracing::error!(%error, "the database of packages takes nothing until a restart");
            self.status.break_off(error);
            self.connection = None;
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
        let ballast_bytes = config.ballast_bytes;
        let (lock, ballast, blobs) = blocking(move || {
            let lock = DirLock::acquire(&owned)?;
            // First of all: on a full disk, the database could not even be opened.
            let ballast = Ballast::open(&owned, ballast_bytes);
            Ok((lock, ballast, Arc::new(Blobs::open(fs, &owned)?)))
        })
        .await?;
        let (mut writer, mut report) = database::open(dir).await?;
        reconcile::reconcile(&mut writer, &blobs, &config, &mut report).await?;
        report.log();
        let uploads = Arc::new(Semaphore::new(config.max_uploads));
        let readers = database::readers(dir);
        let status = Arc::new(Status::new(config.clock.clone()));
        let writer = Writer { connection: Some(writer), status: Arc::clone(&status) };
        let inner = Arc::new(Inner {
            config,
            blobs,
            ballast,
            status,
            writer: Mutex::new(writer),
            readers,
            uploads,
            read_ahead: Arc::new(Semaphore::new(content::MAX_AHEAD)),
            report,
            closed: watch::Sender::new(false),
            _lock: lock,
        });
        let damaged = inner.report.damaged.len() as u64;
        inner.status.count(|stats| stats.contents_quarantined += damaged);
        inner.look().await?;
        Ok(Self { inner })
    }

    /// What was found and done at the start.
    pub fn report(&self) -> &PackagesReport {
        &self.inner.report
    }

    /// Whether writes are refused because an earlier one may not have reached the disk.
    pub async fn is_degraded(&self) -> bool {
        self.inner.writer.lock().await.connection.is_none()
    }

    /// Waits for writes to end and closes the database. Calls after this fail.
    ///
    /// The directory is free for another store when all clones and futures are gone.
    pub async fn close(&self) {
        self.inner.closed.send_replace(true);
        let writer = self.inner.writer.lock().await.connection.take();
        self.inner.status.break_off(&StoreError::Misused("the database was closed"));
        self.inner.readers.close().await;
        let inner = Arc::clone(&self.inner);
        let made_room = blocking(move || {
            inner.ballast.drop_if_low(space::of(inner.blobs.dir()));
            Ok(())
        });
        if let Err(error) = made_room.await {
            tracing::warn!(%error, "cannot look at the disk of the packages");
        }
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

    /// Makes a copy of everything in a new directory, while work goes on: what there was at one
    /// moment. It can be opened as a store, and is as durable as the store when this returns.
    ///
    /// On the same file system contents are not copied but linked, so it takes next to no space and
    /// time, but a disk that fails takes both; elsewhere they are copied and verified. Contents that
    /// are removed meanwhile take their space until the copy is made.
    ///
    /// # Errors
    ///
    /// When there is something under this name, or under this name with `.partial` at its end, which
    /// it has while it is made; [`StoreError::Full`]; when the disk or the database cannot be read
    /// or written. Nothing is left then.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves nothing.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<BackupReport, StoreError> {
        backup::backup(&self.inner, to.as_ref()).await
    }

    /// Does for ever what is to be done from time to time: removes what has expired and re-reads
    /// contents within `budget`, again and again with a pause of `every` (at least 1 s), and looks
    /// every few seconds whether a full disk has space again.
    ///
    /// It ends when the store is closed, or when nobody has it any more and what is under way is
    /// done. Run it in a task of its own. Problems are logged, and told by [`health`](Self::health).
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time; see [`scrub`](Self::scrub).
    pub fn maintain(
        &self,
        every: Duration,
        budget: ScrubBudget,
    ) -> impl Future<Output = ()> + Send + use<> {
        maintain::maintain(&self.inner, every, budget)
    }

    /// What was done since the start, and is being done.
    pub fn stats(&self) -> PackageStats {
        self.inner.status.stats()
    }

    /// Whether all works. Looks at the space of the disk and for what is damaged, for 2 s at most.
    pub async fn health(&self) -> PackageHealth {
        let patience = Duration::from_millis(status::SLOW_MS.unsigned_abs());
        let looked = tokio::time::timeout(patience, self.inner.look()).await;
        if let Ok(Err(error)) = looked {
            tracing::warn!(%error, "cannot look at the packages");
        }
        self.inner.status.health()
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

    async fn visit(
        &self,
        filter: &PackageFilter,
        visitor: impl FnMut(DataPackage) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        search::visit(&self.inner, filter, visitor).await
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
            let mut removed = rows::remove(connection, hash, &viewer, now_ms, &owner).await;
            if inner.make_room(&removed).await? {
                removed = rows::remove(connection, hash, &viewer, now_ms, &owner).await;
            }
            let (count, unused) = writer.judge(removed)?;
            inner.status.count(|stats| stats.entries_removed += count);
            inner.remove_blobs(unused).await
        })
        .await
    }

    async fn remove_expired(&self) -> Result<u64, StoreError> {
        self.inner.remove_expired().await
    }

    async fn usage(&self) -> Result<PackageUsage, StoreError> {
        search::usage(&self.inner).await
    }
}

impl Inner {
    /// Looks how much space the disk has, and makes the ballast when there is enough. Waits for the
    /// disk.
    fn look_at_disk(&self) {
        if self.status.ask_for_space() {
            let space = space::of(self.blobs.dir());
            self.ballast.restore(space, self.config.min_free_bytes);
            self.status.note_space(space, self.config.min_free_bytes);
        }
    }

    async fn look(self: &Arc<Self>) -> Result<(), StoreError> {
        let inner = Arc::clone(self);
        blocking(move || {
            inner.look_at_disk();
            Ok(())
        })
        .await?;
        self.look_at_damage().await
    }

    /// Looks how many contents are damaged.
    async fn look_at_damage(&self) -> Result<(), StoreError> {
        // Nobody can look any more once it is closed.
        if !*self.closed.borrow() {
            self.status.note_damaged(search::usage(self).await?.damaged);
        }
        Ok(())
    }

    /// Gives up the ballast if a change failed because the disk is full; says whether that is a
    /// reason to try again.
    async fn make_room<T>(
        self: &Arc<Self>,
        changed: &Result<T, StoreError>,
    ) -> Result<bool, StoreError> {
        if !matches!(changed, Err(StoreError::Full { .. })) {
            return Ok(false);
        }
        let inner = Arc::clone(self);
        blocking(move || Ok(inner.ballast.drop_it())).await
    }

    async fn remove_expired(self: &Arc<Self>) -> Result<u64, StoreError> {
        let inner = Arc::clone(self);
        detached(async move {
            let now_ms = inner.config.clock.now_ms();
            let mut total = 0;
            loop {
                let mut writer = inner.writer.lock().await;
                let connection = writer.connection()?;
                let mut removed = rows::remove_expired(connection, now_ms).await;
                if inner.make_room(&removed).await? {
                    removed = rows::remove_expired(connection, now_ms).await;
                }
                let (count, unused) = writer.judge(removed)?;
                inner.status.count(|stats| stats.entries_expired += count);
                inner.remove_blobs(unused).await?;
                total += count;
                if count == 0 {
                    return Ok(total);
                }
            }
        })
        .await
    }

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
            let mut marked = rows::mark_damaged(connection, id).await;
            if inner.make_room(&marked).await? {
                marked = rows::mark_damaged(connection, id).await;
            }
            writer.judge(marked)?;
            inner.status.count(|stats| stats.contents_quarantined += 1);
            let blobs = Arc::clone(&inner.blobs);
            let set_aside = blocking(move || blobs.set_aside(&checksum)).await;
            drop(writer);
            if let Err(error) = inner.look_at_damage().await {
                tracing::warn!(%error, "cannot look at the packages");
            }
            set_aside?;
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
