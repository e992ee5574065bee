//! Why bytes are not an event.

use thiserror::Error;

/// Fatal to one event, not to the stream it came in.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ParseError {
    /// An attribute is there, but does not say what it must.
    #[error("attribute `{name}` is not {expected}")]
    InvalidAttribute {
        /// Its name.
        name: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
    /// The event exceeds one of the [`Limits`](crate::Limits).
    #[error("more {what} than {limit}")]
    Limit {
        /// Which limit.
        what: &'static str,
        /// Its value.
        limit: usize,
    },
    /// Not well-formed XML, or XML that CoT has no use for.
    #[error("{problem} at byte {offset}")]
    Malformed {
        /// Where, counted in bytes from the start of the input.
        offset: usize,
        /// What was found.
        problem: &'static str,
    },
    /// An attribute that every event has is missing.
    #[error("attribute `{name}` is missing")]
    MissingAttribute {
        /// Its name.
        name: &'static str,
    },
    /// An element `event` within the event: readers that look for `</event>` would cut it there.
    #[error("an `event` inside the event")]
    NestedEvent,
    /// The root element is not `event`.
    #[error("the root element is not `event`")]
    NotAnEvent,
}
