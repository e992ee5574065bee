//! The shell as an embedder sees it: own transports, ends of every kind, several relays.

mod net;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use net::text::{
    attribute, chat, dest, directed, event, is_pong, marker, numbered, ping, sa, uids,
};
use net::{Client, Server, config, hasty, on_both_runtimes, soon};
use relay::server::Relay;
use relay::{CloseReason, HubConfig, Peer, PublishError, RefuseReason, Scope};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;

/// How an [`Odd`] transport writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Writes {
    /// As its inner transport does, one slice at a time.
    Plain,
    /// One byte at a time.
    OneByte,
    /// Several slices at once.
    Vectored,
    /// Not at all: it fails.
    Fail,
    /// Not at all: it says that it took nothing.
    Nothing,
}

/// A transport of an embedder.
struct Odd {
    inner: DuplexStream,
    writes: Writes,
}

impl AsyncRead for Odd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Odd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writes {
            Writes::Fail => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Writes::Nothing => Poll::Ready(Ok(0)),
            Writes::OneByte => {
                let first = bytes.get(..1).unwrap_or_default();
                Pin::new(&mut self.inner).poll_write(cx, first)
            }
            Writes::Plain | Writes::Vectored => Pin::new(&mut self.inner).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert_eq!(self.writes, Writes::Vectored, "it said that it cannot");
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writes == Writes::Vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

type Serving = JoinHandle<Result<CloseReason, RefuseReason>>;

fn relay(config: HubConfig) -> (Relay, JoinHandle<()>) {
    let (relay, driver) = Relay::new(config);
    (relay, tokio::spawn(driver.run()))
}

fn attach<S>(relay: &Relay, io: S) -> Serving
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let relay = relay.clone();
    tokio::spawn(async move { relay.attach(io, Peer::local("odd")).await })
}

/// A client on a transport in memory that holds `room` bytes.
fn client(relay: &Relay, writes: Writes, room: usize) -> (Client<DuplexStream>, Serving) {
    let (near, inner) = tokio::io::duplex(room);
    (Client::new(near), attach(relay, Odd { inner, writes }))
}

#[test]
fn every_transport_gets_the_same_bytes() {
    on_both_runtimes(async || {
        for writes in [Writes::Plain, Writes::Vectored, Writes::OneByte] {
            for (room, events) in [(1, 10), (7, 20), (1_000, 100), (1 << 20, 100)] {
                let (relay, _driver) = relay(config());
                let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
                alpha.sync().await;
                let (mut bravo, _) = client(&relay, writes, room);
                bravo.say(sa("B", "BRAVO", "")).await;
                let (mut charlie, _) = client(&relay, Writes::Plain, 1 << 20);
                charlie.say(sa("C", "CHARLIE", "")).await;
                bravo.sync().await;
                let to = |callsign: &str| [dest("callsign", callsign)];
                // Events for others lie in between, so that what BRAVO gets is in many pieces.
                let (mut sent, mut expected) = (String::new(), Vec::new());
                for n in 0..events {
                    let text = numbered(&format!("M{n}"), n);
                    sent += &text;
                    sent += &directed("not for B", "b-t-f", &to("CHARLIE"));
                    expected.push(text);
                }
                let sending = tokio::spawn(async move {
                    alpha.say(sent).await;
                    alpha
                });
                assert!(bravo.events(events).await == expected, "{writes:?}, {room}");
                assert_eq!(bravo.sync().await, [""; 0], "{writes:?}, {room}");
                sending.await.expect("no panic");
                assert_eq!(relay.stats().delivered, 3 + 3 * events as u64);
            }
        }
    });
}

#[test]
fn a_write_that_ends_within_an_answer_loses_nothing_behind_it() {
    on_both_runtimes(async || {
        for room in [1, 10, 1_000] {
            let (relay, _driver) = relay(config());
            let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
            let (mut bravo, _) = client(&relay, Writes::OneByte, room);
            alpha.sync().await;
            bravo.sync().await;
            let request = event("request", "t-x-takp-q", "");
            for n in 0..20 {
                bravo.send(ping() + &request + &ping()).await;
                alpha.send(numbered("M", n)).await;
                let mut wanted = [false; 3];
                while wanted != [true; 3] {
                    let event = bravo.event().await;
                    wanted[0] |= is_pong(&event);
                    wanted[1] |= event.contains("t-x-takp-r");
                    wanted[2] |= event == numbered("M", n);
                }
            }
        }
    });
}

#[test]
fn a_transport_that_buffers_is_flushed() {
    on_both_runtimes(async || {
        let (relay, _driver) = relay(config());
        let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
        let (near, far) = tokio::io::duplex(1 << 20);
        let serving = attach(&relay, BufWriter::with_capacity(1 << 16, far));
        let mut bravo = Client::new(near);
        bravo.sync().await;
        alpha.say(marker("M")).await;
        assert_eq!(bravo.event().await, marker("M"));
        drop(bravo);
        assert_eq!(serving.await.expect("no panic"), Ok(CloseReason::PeerClosed));
    });
}

#[test]
fn a_transport_whose_writes_fail_ends_its_connection_only() {
    on_both_runtimes(async || {
        for writes in [Writes::Fail, Writes::Nothing] {
            let (relay, _driver) = relay(config());
            let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
            let (mut bravo, serving) = client(&relay, writes, 1 << 20);
            alpha.sync().await;
            bravo.send(sa("B", "BRAVO", "")).await;
            assert_eq!(attribute(&alpha.event().await, "uid"), "B");
            alpha.send(marker("M")).await;
            let reason = soon("the end", serving).await.expect("no panic");
            assert_eq!(reason, Ok(CloseReason::Io));
            assert_eq!(attribute(&alpha.event().await, "type"), "t-x-d-d");
            alpha.sync().await;
            let stats = relay.stats();
            assert_eq!((stats.connections_open, stats.delivered), (1, 2));
            assert_eq!(stats.dropped.of(relay::DropReason::Closed), 1);
        }
    });
}

#[test]
fn dropping_the_future_of_a_connection_ends_it_as_if_its_peer_had() {
    on_both_runtimes(async || {
        let (relay, _driver) = relay(config());
        let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
        let (mut bravo, serving) = client(&relay, Writes::Plain, 1 << 20);
        alpha.sync().await;
        bravo.say(sa("B", "BRAVO", "")).await;
        assert_eq!(uids(&alpha.sync().await), ["B"]);
        serving.abort();
        assert_eq!(attribute(&alpha.event().await, "type"), "t-x-d-d");
        assert_eq!(bravo.closed().await, [""; 0]);
        let stats = relay.stats();
        assert_eq!(stats.connections_closed.of(CloseReason::PeerClosed), 1);
        assert_eq!(relay.clients().len(), 1);
    });
}

#[test]
fn a_connection_whose_future_is_never_polled_again_leaves_when_it_is_dropped() {
    on_both_runtimes(async || {
        let (relay, _driver) = relay(config());
        let (_near, far) = tokio::io::duplex(64);
        {
            let mut serving = pin!(relay.attach(far, Peer::local("odd")));
            std::future::poll_fn(|cx| {
                assert!(serving.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(relay.stats().connections_open, 1);
        }
        assert_eq!(relay.stats().connections_open, 0);
    });
}

/// Remembers that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_newcomer_in_a_place_that_was_just_left_is_woken() {
    on_both_runtimes(async || {
        let (relay, _driver) = relay(hasty());
        let (mut near, far) = tokio::io::duplex(1 << 16);
        let mut old = Box::pin(relay.attach(far, Peer::local("odd")));
        let mut unwatched = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(old.as_mut().poll(&mut unwatched).is_pending());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It pings and leaves within a turn, so that news for it is still on its way, ...
        near.write_all(ping().as_bytes()).await.expect("room");
        drop(near);
        assert!(old.as_mut().poll(&mut unwatched).is_ready());
        // ... when another one comes.
        let (_near, far) = tokio::io::duplex(1 << 16);
        let mut new = pin!(relay.attach(far, Peer::local("odd")));
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        assert!(new.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        relay.publish(marker("M").as_bytes(), &Scope::All).expect("valid");
        let woken = async {
            while !flag.0.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("it is woken", woken).await;
    });
}

#[test]
fn the_driver_ends_with_the_last_handle_and_not_before() {
    on_both_runtimes(async || {
        let (first, driver) = relay(config());
        let second = first.clone();
        let (mut alpha, serving) = client(&first, Writes::Plain, 1 << 20);
        drop(first);
        drop(second);
        // The connection holds a handle of its own: it is served until its peer leaves.
        alpha.say(sa("A", "ALPHA", "")).await;
        assert!(!driver.is_finished());
        drop(alpha);
        assert_eq!(serving.await.expect("no panic"), Ok(CloseReason::PeerClosed));
        soon("the end of the driver", driver).await.expect("no panic");
    });
}

#[test]
fn a_driver_that_is_dropped_stops_the_relay_without_harm() {
    on_both_runtimes(async || {
        let (relay, driver) = relay(config());
        let (mut alpha, serving) = client(&relay, Writes::Plain, 1 << 20);
        alpha.sync().await;
        driver.abort();
        assert!(driver.await.expect_err("cancelled").is_cancelled());
        alpha.send(sa("A", "ALPHA", "")).await;
        let accepted = async {
            while relay.stats().events_accepted == 0 {
                tokio::task::yield_now().await;
            }
        };
        soon("the report is accepted", accepted).await;
        assert!(!relay.drain(Duration::from_millis(10)).await, "nobody closes anything");
        drop(alpha);
        // The connection still sees that its peer has gone.
        assert_eq!(serving.await.expect("no panic"), Ok(CloseReason::PeerClosed));
        assert_eq!(relay.stats().connections_open, 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_gathers_sends_what_came_within_that_time_together() {
    let mut config = config();
    config.gather = Duration::from_millis(50);
    let (relay, _driver) = relay(config);
    let (mut alpha, _) = client(&relay, Writes::Plain, 1 << 20);
    let (mut bravo, _) = client(&relay, Writes::Plain, 1 << 20);
    alpha.sync().await;
    bravo.sync().await;
    let began = tokio::time::Instant::now();
    for n in 0..10 {
        alpha.send(numbered("M", n)).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(bravo.fill().await, "an open connection");
    let waited = began.elapsed().as_millis();
    assert!((50..=55).contains(&waited), "{waited} ms");
    let got: Vec<_> = std::iter::from_fn(|| bravo.take()).collect();
    assert_eq!(got, (0..10).map(|n| numbered("M", n)).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_sends_and_hangs_up_has_its_events_relayed() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut bravo = server.listener().await;
        for n in 0..20 {
            let mut alpha = server.dial().await;
            alpha.send(numbered("M", n)).await;
            if n % 2 == 0 {
                alpha.stream.shutdown().await.expect("an open connection");
                alpha.closed().await;
            }
            drop(alpha);
            assert_eq!(bravo.event().await, numbered("M", n));
        }
    });
}

#[test]
fn two_relays_in_one_process_know_nothing_of_each_other() {
    on_both_runtimes(async || {
        let (one, other) = (Server::start(config()).await, Server::start(config()).await);
        let mut alpha = one.join("A", "ALPHA", "").await;
        let mut bravo = other.join("B", "BRAVO", "").await;
        alpha.say(marker("M")).await;
        assert_eq!(bravo.sync().await, [""; 0]);
        assert_eq!((one.stats().events_accepted, other.stats().events_accepted), (2, 1));
        assert!(one.relay.drain(Duration::from_secs(5)).await);
        alpha.closed().await;
        assert_eq!(bravo.sync().await, [""; 0]);
    });
}

#[test]
fn a_relay_that_shuts_down_refuses_newcomers() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        assert!(server.relay.drain(Duration::from_secs(5)).await);
        let (_, serving) = client(&server.relay, Writes::Plain, 64);
        assert_eq!(serving.await.expect("no panic"), Err(RefuseReason::Shutdown));
        let mut late = server.dial().await;
        assert_eq!(late.closed().await, [""; 0]);
    });
}

#[test]
fn the_application_reaches_all_a_team_or_one() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut cyan = Vec::new();
        for n in 0..12 {
            cyan.push(server.join(&format!("C{n}"), &format!("CYAN-{n}"), "Cyan").await);
        }
        let mut red = server.join("R", "RED", "Red").await;
        for client in cyan.iter_mut().chain([&mut red]) {
            client.sync().await;
        }
        let say = |text: &str, scope: &Scope| {
            server.relay.publish(text.as_bytes(), scope).expect("a valid event");
        };
        say(&chat("all", "x"), &Scope::All);
        say(&chat("cyan", "x"), &Scope::Team("Cyan".to_owned()));
        say(&chat("one", "x"), &Scope::Client(server.row(&red).id));
        say(&chat("nobody", "x"), &Scope::Team("Green".to_owned()));
        assert_eq!(uids(&red.sync().await), ["all", "one"]);
        for client in &mut cyan {
            assert_eq!(uids(&client.sync().await), ["all", "cyan"]);
        }
        let large = marker(&"x".repeat(70_000));
        let refused = server.relay.publish(large.as_bytes(), &Scope::All);
        assert!(matches!(refused, Err(PublishError::Oversize { .. })), "{refused:?}");
        let refused = server.relay.publish(b"<event/>", &Scope::All);
        assert!(matches!(refused, Err(PublishError::Invalid(_))), "{refused:?}");
    });
}
