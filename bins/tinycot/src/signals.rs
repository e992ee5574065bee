//! The signals by which somebody ends a program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that end a program. As long as the process lives, they do so by themselves
/// no more.
pub(crate) struct Signals {
    /// From a terminal.
    interrupt: Signal,
    /// From a service manager.
    terminate: Signal,
}

impl Signals {
    /// Must be called within a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal: its name, and the exit code of a process that it ends.
    pub(crate) async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", 130),
            _ = self.terminate.recv() => ("SIGTERM", 143),
        }
    }
}
