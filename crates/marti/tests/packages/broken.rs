//! Uploads that are not what they say, too large, or broken off leave nothing (T16, T17, T30; 23).

use std::thread;
use std::time::Duration;

use crate::shapes::{ZIP, assert_download, assert_holds, fetch, form, form_type, listed, noise};
use crate::shapes::{publish, sha256, usage};
use crate::support::{Server, Setup, until};
use store::packages::SqlitePackages;

/// Nothing of an upload is there: no row, no content, no temporary file.
#[track_caller]
fn assert_nothing(server: &Server<SqlitePackages>) {
    assert_holds(server, 0, 0);
    assert_eq!(usage(server).contents, 0);
}

/// T16: content that is not what was announced is refused, whichever way it comes.
#[test]
fn t16_a_wrong_hash_leaves_nothing() {
    let server = Setup::open().on_disk();
    let content = noise(80, 5_000);
    let other = noise(81, 5_000);
    let hash_of_other = sha256(&other);
    let body = form("assetfile", "x.zip", "b", &content);
    let target = format!("/Marti/sync/missionupload?hash={hash_of_other}&filename=x.zip");
    let answer = server.ask("POST", &target, &form_type("b"), &body);
    assert!([400, 422].contains(&answer.status), "{}", answer.head);
    assert_nothing(&server);
    // What is there under that hash stays as it is.
    publish(&server, "creatorUid=A", "good.zip", &other);
    let answer = server.ask("POST", &target, &form_type("b"), &body);
    assert!([400, 422].contains(&answer.status), "{}", answer.head);
    assert_download(fetch(&server, &hash_of_other), &other);
    fetch(&server, &sha256(&content)).expect(404);
    assert_holds(&server, 1, 1);
}

/// T16, T17: whenever the sender goes away, in whatever form.
#[test]
fn t17_an_upload_that_is_broken_off_leaves_nothing() {
    let server = Setup::open().on_disk();
    let content = noise(82, 4 << 20);
    let body = form("assetfile", "x.zip", "b", &content);
    let form_target = "/Marti/sync/missionupload?filename=x.zip&creatorUid=A";
    let raw_target = "/Marti/sync/upload?name=x.zip&creatorUid=A";
    for is_form in [true, false] {
        let (target, kind) = match is_form {
            true => (form_target, form_type("b")),
            false => (raw_target, format!("Content-Type: {ZIP}\r\n")),
        };
        let bytes = if is_form { &body } else { &content };
        // A length that is not reached.
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &kind, Some(bytes.len())));
        connection.send(&bytes[..3 << 20]);
        until("the upload has begun", || !server.blobs().is_empty());
        assert_eq!(usage(&server).packages, 0, "nothing is visible before the end");
        connection.cut();
        assert_nothing(&server);
        // Chunks without an end.
        let mut connection = server.connect();
        let chunked = format!("{kind}Transfer-Encoding: chunked\r\n");
        connection.send(&server.head("POST", target, &chunked, None));
        connection.chunk(&bytes[..3 << 20]);
        until("the upload has begun", || !server.blobs().is_empty());
        connection.cut();
        assert_nothing(&server);
    }
    // A form whose body ends before its last boundary.
    let cut = &body[..body.len() - 6];
    server.ask("POST", form_target, &form_type("b"), cut).expect(400);
    assert_nothing(&server);
}

/// T17: 32 at a time of the same content, every second of them cut at some byte.
#[test]
fn t17_parallel_uploads_of_one_content_are_one_file_and_one_row() {
    let server = Setup::open().on_disk();
    let content = noise(83, 256 << 10);
    let hash = sha256(&content);
    let body = form("assetfile", "same.zip", "b", &content);
    let target = format!("/Marti/sync/missionupload?hash={hash}&filename=same.zip&creatorUid=A");
    let url = format!("http://{}/Marti/sync/content?hash={hash}", server.http);
    thread::scope(|scope| {
        for n in 0..32_usize {
            let (server, body, target, url) = (&server, &body, &target, &url);
            scope.spawn(move || {
                let mut connection = server.connect();
                connection.send(&server.head("POST", target, &form_type("b"), Some(body.len())));
                if n % 2 == 0 {
                    connection.send(body);
                    assert_eq!(connection.answer().expect(200).text(), url);
                } else {
                    let at = noise(n as u64, 4).iter().fold(0, |at, b| at * 256 + usize::from(*b));
                    connection.send(&body[..at % body.len()]);
                    connection.cut();
                }
            });
        }
    });
    until("one file is left", || server.blobs().len() == 1);
    assert_eq!((usage(&server).packages, usage(&server).contents), (1, 1));
    assert_eq!(listed(&server, "keywords=missionpackage"), [hash.as_str()]);
    assert_download(fetch(&server, &hash), &content);
}

/// T08: a sender that stops sending is told so, and leaves nothing.
#[test]
fn t08_an_upload_that_stalls_is_ended() {
    let mut setup = Setup::open();
    setup.marti.body_patience = Duration::from_millis(100);
    let server = setup.on_disk();
    for (target, kind) in [
        ("/Marti/sync/upload?name=x", format!("Content-Type: {ZIP}\r\n")),
        ("/Marti/sync/missionupload?filename=x", form_type("b")),
    ] {
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &kind, Some(1 << 20)));
        connection.send(&form("assetfile", "x", "b", &noise(90, 500)));
        let answer = connection.answer();
        // A form that ends is all there is to it; what is announced beyond is waited for in vain.
        assert!([200, 408].contains(&answer.status), "{}", answer.head);
        if answer.status == 408 {
            assert!(connection.is_closed());
            assert_nothing(&server);
        }
    }
}

/// 3: one address may upload a lot at a time, and not everything; places are given back.
#[test]
fn k03_uploads_at_a_time_from_one_address_are_bounded() {
    let mut setup = Setup::open();
    setup.marti.max_uploads_per_addr = 2;
    let server = setup.on_disk();
    let raw = format!("Content-Type: {ZIP}\r\n");
    let begin = |seed: u64| {
        let mut connection = server.connect();
        let target = "/Marti/sync/upload?name=x";
        connection.send(&server.head("POST", target, &raw, Some(3 << 20)));
        connection.send(&noise(seed, 2 << 20));
        connection
    };
    let mut running: Vec<_> = (91..93).map(begin).collect();
    until("both have begun", || server.blobs().len() == 2);
    let refused = server.ask("POST", "/Marti/sync/upload?name=x", &raw, &noise(93, 100));
    refused.expect(503).header("retry-after").expect("when to come again");
    // Reading, and what is no upload, is not held up.
    server.get("/Marti/sync/search").expect(200);
    running.pop().unwrap().cut();
    until("its place is free", || server.blobs().len() == 1);
    until("an upload is taken again", || {
        server.ask("POST", "/Marti/sync/upload?name=x", &raw, &noise(93, 100)).status == 200
    });
    let mut last = running.pop().unwrap();
    last.send(&noise(94, 1 << 20));
    last.answer().expect(200);
    assert_eq!(usage(&server).packages, 2);
}

fn small() -> Server<SqlitePackages> {
    let mut setup = Setup::open();
    setup.marti.max_upload_bytes = 1 << 20;
    setup.packages.max_upload_bytes = 1 << 20;
    setup.on_disk()
}

/// 23: refused by what is announced, before a byte of it is read.
#[test]
fn k23_a_length_beyond_the_limit_is_refused_at_once() {
    let server = small();
    let raw = format!("Content-Type: {ZIP}\r\n");
    for len in [4 << 20, 2 << 30, 1 << 50] {
        // Without leave to send, and nothing sent.
        for (target, kind) in [
            ("/Marti/sync/upload?name=x", raw.clone()),
            ("/Marti/sync/missionupload?filename=x", form_type("b")),
        ] {
            let mut connection = server.connect();
            let headers = format!("{kind}Expect: 100-continue\r\n");
            connection.send(&server.head("POST", target, &headers, Some(len)));
            connection.answer().expect(413).json();
        }
    }
    for (target, headers) in [
        ("/Marti/sync/upload?name=x", raw.as_str()),
        ("/Marti/sync/missionupload?filename=x", &form_type("b")),
    ] {
        // Somebody who sends without waiting, and goes on: the server hangs up.
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, headers, Some(1 << 30)));
        let block = vec![b'x'; 1 << 20];
        let sent = (0..64).take_while(|_| connection.try_send(&block) == block.len()).count();
        assert!(sent < 64, "{target}: it read on");
    }
    assert_nothing(&server);
}

/// 23: refused when the limit is passed, where nothing is announced.
#[test]
fn k23_chunks_beyond_the_limit_are_not_read_on_forever() {
    let server = small();
    for (target, headers) in [
        ("/Marti/sync/upload?name=x", format!("Content-Type: {ZIP}\r\n")),
        ("/Marti/sync/missionupload?filename=x", form_type("b")),
    ] {
        let headers = headers + "Transfer-Encoding: chunked\r\n";
        let whole = form("assetfile", "x", "b", &vec![b'x'; (1 << 20) + 4_096]);
        // A little too much gets its answer.
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &headers, None));
        connection.chunk(&whole);
        connection.chunk(b"");
        connection.answer().expect(413);
        // Much too much is cut off.
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &headers, None));
        connection.chunk(&whole[..1 << 20]);
        let mut block = format!("{:x}\r\n", 1 << 20).into_bytes();
        block.extend(vec![b'x'; 1 << 20]);
        block.extend(b"\r\n");
        let sent = (0..64).take_while(|_| connection.try_send(&block) == block.len()).count();
        assert!(sent < 64, "{target}: it read on");
    }
    assert_nothing(&server);
    // What fits goes in.
    let exact = noise(84, 1 << 20);
    publish(&server, "creatorUid=A", "fits.zip", &exact);
    assert_download(fetch(&server, &sha256(&exact)), &exact);
}

/// T30: a full disk is said to be full; reading goes on.
#[test]
fn t30_a_full_disk_is_507_and_takes_nothing() {
    let mut setup = Setup::open();
    setup.packages.min_free_bytes = 1 << 60;
    let server = setup.on_disk();
    let body = form("assetfile", "x.zip", "b", &noise(85, 50_000));
    let target = "/Marti/sync/missionupload?filename=x.zip&creatorUid=A";
    let refused = server.ask("POST", target, &form_type("b"), &body).expect(507).json();
    let told = refused["message"].as_str().unwrap();
    assert!(told.contains(" MiB too little: ") && told.contains("`packages_free`"), "{told}");
    let raw = format!("Content-Type: {ZIP}\r\n");
    server.ask("POST", "/Marti/sync/upload?name=x", &raw, &noise(85, 50_000)).expect(507);
    assert_nothing(&server);
    server.get("/Marti/sync/search?keywords=missionpackage").expect(200);
}

/// The store's quota.
#[test]
fn t30_a_full_quota_is_507_and_what_is_there_stays() {
    let mut setup = Setup::open();
    setup.packages.max_total_bytes = Some(100_000);
    let server = setup.on_disk();
    let content = noise(86, 80_000);
    publish(&server, "creatorUid=A", "x.zip", &content);
    let more = noise(87, 80_000);
    let raw = format!("Content-Type: {ZIP}\r\n");
    let refused = server.ask("POST", "/Marti/sync/upload?name=y", &raw, &more).expect(507).json();
    let told = refused["message"].as_str().unwrap();
    assert!(told.contains("`packages_total`") && told.contains("operator"), "{told}");
    publish(&server, "creatorUid=A", "again.zip", &content);
    assert_download(fetch(&server, &sha256(&content)), &content);
    assert_holds(&server, 1, 1);
}

/// Content that the disk has damaged is never handed out as if it were whole.
#[test]
fn t16_damaged_content_is_no_download() {
    let server = Server::open();
    let content = noise(88, 5_000);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "x.zip", &content);
    server.packages.damage(hash.parse().unwrap());
    let answer = fetch(&server, &hash);
    assert!([404, 410].contains(&answer.status), "{}", answer.head);
    // Another upload makes it good.
    publish(&server, "creatorUid=A", "x.zip", &content);
    assert_download(fetch(&server, &hash), &content);
}

/// What was acknowledged is there after the server was killed, and what was not is nowhere.
#[test]
fn t17_a_restart_keeps_what_was_acknowledged() {
    let server = Setup::open().on_disk();
    let kept = noise(95, 300_000);
    publish(&server, "creatorUid=A&keyword=missionpackage", "kept.zip", &kept);
    let gone = noise(96, 1_000);
    publish(&server, "creatorUid=A&keyword=missionpackage", "gone.zip", &gone);
    server.get(&format!("/Marti/sync/delete?hash={}", sha256(&gone))).expect(200);
    let mut begun = server.connect();
    let raw = format!("Content-Type: {ZIP}\r\n");
    begun.send(&server.head("POST", "/Marti/sync/upload?name=x", &raw, Some(4 << 20)));
    begun.send(&noise(97, 2 << 20));
    until("the upload has begun", || server.blobs().len() == 2);

    let server = Setup::open().on_disk_in(server.kill());
    assert_eq!(listed(&server, "keywords=missionpackage"), [sha256(&kept)]);
    assert_download(fetch(&server, &sha256(&kept)), &kept);
    fetch(&server, &sha256(&gone)).expect(404);
    assert_holds(&server, 1, 1);
}

/// A content that is uploaded and deleted by many at once is there or not, but never by half.
#[test]
fn t17_uploads_and_deletes_of_one_content_at_once_leave_all_or_nothing() {
    let server = Setup::open().on_disk();
    let content = noise(98, 30_000);
    let hash = sha256(&content);
    thread::scope(|scope| {
        for n in 0..8 {
            let (server, content, hash) = (&server, &content, &hash);
            scope.spawn(move || {
                for _ in 0..6 {
                    if n % 2 == 0 {
                        publish(server, "creatorUid=A&keyword=missionpackage", "s.zip", content);
                    } else {
                        let answer =
                            server.get(&format!("/Marti/sync/delete?hash={hash}&creatorUid=A"));
                        assert!([200, 404].contains(&answer.status), "{}", answer.head);
                        let answer = fetch(server, hash);
                        if answer.status != 404 {
                            assert_download(answer, content);
                        }
                    }
                }
            });
        }
    });
    let is_there = fetch(&server, &hash).status == 200;
    let expected = u64::from(is_there);
    assert_eq!((usage(&server).packages, usage(&server).contents), (expected, expected));
    until("no other file is left", || server.blobs().len() as u64 == expected);
    publish(&server, "creatorUid=A", "s.zip", &content);
    assert_download(fetch(&server, &hash), &content);
}
