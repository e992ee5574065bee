//! Bodies as readers, which is what a store takes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body::Body as _;
use tokio::io::{AsyncRead, ReadBuf};

use crate::ask::AskBody;

/// Bytes that are given at a time.
const PIECE: usize = 64 << 10;

/// Bytes that are waited for before any are given, unless the body ends: a parser that searches all
/// it has whenever there is more does so a few times only.
const GATHERED: usize = 4 << 10;

/// Bytes at the beginning of a form in which its first boundary must be.
const MAX_PREAMBLE: usize = 1 << 10;

/// A stream of pieces, read.
pub(super) struct PieceReader<S> {
    pieces: S,
    rest: Bytes,
}

impl<S> PieceReader<S> {
    pub(super) fn new(pieces: S) -> Self {
        Self { pieces, rest: Bytes::new() }
    }
}

impl<S, E> AsyncRead for PieceReader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<io::Error>,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match ready!(Pin::new(&mut this.pieces).poll_next(cx)) {
                Some(Ok(piece)) => this.rest = piece,
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest.split_to(len));
        Poll::Ready(Ok(()))
    }
}

/// The pieces of a body.
pub(super) struct Pieces<'a> {
    body: &'a mut AskBody,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(body: &'a mut AskBody) -> Self {
        Self { body }
    }
}

impl Stream for Pieces<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut *self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers say nothing of the content.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The pieces of a form, given out as slowly as they are taken, and no more of them than allowed.
///
/// A form whose first boundary is not near its beginning is none.
///
/// A parser that takes all it can get at a time gets one small piece: its memory stays bounded,
/// however fast the sender is, and however long a line that never ends.
pub(super) struct Measured<'a> {
    pieces: Pieces<'a>,
    /// Received, and too few to be given yet.
    few: BytesMut,
    /// Received, and not given yet.
    rest: Bytes,
    has_ended: bool,
    /// What a form begins with, until that was seen.
    mark: Option<Vec<u8>>,
    /// Whether a piece was given since the parser was told to wait.
    has_given: bool,
    allowance: &'a Allowance,
}

/// Bytes that may still be given.
#[derive(Debug)]
pub(super) struct Allowance(AtomicUsize);

impl Allowance {
    /// So many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// As many as there are.
    pub(super) fn lift(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    /// Takes some; says whether there were so many.
    fn take(&self, bytes: usize) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left != usize::MAX {
            self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
        left >= bytes
    }
}

impl<'a> Measured<'a> {
    pub(super) fn new(body: &'a mut AskBody, boundary: &str, allowance: &'a Allowance) -> Self {
        Self {
            pieces: Pieces::new(body),
            few: BytesMut::new(),
            rest: Bytes::new(),
            has_ended: false,
            mark: Some(format!("--{boundary}").into_bytes()),
            has_given: false,
            allowance,
        }
    }
}

/// Why a body is no form that is read on.
fn unfit(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Stream for Measured<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while this.rest.is_empty() && !this.has_ended {
            match ready!(Pin::new(&mut this.pieces).poll_next(cx)) {
                Some(Ok(piece)) if this.few.is_empty() && piece.len() >= GATHERED => {
                    this.rest = piece;
                }
                Some(Ok(piece)) => this.few.extend_from_slice(&piece),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.has_ended = true,
            }
            if this.few.len() >= GATHERED || this.has_ended {
                this.rest = this.few.split().freeze();
            }
        }
        if let Some(mark) = this.mark.take() {
            let start = this.rest.get(..MAX_PREAMBLE).unwrap_or(&this.rest);
            if !start.windows(mark.len()).any(|part| part == mark) {
                let text = "there is no boundary at the beginning of the body";
                return Poll::Ready(Some(Err(unfit(text))));
            }
        }
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        if !this.allowance.take(piece.len()) {
            return Poll::Ready(Some(Err(unfit("there is no file at the beginning of the body"))));
        }
        this.has_given = true;
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::io::AsyncReadExt;

    use super::*;

    const BOUNDARY: &str = "b-7";

    fn text(len: usize) -> Vec<u8> {
        b"--b-7\r\n".iter().copied().chain((0..251_u8).cycle()).take(len).collect()
    }

    /// A body that comes in frames of this size.
    fn body(whole: &[u8], frame: usize) -> AskBody {
        let frames: Vec<_> =
            whole.chunks(frame).map(|part| Ok(Frame::data(Bytes::copy_from_slice(part)))).collect();
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_is_read_whole_in_either_way() {
        for (len, frame) in [(100_000, 100_000), (100_000, 1), (100, 7), (5_000, 4_999)] {
            let whole = text(len);
            let (mut plain, mut measured) = (Vec::new(), Vec::new());
            let mut sent = body(&whole, frame);
            PieceReader::new(Pieces::new(&mut sent)).read_to_end(&mut plain).await.unwrap();
            let allowance = Allowance::new(whole.len());
            let mut sent = body(&whole, frame);
            let pieces = Measured::new(&mut sent, BOUNDARY, &allowance);
            PieceReader::new(pieces).read_to_end(&mut measured).await.unwrap();
            assert!(plain == whole && measured == whole, "{len} {frame}");
        }
    }

    #[tokio::test]
    async fn no_more_is_given_than_allowed() {
        let allowance = Allowance::new(PIECE);
        let mut sent = body(&text(3 * PIECE), 3 * PIECE);
        let mut reader = PieceReader::new(Measured::new(&mut sent, BOUNDARY, &allowance));
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read.len()), (io::ErrorKind::InvalidData, PIECE));
        allowance.lift();
        reader.read_to_end(&mut read).await.unwrap();
        // What was refused is not given again.
        assert_eq!(read.len(), 2 * PIECE);
    }

    #[test]
    fn who_takes_all_that_is_there_gets_one_piece_at_a_time() {
        let allowance = Allowance::new(usize::MAX);
        let mut sent = body(&text(2 * PIECE), 2 * PIECE);
        let mut pieces = Measured::new(&mut sent, BOUNDARY, &allowance);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for is_ready in [true, false, true, false, true] {
            assert_eq!(Pin::new(&mut pieces).poll_next(&mut cx).is_ready(), is_ready);
        }
    }

    #[tokio::test]
    async fn small_frames_are_gathered() {
        let allowance = Allowance::new(usize::MAX);
        let mut sent = body(&text(10_000), 1);
        let pieces: Vec<_> = Measured::new(&mut sent, BOUNDARY, &allowance).collect().await;
        let lens: Vec<_> = pieces.iter().map(|piece| piece.as_ref().unwrap().len()).collect();
        assert_eq!(lens, [GATHERED, GATHERED, 10_000 - 2 * GATHERED]);
    }

    #[tokio::test]
    async fn what_does_not_begin_with_a_boundary_is_no_form() {
        let with = |before: usize| [vec![b'a'; before], b"--b-7".to_vec()].concat();
        for (whole, is_form) in [
            (with(0), true),
            (with(MAX_PREAMBLE - 5), true),
            (with(MAX_PREAMBLE - 4), false),
            (with(9_000), false),
            (Vec::new(), false),
            (b"--b-".to_vec(), false),
        ] {
            let allowance = Allowance::new(usize::MAX);
            let mut sent = body(&whole, 100);
            let first = Measured::new(&mut sent, BOUNDARY, &allowance).next().await;
            assert_eq!(first.unwrap().is_ok(), is_form, "{}", whole.len());
        }
    }
}
