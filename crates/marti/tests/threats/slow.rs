//! T08: peers who are slow to send, who send nothing, or who take nothing.

use std::time::Instant;

use super::*;
use support::{cot, until};

/// Sends a byte now and then until the server closes the connection; how long that took.
fn drip(server: &Server, start: &[u8], every: Duration) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    let mut socket = TcpStream::connect(server.http).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(start).unwrap();
    socket.set_read_timeout(Some(every)).unwrap();
    let mut reply = Vec::new();
    let mut part = [0; 4 << 10];
    loop {
        assert!(began.elapsed() < support::PATIENCE, "not closed");
        match socket.read(&mut part) {
            Ok(0) => return (began.elapsed(), reply),
            Ok(len) => reply.extend_from_slice(&part[..len]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let _ = socket.write_all(b"a");
            }
            Err(_) => return (began.elapsed(), reply),
        }
    }
}

/// Has many do the same, while an honest client is served.
fn many(server: &Server, start: &[u8], expected: &str) {
    std::thread::scope(|scope| {
        let drips: Vec<_> = (0..64)
            .map(|_| scope.spawn(|| drip(server, start, Duration::from_millis(50))))
            .collect();
        for _ in 0..10 {
            server.get("/Marti/api/version").expect(200);
            std::thread::sleep(Duration::from_millis(20));
        }
        for drip in drips {
            let (time, reply) = drip.join().unwrap();
            let reply = String::from_utf8_lossy(&reply);
            assert!(reply.starts_with(expected), "{reply}");
            assert!(time < Duration::from_secs(4), "{time:?}");
        }
    });
    until("the connections are gone", || server.marti.stats().connections_open == 0);
}

#[test]
fn t08_slow_heads_are_ended() {
    many(&server(), b"GET /Marti/api/version HTTP/1.1\r\nHost: x\r\nA: ", "");
}

#[test]
fn t08_slow_bodies_are_ended() {
    let head = "POST /api/events HTTP/1.1\r\nHost: x\r\n";
    many(&server(), format!("{head}Content-Length: 5000\r\n\r\n").as_bytes(), "HTTP/1.1 408");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n1000\r\n");
    many(&server(), chunked.as_bytes(), "HTTP/1.1 408");
}

#[test]
fn t08_who_says_nothing_is_not_kept() {
    let server = server();
    let mut first = server.connect();
    let mut second = server.connect();
    second.send(&server.head("GET", "/Marti/api/version", "", None));
    second.answer().expect(200);
    let began = Instant::now();
    assert!(first.is_closed() && second.is_closed());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn t08_who_takes_nothing_is_not_kept() {
    let server = server();
    let remarks = format!("<remarks>{}</remarks>", "a".repeat(60_000));
    server.relay.submit(cot::event("BIG", "a-f-G", &remarks).as_bytes(), "").unwrap();
    let mut socket = TcpStream::connect(server.http).unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let ask = "GET /Marti/api/cot/xml/BIG HTTP/1.1\r\nHost: x\r\n\r\n";
    // The server stops to read when nobody takes its answers, and after a while gives up.
    let began = Instant::now();
    while server.marti.stats().readers_refused == 0 {
        assert!(began.elapsed() < 2 * support::PATIENCE, "still kept: {:?}", server.marti.stats());
        let _ = socket.write(ask.repeat(10).as_bytes());
    }
    until("the connection is gone", || server.marti.stats().connections_open == 0);
    server.get("/Marti/api/version").expect(200);
}
