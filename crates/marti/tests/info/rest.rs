//! What else clients ask, and missions: 29 and 32 of the checklist, and the forms that clients
//! tolerate.

use http::Method;
use store::packages::{Audience, PackageStore, Upload};

use crate::operator;
use crate::support::Server;

/// 29: the list of video feeds is a document even without one, and takes one as ATAK sends it.
#[test]
fn k29_video_feeds_are_a_document() {
    let server = Server::open();
    let empty = server.get("/Marti/vcm").expect(200);
    assert_eq!(empty.header("content-type"), Some("application/xml"));
    assert!(empty.text().contains("videoConnections"), "{}", empty.text());
    let feed = concat!(
        "<videoConnections><feed><protocol>rtsp</protocol><alias>Cam 1</alias><uid>cam-1</uid>",
        "<address>198.51.100.7</address><port>554</port><path>/live</path></feed>",
        "</videoConnections>"
    );
    let encoded = "Content-Encoding: UTF-8\r\nContent-Type: application/xml\r\n";
    server.ask("POST", "/Marti/vcm", encoded, feed.as_bytes()).expect(200);
    let list = server.get("/Marti/vcm").expect(200);
    let document = roxmltree::Document::parse(list.text()).unwrap();
    assert!(document.descendants().any(|node| node.text() == Some("cam-1")), "{}", list.text());
}

/// 32: reports of crashes and tracks are taken and dropped, within bounds.
#[test]
fn k32_crashes_and_tracks_are_taken() {
    let server = Server::open();
    let crash =
        "/Marti/ErrorLog?platform=Android&uid=A&callsign=%1b%5b31m&majorVersion=5&minorVersion=5";
    let tracks = "/Marti/TracksKML?uid=A&callsign=ALPHA&cotType=a-f-G&groupName=Cyan&groupRole=HQ";
    for target in [crash, tracks] {
        for len in [0, 1, 3 << 20] {
            let answer = server.ask("POST", target, "", &vec![b'A'; len]).expect(200);
            assert!(answer.body.is_empty());
        }
        server.ask("POST", target, "", &vec![b'A'; (16 << 20) + 1]).expect(413);
    }
}

#[test]
fn callers_learn_what_they_may_do() {
    let server = Server::open();
    assert_eq!(
        server.get("/Marti/api/util/user/roles").json(),
        serde_json::json!(["ROLE_ANONYMOUS"])
    );
    assert_eq!(server.get("/Marti/api/util/isAdmin").json(), false);
    assert_eq!(server.get("/Marti/api/security/isSecure").json()["data"], "false");
    let told = |path: &str| operator(&server, Method::GET, path, "").1;
    assert!(told("/Marti/api/util/user/roles").contains("ROLE_ADMIN"));
    assert_eq!(told("/Marti/api/util/isAdmin"), "true");
}

/// What is not kept here is an empty list in the form that clients read.
#[test]
fn lists_of_what_is_not_here_are_empty() {
    let server = Server::open();
    for path in [
        "iconset/all/uid",
        "repeater/list",
        "injectors/cot/uid",
        "datafeeds",
        "cops",
        "cops/hierarchy",
        "excheck/checklist/active",
    ] {
        let answer = server.get(&format!("/Marti/api/{path}")).expect(200).json();
        assert_eq!((&answer["version"], &answer["data"]), (&"3".into(), &serde_json::json!([])));
    }
}

/// A report of the reports plug-in comes back as it was sent, for those who see its sender's team.
#[test]
fn reports_are_kept_for_their_team() {
    let server = Server::isolated();
    let _alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let zip = b"PK\x03\x04 a report".as_slice();
    let target = "/Marti/api/citrap?clientUid=ANDROID-A";
    let posted = server.ask("POST", target, "Content-Type: application/zip\r\n", zip).expect(201);
    let id = posted.json()["id"].as_str().unwrap().to_owned();
    let url = format!("http://{}/Marti/api/citrap/{id}", server.http);
    assert_eq!(posted.header("location"), Some(url.as_str()));

    let one = format!("/Marti/api/citrap/{id}?clientUid=ANDROID-A");
    let fetched = server.get(&one).expect(200);
    assert_eq!(fetched.body, zip);
    assert_eq!(fetched.header("content-type"), Some("application/zip"));

    let list = server.get(target).expect(200).json();
    assert_eq!((&list[0]["id"], &list[0]["userCallsign"]), (&id.as_str().into(), &"ALPHA".into()));
    let xml = server.ask("GET", target, "Accept: application/xml\r\n", b"").expect(200);
    assert_eq!(xml.header("content-type"), Some("application/xml"));
    let document = roxmltree::Document::parse(xml.text()).unwrap();
    assert_eq!(document.root_element().first_child().unwrap().attribute("id"), Some(id.as_str()));

    assert_eq!(server.get("/Marti/api/citrap?team=Red").json(), serde_json::json!([]));
    server.get(&format!("/Marti/api/citrap/{id}?team=Red")).expect(404);
    server.get("/Marti/api/citrap/nothing").expect(404);
    server.get("/Marti/api/citrap?startTime=yesterday").expect(400);
    let later = server.get(&format!("{target}&startTime=2099-01-01T00:00:00.000Z"));
    assert_eq!(later.expect(200).json(), serde_json::json!([]));
    // It is its sender's to remove, and no other file is a report.
    let file = "/Marti/sync/upload?name=x&creatorUid=ANDROID-A&team=Cyan";
    let file = server.ask("POST", file, "", b"no report").json()["Hash"].clone();
    let other = format!("/Marti/api/citrap/{}?clientUid=ANDROID-A", file.as_str().unwrap());
    server.ask("DELETE", &other, "", b"").expect(404);
    server.ask("DELETE", &format!("/Marti/api/citrap/{id}?team=Red"), "", b"").expect(404);
    server.ask("DELETE", &one, "", b"").expect(200);
    server.get(&one).expect(404);
    assert_eq!(server.get(target).json(), serde_json::json!([]));
}

/// However many reports there are: as many as are asked for, and at most 1,000.
#[test]
fn reports_are_listed_newest_first_and_not_without_end() {
    let server = Server::open();
    server.run(async {
        for n in 0..1_010 {
            let mut upload = Upload::new(format!("report {n}"), Audience::Everyone);
            upload.tool = "citrap".to_owned();
            server.packages.insert(upload, n.to_string().as_bytes()).await.unwrap();
        }
    });
    let titles = |query: &str| {
        let list = server.get(&format!("/Marti/api/citrap?{query}")).expect(200).json();
        let titles = list.as_array().unwrap().iter().map(|report| report["title"].to_string());
        titles.collect::<Vec<_>>()
    };
    assert_eq!(titles("maxReportCount=2"), ["\"report 1009\"", "\"report 1008\""]);
    assert_eq!(titles("maxReportCount=5000").len(), 1_000);
    assert_eq!(titles("").len(), 1_000);
}

/// Somebody who is lost is shown to the team of who calls, and to nobody else.
#[test]
fn a_lost_person_becomes_a_marker() {
    let server = Server::isolated();
    let mut alpha = server.cot("ANDROID-A", "ALPHA", "Cyan");
    let mut bravo = server.cot("ANDROID-B", "BRAVO", "Red");
    let target =
        "/locate/api?latitude=46.8&longitude=-9.8&name=Anna+%3C%3E&remarks=left+leg&team=Cyan";
    server.ask("POST", target, "", b"").expect(200);
    let marker = alpha.expect("locate-");
    assert!(marker.contains(r#"lat="46.8" lon="-9.8""#), "{marker}");
    assert!(marker.contains("Anna &lt;&gt;") && marker.contains("left leg"), "{marker}");
    bravo.silence(std::time::Duration::from_millis(300));
    for bad in ["latitude=91&longitude=0", "latitude=0", "latitude=NaN&longitude=0", "longitude=1"]
    {
        server.ask("POST", &format!("/locate/api?{bad}"), "", b"").expect(400);
    }
}

/// 42, 44, 57: there are no missions, and clients are told so in the form that they read: what is
/// unknown is 404, by name and by guid, and what would make one is 501.
#[test]
fn k42_k44_k57_missions_are_none_in_the_form_that_clients_read() {
    let server = Server::open();
    let base = "/Marti/api/missions";
    for (path, kind) in [
        ("", "Mission"),
        ("/", "Mission"),
        ("?passwordProtected=true&defaultRole=true", "Mission"),
        ("/invitations?clientUid=A", "MissionInvitation"),
        ("/all/invitations?clientUid=A", "MissionInvitation"),
        ("/all/subscriptions", "MissionSubscription"),
    ] {
        let answer = server.get(&format!("{base}{path}")).expect(200).json();
        assert_eq!((&answer["type"], &answer["data"]), (&kind.into(), &serde_json::json!([])));
    }
    // 6: names with whatever is percent-encoded, once.
    for path in [
        "/Search%2012",
        "/guid/4ce8e41d",
        "/Search%2012/changes?secago=1",
        "/a/log",
        "/b%C3%A4r%20%23%26%2F%25.1+2//changes/",
        "/%2e%2e/contents",
    ] {
        let answer = server.get(&format!("{base}{path}")).expect(404).json();
        assert_eq!((&answer["status"], &answer["code"]), (&"NOT_FOUND".into(), &1.into()));
    }
    server.ask("DELETE", &format!("{base}/one?creatorUid=A"), "", b"").expect(404);
    for name in ["citrap", "Search%2012", "guid/4ce8e41d"] {
        let target = format!("{base}/{name}/subscription?uid=A&password=x");
        server.ask("PUT", &target, "", b"").expect(404);
    }
    let zip = vec![0; 100_000];
    let answer = server.ask("PUT", &format!("{base}/one?creatorUid=A"), "", &zip).expect(501);
    assert_eq!(answer.json()["code"], 3);
    server.ask("POST", &format!("{base}/one?creatorUid=A&allowDupe=false"), "", b"").expect(501);
}
