//! The file that feeds are kept in: `{"version":1,"feeds":[…]}`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::registry::Row;

/// Largest file that is read. What is written is smaller. Bytes.
const MAX_BYTES: u64 = 4 << 20;

/// The only form there is so far.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    feeds: Vec<&'a Row>,
}

#[derive(Deserialize)]
struct Stored {
    version: u32,
    feeds: Vec<Row>,
}

/// Feeds as the file has them.
pub(super) fn encode<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<u8> {
    let written = Written { version: VERSION, feeds: rows.collect() };
    serde_json::to_vec(&written).expect("feeds are texts and numbers")
}

/// The feeds of a file. One that cannot be understood is set aside, so that nothing is lost, and the
/// server starts without feeds.
pub(super) fn load(path: &Path) -> Vec<Row> {
    match read(path) {
        Ok(feeds) => feeds,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let aside = beside(path, "damaged");
            match fs::rename(path, &aside) {
                Ok(()) => warn!(%error, aside = %aside.display(), "video feeds: set aside"),
                Err(_) => warn!(%error, path = %path.display(), "video feeds cannot be read"),
            }
            Vec::new()
        }
    }
}

/// Puts a new file in the place of the former, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, "tmp");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // There may be passwords of cameras in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let dir =
        path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(dir)?.sync_all()
}

fn read(path: &Path) -> io::Result<Vec<Row>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    let file: Stored = serde_json::from_slice(&text)?;
    if file.version != VERSION {
        let text = format!("version {} is not known", file.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(file.feeds)
}

/// `feeds.json` becomes `feeds.json.tmp`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feeds.json");
        assert!(load(&path).is_empty(), "there is none yet");
        for damaged in ["", "{\"version\":1,\"feeds\":[{", "{\"version\":2,\"feeds\":[]}", "\u{0}"]
        {
            fs::write(&path, damaged).unwrap();
            assert!(load(&path).is_empty());
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(beside(&path, "damaged")).unwrap(), damaged);
        }
        replace(&path, &encode([].into_iter())).unwrap();
        replace(&path, &encode([].into_iter())).unwrap();
        assert!(load(&path).is_empty());
        assert!(path.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
