//! Searches and rows: 16 of the checklist, A.7, A.11 and A.12.

use serde_json::json;
use store::packages::PackageStore;

use crate::shapes::{assert_row, assert_time, listed, noise, publish, search, sha256};
use crate::support::{Server, Setup};

/// Three packages and a file that is none.
fn fill<P: PackageStore>(server: &Server<P>) -> [String; 4] {
    let hashes = [70, 71, 72, 73].map(|seed| sha256(&noise(seed, 1_000)));
    let package = "keyword=missionpackage";
    publish(server, &format!("{package}&creatorUid=A"), "alpha.zip", &noise(70, 1_000));
    publish(
        server,
        &format!("{package}&keyword=blue&creatorUid=B"),
        "bravo.zip",
        &noise(71, 1_000),
    );
    publish(server, &format!("{package}&creatorUid=A"), "charlie.zip", &noise(72, 1_000));
    let target = "/Marti/sync/upload?name=photo.jpg&creatorUid=A&keywords=blue";
    server.ask("POST", target, "Content-Type: image/jpeg\r\n", &noise(73, 1_000)).expect(200);
    let tool = format!("/Marti/api/sync/metadata/{}/tool", hashes[2]);
    server.ask("PUT", &tool, "Content-Type: text/plain\r\n", b"private").expect(200);
    hashes
}

fn searches<P: PackageStore>(server: &Server<P>) {
    assert!(search(server, "keywords=missionpackage&tool=public").is_empty());
    let [alpha, bravo, charlie, photo] = fill(server);
    let sorted = |query: &str| {
        let mut hashes = listed(server, query);
        hashes.sort();
        hashes
    };
    let all = |hashes: &[&String]| {
        let mut hashes: Vec<_> = hashes.iter().map(|hash| (*hash).clone()).collect();
        hashes.sort();
        hashes
    };
    let package = "keywords=missionpackage";
    assert_eq!(sorted(&format!("{package}&tool=public")), all(&[&alpha, &bravo]));
    assert_eq!(sorted(&format!("{package}&tool=private")), all(&[&charlie]));
    let without_tool = sorted(package);
    assert!(without_tool.contains(&alpha) && without_tool.contains(&bravo));
    assert!(!without_tool.contains(&photo));
    // All keywords must match, in both forms of a list.
    assert_eq!(listed(server, "keywords=missionpackage&keywords=blue"), [bravo.as_str()]);
    assert_eq!(listed(server, "keywords=missionpackage,blue"), [bravo.as_str()]);
    assert!(listed(server, "keywords=missionpackage&keywords=none").is_empty());
    // A keyword is matched whole.
    assert!(listed(server, "keywords=mission").is_empty());
    assert_eq!(listed(server, "name=RAV"), [bravo.as_str()], "a part of the name is enough");
    assert_eq!(sorted("creatorUid=A&tool=public"), all(&[&alpha, &photo]));
    assert_eq!(listed(server, "mimetype=image/jpeg"), [photo.as_str()]);
    assert_eq!(listed(server, &format!("hash={}", alpha.to_uppercase())), [alpha.as_str()]);
    assert_eq!(listed(server, &format!("uid={bravo}")), [bravo.as_str()]);
    assert_eq!(listed(server, "filename=photo.jpg"), [photo.as_str()]);
    for row in search(server, "") {
        let name = row["Name"].as_str().unwrap().to_owned();
        let seed = match name.as_str() {
            "alpha.zip" => 70,
            "bravo.zip" => 71,
            "charlie.zip" => 72,
            _ => 73,
        };
        assert_row(&row, &name, &noise(seed, 1_000));
    }
    let key = search(server, "name=alpha")[0]["PrimaryKey"].as_str().unwrap().to_owned();
    assert_eq!(listed(server, &format!("primarykey={key}")), [alpha.as_str()]);
    // By time: everything is newer than 2001, and nothing is from before.
    assert_eq!(search(server, "starttime=2001-01-01T00:00:00.000Z&name=alpha").len(), 1);
    assert!(search(server, "stoptime=2001-01-01T00:00:00.000Z").is_empty());
}

/// 16.
#[test]
fn k16_a_search_lists_what_matches_and_nothing_else() {
    searches(&Server::open());
    searches(&Setup::open().on_disk());
}

/// 16: a value that cannot be read is the client's fault, or is ignored; never the server's.
#[test]
fn k16_a_search_with_nonsense_fails_nothing() {
    let server = Setup::open().on_disk();
    fill(&server);
    for query in [
        "primarykey=x",
        "starttime=yesterday",
        "bbox=1,2,3",
        "bbox=nan,nan,nan,nan",
        "circle=1",
        "minaltitude=high",
        "hash=xyz",
        "keywords=",
        "tool=",
        "name=%00",
        "name=%ff",
        "keywords=,,,",
        "limit=-1",
    ] {
        let answer = server.get(&format!("/Marti/sync/search?{query}"));
        assert!([200, 400].contains(&answer.status), "{query}: {}", answer.head);
    }
}

/// A.12: the twin in an envelope, with numbers as numbers.
#[test]
fn k16_the_twin_of_the_search_in_an_envelope() {
    let server = Server::open();
    let [alpha, ..] = fill(&server);
    let answer = server.get("/Marti/api/sync/search?name=alpha&keyword=missionpackage").expect(200);
    let json = answer.json();
    assert_eq!((&json["type"], &json["version"]), (&json!("Resource"), &json!("3")));
    assert_eq!(json["data"].as_array().unwrap().len(), 1);
    let row = &json["data"][0];
    for key in ["filename", "mimeType", "name", "uid", "hash", "tool"] {
        assert!(row[key].is_string(), "{key}: {row}");
    }
    // `submitter` is typed as a string by a client, and always there.
    assert!(row["submitter"].is_string(), "{row}");
    assert_eq!(row["hash"], alpha);
    assert_eq!(row["size"], 1_000);
    assert_eq!(row["expiration"], -1);
    assert_eq!(row["creatorUid"], "A");
    assert_eq!(row["keywords"], json!(["missionpackage"]));
    assert_time(&row["submissionTime"]);
    let by_hash = server.get(&format!("/Marti/api/resources/{alpha}")).expect(200).json();
    assert!(by_hash.to_string().contains(&row.to_string()), "{by_hash}");
    let none = server.get("/Marti/api/sync/search?name=nothing").expect(200).json();
    assert_eq!(none["data"], json!([]));
}

/// A.11: pages and order of the list of files.
#[test]
fn takaware_pages_through_the_list() {
    let server = Server::open();
    fill(&server);
    let names = |query: &str| -> Vec<String> {
        let json = server.get(&format!("/Marti/api/files/metadata?{query}")).expect(200).json();
        let rows = json["data"].as_array().unwrap();
        rows.iter().map(|row| row["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("").len(), 4);
    let packages = names("missionPackage=true");
    assert!(
        packages.contains(&"bravo.zip".to_owned()) && !packages.contains(&"photo.jpg".to_owned())
    );
    assert_eq!(names("name=bravo"), ["bravo.zip"]);
    let ordered = names("sort=name&ascending=true");
    assert_eq!(ordered, ["alpha.zip", "bravo.zip", "charlie.zip", "photo.jpg"]);
    // Every page is another part, and all pages are the whole.
    let mut pages: Vec<_> = [0, 1, 2, 3]
        .into_iter()
        .flat_map(|page| names(&format!("sort=name&ascending=true&limit=2&page={page}")))
        .collect();
    pages.dedup();
    assert!(pages.len() <= 4, "{pages:?}");
    let count = server.get("/Marti/api/files/metadata/count").expect(200).json();
    assert_eq!(count["data"], 4);
}
