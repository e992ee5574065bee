//! A viewer of the relay, whose events come as JSON.
//!
//! It is an ordinary connection, in memory: the relay begins with the current picture, sends what
//! the viewer's teams receive, and leaves out what has been superseded before a slow viewer took it.
//! Nothing is read from it that there is no room for, so a viewer costs the same however slow.

use std::future::poll_fn;
use std::task::Poll;

use cot_core::{Deframer, Event, Item, Limits, Scanner};
use relay::server::Relay;
use relay::{CloseReason, Peer, RefuseReason, Viewer};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use crate::crowd::Place;

/// Bytes between the relay and the viewer. It holds the largest event that clients can take.
const PIPE: usize = 64 << 10;

/// Bytes of events that are made JSON at a time.
const READ: usize = 8 << 10;

/// A viewer.
#[derive(Debug)]
pub(super) struct Feed {
    /// Left before the relay is: whoever sees there that a viewer is gone finds room here.
    _place: Place,
    io: DuplexStream,
    ended: JoinHandle<Result<CloseReason, RefuseReason>>,
    deframer: Deframer,
    scanner: Scanner,
    read: Box<[u8]>,
}

impl Feed {
    /// Attaches a viewer. `None` where the relay admits no more connections.
    pub(super) async fn attach(
        relay: &Relay,
        transport: &'static str,
        viewer: Viewer,
        place: Place,
    ) -> Option<Self> {
        let (io, far) = duplex(PIPE);
        let relay = relay.clone();
        let mut connection =
            Box::pin(async move { relay.attach(far, Peer::viewing(transport, viewer)).await });
        // A refusal comes at once.
        let is_in = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_pending())).await;
        is_in.then(|| Self {
            _place: place,
            io,
            ended: tokio::spawn(connection),
            deframer: Deframer::new(),
            scanner: Scanner::new(Limits::default()),
            read: vec![0; READ].into_boxed_slice(),
        })
    }

    /// The next events, each a JSON object without line ends; none where one is not complete yet.
    /// `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Vec<String>> {
        let len = self.io.read(&mut self.read).await.ok().filter(|&len| len > 0)?;
        let mut events = Vec::new();
        let read = self.read.get(..len).unwrap_or_default();
        let fed = self.deframer.feed(&mut self.scanner, read, &mut |item: Item<'_>| {
            let Item::Event(header) = item else { return };
            let event = Event::from_xml(header.bytes()).ok();
            events.extend(event.and_then(|event| serde_json::to_string(&event).ok()));
        });
        // The relay sends whole, valid events.
        fed.is_ok().then_some(events)
    }

    /// Why it has ended, once it has.
    pub(super) async fn reason(&mut self) -> CloseReason {
        match (&mut self.ended).await {
            Ok(Ok(reason)) => reason,
            _ => CloseReason::Io,
        }
    }
}
