//! The files of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::widen;
use crate::entry_name::{self, visible};
use crate::{BuildError, NameProblem};

/// Folders in each other; more is a mistake.
const MAX_DEPTH: usize = 64;

/// The files in a folder and in the folders within, with the names of their entries.
///
/// Symbolic links are followed where they lead to something in the same folder.
pub(crate) fn files(root: &Path, max_files: u32) -> Result<Vec<(String, PathBuf)>, BuildError> {
    let real_root = fs::canonicalize(root).map_err(unreadable(root))?;
    let mut found = Vec::new();
    // With each folder go those that it is in: a link to one of them has no end.
    let mut open = vec![(String::new(), root.to_owned(), vec![real_root.clone()])];
    while let Some((prefix, folder, within)) = open.pop() {
        if within.len() > MAX_DEPTH {
            let limit = widen(MAX_DEPTH);
            return Err(BuildError::Limit { what: "folders in each other", limit });
        }
        for item in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let path = item.map_err(unreadable(&folder))?.path();
            let name = format!("{prefix}{}", name(&path)?);
            if path.is_symlink() {
                let target = fs::canonicalize(&path).map_err(unreadable(&path))?;
                if !target.starts_with(&real_root) {
                    return Err(BuildError::SymlinkOut { path });
                }
            }
            let kind = fs::metadata(&path).map_err(unreadable(&path))?;
            if kind.is_dir() {
                let real = fs::canonicalize(&path).map_err(unreadable(&path))?;
                if within.contains(&real) {
                    return Err(BuildError::SymlinkLoop { path });
                }
                let within = within.iter().cloned().chain([real]).collect();
                open.push((name + "/", path, within));
            } else if kind.is_file() {
                found.push((name, path));
            } else {
                return Err(BuildError::Special { path });
            }
            // Folders count, too: links from one to the next multiply.
            if found.len() + open.len() > usize::try_from(max_files).unwrap_or(usize::MAX) {
                return Err(BuildError::Limit { what: "files", limit: max_files.into() });
            }
        }
    }
    Ok(found)
}

/// Opens nothing but files: a pipe would be waited for.
pub(crate) fn check_is_file(path: &Path) -> Result<(), BuildError> {
    let kind = fs::metadata(path).map_err(unreadable(path))?;
    if kind.is_file() { Ok(()) } else { Err(BuildError::Special { path: path.to_owned() }) }
}

/// What is wrong with the name of an entry that is to be built is an error.
pub(crate) fn check_name(name: &str) -> Result<(), BuildError> {
    match entry_name::problems(name).next() {
        Some(problem) => Err(BuildError::Name { name: visible(name), problem }),
        // A name with a slash at the end is a folder to its receivers.
        None if name.ends_with('/') => {
            Err(BuildError::Name { name: name.to_owned(), problem: NameProblem::Empty })
        }
        None => Ok(()),
    }
}

fn name(path: &Path) -> Result<String, BuildError> {
    let name = path.file_name().unwrap_or_default();
    name.to_str().map(ToOwned::to_owned).ok_or_else(|| BuildError::Name {
        name: visible(&name.to_string_lossy()),
        problem: NameProblem::NotUtf8,
    })
}

pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Unreadable { path, source }
}
