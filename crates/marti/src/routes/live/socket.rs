//! A WebSocket: the events that the caller sees, each a text of JSON, and those it sends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use relay::CloseReason;
use relay::server::Relay;
use store::packages::PackageStore;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tracing::debug;

use super::feed::Feed;
use super::intake::{Intake, Sender};
use super::receipt;
use super::stream::{HEARTBEAT, STALL};
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::serve::Stopping;
use crate::service::Inner;
use crate::stats::{Counters, Gauged};

/// A peer of whom nothing was heard for so long, no answer to three pings either, is gone.
const SILENCE: Duration = Duration::from_secs(50);

/// Time for the peer to say goodbye in its turn.
const GOODBYE: Duration = Duration::from_secs(1);

/// Bytes that are read and written at a time.
const BUF: usize = 8 << 10;

/// Bytes that wait for a slow peer. One message of events is smaller.
const MAX_WAITING: usize = 4 << 20;

/// What a WebSocket is spoken over.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Makes the connection a WebSocket.
pub(crate) async fn web_socket<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let key = match accept(&ask.headers) {
        Ok(key) => key,
        Err(Unfit::Lacks(name, value)) => {
            let mut answer = answer::empty(StatusCode::UPGRADE_REQUIRED);
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
            return Ok(answer);
        }
        Err(Unfit::Key) => {
            return Err(ApiError::BadRequest("Sec-WebSocket-Key is no key".to_owned()));
        }
    };
    let upgrade = ask.upgrade.take();
    let upgrade = upgrade.ok_or_else(|| ApiError::BadRequest("not on this connection".into()))?;
    // Who may not send may look on all the same.
    let sender = super::sender(&marti, &ask);
    let feed = super::look(&marti, super::enter(&marti, &ask)?, "ws").await?;
    let (relay, counters) = (marti.relay.clone(), marti.counters.clone());
    let talk = Talk { relay, counters, sender, feed, max_text: marti.config.max_body_bytes };
    tokio::spawn(talk.run(upgrade, ask.stopping));
    let mut answer = answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(answer)
}

/// Why a request is none for a WebSocket.
enum Unfit {
    /// It lacks a header with this value.
    Lacks(HeaderName, &'static str),
    /// It has no key, several, or one that is none.
    Key,
}

/// What proves to the peer that this is a WebSocket.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Unfit> {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let mut words = values.flat_map(|value| value.split(',')).map(str::trim);
        words.any(|one| one.eq_ignore_ascii_case(word))
    };
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return Err(Unfit::Lacks(header::UPGRADE, "websocket"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Unfit::Lacks(header::SEC_WEBSOCKET_VERSION, "13"));
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key.as_bytes()) => derive_accept_key(key.as_bytes()),
        _ => return Err(Unfit::Key),
    };
    HeaderValue::try_from(key).map_err(|_| Unfit::Key)
}

/// Whether this is Base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.strip_suffix(b"==").is_some_and(|digits| digits.iter().all(is_digit))
}

/// A WebSocket and what it shows.
struct Talk {
    relay: Relay,
    counters: Arc<Counters>,
    sender: Result<Sender, ApiError>,
    feed: Feed,
    /// Bytes of a text of the peer's.
    max_text: usize,
}

impl Talk {
    async fn run(mut self, upgrade: OnUpgrade, stopping: Option<Stopping>) {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return debug!(%error, "a WebSocket did not come about"),
        };
        let _open = Gauged::new(self.counters.clone(), |all| &all.streams_open);
        let mut socket = self.socket(TokioIo::new(upgraded)).await;
        let goodbye = tokio::select! {
            goodbye = self.talk(&mut socket) => goodbye,
            () = Stopping::of(stopping) => Some((CloseCode::Away, "the server stops")),
        };
        let Some((code, text)) = goodbye else { return };
        let reason = Utf8Bytes::from_static(text);
        let leave = async {
            let said = socket.close(Some(CloseFrame { code, reason })).await;
            // Until the peer agrees.
            while said.is_ok() && matches!(socket.next().await, Some(Ok(_))) {}
        };
        let _ = timeout(GOODBYE, leave).await;
    }

    async fn socket<S: Stream>(&self, io: S) -> WebSocketStream<S> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUF)
            .write_buffer_size(BUF)
            .max_write_buffer_size(MAX_WAITING)
            .max_message_size(Some(self.max_text))
            .max_frame_size(Some(self.max_text));
        WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
    }

    /// Until there is a reason to end it; `None` when the peer has ended it.
    async fn talk<S: Stream>(
        &mut self,
        socket: &mut WebSocketStream<S>,
    ) -> Option<(CloseCode, &'static str)> {
        let mut beats = interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.reset();
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = socket.next() => {
                    heard = Instant::now();
                    match self.receive(socket, message?).await {
                        Ok(()) => {}
                        Err(goodbye) => return goodbye,
                    }
                }
                events = self.feed.next() => match events {
                    Some(events) => write(socket, events).await?,
                    None => return Some(goodbye(self.feed.reason().await)),
                },
                _ = beats.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Some((CloseCode::Away, "nothing was heard of you"));
                    }
                    let ping = socket.send(Message::Ping(Default::default()));
                    timeout(STALL, ping).await.ok()?.ok()?;
                }
            }
        }
    }

    /// Takes what the peer sends. The error is why to end, as of [`talk`](Self::talk).
    async fn receive<S: Stream>(
        &self,
        socket: &mut WebSocketStream<S>,
        message: Result<Message, Error>,
    ) -> Result<(), Option<(CloseCode, &'static str)>> {
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(Message::Binary(_)) => {
                return Err(Some((CloseCode::Unsupported, "events are text: XML or JSON")));
            }
            // Pings and goodbyes are answered by the library.
            Ok(_) => return Ok(()),
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                return Err(Some((CloseCode::Size, "the message is too long")));
            }
            Err(Error::Utf8(_)) => return Err(Some((CloseCode::Invalid, "a text is UTF-8"))),
            Err(Error::Protocol(_)) => {
                return Err(Some((CloseCode::Protocol, "this is no WebSocket")));
            }
            Err(error) => {
                debug!(%error, "a WebSocket failed");
                return Err(None);
            }
        };
        let answer = match &self.sender {
            Ok(sender) => {
                let mut intake = Intake::new(&self.relay, sender);
                intake.take(text.as_bytes()).await;
                let done = intake.finish();
                self.counters.took(done.events - done.refused);
                receipt(&done)
            }
            Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
        };
        write(socket, vec![answer]).await.ok_or(None)
    }
}

/// Writes texts; `None` when the peer is gone, or takes nothing.
async fn write<S: Stream>(socket: &mut WebSocketStream<S>, texts: Vec<String>) -> Option<()> {
    let written = async {
        for text in texts {
            socket.feed(Message::text(text)).await?;
        }
        socket.flush().await
    };
    timeout(STALL, written).await.ok()?.ok()
}

/// What the peer is told when the relay has ended its connection.
fn goodbye(reason: CloseReason) -> (CloseCode, &'static str) {
    match reason {
        CloseReason::Shutdown => (CloseCode::Away, "the server stops"),
        CloseReason::SlowConsumer | CloseReason::WriteTimeout => {
            (CloseCode::Again, "you do not keep up")
        }
        _ => (CloseCode::Error, "the stream has ended"),
    }
}

#[cfg(test)]
mod tests {
    use relay::{HubConfig, Viewer};
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::crowd::Crowd;

    /// A relay where nothing happens, the peer's end of a WebSocket, and how that ends.
    async fn quiet()
    -> (Relay, WebSocketStream<DuplexStream>, JoinHandle<Option<(CloseCode, &'static str)>>) {
        let mut config = HubConfig::default();
        config.heartbeat = Duration::ZERO;
        let (relay, driver) = Relay::new(config);
        tokio::spawn(driver.run());
        let place = Crowd::new(1, 1).enter(None).unwrap();
        let feed = Feed::attach(&relay, "ws", Viewer::Everything, place).await.unwrap();
        let sender = Ok(Sender::Operator);
        let (counters, max_text) = (Arc::default(), 1 << 20);
        let mut talk = Talk { relay: relay.clone(), counters, sender, feed, max_text };
        let (near, far) = duplex(4 << 10);
        let ended = tokio::spawn(async move {
            let mut socket = talk.socket(far).await;
            talk.talk(&mut socket).await
        });
        (relay, WebSocketStream::from_raw_socket(near, Role::Client, None).await, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_who_answers_pings_may_stay() {
        let (_relay, mut peer, ended) = quiet().await;
        let began = Instant::now();
        for beat in 1..40 {
            assert!(matches!(peer.next().await, Some(Ok(Message::Ping(_)))));
            assert_eq!(began.elapsed().as_secs(), (HEARTBEAT * beat).as_secs());
        }
        assert!(!ended.is_finished());
        peer.close(None).await.unwrap();
        assert_eq!(ended.await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_of_whom_nothing_is_heard_is_let_go() {
        let (_relay, _peer, ended) = quiet().await;
        let began = Instant::now();
        assert_eq!(ended.await.unwrap().unwrap().0, CloseCode::Away);
        assert_eq!(began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_who_takes_nothing_is_let_go() {
        let (relay, _peer, ended) = quiet().await;
        let began = Instant::now();
        for number in 0..20 {
            let event = format!(
                r#"<event version="2.0" uid="{number}" type="a-h-G" how="m-g"
                time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z"
                stale="2096-01-01T00:00:00Z"><point lat="1" lon="2" hae="0" ce="9" le="9"/>
                <detail><remarks>{}</remarks></detail></event>"#,
                "a".repeat(2_000)
            );
            relay.submit(event.as_bytes(), "").unwrap();
        }
        assert_eq!(ended.await.unwrap(), None);
        assert_eq!(began.elapsed().as_secs(), STALL.as_secs());
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for key in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ===", "short==", "a b=="] {
            assert!(!is_key(key.as_bytes()), "{key}");
        }
    }
}
