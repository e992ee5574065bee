//! What stands between a socket and the HTTP library.
//!
//! The library is given one request after the other, each only once its head was found to be
//! unambiguous, and of its body not a byte more than there are. So it cannot take for a request what
//! others take for a body, whatever it reads otherwise.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::time::{Instant, Sleep, sleep};

use super::chunks::Chunks;
use super::head::{Framing, Look, look};
use crate::stats::Counters;

/// Bytes of a read of what has to be looked at.
const READ: usize = 8 << 10;

/// Empty lines before a request, which some clients send behind a body.
const MAX_EMPTY_LINES: u8 = 2;

/// What is read of a peer to whom nothing more is said, for how long in all, and how long it may
/// send nothing: a connection that is closed with unread bytes takes the answer with it.
const MAX_LEFT: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(2);

/// A connection whose requests are looked at.
pub(super) struct Guard<S, H> {
    inner: Take<S>,
    /// What was read and not given on.
    buf: Vec<u8>,
    /// Bytes at the start of `buf` that were given on.
    given: usize,
    /// Bytes behind those that may be given on.
    good: usize,
    stage: Stage,
    /// The end: nothing is written any more, and what is still coming is read until then.
    linger: Option<Linger>,
    counters: Arc<Counters>,
    /// What lives as long as the connection.
    _held: H,
}

/// How much longer a peer is read to whom nothing more is said.
struct Linger {
    /// Bytes.
    left: usize,
    end: Instant,
    silent: Pin<Box<Sleep>>,
}

/// What comes next on the connection.
#[derive(Debug)]
enum Stage {
    Head {
        looked: usize,
        empty_lines: u8,
    },
    Sized(u64),
    Chunked(Chunks),
    /// Another protocol.
    Raw,
    /// What nobody may see.
    Refused,
    /// A body without an end that can be known.
    Broken,
}

const HEAD: Stage = Stage::Head { looked: 0, empty_lines: 0 };

impl<S, H> Guard<S, H> {
    pub(super) fn new(inner: S, counters: Arc<Counters>, held: H) -> Self
    where
        S: AsyncRead,
    {
        let (buf, inner) = (Vec::new(), inner.take(u64::MAX));
        Self { inner, buf, given: 0, good: 0, stage: HEAD, linger: None, counters, _held: held }
    }

    /// Decides how much of what was read may be given on. Nothing is decided without more bytes if
    /// that is nothing.
    fn decide(&mut self) {
        let waiting = self.buf.get(self.given..).unwrap_or_default();
        self.good = match &mut self.stage {
            Stage::Head { looked, empty_lines } => {
                if *looked == 0 && waiting.starts_with(b"\r\n") && *empty_lines < MAX_EMPTY_LINES {
                    *empty_lines += 1;
                    self.given += 2;
                    return self.decide();
                }
                if *looked == 0 && waiting == b"\r" && *empty_lines < MAX_EMPTY_LINES {
                    return;
                }
                match look(waiting, looked) {
                    Look::Partial => 0,
                    Look::Whole(len, framing) => {
                        self.stage = match framing {
                            Framing::Sized(len) => Stage::Sized(len),
                            Framing::Chunked => Stage::Chunked(Chunks::default()),
                            Framing::WebSocket => Stage::Raw,
                        };
                        len
                    }
                    Look::Refused(refusal) => {
                        self.stage = Stage::Refused;
                        self.buf = refusal.to_request();
                        self.given = 0;
                        self.buf.len()
                    }
                }
            }
            Stage::Sized(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(waiting.len());
                *left -= len as u64;
                len
            }
            Stage::Chunked(chunks) => match chunks.advance(waiting) {
                Ok(len) => len,
                Err(_) => {
                    self.counters.bodies_refused.fetch_add(1, Ordering::Relaxed);
                    self.stage = Stage::Broken;
                    0
                }
            },
            Stage::Raw => waiting.len(),
            Stage::Refused | Stage::Broken => 0,
        };
    }

    /// Goes on to the next head where a body has ended.
    fn end_body(&mut self) {
        let has_ended = match &self.stage {
            Stage::Sized(left) => *left == 0,
            Stage::Chunked(chunks) => chunks.is_at_end(),
            _ => false,
        };
        if has_ended {
            self.stage = HEAD;
        }
    }

    /// Bytes that may be given on as they come, without a look.
    fn unseen(&self) -> u64 {
        match &self.stage {
            Stage::Sized(left) => *left,
            Stage::Chunked(chunks) => chunks.data_left(),
            Stage::Raw => u64::MAX,
            Stage::Head { .. } | Stage::Refused | Stage::Broken => 0,
        }
    }

    /// Whether the peer may still be sending what nobody reads.
    fn is_amid(&self) -> bool {
        let is_between = match &self.stage {
            Stage::Head { .. } => self.given == self.buf.len(),
            Stage::Raw => true,
            _ => false,
        };
        !is_between
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Guard<S, H> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.good > 0 {
                let good = this.buf.get(this.given..this.given + this.good).unwrap_or_default();
                let part = good.get(..out.remaining()).unwrap_or(good);
                out.put_slice(part);
                this.given += part.len();
                this.good -= part.len();
                return Poll::Ready(Ok(()));
            }
            this.end_body();
            if this.given == this.buf.len() {
                this.given = 0;
                // An idle connection holds no memory.
                this.buf = Vec::new();
                let unseen = this.unseen();
                if unseen > 0 {
                    let before = out.filled().len();
                    this.inner.set_limit(unseen);
                    ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
                    let len = out.filled().len() - before;
                    match &mut this.stage {
                        Stage::Sized(left) => *left -= len as u64,
                        Stage::Chunked(chunks) if len > 0 => chunks.skip(len),
                        _ => {}
                    }
                    return Poll::Ready(Ok(()));
                }
            } else {
                this.decide();
                if this.good > 0 {
                    continue;
                }
            }
            match this.stage {
                // The answer to what stands for it ends the connection; an end of the stream here
                // would be taken for a peer who does not wait for it.
                Stage::Refused => return Poll::Pending,
                Stage::Broken => {
                    let text = "the chunks of the body cannot be told apart";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                _ => {}
            }
            let mut space = [0; READ];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(this.inner.get_mut()).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.buf.drain(..this.given);
            this.given = 0;
            this.buf.extend_from_slice(read.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Unpin> AsyncWrite for Guard<S, H> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().inner.get_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().inner.get_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().inner.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(this.inner.get_mut()).poll_shutdown(cx))?;
            let left = if this.is_amid() { MAX_LEFT } else { 0 };
            let end = Instant::now() + LINGER;
            this.linger = Some(Linger { left, end, silent: Box::pin(sleep(SILENCE)) });
        }
        let Some(linger) = &mut this.linger else { return Poll::Ready(Ok(())) };
        while linger.left > 0 && linger.silent.as_mut().poll(cx).is_pending() {
            let mut space = [0; READ];
            let mut read = ReadBuf::new(&mut space);
            let result = ready!(Pin::new(this.inner.get_mut()).poll_read(cx, &mut read));
            let len = read.filled().len();
            let is_over = result.is_err() || len == 0;
            linger.left = if is_over { 0 } else { linger.left.saturating_sub(len) };
            linger.silent.as_mut().reset((Instant::now() + SILENCE).min(linger.end));
        }
        Poll::Ready(Ok(()))
    }
}
