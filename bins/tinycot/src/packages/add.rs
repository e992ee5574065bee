//! `add`: packages that go to the server.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};

use data_package::{Limits, PackageBuilder, inspect, is_data_package};

use super::args::{AddArgs, DescribeArgs};
use super::error::PackageError;
use super::hashing::Hashing;
use super::place::{Description, Place};
use super::row::size;
use super::{Variables, bar, complain, say, teams};
use crate::clock;
use crate::error::Failure;

/// The keyword that tells clients a data package from other files.
const KEYWORD: &str = "missionpackage";

/// Who uploads, where a device would give its uid.
const CREATOR: &str = "tinycot";

/// The tool of what users find in lists.
const PUBLIC: &str = "public";

/// The tool of what is for those who are told of it.
const PRIVATE: &str = "private";

/// Type of a data package.
const ZIP: &str = "application/x-zip-compressed";

/// Warnings of a package that are printed one by one.
const MAX_WARNINGS: usize = 5;

/// Runs `tinycot package add`.
pub(super) fn add(args: &AddArgs, variable: Variables<'_>) -> Result<(), Failure> {
    check_exists(&args.path)?;
    let place = Place::open(&args.place, variable)?;
    let teams = &args.describe.team;
    teams::warn(&place, teams);
    let mut content = Prepared::of(&args.path, &args.describe)?;
    let tool = match &args.tool {
        Some(tool) => tool.clone(),
        // What is there for the same teams remains what it is.
        None => {
            let found = place.entries(&content.hash()?)?;
            let same = found.into_iter().find(|row| row.is_for(teams));
            same.map_or_else(|| PUBLIC.to_owned(), |row| row.tool)
        }
    };
    content.upload(&place, &args.describe, &tool, teams).map(drop)
}

/// A file or folder that is to be shared with some only.
pub(super) struct Parcel {
    content: Prepared,
    /// The hash of what is uploaded.
    pub(super) hash: String,
}

impl Parcel {
    /// Makes a data package of what is none.
    pub(super) fn of(path: &Path, describe: &DescribeArgs) -> Result<Self, Failure> {
        check_exists(path)?;
        let mut content = Prepared::of(path, describe)?;
        let hash = content.hash()?;
        Ok(Self { content, hash })
    }

    /// Uploads it for these teams, or for everyone if there are none; lists do not show it.
    pub(super) fn upload(
        self,
        place: &Place,
        describe: &DescribeArgs,
        teams: &[String],
    ) -> Result<(), Failure> {
        self.content.upload(place, describe, PRIVATE, teams)
    }

    /// Says that nothing had to be uploaded.
    pub(super) fn say_shared(&self) -> Result<(), Failure> {
        let Self { content: Prepared { name, size: bytes, .. }, hash } = self;
        say(&format!("{hash} {name} ({}), there already", size(*bytes)))
    }
}

/// What is uploaded.
struct Prepared {
    file: File,
    size: u64,
    name: String,
    mime_type: &'static str,
}

impl Prepared {
    /// What there is at a path, as a data package.
    fn of(path: &Path, describe: &DescribeArgs) -> Result<Self, PackageError> {
        let is_empty = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
        if is_empty {
            return Err(PackageError::Empty { path: path.to_owned() });
        }
        prepare(path, describe)
    }

    /// The hash of all of it.
    fn hash(&mut self) -> Result<String, PackageError> {
        let mut hashing = Hashing::new(&self.file);
        let read = io::copy(&mut hashing, &mut io::sink());
        let hash = hashing.hash();
        read.and_then(|_| self.file.rewind())
            .map(|()| hash)
            .map_err(|source| PackageError::Unreadable { path: PathBuf::from(&self.name), source })
    }

    /// Stores it, and says so.
    fn upload(
        self,
        place: &Place,
        describe: &DescribeArgs,
        tool: &str,
        teams: &[String],
    ) -> Result<(), Failure> {
        let mut keywords = vec![KEYWORD.to_owned()];
        keywords.extend(describe.keywords.iter().filter(|word| *word != KEYWORD).cloned());
        let expires_ms = describe.expires.map(|after| {
            let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            clock::unix_ms().saturating_add(after_ms)
        });
        let description = Description {
            name: self.name,
            mime_type: self.mime_type,
            tool: tool.to_owned(),
            keywords,
            creator_uid: CREATOR,
            expires_ms,
            teams: teams.to_vec(),
        };

        let bar = bar::transfer("uploading", &description.name, self.size);
        let mut hashing = Hashing::new(self.file);
        let added = place.add(bar.wrap_read(&mut hashing), self.size, &description);
        bar.finish_and_clear();
        let hash = added?.to_ascii_lowercase();
        let sent = hashing.hash();
        if hash != sent {
            return Err(PackageError::Damaged { hash: sent }.into());
        }
        let audience = match description.teams.as_slice() {
            [] => "everyone".to_owned(),
            teams => teams.join(", "),
        };
        say(&format!("{hash} {} ({}), for {audience}", description.name, size(self.size)))
    }
}

/// Makes a data package of what is none, in a temporary file.
fn prepare(path: &Path, describe: &DescribeArgs) -> Result<Prepared, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    let name = describe.name.clone().unwrap_or_else(|| file_name(path));
    if describe.as_is {
        let file = File::open(path).map_err(unreadable)?;
        let size = length(&file, path)?;
        let is_zip = ends_with(&name, &[".zip", ".dpk"]);
        let mime_type = if is_zip { ZIP } else { "application/octet-stream" };
        return Ok(Prepared { file, size, name, mime_type });
    }
    let file = if path.is_dir() { None } else { Some(File::open(path).map_err(unreadable)?) };
    let file = match file.filter(|file| is_data_package(file)) {
        Some(mut file) => {
            warn(&file);
            file.rewind().map_err(unreadable)?;
            file
        }
        None => build(path, &name)?,
    };
    let size = length(&file, path)?;
    let name = if ends_with(&name, &[".zip", ".dpk"]) { name } else { name + ".zip" };
    Ok(Prepared { file, size, name, mime_type: ZIP })
}

fn build(path: &Path, name: &str) -> Result<File, PackageError> {
    let failed = |source| PackageError::Build { path: path.to_owned(), source };
    let temporary = |source| PackageError::Unwritable { path: std::env::temp_dir(), source };
    let mut builder = PackageBuilder::new(name);
    // Imported at once, and kept in the list of packages.
    builder.parameter("onReceiveImport", "true").parameter("onReceiveDelete", "false");
    if path.is_dir() {
        builder.add_folder(path).map_err(failed)?;
    } else {
        builder.add_file(path, file_name(path)).map_err(failed)?;
    }
    let mut file = tempfile::tempfile().map_err(temporary)?;
    let bar = bar::packing(name);
    let built = builder.write(bar.wrap_write(BufWriter::new(&file)));
    bar.finish_and_clear();
    built.map_err(failed)?;
    file.rewind().map_err(temporary)?;
    Ok(file)
}

/// Says what is odd about a package that somebody else made.
fn warn(file: &File) {
    let Ok(found) = inspect(BufReader::new(file), &Limits::default()) else { return };
    for warning in found.warnings.iter().take(MAX_WARNINGS) {
        complain(&format!("warning: {warning}"));
    }
    if let more @ 1.. = found.warnings.len().saturating_sub(MAX_WARNINGS) {
        complain(&format!("warning: and {more} more; `tinycot package show` lists them"));
    }
}

fn check_exists(path: &Path) -> Result<(), PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    let kind = fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() || kind.is_file() {
        return Ok(());
    }
    Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder")))
}

fn length(file: &File, path: &Path) -> Result<u64, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() {
        return Ok(meta.len());
    }
    Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "not a file")))
}

/// The last part of a path, also of `.`.
fn file_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    let name = path.file_name().or_else(|| full.file_name()).unwrap_or_default();
    match name.to_string_lossy() {
        name if name.is_empty() => "package".to_owned(),
        name => name.into_owned(),
    }
}

fn ends_with(name: &str, endings: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}
