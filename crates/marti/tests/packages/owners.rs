//! Whose packages are whose (A.2, A.9, A.13, 14, 15, 21): who may change and remove them, and what
//! others do to them by uploading or sending on the same.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use store::packages::{Audience, PackageStore, Upload};

use crate::shapes::{assert_download, fetch, form, form_type, noise, publish, search, sha256};
use crate::support::http::Answer;
use crate::support::{Server, Setup, until};

const TEXT: &str = "Content-Type: text/plain\r\n";

/// A request from another address of this host, without a word on who asks.
fn elsewhere<P: PackageStore>(
    server: &Server<P>,
    method: &str,
    target: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    let mut connection = server.connect_from([127, 0, 0, 4].into());
    let length = Some(body.len()).filter(|_| method != "GET");
    connection.send(&server.head(method, target, headers, length));
    connection.send(body);
    connection.answer()
}

fn row<P: PackageStore>(server: &Server<P>, hash: &str) -> Value {
    search(server, &format!("hash={hash}"))[0].clone()
}

fn tool_of(hash: &str) -> String {
    format!("/Marti/api/sync/metadata/{hash}/tool")
}

/// ATAK sets the tool without a word on who it is, on another connection; the server may have been
/// started anew meanwhile.
#[test]
fn k15_an_uploader_is_known_by_the_address_after_a_restart() {
    let server = Setup::open().on_disk();
    let content = noise(700, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=ANDROID-A&keyword=missionpackage", "a.zip", &content);
    let server = Setup::open().on_disk_in(server.kill());
    server.ask("PUT", &tool_of(&hash), TEXT, b"private").expect(200);
    assert_eq!(row(&server, &hash)["Tool"], "private");
    let delete = format!("/Marti/sync/delete?hash={hash}");
    elsewhere(&server, "GET", &delete, "", b"").expect(403);
    server.get(&delete).expect(200);
    fetch(&server, &hash).expect(404);
}

/// What comes before the answer to the upload was read, or even written.
#[test]
fn k15_an_uploader_is_known_before_the_answer_is_read() {
    let server = Setup::open().on_disk();
    for seed in 710..740 {
        let content = noise(seed, 300);
        let hash = sha256(&content);
        let body = form("assetfile", "a.zip", "b", &content);
        let target = "/Marti/sync/missionupload?filename=a.zip&creatorUid=ANDROID-A";
        let mut upload = server.connect();
        upload.send(&server.head("POST", target, &form_type("b"), Some(body.len())));
        upload.send(&body);
        let entry = hash.parse().unwrap();
        let viewer = store::packages::Viewer::Everything;
        until("it is there", || {
            server.run(server.packages.find(entry, &viewer)).unwrap().is_some()
        });
        server.ask("PUT", &tool_of(&hash), TEXT, b"private").expect(200);
        assert_eq!(row(&server, &hash)["Tool"], "private");
        server.ask("DELETE", &format!("/Marti/sync/delete?hash={hash}"), "", b"").expect(200);
        upload.answer().expect(200);
    }
}

/// A.2: who sends on what is there uploads nothing, and sets the tool all the same. Who publishes
/// does so; who sends to a contact takes nothing off the list of others. Both are told 200 (15).
#[test]
fn k15_another_device_publishes_and_hides_nothing() {
    let server = Server::open();
    let content = noise(741, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&keyword=missionpackage&tool=private", "a.zip", &content);
    let listed = || search(&server, "keywords=missionpackage&tool=public").len();
    let set = |tool: &str| elsewhere(&server, "PUT", &tool_of(&hash), TEXT, tool.as_bytes()).status;
    assert_eq!((set("private"), listed()), (200, 0));
    assert_eq!((set("public"), listed()), (200, 1));
    assert_eq!((set("private"), listed()), (200, 1));
    assert_eq!((set("citrap"), listed()), (403, 1));
    // Its owner does.
    server.ask("PUT", &tool_of(&hash), TEXT, b"private").expect(200);
    assert_eq!(listed(), 0);
    let put = |field: &str, headers: &str, body: &[u8]| {
        let target = format!("/Marti/api/sync/metadata/{hash}/{field}");
        elsewhere(&server, "PUT", &target, headers, body).status
    };
    // As another upload with these would do.
    let is_json = "Content-Type: application/json\r\n";
    assert_eq!(put("keywords", is_json, br#"["more"]"#), 200);
    assert_eq!(row(&server, &hash)["Keywords"], json!(["missionpackage", "more"]));
    assert_eq!(put("mimetype", TEXT, b"text/plain"), 403);
    assert_eq!(put("expiration?expiration=1", "", b""), 403);
    assert_download(fetch(&server, &hash), &content);
}

/// 14: the same from somebody else is a success, adds what they say of it, and changes no name.
#[test]
fn k14_another_upload_changes_the_name_for_its_owner_alone() {
    let server = Setup::open().on_disk();
    let content = noise(742, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&keyword=missionpackage&tool=private", "a.zip", &content);
    let before = row(&server, &hash);
    let target = "/Marti/sync/upload?name=b.txt&keywords=more&creatorUid=B&uid=u&remarks=mine";
    let answer = elsewhere(&server, "POST", target, "Content-Type: text/plain\r\n", &content);
    let answer = answer.expect(200).json();
    assert_eq!((&answer["Hash"], &answer["Name"]), (&json!(hash), &json!("a.zip")));
    let after = row(&server, &hash);
    for key in ["UID", "Name", "PrimaryKey", "MIMEType", "CreatorUid", "Size"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["Keywords"], json!(["missionpackage", "more"]));
    assert_eq!(after["Tool"], "public", "who uploads it without a word has it listed");
    let delete = format!("/Marti/sync/delete?hash={hash}&creatorUid=B");
    elsewhere(&server, "DELETE", &delete, "", b"").expect(403);
    publish(&server, "creatorUid=A&tool=private", "better.zip", &content);
    let renamed = row(&server, &hash);
    assert_eq!((&renamed["Name"], &renamed["Tool"]), (&json!("better.zip"), &json!("private")));
}

/// A.13: who sees what another team has, and is not in it, changes nothing of it.
#[test]
fn a13_who_only_looks_on_changes_nothing() {
    let mut setup = Setup::isolated();
    setup.hub.teams.allow("Cyan -> Red".parse().unwrap());
    let server = setup.in_memory();
    let content = noise(743, 400);
    let hash = sha256(&content);
    publish(&server, "team=Cyan&tool=private&keyword=missionpackage", "a.zip", &content);
    let red = |method: &str, target: &str, headers: &str, body: &[u8]| {
        let target = format!("{target}{}team=Red", if target.contains('?') { '&' } else { '?' });
        elsewhere(&server, method, &target, headers, body).status
    };
    let delete = format!("/Marti/sync/delete?hash={hash}");
    assert_eq!(red("GET", &format!("/Marti/sync/content?hash={hash}"), "", b""), 200);
    assert_eq!(red("PUT", &tool_of(&hash), TEXT, b"public"), 403);
    assert_eq!(red("DELETE", &delete, "", b""), 403);
    // What nobody owns is for all members to remove.
    elsewhere(&server, "DELETE", &format!("{delete}&team=Cyan"), "", b"").expect(200);
    assert_eq!(red("GET", &format!("/Marti/sync/content?hash={hash}"), "", b""), 404);
}

/// Nobody is the operator by saying so.
#[test]
fn t19_the_operators_name_is_no_proof() {
    let server = Server::open();
    let content = noise(744, 400);
    let hash = sha256(&content);
    let mut upload = Upload::new("defaults.zip", Audience::Everyone);
    upload.tool = "profile-connection".to_owned();
    upload.creator_uid = Some("tinycot".to_owned());
    upload.is_by_operator = true;
    server.run(server.packages.insert(upload, content.as_slice())).unwrap();
    publish(&server, "creatorUid=tinycot&tool=public", "mine.zip", &content);
    server.ask("PUT", &(tool_of(&hash) + "?creatorUid=tinycot"), TEXT, b"public").expect(403);
    server.get(&format!("/Marti/sync/delete?hash={hash}&creatorUid=tinycot")).expect(403);
    let row = row(&server, &hash);
    assert_eq!(
        (&row["Name"], &row["Tool"]),
        (&json!("defaults.zip"), &json!("profile-connection"))
    );
}

/// 21: what programs send that are no browsers, CloudTAK's runtime among them.
#[test]
fn k21_programs_delete_by_whatever_method() {
    let server = Server::open();
    let node = "User-Agent: node\r\nAccept: */*\r\nAccept-Language: *\r\nSec-Fetch-Mode: cors\r\n\
                Accept-Encoding: gzip, deflate\r\n";
    let python = "User-Agent: python-requests/2.32\r\nAccept: */*\r\nConnection: keep-alive\r\n";
    let java = "User-Agent: Apache-HttpClient/4.5 (Java/17)\r\n";
    for (at, program) in [node, python, java, "Accept: */*\r\n"].into_iter().enumerate() {
        for (n, method) in ["GET", "POST", "DELETE"].into_iter().enumerate() {
            let content = noise(750 + 10 * at as u64 + n as u64, 300);
            let hash = sha256(&content);
            publish(&server, "creatorUid=A", "a.zip", &content);
            let target = format!("/Marti/sync/delete?hash={hash}&creatorUid=A");
            server.ask(method, &target, program, b"").expect(200);
            fetch(&server, &hash).expect(404);
        }
    }
    // A browser that follows a link of somebody else does not.
    let content = noise(799, 300);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "a.zip", &content);
    let target = format!("/Marti/sync/delete?hash={hash}&creatorUid=A");
    for browser in [
        "User-Agent: Mozilla/5.0\r\nAccept-Language: *\r\n",
        "Accept-Language: en-US,en;q=0.5\r\n",
        "Accept-Language: *\r\nReferer: http://evil.example/\r\n",
        "Accept-Language: *\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        server.ask("GET", &target, browser, b"").expect(403);
    }
    assert_download(fetch(&server, &hash), &content);
}
