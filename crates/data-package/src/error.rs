//! Why a data package could not be built, or an archive not be inspected.

use std::io;
use std::path::PathBuf;

use crate::{ManifestError, NameProblem};

/// Why a data package was not built. What was written until then is no data package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two entries have this name.
    #[error("two files are called `{name}`")]
    Duplicate {
        /// Their name.
        name: String,
    },
    /// There is nothing to put into it.
    #[error("there are no files to put into it")]
    Empty,
    /// More than [`Limits`](crate::Limits) allow.
    #[error("it has more than {limit} {what}")]
    Limit {
        /// Of what: `files`, `bytes`, `bytes of names`, `bytes of manifest` or `folders in each other`.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The manifest that a folder has cannot be used.
    #[error("its manifest cannot be used: {why}")]
    Manifest {
        /// Why.
        why: ManifestError,
    },
    /// The manifest that a folder has names an entry that is not in the folder.
    #[error("its manifest names `{name}`, which is not there")]
    Missing {
        /// The name.
        name: String,
    },
    /// A file cannot have this name in a data package.
    #[error("the name `{name}` {problem}")]
    Name {
        /// The name, with control characters visible.
        name: String,
        /// What is wrong with it.
        problem: NameProblem,
    },
    /// Neither a file nor a folder.
    #[error("{} is neither a file nor a folder", path.display())]
    Special {
        /// What it is.
        path: PathBuf,
    },
    /// A symbolic link to a folder that it is in.
    #[error("{} is a symbolic link to a folder that it is in", path.display())]
    SymlinkLoop {
        /// The link.
        path: PathBuf,
    },
    /// A symbolic link that leads out of the folder.
    #[error("{} is a symbolic link that leads out of the folder", path.display())]
    SymlinkOut {
        /// The link.
        path: PathBuf,
    },
    /// A text of the manifest has characters that XML cannot hold.
    #[error("the {what} `{text}` has control characters")]
    Text {
        /// What it is: `name`, `uid` or `parameter`.
        what: &'static str,
        /// The text, with control characters visible.
        text: String,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file, or the name of an entry.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("the data package cannot be written")]
    Write {
        /// What the system said.
        source: io::Error,
    },
}

/// Why nothing can be said about an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// More than [`Limits`](crate::Limits) allow.
    #[error("it has more than {limit} {what}")]
    Limit {
        /// Of what: `entries` or `bytes of names`.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// A zip archive that contradicts itself.
    #[error("a damaged zip archive: {0}")]
    Malformed(&'static str),
    /// Not a zip archive at all.
    #[error("not a zip archive")]
    NotZip,
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable {
        /// What the system said.
        source: io::Error,
    },
}
