//! Video feeds.

use std::path::Path;

use serde_json::json;

use super::support::{Server, Setup};

const VCM: &str = "/Marti/vcm";
const VIDEO: &str = "/Marti/api/video";

/// As ATAK sends it, with the header that is none of its kind.
const ATAK: &str = "Content-Type: application/xml\r\nContent-Encoding: UTF-8\r\n";

fn feed(uid: &str, path: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><videoConnections><feed>\
        <protocol>rtsp</protocol><alias>Cam &amp; &lt;1&gt;</alias><uid>{uid}</uid>\
        <address>198.51.100.7</address><port>554</port><roverPort>-1</roverPort>\
        <ignoreEmbeddedKLV>false</ignoreEmbeddedKLV><preferredMacAddress/>\
        <preferredInterfaceAddress/><path>{path}</path><buffer>-1</buffer><timeout>10000</timeout>\
        <rtspReliable>0</rtspReliable></feed></videoConnections>"
    )
}

fn kept_in(file: &Path) -> Server {
    let mut setup = Setup::open();
    setup.marti.feeds_file = Some(file.to_owned());
    setup.in_memory()
}

#[test]
fn feeds_go_in_and_out_and_outlive_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("feeds.json");
    let server = kept_in(&file);
    let empty = server.get(VCM).expect(200);
    assert_eq!(
        (empty.text(), empty.header("content-type")),
        ("<videoConnections/>", Some("application/xml"))
    );
    assert_eq!(server.get(VIDEO).expect(200).json(), json!({ "videoConnections": [] }));
    assert!(
        server
            .ask("POST", VCM, ATAK, feed("cam-1", "/live").as_bytes())
            .expect(200)
            .body
            .is_empty()
    );
    server.ask("POST", VCM, ATAK, feed("cam-2", "/other").as_bytes()).expect(200);
    drop(server);

    let server = kept_in(&file);
    let list = server.get(VCM).expect(200);
    let tree = roxmltree::Document::parse(list.text()).unwrap();
    let feeds: Vec<_> = tree.root_element().children().collect();
    assert_eq!(feeds.len(), 2);
    let texts: Vec<_> = feeds[0]
        .children()
        .map(|field| (field.tag_name().name(), field.text().unwrap_or_default()))
        .collect();
    assert_eq!(
        texts,
        [
            ("protocol", "rtsp"),
            ("alias", "Cam & <1>"),
            ("uid", "cam-1"),
            ("address", "198.51.100.7"),
            ("port", "554"),
            ("roverPort", "-1"),
            ("ignoreEmbeddedKLV", "false"),
            ("preferredMacAddress", ""),
            ("preferredInterfaceAddress", ""),
            ("path", "/live"),
            ("buffer", "-1"),
            ("timeout", "10000"),
            ("rtspReliable", "0"),
        ]
    );
    let itak = server.ask("GET", VCM, "User-Agent: iTAK/2.12 CFNetwork\r\n", b"").expect(200);
    assert!(itak.text().contains("<address>rtsp://198.51.100.7:554/live</address>"));
    let json = server.get(VIDEO).expect(200).json();
    assert_eq!(json["videoConnections"][0]["feeds"][0]["url"], "rtsp://198.51.100.7:554/live");

    server.ask("DELETE", &format!("{VCM}?id=cam-1"), "", b"").expect(200);
    server.ask("DELETE", &format!("{VCM}?id=cam-1"), "", b"").expect(404);
    server.ask("DELETE", VCM, "", b"").expect(400);
    drop(server);
    let server = kept_in(&file);
    assert!(!server.get(VCM).text().contains("cam-1"));
    assert!(server.get(VCM).text().contains("cam-2"));
}

#[test]
fn feeds_are_json_for_others() {
    let server = Server::open();
    let sent = json!({ "videoConnections": [{
        "uuid": "3f1c", "active": true, "alias": "Drone",
        "feeds": [{ "uuid": "f-1", "active": true, "alias": "Drone", "url": "srt://h:9000?mode=caller" }],
    }] });
    let headers = "Content-Type: application/json\r\n";
    server.ask("POST", VIDEO, headers, sent.to_string().as_bytes()).expect(200);
    let one = server.get(&format!("{VIDEO}/3f1c")).expect(200).json();
    assert_eq!(one["alias"], "Drone");
    let keys: Vec<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["active", "alias", "classification", "feeds", "thumbnail", "uuid"]);
    let text = |key: &str| one["feeds"][0][key].is_string();
    for key in [
        "uuid",
        "alias",
        "url",
        "macAddress",
        "roverPort",
        "ignoreEmbeddedKLV",
        "source",
        "networkTimeout",
        "bufferTime",
        "rtspReliable",
        "thumbnail",
        "classification",
        "latitude",
        "longitude",
        "fov",
        "heading",
        "range",
    ] {
        assert!(text(key), "{key}");
    }
    for key in ["order", "width", "height", "bitrate"] {
        assert!(one["feeds"][0][key].is_i64(), "{key}");
    }
    let mut changed = one.clone();
    changed["alias"] = json!("Drone 2");
    let put = server.ask("PUT", &format!("{VIDEO}/3f1c"), headers, changed.to_string().as_bytes());
    assert_eq!(put.expect(200).json(), changed);
    let list = server.get(&format!("{VIDEO}?protocol=srt")).json();
    assert_eq!(list, json!({ "videoConnections": [changed] }));
    let none = server.get(&format!("{VIDEO}?protocol=rtsp")).json();
    assert_eq!(none, json!({ "videoConnections": [] }));
    let atak = server.get(VCM).expect(200);
    assert!(
        atak.text().contains("<port>9000</port>")
            && atak.text().contains("<path>?mode=caller</path>")
    );
    // ATAK changes it where it is.
    server.ask("POST", VCM, ATAK, feed("f-1", "/x").as_bytes()).expect(200);
    let one = server.get(&format!("{VIDEO}/3f1c")).json();
    assert_eq!(one["feeds"][0]["url"], "rtsp://198.51.100.7:554/x");
    server.ask("DELETE", &format!("{VIDEO}/3f1c"), "", b"").expect(200);
    server.get(&format!("{VIDEO}/3f1c")).expect(404);
    server
        .ask("PUT", &format!("{VIDEO}/3f1c"), headers, changed.to_string().as_bytes())
        .expect(404);
    server.ask("DELETE", &format!("{VIDEO}/3f1c"), "", b"").expect(404);
}

#[test]
fn feeds_are_for_a_team() {
    let server = Server::isolated();
    let _red = server.cot("R-1", "ROJO", "Red");
    let red = format!("{VCM}?team=Red");
    server.ask("POST", &red, ATAK, feed("cam-r", "/r").as_bytes()).expect(200);
    server
        .ask("POST", &format!("{red}&group=Blue"), ATAK, feed("cam-b", "/b").as_bytes())
        .expect(403);
    server
        .ask("POST", &format!("{red}&group=Red"), ATAK, feed("cam-s", "/s").as_bytes())
        .expect(200);
    let mine = server.get(&red).expect(200);
    assert!(mine.text().contains("cam-r") && mine.text().contains("cam-s"));
    // A user without a team of the relay's is known by name.
    let answer = server.run(async {
        use tower_service::Service;
        let request = http::Request::get(VIDEO).header("host", "h");
        let mut request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        request.extensions_mut().insert(marti::Caller::user("amy", ["Blue"]));
        let answer = server.marti.clone().call(request).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes()
    });
    assert_eq!(answer, r#"{"videoConnections":[]}"#);
}

#[test]
fn hostile_feeds_do_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = kept_in(&dir.path().join("feeds.json"));
    let laughs = (1..20).fold("<!ENTITY a0 \"ha\">".to_owned(), |all, n| {
        format!("{all}<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))
    });
    let good = feed("x", "/x");
    let good = good.split_once("?>").unwrap().1;
    for bad in [
        format!("<!DOCTYPE v [{laughs}]>{}", good.replace("/x", "&a19;")),
        format!("<!DOCTYPE v SYSTEM 'file:///etc/passwd'>{good}"),
        good.replace("/x", "&undeclared;"),
        "<videoConnections>".repeat(10_000),
        good.replace("554", "1000000"),
        good.replace("<uid>x</uid>", ""),
        format!("{good}{good}"),
        "\u{0}".to_owned(),
        String::new(),
    ] {
        server.ask("POST", VCM, ATAK, bad.as_bytes()).expect(400);
    }
    server.ask("POST", VCM, ATAK, &vec![b' '; 300 << 10]).expect(413);
    let large = feed("x", &"p".repeat(70 << 10));
    server.ask("POST", VCM, ATAK, large.as_bytes()).expect(413);
    for bad in [
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"videoConnections":{}}"#.to_owned(),
        r#"{"videoConnections":[{"alias":"A","feeds":[]}]}"#.to_owned(),
        r#"{"videoConnections":[1]}"#.to_owned(),
        "[".repeat(200_000),
    ] {
        server.ask("POST", VIDEO, "", bad.as_bytes()).expect(400);
    }
    assert_eq!(server.get(VCM).text(), "<videoConnections/>");
    // One that is damaged while the server is away does not keep it from starting.
    server.ask("POST", VCM, ATAK, feed("cam-1", "/live").as_bytes()).expect(200);
    drop(server);
    std::fs::write(dir.path().join("feeds.json"), "{\"version\":1,\"fee").unwrap();
    let server = kept_in(&dir.path().join("feeds.json"));
    assert_eq!(server.get(VCM).text(), "<videoConnections/>");
    assert!(dir.path().join("feeds.json.damaged").exists());
    server.ask("POST", VCM, ATAK, feed("cam-1", "/live").as_bytes()).expect(200);
}

#[test]
fn feeds_are_counted_as_large_as_they_become() {
    let server = Server::open();
    let post = |uuid: usize, alias: &str| {
        let feeds = json!([{ "uuid": uuid.to_string(), "alias": alias, "url": "a:" }]);
        let sent = json!({ "uuid": uuid.to_string(), "alias": "A", "feeds": feeds });
        server.ask("POST", VIDEO, "", sent.to_string().as_bytes()).status
    };
    assert_eq!(post(0, &"&".repeat(63_500)), 413);
    let alias = "&".repeat(12_500);
    let kept = (0..70).take_while(|at| post(*at, &alias) == 200).count();
    assert!((10..=17).contains(&kept), "{kept}");
    assert_eq!(post(100, &alias), 507);
    for agent in ["", "User-Agent: iTAK\r\n"] {
        let len = server.ask("GET", VCM, agent, b"").expect(200).body.len();
        assert!((kept * 60_000..=1 << 20).contains(&len), "{len}");
    }
    assert!(server.get(VIDEO).expect(200).body.len() <= 1 << 20);
}
