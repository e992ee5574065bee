//! Byte streams of many shapes, cut in every way, over real sockets and through a transport that
//! holds one byte. The shapes of the corpus are written here too, so that nothing depends on it.
#![allow(clippy::print_stdout, clippy::allow_attributes, reason = "a test that is skipped says so")]

mod net;

use std::path::Path;

use net::text::{event, is_pong, marker, sa, uids};
use net::{Client, PATIENCE, Server, hasty, on_both_runtimes, soon};
use relay::server::Relay;
use relay::{CloseReason, HubConfig, Peer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// How a stream is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    /// One write for each byte.
    Bytes,
    /// Pieces of odd sizes, from this seed.
    Random(u64),
}

impl Cut {
    const ALL: [Self; 4] = [Self::Whole, Self::Bytes, Self::Random(1), Self::Random(2)];

    fn pieces(self, stream: &[u8]) -> Vec<&[u8]> {
        let mut state = match self {
            Self::Whole => return vec![stream],
            Self::Bytes => return stream.chunks(1).collect(),
            Self::Random(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        let mut rest = stream;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Mostly short, now and then long.
            let longest = if state & 7 == 0 { 4_000 } else { 40 };
            let len = 1 + usize::try_from((state >> 16) % longest).expect("small");
            let (piece, tail) = rest.split_at(len.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces
    }
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// What another client got.
    events: Vec<String>,
    /// What the sender got, pongs left out.
    answers: Vec<String>,
    /// Why the connection was closed, if it was.
    closed: Option<CloseReason>,
}

/// Settings under which an event may take long: byte by byte, on a busy machine, it does.
fn unhurried() -> HubConfig {
    let mut config = hasty();
    config.event_timeout = PATIENCE;
    config
}

/// Writes a stream and returns all answers to it.
async fn converse<S>(client: &mut Client<S>, pieces: Vec<&[u8]>) -> Vec<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for piece in pieces {
        // The relay may close before it has everything.
        if client.stream.write_all(piece).await.is_err() || client.stream.flush().await.is_err() {
            break;
        }
    }
    let mut answers = Vec::new();
    // The answer to the first of these may overtake others, but not to the second.
    for last in ["last but one", "last"] {
        let request = event(last, "t-x-takp-q", "");
        let _ = client.stream.write_all(request.as_bytes()).await;
        loop {
            match client.take() {
                Some(event) if event.contains(&format!("uid=\"{last}\"")) => break,
                Some(event) if is_pong(&event) => {}
                Some(event) => answers.push(event),
                None if client.fill().await => {}
                None => return answers,
            }
        }
    }
    answers
}

/// Sends a stream over TCP.
async fn over_tcp(stream: &[u8], cut: Cut) -> Outcome {
    let server = Server::start(unhurried()).await;
    let mut bravo = server.listener().await;
    let mut alpha = server.dial().await;
    let answers = soon("the answers", converse(&mut alpha, cut.pieces(stream))).await;
    drop(alpha);
    server.until("the connection is closed", |stats| stats.connections_open == 1).await;
    outcome(&server.relay, bravo.sync().await, answers)
}

/// Sends a stream through a transport that holds one byte at a time.
async fn byte_by_byte(stream: &[u8]) -> Outcome {
    let (relay, driver) = Relay::new(unhurried());
    tokio::spawn(driver.run());
    let attach = |room| {
        let (near, far) = tokio::io::duplex(room);
        let relay = relay.clone();
        let serving = tokio::spawn(async move { relay.attach(far, Peer::local("test")).await });
        (Client::new(near), serving)
    };
    let (mut bravo, _) = attach(1 << 20);
    bravo.sync().await;
    let (mut alpha, serving) = attach(1);
    let answers = soon("the answers", converse(&mut alpha, vec![stream])).await;
    drop(alpha);
    serving.await.expect("no panic").expect("admitted");
    outcome(&relay, bravo.sync().await, answers)
}

fn outcome(relay: &Relay, events: Vec<String>, answers: Vec<String>) -> Outcome {
    let closed = relay.stats().connections_closed;
    let mut reasons = closed.iter().filter(|&(_, count)| count > 0).map(|(reason, _)| reason);
    let closed = reasons.find(|reason| *reason != CloseReason::PeerClosed);
    // Others learn that the sender has gone, which is no part of the stream.
    let events = events.into_iter().filter(|event| !event.contains("-gone-")).collect();
    // What was to be written to a connection that is closed may be lost.
    let answers = if closed.is_some() { Vec::new() } else { answers };
    Outcome { events, answers, closed }
}

/// Sends a stream in every way; all must come to the same.
async fn in_every_way(name: &str, stream: &[u8]) -> Outcome {
    let first = byte_by_byte(stream).await;
    for event in &first.events {
        roxmltree::Document::parse(event)
            .unwrap_or_else(|error| panic!("{name}: {error}: {event}"));
        assert_eq!(event.matches("</event>").count(), 1, "{name}: {event}");
    }
    for cut in Cut::ALL {
        if matches!(cut, Cut::Bytes) && stream.len() > 20_000 {
            // Takes long, and was done above.
            continue;
        }
        let other = over_tcp(stream, cut).await;
        // The time of an answer is not part of the comparison.
        assert_eq!(other.events, first.events, "{name}, {cut:?}");
        assert_eq!(other.answers.len(), first.answers.len(), "{name}, {cut:?}");
        assert_eq!(other.closed, first.closed, "{name}, {cut:?}");
    }
    first
}

#[test]
fn the_streams_of_the_corpus_give_what_is_written_beside_them() {
    // Events for others, answers to the sender, and how the connection ends.
    const STREAMS: [(&str, usize, usize, Option<CloseReason>); 20] = [
        // Four events, of which two are pings.
        ("atak-declaration-before-each.bin", 2, 0, None),
        ("auth-then-sa.bin", 1, 0, None),
        ("bad-then-good.bin", 1, 0, None),
        ("crlf-and-blank-lines.bin", 2, 0, None),
        ("end-tag-inside-comment-and-cdata.bin", 2, 0, None),
        ("end-tag-with-space.bin", 2, 0, None),
        ("event-over-64-kib-then-small.bin", 1, 0, None),
        ("garbage-between-events.bin", 3, 0, None),
        ("greater-than-in-attribute.bin", 2, 0, None),
        ("http-request-on-cot-port.bin", 0, 0, Some(CloseReason::Http)),
        ("multibyte-callsign.bin", 2, 0, None),
        ("nested-escaped-event.bin", 2, 0, None),
        ("newline-before-declaration.bin", 3, 0, None),
        // Three events, of which one is for somebody who is not there and so returns.
        ("no-declaration-newline-separated.bin", 2, 1, None),
        // The first event is complete by itself, and no valid one.
        ("self-closing-then-event.bin", 1, 0, None),
        ("tls-client-hello-on-plain-port.bin", 0, 0, Some(CloseReason::Tls)),
        // The request for protobuf is declined; protobuf then is not what was agreed on.
        ("upgrade-client-to-server.bin", 1, 0, Some(CloseReason::Protocol)),
        // What servers say means nothing to other clients.
        ("upgrade-denied-server-to-client.bin", 0, 0, None),
        ("upgrade-server-to-client.bin", 0, 0, Some(CloseReason::Protocol)),
        ("utf16-declaration.bin", 2, 0, None),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/streams");
    let Ok(listed) = std::fs::read_dir(&folder) else {
        println!("skipped: no corpus at {}", folder.display());
        return;
    };
    assert_eq!(listed.count(), STREAMS.len(), "every stream has its line");
    on_both_runtimes(async || {
        for (name, events, answers, closed) in STREAMS {
            let stream = std::fs::read(folder.join(name)).expect("a stream");
            let outcome = in_every_way(name, &stream).await;
            let numbers = (outcome.events.len(), outcome.answers.len(), outcome.closed);
            assert_eq!(numbers, (events, answers, closed), "{name}: {outcome:#?}");
        }
    });
}

#[test]
fn streams_of_every_shape_give_the_same_events_however_they_are_cut() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
    let (a, b) = (sa("A", "ALPHÄ 漢😀", ""), marker("M"));
    let escaped = event("T", "u-d-f-m", "<link line='&lt;event&gt;&lt;/event&gt;' a='>'/>");
    let cdata =
        event("D", "a-u-G", "<remarks><!-- </event> --><![CDATA[</event><event>]]></remarks>");
    let broken = b.replace("</detail>", "");
    let large = event("L", "a-u-G", &"x".repeat(70_000));
    let streams: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        ("declarations", format!("{declaration}{a}{declaration}{b}").into(), vec!["A", "M"]),
        ("line ends", format!("{a}\n{b}\r\n\r\n \t{a}\n").into(), vec!["A", "M", "A"]),
        ("line end, declaration", format!("{a}\n{declaration}{b}").into(), vec!["A", "M"]),
        (
            "login",
            format!("<auth><cot username='a' password='p&amp;&lt;'/></auth>{a}").into(),
            vec!["A"],
        ),
        (
            "self-closing",
            format!("{}{a}", "<event uid='S' type='a' time='' stale=''/>").into(),
            vec!["A"],
        ),
        ("escaped", format!("{escaped}{a}").into(), vec!["T", "A"]),
        ("comment, CDATA", format!("{cdata}{b}").into(), vec!["D", "M"]),
        (
            "blank in the end tag",
            format!("{}{b}", a.replace("</event>", "</event >")).into(),
            vec!["A", "M"],
        ),
        ("bad, good", format!("{broken}{b}").into(), vec!["M"]),
        ("broken off, good", format!("{}{b}", &a[..a.len() / 2]).into(), vec!["M"]),
        ("too large, small", format!("{large}{b}").into(), vec!["M"]),
        ("stray end", format!("</event>{a}</event></event>{b}").into(), vec!["A", "M"]),
        (
            "garbage",
            [a.as_bytes(), b"\x00\x01\xff<x y='", b.as_bytes(), b"'>", a.as_bytes()].concat(),
            vec!["A", "M", "A"],
        ),
        (
            "declared otherwise",
            format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\n{a}{b}").into(),
            vec!["A", "M"],
        ),
        (
            "forty",
            (0..40).map(|n| marker(&format!("M{n}")) + "\n").collect::<String>().into(),
            vec![],
        ),
    ];
    on_both_runtimes(async || {
        for (name, stream, expected) in &streams {
            let outcome = in_every_way(name, stream).await;
            assert_eq!(outcome.closed, None, "{name}");
            if *name == "forty" {
                assert_eq!(outcome.events.len(), 40);
                continue;
            }
            assert_eq!(uids(&outcome.events), *expected, "{name}");
            for event in outcome.events.iter().filter(|event| event.contains("uid=\"A\"")) {
                assert_eq!(*event, a, "{name}");
            }
        }
    });
}

#[test]
fn another_protocol_is_recognised_however_it_is_cut() {
    on_both_runtimes(async || {
        let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 500]].concat();
        let request = b"GET /Marti/api/version HTTP/1.1\r\nHost: example.test:8087\r\n\r\n";
        for (stream, reason) in [(&hello[..], CloseReason::Tls), (request, CloseReason::Http)] {
            let outcome = in_every_way("another protocol", stream).await;
            assert_eq!((outcome.events.len(), outcome.closed), (0, Some(reason)));
        }
    });
}
