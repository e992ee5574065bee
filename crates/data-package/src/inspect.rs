//! What is in an archive, without unpacking it.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use crate::directory::{self, DEFLATED, Directory, Header, unreadable, widen};
use crate::entry_name::{self, visible};
use crate::{InspectError, Limits, MANIFEST_NAME, Manifest, ManifestError, NameProblem, Warning};

/// Entries up to this size may be compressed as well as they can. Bytes.
const MIN_RATIO_BYTES: u64 = 1 << 20;

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// All entries, the manifest too, in the order of the directory.
    pub entries: Vec<Entry>,
    /// What it says of itself, with control characters visible; `None` when there is none that can
    /// be read.
    pub manifest: Option<Manifest>,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
}

/// A file or folder in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, with control characters visible (`\u{1b}`). Any other text; no path.
    pub name: Arc<str>,
    /// Bytes it takes in the archive, as the archive announces.
    pub compressed: u64,
    /// Bytes it has when unpacked, as the archive announces.
    pub size: u64,
}

impl Entry {
    /// Whether it is a folder.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

impl Inspection {
    /// What all entries together are when unpacked, as the archive announces. Bytes.
    #[must_use]
    pub fn expanded_bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size))
    }
}

/// Says what is in an archive.
///
/// The directory and the manifest are read, nothing else; nothing is unpacked. The time and the
/// memory this takes are bounded by the limits, whatever the archive is and says: 8 MiB and a
/// few tens of milliseconds at most with those by default.
///
/// # Errors
///
/// What is no zip archive, contradicts itself, or has more entries than the limits allow. Everything
/// else that is odd is a [`Warning`].
pub fn inspect<R: Read + Seek>(mut reader: R, limits: &Limits) -> Result<Inspection, InspectError> {
    let directory = Directory::find(&mut reader, limits)?;
    let mut survey = Survey::new(limits, &directory);
    directory.read(&mut reader, |header| survey.add(header))?;
    survey.finish(&mut reader)
}

/// Whether this is an archive with a manifest that can be read.
pub fn is_data_package(reader: impl Read + Seek) -> bool {
    inspect(reader, &Limits::default()).is_ok_and(|inspection| inspection.manifest.is_some())
}

/// What was seen of the directory so far.
struct Survey<'a> {
    limits: &'a Limits,
    directory: &'a Directory,
    names: HashSet<Arc<str>>,
    name_bytes: u64,
    /// Where entries are: from, to, and which entry.
    extents: Vec<(u64, u64, usize)>,
    manifest: Option<Header>,
    inspection: Inspection,
}

impl<'a> Survey<'a> {
    fn new(limits: &'a Limits, directory: &'a Directory) -> Self {
        let mut warnings = Vec::new();
        if directory.before > 0 {
            warnings.push(Warning::Before { bytes: directory.before });
        }
        Self {
            limits,
            directory,
            names: HashSet::new(),
            name_bytes: 0,
            extents: Vec::new(),
            manifest: None,
            inspection: Inspection { entries: Vec::new(), manifest: None, warnings },
        }
    }

    fn add(&mut self, header: Header) -> Result<(), InspectError> {
        let text = String::from_utf8_lossy(&header.name);
        let name: Arc<str> = visible(&text).into();
        self.name_bytes += widen(name.len());
        if self.name_bytes > self.limits.max_directory_bytes {
            let limit = self.limits.max_directory_bytes;
            return Err(InspectError::Limit { what: "bytes of names", limit });
        }
        let is_utf8 = str::from_utf8(&header.name).is_ok();
        let problem =
            if is_utf8 { entry_name::problems(&text).next() } else { Some(NameProblem::NotUtf8) };
        self.warn_of_header(&header, &name, problem);
        if !self.names.insert(Arc::clone(&name)) {
            self.warn(Warning::Duplicate { name: Arc::clone(&name) });
        }
        match header.least_end().filter(|end| *end <= self.directory.start) {
            Some(end) => self.extents.push((header.offset, end, self.inspection.entries.len())),
            None => self.warn(Warning::Beyond { name: Arc::clone(&name) }),
        }
        let Header { compressed, size, .. } = header;
        if self.manifest.is_none() && is_manifest(&name) {
            self.manifest = Some(header);
        }
        self.inspection.entries.push(Entry { name, compressed, size });
        Ok(())
    }

    fn warn_of_header(&mut self, header: &Header, name: &Arc<str>, problem: Option<NameProblem>) {
        let name = || Arc::clone(name);
        if let Some(problem) = problem {
            self.warn(Warning::Name { name: name(), problem });
        }
        if header.is_symlink {
            self.warn(Warning::Symlink { name: name() });
        }
        if header.is_encrypted {
            self.warn(Warning::Encrypted { name: name() });
        }
        if is_archive(&name()) {
            self.warn(Warning::Nested { name: name() });
        }
        let ratio = header.size / header.compressed.max(1);
        if ratio > self.limits.max_ratio && header.size > MIN_RATIO_BYTES {
            self.warn(Warning::Ratio { name: name(), ratio });
        }
    }

    fn finish<R: Read + Seek>(mut self, reader: &mut R) -> Result<Inspection, InspectError> {
        self.find_overlaps();
        let bytes = self.inspection.expanded_bytes();
        if bytes > self.limits.max_expanded_bytes {
            self.warn(Warning::Expanded { bytes });
        }
        let read = match self.manifest.take() {
            Some(header) => Some(self.read_manifest(reader, &header).map_err(unreadable)?),
            None => None,
        };
        match read {
            None => self.warn(Warning::NoManifest),
            Some(Err(why)) => self.warn(Warning::Manifest { why }),
            Some(Ok(mut manifest)) => {
                manifest.make_visible();
                self.compare(&manifest);
                self.inspection.manifest = Some(manifest);
            }
        }
        Ok(self.inspection)
    }

    fn find_overlaps(&mut self) {
        self.extents.sort_unstable();
        let mut occupied = 0;
        for &(start, end, entry) in &self.extents {
            if start < occupied
                && let Some(entry) = self.inspection.entries.get(entry)
            {
                let name = Arc::clone(&entry.name);
                self.inspection.warnings.push(Warning::Overlap { name });
            }
            occupied = occupied.max(end);
        }
    }

    fn read_manifest<R: Read + Seek>(
        &self,
        reader: &mut R,
        header: &Header,
    ) -> io::Result<Result<Manifest, ManifestError>> {
        let is_within = |start: &u64| {
            start.checked_add(header.compressed).is_some_and(|end| end <= self.directory.start)
        };
        if !header.is_plain() || header.offset >= self.directory.start {
            return Ok(Err(ManifestError::Damaged));
        }
        let Some(start) = directory::content_start(reader, header)?.filter(is_within) else {
            return Ok(Err(ManifestError::Damaged));
        };
        reader.seek(SeekFrom::Start(start))?;
        let packed = reader.take(header.compressed);
        // What it is when unpacked is counted while it is: what the archive announces may be a lie.
        let limit = self.limits.max_manifest_bytes;
        let mut bytes = Vec::new();
        let unpacked = if header.method == DEFLATED {
            DeflateDecoder::new(packed).take(limit.saturating_add(1)).read_to_end(&mut bytes)
        } else {
            packed.take(limit.saturating_add(1)).read_to_end(&mut bytes)
        };
        if widen(bytes.len()) > limit {
            return Ok(Err(ManifestError::TooLarge { limit }));
        }
        // Errors of the reader itself are taken for damage, too: it was read before.
        if unpacked.is_err() || crc32fast::hash(&bytes) != header.checksum {
            return Ok(Err(ManifestError::Damaged));
        }
        Ok(Manifest::parse(&bytes))
    }

    /// Warns of what the manifest leaves out and what is not there.
    fn compare(&mut self, manifest: &Manifest) {
        for parameter in ["uid", "name"] {
            if manifest.parameter(parameter).is_none_or(str::is_empty) {
                self.warn(Warning::ManifestLacks { parameter });
            }
        }
        for content in &manifest.contents {
            if !self.names.contains(&content.zip_entry) {
                self.warn(Warning::Missing { name: Arc::clone(&content.zip_entry) });
            }
        }
        let listed: HashSet<_> =
            manifest.contents.iter().map(|content| &content.zip_entry).collect();
        for entry in &self.inspection.entries {
            let name = &entry.name;
            if !entry.is_folder() && !is_manifest(name) && !listed.contains(name) {
                self.inspection.warnings.push(Warning::Unlisted { name: Arc::clone(name) });
            }
        }
    }

    fn warn(&mut self, warning: Warning) {
        self.inspection.warnings.push(warning);
    }
}

/// Some archivers write backslashes, and some clients do not look at the case.
fn is_manifest(name: &str) -> bool {
    name.len() == MANIFEST_NAME.len() && name.replace('\\', "/").eq_ignore_ascii_case(MANIFEST_NAME)
}

/// Judged by the name alone: content is not unpacked.
fn is_archive(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["zip", "dpk", "7z", "rar", "gz", "tgz", "bz2", "xz", "zst", "tar"]
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}
