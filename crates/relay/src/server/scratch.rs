//! Buffers that a connection needs only while it is being served.

use std::sync::{Mutex, PoisonError};

use cot_core::{Limits, Scanner};

use crate::Batch;

/// Bytes of one read.
const READ: usize = 64 << 10;

/// One set of buffers. An idle connection holds none.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) read: Box<[u8]>,
    pub(super) scanner: Scanner,
    pub(super) batch: Batch,
}

/// As many sets as connections are being served at the same instant: one per thread.
#[derive(Debug)]
pub(super) struct ScratchPool {
    limits: Limits,
    #[expect(clippy::vec_box, reason = "a pointer moves between pool and connection")]
    free: Mutex<Vec<Box<Scratch>>>,
}

impl ScratchPool {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, free: Mutex::new(Vec::new()) }
    }

    pub(super) fn take(&self) -> Box<Scratch> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| {
            Box::new(Scratch {
                read: vec![0; READ].into_boxed_slice(),
                scanner: Scanner::new(self.limits),
                batch: Batch::default(),
            })
        })
    }

    pub(super) fn put(&self, mut scratch: Box<Scratch>) {
        scratch.batch.clear();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}
