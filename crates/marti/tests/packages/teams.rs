//! Two teams (A.13): what one uploads does not exist for the other.

use store::packages::PackageStore;

use crate::shapes::{ZIP, assert_download, form, form_type, listed, noise, publish, sha256, usage};
use crate::support::{Server, Setup};

fn other_teams<P: PackageStore>(server: &Server<P>) {
    let content = noise(500, 900);
    let hash = sha256(&content);
    let url = publish(server, "creatorUid=A&team=Cyan&keyword=missionpackage", "x.zip", &content);
    assert!(url.ends_with(&hash));
    for target in [
        format!("/Marti/sync/content?hash={hash}&team=Red"),
        format!("/Marti/sync/content?uid={hash}&team=Red"),
        format!("/Marti/sync/missionquery?hash={hash}&team=Red"),
        format!("/Marti/api/files/{hash}?team=Red"),
        format!("/Marti/api/sync/metadata/{hash}/tool?team=Red"),
        format!("/Marti/sync/{hash}/metadata?team=Red"),
        format!("/Marti/sync/content?hash={hash}"),
    ] {
        server.get(&target).expect(404);
        if !target.contains("query") {
            server.ask("HEAD", &target, "", b"").expect(404);
        }
    }
    for (method, target, body) in [
        ("PUT", format!("/Marti/api/sync/metadata/{hash}/tool?team=Red"), "private"),
        ("DELETE", format!("/Marti/sync/delete?hash={hash}&team=Red&creatorUid=A"), ""),
        ("DELETE", format!("/Marti/api/files/{hash}?team=Red&creatorUid=A"), ""),
        ("PUT", format!("/Marti/api/files/{hash}/metadata?team=Red&keywords=x"), ""),
    ] {
        server.ask(method, &target, "", body.as_bytes()).expect(404);
    }
    for query in
        ["keywords=missionpackage", "name=x", &format!("hash={hash}"), &format!("uid={hash}")]
    {
        assert!(listed(server, &format!("{query}&team=Red")).is_empty(), "{query}");
        assert!(listed(server, query).is_empty(), "{query}");
        assert_eq!(listed(server, &format!("{query}&team=Cyan")), [hash.as_str()], "{query}");
    }
    for target in ["/Marti/api/sync/search?x", "/Marti/api/files/metadata?x"] {
        let red = server.get(&format!("{target}&team=Red")).expect(200);
        assert!(!red.text().contains(&hash), "{target}");
        let cyan = server.get(&format!("{target}&team=Cyan")).expect(200);
        assert!(cyan.text().contains(&hash), "{target}");
    }
    let count = |team: &str| {
        server.get(&format!("/Marti/api/files/metadata/count?team={team}")).json()["data"].clone()
    };
    assert_eq!((count("Red"), count("Cyan")), (0.into(), 1.into()));
    let target = format!("/Marti/sync/content?hash={hash}&team=Cyan");
    assert_download(server.get(&target), &content);
    let resource = server.get(&format!("/Marti/api/resources/{hash}?team=Red"));
    assert!(!resource.text().contains("x.zip"), "{}", resource.text());

    // The other team uploads the same: now both see it, each under its own name, and it is there once.
    publish(server, "creatorUid=R&team=Red&keyword=missionpackage", "red.zip", &content);
    let name = |team: &str| {
        let answer = server.get(&format!("/Marti/sync/search?hash={hash}&team={team}"));
        answer.json()["results"][0]["Name"].as_str().unwrap().to_owned()
    };
    assert_eq!((name("Cyan").as_str(), name("Red").as_str()), ("x.zip", "red.zip"));
    assert_eq!(usage(server).contents, 1);
    // One of them deletes it, for itself.
    let delete = format!("/Marti/sync/delete?hash={hash}&team=Red&creatorUid=R");
    server.ask("DELETE", &delete, "", b"").expect(200);
    server.get(&format!("/Marti/sync/content?hash={hash}&team=Red")).expect(404);
    assert_download(server.get(&target), &content);
}

/// 404 and absent, by every way to it.
#[test]
fn k18_what_one_team_uploads_does_not_exist_for_another() {
    other_teams(&Setup::isolated().in_memory());
    other_teams(&Setup::isolated().on_disk());
}

/// 18: the receiver shares the team and not the name.
#[test]
fn k18_anyone_of_the_team_fetches_what_is_private() {
    let server = Server::isolated();
    let _alice = server.cot("ANDROID-A", "VIPER", "Cyan");
    let _bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let _eve = server.cot("ANDROID-E", "ECHO", "Red");
    let content = noise(501, 900);
    let hash = sha256(&content);
    publish(&server, "creatorUid=ANDROID-A", "x.zip", &content);
    let tool = format!("/Marti/api/sync/metadata/{hash}/tool?creatorUid=ANDROID-A");
    server.ask("PUT", &tool, "", b"private").expect(200);
    let path = format!("/Marti/sync/content?hash={hash}");
    assert_download(server.get(&format!("{path}&receiver=HAWK")), &content);
    server.get(&format!("{path}&receiver=ECHO")).expect(404);
}

/// What a team may see of another, it may fetch from it.
#[test]
fn k18_packages_cross_where_events_do() {
    let mut setup = Setup::isolated();
    setup.hub.teams.allow("Cyan -> Red".parse().unwrap());
    let server = setup.in_memory();
    let content = noise(502, 900);
    let hash = sha256(&content);
    publish(&server, "creatorUid=A&team=Cyan", "x.zip", &content);
    assert_download(server.get(&format!("/Marti/sync/content?hash={hash}&team=Red")), &content);
    server.get(&format!("/Marti/sync/content?hash={hash}&team=Blue")).expect(404);
    let back = noise(503, 900);
    publish(&server, "creatorUid=R&team=Red", "y.zip", &back);
    server.get(&format!("/Marti/sync/content?hash={}&team=Cyan", sha256(&back))).expect(404);
}

/// A group that the caller is not in gets nothing from the caller.
#[test]
fn k18_groups_are_only_for_their_members_to_name() {
    let server = Server::isolated();
    let content = noise(504, 900);
    let hash = sha256(&content);
    let body = form("assetfile", "x.zip", "b", &content);
    let target = "/Marti/sync/missionupload?filename=x.zip&creatorUid=A&team=Cyan&Groups=Red";
    let status = server.ask("POST", target, &form_type("b"), &body).status;
    assert!([200, 400, 403].contains(&status), "{status}");
    server.get(&format!("/Marti/sync/content?hash={hash}&team=Red")).expect(404);
    // Of two of one's own, one is enough, and then it is for that one.
    let content = noise(505, 900);
    let hash = sha256(&content);
    let target = "/Marti/sync/upload?name=x.zip&creatorUid=A&team=Cyan,Red&groups=Red";
    server.ask("POST", target, &format!("Content-Type: {ZIP}\r\n"), &content).expect(200);
    server.get(&format!("/Marti/sync/content?hash={hash}&team=Cyan")).expect(404);
    assert_download(server.get(&format!("/Marti/sync/content?hash={hash}&team=Red")), &content);
}
