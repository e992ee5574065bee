//! Opening, checking and setting aside the database.

use std::fs::{self, OpenOptions};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Error};

use super::detached::blocking;
use super::reconcile::PackagesReport;
use crate::StoreError;

/// The database. What SQLite keeps beside it, and what was set aside, begins with the same name.
const DATABASE: &str = "packages.db";

/// Connections that read. Each has a thread and its pages.
const READERS: u32 = 2;

/// Pages that a connection keeps: less than zero for KiB. The system keeps them, too, and can take
/// them back.
const PAGES: &str = "-1024";

/// Statements that a connection keeps. What is searched for decides how many there are.
const STATEMENTS: usize = 16;

/// How long a connection that reads is kept for the next search.
const IDLE: Duration = Duration::from_secs(60);

/// How long a connection waits for another process that has the database, such as a backup.
const BUSY: Duration = Duration::from_secs(10);

/// Rows that a connection is ahead of who takes them. Where it has to wait for them, each row has
/// its price.
const ROW_BUFFER: usize = 32;

/// Bytes that the write-ahead log is cut down to once it is in the database.
const MAX_WAL_BYTES: &str = "16777216";

/// Result codes of SQLite: what is above 255 is extended by details.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const IOERR_WRITE: i32 = 778;
    pub(super) const IOERR_FSYNC: i32 = 1034;
    pub(super) const IOERR_DIR_FSYNC: i32 = 1290;
    pub(super) const IOERR_TRUNCATE: i32 = 1546;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const SCHEMA: i32 = 17;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const NOTADB: i32 = 26;
}

/// Opens the database, or sets it aside and begins another.
pub(super) async fn open(dir: &Path) -> Result<(SqliteConnection, PackagesReport), StoreError> {
    let mut report = PackagesReport::default();
    let path = file(dir);
    let owned = dir.to_owned();
    blocking(move || {
        tighten(&owned);
        Ok(())
    })
    .await?;
    let refused = match connect(&path).await {
        Ok((connection, is_new)) => {
            report.is_database_new = is_new;
            return Ok((connection, report));
        }
        Err(refused) => refused,
    };
    let Refused::Damaged(what) = refused else {
        return Err(refused.into_error());
    };
    let aside = blocking(move || set_aside(&path)).await?;
    report.database_set_aside = Some((aside, what));
    report.is_database_new = true;
    let (connection, _) = connect(&file(dir)).await.map_err(Refused::into_error)?;
    Ok((connection, report))
}

/// A connection that reads, for something that takes long.
pub(super) async fn reader(dir: &Path) -> Result<SqliteConnection, Error> {
    SqliteConnection::connect_with(&options(&file(dir)).read_only(true)).await
}

/// Connections that read.
pub(super) fn readers(dir: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(IDLE)
        .connect_lazy_with(options(&file(dir)).read_only(true))
}

/// Begins to do several writes as one; [`end`] is to follow.
///
/// The transactions of sqlx are of no use here: a full disk makes SQLite roll back by itself, after
/// which sqlx takes the connection for one within a transaction for ever.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(connection).await;
    begun.map(drop).map_err(failed("write the database"))
}

/// Makes what was done since [`begin`] durable, or undoes it if it failed.
pub(super) async fn end<T>(
    connection: &mut SqliteConnection,
    done: Result<T, StoreError>,
) -> Result<T, StoreError> {
    let ended = match done {
        Ok(value) => {
            let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
            committed.map(|_| value).map_err(failed("write the database"))
        }
        Err(error) => Err(error),
    };
    if ended.is_err() {
        // It fails where SQLite has done so by itself.
        drop(sqlx::query("ROLLBACK").execute(connection).await);
    }
    ended
}

/// What to do with an error of the database. A full disk is told apart.
pub(super) fn failed(doing: &'static str) -> impl FnOnce(Error) -> StoreError {
    move |error| match primary_code(&error) {
        Some(code::FULL) => {
            StoreError::Full { dir: PathBuf::from("the database of packages"), low: None }
        }
        _ => StoreError::Database { doing, source: Box::new(error) },
    }
}

/// Whether nobody knows what of a write is on the disk now.
pub(super) fn is_uncertain(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else {
        return false;
    };
    let code = source.downcast_ref::<Error>().and_then(extended_code);
    let is_write = matches!(
        code,
        Some(code::IOERR_WRITE | code::IOERR_FSYNC | code::IOERR_DIR_FSYNC | code::IOERR_TRUNCATE)
    );
    is_write || matches!(code.map(|code| code & 0xff), Some(code::CORRUPT | code::NOTADB))
}

enum Refused {
    Damaged(String),
    Failed(StoreError),
}

impl Refused {
    fn into_error(self) -> StoreError {
        match self {
            Self::Failed(error) => error,
            Self::Damaged(what) => {
                StoreError::Database { doing: "open a new database", source: what.into() }
            }
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match primary_code(&error) {
            Some(code::ERROR | code::CORRUPT | code::SCHEMA | code::MISMATCH | code::NOTADB) => {
                Self::Damaged(error.to_string())
            }
            // What a column holds is not what was written.
            None if matches!(error, Error::ColumnDecode { .. } | Error::Decode(_)) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Failed(failed("open the database")(error)),
        }
    }
}

impl From<MigrateError> for Refused {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            error => Self::Failed(StoreError::Database {
                doing: "use a database of another version",
                source: Box::new(error),
            }),
        }
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In this mode alone, a commit is on the disk when it is done.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("journal_size_limit", MAX_WAL_BYTES)
        .pragma("trusted_schema", "OFF")
        .pragma("cache_size", PAGES)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROW_BUFFER)
}

/// Opens the database, checks it and brings it to this version; says whether it is still to be made
/// of the contents.
async fn connect(path: &Path) -> Result<(SqliteConnection, bool), Refused> {
    let owned = path.to_owned();
    let created =
        blocking(move || create(&owned).map_err(StoreError::io("cannot open", &owned))).await;
    created.map_err(Refused::Failed)?;
    let mut connection = SqliteConnection::connect_with(&options(path)).await?;
    match prepare(&mut connection).await {
        Ok(is_new) => Ok((connection, is_new)),
        Err(refused) => {
            // The files are free to be renamed after this.
            let _: Result<(), Error> = connection.close().await;
            Err(refused)
        }
    }
}

async fn prepare(connection: &mut SqliteConnection) -> Result<bool, Refused> {
    let checked: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await?;
    if checked != "ok" {
        return Err(Refused::Damaged(checked));
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        // Before all else, so that a start which ends early is made up for by the next.
        sqlx::query("PRAGMA user_version = 1").execute(&mut *connection).await?;
    }
    let is_partial: bool =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    sqlx::migrate!("./migrations").run(&mut *connection).await?;
    Ok(is_partial)
}

/// Notes that a new database has all contents there were.
pub(super) async fn mark_whole(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let marked = sqlx::query("PRAGMA user_version = 0").execute(connection).await;
    marked.map(drop).map_err(failed("write the database"))
}

/// Creates an empty file for a database that only its owner may read, unless it is there. SQLite
/// gives what it puts beside it the same rights.
pub(super) fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).map(drop)
}

/// Takes from everybody but the owner what rights there are on the database and on the directories
/// of contents: those that somebody copied here, or an earlier version made, may have more than new
/// ones get. Where the system refuses, they remain as they are, which is no reason not to work.
#[cfg(unix)]
fn tighten(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // This does not follow links.
        let Ok(metadata) = entry.metadata() else { continue };
        let is_own = match metadata.is_dir() {
            true => matches!(&*name, "blobs" | "damaged" | "tmp"),
            false => metadata.is_file() && name.starts_with(DATABASE),
        };
        let mode = metadata.permissions().mode();
        if is_own && mode & 0o077 != 0 {
            let path = entry.path();
            let done = fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o700));
            if let Err(error) = done {
                tracing::debug!(path = %path.display(), %error, "rights cannot be taken away");
            }
        }
    }
}

/// Where there are no such rights, there is nothing to do.
#[cfg(not(unix))]
fn tighten(_dir: &Path) {}

fn primary_code(error: &Error) -> Option<i32> {
    Some(extended_code(error)? & 0xff)
}

fn extended_code(error: &Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Gives the files of the database other names, which no other files have.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut number = 1_u32;
    while named(&format!(".damaged-{number}")).exists() {
        number += 1;
    }
    let aside = named(&format!(".damaged-{number}"));
    for part in ["-wal", "-shm", ""] {
        let from = named(part);
        let to = named(&format!(".damaged-{number}{part}"));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("cannot set aside", &from)(error));
            }
            _ => {}
        }
    }
    Ok(aside)
}
