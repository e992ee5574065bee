//! What the real binary keeps on disk, and what it says when it cannot.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

mod support;

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use support::{Server, position, run, stderr, wait_until};

/// An event that is valid for a long time to come.
fn lasting(uid: &str) -> String {
    position(uid, uid).replace("a-f-G-U-C", "a-h-G").replace("2026-05", "2099-05")
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn state(server: &Server, counter: &str) -> u64 {
    server.json("/api/stats")["state"][counter].as_u64().unwrap()
}

#[test]
fn a_restart_shows_newcomers_the_picture_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_data(data.path(), &[]);
    let [mut hope, mut lost] = server.pair();
    hope.send(&lasting("marker-1"));
    lost.expect("marker-1");
    server.signal(Signal::TERM);
    assert!(server.ended().0.success());

    let server = Server::with_data(data.path(), &["--state-sync", "20ms"]);
    let mut client = server.client();
    client.expect("marker-1");
    client.send(&lasting("marker-2"));
    wait_until("it is durable", || {
        state(&server, "changes") > 0 || state(&server, "snapshots") > 0
    });
    server.signal(Signal::KILL);
    assert!(!server.ended().0.success());

    let server = Server::with_data(data.path(), &[]);
    let mut client = server.client();
    client.expect("marker-1");
    client.expect("marker-2");
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success() && log.contains("the picture was restored"), "{log}");
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let first = Server::with_data(data.path(), &[]);
    let dir = data.path().to_str().unwrap();
    let output = run(&["serve", "--cot-listen", "127.0.0.1:0", "--data-dir", dir]);
    assert_eq!(output.status.code(), Some(74));
    let text = stderr(&output);
    let start =
        format!("tinycot: data_dir: {dir} is in use by another TinyCoT server; stop it, or");
    assert!(text.starts_with(&start), "{text}");
    first.signal(Signal::KILL);
    assert!(!first.ended().0.success());
    Server::with_data(data.path(), &[]);
}

#[test]
fn nothing_is_kept_when_that_is_turned_off() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_data(data.path(), &["--state", "off"]);
    wait_until("packages are there", || data.path().join("packages/packages.db").exists());
    let [mut hope, mut lost] = server.pair();
    hope.send(&lasting("marker-1"));
    lost.expect("marker-1");
    assert_eq!(server.json("/api/stats")["state"], serde_json::Value::Null);
    assert!(!server.get("/metrics").1.contains("tinycot_state_healthy"));
    server.signal(Signal::TERM);
    assert!(server.ended().0.success());
    assert_eq!(names(data.path()), ["admin.token", "lock", "packages"]);
}

#[test]
fn a_dump_is_written_where_and_as_it_is_wanted() {
    for (args, end, text) in [
        (&["--dump"][..], ".jsonl", "\"event\":\"<event version=\\\"2.0\\\" uid=\\\"UID-1\\\""),
        (&["--dump", "xml"], ".cot", "<event version=\"2.0\" uid=\"UID-1\""),
        (&["--dump", "--dump-compress", "off"], ".jsonl", "\"team\":\"Cyan\""),
    ] {
        let data = tempfile::tempdir().unwrap();
        let elsewhere = data.path().join("else/where");
        let mut args = args.to_vec();
        if end == ".cot" {
            args.extend(["--dump-dir", elsewhere.to_str().unwrap()]);
        }
        let server = Server::with_data(data.path(), &args);
        let [mut hope, mut lost] = server.pair();
        hope.send(&position("UID-1", "HOPE-11"));
        lost.expect("UID-1");
        server.signal(Signal::TERM);
        let (status, _, log) = server.ended();
        assert!(status.success(), "{log}");
        let dir = if end == ".cot" { elsewhere } else { data.path().join("dump") };
        let names = names(&dir);
        let [name, lock] = names.as_slice() else { panic!("{names:?} {log}") };
        assert_eq!(lock, "lock");
        assert!(name.starts_with("dump-") && name.ends_with(end), "{name}");
        let written = fs::read_to_string(dir.join(name)).unwrap();
        assert!(written.contains(text), "{written}");
    }
}

#[test]
fn trouble_with_the_disk_is_told_and_does_not_take_the_server_out_of_service() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::with_data(data.path(), &["--state-sync", "20ms"]);
    assert_eq!(server.get("/ready"), (200, "{\"status\":\"ready\"}".to_owned()));
    assert!(server.get("/metrics").1.contains("tinycot_state_healthy 1\n"));
    fs::remove_dir_all(data.path().join("state")).unwrap();
    let [mut hope, mut lost] = server.pair();
    hope.send(&lasting("marker-1"));
    lost.expect("marker-1");
    wait_until("it is told", || server.json("/ready")["status"] == "degraded");
    let problems = server.json("/ready")["problems"].to_string();
    assert!(problems.starts_with("[\"state: cannot create "), "{problems}");
    assert!(problems.contains("No such file or directory"), "{problems}");
    assert!(server.get("/metrics").1.contains("tinycot_state_healthy 0\n"));
    assert_eq!(server.get("/live").0, 200);

    fs::create_dir(data.path().join("state")).unwrap();
    wait_until("all is well again", || server.json("/ready")["status"] == "ready");
    assert!(server.is_running());
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success());
    assert_eq!(log.matches("not stored; the relay goes on").count(), 1, "once\n{log}");
    assert_eq!(log.matches("stored again").count(), 1, "{log}");
    assert!(log.contains("look at the disk, its free space and the rights"), "{log}");
}

#[test]
fn a_damaged_state_is_set_aside_and_does_not_stop_the_server() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("state");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("state-00000007.json"), "{\"format\":\"tinycot-state\",").unwrap();
    fs::write(dir.join("journal-00000007.jsonl"), [0xff; 1_000]).unwrap();
    let server = Server::with_data(data.path(), &[]);
    assert!(names(&dir).iter().all(|name| name.ends_with(".damaged")), "{:?}", names(&dir));
    let [mut hope, mut lost] = server.pair();
    hope.send(&lasting("marker-1"));
    lost.expect("marker-1");
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success());
    assert!(log.contains("a damaged file of the state was set aside"), "{log}");
    assert!(names(&dir).iter().any(|name| name.ends_with(".json")), "{:?}", names(&dir));
}

#[test]
fn a_directory_for_the_dump_that_cannot_be_made_is_named() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("file");
    fs::write(&file, "").unwrap();
    let (data, dump) = (data.path().to_str().unwrap(), file.to_str().unwrap());
    let output = run(&["serve", "--data-dir", data, "--dump", "--dump-dir", dump]);
    assert_eq!(output.status.code(), Some(74));
    let text = stderr(&output);
    let start = format!("tinycot: dump: {dump} cannot be used; look at its rights and the disk");
    assert!(text.lines().any(|line| line.starts_with(&start)), "{text}");
    assert!(text.contains("tinycot:   cause: "), "{text}");
}
