//! Time as the core sees it: handed in, never asked for.

/// A moment, on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back, from any origin. Decides every timeout.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC. Only written into the server's own events.
    pub unix_ms: i64,
}

impl Now {
    /// A moment of the monotonic clock, as the wall clock of this moment would have shown it.
    pub(crate) fn unix_of(self, mono_ms: i64) -> i64 {
        let ago = i64::try_from(self.mono_ms).unwrap_or(i64::MAX).saturating_sub(mono_ms);
        self.unix_ms.saturating_sub(ago)
    }

    /// The monotonic clock as a signed number: what happened before a restart is negative on it.
    pub(crate) fn signed_ms(self) -> i64 {
        i64::try_from(self.mono_ms).unwrap_or(i64::MAX)
    }
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
