//! Events as they come.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use crate::support::cot::event;
use crate::support::{Server, Setup, until};
use crate::tools::{Sse, Ws, ask, read_head};

fn marker(uid: &str) -> String {
    event(uid, "a-h-G", "<contact callsign=\"Ünit &amp; \"/><remarks>line 1&#10;line 2</remarks>")
}

#[test]
fn who_looks_on_sees_the_picture_and_what_follows_of_their_team() {
    let server = Server::isolated();
    let mut red = server.cot("R", "ROMEO", "Red");
    let mut blue = server.cot("B", "BRAVO", "Blue");
    red.send(&marker("red-before"));
    blue.send(&marker("blue-before"));
    until("both are in the picture", || server.relay.stats().events_in >= 4);

    let mut sse = Sse::open(server.http, "?team=Red");
    let mut ws = Ws::open(server.http, "?team=Blue");
    let before = sse.expect("red-before");
    assert_eq!((&before["type"], &before["how"]), (&"a-h-G".into(), &"m-g".into()));
    assert_eq!(before["point"]["lat"], 50.1);
    assert_eq!(before["detail"][1]["remarks"]["#"], "line 1\nline 2");
    assert_eq!(before["detail"][0]["contact"]["callsign"], "Ünit & ");
    ws.expect("blue-before");

    for round in 0..20 {
        red.send(&marker(&format!("red-{round}")));
        blue.send(&marker(&format!("blue-{round}")));
    }
    let seen = sse.until("red-19");
    assert!(seen.iter().all(|event| event["uid"].as_str().unwrap().starts_with("red-")));
    assert_eq!(seen.len(), 20);
    for round in 0..20 {
        ws.expect(&format!("blue-{round}"));
    }
    assert_eq!(ws.during(Duration::from_millis(200)), [""; 0]);
    // Nobody learns that they look on.
    assert_eq!(server.relay.contacts().len(), 2);
    assert!(red.during(Duration::from_millis(100)).is_empty());
    assert_eq!(server.marti.stats().streams_open, 2);
}

#[test]
fn what_was_read_can_be_sent() {
    let server = Server::open();
    let mut alpha = server.cot("A", "ALPHA", "Cyan");
    let mut sse = Sse::open(server.http, "");
    alpha.send(&marker("M"));
    let mut event = sse.expect("M");
    event["uid"] = "N".into();
    server.ask("POST", "/api/events", "", event.to_string().as_bytes()).expect(200);
    let copy = alpha.expect(r#"uid="N""#);
    let parse = |text: &str| cot_core::Event::from_xml(text.as_bytes()).unwrap();
    assert_eq!(parse(&copy).detail(), parse(&marker("M")).detail());
    // Who sends sees it as well, as everybody does.
    assert_eq!(sse.expect("N")["type"], "a-h-G");
}

#[test]
fn a_web_socket_sends_events_and_is_told_what_came_of_them() {
    let server = Server::isolated();
    let mut red = server.cot("R", "ROMEO", "Red");
    let mut blue = server.cot("B", "BRAVO", "Blue");
    let mut ws = Ws::open(server.http, "?team=Red");
    ws.send(Message::text(marker("from-web")));
    let result = ws.result();
    assert_eq!((&result["result"]["events"], &result["result"]["refused"]), (&1.into(), &0.into()));
    red.expect(r#"uid="from-web""#);
    let json = cot_core::Event::from_xml(marker("json").as_bytes()).unwrap();
    ws.send(Message::text(format!("[{},{{}}]", serde_json::to_string(&json).unwrap())));
    let result = ws.result();
    assert_eq!(result["result"]["errors"][0]["index"], 1, "{result}");
    red.expect(r#"uid="json""#);
    ws.send(Message::text("hello"));
    assert_eq!(ws.result()["result"]["refused"], 1);
    assert!(blue.during(Duration::from_millis(200)).is_empty());
    // Who does not say which of two teams they are looks on for both, and sends for none.
    let mut both = Ws::open(server.http, "");
    both.expect("from-web");
    both.send(Message::text(marker("nobody's")));
    assert!(both.result()["error"].as_str().unwrap().contains("team="));
    assert_eq!(server.marti.stats().events_in, 2);
}

#[test]
fn a_web_socket_ends_with_a_reason() {
    let server = Server::open();
    let open = || Ws::open(server.http, "");
    let mut ws = open();
    ws.send(Message::Ping(b"are you there".to_vec().into()));
    assert_eq!(ws.pong(), b"are you there");
    ws.close();
    assert_eq!(ws.goodbye(), None);

    let mut ws = open();
    ws.send(Message::binary(vec![1, 2, 3]));
    assert_eq!(ws.goodbye(), Some(1003));

    let mut ws = open();
    // A frame that says that it is larger than anything may be.
    ws.send_raw(&[0x81, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(ws.goodbye(), Some(1009));

    let mut ws = open();
    // Parts that are too much together.
    let part = vec![b'a'; 300 << 10];
    for number in 0..5 {
        let mut frame = vec![if number == 0 { 0x01 } else { 0x00 }, 0xff];
        frame.extend_from_slice(&(part.len() as u64).to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(&part);
        ws.send_raw(&frame);
    }
    assert_eq!(ws.goodbye(), Some(1009));

    let long_ping = [&b"\x89\xfe\0\x7e"[..], &[0; 4 + 126]].concat();
    for broken in [
        &b"\x81\x05hello"[..],    // without a mask
        &b"\xf1\x80\0\0\0\0"[..], // bits that nobody agreed on
        &b"\x83\x80\0\0\0\0"[..], // a kind that does not exist
        &b"\x09\x80\0\0\0\0"[..], // a ping in parts
        &b"\x80\x80\0\0\0\0"[..], // the end of nothing
        &long_ping,
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
    ] {
        let mut ws = open();
        ws.send_raw(broken);
        assert_eq!(ws.goodbye(), Some(1002), "{broken:?}");
    }
    let mut ws = open();
    ws.send_raw(b"\x81\x81\0\0\0\0\xff");
    assert_eq!(ws.goodbye(), Some(1007));
    until("all are gone", || server.marti.stats().streams_open == 0);
    until("all have left", || server.marti.stats().connections_open == 0);
    until("the relay let them go", || server.relay.stats().connections_open == 0);
}

#[test]
fn only_what_asks_for_a_web_socket_gets_one() {
    let mut setup = Setup::open();
    setup.marti.allowed_origins = vec!["https://tools.example".to_owned()];
    let server = setup.in_memory();
    let with = |lines: &str| read_head(ask(server.http, "", lines)).0;
    for lines in
        ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: none-x\r\n"]
    {
        assert!(with(lines).starts_with("HTTP/1.1 403"), "{lines}");
    }
    assert!(with("Origin: https://tools.example\r\n").starts_with("HTTP/1.1 101"));
    assert!(with("").starts_with("HTTP/1.1 101"));
    let twice = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert!(with(twice).starts_with("HTTP/1.1 400"));
    let get = |headers: &str| server.ask("GET", "/api/events/ws", headers, b"");
    assert_eq!(get("").expect(426).header("upgrade"), Some("websocket"));
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let old = get(&format!("{upgrade}Sec-WebSocket-Version: 8\r\n")).expect(426);
    assert_eq!(old.header("sec-websocket-version"), Some("13"));
    assert_eq!(old.header("connection"), Some("close"));
    get(&format!("{upgrade}Sec-WebSocket-Version: 13\r\n")).expect(400);
    get(&format!("{upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n")).expect(400);
    let head = server.ask("HEAD", "/api/events", "", b"").expect(200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    until("nobody looks on", || server.marti.stats().streams_open == 0);
}
