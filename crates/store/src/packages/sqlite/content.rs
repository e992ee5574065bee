//! Contents that are read.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

use super::detached::blocking;
use super::rows::ContentRow;
use super::{Inner, search};
use crate::StoreError;
use crate::packages::{ContentHash, DataPackage, Viewer};

/// Bytes that are read ahead at most.
const BUFFER_BYTES: usize = 256 << 10;

/// The content of a package. It stays readable when the package is removed meanwhile.
#[derive(Debug)]
pub struct PackageContent {
    file: tokio::fs::File,
    size: u64,
}

impl PackageContent {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, for who reads on threads of their own. It is at the start if nothing was read.
    pub async fn into_std(self) -> File {
        self.file.into_std().await
    }
}

impl AsyncRead for PackageContent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(context, buf)
    }
}

impl AsyncSeek for PackageContent {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(context)
    }
}

pub(super) async fn open(
    inner: &Arc<Inner>,
    hash: ContentHash,
    viewer: &Viewer,
) -> Result<(DataPackage, PackageContent), StoreError> {
    // A second look, because the package may go between the look and the opening.
    for _ in 0..2 {
        let entry = search::find(inner, hash, viewer).await?;
        let entry = entry.ok_or(StoreError::NotFound { hash })?;
        if entry.package.is_damaged {
            return Err(StoreError::Damaged { hash });
        }
        let path = inner.blobs.path(&entry.checksum);
        let opened = blocking(move || {
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            match opened {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                opened => opened.map(Some).map_err(StoreError::io("cannot open", &path)),
            }
        })
        .await?;
        let size = entry.package.size;
        if let Some((_, file)) = opened.filter(|(len, _)| *len == size) {
            let mut file = tokio::fs::File::from_std(file);
            file.set_max_buf_size(BUFFER_BYTES);
            inner.status.count(|stats| stats.downloads_opened += 1);
            return Ok((entry.package, PackageContent { file, size }));
        }
        let content =
            ContentRow { id: entry.content, checksum: entry.checksum, size, is_damaged: false };
        if inner.quarantine(&content).await?.is_some() {
            tracing::error!(%hash, "the content of a package is missing or has another size");
        }
    }
    Err(StoreError::Damaged { hash })
}
