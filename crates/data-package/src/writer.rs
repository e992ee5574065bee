//! Writing the archive.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::directory::widen;
use crate::entry_name::visible;
use crate::folder;
use crate::valve::{Shutter, Valve};
use crate::{BuildError, Content, Limits, MANIFEST_NAME, Manifest, ManifestError, Parameter};

/// Size of a copy step. Bytes.
const CHUNK: usize = 64 << 10;

/// Level of compression, named so that a change of a default changes no data package.
const LEVEL: i64 = 6;

/// Endings of files that are compressed already. They are stored as they are, which takes no time.
const COMPRESSED: &[&str] = &[
    "7z", "apk", "bz2", "docx", "gz", "heic", "jar", "jpeg", "jpg", "kmz", "m4a", "mp3", "mp4",
    "odt", "p12", "pbf", "png", "pptx", "rar", "webm", "webp", "xlsx", "xz", "zip", "zst",
];

/// The archive, and what went into it.
pub(crate) struct PackageWriter<W: Write + Seek> {
    /// Dropped before `zip`.
    shutter: Shutter,
    zip: ZipWriter<Valve<W>>,
    limits: Limits,
    expanded_bytes: u64,
    /// Of all names and contents.
    hasher: Sha256,
    buf: Vec<u8>,
}

impl<W: Write + Seek> PackageWriter<W> {
    pub(crate) fn new(out: W, limits: Limits) -> Self {
        let (out, shutter) = Valve::new(out);
        Self {
            shutter,
            zip: ZipWriter::new(out),
            limits,
            expanded_bytes: 0,
            hasher: Sha256::new(),
            buf: vec![0; CHUNK],
        }
    }

    /// Size of the contents so far. Bytes.
    pub(crate) fn expanded_bytes(&self) -> u64 {
        self.expanded_bytes
    }
    fn start(&mut self, name: &str) -> Result<(), BuildError> {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_compressed = COMPRESSED.iter().any(|known| ending.eq_ignore_ascii_case(known));
        let options = SimpleFileOptions::default()
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix)
            .unix_permissions(0o644);
        let options = if is_compressed {
            options.compression_method(CompressionMethod::Stored)
        } else {
            let options = options.compression_method(CompressionMethod::Deflated);
            options.compression_level(Some(LEVEL))
        };
        self.zip.start_file(name, options).map_err(|error| write_error(error.into()))
    }

    /// Adds an entry; what is wrong with its content is told of `path`.
    pub(crate) fn copy(
        &mut self,
        name: &str,
        mut reader: impl Read,
        path: &Path,
    ) -> Result<(), BuildError> {
        self.start(name)?;
        let mut hasher = Sha256::new();
        loop {
            let len = match reader.read(&mut self.buf) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(folder::unreadable(path)(error)),
            };
            let chunk = self.buf.get(..len).unwrap_or_default();
            self.expanded_bytes = self.expanded_bytes.saturating_add(widen(len));
            let limit = self.limits.max_expanded_bytes.min(u32::MAX.into());
            if self.expanded_bytes > limit {
                return Err(BuildError::Limit { what: "bytes", limit });
            }
            hasher.update(chunk);
            self.zip.write_all(chunk).map_err(write_error)?;
        }
        self.hasher.update(widen(name.len()).to_le_bytes());
        self.hasher.update(name);
        self.hasher.update(hasher.finalize());
        Ok(())
    }

    /// Takes a manifest over that was there already.
    pub(crate) fn keep_manifest(
        &mut self,
        reader: impl Read,
        path: &Path,
        is_there: impl Fn(&str) -> bool,
    ) -> Result<Manifest, BuildError> {
        let limit = self.limits.max_manifest_bytes;
        let mut bytes = Vec::new();
        let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(folder::unreadable(path))?;
        if widen(bytes.len()) > limit {
            return Err(BuildError::Manifest { why: ManifestError::TooLarge { limit } });
        }
        let manifest = Manifest::parse(&bytes).map_err(|why| BuildError::Manifest { why })?;
        let is_missing = |content: &&Content| !is_there(&content.zip_entry);
        if let Some(content) = manifest.contents.iter().find(is_missing) {
            return Err(BuildError::Missing { name: visible(&content.zip_entry) });
        }
        self.start(MANIFEST_NAME)?;
        self.zip.write_all(&bytes).map_err(write_error)?;
        Ok(manifest)
    }

    pub(crate) fn write_manifest(&mut self, manifest: &Manifest) -> Result<(), BuildError> {
        let limit = self.limits.max_manifest_bytes;
        let mut xml = Vec::new();
        manifest.write(&mut xml).map_err(write_error)?;
        if widen(xml.len()) > limit {
            return Err(BuildError::Limit { what: "bytes of manifest", limit });
        }
        self.start(MANIFEST_NAME)?;
        self.zip.write_all(&xml).map_err(write_error)
    }

    /// A UUID of version 8, whose bits are the maker's own, of all that is in the package.
    pub(crate) fn identity(&self, name: &str, parameters: &[Parameter]) -> String {
        let mut hasher = self.hasher.clone();
        let texts = parameters.iter().flat_map(|parameter| [&*parameter.name, &*parameter.value]);
        for text in [name].into_iter().chain(texts) {
            hasher.update(widen(text.len()).to_le_bytes());
            hasher.update(text);
        }
        let hash = hasher.finalize();
        let mut bits = hash.iter().take(16).fold(0, |bits, &byte| bits << 8 | u128::from(byte));
        bits = bits & !(0xf << 76) | 0x8 << 76;
        bits = bits & !(0x3 << 62) | 0x2 << 62;
        let hex = format!("{bits:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        parts.map(|part| hex.get(part).unwrap_or_default().to_owned()).join("-")
    }

    /// Completes the archive. Without this, what was written is none.
    pub(crate) fn finish(self) -> Result<(), BuildError> {
        let Self { shutter: _shutter, zip, .. } = self;
        zip.finish().map(drop).map_err(|error| write_error(error.into()))
    }
}

fn write_error(source: io::Error) -> BuildError {
    BuildError::Write { source }
}
