//! Time as the core sees it: handed in, never asked for.

/// A moment, on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back, from any origin. Decides every timeout.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC. Only written into the server's own events.
    pub unix_ms: i64,
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
