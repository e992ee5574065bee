//! What can go wrong with durable storage.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::packages::ContentHash;

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Too many uploads at a time; another may be tried later.
    #[error("too many uploads at a time")]
    Busy,
    /// The content of a package is not what was uploaded any more, and is set aside.
    #[error("the content {hash} is damaged")]
    Damaged {
        /// Its name.
        hash: ContentHash,
    },
    /// The database refused.
    #[error("cannot {doing}")]
    Database {
        /// What was being done, such as `read the database`.
        doing: &'static str,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An earlier write may not have reached the disk: nothing is written until a restart.
    #[error("the database failed, and takes nothing until it is opened again")]
    Degraded,
    /// The packages are those of another user.
    #[error(
        "the packages in {} belong to user UID {owner}, and this is UID {user}: run as that user, \
         e.g. with `sudo -u '#{owner}'`",
        .dir.display()
    )]
    Foreign {
        /// Where they are.
        dir: PathBuf,
        /// Whose they are.
        owner: u32,
        /// Who this is.
        user: u32,
    },
    /// The disk has no space, or not more than is to stay free.
    #[error("{}: {}", .dir.display(), lack(.low.as_ref()))]
    Full {
        /// Where.
        dir: PathBuf,
        /// How much there is, when the disk has space but it is to stay free.
        low: Option<LowSpace>,
    },
    /// The content is not what it was said to be.
    #[error("the content is {actual}, not {claimed}")]
    HashMismatch {
        /// What was said.
        claimed: ContentHash,
        /// What came.
        actual: ContentHash,
    },
    /// The content of an upload ended with an error.
    #[error("the upload was interrupted")]
    Interrupted {
        /// What the reader said.
        source: io::Error,
    },
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
    /// No such package is there for who asks.
    #[error("there is no content {hash}")]
    NotFound {
        /// Its name.
        hash: ContentHash,
    },
    /// The package belongs to somebody else.
    #[error("the content {hash} belongs to somebody else")]
    NotOwner {
        /// Its name.
        hash: ContentHash,
    },
    /// More than is allowed would be stored.
    #[error("{quota}")]
    QuotaExceeded {
        /// Which quota.
        quota: Quota,
    },
    /// The content is longer or shorter than it was said to be.
    #[error("the content has {actual} bytes, not {declared}")]
    SizeMismatch {
        /// What was said. Bytes.
        declared: u64,
        /// How many came, or were taken until it was too much. Bytes.
        actual: u64,
    },
    /// The content is larger than an upload may be.
    #[error("the content has more than {}, the most that an upload may have (`max_upload`)", Size(*.limit))]
    TooLarge {
        /// The limit. Bytes.
        limit: u64,
    },
    /// A change cannot be stored in any storage; nothing was done.
    #[error("the value of `{key}` {reason}")]
    Unfit {
        /// Its key, or the beginning of a long one.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What there may not be more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quota {
    /// Bytes that one owner has.
    Owner,
    /// Entries.
    Packages,
    /// Bytes of all contents.
    Total,
}

/// Too little space on a disk that is not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LowSpace {
    /// What the disk has. Bytes.
    pub free: u64,
    /// What it would have to have. Bytes.
    pub least: u64,
}

impl LowSpace {
    /// What the disk lacks. Bytes.
    pub fn missing(&self) -> u64 {
        self.least.saturating_sub(self.free)
    }
}

impl fmt::Display for LowSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the disk has {} free, and must have {}", Size(self.free), Size(self.least))
    }
}

/// Bytes in the unit that suits them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let unit = UNITS.into_iter().find(|&(bits, _)| self.0 >> bits > 0);
        let Some((bits, unit)) = unit else {
            return write!(f, "{} bytes", self.0);
        };
        // Rounded down, so that what is too little does not look like enough.
        let tenths = (u128::from(self.0) * 10) >> bits;
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// Why nothing is written to a directory, and what to do.
pub(crate) fn lack(low: Option<&LowSpace>) -> String {
    match low {
        None => "no space is left on the disk; make room there".to_owned(),
        Some(low) => format!("{low}; make room, or let less of it stay free (`packages_free`)"),
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => {
                "the space for packages of one owner (`packages_owner_total`) is used up"
            }
            Self::Packages => "there are as many packages as there may be",
            Self::Total => "the space for packages (`packages_total`) is used up",
        })
    }
}

impl StoreError {
    /// What the system said when `doing` something to `path`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
