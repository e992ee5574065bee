//! The pace that senders of bodies are held to.
//!
//! A sender may keep the server waiting for [`patience`](Paced::new) and one second more for each
//! KiB that it has sent; beyond ten minutes only for one second for each 16 KiB. So a phone at the
//! edge of coverage can upload, and one that sends a byte now and then holds nothing for long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that are worth a second of waiting.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// The same once the server has waited for [`LONG`].
const BYTES_PER_SECOND_LATER: u64 = 16 << 10;

/// Waiting that is long whatever the rate. Seconds.
const LONG: u64 = 600;

/// A body whose sender is held to a pace.
pub(crate) struct Paced<B> {
    inner: Pin<Box<B>>,
    patience: Duration,
    /// Received so far.
    bytes: u64,
    /// Time spent waiting for what has come.
    waited: Duration,
    /// While waiting: since when, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B> Paced<B> {
    pub(crate) fn new(inner: B, patience: Duration) -> Self {
        Self { inner: Box::pin(inner), patience, bytes: 0, waited: Duration::ZERO, waiting: None }
    }

    /// Time for which the sender may keep the server waiting in all.
    fn credit(&self) -> Duration {
        let slow = self.bytes / BYTES_PER_SECOND;
        let seconds = slow.min(LONG.max(self.bytes / BYTES_PER_SECOND_LATER));
        self.patience + Duration::from_secs(seconds)
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = this.waiting.take() {
                    this.waited += since.elapsed();
                }
                let frame = frame.map(|frame| match frame {
                    Ok(frame) => {
                        Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                    }
                    Err(error) => Err(io::Error::other(error)),
                });
                if let Some(Ok(frame)) = &frame {
                    this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Poll::Ready(frame)
            }
            Poll::Pending => {
                if this.waiting.is_none() {
                    let left = this.credit().saturating_sub(this.waited);
                    this.waiting = Some((Instant::now(), Box::pin(sleep(left))));
                }
                if let Some((_, deadline)) = &mut this.waiting {
                    ready!(deadline.as_mut().poll(cx));
                }
                let text = "the sender is too slow";
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
