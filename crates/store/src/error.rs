//! What can go wrong with durable storage.

use std::io;
use std::path::PathBuf;

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
}
