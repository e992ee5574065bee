//! Data packages: files that clients share, named by the SHA-256 of their content.
//!
//! A store keeps content once, however often and under whatever names it is uploaded, and an entry
//! for each [`Audience`] it was uploaded for. Whoever looks sees, of each content, the newest entry
//! that is for one of their groups: so nobody learns of what another team calls a file, and the file
//! is there for both.
//!
//! ```text
//! upload -> temporary file, hashed on the way -> checked -> synced, named -> entry -> answer
//! ```
//!
//! The types and the trait [`PackageStore`] need no feature; `sqlite` adds `SqlitePackages`, and
//! `testing` adds `MemoryPackages` and the suite that every implementation passes.

mod clock;
mod config;
mod content;
#[cfg(feature = "testing")]
#[expect(clippy::indexing_slicing, reason = "a suite that is wrong must not go on")]
pub(crate) mod contract;
mod filter;
mod hash;
#[cfg(feature = "testing")]
mod memory;
mod package;
mod precedence;
#[cfg(feature = "sqlite")]
mod sqlite;
mod upload;
mod visibility;

use std::ops::ControlFlow;

use tokio::io::AsyncRead;

pub use clock::Clock;
pub use config::PackagesConfig;
pub use content::ReadContent;
pub use filter::{Bounds, Circle, PackageFilter, SortBy};
pub use hash::{ContentHash, ParseHashError};
#[cfg(feature = "testing")]
pub use memory::MemoryPackages;
pub use package::DataPackage;
pub use precedence::Precedence;
#[cfg(feature = "sqlite")]
pub use sqlite::{
    BackupReport, PackageContent, PackageHealth, PackageStats, PackagesReport, ScrubBudget,
    ScrubReport, SqlitePackages, UploadFailures, check_owner,
};
pub use upload::{
    MAX_GROUPS, MAX_KEYWORD_BYTES, MAX_KEYWORDS, MAX_METADATA_BYTES, MAX_TEXT_BYTES, PackageChange,
    Upload,
};
pub use visibility::{Audience, Owner, Viewer};

use crate::StoreError;

/// Where data packages are kept.
///
/// Every method may be called from any number of tasks at once. What a viewer cannot see does not
/// exist for them: it is not listed, and is [`StoreError::NotFound`] otherwise. So is what has
/// expired.
pub trait PackageStore: Send + Sync + 'static {
    /// The bytes of a package, from their start; to be sought and read.
    type Content: ReadContent;

    /// Streams a package in. It is durable when this returns `Ok`, and nothing of it is visible
    /// before.
    ///
    /// Content that is there already is kept once; its entry for the same audience is renewed (see
    /// [`DataPackage::renew`]).
    ///
    /// # Errors
    ///
    /// [`Unfit`](StoreError::Unfit) for metadata out of bounds or empty content;
    /// [`TooLarge`](StoreError::TooLarge), [`QuotaExceeded`](StoreError::QuotaExceeded) and
    /// [`Full`](StoreError::Full); [`HashMismatch`](StoreError::HashMismatch) and
    /// [`SizeMismatch`](StoreError::SizeMismatch) when the content is not what was announced;
    /// [`Interrupted`](StoreError::Interrupted) when it cannot be read;
    /// [`Busy`](StoreError::Busy); what the system says otherwise. Nothing is kept then.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves nothing, or all of the package if it was about to be finished.
    fn insert(
        &self,
        upload: Upload,
        content: impl AsyncRead + Send + Unpin,
    ) -> impl Future<Output = Result<DataPackage, StoreError>> + Send;

    /// Gives the entries that match one after the other, in the order and the number that the filter
    /// asks for, until the visitor breaks off. However many there are, only a few are in memory.
    ///
    /// The visitor should not take long: the storage is being read meanwhile.
    ///
    /// # Errors
    ///
    /// When the storage cannot be read. Some may have been given before.
    fn visit(
        &self,
        filter: &PackageFilter,
        visitor: impl FnMut(DataPackage) -> ControlFlow<()> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The entries that match, in the order and the number that the filter asks for.
    ///
    /// # Errors
    ///
    /// When the storage cannot be read.
    fn list(
        &self,
        filter: &PackageFilter,
    ) -> impl Future<Output = Result<Vec<DataPackage>, StoreError>> + Send {
        async {
            let mut found = Vec::new();
            let collect = |package| {
                found.push(package);
                ControlFlow::Continue(())
            };
            self.visit(filter, collect).await?;
            Ok(found)
        }
    }

    /// How many entries match, whatever the offset and the limit of the filter.
    ///
    /// # Errors
    ///
    /// When the storage cannot be read.
    fn count(&self, filter: &PackageFilter)
    -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The entry of a content, damaged or not, as this viewer sees it.
    ///
    /// # Errors
    ///
    /// When the storage cannot be read.
    fn find(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> impl Future<Output = Result<Option<DataPackage>, StoreError>> + Send;

    /// Opens the content of a package, whose size was checked.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StoreError::NotFound); [`Damaged`](StoreError::Damaged) when the content is not
    /// what was uploaded any more; when the storage cannot be read.
    fn open(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> impl Future<Output = Result<(DataPackage, Self::Content), StoreError>> + Send;

    /// Changes metadata of the entry that this viewer sees, durably.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StoreError::NotFound); [`Unfit`](StoreError::Unfit) for what is out of bounds;
    /// when the storage cannot be written.
    fn update(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        change: PackageChange,
    ) -> impl Future<Output = Result<DataPackage, StoreError>> + Send;

    /// Removes all entries of a content that this viewer sees and `owner` owns, and the content
    /// when these were the last.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StoreError::NotFound); [`NotOwner`](StoreError::NotOwner) when the viewer sees
    /// only what others own; when the storage cannot be written.
    fn remove(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        owner: &Owner,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes what has expired, and says how many entries that were.
    ///
    /// # Errors
    ///
    /// When the storage cannot be written.
    fn remove_expired(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// How much there is.
    ///
    /// # Errors
    ///
    /// When the storage cannot be read.
    fn usage(&self) -> impl Future<Output = Result<PackageUsage, StoreError>> + Send;
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageUsage {
    /// Entries, expired ones included until they are removed.
    pub packages: u64,
    /// Different contents.
    pub contents: u64,
    /// Size of all contents together. Bytes.
    pub bytes: u64,
    /// Contents that are damaged.
    pub damaged: u64,
}
