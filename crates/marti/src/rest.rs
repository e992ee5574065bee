//! What is left of a body once its request is answered.
//!
//! An answer does not wait for it: a client that was refused may never send it. But a client that
//! looks for the answer only once it has sent everything must not find the connection gone, and the
//! next request comes behind the body. So some of the rest is read while the answer is on its way;
//! behind a large one the connection ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// Most of a rest that is read; with more the connection ends. Bytes.
const MAX_REST: usize = 256 << 10;

/// How long a rest may be silent behind which the connection ends.
const SILENCE: Duration = Duration::from_secs(2);

/// A body that goes back to who lent it unless it was read to its end.
pub(crate) struct Lent<B> {
    body: Option<B>,
    /// Whether its sender was told that it is wanted.
    is_wanted: bool,
    rest: Rest<B>,
}

/// Where a lent body comes back to.
pub(crate) struct Rest<B>(Arc<Mutex<Option<(B, bool)>>>);

impl<B> Lent<B> {
    /// Lends a body.
    pub(crate) fn new(body: B) -> (Self, Rest<B>) {
        let rest = Rest(Arc::default());
        (Self { body: Some(body), is_wanted: false, rest: Rest(rest.0.clone()) }, rest)
    }
}

impl<B: HttpBody<Data = Bytes> + Send + Unpin + 'static> Rest<B> {
    /// Has what came back read by a task of its own. `is_last`: the connection ends with the answer
    /// anyway. `is_awaited`: the sender waits to be told to go on. Says whether the connection must
    /// end, because there is too much, or nobody knows whether it will come.
    pub(crate) fn read(self, is_last: bool, is_awaited: bool) -> bool {
        let back = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((body, is_wanted)) = back.filter(|(body, _)| !body.is_end_stream()) else {
            return is_last;
        };
        if is_awaited && !is_wanted {
            return true;
        }
        let is_last = is_last || body.size_hint().lower() > MAX_REST as u64;
        // Else the pace of all bodies is enough. Where this gives up, the connection ends.
        let silence = if is_last { SILENCE } else { Duration::MAX };
        tokio::spawn(read_on(body, silence));
        is_last
    }
}

async fn read_on(mut body: impl HttpBody<Data = Bytes> + Unpin, silence: Duration) {
    let mut left = MAX_REST;
    while let Ok(Some(Ok(frame))) = timeout(silence, body.frame()).await {
        let len = frame.data_ref().map_or(0, Bytes::len);
        if len > left {
            return;
        }
        left -= len;
    }
}

impl<B: HttpBody + Unpin> HttpBody for Lent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.is_wanted = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            let mut rest = self.rest.0.lock().unwrap_or_else(PoisonError::into_inner);
            *rest = Some((body, self.is_wanted));
        }
    }
}
