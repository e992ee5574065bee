//! One connection: bytes in, bytes out.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use cot_core::{Deframer, FrameError, Item};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Relay;
use super::scratch::Scratch;
use crate::{Batch, ClientId, CloseReason};

/// Bytes of one write.
const MAX_WRITE: usize = 256 << 10;

/// Slices of one write.
const MAX_SLICES: usize = 64;

/// Reads in one turn, so that one connection does not keep the others waiting.
const READS_PER_TURN: usize = 2;

/// Writes in one turn, likewise.
const WRITES_PER_TURN: usize = 4;

/// The task of one connection. Ends with the reason for its end.
pub(super) struct Connection<S> {
    io: S,
    id: ClientId,
    relay: Relay,
    deframer: Deframer,
    /// The hub may have something for this client.
    wants_write: bool,
    /// Something was written and not flushed.
    wants_flush: bool,
    closing: Option<CloseReason>,
    has_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(io: S, id: ClientId, relay: Relay) -> Self {
        Self {
            io,
            id,
            relay,
            deframer: Deframer::new(),
            wants_write: false,
            wants_flush: false,
            closing: None,
            has_ended: false,
        }
    }

    /// Reads what is there and hands it to the hub.
    fn poll_input(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<CloseReason> {
        let shared = &self.relay.shared;
        for _ in 0..READS_PER_TURN {
            let mut buf = ReadBuf::new(&mut scratch.read);
            let result = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf));
            let read = buf.filled();
            if result.is_err() {
                return Poll::Ready(CloseReason::Io);
            }
            if read.is_empty() {
                return Poll::Ready(CloseReason::PeerClosed);
            }
            let now = shared.clock.now();
            let id = self.id;
            let fed = self.deframer.feed(&mut scratch.scanner, read, &mut |item: Item<'_>| {
                shared.shell().hub.handle_item(now, id, &item);
            });
            shared.shell().hub.handle_bytes(now, id, read.len(), self.deframer.pending());
            shared.end_turn();
            if let Err(error) = fed {
                if shared.shell().may_log(now) {
                    tracing::info!(client = id.as_u64(), %error, "closing connection");
                }
                return Poll::Ready(reason_for(&error));
            }
        }
        // There may be more.
        after_others(cx);
        Poll::Pending
    }

    /// Writes what the hub has for this client.
    fn poll_output(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let shared = &self.relay.shared;
        let mut max = MAX_WRITE;
        for _ in 0..WRITES_PER_TURN {
            if !self.wants_write {
                break;
            }
            let now = shared.clock.now();
            let is_closing = {
                let hub = &mut shared.shell().hub;
                hub.read(now, self.id, batch, max);
                hub.is_closing()
            };
            if batch.is_empty() {
                self.wants_write = false;
                if is_closing {
                    shared.end_turn();
                }
                break;
            }
            let result = poll_write(Pin::new(&mut self.io), cx, batch);
            let written = match &result {
                Poll::Ready(Ok(written)) => *written,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            shared.shell().hub.commit(now, self.id, batch, written);
            ready!(result)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wants_flush = true;
            if written < batch.len() {
                // One small try is enough to be told when the transport is ready for more.
                max = 1;
            }
        }
        if self.wants_write {
            after_others(cx);
            return Poll::Pending;
        }
        if self.wants_flush {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.wants_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn serve(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<CloseReason> {
        let notice = self.relay.shared.shell().listen(self.id, cx.waker());
        self.wants_write |= notice.is_readable;
        if let Some(reason) = notice.close {
            return Poll::Ready(reason);
        }
        if let Poll::Ready(reason) = self.poll_input(cx, scratch) {
            return Poll::Ready(reason);
        }
        match self.poll_output(cx, &mut scratch.batch) {
            Poll::Ready(Err(_)) => Poll::Ready(CloseReason::Io),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<S> Connection<S> {
    /// Tells the hub, once, that the connection is over.
    fn end(&mut self, reason: CloseReason) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let shared = &self.relay.shared;
        let now = shared.clock.now();
        let mut shell = shared.shell();
        shell.hub.handle_disconnect(now, self.id, reason);
        shell.forget(self.id);
        drop(shell);
        shared.end_turn();
        shared.emptied.notify_waiters();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        if this.closing.is_none() {
            let mut scratch = this.relay.shared.scratch.take();
            let served = this.serve(cx, &mut scratch);
            this.relay.shared.scratch.put(scratch);
            this.closing = Some(ready!(served));
        }
        let reason = this.closing.unwrap_or(CloseReason::PeerClosed);
        // The hub lets go first: a transport that hangs in its goodbye costs nothing.
        this.end(reason);
        if reason == CloseReason::Shutdown {
            // The result does not matter any more.
            let _ = ready!(Pin::new(&mut this.io).poll_shutdown(cx));
        }
        Poll::Ready(reason)
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.end(CloseReason::PeerClosed);
    }
}

/// Has the task polled again, once the runtime has looked at its sockets and run what is ready.
/// Just to wake it would put it before those of whose bytes the runtime does not know yet.
fn after_others(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

fn poll_write<S: AsyncWrite>(
    io: Pin<&mut S>,
    cx: &mut Context<'_>,
    batch: &Batch,
) -> Poll<io::Result<usize>> {
    match batch.slices() {
        [only] => io.poll_write(cx, only),
        slices if io.is_write_vectored() => {
            let mut vector = [IoSlice::new(&[]); MAX_SLICES];
            let count = slices.len().min(MAX_SLICES);
            for (io_slice, slice) in vector.iter_mut().zip(slices) {
                *io_slice = IoSlice::new(slice);
            }
            io.poll_write_vectored(cx, vector.get(..count).unwrap_or_default())
        }
        [first, ..] => io.poll_write(cx, first),
        [] => Poll::Ready(Ok(0)),
    }
}

fn reason_for(error: &FrameError) -> CloseReason {
    match error {
        FrameError::Tls => CloseReason::Tls,
        FrameError::Http => CloseReason::Http,
        _ => CloseReason::Protocol,
    }
}
