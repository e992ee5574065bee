//! Bytes of contents that were sent, counted as far as they went.

use std::time::Duration;

use store::packages::{Audience, PackageStore, Upload};

use crate::shapes::{noise, publish, sha256};
use crate::support::{Server, Setup, until};

/// Content that no buffers on the way hold whole. Bytes.
const LARGE: usize = 48 << 20;

fn is_counted<P: PackageStore>(server: &Server<P>, bytes: usize) {
    let sent = || server.marti.stats().content_bytes_out;
    until(&format!("{bytes} bytes were sent, not {}", sent()), || sent() == bytes as u64);
}

fn downloads<P: PackageStore>(server: &Server<P>) {
    let content = noise(700, 300_000);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(server, "creatorUid=A", "x.zip", &content);
    let mut expected = 0;
    let mut connection = server.connect();
    for (method, more, headers, status, counted) in [
        ("GET", "", "", 200, 300_000),
        ("HEAD", "", "", 200, 0),
        ("GET", "", "Range: bytes=0-0\r\n", 206, 1),
        ("GET", "", "Range: bytes=100000-199999\r\n", 206, 100_000),
        ("GET", "", "Range: bytes=-70\r\n", 206, 70),
        ("GET", "", "Range: bytes=300000-\r\n", 416, 0),
        ("GET", "&offset=299000", "", 200, 1_000),
    ] {
        let target = format!("{path}{more}");
        connection.send(&server.head(method, &target, headers, None));
        let is_head = method == "HEAD";
        let answer = if is_head { connection.answer_to_head() } else { connection.answer() };
        assert_eq!(answer.status, status, "{method} {more} {headers}");
        expected += counted;
        is_counted(server, expected);
    }
    // What is no content is not counted, whatever its length.
    for target in ["/Marti/sync/search", "/Marti/api/version/config", "/nothing"] {
        connection.send(&server.head("GET", target, "", None));
        connection.answer();
    }
    let by_another_path = format!("/Marti/api/files/{}", sha256(&content));
    assert!(server.get(&by_another_path).expect(200).body == content);
    is_counted(server, expected + 300_000);
}

#[test]
fn downloads_are_counted_with_their_parts() {
    downloads(&Server::open());
    downloads(&Setup::open().on_disk());
}

/// Of who took nothing for too long, exactly those bytes count that still arrive.
fn a_cut_one<P: PackageStore>(server: &Server<P>) {
    let content = vec![7; LARGE];
    let stored =
        server.run(server.packages.insert(Upload::new("x", Audience::Everyone), &*content));
    let target = format!("/Marti/sync/content?hash={}", stored.unwrap().hash);
    let mut connection = server.connect();
    connection.send(&server.head("GET", &target, "", None));
    until("it is cut", || server.marti.stats().readers_refused == 1);
    until("the connection is gone", || server.marti.stats().connections_open == 0);
    let sent = server.marti.stats().content_bytes_out;
    connection.answer_head().expect(200);
    let mut received = 0;
    loop {
        match connection.read_some().len() {
            0 => break,
            len => received += len,
        }
    }
    assert!(received < LARGE);
    assert_eq!(sent, received as u64);
    assert_eq!(server.marti.stats().content_bytes_out, sent);
}

#[test]
fn a_download_that_is_cut_counts_as_far_as_it_came() {
    let setup = || {
        let mut setup = Setup::open();
        setup.marti.reader_patience = Duration::from_millis(300);
        setup
    };
    a_cut_one(&setup().in_memory());
    a_cut_one(&setup().on_disk());
}
