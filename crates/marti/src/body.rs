//! Bodies of answers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::stats::Counters;

/// The body of an answer: a whole text, or one in parts, the content of a package, or a stream
/// without an end.
pub struct Body {
    kind: Kind,
    /// Where the bytes that it gives are counted: those of contents only.
    counters: Option<Arc<Counters>>,
}

enum Kind {
    /// What is left of it: all or nothing.
    Whole(Bytes),
    /// What is left of several that are there already, and how many bytes that is.
    Parts(u64, Box<dyn Iterator<Item = Bytes> + Send>),
    Stream(UnsyncBoxBody<Bytes, io::Error>),
}

impl Body {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// These bytes.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Whole(bytes.into()))
    }

    /// These bytes one behind the other, of which there are `len` in all.
    pub(crate) fn parts(len: u64, parts: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self::of(Kind::Parts(len, Box::new(parts)))
    }

    /// What comes.
    pub(crate) fn stream(
        body: impl HttpBody<Data = Bytes, Error = io::Error> + Send + 'static,
    ) -> Self {
        Self::of(Kind::Stream(body.boxed_unsync()))
    }

    /// The content of a package, counted as it goes.
    pub(crate) fn content(
        body: impl HttpBody<Data = Bytes, Error = io::Error> + Send + 'static,
        counters: Arc<Counters>,
    ) -> Self {
        Self { counters: Some(counters), ..Self::stream(body) }
    }

    fn of(kind: Kind) -> Self {
        Self { kind, counters: None }
    }

    /// Leaves it to the caller to count what goes, if that is to be counted.
    pub(crate) fn take_counters(&mut self) -> Option<Arc<Counters>> {
        self.counters.take()
    }

    /// All of it, if it is one piece.
    pub(crate) fn as_whole_mut(&mut self) -> Option<&mut Bytes> {
        match &mut self.kind {
            Kind::Whole(bytes) => Some(bytes),
            Kind::Parts(..) | Kind::Stream(_) => None,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match &mut self.kind {
            Kind::Whole(bytes) if bytes.is_empty() => None,
            Kind::Whole(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Kind::Parts(left, parts) => parts.next().map(|part| {
                *left = left.saturating_sub(part.len() as u64);
                Ok(Frame::data(part))
            }),
            Kind::Stream(stream) => ready!(Pin::new(stream).poll_frame(cx)),
        };
        if let (Some(counters), Some(Ok(frame))) = (&self.counters, &frame)
            && let Some(bytes) = frame.data_ref()
        {
            counters.gave(bytes.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Parts(left, _) => *left == 0,
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Parts(left, _) => SizeHint::with_exact(*left),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.size_hint()).finish()
    }
}
