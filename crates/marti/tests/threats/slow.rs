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
            assert!(time < Duration::from_secs(12), "{time:?}");
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
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
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

/// Requests that are refused or need no body, their answers, and whether the connection goes on.
fn unread() -> Vec<(String, u16, bool)> {
    let hash = "0".repeat(64);
    let head = |method: &str, target: &str, length: u64| {
        format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n")
    };
    let small = |method: &str, target: &str| head(method, target, 5_000);
    vec![
        (small("POST", "/nothing"), 404, true),
        (small("GET", "/Marti/api/version"), 200, true),
        (small("PATCH", "/Marti/sync/content"), 405, true),
        (small("POST", &format!("/Marti/api/packages/{hash}/push?to=A")), 403, true),
        (small("POST", "/api/events") + "Origin: http://elsewhere\r\n", 403, true),
        (small("DELETE", &format!("/Marti/sync/delete?hash={hash}")), 404, true),
        (small("POST", "/Marti/sync/delete?hash=x"), 400, true),
        (small("PUT", &format!("/Marti/api/files/{hash}/metadata")), 404, true),
        (small("PUT", "/Marti/api/missions/a"), 501, true),
        (small("PUT", "/Marti/api/subscriptions/1/filter"), 501, true),
        (small("POST", "/Marti/sync/missionupload?filename=x"), 400, true),
        (small("POST", "/Marti/sync/upload?name=x&hash=y"), 400, true),
        // What is more than anybody reads for nothing
        (head("POST", "/nothing", 1 << 20), 404, false),
        (head("POST", "/api/events", 2 << 20), 413, false),
        (head("POST", "/Marti/ErrorLog", 64 << 20), 413, false),
        (head("POST", "/Marti/sync/upload?name=x", 1 << 40), 413, false),
        // Nobody knows whether this one comes
        (small("POST", "/nothing") + "Expect: 100-continue\r\n", 404, false),
    ]
}

#[test]
fn t08_answers_do_not_wait_for_bodies_that_nobody_reads() {
    let server = Server::open();
    for (head, status, goes_on) in unread() {
        let began = Instant::now();
        let mut connection = server.connect();
        connection.send(format!("{head}\r\n").as_bytes());
        let answer = connection.answer().expect(status);
        assert!(began.elapsed() < Duration::from_secs(8), "{head}: {:?}", began.elapsed());
        assert_eq!(answer.header("connection"), (!goes_on).then_some("close"), "{head}");
        // The body comes after all, and what is behind it is another request.
        connection.try_send(&[b'x'; 5_000]);
        connection.try_send(SECOND.as_bytes());
        if goes_on {
            connection.answer().expect(200);
        }
        assert!(connection.is_closed(), "{head}");
    }
}

#[test]
fn t08_who_sends_everything_first_reads_the_answer() {
    let server = Server::open();
    for (len, status) in [(1_000, 404), (200 << 10, 404), (900 << 10, 404), (1_100 << 10, 413)] {
        let target = if status == 413 { "/api/events" } else { "/nothing" };
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, "", Some(len)));
        for part in vec![b'x'; len].chunks(100 << 10) {
            std::thread::sleep(Duration::from_millis(20));
            connection.send(part);
        }
        connection.answer().expect(status);
    }
}

#[test]
fn t08_a_rest_that_never_comes_ends_the_connection() {
    let server = server();
    let mut connection = server.connect();
    connection.send(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");
    connection.answer().expect(404);
    assert!(connection.is_closed());
    until("the connection is gone", || server.marti.stats().connections_open == 0);
}
