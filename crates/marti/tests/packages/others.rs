//! iTAK, CloudTAK, TAKAware, and the official test clients.

use serde_json::json;
use store::packages::PackageStore;

use crate::shapes::{ZIP, assert_download, assert_no_null, assert_row, assert_time, fetch};
use crate::shapes::{filename_of, form, listed, noise, publish, say, search, sha256};
use crate::support::{Server, Setup};

fn itak<P: PackageStore>(server: &Server<P>, key: &str) {
    let content = noise(key.len() as u64, 9_000);
    let hash = sha256(&content);
    let creator = "1874F828-4D52-4F5B-8D84-5A0C4C1F0D11";
    let head = format!(
        "POST /Marti/sync/upload?{key}={creator}&keywords=missionpackage&name=FM05-iOS.05.142741.zip HTTP/1.1\n\
         Host: 10.1.2.3:8080\n\
         Content-Type: {ZIP}\n\
         Connection: keep-alive\n\
         Accept: */*\n\
         User-Agent: iTAK/602 CFNetwork/1335.0.3 Darwin/21.6.0\n\
         Content-Length: {}\n\
         Accept-Language: en-US,en;q=0.9\n",
        content.len(),
    );
    let answer = say(server, &head, &content).expect(200);
    let row = answer.json();
    assert_no_null(&row);
    assert_eq!(row["Hash"], hash);
    assert_eq!(row["Name"], "FM05-iOS.05.142741.zip");
    assert_eq!(row["CreatorUid"], creator);
    assert_eq!(row["MIMEType"], ZIP);
    assert_eq!(row["Keywords"], json!(["missionpackage"]));
    assert!(row["PrimaryKey"].as_str().unwrap().parse::<i32>().unwrap() >= 0);
    assert!(!row["UID"].as_str().unwrap().is_empty());
    assert_time(&row["SubmissionDateTime"]);
    // One store, not two (OpenTAKServer#157), and ATAK finds it (CloudTAK#1440).
    let rows = search(server, &format!("keywords=missionpackage&tool=public&hash={hash}"));
    assert_eq!(rows.len(), 1);
    assert_row(&rows[0], "FM05-iOS.05.142741.zip", &content);
    let query = server.get(&format!("/Marti/sync/missionquery?hash={hash}")).expect(200);
    assert!(query.text().ends_with(&format!("/Marti/sync/content?hash={hash}")));
    assert_download(fetch(server, &hash), &content);
}

/// 19; walkthrough I.3 (taky#81, PR#90, PR#99).
#[test]
fn k19_itak_uploads_raw_and_atak_finds_it() {
    itak(&Server::open(), "CreatorUid");
    itak(&Setup::open().on_disk(), "creatorUid");
}

/// 19: a file without the keyword is there by hash and in no list of packages.
#[test]
fn k19_an_upload_without_the_keyword_is_no_package() {
    let server = Server::open();
    let photo = noise(7, 700);
    let target = "/Marti/sync/upload?name=photo.jpg&creatorUid=ANDROID-B";
    let answer = server.ask("POST", target, "Content-Type: image/jpeg\r\n", &photo).expect(200);
    let hash = sha256(&photo);
    assert_eq!(answer.json()["Hash"], hash);
    assert!(search(&server, "keywords=missionpackage").is_empty());
    assert_download(fetch(&server, &hash), &photo);
    // Data Sync names it afterwards.
    let target = format!("/Marti/api/sync/metadata/{hash}/keywords");
    let json_type = "Content-Type: application/json\r\n";
    server.ask("PUT", &target, json_type, br#"["name:photo"]"#).expect(200);
    assert_eq!(listed(&server, "keywords=name%3Aphoto"), [hash]);
}

/// CloudTAK: names as URLSearchParams writes them, lists joined by commas, a chunked body.
#[test]
fn cloudtak_uploads_files_and_packages_and_reads_them_back() {
    let server = Server::open();
    let content = noise(11, 20_000);
    let hash = sha256(&content);
    let mut connection = server.connect();
    connection.send(
        b"POST /Marti/sync/upload?name=dana+%28ETL%29+%C3%A9.zip&keywords=missionpackage%2Cfield\
          &creatorUid=ANDROID-CloudTAK-dana&latitude=50.1&longitude=8.6&altitude=100 HTTP/1.1\r\n\
          host: tak.example.org:8080\r\nconnection: keep-alive\r\n\
          Content-Type: application/zip\r\naccept: */*\r\naccept-language: *\r\n\
          sec-fetch-mode: cors\r\nuser-agent: node\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for part in content.chunks(3_001) {
        connection.chunk(part);
    }
    connection.chunk(b"");
    let row = connection.answer().expect(200).json();
    assert_eq!(row["Hash"], hash);
    assert_eq!(row["Name"], "dana (ETL) é.zip");
    assert_eq!(row["Keywords"], json!(["missionpackage", "field"]));

    // The connection is kept.
    let head = "GET /Marti/sync/search?uid=HASH HTTP/1.1\r\nhost: tak.example.org:8080\r\n\r\n";
    connection.send(head.replace("HASH", &hash).as_bytes());
    let found = connection.answer().expect(200).json();
    assert_eq!(found["resultCount"], 1, "`uid` may be a hash");
    for key in ["Size", "PrimaryKey", "EXPIRATION", "UID", "Name", "Hash"] {
        assert!(found["results"][0][key].is_string(), "{key}");
    }
    assert_eq!(listed(&server, "name=dana+%28ETL%29"), [hash.as_str()]);
    assert_eq!(listed(&server, "keywords=field&keywords=missionpackage"), [hash.as_str()]);
    let metadata = server.get(&format!("/Marti/sync/{hash}/metadata")).expect(200).json();
    assert!(metadata.to_string().contains(&hash));
    let answer = assert_download(fetch(&server, &hash), &content);
    assert!(answer.head.is_ascii(), "{}", answer.head);

    server
        .ask(
            "DELETE",
            &format!("/Marti/api/files/{hash}?creatorUid=ANDROID-CloudTAK-dana"),
            "",
            b"",
        )
        .expect(200);
    fetch(&server, &hash).expect(404);
}

/// CloudTAK sends packages as a form, with keywords and groups of its own.
#[test]
fn cloudtak_sends_a_package_as_a_form() {
    let server = Server::open();
    let content = noise(12, 5_000);
    let body = form("assetfile", "plan.zip", "----formdata-undici-0123456789", &content);
    let head = format!(
        "POST /Marti/sync/missionupload?filename=plan.zip&creatorUid=ANDROID-CloudTAK-dana&keyword=missionpackage&keyword=two&Groups=Blue&hash={} HTTP/1.1\n\
         host: tak.example.org:8080\n\
         content-type: multipart/form-data; boundary=----formdata-undici-0123456789\n\
         content-length: {}\n\
         user-agent: node\n",
        sha256(&content),
        body.len(),
    );
    let answer = say(&server, &head, &body).expect(200);
    let expected =
        format!("http://tak.example.org:8080/Marti/sync/content?hash={}", sha256(&content));
    assert_eq!(answer.text(), expected);
    let rows = search(&server, "keywords=missionpackage");
    assert_eq!(rows[0]["Keywords"], json!(["missionpackage", "two"]));
}

/// CloudTAK's upload page, and the limit it announces (23).
#[test]
fn k23_the_limit_is_announced_in_whole_megabytes() {
    let server = Server::open();
    assert_eq!(server.get("/files/api/config").expect(200).json()["uploadSizeLimit"], 400);
    let mut setup = Setup::open();
    setup.marti.max_upload_bytes = 5 << 20;
    let limit = &setup.in_memory().get("/files/api/config").json()["uploadSizeLimit"];
    assert_eq!(*limit, 5);
}

/// TAKAware lists and downloads: all values are strings.
#[test]
fn takaware_lists_and_downloads() {
    let server = Server::open();
    let content = noise(13, 4_800);
    let hash = sha256(&content);
    publish(
        &server,
        "creatorUid=ANDROID-A&keyword=missionpackage&keyword=x",
        "recon.zip",
        &content,
    );
    let files = server.get("/Marti/api/files/metadata?missionPackage=true").expect(200).json();
    assert_eq!(files["type"], "Files");
    assert_eq!(files["version"], "3");
    let row = files["data"][0].as_object().unwrap();
    for (key, value) in row {
        assert!(value.is_string(), "{key} is {value}");
    }
    assert_eq!(row["Name"], "recon.zip");
    assert_eq!(row["Hash"], hash);
    assert_eq!(row["Creator"], "ANDROID-A");
    assert_eq!(row["Keywords"], "missionpackage,x");
    for key in ["User", "Size", "Time", "MimeType", "Expiration", "Groups"] {
        assert!(row.contains_key(key), "{key}");
    }
    let count =
        server.get("/Marti/api/files/metadata/count?missionPackage=true").expect(200).json();
    assert_eq!((&count["type"], &count["data"]), (&json!("Count"), &json!(1)));
    let answer = assert_download(server.get(&format!("/Marti/api/files/{hash}")), &content);
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(filename_of(&answer), "recon.zip");
    let head = server.ask("HEAD", &format!("/Marti/api/files/{hash}"), "", b"").expect(200);
    assert_eq!(head.header("content-length"), Some("4800"));
    server.get(&format!("/Marti/api/files/{}", sha256(b"nothing"))).expect(404);
}

/// The official load client: a form whose type does not say so is the file itself (20), and a
/// download has a file name (17).
#[test]
fn k17_k20_the_official_load_client() {
    let server = Server::open();
    let body = form("assetfile", "test.txt", "3c5fe1ad9b2ec1f0", b"load test file 17");
    let hash = sha256(&body);
    let target = "/Marti/sync/upload?name=load+17.txt&creatorUid=load-17&keywords=one&keywords=two";
    let row = server.ask("POST", target, "Content-Type: application/txt\r\n", &body);
    let row = row.expect(200).json();
    assert_eq!(row["Hash"], hash);
    assert_eq!(row["Keywords"], json!(["one", "two"]));
    let answer = assert_download(fetch(&server, &hash), &body);
    assert!(!filename_of(&answer).is_empty());
    server.get(&format!("/Marti/sync/delete?hash={hash}")).expect(200);
    fetch(&server, &hash).expect(404);
}

/// The official Java client: no creator, and what it deletes is gone (21).
#[test]
fn k21_the_official_java_client() {
    let server = Server::open();
    let content = noise(14, 300);
    let hash = sha256(&content);
    let text = "Content-Type: text/plain\r\n";
    let row = server.ask("POST", "/Marti/sync/upload?name=a.txt", text, &content).expect(200);
    let row = row.json();
    for key in ["UID", "SubmissionDateTime", "MIMEType", "PrimaryKey", "Name", "Hash"] {
        assert!(row[key].is_string(), "{key}: {row}");
    }
    server.ask("POST", &format!("/Marti/sync/delete?hash={hash}"), "", b"").expect(200);
    fetch(&server, &hash).expect(404);
    server.get(&format!("/Marti/sync/missionquery?hash={hash}")).expect(404);
    assert!(search(&server, "name=a.txt").is_empty());
}
