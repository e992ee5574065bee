//! Events that are sent over HTTP.

use std::time::Duration;

use crate::support::cot::{event, sa};
use crate::support::{Server, Setup};

const JSON: &str = "Content-Type: application/json\r\n";

fn marker(uid: &str) -> String {
    event(uid, "a-h-G", "<remarks>seen</remarks>")
}

#[test]
fn events_come_as_xml_or_json_one_or_many() {
    let server = Server::open();
    let mut alpha = server.cot("A", "ALPHA", "Cyan");
    let post =
        |body: &str| server.ask("POST", "/api/events", "", body.as_bytes()).expect(200).json();

    let one = post(&marker("one"));
    assert_eq!(
        (&one["events"], &one["reached"], &one["refused"]),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!(one["errors"], serde_json::json!([]));
    alpha.expect(r#"uid="one""#);

    let many = format!("<?xml version='1.0'?>\n{}{}\n{}", marker("a"), marker("b"), marker("c"));
    assert_eq!(post(&many)["events"], 3);
    alpha.expect(r#"uid="c""#);

    let json = |uid: &str| {
        serde_json::to_string(&cot_core::Event::from_xml(marker(uid).as_bytes()).unwrap()).unwrap()
    };
    for (body, last) in [
        (json("d"), "d"),
        (format!("[{},\n {}]", json("e"), json("f")), "f"),
        (format!("{}\n{}\n", json("g"), json("h")), "h"),
    ] {
        let done = server.ask("POST", "/api/events", JSON, body.as_bytes()).expect(200).json();
        assert_eq!(done["refused"], 0, "{done}");
        alpha.expect(&format!(r#"uid="{last}""#));
    }
    assert_eq!(server.marti.stats().events_in, 9);
}

#[test]
fn what_is_broken_is_named_and_costs_only_itself() {
    let server = Server::open();
    let mut alpha = server.cot("A", "ALPHA", "Cyan");
    let body = format!(
        "{}{}{}<event uid='x' type='a-h-G' time='2026-01-01T00:00:00Z'><point lat='1' lon='2'/>\
         </event>{}",
        marker("ok-1"),
        marker("far").replace("lat=\"50.1\"", "lat=\"91\""),
        event("nobody", "b-t-f", "<marti><dest callsign=\"NOBODY\"/></marti>"),
        marker("ok-2"),
    );
    let done = server.ask("POST", "/api/events", "", body.as_bytes()).expect(200).json();
    assert_eq!((&done["events"], &done["refused"]), (&5.into(), &3.into()), "{done}");
    let errors: Vec<_> = done["errors"].as_array().unwrap().iter().collect();
    let indexes: Vec<_> = errors.iter().map(|error| error["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 3]);
    assert_eq!(errors[0]["reason"], "latitude");
    assert_eq!(errors[1]["reason"], "unknown_addressee");
    assert_eq!(errors[1]["uid"], "nobody");
    assert_eq!(errors[2]["reason"], "missing_stale");
    alpha.expect(r#"uid="ok-2""#);

    let json = cot_core::Event::from_xml(marker("ok-3").as_bytes()).unwrap();
    let json = format!("[{}, 7, {{\"uid\": \"x\"}}]", serde_json::to_string(&json).unwrap());
    let done = server.ask("POST", "/api/events", JSON, json.as_bytes()).expect(200).json();
    assert_eq!((&done["events"], &done["refused"]), (&3.into(), &2.into()), "{done}");
    alpha.expect(r#"uid="ok-3""#);

    for (body, reason) in [
        ("hello", "junk"),
        ("[1, 2", "not_json"),
        ("{\"uid\": 1}", "invalid"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><event/>", "doctype"),
        ("<event uid='x' type='a'", "truncated"),
        ("GET / HTTP/1.1\r\n\r\n", "not_events"),
    ] {
        let done = server.ask("POST", "/api/events", "", body.as_bytes()).expect(422).json();
        assert_eq!(done["errors"][0]["reason"], reason, "{body}: {done}");
    }
    server.ask("POST", "/api/events", "", b"").expect(400);
    server.ask("POST", "/api/events", "", b" \r\n ").expect(400);
    server.ask("POST", "/api/events", "", b"[]").expect(400);
    let deep = "[".repeat(100_000);
    server.ask("POST", "/api/events", JSON, deep.as_bytes()).expect(422);
    let long = format!("[{}0]", "0,".repeat(200_000));
    let done = server.ask("POST", "/api/events", JSON, long.as_bytes()).expect(422).json();
    assert_eq!(done["events"], 200_001);
    assert_eq!(done["errors"].as_array().unwrap().len(), 100);
    alpha.silence(Duration::from_millis(200));
}

#[test]
fn a_body_and_an_event_have_a_size() {
    let server = Server::open();
    let mut alpha = server.cot("A", "ALPHA", "Cyan");
    server.ask("POST", "/api/events", "", &vec![b' '; (1 << 20) + 1]).expect(413);
    let large = event("large", "a-h-G", &format!("<remarks>{}</remarks>", "a".repeat(70_000)));
    let done = server.ask("POST", "/api/events", "", large.as_bytes()).expect(422).json();
    assert_eq!(done["errors"][0]["reason"], "oversize");
    assert_eq!(done["errors"][0]["uid"], "large");
    alpha.silence(Duration::from_millis(200));
}

#[test]
fn events_stay_in_the_team_of_their_sender() {
    let server = Server::isolated();
    let mut red = server.cot("R", "ROMEO", "Red");
    let mut blue = server.cot("B", "BRAVO", "Blue");
    // Both are at this address: who sends is not clear.
    let body = marker("whose");
    let refused = server.ask("POST", "/api/events", "", body.as_bytes()).expect(403);
    assert!(refused.text().contains("team="), "{}", refused.text());
    let to = |query: &str, uid: &str| {
        let body = marker(uid);
        server.ask("POST", &format!("/api/events?{query}"), "", body.as_bytes()).expect(200).json()
    };
    assert_eq!(to("team=Red", "for-red")["reached"], 1);
    red.expect(r#"uid="for-red""#);
    assert_eq!(to("creatorUid=B", "for-blue")["reached"], 1);
    assert!(blue.expect_all(r#"uid="for-blue""#).iter().all(|event| !event.contains("red")));
    // To somebody by name, in another team.
    let directed = event("dm", "b-t-f", "<marti><dest callsign=\"BRAVO\"/></marti>");
    let answer = server.ask("POST", "/api/events?team=Red", "", directed.as_bytes()).expect(422);
    assert_eq!(answer.json()["errors"][0]["reason"], "forbidden");
    blue.silence(Duration::from_millis(200));
}

#[test]
fn a_page_of_another_host_sends_nothing() {
    let mut setup = Setup::open();
    setup.marti.allowed_origins = vec!["https://tools.example".to_owned()];
    let server = setup.in_memory();
    let post = |headers: &str| {
        server.ask("POST", "/api/events", headers, sa("W", "WEB", "").as_bytes()).status
    };
    assert_eq!(post("Origin: https://evil.example\r\nContent-Type: text/plain\r\n"), 403);
    assert_eq!(post("Origin: null\r\n"), 403);
    assert_eq!(post("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(post("Origin: https://tools.example\r\n"), 200);
    assert_eq!(post(&format!("Origin: http://{}\r\n", server.http)), 200);
    // A browser asks before a page sends JSON.
    let ask = |origin: &str| {
        let wants = "Access-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type\r\n";
        server.ask("OPTIONS", "/api/events", &format!("Origin: {origin}\r\n{wants}"), b"")
    };
    let allowed = ask("https://tools.example").expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://tools.example"));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("content-type"));
    let refused = ask("https://evil.example").expect(405);
    assert_eq!(refused.header("access-control-allow-origin"), None);
}
