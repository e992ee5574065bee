//! `get` and `export`: packages that become files.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::args::{ExportArgs, GetArgs};
use super::error::PackageError;
use super::hashing::Hashing;
use super::names::{Selector, file_name, with_mark};
use super::place::Place;
use super::row::{DAMAGED, Row, newest, size};
use super::unfinished::Unfinished;
use super::{Variables, bar, complain, say};
use crate::error::{Failure, chain};

/// Size of a copy step. Bytes.
const CHUNK: usize = 64 << 10;

/// Digits of the hash in the names of files that would have the same one.
const MARK_DIGITS: usize = 8;

/// Runs `tinycot package get`.
pub(super) fn get(args: &GetArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let selector = Selector::parse(&args.hash)?;
    let place = Place::open(&args.place, variable)?;
    let rows = place.list(None)?;
    let row = selector.pick(&rows)?;
    let path = match &args.out {
        Some(path) if path == Path::new("-") => return print(&place, row),
        None => PathBuf::from(name(row)),
        Some(dir) if dir.is_dir() => dir.join(name(row)),
        Some(dir) if dir.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            let source = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
            return Err(PackageError::Unwritable { path: dir.clone(), source }.into());
        }
        Some(path) => path.clone(),
    };
    let way_out = "choose another name with --out, or replace it with --force";
    write(&place, row, &path, args.force, way_out)?;
    say(&format!("{} ({}) is written to {}", row.short_hash(), size(row.size), path.display()))
}

/// Runs `tinycot package export`.
pub(super) fn export(args: &ExportArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let unwritable = |source| PackageError::Unwritable { path: args.dir.clone(), source };
    let place = Place::open(&args.place, variable)?;
    if args.dir.is_file() {
        let source = io::Error::new(io::ErrorKind::NotADirectory, "it is a file; name a folder");
        return Err(unwritable(source).into());
    }
    let rows = place.list(None)?;
    // Whoever it is for, a content is one file.
    let rows: Vec<_> = newest(&rows).collect();
    fs::create_dir_all(&args.dir).map_err(unwritable)?;
    let (mut written, mut failed) = (0, 0);
    for (row, name) in rows.iter().zip(distinct_names(&rows)) {
        let path = args.dir.join(name);
        if is_there(&path, row) {
            continue;
        }
        if row.is_damaged {
            failed += 1;
            complain(&format!("{} {}: {DAMAGED}", row.hash, row.name));
            continue;
        }
        let way_out = "move it away, or replace it with --force";
        match write(&place, row, &path, args.force, way_out) {
            Ok(()) => written += 1,
            // Without the server there is no next one.
            Err(error @ (PackageError::NoServer { .. } | PackageError::Lost { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                failed += 1;
                complain(&format!("{} {}: {}", row.hash, row.name, chain(&error)));
            }
        }
    }
    let total = rows.len();
    let there = total - written - failed;
    let packages = if written == 1 { "package" } else { "packages" };
    let were = if there == 1 { "was" } else { "were" };
    say(&format!("{written} {packages} written to {}, {there} {were} there", args.dir.display()))?;
    if failed > 0 {
        return Err(PackageError::Partial { failed, total }.into());
    }
    Ok(())
}

/// Fetches a package, and prints it only when it is whole and what it should be.
fn print(place: &Place, row: &Row) -> Result<(), Failure> {
    let unwritable = |source| PackageError::Unwritable { path: std::env::temp_dir(), source };
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    fetch(place, row, &std::env::temp_dir(), &mut file)?;
    file.rewind().map_err(unwritable)?;
    let mut stdout = io::stdout().lock();
    match io::copy(&mut file, &mut stdout).and_then(|_| stdout.flush()) {
        Ok(()) => Ok(()),
        // Who reads may have seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => {
            Err(PackageError::Unwritable { path: "standard output".into(), source }.into())
        }
    }
}

/// Fetches a package, and gives it its name only when it is whole and what it should be. `way_out`
/// is said where there is a file of this name.
fn write(
    place: &Place,
    row: &Row,
    path: &Path,
    force: bool,
    way_out: &'static str,
) -> Result<(), PackageError> {
    let unwritable = |source| PackageError::Unwritable { path: path.to_owned(), source };
    if !force && path.symlink_metadata().is_ok() {
        return Err(PackageError::Exists { path: path.to_owned(), way_out });
    }
    // A device, a pipe or a directory would be gone for whoever else uses it.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(unwritable(io::Error::other("what is there is no file, and is not replaced")));
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tinycot-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let unfinished = Unfinished::begin();
    let mut file =
        builder.tempfile_in(dir.unwrap_or_else(|| Path::new("."))).map_err(unwritable)?;
    unfinished.name(file.path());

    fetch(place, row, path, file.as_file_mut())?;
    file.as_file().sync_all().map_err(unwritable)?;
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    named.map(drop).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => PackageError::Exists { path: path.to_owned(), way_out },
        _ => unwritable(error.error),
    })
}

/// Writes the content of a package to a file, which errors call `path`.
fn fetch(place: &Place, row: &Row, path: &Path, file: &mut File) -> Result<(), PackageError> {
    let unwritable = |source| PackageError::Unwritable { path: path.to_owned(), source };
    let mut content = Hashing::new(place.content(row)?);
    let bar = bar::transfer("fetching", &row.name, row.size);
    let mut buf = vec![0; CHUNK];
    loop {
        let read = match content.read(&mut buf) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(content.reader().lost(path, error)),
        };
        let chunk = buf.get(..read).unwrap_or_default();
        file.write_all(chunk).map_err(unwritable)?;
        bar.inc(u64::try_from(read).unwrap_or(u64::MAX));
    }
    bar.finish_and_clear();
    if content.hash() != row.hash {
        return Err(PackageError::Damaged { hash: row.hash.clone() });
    }
    Ok(())
}

/// Whether the file is this package already.
fn is_there(path: &Path, row: &Row) -> bool {
    let same = || {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() || file.metadata()?.len() != row.size {
            return Ok(false);
        }
        let mut hashing = Hashing::new(file);
        io::copy(&mut hashing, &mut io::sink())?;
        Ok::<_, io::Error>(hashing.hash() == row.hash)
    };
    same().unwrap_or(false)
}

/// The name of the file that a package becomes.
fn name(row: &Row) -> String {
    let given = if row.name.is_empty() { &row.filename } else { &row.name };
    file_name(given)
}

/// A name for each, no two of which are the same on any system, and the same the next time.
fn distinct_names(rows: &[&Row]) -> Vec<String> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for row in rows {
        *uses.entry(name(row).to_lowercase()).or_default() += 1;
    }
    let mark = |row: &Row, name: String| {
        with_mark(&name, row.hash.get(..MARK_DIGITS).unwrap_or(&row.hash))
    };
    let names = rows.iter().map(|row| match name(row) {
        name if uses.get(&name.to_lowercase()).is_some_and(|uses| *uses > 1) => mark(row, name),
        name => name,
    });
    // A name may look as if it had a mark already; then the whole hash tells them apart.
    let mut taken = std::collections::HashSet::new();
    names
        .zip(rows)
        .map(|(name, row)| {
            let is_free = taken.insert(name.to_lowercase());
            if is_free { name } else { with_mark(&name, &row.hash) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_same_name_become_different_files() {
        let row = |name: &str, digit: &str| Row {
            name: name.to_owned(),
            hash: digit.repeat(64),
            ..Row::default()
        };
        let rows = [
            row("a.zip", "1"),
            row("A.zip", "2"),
            row("b.zip", "3"),
            row("../b.zip", "4"),
            row("a-11111111.zip", "5"),
        ];
        let long = format!("a-11111111-{}.zip", "5".repeat(64));
        assert_eq!(
            distinct_names(&rows.iter().collect::<Vec<_>>()),
            ["a-11111111.zip", "A-22222222.zip", "b.zip", "_._b.zip", &long]
        );
    }
}
