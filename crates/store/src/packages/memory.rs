//! Packages in memory, for tests.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::upload::unfit;
use super::{
    ContentHash, DataPackage, Owner, PackageChange, PackageFilter, PackageStore, PackageUsage,
    PackagesConfig, ReadContent, SortBy, Upload, Viewer,
};
use crate::{Quota, StoreError};

/// What all contents may take together unless told otherwise. Bytes.
const DEFAULT_TOTAL_BYTES: u64 = 64 << 20;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Packages in memory: for tests, and the model that other stores are compared with.
///
/// Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryPackages {
    config: PackagesConfig,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    contents: BTreeMap<ContentHash, Content>,
    entries: Vec<Entry>,
    last_key: i64,
    last_revision: u64,
}

#[derive(Debug)]
struct Content {
    bytes: Arc<[u8]>,
    is_damaged: bool,
}

#[derive(Debug)]
struct Entry {
    revision: u64,
    package: DataPackage,
}

impl MemoryPackages {
    /// An empty store. What the configuration says of the disk has no meaning here; where it has no
    /// limit for all contents together, 64 MiB is the limit.
    pub fn new(mut config: PackagesConfig) -> Self {
        config.max_total_bytes.get_or_insert(DEFAULT_TOTAL_BYTES);
        Self { config, shelf: Arc::default() }
    }

    /// Damages a content, as a failing disk does.
    pub fn damage(&self, hash: ContentHash) {
        if let Some(content) = self.shelf().contents.get_mut(&hash) {
            content.is_damaged = true;
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn matches(&self, filter: &PackageFilter) -> Vec<DataPackage> {
        let now_ms = self.config.clock.now_ms();
        let shelf = self.shelf();
        let mut found: Vec<_> = shelf
            .seen(&filter.viewer, filter.each_audience, now_ms)
            .filter(|(_, package)| filter.matches(package))
            .collect();
        found.sort_by_cached_key(|(revision, package)| match filter.sort {
            SortBy::Name => (super::filter::fold(&package.name), 0, *revision),
            SortBy::Size => (String::new(), package.size, *revision),
            SortBy::Submitted => (String::new(), 0, *revision),
        });
        if !filter.is_ascending {
            found.reverse();
        }
        found.into_iter().map(|(_, package)| package).collect()
    }

    fn keep(&self, upload: Upload, bytes: Vec<u8>) -> Result<DataPackage, StoreError> {
        let hash = ContentHash::from_bytes(Sha256::digest(&bytes).into());
        let size = bytes.len() as u64;
        check_announced(&upload, hash, size)?;
        let now_ms = self.config.clock.now_ms();
        let mut shelf = self.shelf();
        let is_same = |entry: &&mut Entry| {
            entry.package.hash == hash && entry.package.audience == upload.audience
        };
        let revision = shelf.last_revision + 1;
        let package = match shelf.entries.iter_mut().find(is_same) {
            Some(entry) => {
                entry.revision = revision;
                entry.package.renew(upload, now_ms);
                entry.package.clone()
            }
            None => {
                let key = shelf.last_key + 1;
                let package = DataPackage::new(key, upload, hash, size, now_ms);
                shelf.check_quota(&package, &self.config)?;
                shelf.last_key = key;
                shelf.entries.push(Entry { revision, package: package.clone() });
                package
            }
        };
        shelf.last_revision = revision;
        shelf.contents.insert(hash, Content { bytes: bytes.into(), is_damaged: false });
        Ok(package)
    }
}

impl Shelf {
    /// What a viewer sees: of each content the newest entry that is for them, or each of them.
    fn seen(
        &self,
        viewer: &Viewer,
        each_audience: bool,
        now_ms: i64,
    ) -> impl Iterator<Item = (u64, DataPackage)> {
        let mut newest = BTreeMap::<(ContentHash, Option<i64>), &Entry>::new();
        for entry in &self.entries {
            let package = &entry.package;
            if package.audience.includes(viewer) && !package.is_expired(now_ms) {
                let key = each_audience.then_some(package.key);
                let seen = newest.entry((package.hash, key)).or_insert(entry);
                if seen.revision < entry.revision {
                    *seen = entry;
                }
            }
        }
        newest.into_values().map(|entry| {
            let mut package = entry.package.clone();
            package.is_damaged =
                self.contents.get(&package.hash).is_none_or(|content| content.is_damaged);
            (entry.revision, package)
        })
    }

    fn check_quota(&self, new: &DataPackage, config: &PackagesConfig) -> Result<(), StoreError> {
        let owner = |package: &DataPackage| {
            package
                .submitter
                .clone()
                .map(|user| (true, user))
                .or_else(|| package.creator_uid.clone().map(|uid| (false, uid)))
        };
        let is_over = |limit: Option<u64>, used: u64| {
            limit.is_some_and(|limit| used.saturating_add(new.size) > limit)
        };
        let all = self.contents.values().map(|content| content.bytes.len() as u64).sum();
        let own = self.entries.iter().filter(|entry| owner(&entry.package) == owner(new));
        let quota = if self.entries.len() as u64 >= config.max_packages {
            Quota::Packages
        } else if !self.contents.contains_key(&new.hash) && is_over(config.max_total_bytes, all) {
            Quota::Total
        } else if is_over(config.max_owner_bytes, own.map(|entry| entry.package.size).sum()) {
            Quota::Owner
        } else {
            return Ok(());
        };
        Err(StoreError::QuotaExceeded { quota })
    }

    /// Removes entries, and the contents that none is left of.
    fn remove(&mut self, is_meant: impl Fn(&DataPackage) -> bool) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| !is_meant(&entry.package));
        let entries = &self.entries;
        self.contents.retain(|hash, _| entries.iter().any(|entry| entry.package.hash == *hash));
        (before - self.entries.len()) as u64
    }
}

impl ReadContent for Cursor<Arc<[u8]>> {}

impl PackageStore for MemoryPackages {
    type Content = Cursor<Arc<[u8]>>;

    async fn insert(
        &self,
        upload: Upload,
        mut content: impl AsyncRead + Send + Unpin,
    ) -> Result<DataPackage, StoreError> {
        upload.check()?;
        let limit = self.config.max_upload_bytes;
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(CHUNK_BYTES);
            let read = content.read_buf(&mut bytes).await;
            let len = bytes.len() as u64;
            if len > limit {
                return Err(StoreError::TooLarge { limit });
            }
            if read.map_err(|source| StoreError::Interrupted { source })? == 0 {
                break;
            }
        }
        self.keep(upload, bytes)
    }

    async fn visit(
        &self,
        filter: &PackageFilter,
        visitor: impl FnMut(DataPackage) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        let (offset, limit) = (filter.offset as usize, filter.limit as usize);
        // Who breaks off has what they wanted.
        let _ = self.matches(filter).into_iter().skip(offset).take(limit).try_for_each(visitor);
        Ok(())
    }

    async fn count(&self, filter: &PackageFilter) -> Result<u64, StoreError> {
        Ok(self.matches(filter).len() as u64)
    }

    async fn find(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<Option<DataPackage>, StoreError> {
        let now_ms = self.config.clock.now_ms();
        let shelf = self.shelf();
        let mut seen = shelf.seen(viewer, false, now_ms).map(|(_, package)| package);
        Ok(seen.find(|package| package.hash == hash))
    }

    async fn open(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<(DataPackage, Self::Content), StoreError> {
        let package = self.find(hash, viewer).await?.ok_or(StoreError::NotFound { hash })?;
        let shelf = self.shelf();
        match shelf.contents.get(&hash) {
            None => Err(StoreError::NotFound { hash }),
            Some(content) if content.is_damaged => Err(StoreError::Damaged { hash }),
            Some(content) => Ok((package, Cursor::new(Arc::clone(&content.bytes)))),
        }
    }

    async fn update(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        change: PackageChange,
    ) -> Result<DataPackage, StoreError> {
        change.check()?;
        let seen = self.find(hash, viewer).await?.ok_or(StoreError::NotFound { hash })?;
        let mut shelf = self.shelf();
        let entry = shelf.entries.iter_mut().find(|entry| entry.package.key == seen.key);
        let entry = entry.ok_or(StoreError::NotFound { hash })?;
        entry.package.change(change);
        Ok(DataPackage { is_damaged: seen.is_damaged, ..entry.package.clone() })
    }

    async fn remove(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        owner: &Owner,
    ) -> Result<(), StoreError> {
        let now_ms = self.config.clock.now_ms();
        let mut shelf = self.shelf();
        let is_seen = |package: &DataPackage| {
            package.hash == hash && package.audience.includes(viewer) && !package.is_expired(now_ms)
        };
        if !shelf.entries.iter().any(|entry| is_seen(&entry.package)) {
            return Err(StoreError::NotFound { hash });
        }
        match shelf.remove(|package| is_seen(package) && package.is_of(owner)) {
            0 => Err(StoreError::NotOwner { hash }),
            _ => Ok(()),
        }
    }

    async fn remove_expired(&self) -> Result<u64, StoreError> {
        let now_ms = self.config.clock.now_ms();
        Ok(self.shelf().remove(|package| package.is_expired(now_ms)))
    }

    async fn usage(&self) -> Result<PackageUsage, StoreError> {
        let shelf = self.shelf();
        let contents = shelf.contents.values();
        Ok(PackageUsage {
            packages: shelf.entries.len() as u64,
            contents: shelf.contents.len() as u64,
            bytes: contents.clone().map(|content| content.bytes.len() as u64).sum(),
            damaged: contents.filter(|content| content.is_damaged).count() as u64,
        })
    }
}

/// Refuses content that is empty or not what was announced.
fn check_announced(upload: &Upload, actual: ContentHash, size: u64) -> Result<(), StoreError> {
    if size == 0 {
        return Err(unfit("content", "is empty"));
    }
    match (upload.size, upload.hash) {
        (Some(declared), _) if declared != size => {
            Err(StoreError::SizeMismatch { declared, actual: size })
        }
        (_, Some(claimed)) if claimed != actual => {
            Err(StoreError::HashMismatch { claimed, actual })
        }
        _ => Ok(()),
    }
}
