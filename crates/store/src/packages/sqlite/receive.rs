//! The one pass over the content of an upload.

use std::io::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::{self, JoinHandle};

use super::blobs::{Blobs, Temporary};
use super::detached::ended;
use super::status::Status;
use crate::StoreError;
use crate::fs::FsFile;
use crate::packages::upload::unfit;
use crate::packages::{ContentHash, PackagesConfig, Precedence, Upload};

/// Bytes that are hashed and written at a time. Two of these are the memory of an upload: one is
/// filled while the other is written.
const CHUNK_BYTES: usize = 256 << 10;

/// Bytes that are hashed and written without a break in which others may go first.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes after which the disk is told to write what it was given, while more comes: so that little
/// is left to wait for at the end. Systems keep what is written in memory for many seconds. Not more
/// at a time while somebody may be urgent, as that cannot be interrupted either.
const WRITE_OUT_BYTES: u64 = 256 << 10;

/// The same while nobody is: fewer and larger writes are less work.
const LARGE_WRITE_OUT_BYTES: u64 = 1 << 20;

/// Bytes that a buffer begins with: most uploads are small, or slow.
const FIRST_BYTES: usize = 16 << 10;

/// A content in a temporary file.
pub(super) struct Received {
    file: Box<dyn FsFile>,
    pub(super) temporary: Temporary,
    pub(super) hash: ContentHash,
    pub(super) checksum: blake3::Hash,
    /// Bytes.
    pub(super) size: u64,
}

impl Received {
    /// Makes the content durable, under its temporary name.
    pub(super) fn sync(mut self) -> Result<Self, StoreError> {
        let synced = self.file.sync_data();
        let (blobs, path) = (self.temporary.blobs(), self.temporary.path());
        synced.map_err(|error| blobs.failed("cannot sync", path, error))?;
        Ok(self)
    }
}

/// A content that is coming in.
struct Incoming {
    file: Box<dyn FsFile>,
    temporary: Temporary,
    sha256: Sha256,
    blake3: blake3::Hasher,
    precedence: Precedence,
    /// Bytes that were written, and of those, how many the disk was told to write.
    written: u64,
    written_out: u64,
    /// Space that must be left free. Bytes.
    min_free_bytes: u64,
}

impl Incoming {
    fn create(
        blobs: &Arc<Blobs>,
        precedence: Precedence,
        min_free_bytes: u64,
    ) -> Result<Self, StoreError> {
        let (file, temporary) = blobs.create()?;
        Ok(Self {
            file,
            temporary,
            sha256: Sha256::new(),
            blake3: blake3::Hasher::new(),
            precedence,
            written: 0,
            written_out: 0,
            min_free_bytes,
        })
    }

    /// Hashes and writes a chunk, and empties it.
    fn take(mut self, mut chunk: Vec<u8>) -> Result<(Self, Vec<u8>), StoreError> {
        let blobs = self.temporary.blobs();
        blobs.check_space(self.min_free_bytes.saturating_add(chunk.len() as u64))?;
        for piece in chunk.chunks(PIECE_BYTES) {
            self.precedence.make_way();
            self.sha256.update(piece);
            self.blake3.update(piece);
            let written = self.file.write_all(piece);
            written.map_err(|error| blobs.failed("cannot write", self.temporary.path(), error))?;
            self.written += piece.len() as u64;
        }
        let waiting = self.written - self.written_out;
        let most = if self.precedence.is_near() { WRITE_OUT_BYTES } else { LARGE_WRITE_OUT_BYTES };
        if waiting >= most {
            self.precedence.make_way();
            self.file.write_out(self.written_out, waiting);
            self.written_out = self.written;
        }
        chunk.clear();
        Ok((self, chunk))
    }
}

/// Reads a content to its end into a temporary file, and checks that it is what was announced.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    config: &PackagesConfig,
    status: &Status,
    upload: &Upload,
    mut content: impl AsyncRead + Send + Unpin,
) -> Result<Received, StoreError> {
    let most =
        upload.size.map_or(config.max_upload_bytes, |size| size.min(config.max_upload_bytes));
    let min_free_bytes = config.min_free_bytes;
    let (owned, precedence) = (Arc::clone(blobs), config.precedence.clone());
    let (mut chunk, mut size) = (Vec::new(), 0);
    let mut writing = task::spawn_blocking(move || {
        Ok((Incoming::create(&owned, precedence, min_free_bytes)?, Vec::new()))
    });
    loop {
        let is_end = fill(&mut content, &mut chunk).await?;
        let len = chunk.len() as u64;
        status.count(|stats| stats.bytes_received += len);
        size += len;
        if size > most {
            return Err(too_much(upload, config, size));
        }
        let (incoming, spare) = finished(writing).await?;
        let full = std::mem::replace(&mut chunk, spare);
        writing = task::spawn_blocking(move || incoming.take(full));
        if is_end {
            break;
        }
    }
    let (incoming, _) = finished(writing).await?;
    check(upload, incoming, size)
}

/// What came of work on another thread.
async fn finished<T>(work: JoinHandle<Result<T, StoreError>>) -> Result<T, StoreError> {
    work.await.unwrap_or_else(|error| Err(ended(error)))
}

/// Reads until a chunk is full or the content ends, and says whether it ended.
async fn fill(
    content: &mut (impl AsyncRead + Send + Unpin),
    chunk: &mut Vec<u8>,
) -> Result<bool, StoreError> {
    while chunk.len() < CHUNK_BYTES {
        if chunk.len() == chunk.capacity() {
            let len = (2 * chunk.len()).clamp(FIRST_BYTES, CHUNK_BYTES);
            chunk.reserve_exact(len - chunk.len());
        }
        let read = content.read_buf(chunk).await;
        if read.map_err(|source| StoreError::Interrupted { source })? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn too_much(upload: &Upload, config: &PackagesConfig, actual: u64) -> StoreError {
    match upload.size {
        Some(declared) if declared <= config.max_upload_bytes => {
            StoreError::SizeMismatch { declared, actual }
        }
        _ => StoreError::TooLarge { limit: config.max_upload_bytes },
    }
}

fn check(upload: &Upload, incoming: Incoming, size: u64) -> Result<Received, StoreError> {
    let Incoming { file, temporary, sha256, blake3, .. } = incoming;
    let hash = ContentHash::from_bytes(sha256.finalize().into());
    match (upload.size, upload.hash) {
        _ if size == 0 => Err(unfit("content", "is empty")),
        (Some(declared), _) if declared != size => {
            Err(StoreError::SizeMismatch { declared, actual: size })
        }
        (_, Some(claimed)) if claimed != hash => {
            Err(StoreError::HashMismatch { claimed, actual: hash })
        }
        _ => Ok(Received { file, temporary, hash, checksum: blake3.finalize(), size }),
    }
}
