//! Events by time, from wherever they are recorded.

#[cfg(feature = "dump")]
mod dump;

use std::error::Error;
use std::ops::ControlFlow;

#[cfg(feature = "dump")]
pub use dump::DumpHistory;

/// A recorded event.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// When it was received. Milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// The team of its sender; empty for one without. `None` when nobody knows: such events are only
    /// for those who see everything.
    pub team: Option<&'a str>,
    /// The event, from `<event` to `</event>`.
    pub event: &'a str,
}

/// Why recorded events cannot be read.
pub type HistoryError = Box<dyn Error + Send + Sync>;

/// Events that were recorded, by time.
pub trait History: Send + Sync + 'static {
    /// Gives the events received from `from_ms` to `to_ms`, both included, oldest first, until
    /// there are no more or `each` has had enough. Milliseconds since the Unix epoch. May block;
    /// called on a thread of its own.
    ///
    /// # Errors
    ///
    /// When what is recorded cannot be read. Damaged parts of it are left out and are no error.
    fn read(
        &self,
        from_ms: i64,
        to_ms: i64,
        each: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError>;
}
