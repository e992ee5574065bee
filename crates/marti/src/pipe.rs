//! Answers that are written by a thread of their own while they are sent: what reads files or goes
//! through the whole picture must not hold up the others, nor be held as a whole.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::Body;
use crate::answer::{self, Answer};
use crate::error::ApiError;

/// Answers that are written at a time.
const MAX_PIPES: usize = 2;

/// Time to wait for one of the others to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that are sent at once, and how many such pieces wait for a slow reader.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// Time for a reader to take a piece.
const STALL: Duration = Duration::from_secs(20);

/// Time for the whole answer, without its end.
const TIME: Duration = Duration::from_secs(120);

/// Size of the whole answer. Bytes.
const MAX_BYTES: usize = 32 << 20;

/// The threads that write answers.
#[derive(Clone, Debug)]
pub(crate) struct Pipes {
    free: Arc<Semaphore>,
}

impl Default for Pipes {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_PIPES)) }
    }
}

impl Pipes {
    /// An answer that `write` writes. If that fails, the connection is broken off, so that nobody
    /// takes a part for the whole.
    ///
    /// # Errors
    ///
    /// When too many others are being written.
    pub(crate) async fn answer(
        &self,
        content_type: &'static str,
        write: impl FnOnce(&mut Pipe) -> io::Result<()> + Send + 'static,
    ) -> Result<Answer, ApiError> {
        let permit = self.enter().await?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let mut pipe = Pipe {
            sender,
            runtime: Handle::current(),
            buf: BytesMut::with_capacity(PIECE),
            spare: MAX_BYTES,
            end: Instant::now() + TIME,
        };
        tokio::task::spawn_blocking(move || {
            let written = write(&mut pipe).and_then(|()| pipe.send());
            let last = match written {
                Ok(()) => Piece::End,
                Err(error) => {
                    debug!(%error, "an answer was broken off");
                    Piece::Broken(error)
                }
            };
            // Whoever is not there any more need not know.
            let _ = pipe.deliver(last);
            drop(permit);
        });
        Ok(answer::of(StatusCode::OK, content_type, Body::stream(Outlet { receiver })))
    }

    /// Has something done by such a thread.
    ///
    /// # Errors
    ///
    /// When too many others are at work; those of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = self.enter().await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.unwrap_or_else(|_| Err(ApiError::Internal("the answer failed".to_owned())))
    }

    async fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        match timeout(PATIENCE, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::Unavailable("too many are asking for this; try later".to_owned())),
        }
    }
}

/// Where an answer is written to.
#[derive(Debug)]
pub(crate) struct Pipe {
    sender: mpsc::Sender<Piece>,
    runtime: Handle,
    buf: BytesMut,
    /// Bytes that the answer may still have.
    spare: usize,
    end: Instant,
}

impl Pipe {
    /// Whether `bytes` more are within what an answer may have, in size and time, and whether
    /// anybody is still there to read them. What is written beyond the size is written all the
    /// same, and a little beyond the time: the ends of documents.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.spare && !self.sender.is_closed() && Instant::now() < self.end
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = self.buf.split().freeze();
        if piece.is_empty() { Ok(()) } else { self.deliver(Piece::Bytes(piece)) }
    }

    fn deliver(&self, piece: Piece) -> io::Result<()> {
        let piece = match self.sender.try_send(piece) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Err(mpsc::error::TrySendError::Full(piece)) => piece,
        };
        let end = (Instant::now() + STALL).min(self.end + STALL);
        match self.runtime.block_on(async { timeout_at(end, self.sender.send(piece)).await }) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow")),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spare = self.spare.saturating_sub(bytes.len());
        self.buf.extend_from_slice(bytes);
        if self.buf.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What goes through a pipe. Without an end the writer is gone.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
    Broken(io::Error),
}

/// The other end of a pipe.
#[derive(Debug)]
struct Outlet {
    receiver: mpsc::Receiver<Piece>,
}

impl HttpBody for Outlet {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match ready!(self.receiver.poll_recv(cx)) {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            Some(Piece::Broken(error)) => Some(Err(error)),
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}
