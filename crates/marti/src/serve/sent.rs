//! Bodies on a connection, of which contents count when the connection has taken their bytes and not
//! when they wait for it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::Body;
use crate::stats::Counters;

/// A body whose bytes say when they are gone.
pub(super) struct Sent {
    body: Body,
    counters: Option<Arc<Counters>>,
}

impl Sent {
    pub(super) fn new(mut body: Body) -> Self {
        let counters = body.take_counters();
        Self { body, counters }
    }
}

impl HttpBody for Sent {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Piece>>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        let piece = |bytes| Piece { bytes, counters: this.counters.clone() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that are counted as they are written, if they are to be counted.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    counters: Option<Arc<Counters>>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, len: usize) {
        self.bytes.advance(len);
        if let Some(counters) = &self.counters {
            counters.gave(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn a_content_counts_when_it_is_written_and_nothing_else_does() {
        let counters = Arc::<Counters>::default();
        let content = || {
            let body = Full::new(Bytes::from_static(b"content")).map_err(|never| match never {});
            Body::content(body, counters.clone())
        };
        let mut sent = Sent::new(content());
        let mut piece = sent.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(sent.frame().await.is_none());
        assert_eq!(counters.read().content_bytes_out, 0);
        piece.advance(3);
        assert_eq!((piece.chunk(), counters.read().content_bytes_out), (&b"tent"[..], 3));
        drop(piece);
        assert_eq!(counters.read().content_bytes_out, 3);
        // Who has no connection to look at counts what is given.
        content().frame().await.unwrap().unwrap();
        assert_eq!(counters.read().content_bytes_out, 10);

        let whole = Sent::new(Body::whole("text")).collect().await.unwrap().to_bytes();
        assert_eq!((&*whole, counters.read().content_bytes_out), (&b"text"[..], 10));
    }
}
