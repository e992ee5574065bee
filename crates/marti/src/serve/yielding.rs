//! Connections that make way for what is more urgent on this machine.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use store::packages::Precedence;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes from which on what was read or written was much. Who sends or gets little is not held up.
const MUCH: usize = 16 << 10;

/// How long a connection rests when the urgent thread is at work. It goes on then in any case.
const PAUSE: Duration = Duration::from_millis(1);

/// A connection that makes way before it reads or writes, when it read or wrote much the last time.
/// Others go on meanwhile.
pub(super) struct Yielding<S> {
    inner: S,
    precedence: Precedence,
    // Two, as each may be waited for by another task.
    reading: Way,
    writing: Way,
}

/// One of the two ways of a connection.
#[derive(Default)]
struct Way {
    /// Whether much went this way, and nobody was let go first since.
    is_due: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Yielding<S> {
    pub(super) fn new(inner: S, precedence: Precedence) -> Self {
        Self { inner, precedence, reading: Way::default(), writing: Way::default() }
    }
}

impl Way {
    /// Waits until this way is open.
    fn poll_open(&mut self, precedence: &Precedence, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.is_due) {
            precedence.let_go();
            if precedence.is_on() {
                self.pause = Some(Box::pin(sleep(PAUSE)));
            }
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Notes how much was written.
    fn written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_due |= matches!(&written, Poll::Ready(Ok(len)) if *len >= MUCH);
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Yielding<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.reading.poll_open(&this.precedence, cx));
        let before = out.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, out);
        this.reading.is_due |= out.filled().len() - before >= MUCH;
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Yielding<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.writing.poll_open(&this.precedence, cx));
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.writing.written(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.writing.poll_open(&this.precedence, cx));
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.writing.written(written)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_or_writes_much_rests_while_a_turn_is_on_and_others_do_not() {
        let precedence = Precedence::default();
        let (near, mut far) = duplex(8 * MUCH);
        let mut conn = Yielding::new(near, precedence.clone());
        let much = vec![7; MUCH];
        let mut read = vec![0; MUCH];
        // Time passes only when somebody waits for it.
        let began = Instant::now();
        let mut rests = async |conn: &mut Yielding<_>, len: usize| {
            let began = Instant::now();
            conn.write_all(&much[..len]).await.unwrap();
            far.read_exact(&mut read[..len]).await.unwrap();
            far.write_all(&much[..len]).await.unwrap();
            conn.read_exact(&mut read[..len]).await.unwrap();
            assert!(read[..len] == much[..len]);
            began.elapsed().as_millis()
        };
        assert_eq!(rests(&mut conn, MUCH).await, 0, "nobody is urgent");
        precedence.begin();
        // For what was read before, and what was written then.
        assert!(rests(&mut conn, MUCH).await >= 2);
        assert!(rests(&mut conn, 1).await >= 1);
        assert_eq!(rests(&mut conn, MUCH - 1).await, 0, "it was little");
        precedence.end();
        assert_eq!(rests(&mut conn, MUCH).await, 0, "the turn is over");
        assert!(began.elapsed() < Duration::from_millis(20));
    }
}
