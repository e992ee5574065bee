//! Settings of a dump.

use std::path::PathBuf;
use std::time::Duration;

use super::DumpFormat;

/// Where a dump is written, and how much of it is kept.
///
/// ```
/// use store::dump::DumpConfig;
///
/// let mut config = DumpConfig::new("/var/lib/tinycot/dump");
/// config.max_total_bytes = 8 << 30;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpConfig {
    /// The directory; created when there is none.
    pub dir: PathBuf,
    /// How events are written. Defaults to JSON lines.
    pub format: DumpFormat,
    /// A file that would grow beyond this is finished and another begun. Bytes, before compression;
    /// at most half of `max_total_bytes`. Defaults to 64 MiB, about 80,000 position reports.
    pub max_file_bytes: u64,
    /// A file this old is finished and another begun. Defaults to 24 hours.
    pub max_file_age: Duration,
    /// How many files are kept, the one being written among them. Defaults to 100; at least 1.
    pub max_files: usize,
    /// How many bytes all files take at most, the one being written among them. The oldest are
    /// removed for it. Defaults to 1 GiB. While a file is being compressed its new form comes on
    /// top of that.
    pub max_total_bytes: u64,
    /// Whether finished files are to be compressed. Defaults to yes.
    pub compress: bool,
}

impl DumpConfig {
    /// The defaults, for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            format: DumpFormat::Json,
            max_file_bytes: 64 << 20,
            max_file_age: Duration::from_secs(24 * 60 * 60),
            max_files: 100,
            max_total_bytes: 1 << 30,
            compress: true,
        }
    }

    /// The size at which a file is finished.
    pub(super) fn file_limit(&self) -> u64 {
        self.max_file_bytes.min(self.max_total_bytes / 2)
    }

    /// Whether a file begun at `begun_ms` is old at `now_ms`; or as far in the future, when the clock
    /// was wrong and is set right.
    pub(super) fn is_old(&self, begun_ms: i64, now_ms: i64) -> bool {
        u128::from(now_ms.abs_diff(begun_ms)) >= self.max_file_age.as_millis()
    }
}
