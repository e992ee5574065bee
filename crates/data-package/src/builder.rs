//! Building a data package.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::directory::widen;
use crate::entry_name::{is_hidden, visible};
use crate::folder;
use crate::writer::PackageWriter;
use crate::{BuildError, Content, Limits, MANIFEST_NAME, Manifest, Parameter};

/// Bytes of a directory entry besides its name.
const HEADER_LEN: u64 = 46;

/// Builds a data package of files, folders, and whatever can be read.
///
/// The same names, contents and parameters give the same bytes, and so the same SHA-256: entries are
/// sorted, their times are fixed, and the uid is derived from them unless one is given.
///
/// ```
/// use std::io::Cursor;
///
/// use data_package::{Limits, PackageBuilder, inspect};
///
/// let mut builder = PackageBuilder::new("Recon");
/// builder.parameter("onReceiveImport", "true");
/// builder.add_reader("notes/contact.txt", &b"two vehicles"[..])?;
///
/// let mut archive = Cursor::new(Vec::new());
/// let built = builder.write(&mut archive)?;
/// assert_eq!(built.manifest.name(), Some("Recon"));
///
/// let inspection = inspect(&mut archive, &Limits::default())?;
/// assert_eq!(inspection.manifest, Some(built.manifest));
/// assert!(inspection.warnings.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PackageBuilder<'a> {
    name: String,
    uid: Option<String>,
    parameters: Vec<Parameter>,
    limits: Limits,
    sources: BTreeMap<String, Source<'a>>,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// What the data package says of itself.
    pub manifest: Manifest,
    /// Files in it, without the manifest.
    pub files: usize,
    /// Size of these files. Bytes.
    pub expanded_bytes: u64,
}

enum Source<'a> {
    File(PathBuf),
    Reader(Box<dyn Read + 'a>),
}

impl<'a> PackageBuilder<'a> {
    /// Begins a data package with the name that users will see.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uid: None,
            parameters: Vec::new(),
            limits: Limits::default(),
            sources: BTreeMap::new(),
        }
    }

    /// Gives it an identity. Receivers may take two data packages with the same uid for two versions
    /// of one. Defaults to one that is derived from the contents.
    pub fn uid(&mut self, uid: impl Into<String>) -> &mut Self {
        self.uid = Some(uid.into());
        self
    }

    /// Adds a parameter to the manifest: `onReceiveImport` and `onReceiveDelete` say what the
    /// receiver does with it.
    pub fn parameter(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.parameters.push(Parameter::new(name, value));
        self
    }

    /// Bounds what is built.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// Adds a file under the name of an entry, such as `maps/north.kml`. It is read when the package
    /// is written.
    ///
    /// # Errors
    ///
    /// What is no file; a name that is bad or there already.
    pub fn add_file(
        &mut self,
        path: impl AsRef<Path>,
        entry: impl Into<String>,
    ) -> Result<&mut Self, BuildError> {
        folder::check_is_file(path.as_ref())?;
        self.add(entry.into(), Source::File(path.as_ref().to_owned()))
    }

    /// Adds whatever is read under the name of an entry.
    ///
    /// # Errors
    ///
    /// A name that is bad or there already.
    pub fn add_reader(
        &mut self,
        entry: impl Into<String>,
        reader: impl Read + 'a,
    ) -> Result<&mut Self, BuildError> {
        self.add(entry.into(), Source::Reader(Box::new(reader)))
    }

    /// Adds the files of a folder and of those in it, named by their paths from it.
    ///
    /// A folder with a `MANIFEST/manifest.xml` keeps this manifest, and the name, the uid and the
    /// parameters given here do not count. Symbolic links are followed within the folder.
    ///
    /// # Errors
    ///
    /// What cannot be read; links that lead out; files that are none; names that are bad or there
    /// already; more files than the limits allow.
    pub fn add_folder(&mut self, path: impl AsRef<Path>) -> Result<&mut Self, BuildError> {
        for (name, path) in folder::files(path.as_ref(), self.limits.max_entries)? {
            self.add(name, Source::File(path))?;
        }
        Ok(self)
    }

    fn add(&mut self, name: String, source: Source<'a>) -> Result<&mut Self, BuildError> {
        folder::check_name(&name)?;
        if self.sources.contains_key(&name) {
            return Err(BuildError::Duplicate { name });
        }
        self.sources.insert(name, source);
        Ok(self)
    }

    /// Writes the data package. Its memory is bounded, whatever the size.
    ///
    /// # Errors
    ///
    /// What cannot be read or written; more than the limits allow; a manifest of a folder that is
    /// none, or names what is not there. What was written until then is no data package.
    pub fn write(self, out: impl Write + Seek) -> Result<Built, BuildError> {
        self.check()?;
        let mut writer = PackageWriter::new(out, self.limits.clone());
        let built = self.fill(&mut writer)?;
        writer.finish()?;
        Ok(built)
    }

    fn fill<W: Write + Seek>(mut self, writer: &mut PackageWriter<W>) -> Result<Built, BuildError> {
        let kept = match self.sources.remove(MANIFEST_NAME) {
            Some(source) => {
                let (reader, path) = source.open(MANIFEST_NAME)?;
                let is_there = |name: &str| self.sources.contains_key(name);
                Some(writer.keep_manifest(reader, &path, is_there)?)
            }
            None => None,
        };
        let files = self.sources.len();
        let mut manifest = Manifest::default();
        for (name, source) in self.sources {
            let (reader, path) = source.open(&name)?;
            writer.copy(&name, reader, &path)?;
            manifest.contents.push(Content::new(name));
        }
        let expanded_bytes = writer.expanded_bytes();
        if let Some(manifest) = kept {
            return Ok(Built { manifest, files, expanded_bytes });
        }
        let uid = self.uid.unwrap_or_else(|| writer.identity(&self.name, &self.parameters));
        manifest.parameters = vec![Parameter::new("uid", uid), Parameter::new("name", self.name)];
        manifest.parameters.append(&mut self.parameters);
        writer.write_manifest(&manifest)?;
        Ok(Built { manifest, files, expanded_bytes })
    }

    /// Checks what can be known before anything is written.
    fn check(&self) -> Result<(), BuildError> {
        let Limits { max_entries, max_directory_bytes, .. } = self.limits;
        let names = || self.sources.keys().filter(|name| *name != MANIFEST_NAME);
        // The manifest is an entry, too.
        if widen(names().count()) >= u64::from(max_entries) {
            return Err(BuildError::Limit { what: "files", limit: max_entries.into() });
        }
        let lens = names().map(String::len).chain([MANIFEST_NAME.len()]);
        if lens.fold(0, |sum, len| sum + HEADER_LEN + widen(len)) > max_directory_bytes {
            return Err(BuildError::Limit { what: "bytes of names", limit: max_directory_bytes });
        }
        if names().next().is_none() {
            return Err(BuildError::Empty);
        }
        let check = |what, text: &str| match text.contains(is_hidden) {
            true => Err(BuildError::Text { what, text: visible(text) }),
            false => Ok(()),
        };
        check("name", &self.name)?;
        check("uid", self.uid.as_deref().unwrap_or_default())?;
        self.parameters.iter().try_for_each(|Parameter { name, value }| {
            check("parameter", name)?;
            check("parameter", value)
        })
    }
}

impl fmt::Debug for PackageBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackageBuilder")
            .field("name", &self.name)
            .field("files", &self.sources.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Source<'a> {
    /// What to read, and how to call it.
    fn open(self, entry: &str) -> Result<(Box<dyn Read + 'a>, PathBuf), BuildError> {
        Ok(match self {
            Self::File(path) => {
                let file = File::open(&path).map_err(folder::unreadable(&path))?;
                (Box::new(file), path)
            }
            Self::Reader(reader) => (reader, entry.into()),
        })
    }
}
