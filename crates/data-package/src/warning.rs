//! What is odd about a data package.

use std::fmt;
use std::sync::Arc;

use crate::{ManifestError, NameProblem};

/// Something about an archive that its receiver should know before it is unpacked.
///
/// Names are as in [`Entry::name`](crate::Entry::name).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Bytes stand before the archive: the file may be something else as well.
    Before {
        /// How many.
        bytes: u64,
    },
    /// The content of an entry is not where the directory says.
    Beyond {
        /// The entry.
        name: Arc<str>,
    },
    /// Two or more entries have this name.
    Duplicate {
        /// Their name.
        name: Arc<str>,
    },
    /// The content of an entry is encrypted.
    Encrypted {
        /// The entry.
        name: Arc<str>,
    },
    /// All entries together are larger than the limit when unpacked.
    Expanded {
        /// How large they are announced to be. Bytes.
        bytes: u64,
    },
    /// The manifest cannot be read.
    Manifest {
        /// Why.
        why: ManifestError,
    },
    /// The manifest lacks a parameter that every manifest has.
    ManifestLacks {
        /// Which: `uid` or `name`.
        parameter: &'static str,
    },
    /// The manifest names an entry that is not there.
    Missing {
        /// The name.
        name: Arc<str>,
    },
    /// The name of an entry is dangerous, or different things on different devices.
    Name {
        /// The entry.
        name: Arc<str>,
        /// What is wrong.
        problem: NameProblem,
    },
    /// An entry is an archive itself.
    Nested {
        /// The entry.
        name: Arc<str>,
    },
    /// There is no manifest.
    NoManifest,
    /// Two entries share bytes of the archive, as in archives that are made to fill disks.
    Overlap {
        /// The second of them.
        name: Arc<str>,
    },
    /// An entry is so many times larger than its content in the archive.
    Ratio {
        /// The entry.
        name: Arc<str>,
        /// How many times.
        ratio: u64,
    },
    /// An entry is a symbolic link.
    Symlink {
        /// The entry.
        name: Arc<str>,
    },
    /// The manifest does not name an entry.
    Unlisted {
        /// The entry.
        name: Arc<str>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before { bytes } => write!(f, "{bytes} other bytes stand before the archive"),
            Self::Beyond { name } => write!(f, "`{name}` is not where the archive says"),
            Self::Duplicate { name } => write!(f, "`{name}` is there more than once"),
            Self::Encrypted { name } => write!(f, "`{name}` is encrypted"),
            Self::Expanded { bytes } => write!(f, "unpacked it says to be {bytes} bytes"),
            Self::Manifest { why } => write!(f, "the manifest cannot be read: {why}"),
            Self::ManifestLacks { parameter } => write!(f, "the manifest has no {parameter}"),
            Self::Missing { name } => write!(f, "the manifest names `{name}`, which is not there"),
            Self::Name { name, problem } => write!(f, "the name `{name}` {problem}"),
            Self::Nested { name } => write!(f, "`{name}` is an archive itself"),
            Self::NoManifest => f.write_str("there is no manifest"),
            Self::Overlap { name } => write!(f, "`{name}` shares its bytes with another entry"),
            Self::Ratio { name, ratio } => {
                write!(f, "`{name}` is {ratio} times as large when unpacked")
            }
            Self::Symlink { name } => write!(f, "`{name}` is a symbolic link"),
            Self::Unlisted { name } => write!(f, "`{name}` is not in the manifest"),
        }
    }
}
