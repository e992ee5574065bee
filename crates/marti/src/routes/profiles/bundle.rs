//! The zip archive of a profile.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use data_package::{BuildError, PackageBuilder, is_data_package};
use store::packages::{ContentHash, DataPackage, PackageStore, Viewer};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tracing::{error, warn};

use crate::Body;
use crate::budget::{Room, share};
use crate::error::ApiError;

/// Largest profile: every device takes it over whatever link it has. Bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Longest name of a file in it. Characters.
const MAX_NAME: usize = 100;

/// The profile that was made last: when a server comes up all its devices ask for the same one.
///
/// One is made at a time, so that the memory of making them does not grow with those who ask.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    last: Mutex<Option<Made>>,
}

#[derive(Debug)]
struct Made {
    of: Vec<(ContentHash, String)>,
    zip: Bytes,
    /// Counts it, once for all who read it, as long as anybody does.
    room: Weak<Room>,
}

impl Made {
    /// The archive for a reader; `None` if it is empty.
    fn lend(&mut self, new_room: Room) -> Result<Option<Body>, ApiError> {
        let len = self.zip.len();
        if len == 0 {
            return Ok(None);
        }
        let room = match self.room.upgrade() {
            Some(room) => room,
            None => {
                let mut room = new_room;
                if !room.grow(len) {
                    return Err(ApiError::too_much());
                }
                Arc::new(room)
            }
        };
        self.room = Arc::downgrade(&room);
        let zip = share(self.zip.clone(), room);
        Ok(Some(Body::parts(len as u64, std::iter::once(zip))))
    }
}

/// A file of a profile.
struct File {
    name: String,
    bytes: Vec<u8>,
}

impl Shared {
    /// The archive of these packages, the most important first; `None` if there is nothing.
    ///
    /// A data package alone is its own archive. Others, and files that are none, become contents of
    /// a data package that devices unpack and do not keep.
    pub(super) async fn make<P: PackageStore>(
        &self,
        store: &P,
        viewer: &Viewer,
        packages: Vec<DataPackage>,
        name: String,
        room: Room,
    ) -> Result<Option<Body>, ApiError> {
        let mut left = MAX_BYTES;
        let (packages, too_large): (Vec<_>, Vec<_>) = packages.into_iter().partition(|package| {
            let fits = package.size <= left;
            left -= if fits { package.size } else { 0 };
            fits
        });
        if packages.is_empty() && too_large.is_empty() {
            return Ok(None);
        }
        let of: Vec<_> =
            packages.iter().map(|package| (package.hash, package.filename.clone())).collect();
        let mut last = self.last.lock().await;
        if let Some(made) = last.as_mut().filter(|made| made.of == of) {
            return made.lend(room);
        }
        for package in too_large {
            warn!(hash = %package.hash, bytes = package.size, "left out: profiles have at most 16 MiB");
        }
        let mut files = Vec::new();
        for package in packages {
            files.extend(read(store, viewer, &package).await);
        }
        let is_whole = files.len() == of.len();
        let zip = match files.is_empty() {
            true => Bytes::new(),
            false => {
                let made = tokio::task::spawn_blocking(move || bundle(files, name)).await;
                let made = made.map_err(|error| failed(&error))?;
                made.map_err(|error| failed(&error))?
            }
        };
        let mut made = Made { of, zip, room: Weak::new() };
        let lent = made.lend(room);
        // What could not be read may be back in a moment.
        *last = is_whole.then_some(made);
        lent
    }
}

/// A package's content; `None` if it went away meanwhile, or cannot be read.
async fn read<P: PackageStore>(store: &P, viewer: &Viewer, package: &DataPackage) -> Option<File> {
    let attempt = async {
        let (_, content) = store.open(package.hash, viewer).await?;
        let mut bytes = Vec::new();
        content.take(MAX_BYTES).read_to_end(&mut bytes).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bytes)
    };
    match attempt.await {
        Ok(bytes) => Some(File { name: package.filename.clone(), bytes }),
        Err(error) => {
            warn!(hash = %package.hash, error = &*error, "left out of a profile");
            None
        }
    }
}

/// Puts files into an archive, or takes the only one that is such an archive.
fn bundle(mut files: Vec<File>, name: String) -> Result<Bytes, BuildError> {
    if let [only] = files.as_mut_slice()
        && is_data_package(Cursor::new(only.bytes.as_slice()))
    {
        return Ok(std::mem::take(&mut only.bytes).into());
    }
    let mut builder = PackageBuilder::new(name);
    builder.parameter("onReceiveImport", "true").parameter("onReceiveDelete", "true");
    let mut taken = BTreeSet::new();
    for (place, file) in files.into_iter().enumerate() {
        let mut entry = plain(&file.name);
        if !taken.insert(entry.to_lowercase()) {
            // Devices go by the ending.
            entry = format!("{}-{entry}", place + 1);
        }
        builder.add_reader(entry, Cursor::new(file.bytes))?;
    }
    let mut archive = Cursor::new(Vec::new());
    builder.write(&mut archive)?;
    Ok(archive.into_inner().into())
}

/// A name that is no path on any device: letters, digits, `-`, `_`, `.` and spaces; its end, where
/// it is too long.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.');
    let kept: Vec<char> = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let from = kept.len().saturating_sub(MAX_NAME);
    let end: String = kept.iter().skip(from).collect();
    let end = end.trim_matches([' ', '.']);
    if end.is_empty() { "file".to_owned() } else { end.to_owned() }
}

fn failed(error: &dyn std::error::Error) -> ApiError {
    error!(error = %error, "a profile cannot be made");
    ApiError::Internal("the profile cannot be made; the server's log says why".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        assert_eq!(plain("defaults.pref"), "defaults.pref");
        assert_eq!(plain("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(plain("C:\\x.pref"), "C__x.pref");
        assert_eq!(plain("..."), "file");
        assert_eq!(plain("\u{202e}ferp.x"), "_ferp.x");
        assert!(plain(&format!("{}.pref", "ä".repeat(500))).ends_with("ä.pref"));
    }

    #[test]
    fn k28_files_become_one_package_and_a_package_alone_stays_as_it_is() {
        let file = |name: &str, text: &str| File { name: name.to_owned(), bytes: text.into() };
        let files = vec![file("a.pref", "one"), file("A.pref", "two"), file("../b", "three")];
        let zip = bundle(files, "Test profile".to_owned()).unwrap();
        let limits = data_package::Limits::default();
        let inside = data_package::inspect(Cursor::new(&zip), &limits).unwrap();
        let names: Vec<_> = inside.entries.iter().map(|entry| &*entry.name).collect();
        assert!(names.contains(&"a.pref") && names.contains(&"2-A.pref"), "{names:?}");
        let manifest = inside.manifest.unwrap();
        assert_eq!(manifest.name(), Some("Test profile"));
        assert_eq!(manifest.parameter("onReceiveImport"), Some("true"));
        assert!(inside.warnings.is_empty(), "{:?}", inside.warnings);

        let alone = vec![File { name: "p.zip".to_owned(), bytes: zip.to_vec() }];
        assert_eq!(bundle(alone, "Another".to_owned()).unwrap(), zip);
    }
}
