//! Names that want to be paths, headers or SQL, and content that wants to be a page: T15, T20, T21,
//! T23.

use store::packages::SqlitePackages;

use crate::shapes::{ZIP, assert_download, fetch, filename_of, form, form_type, listed, noise};
use crate::shapes::{publish, search, sha256, usage};
use crate::support::{STORE, Server, Setup, files_in};

/// Names that some server somewhere took for a path, a header, or a device. Percent-encoded.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "..%2F..%2Fetc%2Fx",
        "..%5C..%5Cx",
        "%2Fetc%2Fx",
        "C%3A%5Cx",
        "%252e%252e%252fx",
        ".",
        "..",
        "CON",
        "NUL.zip",
        "a%00b.zip",
        "a%0D%0AX-Evil%3A%201%0D%0A%0D%0Ab",
        "a%22%3B%20x%3D%22b",
        "%EF%BC%8E%EF%BC%8E%EF%BC%8Fx",
        "a%0Ab",
        "%E2%80%AEpiz.exe",
        "a%5C%22b",
        "%7F%1B%5B2J",
        "%F0%9F%97%BA.zip",
        "-rf",
        "~",
        "%24(id)",
        "%3Cscript%3E",
    ]
    .map(str::to_owned)
    .into();
    names.push("n".repeat(3_500));
    names.push("%C3%A9".repeat(2_000));
    names
}

/// T15: the files of the store are its own, and there are no others.
#[track_caller]
fn assert_tidy(server: &Server<SqlitePackages>) {
    let store = server.root().join(STORE);
    for file in files_in(server.root()) {
        let path = file.strip_prefix(&store).expect("a file outside of the store");
        let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
        let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match parts[..] {
            [name] => assert!(name == "lock" || name.starts_with("packages.db"), "{name}"),
            ["blobs", dir, name] => {
                assert!(
                    dir.len() == 2 && name.len() == 64 && is_hex(dir) && is_hex(name),
                    "{name}"
                );
            }
            _ => panic!("a file that is not the store's: {}", path.display()),
        }
    }
}

/// T15, T21: no answer has a header that a name wrote.
#[track_caller]
fn assert_clean(server: &Server<SqlitePackages>, hash: &str, content: &[u8]) {
    for path in [format!("/Marti/sync/content?hash={hash}"), format!("/Marti/api/files/{hash}")] {
        let answer = assert_download(server.get(&path), content);
        assert_eq!(answer.header("x-evil"), None);
        let is_plain = |c: char| c == '\r' || c == '\n' || (' '..='~').contains(&c);
        assert!(answer.head.chars().all(is_plain), "{:?}", answer.head);
        let disposition = answer.header("content-disposition").unwrap();
        let quotes = disposition.matches('"').count() - disposition.matches("\\\"").count();
        assert!(quotes.is_multiple_of(2) && !disposition.contains("x=\"b"), "{disposition}");
        assert!(!filename_of(&answer).contains(['/', '\\']), "{disposition}");
    }
}

/// T15.
#[test]
fn t15_names_never_become_paths_or_headers() {
    let server = Setup::open().on_disk();
    for (n, name) in names().iter().enumerate() {
        let content = noise(90 + n as u64, 200 + n);
        let hash = sha256(&content);
        let body = form("assetfile", "../../../etc/x", "b", &content);
        let target = format!("/Marti/sync/missionupload?filename={name}&creatorUid={name}");
        let answer = server.ask("POST", &target, &form_type("b"), &body);
        // A name that is refused is refused as the client's fault; one that is taken does no harm.
        if answer.status != 200 {
            // 414 when its request is beyond what a head may have.
            assert!([400, 414].contains(&answer.status), "{name}: {}", answer.head);
            continue;
        }
        assert_clean(&server, &hash, &content);
        let content = noise(190 + n as u64, 200 + n);
        let target = format!("/Marti/sync/upload?name={name}&uid={name}&filename={name}");
        let answer = server.ask("POST", &target, &format!("Content-Type: {ZIP}\r\n"), &content);
        assert!([200, 400, 414].contains(&answer.status), "{name}: {}", answer.head);
        if answer.status == 200 {
            assert_clean(&server, &sha256(&content), &content);
        }
    }
    // Every row is still fit for ATAK, one bad one of which discards the list.
    for row in search(&server, "tool=public") {
        assert!(!row["Name"].as_str().unwrap().is_empty());
        assert!(!row["UID"].as_str().unwrap().is_empty());
    }
    assert!(usage(&server).packages > 20);
    assert_tidy(&server);
}

/// T15: a hash is 64 hex digits or nothing.
#[test]
fn t15_a_hash_that_is_none_finds_nothing() {
    let server = Setup::open().on_disk();
    publish(&server, "creatorUid=A", "x.zip", &noise(89, 100));
    let long = "a".repeat(4_000);
    for hash in [
        "..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "%252e%252e%252f",
        "..",
        ".",
        "%2Fetc%2Fpasswd",
        "*",
        "%25",
        "packages.db",
        "lock",
        "%00",
        "0",
        &long,
        "%F0%9F%97%BA",
        "%ff",
    ] {
        for target in [
            format!("/Marti/sync/content?hash={hash}"),
            format!("/Marti/sync/content?uid={hash}"),
            format!("/Marti/sync/missionquery?hash={hash}"),
            format!("/Marti/sync/delete?hash={hash}"),
            format!("/Marti/api/files/{hash}"),
            format!("/Marti/sync/{hash}/metadata"),
        ] {
            let answer = server.get(&target);
            assert!([400, 404, 405].contains(&answer.status), "{target}: {}", answer.head);
        }
        let body = form("assetfile", "x", "b", b"content");
        let target = format!("/Marti/sync/missionupload?filename=x&hash={hash}");
        let status = server.ask("POST", &target, &form_type("b"), &body).status;
        assert!([400, 422].contains(&status), "{hash}: {status}");
        let target = format!("/Marti/api/sync/metadata/{hash}/tool");
        let status = server.ask("PUT", &target, "", b"public").status;
        assert!([400, 404].contains(&status), "{hash}: {status}");
    }
    assert_eq!(usage(&server).packages, 1);
    assert_tidy(&server);
}

/// T20: what is searched for is what is meant, letter for letter.
#[test]
fn t20_searches_are_literal() {
    let server = Setup::open().on_disk();
    let hostile = "x%27)%3B%20DROP%20TABLE%20packages%3B--";
    publish(&server, "creatorUid=A&keyword=missionpackage", hostile, &noise(300, 100));
    publish(&server, "creatorUid=A&keyword=100%25", "a_b%25c.zip", &noise(301, 100));
    let (drop, wild) = (sha256(&noise(300, 100)), sha256(&noise(301, 100)));
    let keys = ["name", "filename", "keywords", "tool", "creatoruid", "mimetype", "uid", "mission"];
    for key in keys {
        for value in [
            "%27%20OR%201%3D1--",
            "%22%3B%20DROP%20TABLE%20x",
            "%27%27",
            "%25",
            "%5F%5F",
            "*",
            "%5C",
        ] {
            let found = listed(&server, &format!("{key}={value}"));
            // `%` and `_` are in one name, and match nothing but themselves.
            let is_itself = value == "%25" && ["name", "filename"].contains(&key);
            assert_eq!(
                found,
                if is_itself { vec![wild.clone()] } else { Vec::new() },
                "{key}={value}"
            );
        }
    }
    assert_eq!(listed(&server, "name=a_b%25c"), [wild.as_str()]);
    assert!(listed(&server, "name=aXb%25c").is_empty());
    assert_eq!(listed(&server, "name=DROP+TABLE"), [drop.as_str()]);
    assert_eq!(listed(&server, "keywords=100%25"), [wild.as_str()]);
    let many = vec!["k"; 3_000].join(",");
    let answer = server.get(&format!("/Marti/sync/search?keywords={many}"));
    assert!([200, 400, 414].contains(&answer.status), "{}", answer.head);
    let more = vec!["k"; 10_000].join(",");
    let answer = server.get(&format!("/Marti/sync/search?keywords={more}"));
    assert!([400, 414, 431].contains(&answer.status), "{}", answer.head);
    assert_eq!(usage(&server).packages, 2);
}

/// T21: a package is a download, whatever it says it is.
#[test]
fn t21_content_is_never_a_page_of_this_server() {
    let server = Server::open();
    let pages = [
        ("text/html", "x.html", "<script>alert(1)</script>"),
        ("image/svg+xml", "x.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(2)'/>"),
        ("application/xhtml+xml", "x.xhtml", "<html xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("text/html%3Bcharset%3Dutf-7", "x.zip", "+ADw-script+AD4-"),
        ("text/javascript", "x.js", "alert(3)"),
        ("application/xml", "x.xml", "<?xml-stylesheet href='x'?><x/>"),
        ("evil%0D%0AX-Evil:%201", "x.zip", "evil"),
    ];
    for (kind, name, content) in pages {
        let target = format!("/Marti/sync/upload?name={name}&mimetype={kind}");
        let plain_kind = if kind.contains('%') { "text/html" } else { kind };
        let headers = format!("Content-Type: {plain_kind}\r\n");
        let status = server.ask("POST", &target, &headers, content.as_bytes()).status;
        assert!(status == 200 || (kind.contains("%0D") && status == 400), "{kind}: {status}");
        if status != 200 {
            continue;
        }
        let hash = sha256(content.as_bytes());
        for path in [format!("/Marti/sync/content?hash={hash}"), format!("/Marti/api/files/{hash}")]
        {
            let answer = assert_download(server.get(&path), content.as_bytes());
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(
                policy.contains("sandbox") && policy.contains("default-src 'none'"),
                "{policy}"
            );
            assert!(
                answer.header("content-disposition").unwrap().starts_with("attachment"),
                "{kind}"
            );
            let served = answer.header("content-type").unwrap();
            for active in ["html", "svg", "script"] {
                assert!(!served.contains(active), "{kind} is served as {served}");
            }
            assert_eq!(answer.header("x-evil"), None);
        }
    }
}

/// T21: the type of a package is what ATAK said, and stays; the policy is there all the same.
#[test]
fn t21_packages_keep_their_type() {
    let server = Server::open();
    for (n, kind) in [ZIP, "application/zip", "image/jpeg"].into_iter().enumerate() {
        let content = noise(310 + n as u64, 50);
        let headers = format!("Content-Type: {kind}\r\n");
        server.ask("POST", "/Marti/sync/upload?name=x", &headers, &content).expect(200);
        let answer = fetch(&server, &sha256(&content));
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-security-policy").unwrap().contains("sandbox"));
    }
}

/// T15: what a form may hold besides its file is bounded.
#[test]
fn t15_forms_that_never_come_to_their_file_are_refused() {
    let server = Setup::open().on_disk();
    let target = "/Marti/sync/missionupload?filename=x";
    let field = "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nv\r\n";
    let long = "x".repeat(3 << 20);
    for (what, body) in [
        ("many fields", field.repeat(50_000)),
        ("a long field", field.replace('v', &long)),
        ("a long header", field.replace("form-data", &long)),
        (
            "many headers",
            field.replace("\r\n\r\n", &format!("\r\n{}\r\n", "a: b\r\n".repeat(9_999))),
        ),
        ("a long beginning", long.clone()),
    ] {
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &form_type("b"), Some(1 << 30)));
        connection.try_send(body.as_bytes());
        let block = vec![b'x'; 1 << 20];
        let sent = (0..64).take_while(|_| connection.try_send(&block) == block.len()).count();
        assert!(sent < 64, "{what}: it read on");
    }
    assert_eq!(usage(&server).packages, 0);
    assert_tidy(&server);
}

/// T15: what is left of a body that was refused is no request.
#[test]
fn t15_a_refused_body_is_never_read_as_a_request() {
    let server = Server::open();
    let content = noise(321, 100);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "x.zip", &content);
    let smuggled =
        format!("GET /Marti/sync/delete?hash={hash}&creatorUid=A HTTP/1.1\r\nHost: x\r\n\r\n");
    for (target, kind) in [
        ("/Marti/sync/missionupload", form_type("b")),
        ("/Marti/sync/missionupload?filename=x", "Content-Type: text/plain\r\n".to_owned()),
        ("/Marti/sync/upload?name=x&hash=zz", String::new()),
        ("/Marti/sync/nothing", String::new()),
    ] {
        let body = smuggled.repeat(40);
        let mut connection = server.connect();
        connection.send(&server.head("POST", target, &kind, Some(body.len())));
        connection.try_send(body.as_bytes());
        let status = connection.answer().status;
        assert!([200, 400, 404].contains(&status), "{target}: {status}");
        // Either the connection is done with, or the next answer is to the next request.
        connection.try_send(&server.head("GET", "/files/api/config", "", None));
        if !connection.is_closed() {
            assert!(connection.answer().text().contains("uploadSizeLimit"), "{target}");
        }
        assert_download(fetch(&server, &hash), &content);
    }
}

/// T23: a page of another server makes a browser change nothing, also by GET.
#[test]
fn t23_pages_of_other_servers_change_nothing() {
    let server = Server::open();
    let content = noise(320, 100);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "x.zip", &content);
    let body = form("assetfile", "x", "b", b"from a page");
    for foreign in
        ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    {
        let kind = form_type("b") + foreign;
        server.ask("POST", "/Marti/sync/missionupload?filename=x", &kind, &body).expect(403);
        server.ask("POST", "/Marti/sync/upload?name=x", foreign, b"raw").expect(403);
        for method in ["GET", "POST", "DELETE"] {
            let target = format!("/Marti/sync/delete?hash={hash}&creatorUid=A");
            server.ask(method, &target, foreign, b"").expect(403);
        }
        let target = format!("/Marti/api/sync/metadata/{hash}/tool");
        server.ask("PUT", &target, foreign, b"private").expect(403);
    }
    assert_eq!(usage(&server).packages, 1);
    assert_eq!(search(&server, "tool=public").len(), 1);
    assert_download(fetch(&server, &hash), &content);
}
