//! `tinycot dump` and `tinycot replay`, with files and over real sockets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

mod support;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cot_core::build::{self, Sender};
use cot_core::{CotTime, Deframer, Item, Limits, Point, Scanner};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::{Client, PATIENCE, Server, now, run, stderr, stdout, tinycot, wait_until};
use tempfile::TempDir;

/// 2026-11-22T10:00:00Z, when every capture begins.
const BEGIN: i64 = 1_795_341_600_000;

/// A position report, made so many milliseconds after [`BEGIN`].
fn report(uid: &str, team: &str, after_ms: i64) -> String {
    let sender = Sender::new(uid, uid).at(Point::new(47.1, 8.5).with_hae(400.0).with_ce(5.0));
    build::position(&sender, team, "Medic", BEGIN + after_ms).to_xml()
}

/// A line of a dump.
fn line(uid: &str, team: &str, after_ms: i64, event: &str) -> String {
    let t = CotTime::from_unix_millis(BEGIN + after_ms).to_string();
    serde_json::json!({ "t": t, "uid": uid, "team": team, "event": event }).to_string() + "\n"
}

/// A dump of reports of one team, received when they were made.
fn dump(reports: &[(&str, i64)]) -> String {
    let line = |&(uid, after_ms): &(&str, i64)| {
        line(uid, "Cyan", after_ms, &report(uid, "Cyan", after_ms))
    };
    reports.iter().map(line).collect()
}

/// A directory with captures.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs a command that has to succeed, and gives what it printed.
fn printed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn failed(output: &Output, code: i32, why: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(why), "{why}: {text}");
}

// === dump ===

#[test]
fn cat_prints_what_is_wanted() {
    let files = Files::new();
    let chat = report("GeoChat.A.x", "Red", 3_000).replace("a-f-G-U-C", "b-t-f");
    let text = dump(&[("A", 0), ("B", 1_000)]) + &line("A", "Red", 3_000, &chat);
    let path = files.with("a.jsonl", text);
    let cat = |more: &[&str]| printed(&[&["dump", "cat", &path], more].concat());
    let [a, b] = [("A", 0), ("B", 1_000)].map(|(uid, ms)| report(uid, "Cyan", ms) + "\n");
    let chat = chat + "\n";
    assert_eq!(cat(&[]), format!("{a}{b}{chat}"));
    assert_eq!(cat(&["--uid", "A"]), format!("{a}{chat}"));
    assert_eq!(cat(&["--uid", "A", "--uid", "B"]), format!("{a}{b}{chat}"));
    assert_eq!(cat(&["--type", "a-f"]), format!("{a}{b}"));
    assert_eq!(cat(&["--team", "red"]), chat);
    assert_eq!(cat(&["--from", "10:00:01", "--until", "2026-11-22T10:00:03Z"]), b);
    assert_eq!(cat(&["--from", "2026-11-22 10:01"]), "");
    let json = cat(&["--format", "json", "--uid", "B"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["event"]["detail"][0]["contact"]["callsign"], "B");
    let places: serde_json::Value = serde_json::from_str(&cat(&["--format", "geojson"])).unwrap();
    assert_eq!(places["features"].as_array().unwrap().len(), 3);
    let part = files.with("part.jsonl", cat(&["--format", "dump", "--uid", "A"]));
    assert_eq!(printed(&["dump", "cat", &part]), format!("{a}{chat}"));
}

#[test]
fn without_a_file_the_dumps_of_the_data_directory_are_read() {
    let files = Files::new();
    let compressed = zstd::encode_all(dump(&[("A", 0)]).as_bytes(), 3).unwrap();
    files.with("dump/dump-20261122T100000Z-000001.jsonl.zst", compressed);
    files.with("dump/dump-20261122T110000Z-000002.jsonl", dump(&[("B", 3_600_000)]));
    files.with("dump/notes.txt", "not a dump");
    let data = files.path("");
    let expected = report("A", "Cyan", 0) + "\n" + &report("B", "Cyan", 3_600_000) + "\n";
    let named = printed(&["dump", "cat", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(named, expected);
    let by_variable =
        tinycot().args(["dump", "cat"]).env("TINYCOT_DATA_DIR", &data).output().unwrap();
    assert_eq!(stdout(&by_variable), expected);
    let of_dumps = tinycot()
        .args(["dump", "cat"])
        .env("TINYCOT_DUMP_DIR", data.join("dump"))
        .env("TINYCOT_DATA_DIR", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(stdout(&of_dumps), expected);
    fs::rename(data.join("dump"), data.join("tinycot-data")).unwrap();
    let as_directory = printed(&["dump", "cat", data.join("tinycot-data").to_str().unwrap()]);
    assert_eq!(as_directory, expected);
    let none = tinycot().args(["dump", "stats"]).current_dir(&data).output().unwrap();
    failed(&none, 74, "there is no dump in tinycot-data/dump; `tinycot serve --dump` records one");
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let files = Files::new();
    let many: Vec<_> = (0..20_000).map(|ms| ("A", ms)).collect();
    let path = files.with("a.jsonl", dump(&many));
    for args in [vec!["cat", &path], vec!["export", "--format", "gpx", &path]] {
        let mut child = tinycot()
            .arg("dump")
            .args(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_passed_over() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("A", 0)]) + "nonsense\n" + &dump(&[("B", 1)]));
    let output = run(&["dump", "cat", &path]);
    assert!(output.status.success());
    assert_eq!(stdout(&output).lines().count(), 2);
    let text = stderr(&output);
    assert!(text.starts_with(&format!("tinycot: {path}:2: ")), "{text}");
    assert!(text.ends_with("tinycot: 1 bad record passed over\n"), "{text}");

    let path = files.with("b.jsonl", "{nonsense\n".repeat(1_000));
    let output = run(&["dump", "stats", &path]);
    failed(&output, 74, "nothing could be read of what was given");
    assert!(stderr(&output).lines().count() < 20);

    let output = run(&["dump", "cat", &files.with("c.png", "\x7fPNG")]);
    failed(&output, 74, "c.png: neither a dump nor events as XML");
}

#[test]
fn a_missing_file_ends_the_command_before_anything_is_printed() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("A", 0)]));
    let output = run(&["dump", "cat", &path, "/nowhere/b.jsonl"]);
    failed(&output, 74, "/nowhere/b.jsonl cannot be read");
    assert_eq!(stdout(&output), "");
}

#[test]
fn wrong_arguments_are_wrong_usage() {
    for args in [
        vec!["dump"],
        vec!["dump", "cat", "--format", "csv"],
        vec!["dump", "cat", "--from", "noon"],
        vec!["dump", "export"],
        vec!["dump", "export", "--format", "gpx", "--split", "10"],
        vec!["dump", "cat", "a.jsonl", "--data-dir", "x"],
        vec!["replay", "a.jsonl"],
        vec!["replay", "--to", "127.0.0.1:8087"],
        vec!["replay", "a.jsonl", "--to", "127.0.0.1:8087", "--speed", "0"],
    ] {
        assert_eq!(run(&args).status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn stats_are_tables_or_json() {
    let files = Files::new();
    let gap = "{\"t\":\"2026-11-22T10:00:09Z\",\"gap\":5,\"why\":\"disk\"}\n";
    let path = files.with("a.jsonl", dump(&[("A", 0), ("A", 500), ("B", 2_000)]) + gap);
    let text = printed(&["dump", "stats", &path]);
    for words in [
        "events         3",
        "first          2026-11-22T10:00:00.000Z",
        "rate           1.5 per second, 2 in the busiest second",
        "not recorded   5 events in 1 gaps",
        "a-f-G-U-C  friendly ground combat unit       3",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&printed(&["dump", "stats", "--json", &path])).unwrap();
    assert_eq!((&json["events"], &json["missing"]), (&3.into(), &5.into()));
    assert_eq!(json["senders"][0]["uid"], "A");
}

#[test]
fn tracks_are_written_to_a_file_or_printed() {
    let files = Files::new();
    let of_b = line("A", "Cyan", 5, &report("B", "Cyan", 5));
    let path = files.with("a.jsonl", dump(&[("A", 0), ("A", 1_000), ("A", 61_000)]) + &of_b);
    let out = files.path("track.gpx");
    let args = ["dump", "export", "--format", "gpx", "--uid", "A", "--out"];
    let said = printed(&[&args[..], &[out.to_str().unwrap(), &path]].concat());
    assert!(said.ends_with("track.gpx: 3 positions of 1 thing\n"), "{said}");
    let gpx = fs::read_to_string(out).unwrap();
    assert_eq!((gpx.matches("<trkpt ").count(), gpx.matches("<trkseg>").count()), (3, 1));
    let split = printed(&["dump", "export", "--format", "gpx", "--split", "30s", &path]);
    assert_eq!((split.matches("<trk>").count(), split.matches("<trkseg>").count()), (2, 3));
    assert!(printed(&["dump", "export", "--format", "kml", &path]).contains("<gx:Track>"));
    let json = printed(&["dump", "export", "--format", "geojson", &path]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["features"][0]["geometry"]["type"], "LineString");
    let output = run(&["dump", "export", "--format", "gpx", "--out", "/nowhere/a.gpx", &path]);
    failed(&output, 74, "/nowhere/a.gpx: cannot be written");
}

/// Runs a command with its output on a terminal, and gives all that reached it.
fn on_terminal(args: &[&str]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = tinycot().args(args).stdout(terminal()).stderr(terminal()).spawn().unwrap();
    // A terminal has no end: reading fails once nobody has it open.
    let mut shown = Vec::new();
    let _ = File::from(master).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn nothing_in_a_capture_acts_on_a_terminal() {
    let files = Files::new();
    let event =
        report("A", "Cyan", 0).replace("callsign=\"A\"", "callsign=\"A\u{9b}31m\u{202e}B\"");
    let other = line("S\u{1b}[2J", "\u{1b}]0;x\u{7}", 1, &event);
    let hostile = dump(&[("A", 0)]) + &other + &line("A", "Cyan", 2, &event) + "\u{1b}[31m\n";
    let path = files.with("a\u{1b}[31m.jsonl", hostile);
    let of_the_capture = |shown: &str| shown.contains(['\u{9b}', '\u{202e}', '\u{1b}', '\u{7}']);
    for args in [
        vec!["dump", "cat"],
        vec!["dump", "cat", "--format", "json"],
        vec!["dump", "cat", "--format", "geojson"],
        vec!["dump", "cat", "--format", "dump"],
        vec!["dump", "stats"],
        vec!["dump", "stats", "--json"],
        vec!["dump", "export", "--format", "gpx"],
        vec!["dump", "export", "--format", "kml"],
        vec!["dump", "export", "--format", "geojson"],
    ] {
        let shown = on_terminal(&[&args[..], &[&path]].concat());
        assert!(shown.len() > 200 && !of_the_capture(&shown), "{args:?}: {shown:?}");
    }
    // Elsewhere an event is what was captured.
    assert!(printed(&["dump", "cat", &path]).contains(&event));
}

// === replay ===

/// One event that a client received.
#[derive(Debug)]
struct Arrival {
    at: Instant,
    uid: String,
    time_ms: i64,
    stale_ms: i64,
}

/// Reads reports of uids that begin with `R-` until there are so many, or the connection ends.
fn arrivals(client: &mut Client, count: usize) -> Vec<Arrival> {
    let (mut scanner, mut deframer) = (Scanner::new(Limits::default()), Deframer::new());
    let (mut found, mut buf) = (Vec::new(), [0; 4096]);
    while found.len() < count {
        let read = match client.socket.read(&mut buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        let at = now();
        let mut sink = |item: Item<'_>| {
            if let Item::Event(header) = item
                && header.uid().raw().starts_with("R-")
                && header.kind() != "t-x-d-d"
            {
                found.push(Arrival {
                    at,
                    uid: header.uid().to_cow().into_owned(),
                    time_ms: header.time_ms().unwrap(),
                    stale_ms: header.stale_ms().unwrap(),
                });
            }
        };
        deframer.feed(&mut scanner, &buf[..read], &mut sink).unwrap();
        if read == 0 {
            break;
        }
    }
    found
}

/// Starts a replay to a server.
fn replay(server: &Server, args: &[&str]) -> std::process::Child {
    let mut command = tinycot();
    command.arg("replay").args(args).args(["--to", &server.cot.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A client that has got all there was before the replay, and gets everything live from here on.
fn watcher(server: &Server) -> Client {
    let [mut client, mut other] = server.pair();
    other.send(&support::position("OTHER", "OTHER"));
    client.expect("OTHER");
    client
}

#[expect(clippy::disallowed_methods, reason = "what is replayed has the time of the clock")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// Whether two events are as far apart as they should be: a busy machine may be late with either,
/// and much later with the second.
fn is_about(spacing: Duration, expected: Duration) -> bool {
    (expected.saturating_sub(Duration::from_millis(400))..expected + Duration::from_secs(3))
        .contains(&spacing)
}

#[test]
fn a_second_client_sees_what_was_captured_as_it_was_but_now() {
    let files = Files::new();
    for (speed, factor) in [("1", 1), ("10", 10)] {
        let after = [0, 300, 300, 1_000, 1_500].map(|ms| ms * factor);
        let uids = ["R-1", "R-2", "R-3", "R-1", "R-2"];
        let reports: Vec<_> = uids.into_iter().zip(after).collect();
        let path = files.with("a.jsonl", dump(&reports));
        let server = Server::start();
        let mut watcher = watcher(&server);
        let child = replay(&server, &[&path, "--speed", speed]);
        let seen = arrivals(&mut watcher, 5);
        let now_ms = unix_ms();
        assert_eq!(seen.iter().map(|seen| seen.uid.as_str()).collect::<Vec<_>>(), uids);
        for (seen_at, ms) in seen.iter().zip(after) {
            let expected = Duration::from_millis(u64::try_from(ms / factor).unwrap());
            let spacing = seen_at.at.duration_since(seen[0].at);
            let is_in_time = is_about(spacing, expected);
            assert!(is_in_time, "{spacing:?} instead of {expected:?} at speed {speed}");
            assert!((now_ms - seen_at.time_ms).abs() < 5_000, "{seen_at:?}");
            assert_eq!(seen_at.stale_ms - seen_at.time_ms, build::POSITION_VALID_MS);
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output).starts_with("sent 5 events ("), "{}", stdout(&output));
    }
}

#[test]
fn xml_is_replayed_too_and_only_what_is_wanted() {
    let files = Files::new();
    let text = [
        report("R-1", "Cyan", 0),
        report("R-2", "Red", 10),
        report("R-ping", "Cyan", 15).replace("a-f-G-U-C", "t-x-c-t"),
        report("R-3", "Cyan", 60_000),
        report("R-4", "Cyan", 60_010),
    ]
    .join("\n");
    let path = files.with("a.cot", text);
    let server = Server::start();
    let mut watcher = watcher(&server);
    let args = [&path, "--team", "Cyan", "--until", "10:01:00.010", "--max-pause", "200ms"];
    let child = replay(&server, &args);
    let seen = arrivals(&mut watcher, 2);
    assert_eq!(seen.iter().map(|seen| seen.uid.as_str()).collect::<Vec<_>>(), ["R-1", "R-3"]);
    let output = child.wait_with_output().unwrap();
    let said = stdout(&output);
    assert!(said.starts_with("sent 2 events") && said.ends_with(", 3 left out\n"), "{said}");
}

#[test]
fn as_fast_as_possible_loses_nothing() {
    let files = Files::new();
    let uids: Vec<_> = (0..5_000).map(|n| format!("R-{n}")).collect();
    let reports: Vec<_> = uids.iter().map(String::as_str).zip((0..).map(|n| n * 1_000)).collect();
    let path = files.with("a.jsonl", dump(&reports));
    let server = Server::start();
    let mut watcher = watcher(&server);
    let child = replay(&server, &[&path, "--speed", "max"]);
    let seen = arrivals(&mut watcher, uids.len());
    assert!(seen.iter().map(|seen| &seen.uid).eq(&uids), "all, and in order");
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn a_loop_begins_again_until_it_is_interrupted() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0), ("R-2", 100)]));
    let server = Server::start();
    let mut watcher = watcher(&server);
    let mut child = replay(&server, &[&path, "--loop"]);
    let seen = arrivals(&mut watcher, 7);
    child.kill().unwrap();
    child.wait().unwrap();
    let uids: Vec<_> = seen.iter().map(|seen| seen.uid.as_str()).collect();
    assert_eq!(uids, ["R-1", "R-2", "R-1", "R-2", "R-1", "R-2", "R-1"]);
    let spacing = seen[6].at.duration_since(seen[0].at);
    assert!(is_about(spacing, Duration::from_millis(600)), "{spacing:?}");
    assert!(seen.is_sorted_by_key(|seen| seen.time_ms), "every pass has its own times");
}

#[test]
fn a_lost_connection_says_how_much_was_sent() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0), ("R-2", 100), ("R-3", 60_000)]));
    let mut server = Server::start();
    let mut watcher = watcher(&server);
    let child = replay(&server, &[&path]);
    assert_eq!(arrivals(&mut watcher, 2).len(), 2);
    let addr = server.cot;
    assert!(server.is_running());
    drop(server);
    let began = now();
    let output = child.wait_with_output().unwrap();
    assert!(now().duration_since(began) < PATIENCE);
    failed(&output, 1, &format!("the connection to {addr} was lost after 2 events were sent"));
}

#[test]
fn no_server_and_no_such_server_are_told_apart() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0)]));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    failed(
        &run(&["replay", &path, "--to", &closed]),
        69,
        &format!("no server answers on {closed}"),
    );
    failed(&run(&["replay", &path, "--to", "nowhere"]), 64, "--to nowhere: no such server");
    failed(&run(&["replay", "/nowhere/a.jsonl", "--to", &closed]), 74, "/nowhere/a.jsonl");
}

#[test]
fn a_port_that_speaks_http_is_no_server_to_replay_to() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0)]));
    let server = Server::start();
    let to = server.admin.to_string();
    let output = tinycot().args(["replay", &path, "--to", &to]).output().unwrap();
    failed(&output, 1, "it is an HTTP server");
}

#[test]
fn a_server_that_talks_much_and_never_closes_does_not_hold_a_replay_up() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0), ("R-2", 100)]));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let talker = thread::spawn(move || {
        let (mut conn, _) = listener.accept().unwrap();
        let mut out = conn.try_clone().unwrap();
        let talk = thread::spawn(move || {
            let blank = vec![b' '; 1 << 16];
            let mut sent = 0_usize;
            while io::Write::write_all(&mut out, &blank).is_ok() && sent < 64 << 20 {
                sent += blank.len();
            }
            sent
        });
        let mut received = String::new();
        conn.read_to_string(&mut received).unwrap();
        (received, talk.join().unwrap())
    });
    let said = printed(&["replay", &path, "--to", &to]);
    assert!(said.starts_with("sent 2 events"), "{said}");
    let (received, sent) = talker.join().unwrap();
    assert_eq!(received.matches("</event>").count(), 2);
    assert!(sent > 1 << 20, "{sent} bytes were taken");
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_it_is() {
    let files = Files::new();
    let path = files.with("a.jsonl", dump(&[("R-1", 0), ("R-1", 400), ("R-1", 800)]));
    let server = Server::start();
    let shown = on_terminal(&["replay", &path, "--to", &server.cot.to_string()]);
    assert!(shown.contains("2026-11-22 10:00:00  2 sent, "), "{shown:?}");
    assert!(shown.contains("50%") && shown.contains("sent 3 events ("), "{shown:?}");
}

#[test]
fn what_a_server_records_is_read_while_it_runs_and_replayed_to_another() {
    for kind in ["json", "xml"] {
        let data = TempDir::new().unwrap();
        let dir = data.path().to_str().unwrap();
        let first = Server::with_data(data.path(), &["--dump", kind]);
        let [mut sender, mut other] = first.pair();
        let sent = [("R-1", "Red"), ("R-2", "Blue")].map(|(uid, team)| report(uid, team, 0));
        sender.send(&sent.concat());
        other.expect("R-2");
        let recorded = || stdout(&run(&["dump", "cat", "--data-dir", dir]));
        wait_until("it is on disk", || recorded() == sent.join("\n") + "\n");
        let stats = printed(&["dump", "stats", "--json", "--data-dir", dir]);
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        assert_eq!((&stats["events"], &stats["bad"]), (&2.into(), &0.into()), "{kind}");

        let second = Server::start();
        let mut watcher = watcher(&second);
        let files = data.path().join("dump");
        let child = replay(&second, &[files.to_str().unwrap(), "--team", "Blue"]);
        assert_eq!(arrivals(&mut watcher, 1)[0].uid, "R-2", "{kind}");
        assert!(child.wait_with_output().unwrap().status.success());
    }
}

#[test]
fn real_streams_are_replayed_when_they_are_at_hand() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/presence");
    if !corpus.is_dir() {
        println!("skipped: no corpus at {}", corpus.display());
        return;
    }
    let paths = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths.map(|path| path.to_str().unwrap().to_owned()).collect();
    let server = Server::start();
    let mut args: Vec<_> = paths.iter().map(String::as_str).collect();
    args.extend(["--speed", "max"]);
    let output = replay(&server, &args).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let received = server.json("/api/stats")["messages_in"].as_u64().unwrap();
    assert_eq!(received, u64::try_from(paths.len()).unwrap());
}
