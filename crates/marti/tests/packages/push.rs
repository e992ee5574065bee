//! The server itself tells a client of a package, for the operator.

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use marti::{Caller, Marti};
use store::packages::{Audience, PackageStore, Upload};
use tower_service::Service;

use crate::shapes::{assert_download, fetch, noise, publish, sha256, usage};
use crate::support::{Server, Setup, until};

/// A call of the service as an application makes it that mounts it in a server of its own.
fn call<P: PackageStore>(
    server: &Server<P>,
    caller: Option<Caller>,
    method: &str,
    target: &str,
) -> Response<String> {
    let mut request =
        Request::builder().method(method).uri(target).header("host", "localhost:8088");
    if let Some(caller) = caller {
        request = request.extension(caller);
    }
    let request = request.body(Full::new(bytes::Bytes::new())).unwrap();
    let mut marti: Marti<P> = server.marti.clone();
    server.run(async move {
        let (parts, body) = marti.call(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
    })
}

/// The value of an attribute.
fn attribute(event: &str, name: &str) -> String {
    let (_, rest) = event.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{name}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn the_operator_has_a_package_sent_to_a_client() {
    let server = Setup::isolated().on_disk();
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let mut eve = server.cot("ANDROID-E", "ECHO", "Cyan");
    let content = noise(600, 4_000);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&team=Cyan", "plan.zip", &content);
    let target = format!("/Marti/api/packages/{hash}/push?to=HAWK");
    let answer = call(&server, Some(Caller::operator()), "POST", &target);
    assert_eq!(answer.status(), 200, "{}", answer.body());

    let event = bob.expect("b-f-t-r");
    // A receiver drops a notice that lacks one of these.
    assert_eq!(attribute(&event, "filename"), "plan.zip");
    assert_eq!(attribute(&event, "sizeInBytes"), "4000");
    assert_eq!(attribute(&event, "sha256"), hash);
    for name in ["senderUid", "senderCallsign", "name"] {
        assert!(!attribute(&event, name).is_empty(), "{name}");
    }
    let url = attribute(&event, "senderUrl");
    assert!(url.starts_with("http://") && !url.contains("0.0.0.0"), "{url}");
    let path = &url[url.find("/Marti/").expect("a URL of Marti")..];
    let path = path.replace("&amp;", "&");
    assert_download(server.get(&format!("{path}&receiver=HAWK")), &content);

    // Nobody else got it.
    bob.send(&crate::support::cot::event("probe", "a-f-G", ""));
    assert!(eve.expect_all("probe").iter().all(|event| !event.contains("b-f-t-r")));
}

/// Somebody who has left is told on their return, as of chat.
#[test]
fn who_is_away_is_told_on_their_return() {
    let server = Setup::isolated().on_disk();
    let bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let _eve = server.cot("ANDROID-E", "ECHO", "Red");
    let content = noise(606, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&team=Cyan", "plan.zip", &content);
    drop(bob);
    until("HAWK has left", || {
        server.relay.clients().iter().all(|client| client.uid != "ANDROID-B")
    });
    let target = |to: &str| format!("/Marti/api/packages/{hash}/push?to={to}");
    let ask = |method: &str, to: &str| {
        let answer = call(&server, Some(Caller::operator()), method, &target(to));
        let body: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        (answer.status().as_u16(), body)
    };
    let (status, found) = ask("GET", "HAWK");
    assert_eq!((status, &found["uid"], &found["team"]), (200, &"ANDROID-B".into(), &"Cyan".into()));
    assert_eq!((&found["isHere"], &found["isShared"]), (&false.into(), &true.into()));
    let (_, found) = ask("GET", "ECHO");
    assert_eq!((&found["isHere"], &found["isShared"]), (&true.into(), &false.into()));
    assert_eq!(ask("POST", "ECHO").0, 409);
    for method in ["GET", "POST"] {
        let (status, body) = ask(method, "NOBODY");
        assert_eq!((status, &body["message"]), (404, &"nobody called NOBODY has been here".into()));
    }

    let (status, done) = ask("POST", "HAWK");
    assert_eq!((status, &done["sent"], &done["held"]), (200, &0.into(), &1.into()));
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let event = bob.expect("b-f-t-r");
    assert_eq!(attribute(&event, "sha256"), hash);
    let url = attribute(&event, "senderUrl");
    let path = url[url.find("/Marti/").expect("a URL of Marti")..].replace("&amp;", "&");
    assert_download(server.get(&format!("{path}&receiver=HAWK")), &content);
}

/// Without a connection there is no address that clients could be told.
#[test]
fn a_push_without_a_known_address_is_refused() {
    let server = Server::open();
    let bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let content = noise(607, 400);
    publish(&server, "creatorUid=A", "plan.zip", &content);
    drop(bob);
    until("HAWK has left", || server.relay.clients().is_empty());
    let target = format!("/Marti/api/packages/{}/push?to=HAWK", sha256(&content));
    let answer = call(&server, Some(Caller::operator()), "POST", &target);
    assert_eq!(answer.status(), 409);
    assert!(answer.body().contains("public_url"), "{}", answer.body());
}

/// T15: a name never becomes XML.
#[test]
fn t15_a_hostile_name_stays_within_its_attribute() {
    let server = Server::open();
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let names = [
        "a%22%2F%3E%3Cx%2F%3E.zip",
        "a%26b%3Cc%3E'.zip",
        "a%00b%1B%0D%0A.zip",
        "%EF%BF%BF.zip",
        "%F0%9F%97%BA.zip",
        "a%5D%5D%3E%3C%2Fevent%3E",
        &"%C3%A9".repeat(600),
        &"n".repeat(4_000),
    ];
    for (n, name) in names.into_iter().enumerate() {
        let content = noise(610 + n as u64, 300);
        let hash = sha256(&content);
        let target = format!("/Marti/sync/upload?name={name}&creatorUid=A");
        server.ask("POST", &target, "Content-Type: application/zip\r\n", &content).expect(200);
        let target = format!("/Marti/api/packages/{hash}/push?to=HAWK");
        let answer = call(&server, Some(Caller::operator()), "POST", &target);
        assert_eq!(answer.status(), 200, "{name}: {}", answer.body());
        let event = bob.expect("b-f-t-r");
        let document = roxmltree::Document::parse(&event).unwrap();
        let detail = document.root_element().last_element_child().unwrap();
        let tags: Vec<_> = detail.children().map(|child| child.tag_name().name()).collect();
        assert!(tags.iter().all(|tag| ["fileshare", "ackrequest"].contains(tag)), "{event}");
        let share = detail.first_element_child().unwrap();
        assert_eq!(share.attribute("sha256"), Some(hash.as_str()));
        assert!(!share.attribute("name").unwrap().is_empty());
        assert!(!share.attribute("filename").unwrap().contains(['/', '\\', '"']), "{event}");
    }
}

/// The team rule holds for the operator's notices, too: what a client could not download is not
/// announced to it.
#[test]
fn k22_a_push_to_another_team_is_refused() {
    let server = Server::isolated();
    let mut bob = server.cot("ANDROID-B", "HAWK", "Red");
    let content = noise(605, 400);
    publish(&server, "creatorUid=A&team=Cyan", "plan.zip", &content);
    let target = format!("/Marti/api/packages/{}/push?to=HAWK", sha256(&content));
    let answer = call(&server, Some(Caller::operator()), "POST", &target);
    assert!(answer.status().is_client_error(), "{}", answer.body());
    bob.silence(std::time::Duration::from_millis(50));
}

/// Whether an upload would reach somebody is known before it, and decided as it is after it.
#[test]
fn what_a_contact_could_download_is_told_before_it_is_there() {
    let mut setup = Setup::isolated();
    setup.hub.teams.allow("Red -> HQ".parse().unwrap());
    let server = setup.in_memory();
    let _clients = [("HAWK", "Cyan"), ("ECHO", "Red"), ("CHIEF", "HQ"), ("NONE", "")]
        .map(|(callsign, team)| server.cot(callsign, callsign, team));
    let target = |hash: &str, to: &str| format!("/Marti/api/packages/{hash}/push?to={to}");
    for (n, (teams, reached)) in [
        ("", &["HAWK", "ECHO", "CHIEF", "NONE"][..]),
        ("&groups=Cyan", &["HAWK"]),
        ("&groups=Red", &["ECHO", "CHIEF"]),
        ("&groups=HQ", &["CHIEF"]),
        ("&groups=Cyan&groups=HQ", &["HAWK", "CHIEF"]),
        ("&groups=Cyan,Red", &["HAWK", "ECHO", "CHIEF"]),
        ("&groups=cyan", &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let content = noise(620 + n as u64, 400);
        let hash = sha256(&content);
        let reaches = |key: &str| -> Vec<&str> {
            let is_reached = |to: &&str| {
                let target = format!("{}{teams}", target(&hash, to));
                let answer = call(&server, Some(Caller::operator()), "GET", &target);
                let found: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
                found[key].as_bool().unwrap()
            };
            ["HAWK", "ECHO", "CHIEF", "NONE"].into_iter().filter(is_reached).collect()
        };
        assert_eq!(reaches("isShared"), [""; 0], "{teams}");
        assert_eq!(reaches("wouldBeShared"), reached, "{teams}");
        let mut upload = Request::post(format!("/Marti/sync/upload?name=x{teams}"));
        upload = upload.header("host", "localhost:8088").extension(Caller::operator());
        let upload = upload.body(Full::new(content.into())).unwrap();
        let mut marti = server.marti.clone();
        assert_eq!(server.run(marti.call(upload)).unwrap().status(), 200);
        assert_eq!(reaches("isShared"), reached, "{teams}");
        for to in ["HAWK", "ECHO", "CHIEF", "NONE"] {
            let status = if reached.contains(&to) { 200 } else { 409 };
            let answer = call(&server, Some(Caller::operator()), "POST", &target(&hash, to));
            assert_eq!(answer.status(), status, "{to} {teams}");
        }
    }
}

#[test]
fn a_push_of_nothing_or_to_nobody_is_404() {
    let server = Server::open();
    let _bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let content = noise(601, 400);
    publish(&server, "creatorUid=A", "plan.zip", &content);
    let push = |hash: &str, query: &str| {
        let target = format!("/Marti/api/packages/{hash}/push{query}");
        call(&server, Some(Caller::operator()), "POST", &target).status().as_u16()
    };
    assert_eq!(push(&sha256(b"unknown"), "?to=HAWK"), 404);
    assert_eq!(push(&sha256(&content), "?to=NOBODY"), 404);
    assert_eq!(push(&sha256(&content), ""), 400);
}

/// T25: only for the operator.
#[test]
fn t25_nobody_else_pushes() {
    let server = Server::open();
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let content = noise(602, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "plan.zip", &content);
    let target = format!("/Marti/api/packages/{hash}/push?to=HAWK");
    server.ask("POST", &target, "", b"").expect(403);
    server.get(&target).expect(403);
    assert_eq!(call(&server, Some(Caller::user("eve", ["Cyan"])), "POST", &target).status(), 403);
    assert_eq!(call(&server, None, "POST", &target).status(), 401);
    bob.silence(std::time::Duration::from_millis(50));
}

/// A.9: the operator deletes what anybody uploaded; a known user what is theirs.
#[test]
fn k21_the_operator_deletes_anything_and_a_user_what_is_theirs() {
    let server = Server::open();
    let content = noise(603, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "x.zip", &content);
    let target = format!("/Marti/sync/delete?hash={hash}");
    let by_eve = call(&server, Some(Caller::user("eve", ["Cyan"])), "DELETE", &target);
    assert_eq!(by_eve.status(), 403, "{}", by_eve.body());
    fetch(&server, &hash).expect(200);
    assert_eq!(call(&server, Some(Caller::operator()), "DELETE", &target).status(), 200);
    fetch(&server, &hash).expect(404);
    assert_eq!(usage(&server).contents, 0);
}

/// T25: without a caller nothing of the packages is there.
#[test]
fn t25_nobody_known_gets_nothing() {
    let server = Server::open();
    let content = noise(604, 400);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A", "x.zip", &content);
    for (method, target) in [
        ("GET", format!("/Marti/sync/content?hash={hash}")),
        ("HEAD", format!("/Marti/sync/content?hash={hash}")),
        ("GET", format!("/Marti/sync/missionquery?hash={hash}")),
        ("GET", "/Marti/sync/search".to_owned()),
        ("POST", "/Marti/sync/upload?name=x".to_owned()),
        ("POST", "/Marti/sync/missionupload?filename=x".to_owned()),
        ("DELETE", format!("/Marti/sync/delete?hash={hash}")),
        ("PUT", format!("/Marti/api/sync/metadata/{hash}/tool")),
        ("GET", format!("/Marti/api/files/{hash}")),
        ("DELETE", format!("/Marti/api/files/{hash}")),
        ("GET", "/files/api/config".to_owned()),
    ] {
        assert_eq!(call(&server, None, method, &target).status(), 401, "{method} {target}");
    }
    assert_eq!(usage(&server).packages, 1);
}

/// The operator sees each entry of a content, and those that are damaged, and may remove one alone.
#[test]
fn the_operator_sees_and_removes_each_entry() {
    let server = Server::isolated();
    let stored = ["Cyan", "Red"].map(|team| {
        let upload = Upload::new(format!("of {team}"), Audience::groups([team]));
        server.run(server.packages.insert(upload, &b"same"[..])).unwrap()
    });
    let hash = stored[0].hash;
    let rows = |caller: Caller, more: &str| -> Vec<serde_json::Value> {
        let target = format!("/Marti/api/sync/search?hash={hash}{more}");
        let body = call(&server, Some(caller), "GET", &target).into_body();
        let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
        serde_json::from_value(body["data"].take()).unwrap()
    };
    let each = "&eachAudience=true&damaged=true";
    let names = |rows: &[serde_json::Value]| -> Vec<String> {
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&rows(Caller::operator(), "")), ["of Red"]);
    let all = rows(Caller::operator(), each);
    assert_eq!(names(&all), ["of Red", "of Cyan"]);
    assert_eq!(all[1]["groups"], serde_json::json!(["Cyan"]));
    assert_eq!(all[1]["primaryKey"], stored[0].key);
    // Nobody else has more of it, whatever they ask for.
    let both = || Caller::user("eve", ["Cyan", "Red"]);
    assert_eq!(names(&rows(both(), each)), ["of Red"]);
    server.packages.damage(hash);
    assert_eq!(rows(both(), each).len(), 0);
    assert_eq!(rows(Caller::operator(), "&eachAudience=true").len(), 0);
    assert!(rows(Caller::operator(), each).iter().all(|row| row["isDamaged"] == true));

    let delete = |key: i64| {
        let target = format!("/Marti/sync/delete?PrimaryKey={key}");
        call(&server, Some(Caller::operator()), "DELETE", &target).status().as_u16()
    };
    assert_eq!([delete(stored[0].key), delete(stored[0].key)], [200, 404]);
    assert_eq!(names(&rows(Caller::operator(), each)), ["of Red"]);
}
