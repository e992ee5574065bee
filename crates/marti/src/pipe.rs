//! Answers that are written by a thread of their own while they are sent: what reads files or goes
//! through the whole picture must not hold up the others, nor be held as a whole.

mod line;

use std::io::{self, Write};
use std::net::IpAddr;
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

use self::line::{Lines, Place};
use crate::Body;
use crate::answer::{self, Answer};
use crate::error::ApiError;

/// Answers that are being sent at a time, one to each address.
const MAX_PIPES: usize = 8;

/// Answers that are worked on at a time; the others wait for their readers.
const MAX_AT_WORK: usize = 2;

/// Time after which one that is worked on lets another.
const SLICE: Duration = Duration::from_millis(50);

/// Time to wait for one of the others to end. More than [`HASTE`].
const PATIENCE: Duration = Duration::from_secs(8);

/// Bytes that are sent at once, and how many such pieces wait for a slow reader.
const PIECE: usize = 16 << 10;
const PIECES: usize = 4;

/// Time for a reader to take a piece, and the same while somebody else waits for the place.
const STALL: Duration = Duration::from_secs(20);
const HASTE: Duration = Duration::from_secs(5);

/// How often it is looked at whether somebody waits.
const GLANCE: Duration = Duration::from_millis(250);

/// Time for the whole answer, without its end.
const TIME: Duration = Duration::from_secs(120);

/// Size of the whole answer. Bytes.
const MAX_BYTES: usize = 32 << 20;

/// The threads that write answers.
#[derive(Clone, Debug)]
pub(crate) struct Pipes {
    lines: Lines,
    /// Of those who wait for work alone, none of whom waits for a reader.
    quick_lines: Lines,
    at_work: Arc<Semaphore>,
}

impl Default for Pipes {
    fn default() -> Self {
        Self {
            lines: Lines::new(MAX_PIPES),
            quick_lines: Lines::new(MAX_AT_WORK),
            at_work: Arc::new(Semaphore::new(MAX_AT_WORK)),
        }
    }
}

impl Pipes {
    /// An answer to `addr` that `write` writes. If that fails, the connection is broken off, so that
    /// nobody takes a part for the whole.
    ///
    /// # Errors
    ///
    /// When too many others are being written.
    pub(crate) async fn answer(
        &self,
        addr: Option<IpAddr>,
        content_type: &'static str,
        write: impl FnOnce(&mut Pipe) -> io::Result<()> + Send + 'static,
    ) -> Result<Answer, ApiError> {
        let (place, turn) = self.enter(&self.lines, addr).await?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let mut pipe = Pipe {
            sender,
            runtime: Handle::current(),
            buf: BytesMut::with_capacity(PIECE),
            spare: MAX_BYTES,
            end: Instant::now() + TIME,
            place,
            turn: Some(turn),
            since: Instant::now(),
            at_work: self.at_work.clone(),
        };
        tokio::task::spawn_blocking(move || {
            let written = write(&mut pipe).and_then(|()| pipe.send());
            // Without its end the connection is broken off once the reader has taken the rest.
            if let Err(error) = written.and_then(|()| pipe.deliver(Piece::End)) {
                debug!(%error, "an answer was broken off");
            }
        });
        Ok(answer::of(StatusCode::OK, content_type, Body::stream(Outlet { receiver })))
    }

    /// Has something done for `addr` by such a thread.
    ///
    /// # Errors
    ///
    /// When too many others are at work; those of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        addr: Option<IpAddr>,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let entered = self.enter(&self.quick_lines, addr).await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(entered);
            done
        });
        done.await.unwrap_or_else(|_| Err(ApiError::Internal("the answer failed".to_owned())))
    }

    async fn enter(
        &self,
        lines: &Lines,
        addr: Option<IpAddr>,
    ) -> Result<(Place, OwnedSemaphorePermit), ApiError> {
        let entered = timeout(PATIENCE, async {
            let place = lines.enter(addr).await;
            let turn = self.at_work.clone().acquire_owned().await;
            turn.ok().map(|turn| (place, turn))
        });
        entered.await.ok().flatten().ok_or_else(|| {
            ApiError::Unavailable("too many are asking for this; try later".to_owned())
        })
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
    place: Place,
    /// Held while the answer is worked on, since when, and where it is from.
    turn: Option<OwnedSemaphorePermit>,
    since: Instant,
    at_work: Arc<Semaphore>,
}

impl Pipe {
    /// Whether `bytes` more are within what an answer may have, in size and time, and whether
    /// anybody is still there to read them. What is written beyond the size is written all the
    /// same, and a little beyond the time: the ends of documents.
    ///
    /// To be asked now and then by who works long: others are let in meanwhile.
    pub(crate) fn has_room(&mut self, bytes: usize) -> bool {
        self.take_turns();
        bytes <= self.spare && !self.sender.is_closed() && Instant::now() < self.end
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = self.buf.split().freeze();
        if piece.is_empty() { Ok(()) } else { self.deliver(Piece::Bytes(piece)) }
    }

    fn deliver(&mut self, piece: Piece) -> io::Result<()> {
        match self.sender.try_send(piece) {
            Ok(()) => {
                self.take_turns();
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(mpsc::error::TrySendError::Full(piece)) => {
                self.turn = None;
                self.runtime.block_on(self.deliver_later(piece))?;
                self.turn = self.runtime.block_on(self.at_work.clone().acquire_owned()).ok();
                self.since = Instant::now();
                Ok(())
            }
        }
    }

    /// Waits for the reader.
    async fn deliver_later(&self, piece: Piece) -> io::Result<()> {
        let start = Instant::now();
        let end = (start + STALL).min(self.end + STALL);
        loop {
            let glance = (Instant::now() + GLANCE).min(end);
            match timeout_at(glance, self.sender.reserve()).await {
                Ok(Ok(slot)) => {
                    slot.send(piece);
                    return Ok(());
                }
                Ok(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(_) => {}
            }
            let is_hurried = start.elapsed() >= HASTE && self.place.is_waited_for();
            if is_hurried || Instant::now() >= end {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
            }
        }
    }

    /// Lets those work who wait to, after a while.
    fn take_turns(&mut self) {
        if self.since.elapsed() < SLICE {
            return;
        }
        // Whoever waits gets what is given back, before anybody who asks now.
        self.turn = None;
        self.turn = match self.at_work.clone().try_acquire_owned() {
            Ok(turn) => Some(turn),
            Err(_) => self.runtime.block_on(self.at_work.clone().acquire_owned()).ok(),
        };
        self.since = Instant::now();
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
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}
