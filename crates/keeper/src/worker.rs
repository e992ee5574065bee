//! The threads of a keeper.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::clock;
use crate::status::Status;

/// Stack of each thread. The deepest thing on it is the writing of a record as JSON.
const STACK_BYTES: usize = 512 << 10;

/// A thread whose end can be waited for with a limit.
#[derive(Debug)]
pub(crate) struct Worker {
    thread: JoinHandle<()>,
    /// Nothing is ever sent: its other end goes with the thread.
    ended: Receiver<()>,
}

impl Worker {
    /// Starts it. Should it panic, the status says so.
    pub(crate) fn spawn<S: Clone + Default + Send + 'static>(
        name: &str,
        status: Arc<Status<S>>,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended) = sync_channel(0);
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                let (_alive, _watched) = (alive, Watched(status));
                run();
            },
        )?;
        Ok(Self { thread, ended })
    }

    /// Waits for its end, if that comes in time.
    pub(crate) fn join(self, until: Instant) {
        let within = until.saturating_duration_since(clock::now());
        if self.ended.recv_timeout(within) == Err(RecvTimeoutError::Disconnected) {
            // Should it have panicked, then it has not settled either.
            let _ = self.thread.join();
        }
    }
}

/// Has a thread that panics leave word of it.
struct Watched<S: Clone + Default>(Arc<Status<S>>);

impl<S: Clone + Default> Drop for Watched<S> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail("the thread that stores has failed".to_owned(), "restart the server");
        }
    }
}
