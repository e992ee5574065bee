//! The files of a dump: their names, and which there are.

use std::path::{Path, PathBuf};

use super::{DumpError, DumpFormat, time};

/// One file of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its running number, which is the order of the files.
    pub number: u64,
    /// When it was begun: milliseconds since 1970-01-01 UTC, to the second.
    pub begun_ms: i64,
    /// Its size as stored.
    pub bytes: u64,
    /// How events are written in it.
    pub format: DumpFormat,
    /// Whether it is compressed.
    pub is_compressed: bool,
}

impl DumpFile {
    /// A file by its path; `None` when the name is not one of a dump's.
    pub(super) fn from_path(path: PathBuf, bytes: u64) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix("dump-")?;
        let (name, is_compressed) = match name.strip_suffix(".zst") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, extension) = name.split_once('.')?;
        let format = match extension {
            "jsonl" => DumpFormat::Json,
            "cot" => DumpFormat::Xml,
            _ => return None,
        };
        let (begun, number) = name.split_once('-')?;
        let begun_ms = time::parse_file_name_form(begun)?;
        let is_number =
            (6..=12).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_number)?;
        Some(Self { path, number, begun_ms, bytes, format, is_compressed })
    }
}

/// The name of a file that is begun.
pub(super) fn name(begun_ms: i64, number: u64, format: DumpFormat) -> String {
    let extension = match format {
        DumpFormat::Json => "jsonl",
        DumpFormat::Xml => "cot",
    };
    format!("dump-{}-{number:06}.{extension}", time::file_name_form(begun_ms))
}

/// The files of a dump in a directory, oldest first.
///
/// Others are left out, and so is a file that was compressed but not yet removed.
///
/// # Errors
///
/// [`DumpError::Open`] when the directory cannot be read.
pub fn list(dir: &Path) -> Result<Vec<DumpFile>, DumpError> {
    let fail = |source| DumpError::Open { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // One that is removed meanwhile is not there.
        let bytes = entry.metadata().map(|metadata| metadata.len());
        files.extend(bytes.ok().and_then(|bytes| DumpFile::from_path(entry.path(), bytes)));
    }
    sort(&mut files);
    files.dedup_by(|later, kept| later.path == kept.path.with_extension(""));
    Ok(files)
}

/// Oldest first; of a file and its compressed form the compressed one first.
pub(super) fn sort(files: &mut [DumpFile]) {
    files.sort_by(|a, b| {
        (a.number, !a.is_compressed, &a.path).cmp(&(b.number, !b.is_compressed, &b.path))
    });
}
