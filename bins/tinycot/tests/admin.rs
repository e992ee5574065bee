//! The admin listener: health, metrics, tables, and who may ask.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{PATIENCE, Server, now, position, wait_until};

#[test]
fn a_serving_server_is_live_and_ready() {
    let server = Server::start();
    assert_eq!(server.get("/live"), (200, "{\"status\":\"live\"}".to_owned()));
    assert_eq!(server.get("/ready"), (200, "{\"status\":\"ready\"}".to_owned()));
}

#[test]
fn metrics_count_everything_and_name_nobody() {
    let server = Server::start();
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    let value = |text: &str, name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        found.trim().to_owned()
    };
    wait_until("the delivery is counted", || {
        value(&server.get("/metrics").1, "tinycot_messages_out_total") == "1"
    });
    let (status, text) = server.get("/metrics");
    assert_eq!(status, 200);
    assert_eq!(value(&text, "tinycot_connections_open "), "2");
    assert_eq!(value(&text, "tinycot_messages_in_total "), "1");
    let sent = position("UID-1", "HOPE-11").len().to_string();
    assert_eq!(value(&text, "tinycot_received_bytes_total "), sent);
    assert_eq!(value(&text, "tinycot_messages_dropped_total{reason=\"stale\"} "), "0");
    assert_eq!(value(&text, "tinycot_connections_refused_total{reason=\"full\"} "), "0");
    assert!(text.contains("# TYPE tinycot_messages_out counter\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    for secret in ["HOPE", "UID-1", "127.0.0.1", "Cyan"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}

#[test]
fn every_metric_is_explained_to_operators() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let server = Server::with(&["--dump"]);
    let mut metrics = String::new();
    wait_until("data packages are there", || {
        metrics = server.get("/metrics").1;
        metrics.contains("tinycot_http_") && metrics.contains("tinycot_package_")
    });
    let kinds = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    for (name, kind) in kinds {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert!(page.contains(&format!("`{name}{suffix}")), "{name}{suffix} is not explained");
    }
}

#[test]
fn invalid_input_is_counted_by_what_was_wrong() {
    let server = Server::start();
    let mut client = server.client();
    client.send("<event version=\"2.0\" uid=\"x\"></event>");
    client.send(&position("UID-1", "HOPE-11"));
    wait_until("both are counted", || server.json("/api/stats")["messages_in"] == 2);
    let stats = server.json("/api/stats");
    assert_eq!(stats["rejected"]["invalid"], 1, "{stats}");
    let codes = stats["invalid"].as_object().unwrap();
    assert_eq!(codes.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 1, "{stats}");
    let code = codes.keys().next().unwrap();
    let metrics = server.get("/metrics").1;
    assert!(metrics.contains(&format!("tinycot_events_invalid_total{{code=\"{code}\"}} 1\n")));
}

#[test]
fn the_tables_show_who_is_there() {
    let server = Server::start();
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    let clients = server.json("/api/clients");
    let row = clients.as_array().unwrap().iter().find(|row| row["callsign"] == "HOPE-11").unwrap();
    assert_eq!(row["uid"], "UID-1");
    assert_eq!((&row["team"], &row["role"]), (&"Cyan".into(), &"Team Lead".into()));
    assert_eq!(row["address"], hope.socket.local_addr().unwrap().to_string());
    assert_eq!((&row["transport"], &row["protocol"]), (&"tcp".into(), &"xml".into()));
    assert_eq!((&row["messages_in"], &row["conflated"]), (&1.into(), &0.into()));
    assert!(row["last_in_ms"].is_u64() && row["last_out_ms"].is_null(), "{row}");
    assert_eq!(row["dropped"], serde_json::json!({}));

    let contacts = server.json("/api/contacts");
    assert_eq!(contacts.as_array().unwrap().len(), 1, "{contacts}");
    assert_eq!(contacts[0]["callsign"], "HOPE-11");
    assert_eq!(
        (&contacts[0]["type"], &contacts[0]["endpoint"]),
        (&"a-f-G-U-C".into(), &"*:-1:stcp".into())
    );
    assert_eq!(contacts[0]["clients"], serde_json::json!([row["id"]]));

    let teams = server.json("/api/teams");
    let cyan = teams.as_array().unwrap().iter().find(|team| team["name"] == "Cyan").unwrap();
    assert_eq!(cyan["clients"], 1);
    assert_eq!(server.json("/api/stats")["connections_open"], 2);
}

#[test]
fn only_get_and_head_on_known_paths_are_answered() {
    let server = Server::start();
    let host = server.admin;
    let ask = |line: &str| {
        server.http(&format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    let (head, body) = ask("HEAD /api/stats");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}\n{body}");
    let (head, body) = ask("POST /ready");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nallow: GET, HEAD"), "{head}");
    assert!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"].is_string());
    let (head, body) = ask("GET /../etc/passwd");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(body.contains("there is no such path") && !body.contains("passwd"), "{body}");
}

#[test]
fn a_web_page_with_a_name_of_its_own_is_refused() {
    let server = Server::start();
    for hosts in ["Host: evil.example:8088\r\n", "", "Host: localhost\r\nHost: evil.example\r\n"] {
        let (head, body) =
            server.http(&format!("GET /api/clients HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert!(head.starts_with("HTTP/1.1 403 "), "{hosts}{head}");
        assert!(body.contains("Host header"), "{body}");
    }
    let (head, _) =
        server.http("GET /live HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[test]
fn heads_are_bounded_in_size_and_lines() {
    let server = Server::start();
    let host = server.admin;
    let long = format!("GET /live HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert!(server.http(&long).0.starts_with("HTTP/1.1 431 "));
    let many = format!("GET /live HTTP/1.1\r\nHost: {host}\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert!(server.http(&many).0.starts_with("HTTP/1.1 431 "));
}

#[test]
fn askers_that_never_finish_are_sent_away_and_do_not_lock_out_others() {
    let server = Server::start();
    let started = now();
    let mut slow: Vec<_> = (0..80)
        .map(|_| {
            let mut conn = TcpStream::connect(server.admin).unwrap();
            conn.write_all(b"GET /live HTTP/1.1\r\nHost: loc").unwrap();
            conn.set_read_timeout(Some(PATIENCE)).unwrap();
            conn
        })
        .collect();
    // More than the limit of connections wait, so this one gets its turn when they are closed.
    assert_eq!(server.get("/live").0, 200);
    assert!(now().duration_since(started) > Duration::from_secs(5), "the limit was not reached");
    let mut rest = Vec::new();
    slow[0].read_to_end(&mut rest).unwrap();
    assert!(now().duration_since(started) < Duration::from_secs(19));
}

#[test]
fn the_admin_listener_can_be_turned_off() {
    let server = Server::with(&["--admin-listen", "off"]);
    assert!(!server.banner.contains("listening admin"), "{}", server.banner);
    let (mut hope, mut lost) = (server.client(), server.client());
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
}
