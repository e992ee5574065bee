//! Contents that are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// Bytes of a piece that is read into memory of its own.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// The bytes of a package, from their start or from where they were sought.
///
/// A type that can be read and sought needs nothing else: `impl ReadContent for Mine {}`.
pub trait ReadContent: AsyncRead + AsyncSeek + Send + Unpin + 'static {
    /// The next bytes, of which `wanted` will be asked for in all: at most so many, and as many as
    /// suit. None at the end of the content. For who passes them on, so that they are copied no
    /// more often than they must be.
    ///
    /// # Errors
    ///
    /// What reading says.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wanted: u64,
    ) -> Poll<io::Result<Vec<u8>>> {
        let mut piece = vec![0; piece_len(wanted)];
        let mut buf = ReadBuf::new(&mut piece);
        ready!(self.poll_read(cx, &mut buf))?;
        let len = buf.filled().len();
        piece.truncate(len);
        Poll::Ready(Ok(piece))
    }
}

/// Length of the next piece for who wants so many bytes.
pub(super) fn piece_len(wanted: u64) -> usize {
    usize::try_from(wanted).map_or(PIECE_BYTES, |wanted| wanted.min(PIECE_BYTES))
}
