//! The names of state files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fs::{Fs, FsEntry};

/// Generations above this are no names of ours: numbers in JSON are exact only so far.
const MAX_GENERATION: u64 = 1_000_000_000_000_000;

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Snapshot,
}

/// The state files of a directory.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) snapshots: BTreeMap<u64, PathBuf>,
    pub(super) journals: BTreeMap<u64, Journal>,
    /// What an interrupted write left.
    pub(super) unfinished: Vec<PathBuf>,
    /// The greatest generation that any file bears, whatever became of it.
    pub(super) newest: u64,
}

/// A journal in a directory.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) path: PathBuf,
    /// Whether an earlier load set it aside.
    pub(super) is_aside: bool,
}

/// The name of a file of one generation.
pub(super) fn file_name(kind: Kind, generation: u64) -> String {
    match kind {
        Kind::Journal => format!("journal-{generation:08}.jsonl"),
        Kind::Snapshot => format!("state-{generation:08}.json"),
    }
}

/// The path with something behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Sorts the files of a directory.
pub(super) fn sort(dir: &Path, entries: &[FsEntry]) -> Files {
    let mut files = Files::default();
    let mut aside = BTreeMap::new();
    for entry in entries {
        let Some((kind, generation, suffix)) = entry.name.to_str().and_then(parse) else {
            continue;
        };
        files.newest = files.newest.max(generation);
        let path = dir.join(&entry.name);
        match (kind, suffix) {
            (Kind::Journal, "") => {
                files.journals.insert(generation, Journal { path, is_aside: false });
            }
            (Kind::Snapshot, "") => {
                files.snapshots.insert(generation, path);
            }
            (_, ".tmp") => files.unfinished.push(path),
            (Kind::Journal, ".damaged") => {
                aside.insert(generation, path);
            }
            _ => {}
        }
    }
    // What was good of a journal that was set aside still counts.
    for (generation, path) in aside {
        files.journals.entry(generation).or_insert(Journal { path, is_aside: true });
    }
    files
}

/// Renames a file that cannot be used to a name that says so, and gives the name it has then.
pub(super) fn set_aside<F: Fs>(fs: &F, path: &Path) -> PathBuf {
    // More files of one name than this are not the work of damage.
    for number in 1..100 {
        let suffix = if number == 1 { ".damaged".to_owned() } else { format!(".damaged.{number}") };
        let aside = with_suffix(path, &suffix);
        match fs.rename(path, &aside) {
            Ok(()) => return aside,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot set a damaged file aside");
                break;
            }
        }
    }
    path.to_owned()
}

/// Kind, generation, and what follows the name of a good file.
fn parse(name: &str) -> Option<(Kind, u64, &str)> {
    let (kind, rest, extension) = if let Some(rest) = name.strip_prefix("state-") {
        (Kind::Snapshot, rest, ".json")
    } else {
        (Kind::Journal, name.strip_prefix("journal-")?, ".jsonl")
    };
    let (digits, rest) = rest.split_at_checked(rest.find('.')?)?;
    let suffix = rest.strip_prefix(extension)?;
    let generation = digits.parse().ok().filter(|number| (1..=MAX_GENERATION).contains(number))?;
    (file_name(kind, generation) == name.strip_suffix(suffix)?)
        .then_some((kind, generation, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for generation in [1, 12, 99_999_999, 100_000_000, MAX_GENERATION] {
            for kind in [Kind::Journal, Kind::Snapshot] {
                let name = file_name(kind, generation);
                assert_eq!(parse(&name), Some((kind, generation, "")));
                let unfinished = format!("{name}.tmp");
                assert_eq!(parse(&unfinished), Some((kind, generation, ".tmp")));
            }
        }
    }

    #[test]
    fn names_of_others_are_left_alone() {
        for name in [
            "",
            "lock",
            "state-.json",
            "state-1.json",
            "state-00000000.json",
            "state-0000000a.json",
            "state-+0000001.json",
            "state-00000001.jsonl.bak/..",
            "state-9999999999999999.json",
            "journal-00000001.json",
            "xstate-00000001.json",
        ] {
            let suffix = parse(name).map(|(_, _, suffix)| suffix);
            assert!(!matches!(suffix, Some("" | ".tmp" | ".damaged")), "{name}: {suffix:?}");
        }
    }
}
