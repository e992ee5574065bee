//! Times as clients write them, and the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use cot_core::CotTime;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `2025-05-02T10:11:12.345Z`, with exactly three digits (marti-api checklist 9).
pub(crate) fn text(unix_ms: i64) -> String {
    CotTime::from_unix_millis(unix_ms).to_string()
}

/// Reads a time in any of the forms that events have.
pub(crate) fn read(text: &str) -> Option<i64> {
    CotTime::parse(text.trim()).ok().map(CotTime::as_unix_millis)
}
