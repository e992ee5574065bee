//! What is to be done from time to time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;
use super::detached::first;
use super::scrub::{self, ScrubBudget};

/// Time between two looks at the space of the disk.
const LOOK: Duration = Duration::from_secs(4);

/// Least time between two rounds.
const LEAST: Duration = Duration::from_secs(1);

/// Removes what has expired, re-reads contents and looks at the disk, until the store is closed or
/// nobody has it.
pub(super) fn maintain(
    inner: &Arc<Inner>,
    every: Duration,
    budget: ScrubBudget,
) -> impl Future<Output = ()> + Send + use<> {
    let mut closed = inner.closed.subscribe();
    let weak = Arc::downgrade(inner);
    async move {
        let looking = look(weak.clone());
        let sweeping = sweep(weak, every.max(LEAST), budget);
        let closing = async {
            // An error is that the sender is gone, and the store with it.
            drop(closed.wait_for(|is_closed| *is_closed).await);
        };
        first(closing, first(looking, sweeping)).await;
    }
}

async fn look(inner: Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        let looked = inner.look().await;
        drop(inner);
        if let Err(error) = looked {
            tracing::warn!(%error, "cannot look at the packages");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn sweep(weak: Weak<Inner>, every: Duration, budget: ScrubBudget) {
    while let Some(inner) = weak.upgrade() {
        if let Err(error) = inner.remove_expired().await {
            tracing::warn!(%error, "cannot remove packages that have expired");
        }
        if let Err(error) = scrub::scrub(&inner, budget).await {
            tracing::warn!(%error, "cannot re-read packages");
        }
        drop(inner);
        tokio::time::sleep(every).await;
    }
}
