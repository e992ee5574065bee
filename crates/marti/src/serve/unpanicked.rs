//! A panic is the end of one request, not of its connection's others or of the server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that gives `None` where the one within panics.
pub(super) struct Unpanicked<F>(Option<Pin<Box<F>>>);

impl<F: Future> Unpanicked<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future> Future for Unpanicked<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let Some(future) = &mut self.0 else { return Poll::Ready(None) };
        // What the future leaves behind is either its own or behind locks, whose users know that
        // somebody may have panicked.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => {
                self.0 = None;
                Poll::Ready(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_end_of_the_future_alone() {
        let fails = async {
            tokio::task::yield_now().await;
            panic!("as this test wants it");
        };
        assert_eq!(Unpanicked::new(fails).await, None::<()>);
        assert_eq!(Unpanicked::new(async { 1 }).await, Some(1));
    }
}
