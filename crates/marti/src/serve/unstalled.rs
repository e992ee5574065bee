//! Peers who do not take what they asked for, or take it so slowly that it is of no use to them.
//!
//! A peer may keep a write waiting for a time, and in all for that time and one second more for each
//! KiB that it takes. What it took while nothing waited is not saved up for later.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::stats::Counters;

/// Bytes that are worth a second of waiting.
const BYTES_PER_SECOND: u32 = 1 << 10;

/// A connection that fails when its peer takes nothing for too long.
pub(super) struct Unstalled<S> {
    inner: S,
    patience: Duration,
    /// Time for which the peer kept writes waiting, beyond what it took is worth.
    waited: Duration,
    /// While the peer takes nothing: since when, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    counters: Arc<Counters>,
}

impl<S> Unstalled<S> {
    pub(super) fn new(inner: S, patience: Duration, counters: Arc<Counters>) -> Self {
        Self { inner, patience, waited: Duration::ZERO, waiting: None, counters }
    }

    /// Has a write that waits fail when it, or all of them, waited for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        len: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = written {
            if let Some((since, _)) = self.waiting.take() {
                self.waited += since.elapsed();
            }
            if let Ok(written) = &written {
                let len = u32::try_from(len(written)).unwrap_or(u32::MAX);
                let worth = Duration::from_secs(1) * len / BYTES_PER_SECOND;
                self.waited = self.waited.saturating_sub(worth);
            }
            return Poll::Ready(written);
        }
        let left = self.patience.saturating_sub(self.waited);
        let (_, deadline) =
            self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        ready!(deadline.as_mut().poll(cx));
        self.counters.readers_refused.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.watch(cx, written, |len| *len)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.watch(cx, written, |len| *len)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.watch(cx, flushed, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Writes so many bytes to a peer that takes 64 of them now and then; how long that took.
    async fn write(len: usize, every: Duration) -> (io::Result<()>, Duration) {
        let (socket, mut peer) = duplex(64);
        let mut socket = Unstalled::new(socket, Duration::from_secs(30), Arc::default());
        tokio::spawn(async move {
            let mut taken = [0; 64];
            while peer.read_exact(&mut taken).await.is_ok() {
                sleep(every).await;
            }
        });
        let began = Instant::now();
        let written = socket.write_all(&vec![7; len]).await;
        (written, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_drips_is_not_kept_and_who_is_slow_is() {
        // 2 KiB/s.
        let (written, time) = write(1 << 20, Duration::from_micros(31_250)).await;
        assert!(written.is_ok() && time > Duration::from_secs(500), "{time:?}");
        // 128 bytes a second.
        let (written, time) = write(1 << 20, Duration::from_millis(500)).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(time < Duration::from_secs(40), "{time:?}");
        // Nothing waits for long, though it is slow: a small answer.
        let (written, _) = write(2 << 10, Duration::from_millis(500)).await;
        assert!(written.is_ok());
    }
}
