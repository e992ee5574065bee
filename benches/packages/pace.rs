//! How fast a client sends.

use std::thread;
use std::time::{Duration, Instant};

use super::now;

/// How fast a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as it is let.
    Full,
    /// So many bytes per second, as over a line of that width.
    Line(u64),
}

impl Pace {
    pub(crate) fn begin(self) -> Pacer {
        Pacer { pace: self, began: now(), sent: 0 }
    }
}

/// Holds one transfer to its pace.
pub(crate) struct Pacer {
    pace: Pace,
    began: Instant,
    sent: u64,
}

impl Pacer {
    /// Waits until so much more may have been sent. Others on this machine go first: a client has
    /// its own.
    pub(crate) fn sent(&mut self, bytes: usize) {
        thread::yield_now();
        self.sent += bytes as u64;
        if let Pace::Line(width) = self.pace {
            let due = Duration::from_secs_f64(self.sent as f64 / width as f64);
            thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
    }
}
