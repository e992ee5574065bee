//! The only place of this program that asks the time.

use std::time::Instant;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "a program has to start from some clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
