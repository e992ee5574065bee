//! Packages in a data directory that no server has.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use store::StoreError;
use store::packages::{
    Audience, ContentHash, Owner, PackageFilter, PackageStore, PackagesConfig, SqlitePackages,
    Upload, Viewer, check_owner,
};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use super::complain;
use super::error::PackageError;
use super::place::Description;
use super::row::Row;
use crate::signals::Signals;

/// Rows that are read at a time.
const PAGE: u32 = 1000;

/// The packages of a directory, which is this process's own meanwhile.
pub(super) struct Direct {
    runtime: Runtime,
    store: SqlitePackages,
    dir: PathBuf,
}

impl Direct {
    /// Opens the packages in `dir`.
    ///
    /// # Errors
    ///
    /// `None` inside: somebody else has it.
    pub(super) fn open(dir: &Path) -> Result<Option<Self>, PackageError> {
        let dir = dir.to_owned();
        check_owner(&dir).map_err(|source| PackageError::Store {
            doing: "open",
            dir: dir.clone(),
            source,
        })?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|source| PackageError::Unreadable { path: dir.clone(), source })?;
        let store = match runtime.block_on(SqlitePackages::open(&dir, PackagesConfig::default())) {
            Ok(store) => store,
            Err(StoreError::Locked { .. }) => return Ok(None),
            Err(source) => return Err(PackageError::Store { doing: "open", dir, source }),
        };
        let report = store.report();
        if let Some((aside, what)) = &report.database_set_aside {
            complain(&format!(
                "the database of packages was damaged ({what}) and is now {}; {} packages are \
                 there, their names are lost",
                aside.display(),
                report.rebuilt
            ));
        } else if report.rebuilt > 0 {
            complain(&format!(
                "the database of packages was missing; {} packages are there, their names are lost",
                report.rebuilt
            ));
        }
        for hash in &report.damaged {
            complain(&format!("the content {hash} is damaged; upload it again"));
        }
        Ok(Some(Self { runtime, store, dir }))
    }

    /// All entries, or those whose name contains a text; the newest first.
    pub(super) fn list(&self, name: Option<&str>) -> Result<Vec<Row>, PackageError> {
        let mut filter = everything();
        filter.name = name.map(ToOwned::to_owned);
        self.rows(filter)
    }

    /// All entries of a content, the newest first.
    pub(super) fn entries(&self, hash: &str) -> Result<Vec<Row>, PackageError> {
        let mut filter = everything();
        let hash = hash.parse().map_err(|_| PackageError::Hash(hash.to_owned()))?;
        filter.hash = Some(hash);
        self.rows(filter)
    }

    fn rows(&self, mut filter: PackageFilter) -> Result<Vec<Row>, PackageError> {
        let mut rows = Vec::new();
        loop {
            let page = self.run("read", self.store.list(&filter))?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            rows.extend(page.into_iter().map(Row::from));
            filter.offset += PAGE;
            if is_last {
                return Ok(rows);
            }
        }
    }

    pub(super) fn add(
        &self,
        content: impl Read + Send + Unpin,
        size: u64,
        description: &Description,
    ) -> Result<String, PackageError> {
        let audience = match description.teams.as_slice() {
            [] => Audience::Everyone,
            teams => Audience::groups(teams),
        };
        let mut upload = Upload::new(&description.name, audience);
        upload.size = Some(size);
        upload.tool.clone_from(&description.tool);
        upload.mime_type = description.mime_type.to_owned();
        upload.keywords.clone_from(&description.keywords);
        upload.creator_uid = Some(description.creator_uid.to_owned());
        upload.expires_ms = description.expires_ms;
        upload.is_by_operator = true;
        let insert = self.store.insert(upload, Blocking(content));
        // Who breaks off leaves nothing.
        let done = self.runtime.block_on(async {
            let Ok(mut signals) = Signals::new() else { return Ok(insert.await) };
            tokio::select! {
                biased;
                done = insert => Ok(done),
                (_, code) = signals.next() => Err(PackageError::Interrupted { code }),
            }
        })?;
        match done {
            Ok(stored) => Ok(stored.hash.to_string()),
            Err(
                source @ (StoreError::Full { low: Some(_), .. }
                | StoreError::QuotaExceeded { .. }
                | StoreError::TooLarge { .. }),
            ) => Err(PackageError::Limit { dir: self.dir.clone(), source }),
            Err(source) => {
                Err(PackageError::Store { doing: "add to", dir: self.dir.clone(), source })
            }
        }
    }

    /// The content of a package, from its start.
    pub(super) fn content(&self, row: &Row) -> Result<File, PackageError> {
        let hash = hash(row)?;
        let (_, content) = self.run("read", self.store.open(hash, &Viewer::Everything))?;
        Ok(self.runtime.block_on(content.into_std()))
    }

    /// Removes these entries of a content: all, or the one with this number.
    pub(super) fn remove(&self, row: &Row, key: Option<i64>) -> Result<(), PackageError> {
        let hash = hash(row)?;
        let owner = key.map_or(Owner::Anyone, Owner::Entry);
        self.run("remove from", self.store.remove(hash, &Viewer::Everything, &owner))
    }

    fn run<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, PackageError> {
        let failed = |source| PackageError::Store { doing, dir: self.dir.clone(), source };
        self.runtime.block_on(work).map_err(failed)
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}

/// What an operator is shown: each entry of each content, also of what is damaged.
fn everything() -> PackageFilter {
    let mut filter = PackageFilter::new(Viewer::Everything);
    filter.each_audience = true;
    filter.include_damaged = true;
    filter.limit = PAGE;
    filter
}

fn hash(row: &Row) -> Result<ContentHash, PackageError> {
    row.hash.parse().map_err(|_| PackageError::Hash(row.hash.clone()))
}

/// A reader that is waited for: nothing else runs meanwhile.
struct Blocking<R>(R);

impl<R: Read + Unpin> AsyncRead for Blocking<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(buf.initialize_unfilled())?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}
