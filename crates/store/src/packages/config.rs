//! Bounds of a package store.

use super::{Audience, Clock, Precedence};

/// Bounds of a package store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PackagesConfig {
    /// Largest upload. Bytes. Defaults to 400 MiB.
    pub max_upload_bytes: u64,
    /// What all contents may take together. Bytes. Defaults to no limit but the disk.
    pub max_total_bytes: Option<u64>,
    /// What the contents of one owner may take together: a user, or a device where users are not
    /// known. What nobody is known to own counts as one owner. Bytes. Defaults to no limit.
    pub max_owner_bytes: Option<u64>,
    /// Most entries. Defaults to 100,000, each of about 1 KiB on disk.
    pub max_packages: u64,
    /// Uploads at a time; more are [`Busy`](crate::StoreError::Busy). Each takes up to 1 MiB of
    /// memory. Defaults to 64.
    pub max_uploads: usize,
    /// Space on the disk that uploads leave free. Bytes. Defaults to 512 MiB.
    pub min_free_bytes: u64,
    /// Size of the file `ballast`, which is dropped when the disk is full, so that packages can be
    /// removed and the database can be closed all the same, and made again when there is space. A
    /// disk that is not 16 times as large has none. Bytes; 0 for none. Defaults to 32 MiB.
    pub ballast_bytes: u64,
    /// Who sees what was found without metadata, when the database was damaged. Defaults to nobody
    /// but who sees everything: content may have been for one team alone.
    pub rebuilt_audience: Audience,
    /// What time it is. Defaults to the system's clock.
    pub clock: Clock,
    /// Whose work goes before that on contents. Defaults to nobody's.
    pub precedence: Precedence,
}

impl Default for PackagesConfig {
    fn default() -> Self {
        Self {
            max_upload_bytes: 400 << 20,
            max_total_bytes: None,
            max_owner_bytes: None,
            max_packages: 100_000,
            max_uploads: 64,
            min_free_bytes: 512 << 20,
            ballast_bytes: 32 << 20,
            rebuilt_audience: Audience::nobody(),
            clock: Clock::system(),
            precedence: Precedence::default(),
        }
    }
}
