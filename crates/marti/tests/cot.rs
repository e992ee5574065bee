//! Events, KML and video feeds over sockets.

#![allow(
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper that fails has failed the test"
)]

#[path = "cot/feeds.rs"]
mod feeds;
#[path = "cot/kml.rs"]
mod kml;
#[path = "cot/past.rs"]
mod past;
#[path = "cot/stopped.rs"]
mod stopped;
mod support;

use support::cot::{event, sa};
use support::{Server, until};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><events>"#;

/// The uids of a list of events, which must be one.
fn uids(document: &str) -> Vec<String> {
    assert!(document.starts_with(HEAD), "{}", &document[..document.len().min(200)]);
    let tree = roxmltree::Document::parse(document).unwrap();
    let root = tree.root_element();
    assert_eq!(root.tag_name().name(), "events");
    root.children()
        .map(|child| {
            assert_eq!(child.tag_name().name(), "event", "nothing else stands in the root");
            child.attribute("uid").unwrap().to_owned()
        })
        .collect()
}

/// Sends an event, and waits until everybody may ask for it.
fn tell(server: &Server, client: &mut support::cot::Cot, uid: &str, event: &str) {
    client.send(event);
    let seen = || server.relay.newest(uid, &relay::Viewer::Everything).is_some();
    until("the event is in the picture", seen);
}

#[test]
fn the_newest_event_of_a_uid_is_as_it_was_relayed() {
    let server = Server::open();
    let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
    let strange = r#"<note  b="2" a='1'>x &amp; y<!-- z --></note>"#;
    tell(&server, &mut alpha, "marker/1 #é", &event("marker/1 #é", "b-m-p-s-m", strange));
    let answer = server.get("/Marti/api/cot/xml/marker%2F1%20%23%C3%A9").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    assert!(answer.text().starts_with("<event ") && answer.text().ends_with("</event>"));
    assert!(answer.text().contains(strange), "{}", answer.text());
    assert!(server.get("/Marti/api/cot/xml/A-1").expect(200).text().contains("ALPHA"));
    let head = server.ask("HEAD", "/Marti/api/cot/xml/A-1", "", b"").expect(200);
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
    for nothing in ["B-1", "%00", "..%2F..%2Fetc%2Fpasswd", &"x".repeat(4000)] {
        let answer = server.get(&format!("/Marti/api/cot/xml/{nothing}")).expect(404);
        assert_eq!(answer.json()["status"], "NOT_FOUND");
    }
}

#[test]
fn another_team_is_not_seen() {
    let server = Server::isolated();
    let _red = server.cot("R-1", "ROJO", "Red");
    let _blue = server.cot("B-1", "AZUL", "Blue");
    server.get("/Marti/api/cot/xml/R-1?team=Red").expect(200);
    server.get("/Marti/api/cot/xml/R-1?team=Blue").expect(404);
    server.get("/Marti/api/cot/xml/R-1?clientUid=B-1").expect(404);
    let many = server.ask("POST", "/Marti/api/cot?team=Blue", "", br#"["R-1","B-1"]"#).expect(200);
    assert_eq!(uids(many.text()), ["B-1"]);
    assert_eq!(uids(server.get("/Marti/api/cot/sa?team=Blue").expect(200).text()), ["B-1"]);
    assert_eq!(
        uids(server.get("/Marti/api/cot/xml/R-1/all?team=Blue").expect(200).text()),
        [""; 0]
    );
    let found = server.get("/Marti/api/cot/matchUid?search=-1&team=Blue").expect(200);
    assert_eq!(found.json(), serde_json::json!(["B-1"]));
    let drawn = server.get("/Marti/LatestKML?team=Blue").expect(200);
    assert!(drawn.text().contains("AZUL") && !drawn.text().contains("ROJO"));
}

#[test]
fn several_uids_are_asked_for_at_once() {
    let server = Server::open();
    let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
    tell(&server, &mut alpha, "m-1", &event("m-1", "b-m-p-s-m", ""));
    let path = "/Marti/api/cot";
    for method in ["GET", "POST"] {
        let body = br#"["m-1", "nobody", "A-1"]"#;
        let answer = server.ask(method, path, "Content-Type: application/json\r\n", body);
        assert_eq!(uids(answer.expect(200).text()), ["m-1", "A-1"]);
    }
    assert_eq!(uids(server.get("/Marti/api/cot?uid=A-1,m-1").expect(200).text()), ["A-1", "m-1"]);
    assert_eq!(uids(server.ask("POST", path, "", b"[]").expect(200).text()), [""; 0]);
    let many = |n: usize| format!("[{}]", vec!["\"A-1\""; n].join(","));
    assert_eq!(uids(server.ask("POST", path, "", many(1000).as_bytes()).text()).len(), 1000);
    for bad in [many(1001), many(40_000), "{".into(), "[1]".into(), "[".repeat(100_000)] {
        server.ask("POST", path, "", bad.as_bytes()).expect(400);
    }
    server.ask("POST", path, "", many(1_000_000).as_bytes()).expect(413);
    assert_eq!(uids(server.get("/Marti/api/cot?uid=A-1").expect(200).text()), ["A-1"]);
}

#[test]
fn uids_are_found_by_a_part_of_them() {
    let server = Server::open();
    let mut alpha = server.cot("ANDROID-1", "ALPHA", "Cyan");
    tell(&server, &mut alpha, "Drone-1", &event("Drone-1", "a-f-A", ""));
    let matching = |text: &str| {
        let answer = server.get(&format!("/Marti/api/cot/matchUid?search={text}"));
        answer.expect(200).json()
    };
    assert_eq!(matching("dro"), serde_json::json!(["ANDROID-1", "Drone-1"]));
    assert_eq!(matching("drone"), serde_json::json!(["Drone-1"]));
    assert_eq!(matching("%25"), serde_json::json!([]));
    server.get("/Marti/api/cot/matchUid").expect(400);
}

#[test]
fn without_a_record_the_picture_is_all_there_is() {
    let server = Server::open();
    let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
    alpha.send(&sa("A-1", "ALPHA2", "Cyan"));
    tell(&server, &mut alpha, "m-1", &event("m-1", "b-m-p-s-m", ""));
    let all = server.get("/Marti/api/cot/xml/A-1/all?secago=60").expect(200);
    assert_eq!(all.header("content-type"), Some("application/xml"));
    assert_eq!(uids(all.text()), ["A-1"]);
    let mut seen = uids(server.get("/Marti/api/cot/sa").expect(200).text());
    seen.sort();
    assert_eq!(seen, ["A-1", "m-1"]);
    let within = |sides: &str| uids(server.get(&format!("/Marti/api/cot/sa?{sides}")).text()).len();
    assert_eq!(within("left=8&right=9&bottom=50&top=51"), 2);
    assert_eq!(within("left=9&right=8&bottom=50&top=51"), 0);
    let past = "start=2026-01-01T00:00:00.000Z&end=2026-01-01T01:00:00.000Z";
    assert_eq!(within(past), 0);
    for bad in [
        "secago=1000000",
        "secago=x",
        "secago=-5",
        "start=now",
        "end=2026-13-01T00:00:00Z",
        "start=2026-01-01T00:00:00Z&end=2026-01-03T00:00:00Z",
        "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "left=1",
        "left=a&right=1&bottom=1&top=1",
    ] {
        assert_eq!(server.get(&format!("/Marti/api/cot/sa?{bad}")).expect(400).json()["code"], 2);
    }
    server.get("/Marti/api/cot/xml/A-1/all?secago=1000000").expect(200);
    server.get("/Marti/api/cot/xml/A-1/all?secago=10000000").expect(400);
}
