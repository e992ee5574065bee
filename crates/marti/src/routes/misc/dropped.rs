//! What devices send for the server's operator to keep. It is read to its end, so that they see it
//! succeed, and dropped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use store::packages::PackageStore;
use tokio::time::Instant;
use tracing::info;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

/// Largest report of a crash, and largest track. Bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Between two lines of the log about crashes.
const PAUSE: Duration = Duration::from_mins(1);

/// Longest text of a device in the log. Characters.
const MAX_SHOWN: usize = 64;

/// When the log last had a line about a crash, and how many came since.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    logged: Mutex<(Option<Instant>, u64)>,
}

impl Shared {
    /// How many were not logged if this one is to be; one a minute is.
    fn skipped(&self) -> Option<u64> {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, skipped) = &mut *logged;
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            *skipped = skipped.saturating_add(1);
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(skipped))
    }
}

/// A report of a device whose program crashed.
pub(crate) async fn error_log<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let bytes = ask.drain(MAX_BYTES).await?;
    if let Some(skipped) = marti.shared.misc.skipped() {
        let said = |key| -> String {
            ask.query.get(key).unwrap_or_default().chars().take(MAX_SHOWN).collect()
        };
        info!(
            callsign = ?said("callsign"),
            uid = ?said("uid"),
            platform = ?said("platform"),
            version = ?format!("{}.{}", said("majorVersion"), said("minorVersion")),
            bytes,
            skipped,
            "a device sent the report of a crash, which is not kept"
        );
    }
    Ok(answer::empty(StatusCode::OK))
}

/// The track that a user publishes. Where events are recorded, tracks are known already.
pub(crate) async fn take_tracks<P: PackageStore>(
    _: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    ask.drain(MAX_BYTES).await?;
    Ok(answer::empty(StatusCode::OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_log_has_one_line_a_minute() {
        let shared = Shared::default();
        assert_eq!(shared.skipped(), Some(0));
        assert_eq!((shared.skipped(), shared.skipped()), (None, None));
        tokio::time::advance(PAUSE).await;
        assert_eq!(shared.skipped(), Some(2));
    }
}
