//! Data packages and the rest of the HTTP API of the real binary, beside its CoT listener.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

mod support;

use std::fs::{OpenOptions, read_to_string, write};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use support::{Client, PATIENCE, Server, now, position, wait_until};

/// A status and a body.
type Answer = (u16, Vec<u8>);

/// One request on a connection of its own.
fn ask(addr: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut conn = TcpStream::connect(addr).unwrap();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    let (request, lines) = head.split_once('\n').unwrap_or((head, ""));
    let lines = lines.lines().map(|line| format!("{line}\r\n")).collect::<String>();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {addr}\r\n{lines}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    conn.write_all(head.as_bytes()).unwrap();
    conn.write_all(body).unwrap();
    let mut answer = Vec::new();
    conn.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
}

fn get(addr: SocketAddr, path: &str) -> Answer {
    ask(addr, &format!("GET {path}"), b"")
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.1).unwrap()
}

/// Uploads as ATAK does: the path of the content.
fn upload(addr: SocketAddr, uid: &str, content: &[u8]) -> String {
    let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"assetfile\"; \
        filename=\"recon.zip\"\r\nContent-Type: application/x-zip-compressed\r\n\r\n"
        .to_vec();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    let head = format!(
        "POST /Marti/sync/missionupload?filename=recon.zip&creatorUid={uid}\n\
         Content-Type: multipart/form-data; boundary=edge"
    );
    let answer = ask(addr, &head, &body);
    assert_eq!(answer.0, 200, "{}", text(&answer));
    let url = text(&answer).trim();
    url.strip_prefix(&format!("http://{addr}")).unwrap().to_owned()
}

/// A device that has said who it is, and knows that the server has heard it.
fn device(server: &Server, uid: &str, team: &str) -> Client {
    let mut client = server.client();
    client.send(&position(uid, uid).replace("Cyan", team));
    wait_until("it is listed", || {
        let contacts = server.json("/api/contacts");
        contacts.as_array().unwrap().iter().any(|contact| contact["uid"] == uid)
    });
    client
}

/// Tells a contact of a content (checklist 22).
fn notice(id: &str, to: &str, path: &str) -> String {
    position("A", "A")
        .replace("a-f-G-U-C", "b-f-t-r")
        .replace("uid=\"A\"", &format!("uid=\"{id}\""))
        .replace(
            "<contact callsign=\"A\" endpoint=\"*:-1:stcp\"/>",
            &format!(
                "<fileshare filename=\"recon.zip\" senderUrl=\"http://192.0.2.1:8080{path}\" \
             sizeInBytes=\"5\" sha256=\"00\" senderUid=\"A\" senderCallsign=\"A\" name=\"recon\"/>\
             <ackrequest uid=\"ack-1\" ackrequested=\"true\" tag=\"recon\"/>\
             <marti><dest callsign=\"{to}\"/></marti>"
            ),
        )
}

fn open(server: &Server) {
    wait_until("data packages are there", || get(server.http, "/Marti/api/version").0 == 200);
}

#[test]
fn a_file_goes_from_one_device_to_another_and_is_acknowledged() {
    let server = Server::start();
    open(&server);
    let mut sender = device(&server, "A", "Cyan");
    let mut receiver = device(&server, "B", "Red");
    let content = vec![7; 300_000];
    let path = upload(server.http, "A", &content);
    sender.send(&notice("share-1", "B", &path));
    receiver.expect("uid=\"share-1\"");
    receiver.expect(&path);
    assert_eq!(get(server.http, &format!("{path}&receiver=B")), (200, content));
    receiver.send(&position("B", "B").replace("a-f-G-U-C", "b-f-t-a").replace(
        "<contact callsign=\"B\" endpoint=\"*:-1:stcp\"/>",
        "<ackresponse uid=\"ack-1\" senderUid=\"B\" success=\"true\" tag=\"recon\"/>\
             <marti><dest callsign=\"A\"/></marti>",
    ));
    sender.expect("uid=\"ack-1\"");
}

#[test]
fn teams_that_do_not_see_each_other_do_not_share_files() {
    let server = Server::with(&["--team-policy", "isolated"]);
    open(&server);
    let mut sender = device(&server, "A", "Cyan");
    let mut other = device(&server, "B", "Red");
    let mut own = device(&server, "C", "Cyan");
    let path = upload(server.http, "A", b"ours");
    sender.send(&notice("share-b", "B", &path));
    sender.send(&notice("share-c", "C", &path));
    own.expect("uid=\"share-c\"");
    // A pong comes after whatever was sent before.
    other.send(&position("ping-1", "B").replace("a-f-G-U-C", "t-x-c-t"));
    other.expect("t-x-c-t-r");
    assert!(!other.has("share-b") && !own.has("share-b"));
    let never =
        get(server.http, &format!("/Marti/sync/content?hash={}&receiver=B", "0".repeat(64)));
    assert_eq!(get(server.http, &format!("{path}&receiver=B")).0, 404);
    assert_eq!(never.0, 404);
    assert_eq!(get(server.http, &format!("{path}&receiver=C")), (200, b"ours".to_vec()));
    let search = "/Marti/sync/search?keywords=missionpackage&tool=public";
    assert!(!text(&get(server.http, &format!("{search}&clientUid=B"))).contains("recon"));
    assert!(text(&get(server.http, &format!("{search}&clientUid=C"))).contains("recon"));
}

#[test]
fn packages_survive_a_kill_and_the_operator_sees_all() {
    let data = tempfile::tempdir().unwrap();
    let args = ["--team-policy", "isolated"];
    let server = Server::with_data(data.path(), &args);
    open(&server);
    let path = upload(server.http, "A", b"kept");
    server.signal(Signal::KILL);
    server.ended_unread();

    let server = Server::with_data(data.path(), &args);
    open(&server);
    let token = read_to_string(data.path().join("admin.token")).unwrap();
    let bearing = |head: &str, token: &str| {
        ask(server.admin, &format!("{head}\nAuthorization: Bearer {}", token.trim()), b"")
    };
    wait_until("the operator is served", || bearing("GET /Marti/api/version", &token).0 == 200);
    assert_eq!(bearing(&format!("GET {path}"), &token), (200, b"kept".to_vec()));
    assert!(text(&bearing("GET /Marti/api/sync/search", &token)).contains("recon.zip"));
    // Nobody else is the operator, and the operator is one on the admin listener only.
    assert_eq!(bearing(&format!("GET {path}"), "").0, 401);
    assert_eq!(bearing(&format!("GET {path}"), &"0".repeat(64)).0, 401);
    assert_eq!(get(server.admin, &path).0, 401);
    let hash = path.split_once("hash=").unwrap().1;
    let push = format!("POST /Marti/api/packages/{hash}/push?to=B");
    let head = format!("{push}\nAuthorization: Bearer {}", token.trim());
    assert_eq!(ask(server.http, &head, b"").0, 403);
}

#[test]
fn the_operator_has_a_device_download_a_package() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_data(data.path(), &[]);
    open(&server);
    let mut receiver = device(&server, "B", "Red");
    let path = upload(server.http, "A", b"for you");
    let hash = path.split_once("hash=").unwrap().1;
    let token = read_to_string(data.path().join("admin.token")).unwrap();
    let push = |to: &str| {
        let head = format!(
            "POST /Marti/api/packages/{hash}/push?to={to}\nAuthorization: Bearer {}",
            token.trim()
        );
        ask(server.admin, &head, b"").0
    };
    assert_eq!(push("NOBODY"), 404);
    assert_eq!(push("B"), 200);
    receiver.expect("b-f-t-r");
    // The URL is one that the device can reach: by the address at which it reached the server.
    receiver.expect(&format!("http://{}/Marti/sync/content?hash={hash}", server.http));
}

#[test]
fn a_stop_does_not_wait_for_an_upload_that_hangs() {
    let server = Server::start();
    open(&server);
    let mut conn = TcpStream::connect(server.http).unwrap();
    let head = format!(
        "POST /Marti/sync/upload?name=x&creatorUid=A HTTP/1.1\r\nHost: {}\r\n\
         Content-Length: 1000000\r\n\r\nbegin",
        server.http
    );
    conn.write_all(head.as_bytes()).unwrap();
    wait_until("the upload has begun", || {
        server.get("/metrics").1.contains("tinycot_package_uploads_open 1")
    });
    let asked = now();
    server.signal(Signal::TERM);
    let (status, ended, log) = server.ended();
    assert!(status.success(), "{status} {log}");
    assert!(ended.duration_since(asked) < Duration::from_secs(10), "{log}");
}

#[test]
fn without_a_listener_there_are_no_packages() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_data(data.path(), &["--http-listen", "off"]);
    assert!(!server.banner.contains("listening http"), "{}", server.banner);
    assert!(!data.path().join("packages").exists());
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    let token = read_to_string(data.path().join("admin.token")).unwrap();
    let head = format!("GET /Marti/api/version\nAuthorization: Bearer {}", token.trim());
    let answer = ask(server.admin, &head, b"");
    assert_eq!(answer.0, 503, "{}", text(&answer));
    assert!(!server.get("/ready").1.contains("packages"), "it was asked for");
    assert!(text(&answer).contains("http_listen"), "{}", text(&answer));
}

#[test]
fn packages_that_cannot_be_opened_are_no_reason_not_to_relay() {
    let data = tempfile::tempdir().unwrap();
    write(data.path().join("packages"), "a file where a directory should be").unwrap();
    let server = Server::with_data(data.path(), &[]);
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    wait_until("it says so", || server.get("/ready").1.contains("packages: "));
    assert_eq!(server.get("/ready").0, 200);
    let answer = get(server.http, "/Marti/api/version");
    assert_eq!(answer.0, 503, "{}", text(&answer));
    // It tries again by itself.
    std::fs::remove_file(data.path().join("packages")).unwrap();
    open(&server);
    assert!(!server.get("/ready").1.contains("packages: "));
}

#[test]
fn a_taken_default_port_costs_the_packages_and_not_the_relay() {
    // Whoever has it, this test or somebody else.
    let _holder = TcpListener::bind("0.0.0.0:8080");
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("tinycot.toml");
    write(&config, "cot_listen = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n").unwrap();
    let mut child = support::tinycot()
        .args(["--config", config.to_str().unwrap(), "--data-dir", data.path().to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .stderr(log_file(&data.path().join("log")))
        .spawn()
        .unwrap();
    let mut banner = String::new();
    let mut stdout = child.stdout.take().unwrap();
    let mut buf = [0; 1024];
    while !banner.contains("ready in") {
        let read = stdout.read(&mut buf).unwrap();
        assert_ne!(read, 0, "{banner}");
        banner += std::str::from_utf8(&buf[..read]).unwrap();
    }
    // The log is written by a thread of its own.
    let log = || read_to_string(data.path().join("log")).unwrap();
    wait_until("it says so", || log().contains("another program has the port for data packages"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!banner.contains("listening http"), "{banner}");
}

fn log_file(path: &Path) -> std::fs::File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

#[test]
fn events_come_and_go_over_http() {
    let server = Server::start();
    open(&server);
    let mut client = device(&server, "A", "Cyan");
    let event = position("WEB-1", "WEB");
    let answer =
        ask(server.http, "POST /api/events\nContent-Type: application/xml", event.as_bytes());
    assert_eq!(answer.0, 200, "{}", text(&answer));
    client.expect("uid=\"WEB-1\"");
    assert_eq!(get(server.http, "/Marti/api/cot/xml/WEB-1"), (200, event.into_bytes()));

    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).unwrap();
    let mut got = String::new();
    let mut buf = [0; 4096];
    while !(got.contains("\"WEB-1\"") && got.contains("\"A\"")) {
        let read = stream.read(&mut buf).unwrap();
        assert_ne!(read, 0, "{got}");
        got += std::str::from_utf8(&buf[..read]).unwrap();
    }
}
