//! Connections that make way for what is more urgent on this machine.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use store::packages::Precedence;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that makes way before each time it reads or writes.
pub(super) struct Yielding<S> {
    inner: S,
    precedence: Precedence,
}

impl<S> Yielding<S> {
    pub(super) fn new(inner: S, precedence: Precedence) -> Self {
        Self { inner, precedence }
    }
}

impl<S: Unpin> Yielding<S> {
    /// The connection, when it is its turn.
    fn after_others(self: Pin<&mut Self>) -> Pin<&mut S> {
        let this = self.get_mut();
        this.precedence.make_way();
        Pin::new(&mut this.inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Yielding<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.after_others().poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Yielding<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.after_others().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.after_others().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    /// Least time for which a turn that does not end is waited for.
    const LEAST: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn reading_and_writing_wait_for_a_turn_and_are_done_after_it() {
        let precedence = Precedence::default();
        let (near, mut far) = duplex(100);
        let mut conn = Yielding::new(near, precedence.clone());
        precedence.begin();
        let began = Instant::now();
        conn.write_all(b"one").await.unwrap();
        assert!(began.elapsed() >= LEAST);
        let mut read = [0; 3];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one");
        precedence.end();
        precedence.begin();
        far.write_all(b"two").await.unwrap();
        let began = Instant::now();
        conn.read_exact(&mut read).await.unwrap();
        assert!(began.elapsed() >= LEAST);
        assert_eq!(&read, b"two");
        precedence.end();
        // Nothing waits where nobody is urgent; the least of some, as the system takes its time.
        let mut waits = Vec::new();
        for _ in 0..10 {
            let began = Instant::now();
            conn.write_all(b"3").await.unwrap();
            waits.push(began.elapsed());
        }
        assert!(waits.iter().min() < Some(&LEAST), "{waits:?}");
    }
}
