//! ATAK and WinTAK: commo uploads and downloads, the Java part searches.

use store::packages::PackageStore;

use crate::shapes::{ZIP, assert_download, assert_row, filename_of, form, noise, say, search};
use crate::shapes::{sha256, usage};
use crate::support::{Server, Setup};

/// What commo was told to call the server; it is never the server's own idea of its address.
const HOST: &str = "10.1.2.3:8080";

/// CHECK.
fn query<P: PackageStore>(server: &Server<P>, hash: &str) -> (u16, String) {
    let head = format!(
        "GET /Marti/sync/missionquery?hash={hash} HTTP/1.1\n\
         Host: {HOST}\n\
         User-Agent: libcurl-agent/1.0\n\
         Accept: */*\n"
    );
    let answer = say(server, &head, b"");
    if answer.status == 200 {
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// UPLOAD.
fn upload<P: PackageStore>(server: &Server<P>, filename: &str, content: &[u8]) -> String {
    let boundary = "------------------------d74496d66958873e";
    let body = form("assetfile", filename, boundary, content);
    let head = format!(
        "POST /Marti/sync/missionupload?hash={}&filename={filename}&creatorUid=ANDROID-A HTTP/1.1\n\
         Host: {HOST}\n\
         User-Agent: libcurl-agent/1.0\n\
         Accept: */*\n\
         Content-Length: {}\n\
         Content-Type: multipart/form-data; boundary={boundary}\n",
        sha256(content),
        body.len(),
    );
    let answer = say(server, &head, &body).expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    answer.text().to_owned()
}

/// TOOLSET.
fn set_tool<P: PackageStore>(server: &Server<P>, hash: &str, tool: &str) {
    let head = format!(
        "PUT /Marti/api/sync/metadata/{hash}/tool HTTP/1.1\n\
         Host: {HOST}\n\
         User-Agent: libcurl-agent/1.0\n\
         Accept: */*\n\
         Content-Type: text/plain\n\
         Content-Length: {}\n",
        tool.len(),
    );
    say(server, &head, tool.as_bytes()).expect(200);
}

fn get<P: PackageStore>(server: &Server<P>, target: &str) -> crate::support::http::Answer {
    let head = format!("GET {target} HTTP/1.1\nHost: {HOST}\nAccept: */*\n");
    say(server, &head, b"")
}

/// The path in a URL of this server.
fn target(url: &str) -> &str {
    url.strip_prefix(&format!("http://{HOST}")).expect("a URL of this server")
}

fn sends_to_a_contact<P: PackageStore>(server: &Server<P>) {
    let content = noise(1, 48_211);
    let hash = sha256(&content);
    assert_eq!(query(server, &hash).0, 404);
    let url = upload(server, "recon.zip", &content);
    assert_eq!(url, format!("http://{HOST}/Marti/sync/content?hash={hash}"));
    set_tool(server, &hash, "private");
    // The receiver appends its own parameter to what it was told.
    let answer = get(server, &format!("{}&receiver=HAWK", target(&url)));
    let answer = assert_download(answer, &content);
    assert_eq!(filename_of(&answer), "recon.zip");
    assert_eq!(answer.header("content-type"), Some(ZIP));
    assert!(search(server, "keywords=missionpackage&tool=public").is_empty());

    // The same again: no upload, but the tool is set.
    assert_eq!(query(server, &hash), (200, url.clone()));
    assert_eq!(query(server, &hash.to_uppercase()), (200, url));
    set_tool(server, &hash, "public");
    assert_eq!(search(server, "keywords=missionpackage&tool=public").len(), 1);
}

/// 11, 12, 13, 15, 17, 18; walkthrough I.1.
#[test]
fn k11_to_18_atak_sends_a_package_to_a_contact() {
    sends_to_a_contact(&Server::open());
    sends_to_a_contact(&Setup::open().on_disk());
}

fn publishes<P: PackageStore>(server: &Server<P>) {
    let content = noise(2, 48_211);
    let hash = sha256(&content);
    assert_eq!(query(server, &hash).0, 404);
    // A package that is sent to the server has its name without a suffix.
    upload(server, "recon", &content);
    // It is listed before the tool is set, and when that is lost.
    assert_eq!(search(server, "keywords=missionpackage").len(), 1);
    set_tool(server, &hash, "public");
    let answer = get(server, "/Marti/sync/search?keywords=missionpackage&tool=public").expect(200);
    assert!(answer.text().contains("resultCount"));
    let rows = search(server, "keywords=missionpackage&tool=public");
    assert_eq!(rows.len(), 1);
    assert_row(&rows[0], "recon", &content);
    assert_eq!(rows[0]["UID"], hash);
    assert_eq!(rows[0]["CreatorUid"], "ANDROID-A");
    assert_eq!(rows[0]["Tool"], "public");
    assert_eq!(rows[0]["EXPIRATION"], "-1");
    assert_eq!(rows[0]["Keywords"], serde_json::json!(["missionpackage"]));
    assert_eq!(rows[0]["MIMEType"], ZIP);

    let path = format!("/Marti/sync/content?hash={hash}");
    assert_download(get(server, &path), &content);
    // The rest, after a connection that was lost: still 200.
    let rest = get(server, &format!("{path}&offset=20000"));
    assert_download(rest, &content[20_000..]);
}

/// 12, 15, 16, 17; walkthrough I.2.
#[test]
fn k12_to_17_atak_publishes_and_another_searches_and_downloads() {
    publishes(&Server::open());
    publishes(&Setup::open().on_disk());
}

/// 14: the same hash again is success with the same URL, and stays one entry.
#[test]
fn k14_an_upload_again_is_success() {
    let server = Setup::open().on_disk();
    let content = noise(3, 1_000);
    let first = upload(&server, "recon.zip", &content);
    assert_eq!(upload(&server, "recon.zip", &content), first);
    assert_eq!(upload(&server, "other.zip", &content), first);
    let rows = search(&server, "keywords=missionpackage");
    assert_eq!(rows.len(), 1, "clients see one of a hash, the newest");
    assert_eq!(rows[0]["Name"], "other.zip");
    assert_eq!((usage(&server).packages, usage(&server).contents), (1, 1));
}

/// Any file goes the same way, and its metadata is found by its hash (OpenTAKServer#127).
#[test]
fn k15_a_file_that_is_no_package_takes_the_same_way() {
    let server = Server::open();
    let map = b"<customMapSource><name>x</name></customMapSource>";
    let url = upload(&server, "NRL-OpenStreetMap.xml", map);
    set_tool(&server, &sha256(map), "public");
    assert_download(get(&server, target(&url)), map);
    assert_eq!(search(&server, "name=openstreet").len(), 1);
}

/// 15: unknown is 404.
#[test]
fn k15_the_tool_of_what_is_not_there_is_404() {
    let server = Server::open();
    let unknown = sha256(b"nothing");
    let target = format!("/Marti/api/sync/metadata/{unknown}/tool");
    server.ask("PUT", &target, "Content-Type: text/plain\r\n", b"public").expect(404);
}

/// 18: `private` keeps out of the list and nobody from the content, also at the address that other
/// servers gave out as a package's own.
#[test]
fn k18_private_is_no_access_control() {
    let server = Server::open();
    let content = noise(4, 500);
    let hash = sha256(&content);
    upload(&server, "secret.zip", &content);
    set_tool(&server, &hash, "private");
    assert!(search(&server, "keywords=missionpackage&tool=public").is_empty());
    assert_eq!(search(&server, "keywords=missionpackage&tool=private").len(), 1);
    assert_download(get(&server, &format!("/Marti/sync/content?hash={hash}")), &content);
    assert_download(get(&server, &format!("/Marti/sync/content?uid={hash}")), &content);
    assert_download(get(&server, &format!("/Marti/api/sync/metadata/{hash}/tool")), &content);
}
