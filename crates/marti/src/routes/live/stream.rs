//! Server-sent events: `text/event-stream`, which browsers read by themselves.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method, StatusCode};
use http_body::{Body as HttpBody, Frame};
use store::packages::PackageStore;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::feed::Feed;
use crate::Body;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::serve::Stopping;
use crate::service::Inner;
use crate::stats::Gauged;

/// How often something is sent, so that a reader who is gone is noticed and proxies keep the
/// connection.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Time for a reader to take what is there, where the server does not see to that.
pub(super) const STALL: Duration = Duration::from_secs(60);

/// What the stream begins with: after how many milliseconds a browser connects again.
const START: &str = "retry: 3000\n\n";

/// A comment, which readers ignore.
const BEAT: &str = ":\n\n";

/// Sends what the caller sees, the current picture first.
pub(crate) async fn sse<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let body = if ask.method == Method::HEAD {
        Body::empty()
    } else {
        let feed = super::look(&marti, super::enter(&marti, &ask)?, "sse").await?;
        let open = Gauged::new(marti.counters.clone(), |all| &all.streams_open);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(pump(feed, sender, ask.stopping, open));
        Body::stream(Outlet { receiver })
    };
    let mut answer = answer::of(StatusCode::OK, "text/event-stream", body);
    // What is collected by a proxy is not live.
    let buffering = HeaderName::from_static("x-accel-buffering");
    answer.headers_mut().insert(buffering, HeaderValue::from_static("no"));
    Ok(answer)
}

/// Writes the stream until the reader is gone, the relay ends it, or the server stops.
async fn pump(
    mut feed: Feed,
    sender: mpsc::Sender<Bytes>,
    stopping: Option<Stopping>,
    _open: Gauged,
) {
    let mut stopped = pin!(Stopping::of(stopping));
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats.reset();
    let mut next = Bytes::from_static(START.as_bytes());
    loop {
        let sent = tokio::select! {
            sent = timeout(STALL, sender.send(next)) => matches!(sent, Ok(Ok(()))),
            () = &mut stopped => false,
        };
        if !sent {
            return;
        }
        next = tokio::select! {
            events = feed.next() => match events {
                Some(events) => lines(&events),
                None => return,
            },
            _ = beats.tick() => Bytes::from_static(BEAT.as_bytes()),
            () = sender.closed() => return,
            () = &mut stopped => return,
        };
    }
}

/// Events as lines of the stream.
fn lines(events: &[String]) -> Bytes {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into()
}

/// The body that the stream is read from.
#[derive(Debug)]
struct Outlet {
    receiver: mpsc::Receiver<Bytes>,
}

impl HttpBody for Outlet {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            match ready!(self.receiver.poll_recv(cx)) {
                // Of an event that is not complete nothing is sent.
                Some(bytes) if bytes.is_empty() => {}
                bytes => return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use relay::server::Relay;
    use relay::{HubConfig, Viewer};
    use tokio::time::Instant;

    use super::*;
    use crate::crowd::Crowd;

    #[tokio::test(start_paused = true)]
    async fn something_is_said_now_and_then_until_nobody_listens() {
        let mut config = HubConfig::default();
        config.heartbeat = Duration::ZERO;
        let (relay, driver) = Relay::new(config);
        tokio::spawn(driver.run());
        let place = Crowd::new(1, 1).enter(None).unwrap();
        let feed = Feed::attach(&relay, "sse", Viewer::Everything, place).await.unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let open = Gauged::new(Arc::default(), |all| &all.streams_open);
        let pumped = tokio::spawn(pump(feed, sender, None, open));
        assert_eq!(receiver.recv().await.unwrap(), START);
        let began = Instant::now();
        for beat in 1..5 {
            assert_eq!(receiver.recv().await.unwrap(), BEAT);
            assert_eq!(began.elapsed().as_secs(), (HEARTBEAT * beat).as_secs());
        }
        drop(receiver);
        pumped.await.unwrap();
        assert_eq!(lines(&[]), "");
        assert_eq!(lines(&["{}".to_owned(), "[]".to_owned()]), "data: {}\n\ndata: []\n\n");
    }
}
