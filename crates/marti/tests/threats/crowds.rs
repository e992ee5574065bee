//! T08: too many at a time; and a fault of the server's own.

use std::future::pending;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use marti::{Body, Caller, History, HistoryError, Marti, MartiConfig, Past};
use store::packages::{Audience, PackageStore, Upload};
use support::until;
use tokio::net::{TcpListener, TcpSocket};
use tower_service::Service;

fn connect_from(server: &Server, addr: &str) -> TcpStream {
    let stream = server.run(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(addr.parse().unwrap(), 0)).unwrap();
        socket.connect(server.http).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
}

#[test]
fn t08_connections_are_counted_by_address_and_in_all() {
    let mut setup = Setup::open();
    setup.marti.max_connections = 6;
    setup.marti.max_connections_per_addr = 4;
    let server = setup.in_memory();
    let opened = |count| until("they are open", || server.marti.stats().connections_open == count);
    let mut own: Vec<_> = (0..4).map(|_| connect_from(&server, "127.0.0.1")).collect();
    opened(4);
    // The fifth is closed without a word, and others are served.
    assert_eq!(read_to_end(&mut connect_from(&server, "127.0.0.1")), b"");
    let _others: Vec<_> = (0..2).map(|_| connect_from(&server, "127.0.0.2")).collect();
    opened(6);
    assert_eq!(read_to_end(&mut connect_from(&server, "127.0.0.3")), b"");
    assert_eq!(server.marti.stats().connections_refused, 2);
    own.pop();
    opened(5);
    let mut last = connect_from(&server, "127.0.0.1");
    last.write_all(SECOND.as_bytes()).unwrap();
    assert!(read_to_end(&mut last).starts_with(b"HTTP/1.1 200"));
}

#[test]
fn t08_answers_are_bounded_alone_and_together() {
    let server = Server::open();
    let remarks = "r".repeat(3_500);
    for at in 0..700 {
        let path = format!("/Marti/sync/upload?name={at}&remarks={remarks}");
        server.ask("POST", &path, "", format!("{at}").as_bytes()).expect(200);
    }
    // A list is no longer than it may be, and the rest is on the next page.
    let list = server.get("/Marti/sync/search").expect(200);
    assert!(((2 << 20) - 8_000..(2 << 20) + 8_000).contains(&list.body.len()));
    let count = |path: &str| server.get(path).json()["resultCount"].as_u64().unwrap();
    let first = count("/Marti/sync/search");
    assert_eq!(first + count(&format!("/Marti/sync/search?offset={first}")), 700);
    let ask = |addr: &str| call(&server, addr, "/Marti/sync/search");
    let taken = |addr| {
        let answers: Vec<_> = (0..10).map(|_| ask(addr)).collect();
        let refused = answers.iter().filter(|answer| answer.status() == 503).count();
        assert!(answers.iter().all(|answer| answer.status() == 200 || answer.status() == 503));
        assert!(refused > 0, "{addr}");
        let bytes: u64 =
            answers.iter().filter_map(|answer| answer.body().size_hint().exact()).sum();
        (answers, bytes)
    };
    let (first, bytes) = taken("10.0.0.1");
    assert!((6 << 20..=9 << 20).contains(&bytes), "{bytes}");
    let (_second, bytes) = taken("10.0.0.2");
    assert!((6 << 20..=9 << 20).contains(&bytes), "{bytes}");
    let (third, bytes) = taken("10.0.0.3");
    assert!(bytes <= 3 << 20, "{bytes}");
    drop((first, third));
    assert_eq!(ask("10.0.0.1").status(), 200);
}

/// Asks for something from an address, without a socket.
fn call(server: &Server, addr: &str, path: &str) -> Response<Body> {
    let mut marti = server.marti.clone();
    let request = Request::get(path).header("Host", "x");
    let caller = Caller::plain(addr.parse().unwrap());
    let request = request.extension(caller).body(Empty::<Bytes>::new()).unwrap();
    server.run(marti.call(request)).unwrap()
}

#[test]
fn t08_lists_of_feeds_are_shared_by_those_who_do_not_take_them() {
    let server = Server::open();
    let post = |at: usize, letter: &str| {
        let alias = letter.repeat(60_000);
        let feed = format!(r#"{{"alias":"{alias}","url":"rtsp://h/{at}"}}"#);
        let body = format!(r#"{{"uuid":"{at}","alias":"A","feeds":[{feed}]}}"#);
        server.ask("POST", "/Marti/api/video", "", body.as_bytes()).expect(200);
    };
    (0..15).for_each(|at| post(at, "a"));
    // However many read the same, it is there once.
    let paths = ["/Marti/vcm", "/Marti/api/video", "/Marti/api/video?protocol=rtsp"];
    let readers: Vec<_> = (0..300)
        .map(|at| call(&server, &format!("10.0.0.{}", at % 100), paths[at % paths.len()]))
        .collect();
    for answer in readers {
        assert_eq!(answer.status(), 200);
        let len = answer.body().size_hint().exact().unwrap();
        let bytes = server.run(answer.into_body().collect()).unwrap().to_bytes();
        assert!(bytes.len() as u64 == len && len > 900_000, "{len}");
    }
    // Those who each hold what it was at another time hold no more than anybody.
    let mut held = Vec::new();
    for (addr, most) in [("10.0.0.1", 3), ("10.0.0.2", 3), ("10.0.0.3", 0)] {
        for at in 0..4 {
            post(0, ["b", "c", "d", "e"][at]);
            let answer = call(&server, addr, paths[at % 2]);
            assert_eq!(answer.status(), if at < most { 200 } else { 503 }, "{addr} {at}");
            held.push(answer);
        }
    }
    drop(held);
    assert_eq!(call(&server, "10.0.0.1", "/Marti/vcm").status(), 200);
}

/// When a server comes up all its devices ask for the same profile.
#[test]
fn t08_a_profile_is_there_once_for_all_who_take_it() {
    let server = Server::open();
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..3 << 20)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    let mut upload = Upload::new("maps.bin", Audience::Everyone);
    upload.tool = "profile-connection".to_owned();
    server.run(server.packages.insert(upload, noise.as_slice())).unwrap();
    let path = "/Marti/api/device/profile/connection";
    let held: Vec<_> =
        (0..100).map(|at| call(&server, &format!("10.0.0.{}", at % 3), path)).collect();
    for answer in held {
        assert_eq!(answer.status(), 200);
        let len = answer.body().size_hint().exact().unwrap();
        assert!(len > 3 << 20, "{len}");
        assert_eq!(server.run(answer.into_body().collect()).unwrap().to_bytes().len() as u64, len);
    }
}

#[test]
fn t08_bodies_are_bounded_alone_and_together() {
    let server = Server::open();
    let len = 1 << 20;
    let mut senders: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for sender in &mut senders {
        sender.send(&server.head("POST", "/api/events", "", Some(len)));
        sender.try_send(&vec![b' '; len - 1_000]);
    }
    // Eight of them fit from one address; others have room.
    let mut other = server.connect_from("127.0.0.2".parse().unwrap());
    other.send(&server.head("POST", "/api/events", "", Some(len)));
    other.send(&vec![b' '; len]);
    other.answer().expect(400);
    let mut refused = 0;
    for mut sender in senders {
        sender.try_send(&[b' '; 1_000]);
        let status = sender.answer().status;
        assert!(status == 400 || status == 503, "{status}");
        refused += usize::from(status == 503);
    }
    assert!((10..20).contains(&refused), "{refused}");
    server.ask("POST", "/api/events", "", &vec![b' '; len]).expect(400);
}

/// What is recorded cannot even be read.
struct Broken;

impl History for Broken {
    fn read(
        &self,
        _: i64,
        _: i64,
        _: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        panic!("as this test wants it");
    }
}

#[test]
fn t36_a_panic_ends_one_request() {
    let server = Server::open();
    let marti = Marti::with_history(
        MartiConfig::default(),
        server.relay.clone(),
        server.packages.clone(),
        Arc::new(Broken),
    );
    let listener = server.run(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    server.run(async {
        tokio::spawn(marti::serve(listener, marti, pending()));
    });
    for _ in 0..20 {
        let mut socket = TcpStream::connect(addr).unwrap();
        let ask = "GET /Marti/api/cot/xml/A/all?secago=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        socket.write_all(ask.as_bytes()).unwrap();
        // It is broken off, or the fault is told: nobody takes a part for the whole.
        let bytes = read_to_end(&mut socket);
        let is_whole = bytes.ends_with(b"\r\n0\r\n\r\n");
        assert!(!is_whole || Reply::of(&bytes).statuses == [500], "{bytes:?}");
        let mut http = support::http::Http::connect(addr);
        http.send(&server.head("GET", "/Marti/api/version", "", None));
        http.answer().expect(200);
    }
}
