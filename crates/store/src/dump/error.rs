//! What can be wrong with a dump that is read.

use std::io;
use std::path::PathBuf;

/// Why a dump, or a line of it, could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// One line is damaged. Reading goes on with the next.
    #[error("{}: line {line} is damaged: {what}", .path.display())]
    Damaged {
        /// Of which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file is neither JSON lines nor XML, plain or compressed with zstd.
    #[error("{}: not a dump", .path.display())]
    NotADump {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read any further: the disk fails, or compressed data ends early or is
    /// damaged. Lines up to here were good.
    #[error("{}: cannot be read after line {line}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The last line that was read; 0 when it is the first that cannot be.
        line: u64,
        /// What the system or the decompressor said.
        source: io::Error,
    },
}

impl DumpError {
    /// Whether nothing can be read after this.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Damaged { .. })
    }
}
