//! Bounds on what one event may be.

/// Bounds on one event. Reaching one refuses the event; only the size ends the stream.
///
/// ```
/// let mut limits = cot_core::Limits::default();
/// limits.event = 256 * 1024;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one event from `<event` to its end, and of anything else between two events that
    /// has to be read whole (a declaration, a comment, a login document). Defaults to 1 MiB; real
    /// events are below 8 KiB. Values above 1 GiB act as 1 GiB.
    pub event: usize,
    /// Elements open at the same time, the root included. Defaults to 64; real events need 6.
    pub depth: usize,
    /// Attributes of one element. Defaults to 128; real elements have up to 20.
    pub attributes: usize,
    /// Elements of one event. Defaults to 10,000; a long route has some hundreds.
    pub elements: usize,
}

impl Limits {
    /// The largest size an event may be configured to have: offsets are 32 bits wide and one of
    /// them carries a flag.
    const MAX_EVENT: usize = 1 << 30;

    /// `event`, brought into the range that offsets can express.
    pub(crate) fn event_bytes(&self) -> usize {
        self.event.min(Self::MAX_EVENT)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { event: 1 << 20, depth: 64, attributes: 128, elements: 10_000 }
    }
}
