//! The only place of this crate that asks the time.

use std::time::Instant;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "threads that wait for a disk have to look at a clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
