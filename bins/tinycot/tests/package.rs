//! `tinycot package`, on a data directory, with a running server, and with one that is a stub.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

#[path = "kill/http.rs"]
mod http;
#[path = "package/stub.rs"]
mod stub;
mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use data_package::{Limits, inspect};
use http::Http;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use store::packages::{PackagesConfig, SqlitePackages};
use stub::{Misbehaviour, Stub, sha256};
use support::{Server, position, run, stderr, stdout, tinycot, wait_until};
use tempfile::TempDir;

/// A data directory, and files to work with.
struct World {
    /// On the data directory, if there is one.
    server: Option<Server>,
    dir: TempDir,
    /// Where nobody listens, or a stub or a server does.
    admin: String,
}

impl World {
    fn new() -> Self {
        let world = Self { server: None, dir: TempDir::new().unwrap(), admin: nobody() };
        fs::create_dir(world.path("data")).unwrap();
        world
    }

    /// With a server that has the data directory.
    fn with(stub: &Stub) -> Self {
        let mut world = Self::new();
        world.admin = stub.addr.to_string();
        world.file("data/admin.token", "5eCret\n");
        world
    }

    /// With a real server that has the data directory.
    fn served(args: &[&str]) -> Self {
        let mut world = Self::new();
        let server = Server::with_data(&world.path("data"), args);
        world.admin = server.admin.to_string();
        world.server = Some(server);
        wait_until("packages are shared", || world.run(&["list"]).status.success());
        world
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = tinycot();
        command.arg("package").args(args).current_dir(self.dir.path());
        command.env("TINYCOT_DATA_DIR", "data").env("TINYCOT_ADMIN_LISTEN", &self.admin);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a command prints that has to succeed.
    fn printed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// A command that has to fail with this code, and this on standard error.
    fn fails(&self, args: &[&str], code: i32, why: &str) {
        let output = self.run(args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(why), "{args:?}: {why}\n{text}");
    }

    /// Adds something, and gives its hash.
    fn add(&self, args: &[&str]) -> String {
        let printed = self.printed(&[&["add"], args].concat());
        let hash = printed.split(' ').next().unwrap().to_owned();
        assert_eq!(hash.len(), 64, "{printed}");
        hash
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let name =
            |item: std::io::Result<fs::DirEntry>| item.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(self.path(dir)).unwrap().map(name).collect();
        names.sort();
        names
    }
}

/// An address of this machine where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The same with a data directory, with a server and with a stub of one.
fn everywhere(test: impl Fn(&World)) {
    test(&World::new());
    test(&World::served(&[]));
    let stub = Stub::start();
    test(&World::with(&stub));
    assert!(!World::with(&stub).path("data/packages").exists());
}

#[test]
fn a_folder_is_added_listed_shown_fetched_and_removed() {
    everywhere(|world| {
        world.file("recon/maps/north.kml", "<kml/>");
        world.file("recon/notes.txt", "two vehicles");
        let hash = world.add(&["recon", "--team", "Cyan", "--team", "Red", "--keyword", "bridge"]);
        let again = world.add(&["recon/", "--team", "Red", "--team", "Cyan"]);
        assert_eq!(again, hash, "the same folder is the same package");

        let list = world.printed(&["list"]);
        let lines: Vec<_> = list.lines().collect();
        assert!(lines[0].starts_with("HASH          NAME       "), "{list}");
        assert!(lines[1].starts_with(&format!("{}  recon.zip  ", &hash[..12])), "{list}");
        assert!(lines.last().unwrap().starts_with("1 package, "), "{list}");

        let shown = world.printed(&["show", &hash[..6].to_uppercase()]);
        for line in [
            &format!("  hash             {hash}"),
            "  name             recon.zip",
            "  tool             public",
            "  expires          never",
            "  onReceiveImport  true",
            "3 entries, ",
            "         6 B  maps/north.kml",
        ] {
            assert!(shown.lines().any(|found| found.starts_with(line)), "{line}\n{shown}");
        }
        assert!(!shown.contains("warning"), "{shown}");

        world.printed(&["get", &hash[..10]]);
        let bytes = fs::read(world.path("recon.zip")).unwrap();
        assert_eq!(sha256(&bytes), hash);
        let found =
            inspect(File::open(world.path("recon.zip")).unwrap(), &Limits::default()).unwrap();
        assert_eq!(found.manifest.unwrap().name(), Some("recon"));
        world.fails(&["get", &hash], 74, "recon.zip: there is a file already");
        world.file("recon.zip", "old");
        world.printed(&["get", &hash, "--force"]);
        assert_eq!(fs::read(world.path("recon.zip")).unwrap(), bytes);
        world.printed(&["get", &hash, "--out", "recon"]);
        assert_eq!(fs::read(world.path("recon/recon.zip")).unwrap(), bytes);

        // A data package is taken as it is.
        assert_eq!(world.add(&["recon.zip", "--name", "Again"]), hash);
        assert!(world.printed(&["list"]).contains("  Again.zip  "));

        let removed = world.printed(&["rm", &hash[..8]]);
        let entries = "in 2 entries: Again.zip for everyone; recon.zip for Cyan, Red";
        assert_eq!(removed, format!("{} is removed {entries}\n", &hash[..12]));
        world.fails(&["rm", &hash[..8]], 1, "there is no package");
        assert_eq!(world.printed(&["list"]).lines().last(), Some("0 packages, 0 B"));
    });
}

#[test]
fn a_file_becomes_a_package_with_its_description() {
    everywhere(|world| {
        world.file("plan.pdf", "%PDF");
        let args = ["plan.pdf", "--tool", "private", "--expires", "7d", "--keyword", "plan"];
        let hash = world.add(&[&args[..], &["--name", "Night & day"]].concat());
        let json = world.printed(&["list", "--json", "--name", "NIGHT"]);
        let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
        let row = &rows[0];
        assert_eq!(row["hash"], hash);
        assert_eq!(row["name"], "Night & day.zip");
        assert_eq!(row["tool"], "private");
        assert_eq!(row["keywords"], serde_json::json!(["missionpackage", "plan"]));
        let seconds = row["expiration"].as_i64().unwrap() - now_seconds();
        assert!((604_000..=604_800).contains(&seconds), "{seconds}");
        assert_eq!(world.printed(&["list", "--json", "--name", "day%"]), "[]\n");

        world.file("flat.zip", "PK: not looked into");
        let hash = world.add(&["flat.zip", "--as-is"]);
        assert_eq!(hash, sha256(b"PK: not looked into"));
        assert!(world.printed(&["show", &hash]).contains("no zip archive"));
    });
}

#[test]
fn what_cannot_be_added_is_told() {
    everywhere(|world| {
        world.fails(&["add", "nowhere"], 74, "nowhere cannot be read");
        fs::create_dir_all(world.path("empty")).unwrap();
        world.fails(&["add", "empty"], 74, "cause: there are no files to put into it");
        world.file("bad/MANIFEST/manifest.xml", "<x/>");
        world.file("bad/a", "1");
        world.fails(&["add", "bad"], 74, "it is no `MissionPackageManifest`");
        world.fails(&["add", "bad/a", "--team", "A,B"], 64, "without commas");
        world.file("nothing", "");
        world.fails(&["add", "nothing"], 74, "nothing: the file is empty");
        world.fails(&["add", "nothing", "--as-is"], 74, "nothing: the file is empty");
        for tool in ["profile", "profile-", "profile-tool-", "Public", ""] {
            world.fails(&["add", "bad/a", "--tool", tool], 64, "profile-tool-NAME");
        }
        world.fails(&["add", "bad/a", "--expires", "soon"], 64, "give a time such as");
        world.fails(&["add", "bad/a", "--expires", "0s"], 64, "give a time above zero");
        world.fails(&["add", "bad/a", "--name", " "], 64, "give a name");
        world.fails(&["add", "bad/a", "--keyword", " "], 64, "give a word");
        world.fails(&["show", "12345"], 64, "`12345` is no hash");
        world.fails(&["rm", "../../etc"], 64, "is no hash");
        world.fails(&["get", "abcdef"], 1, "there is no package abcdef");
    });
}

#[test]
fn export_writes_each_package_once_under_a_safe_name() {
    everywhere(|world| {
        let mut hashes = Vec::new();
        for (content, name) in [("1", "a"), ("2", "A"), ("3", "../../up"), ("4", "con")] {
            let file = world.file(&format!("files/{content}"), content);
            hashes.push(world.add(&[&file, "--name", name]));
        }
        let printed = world.printed(&["export", "out/all"]);
        assert_eq!(printed, "4 packages written to out/all, 0 were there\n");
        let mut expected = vec![
            format!("A-{}.zip", &hashes[1][..8]),
            format!("a-{}.zip", &hashes[0][..8]),
            "_._.._up.zip".to_owned(),
            "_con.zip".to_owned(),
        ];
        expected.sort();
        assert_eq!(world.names("out/all"), expected);
        assert_eq!(sha256(&fs::read(world.path("out/all/_con.zip")).unwrap()), hashes[3]);

        let printed = world.printed(&["export", "out/all"]);
        assert_eq!(printed, "0 packages written to out/all, 4 were there\n");
        fs::write(world.path("out/all/_con.zip"), "mine").unwrap();
        world.fails(&["export", "out/all"], 74, "1 of 4 packages were not written");
        assert_eq!(fs::read(world.path("out/all/_con.zip")).unwrap(), b"mine");
        world.printed(&["export", "out/all", "--force"]);
        assert_eq!(world.names("out/all"), expected);
    });
}

/// An operator sees for whom each package is, and may take it from one team alone.
#[test]
fn every_audience_of_a_content_is_listed_shown_and_removed() {
    everywhere(|world| {
        world.file("a", "1");
        let add = |args: &[&str]| world.add(&[&["a", "--as-is"], args].concat());
        let hash = add(&["--team", "Cyan", "--name", "for cyan", "--tool", "private"]);
        add(&["--team", "Blue", "--team", "Red", "--name", "for two"]);
        add(&["--name", "for all"]);
        let audiences = || -> Vec<(String, String)> {
            let list = world.printed(&["list"]);
            let text = |row: &serde_json::Value| row["name"].as_str().unwrap().to_owned();
            let json = world.printed(&["list", "--json"]);
            let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
            rows.iter().for_each(|row| assert!(list.contains(&text(row)), "{list}"));
            rows.iter().map(|row| (text(row), row["groups"].to_string())).collect()
        };
        let entry = |name: &str, groups: &str| (name.to_owned(), groups.to_owned());
        let mut all = vec![
            entry("for all", "null"),
            entry("for two", r#"["Blue","Red"]"#),
            entry("for cyan", r#"["Cyan"]"#),
        ];
        assert_eq!(audiences(), all);
        let list = world.printed(&["list"]);
        assert!(list.ends_with("1 package in 3 entries, 1 B\n"), "{list}");
        // What a team has of it remains what it is, although another entry is newer.
        add(&["--team", "Cyan", "--name", "for cyan"]);
        let json = world.printed(&["list", "--json", "--name", "for cyan"]);
        assert!(json.contains(r#""tool": "private""#), "{json}");

        let shown = world.printed(&["show", &hash]);
        for line in ["entry 3 of 3", "  for              everyone", "  for              Cyan"] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
        assert_eq!(world.printed(&["export", "out"]), "1 package written to out, 0 were there\n");

        world.fails(&["rm", &hash, "--team", "Red"], 64, "is not for Red alone, but for ");
        world.fails(&["rm", &hash, "--team", ""], 64, "is not for (no team) alone, but for ");
        let removed = world.printed(&["rm", &hash, "--team", "Blue", "--team", "Red"]);
        assert!(
            removed.starts_with(&format!("{} is removed: for two for ", &hash[..12])),
            "{removed}"
        );
        all.remove(1);
        all.reverse();
        assert_eq!(audiences(), all);
        world.fails(&["rm", &hash, "--everyone", "--team", "Cyan"], 64, "cannot be used with");
        let removed = world.printed(&["rm", &hash, "--everyone"]);
        assert_eq!(removed, format!("{} is removed: for all for everyone\n", &hash[..12]));
        assert_eq!(audiences(), all[..1]);
        world.fails(&["rm", &hash, "--everyone"], 64, "is not for everyone, but for Cyan; ");
        assert_eq!(audiences(), all[..1]);
        add(&["--name", "for all"]);
        let removed = world.printed(&["rm", &hash]);
        assert!(
            removed.ends_with("in 2 entries: for all for everyone; for cyan for Cyan\n"),
            "{removed}"
        );
        assert_eq!(audiences(), []);
    });
}

/// What is damaged is named, and the rest is exported.
#[test]
fn what_is_damaged_is_listed_and_left_out_of_an_export() {
    let damaged = |world: &World| {
        let hash = sha256(b"PK: bad");
        let list = world.printed(&["list"]);
        let line = list.lines().find(|line| line.contains("bad.zip")).unwrap();
        assert!(line.starts_with(&hash[..12]) && line.ends_with("  DAMAGED"), "{list}");
        assert!(list.ends_with("2 packages, 15 B, 1 damaged\n"), "{list}");
        let output = world.run(&["export", "out"]);
        assert_eq!(output.status.code(), Some(74));
        assert_eq!(stdout(&output), "1 package written to out, 0 were there\n");
        let told = stderr(&output);
        let line = format!("tinycot: {hash} bad.zip: the content is damaged; add the same file");
        assert!(told.lines().any(|found| found.starts_with(&line)), "{told}");
        assert!(told.contains("1 of 2 packages were not written"), "{told}");
        assert_eq!(world.names("out"), ["good.zip"]);
        assert!(world.printed(&["show", &hash]).contains("warning: the content is damaged"));
        let code = if world.server.is_some() { 1 } else { 74 };
        world.fails(&["get", &hash, "--out", "x"], code, "is damaged");
        world.printed(&["rm", &hash[..7]]);
        assert!(world.printed(&["list"]).ends_with("1 package, 8 B\n"));
    };
    let prepare = |world: &World| {
        for (name, content) in [("good.zip", "PK: good"), ("bad.zip", "PK: bad")] {
            world.file(name, content);
            world.add(&[name, "--as-is"]);
        }
        let blob = blobs(&world.path("data/packages/blobs"))
            .into_iter()
            .find(|path| fs::read(path).unwrap() == b"PK: bad");
        blob.unwrap()
    };
    let world = World::new();
    fs::write(prepare(&world), "PK").unwrap();
    damaged(&world);
    let world = World::served(&[]);
    fs::write(prepare(&world), "PK").unwrap();
    // It is found out when somebody wants it.
    world.fails(&["get", &sha256(b"PK: bad"), "--out", "x"], 1, "is damaged");
    damaged(&world);
}

/// A team that nobody knows is taken, but not without a word.
#[test]
fn a_team_that_is_probably_not_meant_is_told() {
    everywhere(|world| {
        world.file("a", "1");
        let told = |teams: &[&str]| {
            let mut args = vec!["add", "a", "--as-is"];
            args.extend(teams.iter().flat_map(|team| ["--team", team]));
            let output = world.run(&args);
            assert!(output.status.success(), "{}", stderr(&output));
            stderr(&output)
        };
        assert_eq!(told(&["Cyan", "Dark Blue"]), "");
        let warning = "tinycot: warning: no team is called cyan; did you mean Cyan?\n";
        assert_eq!(told(&["cyan", "Red"]), warning);
        assert_eq!(told(&["cyan"]), "", "packages are for it");
        assert!(told(&["Fire Brigade"]).contains("no colour of ATAK either"));
    });
    let world = World::served(&[]);
    let [mut hawk, mut eagle] = world.server().pair();
    hawk.send(&position("H", "HAWK").replace("Cyan", "Rescue"));
    eagle.expect("uid=\"H\"");
    world.file("a", "1");
    let output = world.run(&["add", "a", "--as-is", "--team", "Rescue"]);
    assert_eq!(stderr(&output), "", "somebody is in it");
    let output = world.run(&["add", "a", "--as-is", "--team", "rescu"]);
    assert!(stderr(&output).contains("did you mean Rescue?"), "{}", stderr(&output));
}

/// What was asked and shared is counted, for people and for programs.
#[test]
fn stats_count_http_and_packages() {
    let world = World::served(&[]);
    world.file("a", "1");
    let hash = world.add(&["a", "--as-is"]);
    world.add(&["a", "--as-is", "--team", "Cyan"]);
    world.printed(&["get", &hash, "--out", "x"]);
    let wrong = format!("/Marti/sync/upload?name=x&hash={}", "0".repeat(64));
    let refused = Http::new(world.server().http).ask("POST", &wrong, "text/plain", b"2").unwrap();
    assert_eq!(refused.status, 422);
    let path = format!("/Marti/sync/content?hash={hash}");
    assert_eq!(Http::new(world.server().http).ask("GET", &path, "", &[]).unwrap().body, b"1");
    wait_until("both downloads are counted", || {
        world.server().json("/api/stats")["packages"]["sent_bytes"] == 2
    });
    let metrics = world.server().get("/metrics").1;
    assert!(metrics.contains("\ntinycot_package_sent_bytes_total 2\n"), "{metrics}");
    let stats = world.server().json("/api/stats");
    let packages = &stats["packages"];
    for (counter, expected) in
        [("packages", 1), ("entries", 2), ("bytes", 1), ("damaged", 0), ("uploads_completed", 2)]
    {
        assert_eq!(packages[counter], expected, "{counter}: {packages}");
    }
    assert_eq!(packages["downloads"], 2, "{packages}");
    assert_eq!(packages["uploads_failed"], serde_json::json!({ "mismatch": 1 }));
    let http = &stats["http"];
    assert_eq!(http["answers"]["client_error"], 1, "{http}");
    assert!(http["answers"]["success"].as_u64() >= Some(4), "{http}");
    assert!(http["connections_accepted"].as_u64() >= Some(1), "{http}");

    let output = run(&["stats", "--admin", &world.admin]);
    let text = stdout(&output);
    for line in
        ["packages  1", "package bytes  1", "download bytes  2", "uploads failed  1 (mismatch 1)"]
    {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.lines().any(|found| words(found) == words(line)), "{line}\n{text}");
    }
    assert!(text.contains("http answers ") && text.contains("(client_error 1, success "), "{text}");
    let off = Server::with(&["--http-listen", "off"]);
    assert_eq!(off.json("/api/stats")["packages"], serde_json::Value::Null);
    assert!(!stdout(&run(&["stats", "--admin", &off.admin.to_string()])).contains("http"));
}

/// All files below a folder.
fn blobs(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(blobs(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_beginning_of_two_hashes_is_ambiguous() {
    let stub = Stub::start();
    let world = World::with(&stub);
    stub.insert("one.zip", &format!("abcdef0{}", "1".repeat(57)), b"");
    stub.insert("two.zip", &format!("abcdef0{}", "2".repeat(57)), b"");
    world.fails(&["rm", "abcdef"], 64, "abcdef022222 (two.zip), abcdef011111 (one.zip)");
    world.fails(&["rm", "abcdef01", "abcdef"], 64, "ambiguous");
    assert_eq!(world.printed(&["list"]).lines().last(), Some("2 packages, 0 B"));
    world.printed(&["rm", "abcdef01", "abcdef02"]);
}

#[test]
fn a_long_list_is_read_to_its_end() {
    let stub = Stub::start();
    let world = World::with(&stub);
    for i in 0..2345 {
        stub.insert("x.zip", &format!("{i:064x}"), b"");
    }
    assert_eq!(world.printed(&["list"]).lines().last(), Some("2345 packages, 0 B"));
}

#[test]
fn push_sends_a_package_or_a_file() {
    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("map.kml", "<kml/>");
    let printed = world.printed(&["push", "map.kml", "--to", "HAWK", "--to", "EAGLE 1"]);
    let lines: Vec<_> = printed.lines().collect();
    let hash = &lines[0][..64];
    assert_eq!(lines[1..], ["sent to HAWK", "EAGLE 1 is away, and gets it on their return"]);
    let json: serde_json::Value =
        serde_json::from_str(&world.printed(&["list", "--json"])).unwrap();
    assert_eq!(json[0]["tool"], "private");
    assert_eq!(world.printed(&["push", &hash[..7], "--to", "HAWK"]), "sent to HAWK\n");
    assert_eq!(
        stub.pushed(),
        [
            (hash.to_owned(), "HAWK".to_owned()),
            (hash.to_owned(), "EAGLE 1".to_owned()),
            (hash.to_owned(), "HAWK".to_owned())
        ]
    );
    world.fails(
        &["push", hash, "--to", "NOBODY"],
        1,
        "nobody called NOBODY has been here (status 404)",
    );
    world.fails(&["push", hash], 64, "--to <CALLSIGN>");

    let alone = World::new();
    alone.file("map.kml", "<kml/>");
    alone.fails(&["push", "map.kml", "--to", "HAWK"], 69, "sending needs a running server");
    assert_eq!(alone.printed(&["list"]).lines().last(), Some("0 packages, 0 B"));
}

#[test]
fn a_push_that_fails_for_one_is_tried_for_the_others() {
    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("map.kml", "<kml/>");
    world.fails(&["push", "map.kml", "--to", "NOBODY"], 1, "nobody called NOBODY has been here");
    assert_eq!(world.printed(&["list"]).lines().last(), Some("0 packages, 0 B"));

    let args = ["push", "map.kml", "--to", "NOBODY", "--to", "FULL", "--to", "HAWK"];
    let output = world.run(&args);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).ends_with("\nsent to HAWK\n"), "{}", stdout(&output));
    let told = stderr(&output);
    for text in ["NOBODY: ", "FULL: the server could neither", "2 of 3 contacts were not told"] {
        assert!(told.contains(text), "{text}: {told}");
    }
}

#[test]
fn push_takes_a_name_and_nothing_that_has_no_effect() {
    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("recon/notes.txt", "two vehicles");
    let hash = world.add(&["recon/"]);
    assert_eq!(world.printed(&["push", "recon.zip", "--to", "HAWK"]), "sent to HAWK\n");
    assert_eq!(stub.pushed(), [(hash.clone(), "HAWK".to_owned())]);

    for what in ["recon.zi", "abcdef", "no/where.kml"] {
        let why = format!("{what}: no such file, and no package of that name or hash");
        world.fails(&["push", what, "--to", "HAWK"], 1, &why);
    }
    stub.insert("recon.zip", &"ab".repeat(32), b"PK");
    world.fails(&["push", "recon.zip", "--to", "HAWK"], 64, "several packages are called");
    let options = [["--name", "x"], ["--team", "x"], ["--keyword", "x"], ["--expires", "1d"]];
    for option in options {
        let args = [&["push", &hash, "--to", "HAWK"], &option[..]].concat();
        world.fails(&args, 64, "have no effect on a package that is there");
    }
}

/// Isolated teams: a file goes to the team of who gets it, and what is shared stays as it is.
#[test]
fn push_shares_with_no_more_than_those_it_is_for() {
    let world = World::served(&["--team-policy", "isolated"]);
    let hawk = world.server().client();
    let mut hawk = hawk;
    hawk.send(&position("H", "HAWK"));
    wait_until("HAWK is here", || {
        let contacts = world.server().json("/api/contacts");
        contacts.as_array().unwrap().iter().any(|contact| contact["uid"] == "H")
    });
    let contacts = world.server().json("/api/contacts");
    let team = contacts[0]["team"].as_str().unwrap().to_owned();
    let rows = || -> serde_json::Value {
        serde_json::from_str(&world.printed(&["list", "--json"])).unwrap()
    };

    world.file("map.kml", "<kml/>");
    world.fails(&["push", "map.kml", "--to", "NOBODY"], 1, "nobody called NOBODY has been here");
    assert_eq!(rows(), serde_json::json!([]));
    let printed = world.printed(&["push", "map.kml", "--to", "HAWK"]);
    assert!(printed.contains(&format!(", for {team}\nsent to HAWK\n")), "{printed}");
    assert_eq!(rows()[0]["groups"], serde_json::json!([team]));
    assert_eq!(rows()[0]["tool"], "private");

    // What lists show remains in them.
    world.file("plan.pdf", "%PDF");
    let plan = world.add(&["plan.pdf"]);
    let printed = world.printed(&["push", "plan.pdf", "--to", "HAWK"]);
    assert_eq!(printed.lines().next().unwrap().split(' ').next(), Some(plan.as_str()));
    assert!(printed.contains("there already\nsent to HAWK\n"), "{printed}");
    assert_eq!(rows()[0]["tool"], "public");
    assert_eq!(rows()[0].get("groups"), None);

    // What is for another team stays theirs, and gets another entry.
    world.file("other.txt", "for others");
    let other = world.add(&["other.txt", "--team", "Elsewhere"]);
    world.fails(&["push", &other, "--to", "HAWK"], 1, "not for the team of HAWK (status 409)");
    world.printed(&["push", "other.txt", "--to", "HAWK"]);
    let path = format!("/Marti/sync/search?hash={other}&team=Elsewhere");
    let answer = Http::new(world.server().http).ask("GET", &path, "", &[]).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(found["results"][0]["Tool"], "public", "{found}");
}

/// A team that does not reach somebody is told of before anything is uploaded for it.
#[test]
fn push_uploads_nothing_that_the_addressee_could_not_have() {
    let world = World::served(&["--team-policy", "isolated", "--allow", "Red -> HQ"]);
    let member = |callsign: &str, team: &str| {
        let mut client = world.server().client();
        client.send(&position(callsign, callsign).replace("\"Cyan\"", &format!("\"{team}\"")));
        wait_until("somebody is here", || {
            let contacts = world.server().json("/api/contacts");
            let is_here =
                |contact: &serde_json::Value| contact["uid"] == callsign && contact["team"] == team;
            contacts.as_array().unwrap().iter().any(is_here)
        });
        client
    };
    let mut blue = member("BLUE 1", "Dark Blue");
    let mut chief = member("CHIEF", "HQ");
    let _none = member("NONE", "");
    let is_nothing_there = || {
        assert_eq!(world.printed(&["list", "--json"]), "[]\n");
        let stats = world.server().json("/api/stats");
        assert_eq!(stats["packages"]["received_bytes"], 0);
    };

    world.file("map.kml", "<kml/>");
    let push = ["push", "map.kml", "--team", "Red", "--to"];
    let to = |all: &[&'static str]| [&push[..], all].concat();
    let why = "BLUE 1 is in Dark Blue, and what is for Red is not for them; add --team 'Dark Blue'";
    world.fails(&to(&["BLUE 1"]), 64, why);
    world.fails(&to(&["BLUE 1", "--team", "Cyan"]), 64, "what is for Red, Cyan is not for them");
    world.fails(&to(&["NONE"]), 64, "NONE is in no team; upload the file for everyone");
    world.fails(&["push", "map.kml", "--to", "NONE"], 64, "NONE is in no team");
    let output = world.run(&to(&["BLUE 1", "--to", "NONE"]));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    for text in [why, "NONE: NONE is in no team", "2 of 2 contacts were not told"] {
        assert!(told.contains(text), "{text}: {told}");
    }
    is_nothing_there();

    // By the rule, what is for Red is for HQ, too.
    let output = world.run(&to(&["BLUE 1", "--to", "CHIEF"]));
    assert_eq!(output.status.code(), Some(1));
    let printed = stdout(&output);
    assert!(printed.ends_with(", for Red\nsent to CHIEF\n"), "{printed}");
    let told = stderr(&output);
    for text in [why, "1 of 2 contacts were not told"] {
        assert!(told.contains(text), "{text}: {told}");
    }
    chief.expect("b-f-t-r");

    // What helps is what was said.
    let printed = world.printed(&to(&["BLUE 1", "--team", "Dark Blue"]));
    assert!(printed.ends_with(", for Red, Dark Blue\nsent to BLUE 1\n"), "{printed}");
    blue.expect("b-f-t-r");
    world.add(&["map.kml"]);
    let printed = world.printed(&to(&["NONE"]));
    assert!(printed.ends_with("there already\nsent to NONE\n"), "{printed}");
}

#[test]
fn push_waits_for_who_is_away() {
    let world = World::served(&[]);
    let [mut hawk, mut eagle] = world.server().pair();
    hawk.send(&position("H", "HAWK"));
    eagle.expect("uid=\"H\"");
    world.file("map.kml", "<kml/>");
    drop(hawk);
    wait_until("HAWK is away", || {
        let printed = world.printed(&["push", "map.kml", "--to", "HAWK"]);
        printed.ends_with("HAWK is away, and gets it on their return\n")
    });
    let mut hawk = world.server().client();
    hawk.send(&position("H", "HAWK"));
    for text in ["b-f-t-r", &format!("http://{}/Marti/sync/", world.server().http)] {
        hawk.expect(text);
    }
}

#[test]
fn a_profile_is_made_with_add_and_remains_one() {
    everywhere(|world| {
        world.file("defaults.pref", "<preferences/>");
        let add = |args: &[&str]| world.add(&[&["defaults.pref", "--as-is"], args].concat());
        let tool = || {
            let json = world.printed(&["list", "--json"]);
            let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
            rows[0]["tool"].as_str().unwrap().to_owned()
        };
        for named in ["profile-connection", "profile-enrollment", "profile-tool-a b&c", "private"] {
            add(&["--tool", named]);
            assert_eq!(tool(), named);
            add(&[]);
            assert_eq!(tool(), named);
        }
        add(&["--tool", "public"]);
        assert_eq!(tool(), "public");
    });
}

#[test]
fn get_prints_a_package_and_rm_takes_it_once() {
    everywhere(|world| {
        world.file("a", b"PK\0\xff");
        let hash = world.add(&["a", "--as-is"]);
        let output = world.run(&["get", &hash, "--out", "-"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(output.stdout, b"PK\0\xff");
        assert_eq!(world.printed(&["export", "out"]), "1 package written to out, 0 were there\n");
        assert_eq!(world.printed(&["export", "out"]), "0 packages written to out, 1 was there\n");
        fs::write(world.path("out/a"), "mine").unwrap();
        let told = stderr(&world.run(&["export", "out"]));
        assert!(told.contains("replace it with --force") && !told.contains("--out"), "{told}");
        fs::remove_file(world.path("out/a")).unwrap();
        fs::create_dir(world.path("out/a")).unwrap();
        let get = ["get", &hash, "--out", "out", "--force"];
        world.fails(&get, 74, "what is there is no file, and is not replaced");
        let get = ["get", &hash, "--out", "missing/"];
        world.fails(&get, 74, "there is no such folder");
        let printed = world.printed(&["rm", &hash, &hash[..9]]);
        assert_eq!(printed.lines().count(), 1, "{printed}");
    });
}

#[test]
fn push_reaches_who_is_here() {
    let world = World::served(&[]);
    let [mut hawk, mut eagle] = world.server().pair();
    hawk.send(&position("H", "HAWK"));
    eagle.expect("uid=\"H\"");
    eagle.send(&position("E", "EAGLE 1"));
    hawk.expect("uid=\"E\"");

    world.file("map.kml", "<kml/>");
    let to = ["--to", "HAWK", "--to", "EAGLE 1", "--to", "E", "--to", "HAWK"];
    let printed = world.printed(&[&["push", "map.kml"], &to[..]].concat());
    let lines: Vec<_> = printed.lines().collect();
    let hash = &lines[0][..64];
    assert_eq!(lines[1..], ["sent to HAWK", "sent to EAGLE 1"], "everyone once");
    world.fails(&["push", hash, "--to", "NOBODY"], 1, "(status 404)");
    for client in [&mut hawk, &mut eagle] {
        for text in ["b-f-t-r", hash, &format!("http://{}/Marti/sync/", world.server().http)] {
            client.expect(text);
        }
    }
    let path = format!("/Marti/sync/content?hash={hash}");
    let answer = Http::new(world.server().http).ask("GET", &path, "", &[]).unwrap();
    assert_eq!((answer.status, sha256(&answer.body).as_str()), (200, hash));
}

/// The server that sends is one sender in a dump, however much it sends.
#[test]
fn pushes_are_recorded_as_of_one_sender() {
    let world = World::served(&["--dump"]);
    let [mut hawk, mut eagle] = world.server().pair();
    hawk.send(&position("H", "HAWK"));
    eagle.expect("uid=\"H\"");
    world.file("map.kml", "<kml/>");
    for _ in 0..3 {
        world.printed(&["push", "map.kml", "--to", "HAWK"]);
    }
    wait_until("all is recorded", || {
        let output =
            run(&["dump", "stats", "--json", "--data-dir", world.path("data").to_str().unwrap()]);
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let senders = stats["senders"].as_array().cloned().unwrap_or_default();
        let mut counts: Vec<_> =
            senders.iter().map(|sender| sender["events"].as_u64().unwrap()).collect();
        counts.sort_unstable();
        counts == [1, 3]
    });
}

#[test]
fn what_devices_upload_and_see_is_what_the_operator_does() {
    let world = World::served(&["--max-upload", "1MiB"]);
    let mut http = Http::new(world.server().http);
    let upload = "/Marti/sync/upload?name=FM05.zip&CreatorUid=I&keywords=missionpackage";
    let answer = http.ask("POST", upload, "application/x-zip-compressed", b"PK").unwrap();
    assert_eq!(answer.status, 200);
    let list = world.printed(&["list"]);
    assert!(list.contains("FM05.zip"), "{list}");
    world.printed(&["get", &sha256(b"PK")]);
    assert_eq!(fs::read(world.path("FM05.zip")).unwrap(), b"PK");

    // What is private is not listed, but it is there for those who are told of it.
    world.file("a", "1");
    world.file("b", "2");
    world.add(&["a", "--as-is", "--name", "a"]);
    let private = world.add(&["b", "--as-is", "--name", "b", "--tool", "private"]);
    let search = "/Marti/sync/search?keywords=missionpackage&tool=public";
    let found = http.ask("GET", search, "", &[]).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&found.body).unwrap();
    let rows = found["results"].as_array().unwrap().iter();
    let mut names: Vec<_> = rows.map(|row| row["Name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["FM05.zip", "a"]);
    let path = format!("/Marti/sync/content?hash={private}");
    assert_eq!(http.ask("GET", &path, "", &[]).unwrap().body, b"2");

    world.printed(&["rm", &private, &sha256(b"PK")]);
    assert_eq!(http.ask("GET", &path, "", &[]).unwrap().status, 404);
    world.file("large", vec![7; 1_100_000]);
    world.fails(&["add", "large", "--as-is"], 1, "(status 413)");
    // Devices have no token, and the operator's listener takes nothing without it.
    world.fails(&["list", "--token-file", "a"], 1, "does not take the token in a");
    let mut admin = Http::new(world.server().admin);
    assert_eq!(admin.ask("GET", "/Marti/sync/search", "", &[]).unwrap().status, 401);
}

/// Who has no room is told of the setting, and so is the operator by the log.
#[test]
fn want_of_room_is_told_with_the_setting_to_change() {
    for (args, setting) in [
        (["--packages-free", "1024GiB"], " MiB too little: its operator has to make room"),
        (["--packages-total", "1KiB"], "`packages_total`"),
        (["--packages-owner-total", "1KiB"], "`packages_owner_total`"),
    ] {
        let mut world = World::served(&args);
        world.file("a", vec![7; 2000]);
        let told = stderr(&world.run(&["add", "a", "--as-is"]));
        assert!(told.contains("(status 507)") && told.contains(setting), "{told}");
        let setting = format!("`{}`", args[0].trim_start_matches('-').replace('-', "_"));
        assert!(told.contains(&setting), "{setting}: {told}");
        let lines = BufReader::new(world.server.as_mut().unwrap().log()).lines();
        let is_told = |line: &String| line.contains("upload was refused: remove packages");
        let line = lines.map(Result::unwrap).find(is_told).unwrap();
        assert!(line.contains(&setting), "{line}");
    }
    let world = World::served(&["--max-upload", "1KiB"]);
    world.file("a", vec![7; 2000]);
    world.fails(&["add", "a", "--as-is"], 1, "(`max_upload`)");
    let world = World::new();
    File::create(world.path("a")).unwrap().set_len(401 << 20).unwrap();
    let told = "without a server, the limits are those that its settings have by default";
    world.fails(&["add", "a", "--as-is", "--tool", "public"], 74, told);
    world.fails(&["add", "a", "--as-is", "--tool", "public"], 74, "(`max_upload`)");
}

#[test]
fn who_cannot_be_asked_is_named() {
    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("data/admin.token", "wrong");
    let admin = world.admin.as_str();
    world.fails(&["list", "--admin", admin], 1, "does not take the token in data/admin.token");
    world.fails(&["list", "--token-file", "nowhere"], 74, "nowhere: the token of the server");
    let right = world.file("right", "5eCret");
    world.printed(&["list", "--token-file", &right]);
    let gone = nobody();
    world.fails(&["list", "--admin", &gone], 69, &format!("no server answers on {gone}"));
    let server = Server::start();
    for other in [server.http.to_string(), server.cot.to_string()] {
        world.fails(
            &["list", "--admin", &other],
            1,
            "is not the admin address of a TinyCoT server",
        );
    }
    world.fails(&["list", "--admin", "8088"], 64, "with its port, such as 127.0.0.1:8088");
    world.file("file", "");
    world.fails(&["export", "file", "--token-file", &right], 74, "it is a file; name a folder");
    // Who names a server in the environment is told what it is missing.
    let mut elsewhere = world.command(&["list"]);
    elsewhere.env_remove("TINYCOT_DATA_DIR");
    let told = elsewhere.output().unwrap();
    assert!(stderr(&told).contains("name the server's data directory with --data-dir"));
    assert_eq!(told.status.code(), Some(74));
    world.fails(&["list", "--data-dir", "no"], 74, "there is no data directory no;");

    // Somebody else's server: the directory is free, so it is used.
    world.file("a", "1");
    let hash = world.add(&["a"]);
    assert!(world.path("data/packages").exists());
    // And once it is not, it is told why not.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let dir = world.path("data/packages");
    let held = runtime.block_on(SqlitePackages::open(dir, PackagesConfig::default())).unwrap();
    world.fails(&["show", &hash], 1, "does not take the token in data/admin.token");
    let unseen = |variable: &str| {
        let mut command = world.command(&["show", &hash]);
        command.env("TINYCOT_ADMIN_LISTEN", variable);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
        assert!(stderr(&output).contains("a server has the packages, but none answers on"));
    };
    unseen(&gone);
    unseen("off");
    fs::remove_file(world.path("data/admin.token")).unwrap();
    world.fails(&["show", &hash], 74, "data/admin.token: the token of the server cannot be read");
    drop(held);
    world.printed(&["show", &hash]);
}

#[test]
fn a_server_that_misbehaves_leaves_nothing_behind() {
    let stub = Stub::start();
    let world = World::with(&stub);
    let big = vec![7; 3_000_000];
    world.file("big", &big);
    let hash = world.add(&["big", "--as-is"]);

    stub.misbehave(Misbehaviour::RefuseEarly);
    world.fails(&["add", "big", "--as-is"], 1, "the content has more than 5 bytes (status 413)");
    stub.misbehave(Misbehaviour::CutContent);
    world.fails(&["get", &hash, "--out", "x"], 1, "the connection to");
    stub.misbehave(Misbehaviour::FlipContent);
    world.fails(&["get", &hash, "--out", "x"], 1, "the content that came is not");
    world.fails(&["export", "out"], 74, "1 of 1 packages were not written");
    assert_eq!(world.names("out"), Vec::<String>::new());
    stub.misbehave(Misbehaviour::SpeakNonsense);
    let list = ["list", "--admin", &world.admin];
    world.fails(&list, 1, "answers, but not as a TinyCoT of this version");
    assert_eq!(world.names("."), ["big", "data", "out"]);

    stub.misbehave(Misbehaviour::NoRanges);
    world.printed(&["show", &hash]);
    stub.misbehave(Misbehaviour::None);
    world.printed(&["get", &hash, "--out", "x"]);
    assert_eq!(fs::read(world.path("x")).unwrap(), big);
}

/// Runs a command, has it interrupted as soon as something is so, and gives what it said.
fn interrupted(world: &World, args: &[&str], is_so: impl Fn() -> bool) -> String {
    let mut command = world.command(args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("it is under way", || is_so() || child.try_wait().unwrap().is_some());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{args:?}: {}", stderr(&output));
    stderr(&output)
}

/// Who breaks off a command leaves nothing of what it began.
#[test]
fn an_interrupted_command_leaves_nothing_behind() {
    let world = World::new();
    world.printed(&["list"]);
    let big = File::create(world.path("big")).unwrap();
    big.set_len(300 << 20).unwrap();
    let is_written = || {
        let mut uploads = fs::read_dir(world.path("data/packages/tmp")).unwrap();
        uploads.next().is_some_and(|upload| upload.unwrap().metadata().unwrap().len() > 1 << 20)
    };
    let told = interrupted(&world, &["add", "big", "--as-is"], is_written);
    assert!(told.contains("interrupted; nothing was added"), "{told}");
    assert_eq!(world.names("data/packages/tmp"), [""; 0]);
    assert_eq!(world.names("data/packages/blobs"), [""; 0]);
    assert_eq!(world.printed(&["list"]).lines().last(), Some("0 packages, 0 B"));

    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("a", vec![7; 3_000_000]);
    let hash = world.add(&["a", "--as-is"]);
    stub.misbehave(Misbehaviour::StallContent);
    fs::create_dir(world.path("new")).unwrap();
    for args in [["get", &hash, "--out", "new/x"], ["export", "new", "--admin", &world.admin]] {
        let is_written = || !world.names("new").is_empty();
        assert_eq!(interrupted(&world, &args, is_written), "tinycot: interrupted\n");
        assert_eq!(world.names("new"), [""; 0]);
    }
}

#[test]
fn a_look_into_a_large_package_fetches_little() {
    let stub = Stub::start();
    let world = World::with(&stub);
    let server = World::served(&[]);
    server.file("large/a.png", vec![7; 4_000_000]);
    let hash = server.add(&["large"]);
    assert!(server.printed(&["show", &hash]).contains("4.0 MB  a.png"));
    // Stored as it is, by its ending.
    world.file("large/a.png", vec![7; 4_000_000]);
    world.file("large/b.txt", "small");
    let hash = world.add(&["large"]);
    let before = stub.sent_bytes();
    let shown = world.printed(&["show", &hash]);
    assert!(shown.contains("4.0 MB  a.png") && shown.contains("uid "), "{shown}");
    let sent = stub.sent_bytes() - before;
    assert!(sent < 600_000, "{sent} bytes were fetched");
}

/// Runs a command with its output on a terminal, and gives all that reached it.
fn on_terminal(mut command: Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = command.stdout(terminal()).stderr(terminal()).spawn().unwrap();
    drop(command);
    // A terminal has no end: reading fails once nobody has it open.
    let mut shown = Vec::new();
    let _ = File::from(master).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn a_terminal_has_a_bar_and_nothing_acts_on_it() {
    let stub = Stub::start();
    let world = World::with(&stub);
    world.file("big", vec![7; 3_000_000]);
    let shown = on_terminal(world.command(&["add", "big", "--as-is"]));
    assert!(shown.contains("uploading big") && shown.contains("/3.00 MB"), "{shown}");
    let shown =
        on_terminal(world.command(&["get", &sha256(&vec![7; 3_000_000])[..9], "--out", "x"]));
    assert!(shown.contains("fetching big"), "{shown}");

    stub.insert("a\u{1b}]0;x\u{7}b\u{202e}.zip", &"ef".repeat(32), b"PK");
    for args in [vec!["list"], vec!["list", "--json"], vec!["show", "efefef"], vec!["rm", "efefef"]]
    {
        let shown = on_terminal(world.command(&args));
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{args:?}: {shown:?}");
    }
}

#[test]
fn help_has_examples() {
    let help = stdout(&run(&["package", "--help"]));
    assert!(help.contains("tinycot package list") && help.contains("admin.token"), "{help}");
    assert!(stdout(&run(&["--help"])).contains("tinycot package add recon/ --team Cyan"));
    let help = stdout(&run(&["package", "push", "--help"]));
    assert!(help.contains("default: the teams of"), "{help}");
    let mut child = tinycot().args(["package"]).output().unwrap();
    assert_eq!(child.status.code(), Some(64));
    child.stdout.flush().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "an expiration is relative to the clock")]
fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64
}
