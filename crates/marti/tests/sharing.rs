//! Who may change and remove packages, and the operator's part: groups, and packages that the server
//! sends.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper that fails has failed the test"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use marti::Caller;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::packages::PackageStore;
use tower_service::Service;

use support::{Server, Setup};

/// An address where no client of the relay is.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// Asks without a socket, as whoever it is. Gives the status and the body.
fn ask<P: PackageStore>(
    server: &Server<P>,
    caller: &Caller,
    request: &str,
    body: &str,
) -> (u16, String) {
    let (method, target) = request.split_once(' ').unwrap();
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "10.1.2.3:8080")
        .extension(caller.clone())
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let mut marti = server.marti.clone();
    server.run(async {
        let answer = marti.call(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    })
}

fn upload<P: PackageStore>(server: &Server<P>, caller: &Caller, query: &str, body: &str) -> String {
    let (status, text) = ask(server, caller, &format!("POST /Marti/sync/upload?{query}"), body);
    assert_eq!(status, 200, "{text}");
    let row: Value = serde_json::from_str(&text).unwrap();
    let hash = row["Hash"].as_str().unwrap().to_owned();
    assert_eq!(hash, hash_of(body));
    hash
}

fn hash_of(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rows<P: PackageStore>(server: &Server<P>, caller: &Caller, query: &str) -> Vec<Value> {
    let (status, text) = ask(server, caller, &format!("GET /Marti/api/sync/search?{query}"), "");
    assert_eq!(status, 200, "{text}");
    let mut envelope: Value = serde_json::from_str(&text).unwrap();
    envelope["data"].take().as_array().unwrap().clone()
}

#[test]
fn who_uploaded_changes_and_removes() {
    let server = Server::open();
    let [here, there] = [HERE, THERE].map(Caller::plain);
    let hash = upload(&server, &here, "name=x&creatorUid=A", "content");
    let tool = format!("PUT /Marti/api/sync/metadata/{hash}/tool");
    let delete = format!("DELETE /Marti/sync/delete?hash={hash}");
    let claimed = |uid: &str| format!("{delete}&creatorUid={uid}");

    // That of others stays on the list, and they are told that all is well.
    assert_eq!(ask(&server, &there, &tool, "private").0, 200);
    assert_eq!(ask(&server, &there, &tool, "something").0, 403);
    assert_eq!(ask(&server, &there, &delete, "").0, 403);
    assert_eq!(ask(&server, &there, &claimed("B"), "").0, 403);
    assert_eq!(rows(&server, &there, "")[0]["tool"], "public");

    // The address it was uploaded from; the device that says it did.
    assert_eq!(ask(&server, &here, &tool, "private").0, 200);
    assert_eq!(rows(&server, &there, "")[0]["tool"], "private");
    assert_eq!(ask(&server, &there, &claimed("A"), "").0, 200);
    let content = format!("GET /Marti/sync/content?hash={hash}");
    assert_eq!(ask(&server, &here, &content, "").0, 404);
    assert_eq!(ask(&server, &here, &delete, "").0, 404);
}

#[test]
fn a_device_on_the_line_is_known_by_its_address() {
    let server = Server::open();
    let _cot = server.cot("LIVE", "ALPHA", "Cyan");
    let [here, local] = [HERE, IpAddr::V4(Ipv4Addr::LOCALHOST)].map(Caller::plain);
    let hash = upload(&server, &here, "name=x&creatorUid=LIVE", "content");
    let delete = format!("GET /Marti/sync/delete?hash={hash}");
    assert_eq!(ask(&server, &Caller::plain(THERE), &delete, "").0, 403);
    assert_eq!(ask(&server, &local, &delete, "").0, 200);
}

#[test]
fn what_nobody_owns_is_everybodys_and_what_a_user_owns_is_theirs() {
    let server = Server::open();
    let [here, there] = [HERE, THERE].map(Caller::plain);
    let hash = upload(&server, &here, "name=x", "nobody's");
    assert_eq!(ask(&server, &there, &format!("POST /Marti/sync/delete?hash={hash}"), "").0, 200);

    let [alice, bob] = ["alice", "bob"].map(|name| Caller::user(name, ["Blue"]));
    let hash = upload(&server, &alice, "name=y&creatorUid=A", "hers");
    let delete = format!("DELETE /Marti/api/files/{hash}?creatorUid=A");
    assert_eq!(rows(&server, &bob, "")[0]["submitter"], "alice");
    assert_eq!(ask(&server, &bob, &delete, "").0, 403);
    assert_eq!(ask(&server, &here, &delete, "").0, 403);
    assert_eq!(ask(&server, &alice, &delete, "").0, 200);
}

#[test]
fn the_operator_changes_everything_and_nobody_is_the_operator() {
    let server = Server::open();
    let here = Caller::plain(HERE);
    let operator = Caller::operator();
    let own = upload(&server, &operator, "name=x&creatorUid=tinycot", "the operator's");
    let delete = |hash: &str| format!("DELETE /Marti/api/files/{hash}?creatorUid=tinycot");
    assert_eq!(ask(&server, &here, &delete(&own), "").0, 403);
    let other = upload(&server, &here, "name=y&creatorUid=A", "a device's");
    let metadata = format!("PUT /Marti/api/files/{other}/metadata?user=alice&keywords=a,b");
    assert_eq!(ask(&server, &here, &metadata, "").0, 200);
    assert_eq!(rows(&server, &operator, &format!("hash={other}"))[0]["submitter"], "");
    assert_eq!(ask(&server, &operator, &metadata, "").0, 200);
    let row = &rows(&server, &operator, &format!("hash={other}"))[0];
    assert_eq!((&row["submitter"], &row["keywords"]), (&json!("alice"), &json!(["a", "b"])));
    for hash in [own, other] {
        assert_eq!(ask(&server, &operator, &delete(&hash), "").0, 200);
    }
    assert_eq!(rows(&server, &operator, ""), [Value::Null; 0]);
}

#[test]
fn a_look_removes_nothing() {
    let server = Server::open();
    let here = Caller::plain(HERE);
    let hash = upload(&server, &here, "name=x&creatorUid=A", "content");
    let (status, _) = ask(&server, &here, &format!("HEAD /Marti/sync/delete?hash={hash}"), "");
    assert_eq!(status, 405);
    assert_eq!(rows(&server, &here, "").len(), 1);
    let key = |key: &str| format!("GET /Marti/sync/delete?PrimaryKey={key}");
    assert_eq!(ask(&server, &here, &key("999"), "").0, 404);
    assert_eq!(ask(&server, &here, &key("1"), "").0, 200);
}

#[test]
fn other_teams_packages_do_not_exist() {
    let server = Server::isolated();
    let here = Caller::plain(HERE);
    let hash = upload(&server, &here, "name=x&team=Red&keywords=missionpackage", "red");
    for request in [
        format!("GET /Marti/sync/missionquery?hash={hash}&team=TEAM"),
        format!("GET /Marti/sync/content?hash={hash}&team=TEAM"),
        format!("GET /Marti/sync/{hash}/metadata?team=TEAM"),
        format!("GET /Marti/api/resources/{hash}?team=TEAM"),
        format!("GET /Marti/api/files/{hash}?team=TEAM"),
        format!("PUT /Marti/api/sync/metadata/{hash}/tool?team=TEAM"),
        format!("DELETE /Marti/sync/delete?hash={hash}&team=TEAM"),
    ] {
        let absent = hash_of("never uploaded");
        let blue = ask(&server, &here, &request.replace("TEAM", "Blue"), "private");
        let nothing = request.replace("TEAM", "Blue").replace(&hash, &absent);
        let nothing = ask(&server, &here, &nothing, "private");
        assert_eq!((blue.0, blue.1.replace(&hash, &absent)), nothing, "{request}");
        assert_eq!(blue.0, 404, "{request}");
        assert_eq!(ask(&server, &here, &request.replace("TEAM", "Red"), "private").0, 200);
    }
    let _ = upload(&server, &here, "name=x&team=Red&keywords=missionpackage", "red");
    assert_eq!(rows(&server, &here, "team=Blue"), [Value::Null; 0]);
    assert_eq!(rows(&server, &here, "team=Red").len(), 1);
    assert_eq!(rows(&server, &here, "team=Red")[0].get("groups"), None);
}

#[test]
fn the_operator_chooses_the_groups_and_others_among_their_own() {
    let server = Server::isolated();
    let operator = Caller::operator();
    upload(&server, &operator, "name=all", "for all");
    upload(&server, &operator, "name=two&groups=Red&groups=Blue", "for two");
    let groups: Vec<_> =
        rows(&server, &operator, "").iter().map(|row| row.get("groups").cloned()).collect();
    assert_eq!(groups, [Some(json!(["Blue", "Red"])), None]);
    assert_eq!(rows(&server, &Caller::plain(HERE), "team=Green").len(), 1);
    assert_eq!(rows(&server, &Caller::plain(HERE), "team=Red").len(), 2);

    let alice = Caller::user("alice", ["Blue", "Red"]);
    upload(&server, &alice, "name=hers&Groups=Blue", "for blue");
    assert_eq!(rows(&server, &operator, "name=hers")[0]["groups"], json!(["Blue"]));
    let foreign = "POST /Marti/sync/upload?name=x&groups=Green";
    assert_eq!(ask(&server, &alice, foreign, "content").0, 403);
}

#[test]
fn only_the_operator_makes_device_profiles() {
    let server = Server::open();
    let here = Caller::plain(HERE);
    let hash = upload(&server, &here, "name=x&creatorUid=A", "content");
    let tool = format!("PUT /Marti/api/sync/metadata/{hash}/tool");
    assert_eq!(ask(&server, &here, &tool, "profile-connection").0, 403);
    let with_tool = "POST /Marti/sync/upload?name=x&tool=profile-connection";
    assert_eq!(ask(&server, &here, with_tool, "content").0, 403);
    assert_eq!(ask(&server, &Caller::operator(), &tool, "profile-connection").0, 200);
}

#[test]
fn k22_the_server_sends_a_package_to_one_contact() {
    let mut setup = Setup::open();
    setup.marti.server_name = "HQ <1>".to_owned();
    let server = setup.in_memory();
    let mut hawk = server.cot("A-1", "HAWK", "Cyan");
    let mut crow = server.cot("A-2", "CROW", "Cyan");
    hawk.expect("CROW");
    crow.expect("HAWK");
    let hash = upload(&server, &Caller::operator(), "name=re%26con.zip&creatorUid=tinycot", "zip");
    let push = |to: &str| format!("POST /Marti/api/packages/{hash}/push?to={to}");

    let (status, text) = ask(&server, &Caller::operator(), &push("HAWK"), "");
    assert_eq!(status, 200, "{text}");
    let url = format!("http://127.0.0.1:8080/Marti/sync/content?hash={hash}");
    let expected = json!({ "sent": 1, "held": 0, "url": url });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);

    let event = hawk.expect("b-f-t-r");
    let event = roxmltree::Document::parse(&event).unwrap();
    let share = event.descendants().find(|node| node.has_tag_name("fileshare")).unwrap();
    for (key, value) in [
        ("filename", "re&con.zip"),
        ("name", "re&con.zip"),
        ("senderUrl", url.as_str()),
        ("sizeInBytes", "3"),
        ("sha256", hash.as_str()),
        ("senderUid", "tinycot"),
        ("senderCallsign", "HQ <1>"),
    ] {
        assert_eq!(share.attribute(key), Some(value));
    }
    crow.silence(Duration::from_millis(200));

    // By UID, too; and to nobody but who is here, by nobody but the operator.
    assert_eq!(ask(&server, &Caller::operator(), &push("A-2"), "").0, 200);
    crow.expect("b-f-t-r");
    assert_eq!(ask(&server, &Caller::operator(), &push("OWL"), "").0, 404);
    assert_eq!(ask(&server, &Caller::operator(), &push(""), "").0, 400);
    assert_eq!(ask(&server, &Caller::plain(HERE), &push("HAWK"), "").0, 403);
    let absent = format!("POST /Marti/api/packages/{}/push?to=HAWK", hash_of("never"));
    assert_eq!(ask(&server, &Caller::operator(), &absent, "").0, 404);
}

#[test]
fn the_server_sends_nobody_what_they_could_not_get() {
    let mut setup = Setup::isolated();
    setup.marti.public_url = Some("https://tak.example.org".to_owned());
    let server = setup.in_memory();
    let mut hawk = server.cot("A-1", "HAWK", "Blue");
    let red = upload(&server, &Caller::operator(), "name=x&groups=Red", "for red");
    let all = upload(&server, &Caller::operator(), "name=y", "for all");
    let push = |hash: &str| format!("POST /Marti/api/packages/{hash}/push?to=HAWK");
    assert_eq!(ask(&server, &Caller::operator(), &push(&red), "").0, 409);
    let (status, text) = ask(&server, &Caller::operator(), &push(&all), "");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("https://tak.example.org/Marti/sync/content?hash="), "{text}");
    assert!(hawk.expect("b-f-t-r").contains(&all));
}

#[test]
fn an_address_has_so_many_uploads_at_a_time() {
    let mut setup = Setup::open();
    setup.marti.max_uploads_per_addr = 1;
    let server = setup.in_memory();
    let probe = || server.ask("POST", "/Marti/sync/upload?name=x", "", b"x").status;
    // What asks whether it has begun may come first, and have it refused: then it begins anew.
    let mut slow = std::iter::repeat_with(|| {
        let mut slow = server.connect();
        slow.send(&server.head("POST", "/Marti/sync/upload?name=slow", "", Some(8)));
        slow.send(b"half");
        (slow, (0..20).any(|_| probe() == 503))
    });
    let (mut slow, _) = slow.find(|(_, has_begun)| *has_begun).unwrap();
    let refused = server.ask("POST", "/Marti/sync/upload?name=x", "", b"x").expect(503);
    assert_eq!(refused.header("retry-after"), Some("10"));
    // What is not an upload is answered all the same.
    server.get("/Marti/sync/search").expect(200);
    slow.send(b"half");
    slow.answer().expect(200);
    server.ask("POST", "/Marti/sync/upload?name=x", "", b"x").expect(200);
}

/// A form with a field, a file, and what comes after it.
fn form(before: &str, head: &str, content: &str, after: &str) -> Vec<u8> {
    format!("{before}--b\r\n{head}\r\n\r\n{content}\r\n--b--\r\n{after}").into_bytes()
}

#[test]
fn forms_are_read_as_clients_write_them_and_no_further_than_needed() {
    let server = Server::open();
    let post = |body: &[u8]| {
        let target = "/Marti/sync/missionupload?filename=x";
        server.ask("POST", target, "Content-Type: multipart/form-data; boundary=b\r\n", body)
    };
    let disposition = |rest: &str| format!("Content-Disposition: form-data; {rest}");
    let field = "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nvalue\r\n";
    for (number, (before, head)) in [
        ("", disposition("name=\"assetfile\"; filename=\"x.zip\"")),
        ("", disposition("name=\"resource\"")),
        ("preamble\r\n", disposition("name=\"other\"; filename=\"x.zip\"")),
        (field, disposition("name=\"assetfile\"; filename=\"../../x.zip\"")),
    ]
    .into_iter()
    .enumerate()
    {
        let content = format!("content {number}\r\n--not the boundary");
        let answer = post(&form(before, &head, &content, &"after".repeat(1000))).expect(200);
        let url = format!("http://{}/Marti/sync/content?hash={}", server.http, hash_of(&content));
        assert_eq!(answer.text(), url);
    }
    let file = disposition("name=\"assetfile\"; filename=\"x.zip\"");
    let long = "x".repeat(300 << 10);
    for body in [
        form("", &disposition("name=\"f\""), "no file", ""),
        form(&long, &file, "content", ""),
        form("", &format!("X: {long}"), "content", ""),
        form(&format!("{field}{long}\r\n"), &file, "", ""),
        form("", &file, "", ""),
        b"--b\r\n\r\n".to_vec(),
        b"no form".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = post(&body);
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
    }
    let count = rows(&server, &Caller::operator(), "").len();
    assert_eq!(count, 4);
}

#[test]
fn k23_what_is_too_large_is_refused_before_and_while_it_comes() {
    let mut setup = Setup::open();
    setup.marti.max_upload_bytes = 100_000;
    setup.packages.max_upload_bytes = 100_000;
    let server = setup.on_disk();
    let target = "/Marti/sync/upload?name=x";
    let mut announced = server.connect();
    announced.send(&server.head("POST", target, "Expect: 100-continue\r\n", Some(100_001)));
    let answer = announced.answer().expect(413);
    assert!(answer.text().contains("97.6 KiB"), "{}", answer.text());

    let mut chunked = server.connect();
    chunked.send(&server.head("POST", target, "Transfer-Encoding: chunked\r\n", None));
    for _ in 0..11 {
        chunked.chunk(&[b'x'; 10_000]);
    }
    chunked.chunk(b"");
    chunked.answer().expect(413);
    support::until("nothing is left of it", || server.blobs().is_empty());
    assert_eq!(server.get("/Marti/api/files/metadata/count").json()["data"], 0);
    server.ask("POST", target, "", &[b'x'; 100_000]).expect(200);
}
