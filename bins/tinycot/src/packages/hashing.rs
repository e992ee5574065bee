//! The hash that a content is named by.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Hashes what is read.
pub(super) struct Hashing<R> {
    reader: R,
    hasher: Sha256,
}

impl<R> Hashing<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, hasher: Sha256::new() }
    }

    /// The hash of what was read so far, as the API writes it.
    pub(super) fn hash(&self) -> String {
        self.hasher.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn reader(&self) -> &R {
        &self.reader
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        self.hasher.update(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}
