//! Downloads: whole, in part, and their heads (10 and 17 of the checklist).

use store::packages::PackageStore;

use crate::shapes::{assert_download, noise, publish, sha256};
use crate::support::{Server, Setup};

const SIZE: usize = 300_000;

/// Every header line that matters.
fn headers(answer: &crate::support::http::Answer) -> Vec<(String, String)> {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date" && name != "connection");
    headers.sort();
    headers
}

fn head_is_get_without_a_body<P: PackageStore>(server: &Server<P>) {
    let content = noise(40, SIZE);
    let hash = sha256(&content);
    publish(server, "creatorUid=A", "recon.zip", &content);
    for path in [
        format!("/Marti/sync/content?hash={hash}"),
        format!("/Marti/api/files/{hash}"),
        format!("/Marti/api/sync/metadata/{hash}/tool"),
    ] {
        let mut connection = server.connect();
        connection.send(&server.head("HEAD", &path, "", None));
        let head = connection.answer_to_head().expect(200);
        assert_eq!(head.header("content-length"), Some("300000"), "{path}");
        // The same connection goes on: nothing came after the head.
        connection.send(&server.head("GET", &path, "", None));
        let get = assert_download(connection.answer(), &content);
        assert_eq!(headers(&head), headers(&get), "{path}");
    }
    let unknown = format!("/Marti/sync/content?hash={}", sha256(b"unknown"));
    server.ask("HEAD", &unknown, "", b"").expect(404);
}

/// 10: Data Sync clients look with HEAD whether something is there.
#[test]
fn k10_head_is_get_without_a_body() {
    head_is_get_without_a_body(&Server::open());
    head_is_get_without_a_body(&Setup::open().on_disk());
}

fn ranges<P: PackageStore>(server: &Server<P>) {
    let content = noise(41, SIZE);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(server, "creatorUid=A", "recon.zip", &content);
    for (range, start, end) in [
        ("bytes=0-99", 0, 99),
        ("bytes=0-0", 0, 0),
        ("bytes=100000-199999", 100_000, 199_999),
        ("bytes=299999-", 299_999, 299_999),
        ("bytes=250000-", 250_000, 299_999),
        ("bytes=250000-99999999999", 250_000, 299_999),
        ("bytes=-1000", 299_000, 299_999),
        ("bytes=-99999999999", 0, 299_999),
    ] {
        let answer = server.ask("GET", &path, &format!("Range: {range}\r\n"), b"").expect(206);
        let expected = format!("bytes {start}-{end}/{SIZE}");
        assert_eq!(answer.header("content-range"), Some(expected.as_str()), "{range}");
        assert_eq!(answer.header("content-length"), Some((end - start + 1).to_string().as_str()));
        assert!(answer.body == content[start..=end], "{range}: other bytes");
    }
    for range in ["bytes=300000-", "bytes=300000-300001", "bytes=99999999999-", "bytes=-0"] {
        let answer = server.ask("GET", &path, &format!("Range: {range}\r\n"), b"").expect(416);
        assert_eq!(answer.header("content-range"), Some("bytes */300000"), "{range}");
    }
    // What is no range, or none that has to be known, is as if it were not there.
    for range in ["bytes=9-3", "lines=1-2", "bytes=", "bytes=a-b", "bytes", "bytes=--5"] {
        assert_download(server.ask("GET", &path, &format!("Range: {range}\r\n"), b""), &content);
    }
    // Several are answered whole, or in parts that say what they are.
    let many = server.ask("GET", &path, "Range: bytes=0-1,5-9\r\n", b"");
    assert!([200, 206].contains(&many.status), "{}", many.head);
    assert!(many.status == 206 || many.body == content);
}

/// 10: only a request that has a range is answered 206.
#[test]
fn k10_ranges_at_the_start_in_the_middle_at_the_end_and_beyond() {
    ranges(&Server::open());
    ranges(&Setup::open().on_disk());
}

/// A download is only continued if it is still the same: the name of the content is its tag.
#[test]
fn k10_a_range_of_something_else_is_the_whole() {
    let server = Server::open();
    let content = noise(42, 5_000);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(&server, "creatorUid=A", "recon.zip", &content);
    let tag = server.get(&path).header("etag").expect("an ETag").to_owned();
    assert_eq!(tag, format!("\"{}\"", sha256(&content)));
    let same = format!("Range: bytes=5-9\r\nIf-Range: {tag}\r\n");
    assert_eq!(server.ask("GET", &path, &same, b"").expect(206).body, content[5..=9]);
    let other = "Range: bytes=5-9\r\nIf-Range: \"0000\"\r\n";
    assert_download(server.ask("GET", &path, other, b""), &content);
}

fn offsets<P: PackageStore>(server: &Server<P>) {
    let content = noise(43, SIZE);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(server, "creatorUid=A", "recon.zip", &content);
    for offset in [0, 1, 20_000, SIZE - 1] {
        let answer = server.get(&format!("{path}&offset={offset}&receiver=HAWK"));
        assert_eq!(answer.header("content-range"), None);
        assert_download(answer, &content[offset..]);
    }
    // Nothing is left, or nothing is there: never another's bytes, never a failure of the server.
    for offset in ["300000", "300001", "18446744073709551615", "99999999999999999999999"] {
        let answer = server.get(&format!("{path}&offset={offset}"));
        assert!([200, 400, 416].contains(&answer.status), "{offset}: {}", answer.head);
        assert!(answer.status != 200 || answer.body.is_empty(), "{offset}");
    }
    for offset in ["-1", "x", "1e3"] {
        let answer = server.get(&format!("{path}&offset={offset}"));
        assert!([200, 400].contains(&answer.status), "{offset}: {}", answer.head);
        assert!(answer.status != 200 || answer.body == content, "{offset}");
    }
    let some = server.get(&format!("{path}&offset=10&length=20"));
    assert!([200, 206].contains(&some.status), "{}", some.head);
    assert_eq!(some.body, content[10..30]);
    assert_download(server.get(&format!("{path}&length=99999999")), &content);
}

/// 17: ATAK goes on after a broken download with `offset`, and requires 200.
#[test]
fn k17_an_offset_gives_the_rest_with_200() {
    offsets(&Server::open());
    offsets(&Setup::open().on_disk());
}

/// A receiver that breaks off costs nothing and takes nothing from others.
#[test]
fn k17_a_download_that_is_broken_off_is_continued() {
    let server = Setup::open().on_disk();
    let content = noise(44, 8 << 20);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(&server, "creatorUid=A", "big.zip", &content);
    let mut connection = server.connect();
    connection.send(&server.head("GET", &path, "", None));
    connection.answer_head().expect(200);
    let mut got = Vec::new();
    while got.len() < 1 << 20 {
        let some = connection.read_some();
        assert!(!some.is_empty());
        got.extend_from_slice(&some);
    }
    connection.cut();
    let rest = server.get(&format!("{path}&offset={}", got.len())).expect(200);
    got.extend_from_slice(&rest.body);
    assert!(got == content);
}

/// What is being downloaded when it is deleted arrives whole or is seen to be broken off.
#[test]
fn k21_a_download_that_has_begun_survives_a_delete() {
    let server = Setup::open().on_disk();
    let content = noise(45, 8 << 20);
    let path = format!("/Marti/sync/content?hash={}", sha256(&content));
    publish(&server, "creatorUid=A", "big.zip", &content);
    let mut connection = server.connect();
    connection.send(&server.head("GET", &path, "", None));
    connection.answer_head().expect(200);
    let mut got = connection.read_some();
    server.get(&format!("/Marti/sync/delete?hash={}", sha256(&content))).expect(200);
    server.get(&path).expect(404);
    while got.len() < content.len() {
        let some = connection.read_some();
        if some.is_empty() {
            break;
        }
        got.extend_from_slice(&some);
    }
    assert!(content.starts_with(&got), "other bytes");
}
