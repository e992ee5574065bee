//! What holds for every request: 4 to 10 of the checklist.

use crate::shapes::{assert_download, assert_no_null, fetch, form, form_type, listed, noise};
use crate::shapes::{publish, say, sha256};
use crate::support::Server;

/// 4: the whole header is compared.
#[test]
fn k04_json_is_exactly_application_json() {
    let server = Server::open();
    let hash = sha256(&noise(20, 100));
    publish(&server, "creatorUid=A&keyword=missionpackage", "a.zip", &noise(20, 100));
    for target in [
        "/Marti/sync/search?keywords=missionpackage".to_owned(),
        "/Marti/api/sync/search".to_owned(),
        "/Marti/api/files/metadata?missionPackage=true".to_owned(),
        "/Marti/api/files/metadata/count".to_owned(),
        "/files/api/config".to_owned(),
        format!("/Marti/api/resources/{hash}"),
        format!("/Marti/sync/{hash}/metadata"),
    ] {
        let answer = server.get(&target).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
        // 9: nothing is null.
        assert_no_null(&answer.json());
    }
    // CloudTAK takes this one for text, and parses that: what is JSON by its type it could not.
    let target = "/Marti/sync/upload?name=b.txt&creatorUid=A";
    let answer = server.ask("POST", target, "Content-Type: text/plain\r\n", b"b").expect(200);
    assert_eq!(answer.header("content-type"), Some("text/json"));
    assert_no_null(&answer.json());
}

/// 5: parameters in any case, and those that nobody knows.
#[test]
fn k05_names_of_parameters_are_found_in_any_case_and_unknown_ones_ignored() {
    let server = Server::open();
    let content = noise(21, 900);
    let hash = sha256(&content);
    let target = format!(
        "/Marti/sync/missionupload?HASH={}&FILENAME=upper.zip&CREATORUID=A&KEYWORD=missionpackage\
         &nonsense=1&=&&receiver=HAWK",
        hash.to_uppercase(),
    );
    let body = form("assetfile", "upper.zip", "b", &content);
    let answer = server.ask("POST", &target, &form_type("b"), &body).expect(200);
    let url = format!("http://{}/Marti/sync/content?hash={hash}", server.http);
    assert_eq!(answer.text(), url, "13: lower-case hex");
    for query in ["HASH", "Hash", "UID", "uid"] {
        let upper = hash.to_uppercase();
        assert_download(
            server.get(&format!("/Marti/sync/content?x=y&{query}={upper}&z")),
            &content,
        );
    }
    let query = "KEYWORDS=missionpackage&Tool=public&Name=UPPER&unknown=1";
    assert_eq!(listed(&server, query), [hash.as_str()]);
    server.get(&format!("/Marti/sync/missionquery?Hash={hash}&a=b")).expect(200);
}

/// 6: clients double slashes and end with one; `+` is a space in a query.
#[test]
fn k06_doubled_and_trailing_slashes_are_forgiven() {
    let server = Server::open();
    for path in ["/Marti/api/version", "//Marti/api/version", "/Marti//api/version/"] {
        let answer = server.get(path).expect(200);
        assert!(answer.text().contains("TAK Server"), "{}", answer.text());
    }
    let content = noise(22, 800);
    let hash = sha256(&content);
    let body = form("assetfile", "x", "b", &content);
    let target = "//Marti//sync/missionupload/?filename=two+words%20more.zip&creatorUid=A";
    server.ask("POST", target, &form_type("b"), &body).expect(200);
    let tool = format!("/Marti//api/sync/metadata/{hash}/tool/");
    server.ask("PUT", &tool, "Content-Type: text/plain\r\n", b"public").expect(200);
    assert_eq!(listed(&server, "name=two%20words+more"), [hash.as_str()]);
    assert_download(server.get(&format!("//Marti/sync//content/?hash={hash}")), &content);
    server.get(&format!("/Marti/sync/missionquery/?hash={hash}")).expect(200);
    server.get("/Marti//sync/search/?keywords=missionpackage").expect(200);
}

/// 7: libcurl waits for leave to send larger bodies.
#[test]
fn k07_expect_100_continue_is_answered_before_the_body() {
    let server = Server::open();
    let content = noise(23, 100_000);
    let body = form("assetfile", "e.zip", "b", &content);
    let mut connection = server.connect();
    let headers = format!("{}Expect: 100-continue\r\n", form_type("b"));
    let target = "/Marti/sync/missionupload?filename=e.zip&creatorUid=A";
    connection.send(&server.head("POST", target, &headers, Some(body.len())));
    assert_eq!(connection.answer().status, 100);
    connection.send(&body);
    connection.answer().expect(200);
    assert_download(fetch(&server, &sha256(&content)), &content);
}

/// 7: chunked, in chunks that cut the form wherever it hurts.
#[test]
fn k07_chunked_bodies_are_taken() {
    let server = Server::open();
    for (seed, size) in [(24, 1), (25, 7), (26, 4_096)] {
        let content = noise(seed, 3_000);
        let body = form("assetfile", "c.zip", "boundary-of-a-form", &content);
        let mut connection = server.connect();
        let headers = form_type("boundary-of-a-form") + "Transfer-Encoding: chunked\r\n";
        let target = "/Marti/sync/missionupload?filename=c.zip&creatorUid=A";
        connection.send(&server.head("POST", target, &headers, None));
        for part in body.chunks(size) {
            connection.chunk(part);
        }
        connection.chunk(b"");
        connection.answer().expect(200);
        assert_download(fetch(&server, &sha256(&content)), &content);
    }
}

/// 7: ATAK says so of bodies that are not encoded at all.
#[test]
fn k07_a_bogus_content_encoding_is_ignored() {
    let server = Server::open();
    let content = noise(27, 600);
    let body = form("assetfile", "u.zip", "b", &content);
    let headers = form_type("b") + "Content-Encoding: UTF-8\r\n";
    let target = "/Marti/sync/missionupload?filename=u.zip&creatorUid=A";
    server.ask("POST", target, &headers, &body).expect(200);
    assert_download(fetch(&server, &sha256(&content)), &content);
    for (seed, encoding) in [(28, "UTF-8"), (29, "gzip"), (30, "nonsense")] {
        let content = noise(seed, 600);
        let headers = format!("Content-Type: application/zip\r\nContent-Encoding: {encoding}\r\n");
        let answer = server.ask("POST", "/Marti/sync/upload?name=r.zip", &headers, &content);
        assert_eq!(answer.expect(200).json()["Hash"], sha256(&content), "{encoding}");
    }
    let target = format!("/Marti/api/sync/metadata/{}/tool", sha256(&content));
    let headers = "Content-Type: text/plain\r\nContent-Encoding: UTF-8\r\n";
    server.ask("PUT", &target, headers, b"private").expect(200);
}

/// 8: no client follows a redirect, reads HTML or expects to inflate; 11: what is not there is 404.
#[test]
fn k08_no_redirect_no_html_no_compression_also_in_failure() {
    let server = Server::open();
    let unknown = sha256(b"unknown");
    publish(&server, "creatorUid=A", "a.zip", &[b'a'; 20_000]);
    for target in [
        "/Marti/sync/search".to_owned(),
        format!("/Marti/sync/content?hash={}", sha256(&[b'a'; 20_000])),
        format!("/Marti/sync/missionquery?hash={unknown}"),
        format!("/Marti/sync/content?hash={unknown}"),
        format!("/Marti/api/files/{unknown}"),
        format!("/Marti/sync/delete?hash={unknown}"),
        "/Marti/sync/missionquery".to_owned(),
        "/Marti/sync/content".to_owned(),
        "/Marti/sync/nothing".to_owned(),
    ] {
        let answer = server.get(&target);
        assert!([200, 400, 404].contains(&answer.status), "{target}: {}", answer.head);
        for header in ["location", "content-encoding"] {
            assert_eq!(answer.header(header), None, "{target}");
        }
        assert!(!answer.header("content-type").unwrap_or_default().contains("html"), "{target}");
        if answer.status != 200 {
            let error = answer.json();
            assert!(error["status"].is_string() && error["message"].is_string(), "{error}");
        }
        let is_there = !target.contains(&unknown);
        assert!(is_there || answer.status == 404, "{target}: {}", answer.status);
    }
    server.ask("POST", &format!("/Marti/sync/missionquery?hash={unknown}"), "", b"").expect(405);
}

/// 13: the URL in the answer has the scheme and the host that the client itself used.
#[test]
fn k13_urls_are_made_of_the_clients_own_host() {
    let server = Server::open();
    let content = noise(31, 300);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "h.zip", &content);
    for host in ["10.1.2.3:8080", "tak.example.org", "[2001:db8::7]:8080", "192.0.2.7"] {
        let head = format!("GET /Marti/sync/missionquery?hash={hash} HTTP/1.1\nHost: {host}\n");
        let answer = say(&server, &head, b"").expect(200);
        assert_eq!(answer.text(), format!("http://{host}/Marti/sync/content?hash={hash}"));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    let head = format!(
        "GET /Marti/sync/missionquery?hash={hash} HTTP/1.1\nHost: 10.1.2.3:8080\n\
         X-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\n"
    );
    let answer = say(&server, &head, b"").expect(200);
    assert!(answer.text().starts_with("http://10.1.2.3:8080/"), "nobody configured a proxy");
}
