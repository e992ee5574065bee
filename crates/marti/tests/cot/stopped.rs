//! Readers who take nothing, and those who ask meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use super::support::cot::event;
use super::support::http::Http;
use super::support::{Server, until};

const ALL: &str = "/Marti/api/cot/sa?secago=3000";

/// A server whose picture is more than sockets hold.
fn large() -> Server {
    let server = Server::open();
    let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
    let remarks = format!("<remarks>{}</remarks>", "x".repeat(2000));
    for at in 0..3000 {
        alpha.send(&event(&format!("big-{at}"), "a-n-G", &remarks));
    }
    let seen = || server.relay.newest("big-2999", &relay::Viewer::Everything).is_some();
    until("the picture is there", seen);
    server
}

/// Somebody at 127.0.0.`last` who asks and reads nothing of the answer.
fn stopped(server: &Server, last: u8, target: &str) -> Http {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let ip: IpAddr = Ipv4Addr::new(127, 0, 0, last).into();
    socket.bind((ip, 0).into()).unwrap();
    let stream = server.run(socket.connect(server.http)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let mut http = Http::over(stream);
    http.send(&server.head("GET", target, "", None));
    http
}

#[test]
fn stopped_readers_keep_nobody_else_waiting() {
    let server = large();
    let first = stopped(&server, 2, ALL);
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    let mut second = stopped(&server, 2, ALL);
    for target in ["/Marti/LatestKML", ALL, "/Marti/api/cot/matchUid?search=big-29"] {
        let start = Instant::now();
        let mut other = server.connect_from(Ipv4Addr::new(127, 0, 0, 3).into());
        other.send(&server.head("GET", target, "", None));
        assert!(other.answer().expect(200).text().contains("big-29"));
        assert!(start.elapsed() < Duration::from_secs(5), "{target}: {:?}", start.elapsed());
    }
    // The first makes way for the second once it has taken nothing for a while.
    second.answer_head().expect(200);
    let waited = asked.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
    drop((first, second));
}

#[test]
fn stopped_readers_everywhere_make_way() {
    let server = large();
    let stopped: Vec<_> = (10..18).map(|last| stopped(&server, last, ALL)).collect();
    std::thread::sleep(Duration::from_millis(500));
    let mut other = server.connect_from(Ipv4Addr::new(127, 0, 0, 3).into());
    other.send(&server.head("GET", ALL, "", None));
    assert!(other.answer().expect(200).text().ends_with("</events>"));
    drop(stopped);
}
