//! The only place of this program that asks the time.

use std::time::{Instant, SystemTime};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "a program has to start from some clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day and year now: milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "events that are replayed get the time of the clock")]
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
