//! Device profiles: 28 of the checklist.

use std::io::Cursor;

use data_package::{Limits, PackageBuilder, inspect};
use http::Method;
use store::packages::{Audience, PackageStore, Upload};

use crate::operator;
use crate::support::{Server, Setup};

const PATHS: [(&str, &str); 3] = [
    (
        "/Marti/api/device/profile/connection?syncSecago=86400&clientUid=ANDROID-A",
        "profile-connection",
    ),
    ("/Marti/api/device/profile/tool/maps?clientUid=ANDROID-A", "profile-tool-maps"),
    ("/Marti/api/tls/profile/enrollment?clientUid=ANDROID-A", "profile-enrollment"),
];

fn put<P: PackageStore>(
    server: &Server<P>,
    tool: &str,
    name: &str,
    audience: Audience,
    bytes: &[u8],
) {
    let mut upload = Upload::new(name, audience);
    upload.tool = tool.to_owned();
    server.run(server.packages.insert(upload, bytes)).unwrap();
}

fn package(name: &str) -> Vec<u8> {
    let mut builder = PackageBuilder::new(name);
    builder.add_reader("a.txt", name.as_bytes()).unwrap();
    let mut archive = Cursor::new(Vec::new());
    builder.write(&mut archive).unwrap();
    archive.into_inner()
}

/// 28: nothing to do is 204, whoever asks.
#[test]
fn k28_no_profile_is_no_content() {
    for server in [Server::open(), Server::isolated()] {
        for (path, _) in PATHS {
            let answer = server.get(path).expect(204);
            assert!(answer.body.is_empty());
        }
    }
}

/// 28: one package is given as it is, on disk too; several become one.
#[test]
fn k28_profiles_are_a_data_package() {
    let server = Setup::open().on_disk();
    for (path, tool) in PATHS {
        let one = package(tool);
        put(&server, tool, "one.zip", Audience::Everyone, &one);
        let answer = server.get(path).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/zip"));
        let disposition = answer.header("content-disposition");
        assert_eq!(disposition, Some("attachment; filename=\"profile.zip\""));
        assert_eq!(answer.body, one);

        let preferences = format!("<preferences/><!-- {tool} -->");
        put(&server, tool, "../x.pref", Audience::Everyone, preferences.as_bytes());
        let both = server.get(path).expect(200);
        let inside = inspect(Cursor::new(&both.body), &Limits::default()).unwrap();
        let names: Vec<_> = inside.manifest.as_ref().unwrap().contents.iter().collect();
        let names: Vec<_> = names.iter().map(|content| &*content.zip_entry).collect();
        assert_eq!(names, ["_x.pref", "one.zip"]);
        assert_eq!(inside.manifest.unwrap().parameter("onReceiveImport"), Some("true"));
        // The same again, as devices that connect later get it.
        assert_eq!(server.get(path).expect(200).body, both.body);
    }
    let rows = server.get("/Marti/api/device/profile").expect(200).json();
    assert_eq!(rows["data"].as_array().unwrap().len(), 4);
}

#[test]
fn profiles_are_for_teams_and_for_what_has_changed() {
    let server = Server::isolated();
    let (path, tool) = PATHS[0];
    put(&server, tool, "cyan.zip", Audience::groups(["Cyan"]), &package("cyan"));
    put(&server, tool, "red.zip", Audience::groups(["Red"]), &package("red"));
    put(&server, "public", "other.zip", Audience::Everyone, &package("other"));
    assert_eq!(server.get(&format!("{path}&team=Cyan")).expect(200).body, package("cyan"));
    assert_eq!(server.get(&format!("{path}&team=Red")).expect(200).body, package("red"));
    server.get(&format!("{path}&team=White")).expect(204);

    std::thread::sleep(std::time::Duration::from_millis(1100));
    let since = "/Marti/api/device/profile/connection?team=Cyan&syncSecago=";
    server.get(&format!("{since}1")).expect(204);
    for all in ["", "0", "-5", "nonsense", "9223372036854775807", "3600"] {
        server.get(&format!("{since}{all}")).expect(200);
    }
}

/// What is too large for every device is left out, and so is what cannot be read any more.
#[test]
fn what_cannot_be_given_is_left_out() {
    let server = Server::open();
    let (path, tool) = PATHS[0];
    put(&server, tool, "large.zip", Audience::Everyone, &vec![7; (16 << 20) + 1]);
    server.get(path).expect(204);
    put(&server, tool, "small.zip", Audience::Everyone, &package("small"));
    assert_eq!(server.get(path).expect(200).body, package("small"));
}

/// Devices take profiles unasked, so users cannot make one, and the operator can.
#[test]
fn only_the_operator_makes_a_profile() {
    let server = Server::open();
    let upload = "/Marti/sync/upload?name=evil.zip&keywords=missionpackage&creatorUid=ANDROID-A";
    let raw = "Content-Type: application/zip\r\n";
    server
        .ask("POST", &format!("{upload}&tool=profile-connection"), raw, &package("e"))
        .expect(403);
    let stored = server.ask("POST", upload, raw, &package("evil")).expect(200).json();
    let hash = stored["Hash"].as_str().unwrap();
    let target = format!("/Marti/api/sync/metadata/{hash}/tool");
    let answer = server.ask("PUT", &target, "Content-Type: text/plain\r\n", b"profile-connection");
    answer.expect(403);
    server.get(PATHS[0].0).expect(204);

    assert_eq!(operator(&server, Method::PUT, &target, "profile-connection").0, 200);
    assert_eq!(server.get(PATHS[0].0).expect(200).body, package("evil"));
}
