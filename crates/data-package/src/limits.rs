//! What a data package may be.

/// Bounds of a data package, both of what is built and of what is inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most entries. Defaults to 10,000.
    pub max_entries: u32,
    /// Most bytes of the directory at the end of the archive, where the names are. Bounds the memory
    /// of an inspection. Defaults to 4 MiB.
    pub max_directory_bytes: u64,
    /// Largest manifest. Bytes. Defaults to 1 MiB.
    pub max_manifest_bytes: u64,
    /// What all entries may be together when unpacked. Bytes. More is not built, and a warning of an
    /// inspection. Defaults to 1 GiB, and is at most 4 GiB.
    pub max_expanded_bytes: u64,
    /// How many times as large as in the archive an entry of more than a megabyte may be. More is a
    /// warning of an inspection. Defaults to 100.
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_directory_bytes: 4 << 20,
            max_manifest_bytes: 1 << 20,
            max_expanded_bytes: 1 << 30,
            max_ratio: 100,
        }
    }
}
