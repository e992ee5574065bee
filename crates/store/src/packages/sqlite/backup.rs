//! A copy of everything, while work goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::blobs::{Blobs, Hold};
use super::detached::{blocking, detached};
use super::rows::{self, ContentRow};
use super::scrub::read_full;
use super::{Inner, database};
use crate::StoreError;
use crate::fs::{Fs, RealFs};
use crate::packages::ContentHash;

/// Contents that are copied before others may have the thread.
const BATCH: i64 = 64;

/// Time after which a content that is not there is looked for again.
const AGAIN: Duration = Duration::from_millis(20);

/// Bytes that are copied at a time.
const CHUNK_BYTES: usize = 256 << 10;

const COPYING: &str = "copy the database";

/// What a backup has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Entries.
    pub packages: u64,
    /// Contents, those included that are damaged.
    pub contents: u64,
    /// Size of the contents that were copied or linked. Bytes.
    pub bytes: u64,
    /// Contents that were not copied but are the same file under another name, because the copy is
    /// on the same file system.
    pub linked: u64,
    /// Contents that are damaged, of which the copy has no more than the entries.
    pub damaged: Vec<ContentHash>,
}

pub(super) async fn backup(inner: &Inner, to: &Path) -> Result<BackupReport, StoreError> {
    // First of all: what is in the copy of the database is not removed while its content is copied.
    let hold = inner.blobs.hold();
    let target = to.to_owned();
    let mut copy = blocking(move || Copy::begin(hold, target)).await?;
    // To its end, because nothing can be removed that is still being written.
    copy = detached(async move {
        copy.take_database().await?;
        Ok(copy)
    })
    .await?;
    let path = copy.path.join("packages.db");
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let opened = SqliteConnection::connect_with(&options).await;
    let mut connection = opened.map_err(database::failed("read the copy of the database"))?;
    copy.report.packages = rows::count(&mut connection).await?;
    let mut after = 0;
    loop {
        let contents = rows::contents_after(&mut connection, after, BATCH).await?;
        let Some(last) = contents.last() else {
            break;
        };
        after = last.id;
        let damaged;
        (copy, damaged) = blocking(move || copy.take(contents)).await?;
        for id in damaged {
            copy.report.damaged.extend(rows::hash_of(&mut connection, id).await?);
        }
    }
    close(connection).await;
    blocking(move || copy.finish()).await
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "a database did not close well");
    }
}

/// A backup that is being made, under a name of its own; removed if it is dropped before it is
/// finished. Methods wait for the disk.
struct Copy {
    hold: Hold,
    /// Where it will be.
    to: PathBuf,
    /// Where it is made.
    path: PathBuf,
    is_finished: bool,
    report: BackupReport,
}

impl Copy {
    fn begin(hold: Hold, to: PathBuf) -> Result<Self, StoreError> {
        let mut path = to.clone().into_os_string();
        path.push(".partial");
        let path = PathBuf::from(path);
        for taken in [&to, &path] {
            if fs::symlink_metadata(taken).is_ok() {
                let error = io::ErrorKind::AlreadyExists.into();
                return Err(StoreError::io("cannot back up to", taken)(error));
            }
        }
        RealFs.create_dir(&path).map_err(StoreError::io("cannot create", &path))?;
        Ok(Self { hold, to, path, is_finished: false, report: BackupReport::default() })
    }

    async fn take_database(&self) -> Result<(), StoreError> {
        let path = self.path.join("packages.db");
        let text = path.to_str().ok_or(StoreError::Misused("the path of a backup is no text"))?;
        database::create(&path).map_err(|error| self.io("cannot create", &path, error))?;
        let connected = database::reader(self.hold.blobs().dir()).await;
        let mut source = connected.map_err(database::failed(COPYING))?;
        let copied = sqlx::query("VACUUM INTO ?").bind(text).execute(&mut source).await;
        close(source).await;
        match copied.map_err(database::failed(COPYING)) {
            Err(StoreError::Full { .. }) => {
                Err(StoreError::Full { dir: self.path.clone(), low: None })
            }
            copied => copied.map(drop),
        }
    }

    /// Takes contents, and gives the numbers of those that are damaged.
    fn take(mut self, contents: Vec<ContentRow>) -> Result<(Self, Vec<i64>), StoreError> {
        let mut damaged = Vec::new();
        for content in contents {
            self.report.contents += 1;
            let mut is_good = !content.is_damaged && self.take_one(&content)?;
            if !is_good && !content.is_damaged {
                // An upload of the same content may just be taking its place.
                thread::sleep(AGAIN);
                is_good = self.take_one(&content)?;
            }
            if is_good {
                self.report.bytes += content.size;
            } else {
                damaged.push(content.id);
            }
        }
        Ok((self, damaged))
    }

    /// Takes a content; says whether it is good, as far as that was looked at.
    fn take_one(&mut self, content: &ContentRow) -> Result<bool, StoreError> {
        let blobs = Arc::clone(self.hold.blobs());
        let name = content.checksum.to_hex();
        let dir = self.path.join("blobs").join(name.get(..2).unwrap_or_default());
        RealFs.create_dir(&dir).map_err(|error| self.io("cannot create", &dir, error))?;
        let path = dir.join(name.as_str());
        let is_linked = fs::hard_link(blobs.path(&content.checksum), &path).is_ok();
        let is_good = if is_linked {
            fs::metadata(&path).is_ok_and(|file| file.len() == content.size)
        } else {
            let copied = copy(&blobs, content, &path);
            copied.map_err(|error| self.io("cannot write", &path, error))?
        };
        self.report.linked += u64::from(is_linked && is_good);
        if !is_good {
            fs::remove_file(&path).map_err(|error| self.io("cannot remove", &path, error))?;
        }
        Ok(is_good)
    }

    /// Makes all of it durable and gives it its name.
    fn finish(mut self) -> Result<BackupReport, StoreError> {
        let blobs = self.path.join("blobs");
        RealFs.create_dir(&blobs).map_err(|error| self.io("cannot create", &blobs, error))?;
        for first in 0..=u8::MAX {
            let dir = blobs.join(format!("{first:02x}"));
            match RealFs.sync_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.io("cannot sync", &dir, error));
                }
                _ => {}
            }
        }
        let database = self.path.join("packages.db");
        RealFs.sync_file(&database).map_err(|error| self.io("cannot sync", &database, error))?;
        for dir in [&blobs, &self.path] {
            RealFs.sync_dir(dir).map_err(|error| self.io("cannot sync", dir, error))?;
        }
        let renamed = RealFs.rename(&self.path, &self.to);
        renamed.map_err(|error| self.io("cannot write", &self.to, error))?;
        self.is_finished = true;
        let parent = self.to.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        RealFs.sync_dir(parent).map_err(|error| self.io("cannot sync", parent, error))?;
        Ok(std::mem::take(&mut self.report))
    }

    fn io(&self, doing: &'static str, path: &Path, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { dir: self.path.clone(), low: None }
            }
            _ => StoreError::io(doing, path)(error),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a partial backup");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Copies a content, durably but for its name; says whether it is what its name says.
fn copy(blobs: &Blobs, content: &ContentRow, to: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file: File = options.open(to)?;
    let Ok(mut source) = blobs.read(&content.checksum) else {
        return Ok(false);
    };
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let Ok(len) = read_full(&mut source, &mut chunk) else {
            return Ok(false);
        };
        let bytes = chunk.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        file.write_all(bytes)?;
    }
    file.sync_all()?;
    Ok(hasher.finalize() == content.checksum)
}
