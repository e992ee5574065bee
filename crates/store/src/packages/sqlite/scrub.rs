//! Re-reading contents before anybody misses them.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Inner;
use super::blobs::Blobs;
use super::detached::{blocking, detached};
use super::rows::{self, ContentRow};
use crate::StoreError;
use crate::packages::ContentHash;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Contents after which it is noted that they are good.
const BATCH: i64 = 64;

/// How much is re-read, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubBudget {
    /// No other content is begun after this. Bytes. Defaults to 1 GiB.
    pub bytes: u64,
    /// Rate at which contents are read; 0 is as fast as the disk. Bytes per second. Defaults to
    /// 8 MiB.
    pub bytes_per_second: u64,
    /// What was found good within this time is not read again. Defaults to a week.
    pub min_age: Duration,
}

impl Default for ScrubBudget {
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            bytes_per_second: 8 << 20,
            min_age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubReport {
    /// Contents that were read.
    pub contents: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Those that are not as they were uploaded. They were set aside.
    pub damaged: Vec<ContentHash>,
    /// Everything that was old enough was read.
    pub is_complete: bool,
}

pub(super) async fn scrub(
    inner: &Arc<Inner>,
    budget: ScrubBudget,
) -> Result<ScrubReport, StoreError> {
    let mut report = ScrubReport::default();
    let min_age_ms = i64::try_from(budget.min_age.as_millis()).unwrap_or(i64::MAX);
    // What is verified from now on is not verified twice.
    let before_ms = inner.config.clock.now_ms().saturating_sub(min_age_ms).saturating_add(1);
    let mut last_round = Vec::new();
    loop {
        let mut reader = inner.readers.acquire().await.map_err(super::database::failed(READING))?;
        let contents = rows::contents_to_verify(&mut reader, before_ms, BATCH).await?;
        drop(reader);
        let ids: Vec<_> = contents.iter().map(|content| content.id).collect();
        if ids.is_empty() || ids == last_round {
            report.is_complete = true;
            return Ok(report);
        }
        last_round = ids;
        let mut good = Vec::new();
        for content in contents {
            if report.bytes >= budget.bytes {
                note(inner, good, before_ms).await?;
                return Ok(report);
            }
            report.contents += 1;
            report.bytes += content.size;
            inner.status.count(|stats| {
                stats.contents_scrubbed += 1;
                stats.bytes_scrubbed += content.size;
            });
            if verify(inner, &content, budget.bytes_per_second).await? {
                good.push(content.id);
            } else if let Some(hash) = inner.quarantine(&content).await? {
                tracing::error!(%hash, "the content of a package is damaged");
                report.damaged.push(hash);
            }
        }
        note(inner, good, before_ms).await?;
    }
}

const READING: &str = "read the database";

/// Notes that contents are good.
async fn note(inner: &Arc<Inner>, good: Vec<i64>, before_ms: i64) -> Result<(), StoreError> {
    let inner = Arc::clone(inner);
    detached(async move {
        let now_ms = inner.config.clock.now_ms().max(before_ms);
        let mut writer = inner.writer.lock().await;
        let noted = rows::mark_verified(writer.connection()?, &good, now_ms).await;
        writer.judge(noted)
    })
    .await
}

/// Reads a content at a gentle rate; says whether it is as it was uploaded.
async fn verify(
    inner: &Arc<Inner>,
    content: &ContentRow,
    bytes_per_second: u64,
) -> Result<bool, StoreError> {
    let (blobs, checksum) = (Arc::clone(&inner.blobs), content.checksum);
    let precedence = &inner.config.precedence;
    let Ok(mut file) = blocking(move || Ok(blobs.read(&checksum))).await? else {
        return Ok(false);
    };
    let mut hasher = blake3::Hasher::new();
    let mut chunk = Vec::new();
    loop {
        let read;
        let precedence = precedence.clone();
        (file, hasher, chunk, read) = blocking(move || {
            precedence.make_way();
            chunk.resize(CHUNK_BYTES, 0);
            let read = read_full(&mut file, &mut chunk);
            let len = *read.as_ref().unwrap_or(&0);
            hasher.update(chunk.get(..len).unwrap_or_default());
            Ok((file, hasher, chunk, read))
        })
        .await?;
        match read {
            Err(error) => {
                tracing::error!(%error, "the content of a package cannot be read");
                return Ok(false);
            }
            Ok(0) => return Ok(hasher.finalize() == content.checksum),
            Ok(len) if bytes_per_second > 0 => {
                let pause_us = (len as u64).saturating_mul(1_000_000) / bytes_per_second;
                tokio::time::sleep(Duration::from_micros(pause_us)).await;
            }
            Ok(_) => {}
        }
    }
}

/// What a content tells of itself.
pub(super) struct Examined {
    pub(super) hash: ContentHash,
    pub(super) is_zip: bool,
}

/// Reads a content; `None` when it is not what its name says.
pub(super) fn examine(
    blobs: &Blobs,
    checksum: &blake3::Hash,
) -> Result<Option<Examined>, StoreError> {
    let path = blobs.path(checksum);
    let mut file = blobs.read(checksum).map_err(StoreError::io("cannot open", &path))?;
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), Sha256::new());
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_zip = None;
    loop {
        let read = read_full(&mut file, &mut chunk);
        let len = read.map_err(StoreError::io("cannot read", &path))?;
        let bytes = chunk.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        is_zip.get_or_insert_with(|| bytes.starts_with(b"PK\x03\x04"));
        blake3.update(bytes);
        sha256.update(bytes);
    }
    let hash = ContentHash::from_bytes(sha256.finalize().into());
    let is_zip = is_zip.unwrap_or(false);
    Ok((blake3.finalize() == *checksum).then_some(Examined { hash, is_zip }))
}

/// Whether a content is what its name says. One that cannot be read is not.
pub(super) fn is_good(blobs: &Blobs, checksum: &blake3::Hash) -> Result<bool, StoreError> {
    Ok(examine(blobs, checksum).is_ok_and(|examined| examined.is_some()))
}

/// Reads until a buffer is full or the file ends.
pub(super) fn read_full(file: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
