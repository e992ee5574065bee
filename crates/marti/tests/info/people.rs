//! Who is there, and groups: 26, 27, 30 and 31 of the checklist.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::operator;
use crate::support::cot::{Cot, event};
use crate::support::{Server, until};

fn callsigns(rows: &Value) -> Vec<&str> {
    let mut callsigns: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["callsign"].as_str().unwrap()).collect();
    callsigns.sort_unstable();
    callsigns
}

/// 26: only whole entries, and the words for being here and having left.
#[test]
fn k26_end_points_are_whole_or_left_out() {
    let server = Server::open();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let bravo = server.cot("ANDROID-B", "BRAVO", "Cyan");
    let mut nameless = Cot::connect(server.cot);
    nameless.send(&event("ANDROID-C", "a-f-G-U-C", ""));
    drop(bravo);
    until("one has left", || server.relay.contacts().len() < 2);

    let ends = server.get("/Marti/api/clientEndPoints").expect(200).json();
    assert_eq!(
        (&ends["type"], &ends["version"]),
        (&"com.bbn.marti.remote.ClientEndpoint".into(), &"3".into())
    );
    let rows = &ends["data"];
    assert_eq!(callsigns(rows), ["ALPHA", "BRAVO"]);
    for row in rows.as_array().unwrap() {
        let status = if row["callsign"] == "ALPHA" { "Connected" } else { "Disconnected" };
        assert_eq!((&row["lastStatus"], &row["role"]), (&status.into(), &"Team Member".into()));
        for key in ["uid", "username", "team", "role", "lastEventTime"] {
            assert!(row[key].is_string(), "{key}");
        }
    }
    let here = server.get("/Marti/api/clientEndPoints?showCurrentlyConnectedClients=true");
    assert_eq!(callsigns(&here.json()["data"]), ["ALPHA"]);
}

/// 30: contacts are a bare array of whole rows.
#[test]
fn k30_contacts_are_a_bare_array() {
    let server = Server::open();
    assert_eq!(server.get("/Marti/api/contacts/all").expect(200).json(), Value::Array(Vec::new()));
    let _bravo = server.cot("ANDROID-B", "BRAVO", "Cyan");
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Red");
    for path in ["/Marti/api/contacts/all", "/Marti/api/contacts/all/lite"] {
        let contacts = server.get(&format!("{path}?sortBy=CALLSIGN&direction=DESCENDING"));
        let contacts = contacts.expect(200).json();
        assert_eq!(contacts[0]["callsign"], "BRAVO");
        for key in ["notes", "callsign", "team", "role", "takv", "uid"] {
            assert!(contacts[1][key].is_string(), "{key}");
        }
        assert!(contacts[1]["filterGroups"].is_array());
    }
}

/// The table of connections: addresses, and those who are nobody yet, are for the operator.
#[test]
fn connections_are_listed_without_addresses() {
    let server = Server::open();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let _silent = Cot::connect(server.cot);
    let table = server.get("/Marti/api/subscriptions/all").expect(200).json();
    assert_eq!(table["type"], "SubscriptionInfo");
    let rows = table["data"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["clientUid"], "ANDROID-A");
    assert_eq!((&rows[0]["ipAddress"], &rows[0]["port"]), (&"".into(), &"".into()));
    // The types that CloudTAK's client declares.
    for text in [
        "dn callsign clientUid takClient takVersion username role team ipAddress port protocol xpath",
        "subscriptionUid appFramerate battery batteryStatus batteryTemp deviceDataRx deviceDataTx",
        "heapCurrentSize heapFreeSize heapMaxSize deviceIPAddress storageAvailable storageTotal",
        "handlerType",
    ]
    .iter()
    .flat_map(|keys| keys.split(' '))
    {
        assert!(rows[0][text].is_string(), "{text}");
    }
    let integers = "lastReportMilliseconds lastReportDiffMilliseconds pendingWrites numProcessed";
    assert!(integers.split(' ').all(|key| rows[0][key].is_i64()), "{table}");
    assert!(rows[0]["incognito"].is_boolean() && rows[0]["groups"].is_array());

    let (_, all) = operator(&server, Method::GET, "/Marti/api/subscriptions/all", "");
    let all: Value = serde_json::from_str(&all).unwrap();
    let addresses = all["data"].as_array().unwrap().iter().map(|row| &row["ipAddress"]);
    assert_eq!(addresses.collect::<Vec<_>>(), ["127.0.0.1"; 2]);
}

/// The team rule: a team sees itself, whoever asks.
#[test]
fn other_teams_are_not_there() {
    let server = Server::isolated();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let _bravo = server.cot("ANDROID-B", "BRAVO", "Red");
    for (query, expected) in [
        ("team=Cyan", vec!["ALPHA"]),
        ("team=Red", vec!["BRAVO"]),
        ("team=Red&team=Cyan", vec!["ALPHA", "BRAVO"]),
        ("clientUid=ANDROID-A", vec!["ALPHA"]),
        ("receiver=BRAVO", vec!["BRAVO"]),
        ("team=White", vec![]),
    ] {
        for path in ["clientEndPoints", "contacts/all", "subscriptions/all"] {
            let answer = server.get(&format!("/Marti/api/{path}?{query}")).expect(200).json();
            let rows = if answer.is_array() { &answer } else { &answer["data"] };
            assert_eq!(callsigns(rows), expected, "{path}?{query}");
        }
        let groups = server.get(&format!("/Marti/api/groups/all?{query}")).expect(200).json();
        assert_eq!(groups.to_string().contains("Red"), expected.contains(&"BRAVO"), "{query}");
    }
}

/// 27: groups have all six members; `created` may be a number or a text in a choice.
#[test]
fn k27_groups_are_whole_and_a_choice_is_taken() {
    let server = Server::isolated();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let groups = server.get("/Marti/api/groups/all?useCache=true&clientUid=ANDROID-A");
    let groups = groups.expect(200).json();
    assert_eq!(groups["type"], "com.bbn.marti.remote.groups.Group");
    let rows = groups["data"].as_array().unwrap();
    let ways: Vec<_> = rows.iter().map(|row| row["direction"].as_str().unwrap()).collect();
    assert_eq!(ways, ["IN", "OUT"]);
    for row in rows {
        assert_eq!((&row["name"], &row["active"]), (&"Cyan".into(), &true.into()));
        assert!(row["created"].is_string() && row["type"].is_string() && row["bitpos"].is_u64());
    }

    let target = "/Marti/api/groups/active?clientUid=ANDROID-A";
    let json = "Content-Type: application/json\r\n";
    for created in ["1746172800000", "\"2025-05-02\""] {
        let choice = format!(
            r#"[{{"name":"Cyan","direction":"IN","created":{created},"type":"SYSTEM","bitpos":2,"active":true,"description":""}}]"#
        );
        let answer = server.ask("PUT", target, json, choice.as_bytes()).expect(200);
        assert!(answer.body.is_empty());
    }
    server.ask("PUT", target, json, b"[{\"name\":7}]").expect(400);
    server.ask("PUT", "/Marti/api/groups/activebits", json, b"[]").expect(200);
    let enabled = server.get("/Marti/api/groups/groupCacheEnabled").expect(200).json();
    assert_eq!(enabled["type"], "java.lang.Boolean");
}

/// 31: a choice of groups has no effect, so nobody is told of a change.
#[test]
fn k31_a_choice_changes_nothing_and_nobody_is_told() {
    let server = Server::open();
    let mut alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    alpha.during(Duration::from_millis(200));
    server.ask("PUT", "/Marti/api/groups/activebits?clientUid=ANDROID-A", "", b"[2]").expect(200);
    alpha.silence(Duration::from_millis(200));
}
