//! Work that goes on when nobody waits for it any more.

use std::panic;
use std::pin::pin;
use std::task::Poll;

use tokio::task::{self, JoinError};

use crate::StoreError;

/// Does work to its end, even when this future is dropped.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(ended(error)))
}

/// Does work that waits for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ended(error)))
}

/// Waits for either of two futures, and drops the other.
pub(super) async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// Why work did not end by itself. A panic goes on here.
pub(super) fn ended(error: JoinError) -> StoreError {
    match error.try_into_panic() {
        Ok(reason) => panic::resume_unwind(reason),
        Err(_) => StoreError::Misused("the runtime is shutting down"),
    }
}
