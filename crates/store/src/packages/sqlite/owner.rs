//! Whose the packages are.

use std::path::Path;

use crate::StoreError;

/// Says whether this process runs as the user whose packages are in a directory, or whose they
/// would be: what another user writes, even root, the server cannot read afterwards.
///
/// For who works on a directory in place of its server. Where there are no users, every process is
/// the right one. Waits for the disk.
///
/// # Errors
///
/// [`StoreError::Foreign`].
pub fn check_owner(dir: impl AsRef<Path>) -> Result<(), StoreError> {
    let dir = dir.as_ref();
    match owner(dir).zip(user()) {
        Some((owner, user)) if owner != user => {
            Err(StoreError::Foreign { dir: dir.to_owned(), owner, user })
        }
        _ => Ok(()),
    }
}

/// Who owns the database, or what it would be made in: a directory may have been made for the
/// server by somebody else.
#[cfg(unix)]
fn owner(dir: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let database = dir.join("packages.db");
    let places = [Some(database.as_path()), Some(dir), dir.parent()];
    places.into_iter().flatten().find_map(|path| Some(path.metadata().ok()?.uid()))
}

#[cfg(not(unix))]
fn owner(_dir: &Path) -> Option<u32> {
    None
}

/// As whom this process runs.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there are no such numbers")]
pub(super) fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// As whom this process runs.
#[cfg(not(unix))]
pub(super) fn user() -> Option<u32> {
    None
}
