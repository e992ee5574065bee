//! How much space a disk has.

use std::fs::File;
use std::io;
use std::path::Path;

/// The space of a disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// Bytes that may still be written.
    pub(super) free: u64,
    /// Bytes of all of it.
    pub(super) total: u64,
}

/// The space of the disk that a directory is on; `None` when nobody knows.
#[cfg(unix)]
pub(super) fn of(dir: &Path) -> Option<Space> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.checked_mul(disk.f_frsize);
    Some(Space { free: bytes(disk.f_bavail)?, total: bytes(disk.f_blocks)? })
}

/// The space of the disk that a directory is on; `None` when nobody knows.
#[cfg(not(unix))]
pub(super) fn of(_dir: &Path) -> Option<Space> {
    None
}

/// Gives an empty file space on the disk, without writing it.
#[cfg(target_os = "linux")]
pub(super) fn reserve(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;

    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len)?)
}

/// Gives an empty file space on the disk, without writing it.
#[cfg(not(target_os = "linux"))]
pub(super) fn reserve(_file: &File, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
