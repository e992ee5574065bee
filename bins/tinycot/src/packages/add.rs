//! `add` and `push`: packages that go to the server.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};

use data_package::{Limits, PackageBuilder, inspect, is_data_package};

use super::args::{AddArgs, DescribeArgs, PushArgs, Tool};
use super::error::PackageError;
use super::hashing::Hashing;
use super::names::Selector;
use super::place::{Description, Place};
use super::row::size;
use super::{Variables, bar, complain, say};
use crate::clock;
use crate::error::Failure;

/// The keyword that tells clients a data package from other files.
const KEYWORD: &str = "missionpackage";

/// Who uploads, where a device would give its uid.
const CREATOR: &str = "tinycot";

/// Type of a data package.
const ZIP: &str = "application/x-zip-compressed";

/// Warnings of a package that are printed one by one.
const MAX_WARNINGS: usize = 5;

/// Runs `tinycot package add`.
pub(super) fn add(args: &AddArgs, variable: Variables<'_>) -> Result<(), Failure> {
    check_exists(&args.path)?;
    let place = Place::open(&args.place, variable)?;
    upload(&place, &args.path, &args.describe, args.tool).map(drop)
}

/// Runs `tinycot package push`.
pub(super) fn push(args: &PushArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let is_path = args.what.symlink_metadata().is_ok();
    let selector = match args.what.to_str().map(Selector::parse) {
        Some(Ok(selector)) if !is_path => Some(selector),
        _ => None,
    };
    if selector.is_none() {
        check_exists(&args.what)?;
    }
    let place = Place::open(&args.place, variable)?;
    let server = place.server()?;
    let hash = match selector {
        Some(selector) => selector.pick(&place.list(None)?)?.hash.clone(),
        // It is for who gets it, not for lists.
        None => upload(&place, &args.what, &args.describe, Tool::Private)?,
    };
    for callsign in &args.to {
        let sent = server.push(&hash, callsign)?;
        say(&match (sent.sent, sent.held) {
            (0, 0) => format!("nobody called {callsign} could be told"),
            (0, _) => format!("{callsign} is away, and gets it on their return"),
            (_, _) => format!("sent to {callsign}"),
        })?;
    }
    Ok(())
}

/// Stores a file or folder, and gives its hash.
fn upload(
    place: &Place,
    path: &Path,
    describe: &DescribeArgs,
    tool: Tool,
) -> Result<String, Failure> {
    let content = prepare(path, describe)?;
    let mut keywords = vec![KEYWORD.to_owned()];
    keywords.extend(describe.keywords.iter().filter(|word| *word != KEYWORD).cloned());
    let expires_ms = describe.expires.map(|after| {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        clock::unix_ms().saturating_add(after_ms)
    });
    let description = Description {
        name: content.name,
        mime_type: content.mime_type,
        tool: tool.name(),
        keywords,
        creator_uid: CREATOR,
        expires_ms,
        teams: describe.team.clone(),
    };

    let bar = bar::transfer("uploading", &description.name, content.size);
    let mut hashing = Hashing::new(content.file);
    let added = place.add(bar.wrap_read(&mut hashing), content.size, &description);
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
    say(&format!("{hash} {} ({}), for {audience}", description.name, size(content.size)))?;
    Ok(hash)
}

/// What is uploaded.
struct Prepared {
    file: File,
    size: u64,
    name: String,
    mime_type: &'static str,
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
