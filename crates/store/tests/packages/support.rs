use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::StoreError;
use store::fs::Fs;
use store::packages::{
    Audience, ContentHash, PackageFilter, PackageStore, PackagesConfig, SqlitePackages, Upload,
    Viewer,
};
use tokio::io::AsyncReadExt;

pub(crate) const ALL: Viewer = Viewer::Everything;

pub(crate) fn config() -> PackagesConfig {
    let mut config = PackagesConfig::default();
    config.min_free_bytes = 0;
    config.ballast_bytes = 0;
    config
}

pub(crate) fn upload(name: &str) -> Upload {
    Upload::new(name, Audience::groups(["Cyan"]))
}

/// Bytes that differ for each seed.
pub(crate) fn bytes(seed: u8, len: usize) -> Vec<u8> {
    (0..251_u8).cycle().take(len).map(|byte| byte ^ seed).collect()
}

/// Opens a store, waiting for one that is going.
pub(crate) async fn open(dir: &Path) -> SqlitePackages {
    open_with(dir, config()).await
}

/// The same, with other settings.
pub(crate) async fn open_with(dir: impl AsRef<Path>, config: PackagesConfig) -> SqlitePackages {
    until(async || unlocked(SqlitePackages::open(dir.as_ref(), config.clone()).await)).await
}

/// The same, on another file system.
pub(crate) async fn open_on<F: Fs + Clone>(dir: &Path, fs: &F) -> SqlitePackages {
    until(async || unlocked(SqlitePackages::open_with_fs(dir, config(), fs.clone()).await)).await
}

fn unlocked(opened: Result<SqlitePackages, StoreError>) -> Option<SqlitePackages> {
    match opened {
        Err(StoreError::Locked { .. }) => None,
        opened => Some(opened.unwrap()),
    }
}

/// Waits until something is so.
pub(crate) async fn until<T>(mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(value) = check().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it ends by itself")
}

/// The files below a directory, sorted.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

pub(crate) fn blobs(dir: &Path) -> Vec<PathBuf> {
    files(&dir.join("blobs"))
}

/// Reads a package whole, and checks that it is what its name says.
pub(crate) async fn read(store: &SqlitePackages, hash: ContentHash) -> Result<Vec<u8>, StoreError> {
    let (package, mut content) = store.open(hash, &ALL).await?;
    let mut read = Vec::new();
    content.read_to_end(&mut read).await.unwrap();
    assert_eq!(package.size, read.len() as u64);
    assert_eq!(sha256(&read), hash, "wrong bytes are served");
    Ok(read)
}

pub(crate) fn sha256(bytes: &[u8]) -> ContentHash {
    use sha2::Digest;
    ContentHash::from_bytes(sha2::Sha256::digest(bytes).into())
}

pub(crate) async fn names(store: &SqlitePackages) -> Vec<String> {
    let found = store.list(&PackageFilter::new(ALL)).await.unwrap();
    found.into_iter().map(|package| package.name).collect()
}
