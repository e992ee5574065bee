//! Hostile peers over real TCP: each costs itself something and others nothing. Numbers are those
//! of the threat model.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed, and helpers are no test functions"
)]

mod net;

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cot_core::generate::Traffic;
use net::text::{attribute, event, marker, numbered, ping, sa};
use net::{
    Client, Server, alone_on_both_runtimes, config, hasty, on_both_runtimes, on_current_thread,
    resident, soon,
};
use relay::{CloseReason, DropReason, Peer, RefuseReason};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpSocket;
use tokio::time::Instant;

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % bound
    }
}

/// What mutations begin with: events to everyone, with all that XML can have in them.
fn originals() -> Vec<String> {
    let mut all: Vec<_> = Traffic::new(7)
        .sa(20)
        .into_iter()
        .map(|event| String::from_utf8(event).expect("UTF-8"))
        .map(|event| event[event.find("<event").expect("a root")..].to_owned())
        .collect();
    all.push(event(
        "c",
        "a-u-G",
        "<remarks><!-- one - two --><![CDATA[x <y> &z;]]>&amp;</remarks>",
    ));
    all.push(event("d", "u-d-r", "<a><b><c d='e'>f</c></b></a><strokeColor value=\"-1\"/>"));
    all.push(event("e", "a-f-G", "<link line='&lt;event&gt;&#10;&lt;/event&gt;'/><é ü='漢😀'/>"));
    all
}

/// Spoils an event somewhere in front of its end tag. Quotes and the marks of comments and the like
/// stay: what a broken one of these does is a test of its own.
fn mutated(original: &str, dice: &mut Dice) -> Vec<u8> {
    const SPITE: &[u8] = b"<>&/= \0\xff;x9";
    const KEPT: &[u8] = b"\"'!?-[]<>";
    let mut bytes = original.as_bytes().to_vec();
    for _ in 0..=dice.below(3) {
        let body = "<event ".len()..bytes.len() - "</event>".len();
        let at = body.start + dice.below(body.len());
        if KEPT.contains(&bytes[at]) {
            continue;
        }
        let spite = SPITE[dice.below(SPITE.len())];
        match dice.below(4) {
            0 => bytes[at] = spite,
            1 => bytes.insert(at, spite),
            2 => drop(bytes.remove(at)),
            _ => bytes[at] ^= 0x80 >> dice.below(2),
        }
    }
    bytes
}

/// Whether an event must be relayed, by another parser.
fn is_valid(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(tree) = roxmltree::Document::parse(text) else { return false };
    let root = tree.root_element();
    let has = |name| root.attribute(name).is_some_and(|value| !value.is_empty());
    let point = root.children().find(|child| child.has_tag_name("point"));
    let within = |name: &str, bound: f64| {
        let value = point.and_then(|point| point.attribute(name));
        value.and_then(|value| value.trim().parse::<f64>().ok()).is_some_and(|v| v.abs() <= bound)
    };
    let has_event = root.descendants().skip(1).any(|node| node.has_tag_name("event"));
    root.has_tag_name("event")
        && has("uid")
        && has("type")
        && root.attribute("time").is_some()
        && root.attribute("stale").is_some()
        && within("lat", 90.0)
        && within("lon", 180.0)
        && !has_event
}

#[test]
fn t01_valid_events_between_five_thousand_spoilt_ones_all_arrive() {
    on_current_thread(async {
        let mut config = config();
        config.log_bytes = 64 << 20;
        let server = Server::start(config).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let (originals, mut dice) = (originals(), Dice(0x9e37_79b9_7f4a_7c15));
        let spoilt: Vec<_> =
            (0..5_000).map(|n| mutated(&originals[n % originals.len()], &mut dice)).collect();
        let mut stream = Vec::new();
        for (n, spoilt) in spoilt.iter().enumerate() {
            stream.extend_from_slice(spoilt);
            stream.extend_from_slice(numbered("good", n).as_bytes());
        }
        let reading = tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                got.push(bravo.event().await);
                if got.last().is_some_and(|event| *event == marker("the end")) {
                    return got;
                }
            }
        });
        alpha.say(stream).await;
        alpha.say(marker("the end")).await;
        let got = reading.await.expect("no panic");
        let mut good = got.iter().filter(|event| attribute_or(event, "uid") == "good");
        for n in 0..5_000 {
            assert_eq!(good.next(), Some(&numbered("good", n)), "in order");
        }
        assert_eq!(good.next(), None);
        let survivors: Vec<_> = got.iter().filter(|event| !event.contains("\"good\"")).collect();
        for survivor in &survivors {
            assert!(is_valid(survivor.as_bytes()), "{survivor}");
        }
        let received: BTreeSet<_> = survivors.iter().map(|event| event.as_bytes()).collect();
        for spoilt in spoilt.iter().filter(|spoilt| is_valid(spoilt)) {
            let text = String::from_utf8_lossy(spoilt);
            let is_control = attribute_or(&text, "type").starts_with("t-");
            assert!(is_control || received.contains(&spoilt[..]), "lost: {text}");
        }
        let stats = server.stats();
        let rejected = stats.events_rejected.of(DropReason::Invalid);
        let spoilt = 5_000 - (survivors.len() as u64 - 1);
        assert!(rejected >= spoilt && spoilt > 2_000, "{spoilt} of {rejected}");
        assert_eq!(stats.rejected.iter().map(|(_, count)| count).sum::<u64>(), rejected);
        let judged = stats.events_accepted + stats.events_control + rejected;
        assert_eq!(judged, stats.events_in, "everything is counted once");
    });
}

#[test]
fn t01_what_swallows_the_events_behind_it_costs_its_sender_the_connection() {
    on_both_runtimes(async || {
        let mut config = hasty();
        config.event_timeout = Duration::from_millis(200);
        let server = Server::start(config).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let openings = ["<!-- ", "<![CDATA[", "<?pi ", "<a b='", "<a b=\""];
        let mut senders = Vec::new();
        for opening in openings {
            let mut mallory = server.dial().await;
            // Quotes that do not match, or a comment without an end: where the next event begins
            // cannot be told without believing what may be in a value or a comment.
            let stream = event("bad", "a-u-G", opening) + &marker("swallowed").replace('"', "");
            mallory.send(stream).await;
            senders.push(mallory);
        }
        alpha.say(marker("good")).await;
        assert_eq!(bravo.sync().await, [marker("good")]);
        for mut mallory in senders {
            mallory.closed().await;
        }
        assert_eq!(server.stats().connections_closed.of(CloseReason::SlowEvent), 5);
        alpha.say(marker("good")).await;
        assert_eq!(bravo.sync().await, [marker("good")]);
    });
}

/// The first `name="..."` in an event; empty without one.
fn attribute_or<'a>(event: &'a str, name: &str) -> &'a str {
    let after = event.split_once(&format!(" {name}=\"")).map_or("", |(_, after)| after);
    after.split_once('"').map_or("", |(value, _)| value)
}

#[test]
fn t02_a_stream_of_forty_events_is_the_same_however_it_is_cut() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let mut stream = String::from("<auth><cot username='a' password='b'/></auth>");
        for n in 0..10 {
            stream += &format!("<?xml version=\"1.0\"?>\n{}", numbered("漢😀", n));
            stream += &format!("\u{feff}\r\n{}", event(&format!("é{n}"), "a-u-G", "<a b='>'/>"));
            stream += &event("cdata", "a-u-G", "<r><!-- </event> --><![CDATA[</event>]]></r>");
            stream += &format!("<!-- between -->{}", numbered("last", n));
        }
        alpha.say(&stream).await;
        let expected = bravo.sync().await;
        assert_eq!(expected.len(), 40);
        let mut dice = Dice(42);
        for round in 0..50 {
            let mut rest = stream.as_bytes();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((1 + dice.below(1_500)).min(rest.len()));
                alpha.send(piece).await;
                rest = tail;
            }
            alpha.sync().await;
            assert!(bravo.sync().await == expected, "round {round}");
        }
    });
}

#[test]
fn t03_stray_end_tags_are_skipped_and_counted() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        alpha.say(format!("</event></event>{}", marker("M"))).await;
        assert_eq!(bravo.sync().await, [marker("M")]);
        assert_eq!(server.stats().rejected, [("stray_end", 2)]);
        assert_eq!(server.stats().connections_open, 2);
    });
}

#[test]
fn t04_a_document_type_ends_the_connection_at_once() {
    alone_on_both_runtimes(async || {
        let server = Server::start(hasty()).await;
        let mut bravo = server.listener().await;
        let entities: String = (1..10)
            .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
            .collect();
        let long = "a".repeat(100_000);
        let attacks = [
            format!("<!DOCTYPE l [<!ENTITY l0 \"lol\">{entities}]>{}", sa("X", "&l9;", "")),
            format!("<!DOCTYPE l [<!ENTITY l \"{long}\">]>{}", sa("X", &"&l;".repeat(10_000), "")),
            format!(
                "<!DOCTYPE l [<!ENTITY l SYSTEM \"file:///etc/passwd\">]>{}",
                sa("X", "&l;", "")
            ),
            format!(
                "<?xml version='1.0'?>\n<!DOCTYPE l [<!ENTITY % l SYSTEM \"http://192.0.2.1/\"> %l;]>{}",
                sa("X", "A", "")
            ),
            format!("<!DOCTYPE event SYSTEM 'x'>{}", sa("X", "A", "")),
        ];
        let memory = resident();
        for (n, attack) in attacks.iter().enumerate() {
            let mut alpha = server.dial().await;
            let began = Instant::now();
            // The relay may close before it has everything.
            let _ = alpha.stream.write_all(attack.as_bytes()).await;
            alpha.closed().await;
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
            let stats = server.stats();
            assert_eq!(stats.rejected, [("doctype", n as u64 + 1)]);
            assert_eq!(stats.connections_closed.of(CloseReason::Protocol), n as u64 + 1);
        }
        let grown = resident().saturating_sub(memory);
        assert!(grown < 8 << 20, "{grown} bytes");
        assert_eq!(bravo.sync().await, [""; 0]);
    });
}

#[test]
fn t05_and_t06_bombs_are_rejected_and_cost_only_themselves() {
    alone_on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let with = |text: &str| marker("B").replace("<event ", &format!("<event {text} "));
        let attributes: String = (0..60_000).map(|n| format!(" a{n}='1'")).collect();
        let namespaces: String = (0..20_000).map(|n| format!(" xmlns:n{n}='urn:{n}'")).collect();
        let bombs = [
            with(&attributes),
            with(&namespaces),
            event("B", "a-u-G", &format!("<x {attributes}/>")),
            event("B", "a-u-G", &"<a>".repeat(100_000)),
            event("B", "a-u-G", &("<a>".repeat(70) + &"</a>".repeat(70))),
            event("B", "a-u-G", &"<a/>".repeat(20_000)),
        ];
        let memory = resident();
        for (n, bomb) in bombs.iter().enumerate() {
            alpha.send(bomb).await;
            alpha.say(numbered("good", n)).await;
            assert_eq!(bravo.sync().await, [numbered("good", n)], "bomb {n}");
        }
        let grown = resident().saturating_sub(memory);
        assert!(grown < 16 << 20, "{grown} bytes, at both ends");
        let stats = server.stats();
        assert_eq!(stats.events_rejected.of(DropReason::Invalid), 6, "{:?}", stats.rejected);
        assert_eq!(stats.connections_open, 2);
    });
}

#[test]
fn t06_deep_nesting_needs_no_stack() {
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let thread = small.spawn(|| {
        on_current_thread(async {
            let server = Server::start(config()).await;
            let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
            alpha.send(event("B", "a-u-G", &"<a>".repeat(100_000))).await;
            alpha.say(marker("M")).await;
            assert_eq!(bravo.sync().await, [marker("M")]);
        });
    });
    thread.expect("a thread").join().expect("no panic");
}

#[test]
fn t07_an_event_that_never_ends_is_not_collected_for_ever() {
    alone_on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let starts = [
            "<event uid=\"".to_owned(),
            "<event><detail><!--".to_owned(),
            "<!--".to_owned(),
            "<auth user='".to_owned(),
            "<?xml ".to_owned(),
        ];
        let endless = vec![b'a'; 64 << 10];
        let memory = resident();
        for (n, start) in starts.iter().enumerate() {
            let mut mallory = server.dial().await;
            mallory.send(start).await;
            let read = server.stats().bytes_in;
            while mallory.stream.write_all(&endless).await.is_ok() {}
            server.until("it is closed", |stats| stats.connections_open == 2).await;
            let stats = server.stats();
            let taken = stats.bytes_in - read;
            assert!(taken <= (1 << 20) + (130 << 10), "{taken} bytes were read of {start}");
            assert_eq!(stats.connections_closed.of(CloseReason::Protocol), n as u64 + 1);
        }
        let grown = resident().saturating_sub(memory);
        assert!(grown < 8 << 20, "{grown} bytes");
        alpha.say(marker("M")).await;
        assert_eq!(bravo.sync().await, [marker("M")]);
    });
}

#[test]
fn t08_an_event_that_comes_in_drips_is_given_up() {
    on_both_runtimes(async || {
        let mut config = hasty();
        config.event_timeout = Duration::from_millis(300);
        let server = Server::start(config).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let drips: Vec<_> = (0..100)
            .map(|n| {
                let addr = server.addr;
                tokio::spawn(async move {
                    let mut stream = tokio::net::TcpStream::connect(addr).await.expect("accepted");
                    let began = Instant::now();
                    let text = marker(&format!("drip {n}"));
                    for byte in text.bytes() {
                        if stream.write_all(&[byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    began.elapsed()
                })
            })
            .collect();
        let mut n = 0;
        while server.stats().connections_closed.of(CloseReason::SlowEvent) < 100 {
            alpha.say(numbered("alive", n)).await;
            assert_eq!(bravo.sync().await, [numbered("alive", n)]);
            n += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for drip in drips {
            let lasted = soon("the end of a drip", drip).await.expect("no panic");
            assert!(lasted < Duration::from_secs(20), "{lasted:?}");
        }
        assert_eq!(server.stats().connections_open, 2);
    });
}

#[test]
fn t10_one_address_cannot_take_all_places() {
    on_both_runtimes(async || {
        let mut config = config();
        config.max_clients_per_address = 8;
        let server = Server::start(config).await;
        let mut held: Vec<Client> = Vec::new();
        for _ in 0..200 {
            held.push(server.dial().await);
        }
        server
            .until("all are judged", |stats| {
                stats.connections_open + stats.connections_refused.total() == 200
            })
            .await;
        let stats = server.stats();
        assert_eq!(stats.connections_open, 8);
        assert_eq!(stats.connections_refused.of(RefuseReason::PerAddress), 192);
        let mut answered = 0;
        for client in &mut held {
            let _ = client.stream.write_all(ping().as_bytes()).await;
            answered += usize::from(soon("an answer, or the end", client.fill()).await);
        }
        assert_eq!(answered, 8);
        let mut others = Vec::new();
        for host in 2..6 {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, host], 0).into()).expect("loopback");
            let stream = soon("a connection", socket.connect(server.addr)).await;
            others.push(Client::new(stream.expect("accepted")));
        }
        for other in &mut others {
            other.sync().await;
        }
        drop(held);
        server.until("the flood is over", |stats| stats.connections_open == 4).await;
        server.listener().await;
    });
}

/// A transport that panics.
struct Bomb {
    inner: DuplexStream,
    reads: usize,
    writes: usize,
}

fn fuse(left: &mut usize) {
    *left = left.checked_sub(1).expect("the bomb goes off");
}

impl AsyncRead for Bomb {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        fuse(&mut self.reads);
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Bomb {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        fuse(&mut self.writes);
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[test]
fn t36_a_panic_in_a_transport_takes_only_its_connection_along() {
    on_both_runtimes(async || {
        let server = Server::start(hasty()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        for n in 0..100 {
            let (near, inner) = tokio::io::duplex(1 << 16);
            let writes = if n % 2 == 0 { 1 } else { usize::MAX };
            let reads = if n % 2 == 0 { usize::MAX } else { n % 5 };
            let relay = server.relay.clone();
            let bomb = Bomb { inner, reads, writes };
            let task = tokio::spawn(async move { relay.attach(bomb, Peer::local("bomb")).await });
            let mut mallory = Client::new(near);
            let report = sa(&format!("X{n}"), "MALLORY", "") + &ping();
            let failed = async {
                while !task.is_finished() {
                    if mallory.stream.write_all(report.as_bytes()).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                    while mallory.take().is_some() {}
                }
                task.await.expect_err("a panic").is_panic()
            };
            assert!(soon("a panic", failed).await);
            alpha.say(numbered("alive", n)).await;
            let got = bravo.sync().await;
            assert_eq!(got.last(), Some(&numbered("alive", n)));
        }
        let stats = server.stats();
        assert_eq!((stats.connections_open, stats.connections_closed.total()), (2, 100));
        assert!(server.relay.contacts().is_empty(), "nobody of them is left");
    });
}

#[test]
fn a_uid_that_everyone_claims_harms_nobody() {
    on_both_runtimes(async || {
        let server = Server::start(hasty()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        for _ in 0..50 {
            let mut mallory = server.dial().await;
            mallory.say(sa("A", "ALPHA", "")).await;
        }
        server.until("they are gone", |stats| stats.connections_open == 1).await;
        let got = alpha.sync().await;
        assert!(got.iter().all(|event| attribute(event, "uid") == "A"), "{got:?}");
        let contacts = server.relay.contacts();
        assert_eq!((contacts.len(), contacts[0].clients.len()), (1, 1));
    });
}
