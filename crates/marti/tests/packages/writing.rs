//! Uploads and changes: 12, 14, 15, 19 to 21 of the checklist.

use serde_json::json;

use crate::shapes::{assert_download, assert_holds, fetch, form, form_type, listed, noise};
use crate::shapes::{publish, search, sha256, usage};
use crate::support::{Server, Setup};

const TEXT: &str = "Content-Type: text/plain\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// 12: whatever the part is called.
#[test]
fn k12_the_file_is_in_assetfile_or_resource_or_the_first_part_with_a_file() {
    let server = Server::open();
    for (seed, part) in [(50, "assetfile"), (51, "resource"), (52, "file"), (53, "")] {
        let content = noise(seed, 400);
        let body = form(part, "p.zip", "b", &content);
        let target = format!("/Marti/sync/missionupload?filename=p{seed}.zip");
        let answer = server.ask("POST", &target, &form_type("b"), &body).expect(200);
        let expected =
            format!("http://{}/Marti/sync/content?hash={}", server.http, sha256(&content));
        assert_eq!(answer.text(), expected, "{part}");
        assert_download(fetch(&server, &sha256(&content)), &content);
    }
    // Fields before it are no file.
    let content = noise(54, 400);
    let field = "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n";
    let body = [field.as_bytes(), &form("assetfile", "p.zip", "b", &content)].concat();
    let target = "/Marti/sync/missionupload?filename=p.zip";
    server.ask("POST", target, &form_type("b"), &body).expect(200);
    assert_download(fetch(&server, &sha256(&content)), &content);
    // A boundary may be quoted.
    let content = noise(55, 400);
    let quoted = "Content-Type: multipart/form-data; boundary=\"a b:c\"\r\n";
    let body = form("assetfile", "q.zip", "a b:c", &content);
    server.ask("POST", "/Marti/sync/missionupload?filename=q.zip", quoted, &body).expect(200);
    assert_download(fetch(&server, &sha256(&content)), &content);
}

/// 12: content that looks like the end of its own form, in pieces of any size.
#[test]
fn k12_content_may_look_like_a_boundary() {
    let server = Server::open();
    let tricky = [
        "\r\n--boundar",
        "--boundary--",
        "\r\n--boundarz--\r\n",
        "\r\n",
        "\r\n\r\n--boundarY",
        "\r\n--",
    ];
    for (n, size) in [1, 2, 3, 5, 11, 1_000].into_iter().enumerate() {
        let mut content = noise(67 + n as u64, 50);
        content.extend(tricky.concat().into_bytes());
        content.extend(tricky[n].as_bytes());
        let body = form("assetfile", "t.zip", "boundary", &content);
        let mut connection = server.connect();
        let headers = form_type("boundary") + "Transfer-Encoding: chunked\r\n";
        let target = "/Marti/sync/missionupload?filename=t.zip";
        connection.send(&server.head("POST", target, &headers, None));
        body.chunks(size).for_each(|part| connection.chunk(part));
        connection.chunk(b"");
        connection.answer().expect(200);
        assert_download(fetch(&server, &sha256(&content)), &content);
    }
}

/// 12: only `filename` and a file are needed, and both are.
#[test]
fn k12_what_is_no_upload_is_400() {
    let server = Server::open();
    let body = form("assetfile", "p.zip", "b", &noise(56, 100));
    let is_form = form_type("b");
    let target = "/Marti/sync/missionupload?filename=p.zip";
    server.ask("POST", "/Marti/sync/missionupload", &is_form, &body).expect(400);
    server.ask("POST", "/Marti/sync/missionupload?filename=", &is_form, &body).expect(400);
    server.ask("POST", target, "Content-Type: application/zip\r\n", &body).expect(400);
    server.ask("POST", target, "Content-Type: multipart/form-data\r\n", &body).expect(400);
    server.ask("POST", target, "", &body).expect(400);
    server.ask("POST", target, &is_form, b"").expect(400);
    server.ask("POST", target, &is_form, b"--b--\r\n").expect(400);
    server.ask("POST", target, &is_form, b"nothing of the kind").expect(400);
    let empty = form("assetfile", "p.zip", "b", b"");
    server.ask("POST", target, &is_form, &empty).expect(400);
    let field = b"--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--\r\n";
    server.ask("POST", target, &is_form, field).expect(400);
    server.ask("POST", "/Marti/sync/upload?name=x", "", b"").expect(400);
    // What would be gone at once was not taken.
    server.ask("POST", "/Marti/sync/upload?name=x&expiration=1", "", b"x").expect(400);
    server.ask("POST", &format!("{target}&expiration=0"), &is_form, &body).expect(400);
    server.ask("PUT", "/Marti/sync/upload?name=x", "", b"x").expect(405);
    assert_eq!((usage(&server).packages, usage(&server).contents), (0, 0));
}

/// 20: nothing but the header says what a body is.
#[test]
fn k20_form_or_raw_is_decided_by_the_content_type_only() {
    let server = Server::open();
    let content = noise(57, 700);
    let body = form("assetfile", "x.zip", "b", &content);
    let upload = |headers: &str| {
        let answer = server.ask("POST", "/Marti/sync/upload?name=x.zip", headers, &body);
        answer.expect(200).json()["Hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(upload(&form_type("b")), sha256(&content));
    assert_eq!(
        upload("Content-Type: Multipart/Form-Data; charset=x; boundary=b\r\n"),
        sha256(&content)
    );
    assert_eq!(upload("Content-Type: application/txt\r\n"), sha256(&body));
    assert_eq!(
        upload("Content-Type: application/octet-stream; a=multipart/form-data\r\n"),
        sha256(&body)
    );
    assert_eq!(upload(""), sha256(&body));
    // What curl says of everything says nothing.
    let default = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = server.ask("POST", "/Marti/sync/upload?name=y.bin", default, b"y").expect(200);
    assert_eq!(answer.json()["MIMEType"], "application/octet-stream");
}

/// 14: the content is kept once, and its owner names it.
#[test]
fn k14_one_content_by_both_ways_is_one_entry() {
    let server = Setup::open().on_disk();
    let content = noise(58, 700);
    publish(&server, "creatorUid=A&keyword=missionpackage", "one.zip", &content);
    let target = "/Marti/sync/upload?name=two.zip&keywords=missionpackage,more&creatorUid=A";
    let row = server.ask("POST", target, "Content-Type: application/zip\r\n", &content);
    assert_eq!(row.expect(200).json()["Hash"], sha256(&content));
    let rows = search(&server, "keywords=missionpackage");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Name"], "two.zip");
    assert_holds(&server, 1, 1);
}

/// 15 and A.10: what may be changed afterwards.
#[test]
fn k15_metadata_is_changed_by_hash() {
    let server = Server::open();
    let content = noise(59, 700);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&keyword=missionpackage", "m.zip", &content);
    let put = |field: &str, headers: &str, body: &[u8]| {
        let target = format!("/Marti/api/sync/metadata/{hash}/{field}");
        server.ask("PUT", &target, headers, body).status
    };
    let row = || search(&server, &format!("hash={hash}"))[0].clone();
    for tool in ["private", "public", "other"] {
        assert_eq!(put("tool", TEXT, tool.as_bytes()), 200);
        assert_eq!(row()["Tool"], tool);
    }
    assert_eq!(put("tool", TEXT, b"public\r\n"), 200);
    assert_eq!(row()["Tool"], "public");
    assert_eq!(put("keywords", JSON, br#"["missionpackage","a b"]"#), 200);
    assert_eq!(row()["Keywords"], json!(["missionpackage", "a b"]));
    for body in [&b"not json"[..], br#"{"a":1}"#, b"[1]", b""] {
        assert_eq!(put("keywords", JSON, body), 400, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(row()["Keywords"], json!(["missionpackage", "a b"]));
    assert_eq!(put("mimetype", TEXT, b"application/zip"), 200);
    assert_eq!(row()["MIMEType"], "application/zip");
    assert_eq!(put("expiration?expiration=4000000000", "", b""), 200);
    assert_eq!(row()["EXPIRATION"], "4000000000");
    assert_eq!(put("expiration?expiration=-1", "", b""), 200);
    assert_eq!(row()["EXPIRATION"], "-1");
    assert_eq!(put("expiration?expiration=soon", "", b""), 400);
    assert!([200, 400].contains(&put("colour", TEXT, b"red")));
    let unknown = sha256(b"unknown");
    for (field, headers, body) in [
        ("keywords", JSON, &b"[]"[..]),
        ("mimetype", TEXT, b"text/plain"),
        ("expiration?expiration=-1", "", b""),
    ] {
        let target = format!("/Marti/api/sync/metadata/{unknown}/{field}");
        server.ask("PUT", &target, headers, body).expect(404);
    }
}

/// A.11: the same for pages of an administrator.
#[test]
fn k15_metadata_of_a_file_is_changed_by_its_parameters() {
    let server = Server::open();
    let content = noise(68, 700);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&keyword=missionpackage", "m.zip", &content);
    let target = format!("/Marti/api/files/{hash}/metadata?keywords=one,two&expiration=4000000000");
    server.ask("PUT", &target, "", b"").expect(200);
    let row = search(&server, &format!("hash={hash}"))[0].clone();
    assert_eq!(row["Keywords"], json!(["one", "two"]));
    assert_eq!(row["EXPIRATION"], "4000000000");
    let unknown = sha256(b"unknown");
    server
        .ask("PUT", &format!("/Marti/api/files/{unknown}/metadata?keywords=x"), "", b"")
        .expect(404);
}

/// What has expired is gone.
#[test]
fn k15_what_has_expired_is_not_there() {
    let server = Server::open();
    let content = noise(60, 300);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&keyword=missionpackage", "m.zip", &content);
    let target = format!("/Marti/api/sync/metadata/{hash}/expiration?expiration=1000000000");
    server.ask("PUT", &target, "", b"").expect(200);
    fetch(&server, &hash).expect(404);
    server.get(&format!("/Marti/sync/missionquery?hash={hash}")).expect(404);
    assert!(search(&server, "keywords=missionpackage").is_empty());
    // Another upload brings it back.
    publish(&server, "creatorUid=A&keyword=missionpackage", "m.zip", &content);
    assert_download(fetch(&server, &hash), &content);
}

/// 21: by each method, by hash and by key.
#[test]
fn k21_what_was_deleted_is_404_by_whatever_method() {
    let server = Setup::open().on_disk();
    for (n, method) in ["GET", "POST", "DELETE"].into_iter().enumerate() {
        let content = noise(61 + n as u64, 300);
        let hash = sha256(&content);
        publish(&server, "creatorUid=DEV-1&keyword=missionpackage", "d.zip", &content);
        fetch(&server, &hash).expect(200);
        let target = format!("/Marti/sync/delete?hash={hash}&creatorUid=DEV-1");
        server.ask(method, &target, "", b"").expect(200);
        fetch(&server, &hash).expect(404);
        server.get(&format!("/Marti/sync/missionquery?hash={hash}")).expect(404);
        server.ask(method, &target, "", b"").expect(404);
    }
    let content = noise(65, 300);
    publish(&server, "creatorUid=DEV-1&keyword=missionpackage", "d.zip", &content);
    let key = search(&server, "name=d.zip")[0]["PrimaryKey"].as_str().unwrap().to_owned();
    let target = format!("/Marti/sync/delete?PrimaryKey={key}&creatorUid=DEV-1");
    server.ask("DELETE", &target, "", b"").expect(200);
    fetch(&server, &sha256(&content)).expect(404);
    assert!(listed(&server, "keywords=missionpackage").is_empty());
    assert_holds(&server, 0, 0);
}

/// A.9: not what somebody else uploaded. Who deletes without a name, as the official clients do, is
/// known by the address alone.
#[test]
#[cfg(target_os = "linux")]
fn k21_another_device_deletes_nothing() {
    let server = Server::open();
    let content = noise(66, 300);
    let hash = sha256(&content);
    publish(&server, "creatorUid=DEV-1", "d.zip", &content);
    let elsewhere = |method: &str, target: &str| {
        let mut connection = server.connect_from([127, 0, 0, 2].into());
        connection.send(&server.head(method, target, "", None));
        connection.answer().status
    };
    for query in ["", "&creatorUid=DEV-2", "&creatorUid=", "&clientUid=DEV-2"] {
        for method in ["GET", "POST", "DELETE"] {
            let target = format!("/Marti/sync/delete?hash={hash}{query}");
            assert_eq!(elsewhere(method, &target), 403, "{method} {target}");
        }
        let target = format!("/Marti/api/files/{hash}?x{query}");
        assert_eq!(elsewhere("DELETE", &target), 403, "{target}");
    }
    assert_download(fetch(&server, &hash), &content);
    server.get(&format!("/Marti/sync/delete?hash={hash}")).expect(200);
    fetch(&server, &hash).expect(404);
}
