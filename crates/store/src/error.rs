//! What can go wrong with durable storage.

use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused an operation on a file or directory.
    #[error("{doing} {}", .path.display())]
    Io {
        /// What was being done, such as `cannot write`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else has this directory.
    #[error("{} is in use by another process", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The call does not fit the ones before; nothing was done.
    #[error("{0}")]
    Misused(&'static str),
    /// A change cannot be stored in any storage; nothing was done.
    #[error("the value of `{key}` {reason}")]
    Unfit {
        /// Its key, or the beginning of a long one.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl StoreError {
    /// What the system said when `doing` something to `path`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
