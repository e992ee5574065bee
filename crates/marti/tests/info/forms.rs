//! What holds for all answers: 1 to 10 and 25 of the checklist.

use cot_core::CotTime;
use serde_json::Value;

use crate::support::Server;
use crate::support::http::Answer;

/// What clients ask by themselves, and answers JSON.
const ASKED: [&str; 21] = [
    "/Marti/api/version/config",
    "/Marti/api/version/info",
    "/Marti/GetTime",
    "/Marti/api/clientEndPoints",
    "/Marti/api/contacts/all",
    "/Marti/api/subscriptions/all",
    "/Marti/api/groups/all?useCache=true&sendLatestSA=true",
    "/Marti/api/groups/groupCacheEnabled",
    "/Marti/api/device/profile",
    "/Marti/api/util/user/roles",
    "/Marti/api/util/isAdmin",
    "/Marti/api/security/isSecure",
    "/Marti/api/citrap",
    "/Marti/api/iconset/all/uid",
    "/Marti/api/cops/hierarchy",
    "/Marti/api/excheck/checklist/active",
    "/Marti/api/missions?passwordProtected=true&defaultRole=true",
    "/Marti/api/missions/all/invitations?clientUid=ANDROID-A",
    "/Marti/api/missions/invitations?clientUid=ANDROID-A",
    "/Marti/api/missions/one",
    "/nothing",
];

/// Every text that looks like a time is one in the only form that ATAK reads; nothing is null.
fn check(value: &Value, at: &str) {
    match value {
        Value::Null => panic!("{at} is null"),
        Value::String(text) if text.starts_with("20") && text.contains('T') => {
            let form: String =
                text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(form, "0000-00-00T00:00:00.000Z", "{at}");
            CotTime::parse(text).unwrap();
        }
        Value::Array(rows) => rows.iter().for_each(|row| check(row, at)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| check(value, key)),
        _ => {}
    }
}

fn is_plain(answer: &Answer) {
    for header in ["location", "content-encoding", "set-cookie"] {
        assert_eq!(answer.header(header), None, "{}", answer.head);
    }
    assert!(!answer.text().to_lowercase().contains("<html"), "{}", answer.text());
}

/// 4, 8, 9: exactly `application/json`; no redirect, no compression that nobody asked for, no HTML;
/// no null members; three digits of fractions.
#[test]
fn k04_k08_k09_answers_have_the_form_that_clients_read() {
    let server = Server::open();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    for path in ASKED {
        let answer = server.get(path);
        is_plain(&answer);
        check(&answer.json(), path);
    }
}

/// 1 to 3: HTTP/1.1 by plain TCP, by whatever address a client reached the server at, with a new
/// connection for each request, as fast as a list of packages and some uploads make them.
#[test]
fn k01_k02_k03_each_request_may_have_a_connection_of_its_own() {
    let server = Server::open();
    let ask = |n: usize| {
        let host = ["10.1.2.3:8080", "192.0.2.7", "[2001:db8::7]:8080", "tak.example.org"][n % 4];
        let mut connection = server.connect();
        let head = format!("GET /Marti/api/version/config HTTP/1.1\r\nHost: {host}\r\n\r\n");
        connection.send(head.as_bytes());
        let answer = connection.answer().expect(200);
        assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
        assert_eq!(answer.json()["version"], "3");
        connection
    };
    (0..300).for_each(|n| drop(ask(n)));
    let together: Vec<_> = (0..32).map(ask).collect();
    drop(together);
}

/// 5: unknown parameters are ignored, known ones may have any case.
#[test]
fn k05_parameters_have_any_case_and_others_are_ignored() {
    let server = Server::open();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let _bravo = server.cot("ANDROID-B", "BRAVO", "Mountain Rescue");
    let callsigns = |query: &str| {
        let answer = server.get(&format!("/Marti/api/clientEndPoints?{query}")).expect(200).json();
        let rows = answer["data"].as_array().unwrap().clone();
        rows.iter().map(|row| row["callsign"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(callsigns("GROUP=Cyan&nothing=1&=&&%"), ["ALPHA"]);
    // 6: a plus is a space here.
    assert_eq!(callsigns("group=Mountain+Rescue"), ["BRAVO"]);
    assert_eq!(callsigns("Group=Mountain%20Rescue,White"), ["BRAVO"]);
    assert_eq!(callsigns("secAgo=nonsense").len(), 2);
}

/// 7: `Expect: 100-continue`, chunked and sized bodies, and a `Content-Encoding` that is none.
#[test]
fn k07_bodies_come_as_clients_send_them() {
    let server = Server::open();
    let target = "/Marti/ErrorLog?platform=ATAK&uid=ANDROID-A&callsign=ALPHA&majorVersion=5";
    let body = "UEsDBBQAAAAI".repeat(10_000);

    let encoded = "Content-Encoding: UTF-8\r\nContent-Type: text/plain\r\n";
    server.ask("POST", target, encoded, body.as_bytes()).expect(200);

    let mut waiting = server.connect();
    waiting.send(&server.head("POST", target, "Expect: 100-continue\r\n", Some(body.len())));
    assert_eq!(waiting.answer_head().status, 100);
    waiting.send(body.as_bytes());
    waiting.answer().expect(200);

    let mut chunked = server.connect();
    chunked.send(&server.head("POST", target, "Transfer-Encoding: chunked\r\n", None));
    body.as_bytes().chunks(7000).for_each(|data| chunked.chunk(data));
    chunked.chunk(b"");
    chunked.answer().expect(200);
}

/// 10: `HEAD` has what `GET` has but the body.
#[test]
fn k10_head_is_get_without_a_body() {
    let server = Server::open();
    for path in ["/Marti/api/version", "/Marti/api/version/config", "/Marti/api/contacts/all"] {
        let get = server.get(path).expect(200);
        let head = server.ask("HEAD", path, "", b"").expect(200);
        for header in ["content-type", "content-length"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
    }
}

/// 25: what ATAK asks first.
#[test]
fn k25_the_server_says_what_it_is() {
    let server = Server::open();
    let config = server.get("/Marti/api/version/config").expect(200).json();
    assert_eq!(config["type"], "ServerConfig");
    assert_eq!((&config["version"], &config["data"]["api"]), (&"3".into(), &"3".into()));
    assert!(config["data"]["version"].as_str().unwrap().ends_with("-RELEASE"));
    assert_eq!(config["data"]["hostname"], "127.0.0.1");
    assert!(!config["nodeId"].as_str().unwrap().is_empty());

    let version = server.get("/Marti/api/version").expect(200);
    assert_eq!(version.header("content-type"), Some("text/plain"));
    assert!(version.text().contains("TAK Server"), "{}", version.text());

    let info = server.get("/Marti/api/version/info").expect(200).json();
    assert!(info["major"].is_u64() && info["minor"].is_u64() && info["patch"].is_u64());
    let now_ms: i64 =
        server.get("/Marti/GetTime").expect(200).json()["time"].as_str().unwrap().parse().unwrap();
    assert!(now_ms > 1_700_000_000_000);
}
