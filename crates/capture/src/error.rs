//! What can be wrong with a capture.

use std::fmt;
use std::io;
use std::path::PathBuf;

use cot_core::{FrameError, Reject};

/// A capture that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A directory that cannot be listed.
    #[error("{} cannot be listed", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not there, or may not be read.
    #[error("{} cannot be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A part of a capture that was passed over. Reading goes on behind it, unless
/// [`ends_file`](Self::ends_file) says that the rest of the file is lost.
#[derive(Debug, thiserror::Error)]
#[error("{}{place}: {why}{}", path.display(), if self.ends_file() { "; the rest of the file is skipped" } else { "" })]
#[non_exhaustive]
pub struct BadRecord {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What is wrong.
    pub why: Why,
}

impl BadRecord {
    /// Whether the rest of the file is lost.
    #[must_use]
    pub const fn ends_file(&self) -> bool {
        match self.why {
            // Behind an event without an end, others may be found again.
            Why::Stream(FrameError::NestedEvent | FrameError::TooLong { .. })
            | Why::Event(_)
            | Why::Line(_)
            | Why::Truncated => false,
            Why::Broken(_) | Why::Foreign | Why::Stream(_) => true,
        }
    }
}

/// Where in a file, uncompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// At most this many bytes after its start.
    Before(u64),
    /// In this line; the first is 1.
    Line(u64),
    /// Nowhere in particular.
    Whole,
}

/// `:12` or ` (before byte 16384)`, to stand behind a file's name.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(byte) => write!(f, " (before byte {byte})"),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Whole => Ok(()),
        }
    }
}

/// What is wrong with a part of a capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The bytes cannot be read or decompressed.
    #[error("cannot be read: {0}")]
    Broken(io::Error),
    /// Not a valid event.
    #[error("no valid event: {0}")]
    Event(Reject),
    /// Neither a dump nor XML.
    #[error("neither a dump nor events as XML")]
    Foreign,
    /// A line that a dump cannot have.
    #[error("{0}")]
    Line(String),
    /// Something after which a stream of events cannot be cut.
    #[error("{0}")]
    Stream(FrameError),
    /// The file ends within an event.
    #[error("the last event breaks off")]
    Truncated,
}
