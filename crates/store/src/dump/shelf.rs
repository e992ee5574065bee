//! The finished files: which there are, which wait for compression, which have to go.

use std::collections::VecDeque;
use std::io;

use super::compress::{Compressed, Finished};
use super::{DumpConfig, DumpFile, files};
use crate::StoreError;
use crate::fs::Fs;

/// Finished files, oldest first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: VecDeque<DumpFile>,
    bytes: u64,
    jobs: VecDeque<Finished>,
    /// Jobs that failed, to be tried again after the next rotation.
    later: Vec<Finished>,
    /// Files with an unfinished line behind their whole ones, which could not be cut off yet.
    torn: Vec<Finished>,
}

/// What [`Shelf::trim`] did.
#[derive(Debug, Default)]
pub(super) struct Trimmed {
    pub(super) removed: u64,
    pub(super) error: Option<StoreError>,
}

impl Shelf {
    /// With the files that were found, in order.
    pub(super) fn new(files: Vec<DumpFile>) -> Self {
        let bytes = files.iter().map(|file| file.bytes).sum();
        Self { files: files.into(), bytes, ..Self::default() }
    }

    /// Adds a file.
    pub(super) fn push(&mut self, file: DumpFile) {
        self.bytes += file.bytes;
        self.files.push_back(file);
    }

    /// Has a file compressed, and those again that could not be.
    pub(super) fn push_job(&mut self, job: Finished) {
        self.jobs.push_back(job);
        self.jobs.extend(self.later.drain(..));
    }

    /// Has the end of a file cut off.
    pub(super) fn push_torn(&mut self, file: Finished) {
        self.torn.push(file);
    }

    /// Cuts off what is to be cut off. What the disk does not allow now is tried again next time.
    pub(super) fn cut(&mut self, fs: &impl Fs) {
        self.torn.retain(|torn| {
            let cut = fs.append(&torn.path).and_then(|mut file| file.set_len(torn.bytes));
            // It may be compressed or removed by now.
            cut.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
    }

    pub(super) fn next_job(&mut self) -> Option<Finished> {
        self.jobs.pop_front()
    }

    /// Keeps a job that failed; `false` when there is no such file any more.
    pub(super) fn put_off(&mut self, job: Finished) -> bool {
        let is_there = self.files.iter().any(|file| file.path == job.path);
        if is_there {
            self.later.push(job);
        }
        is_there
    }

    /// Puts the compressed file in the place of the one that it was made of.
    pub(super) fn replace(&mut self, done: &Compressed) {
        self.files.retain(|file| file.path != done.from && file.path != done.path);
        self.files.extend(DumpFile::from_path(done.path.clone(), done.bytes_after));
        files::sort(self.files.make_contiguous());
        self.bytes = self.files.iter().map(|file| file.bytes).sum();
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Removes the oldest files until the caps hold for these and the file being written, if any,
    /// which has `current` bytes. Stops at the first that cannot be removed.
    pub(super) fn trim(
        &mut self,
        fs: &impl Fs,
        config: &DumpConfig,
        current: Option<u64>,
    ) -> Trimmed {
        let mut trimmed = Trimmed::default();
        while self.files.len() + usize::from(current.is_some()) > config.max_files
            || self.bytes + current.unwrap_or(0) > config.max_total_bytes
        {
            let Some(oldest) = self.files.front() else { break };
            match fs.remove(&oldest.path) {
                Ok(()) => trimmed.removed += 1,
                // Somebody else has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    trimmed.error = Some(StoreError::io("cannot remove", &oldest.path)(error));
                    break;
                }
            }
            self.bytes -= oldest.bytes;
            self.jobs.retain(|job| job.path != oldest.path);
            self.later.retain(|job| job.path != oldest.path);
            self.files.pop_front();
        }
        trimmed
    }
}
