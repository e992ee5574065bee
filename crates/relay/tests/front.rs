//! What a front end needs of a running relay: who is at an address, streams for pages, and events of
//! callers. Over real sockets and over pipes within the process.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod net;

use std::net::{IpAddr, Ipv4Addr};

use net::text::{dest, directed, event, marker, sa, uids};
use net::{Client, Server, config, on_both_runtimes, soon};
use relay::{CloseReason, ExportCursor, Peer, PublishError, RefuseReason, TeamPolicy, Viewer};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

type Ended = JoinHandle<Result<CloseReason, RefuseReason>>;

/// A connection that only looks on.
fn look(server: &Server, viewer: Viewer) -> (Client<DuplexStream>, Ended) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let relay = server.relay.clone();
    let ended = tokio::spawn(async move { relay.attach(far, Peer::viewing("web", viewer)).await });
    (Client::new(near), ended)
}

async fn isolated() -> Server {
    let mut config = config();
    config.teams = TeamPolicy::isolated();
    Server::start(config).await
}

#[test]
fn clients_are_found_by_address_with_the_address_they_came_to() {
    on_both_runtimes(async || {
        let server = isolated().await;
        let red = server.join("R", "ROMEO", "Red").await;
        let listener = server.listener().await;
        let local = Ipv4Addr::LOCALHOST;
        for ip in [IpAddr::from(local), local.to_ipv6_mapped().into()] {
            let rows = server.relay.clients_at(ip);
            let known: Vec<_> =
                rows.iter().map(|row| (row.uid.as_str(), row.team.as_str())).collect();
            assert_eq!(known, [("R", "Red"), ("", "")], "{ip}");
            for (row, client) in rows.iter().zip([&red, &listener]) {
                assert_eq!(row.local_addr, Some(server.addr));
                assert_eq!(row.addr, client.stream.local_addr().ok());
            }
        }
        assert!(server.relay.clients_at(Ipv4Addr::new(192, 0, 2, 1).into()).is_empty());
    });
}

#[test]
fn one_who_looks_on_gets_the_picture_and_what_follows_and_is_not_there() {
    on_both_runtimes(async || {
        let server = isolated().await;
        let mut red = server.join("R", "ROMEO", "Red").await;
        let mut blue = server.join("B", "BRAVO", "Blue").await;
        red.say(marker("M1")).await;
        let (mut web, ended) = look(&server, Viewer::team("Red"));
        assert_eq!(web.event().await, sa("R", "ROMEO", "Red"));
        assert_eq!(web.event().await, marker("M1"));
        blue.say(marker("N")).await;
        red.say(marker("M2")).await;
        assert_eq!(web.event().await, marker("M2"));
        assert_eq!(server.relay.contacts().len(), 2);
        drop(web);
        assert_eq!(soon("its end", ended).await.expect("no panic"), Ok(CloseReason::PeerClosed));
        assert_eq!(red.sync().await, [""; 0]);
        let stats = server.stats();
        assert_eq!((stats.connections_received, stats.connections_open), (3, 2));
    });
}

#[test]
fn an_event_of_a_caller_reaches_clients_and_the_picture() {
    on_both_runtimes(async || {
        let server = isolated().await;
        let mut red = server.join("R", "ROMEO", "Red").await;
        let mut blue = server.join("B", "BRAVO", "Blue").await;
        let (mut web, _ended) = look(&server, Viewer::Everything);
        server.until("it looks on", |stats| stats.connections_open == 3).await;
        let done = server.relay.submit(marker("M").as_bytes(), "Red").expect("a valid event");
        assert_eq!((done.reached, done.held, done.refused), (2, 0, None));
        assert_eq!(uids(&red.sync().await), ["M"]);
        assert_eq!(uids(&blue.sync().await), [""; 0]);
        let share = directed("share", "b-f-t-r", &[dest("callsign", "BRAVO")]);
        let declared = format!("<?xml version=\"1.0\"?>\n{share}\n");
        let done = server.relay.submit_as_operator(declared.as_bytes(), "").expect("a valid event");
        assert_eq!((done.reached, done.held, done.refused), (1, 0, None));
        assert_eq!(blue.sync().await, [event("share", "b-f-t-r", "")]);
        let mut seen = vec![web.event().await, web.event().await, web.event().await];
        seen.sort();
        assert_eq!(uids(&seen), ["B", "M", "R"]);

        let red = Viewer::team("Red");
        let newest = server.relay.newest("M", &red).expect("an event");
        assert_eq!(newest, marker("M").as_bytes());
        assert_eq!(server.relay.newest("M", &Viewer::team("Blue")), None);
        let (mut cursor, mut items) = (ExportCursor::default(), 0);
        while let Some(part) = server.relay.picture(&mut cursor, 1, &red) {
            items += part.len();
        }
        assert_eq!(items, 2);
        assert_eq!(server.relay.known_contacts().len(), 2);
        assert!(server.relay.receives("Red", "Red") && !server.relay.receives("Red", "Blue"));
        assert!(!server.relay.policy().is_open());
    });
}

#[test]
fn what_is_no_event_is_refused_with_the_reason() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        for bad in [&b"<event/>"[..], b"", b"GET / HTTP/1.1", b"\xff\xfe", b"<event"] {
            let refused = server.relay.submit(bad, "");
            assert!(matches!(refused, Err(PublishError::Invalid(_))), "{refused:?}");
        }
        let two = marker("M") + &marker("N");
        assert!(matches!(server.relay.submit(two.as_bytes(), ""), Err(PublishError::Invalid(_))));
        let large = event("L", "u-d-f", &"x".repeat(70_000));
        let refused = server.relay.submit(large.as_bytes(), "");
        assert!(matches!(refused, Err(PublishError::Oversize { .. })), "{refused:?}");
        let stats = server.stats();
        assert_eq!((stats.events_submitted, stats.events_accepted), (1, 0));
    });
}
