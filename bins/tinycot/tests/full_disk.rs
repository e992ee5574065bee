//! A disk that is full or does not answer is no concern of those who use the relay.
//!
//! Needs root, for file systems of its own; without it the tests print a line and pass.
//! `FULL_DISK_HOLD` is for how long a disk does not answer, 5 s unless told otherwise.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]
#![expect(clippy::print_stdout, reason = "what was measured")]

#[path = "kill/http.rs"]
mod http;
#[path = "kill/mount.rs"]
mod mount;
mod support;

use std::fs::{File, read_to_string, remove_file};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::Http;
use loadtest::{Plan, Report, Scenario};
use mount::{Frozen, Mount, make_image, memory};
use rustix::process::Signal;
use store::dump::{DumpLine, DumpReader};
use support::{PATIENCE, Server, now, position, run, stderr, wait_until};
use tempfile::TempDir;

/// Clients that exchange events all the time.
const CLIENTS: u32 = 100;

/// The disk of a test is small: uploads need not leave much of it.
const SMALL: &str = "--packages-free=64KiB";

/// Longest time in which the server has to be well again.
const RECOVERY: Duration = Duration::from_secs(10);

#[test]
fn a_full_disk_touches_nobody() {
    let dir = TempDir::new().unwrap();
    let Some(_mount) = possible(Mount::memory(&dir.path().join("disk"), "4m")) else { return };
    let data = dir.path().join("disk/data");
    let args = ["--dump", "json", "--dump-file-size", "256KiB", "--journal-size", "64KiB", SMALL];
    let server = Server::with_data(&data, &args);
    let mut gateway = server.client();
    gateway.send(&position("BEFORE", "BEFORE"));
    let load = Load::start(server.cot, Duration::from_secs(11));
    thread::sleep(Duration::from_millis(1_500));

    // Somebody else takes what there is, but for a rest that is left to the dump.
    let filler = dir.path().join("disk/filler");
    fill(&filler, 300 << 10);
    let full = now();
    wait_until("it says that the disk is full", || {
        let (status, body) = server.get("/ready");
        assert_eq!(status, 200, "the relay works");
        body.contains("degraded") && body.contains("state") && body.contains("dump")
    });
    println!("degraded {:?} after the disk was filled: {}", since(full), server.get("/ready").1);
    gateway.send(&position("MEANWHILE", "MEANWHILE"));
    thread::sleep(Duration::from_secs(2));
    remove_file(&filler).unwrap();
    well_again(&server);

    gateway.send(&position("AFTER", "AFTER"));
    load.must_be_untouched();
    expect_all(&server);
    let accepted = server.json("/api/stats")["messages_in"].as_u64().unwrap();
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success(), "{log}");
    let (recorded, missing) = count(&data.join("dump"));
    println!("{recorded} of {accepted} events are in the dump, and gaps for {missing}");
    assert_eq!(recorded + missing, accepted, "{log}");
    assert!(missing > 0, "the disk was not full");
    expect_all(&Server::with_data(&data, &args));
}

#[test]
fn t30_uploads_that_fill_the_disk_touch_nobody_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let Some(_mount) = possible(Mount::memory(&dir.path().join("disk"), "64m")) else { return };
    let data = dir.path().join("disk/data");
    // The floor is far below what one upload takes, so that the disk does get full.
    let args = ["--packages-free", "1KiB", "--dump", "json", "--journal-size", "64KiB"];
    let server = Server::with_data(&data, &args);
    let mut http = Http::new(server.http);
    wait_until("packages are shared", || found(&mut http).is_some());
    let load = Load::start(server.cot, Duration::from_secs(8));
    thread::sleep(Duration::from_millis(1_500));

    let mut upload = |number: u8| {
        let path = format!("/Marti/sync/upload?name=p{number}&keywords=missionpackage");
        let answer = http.ask("POST", &path, "application/x-zip-compressed", &content(number));
        answer.unwrap()
    };
    let mut kept = 0;
    let refused = loop {
        let answer = upload(kept);
        if answer.status != 200 {
            break answer;
        }
        kept += 1;
    };
    let why = String::from_utf8_lossy(&refused.body);
    println!("{kept} packages were kept, and the next refused: {} {why}", refused.status);
    assert_eq!(refused.status, 507);
    assert!(kept > 3, "only {kept}");
    assert_eq!(upload(kept + 1).status, 507);
    assert_eq!(server.get("/ready").0, 200, "the relay works");
    let rows = found(&mut Http::new(server.http)).unwrap();
    assert_eq!(rows.len(), usize::from(kept));
    let get = |hash: &str| {
        let path = format!("/Marti/sync/content?hash={hash}");
        Http::new(server.http).ask("GET", &path, "", &[]).unwrap().body
    };
    for (name, hash) in &rows {
        assert_eq!(get(hash), content(name[1..].parse().unwrap()), "{name}");
    }

    // Two less, and there is room for one more, and for the dump and the state.
    for (_, hash) in &rows[..2] {
        let path = format!("/Marti/sync/delete?hash={hash}");
        assert_eq!(Http::new(server.http).ask("DELETE", &path, "", &[]).unwrap().status, 200);
    }
    wait_until("there is room again", || upload(kept).status == 200);
    load.must_be_untouched();
    well_again(&server);
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success(), "{log}");
    let server = Server::with_data(&data, &args);
    let mut http = Http::new(server.http);
    wait_until("packages are shared", || found(&mut http).is_some());
    assert_eq!(found(&mut http).unwrap().len(), usize::from(kept) - 1);
}

#[test]
fn a_disk_that_does_not_answer_touches_nobody() {
    let hold = std::env::var("FULL_DISK_HOLD").ok().and_then(|text| text.parse().ok());
    let hold = Duration::from_secs(hold.unwrap_or(5));
    let Some(disk) = Disk::make() else { return };
    let args = ["--dump", "json", "--journal-size", "64KiB", SMALL];
    let server = Server::with_data(&disk.data(), &args);
    let mut gateway = server.client();
    gateway.send(&position("BEFORE", "BEFORE"));
    let load = Load::start(server.cot, hold + Duration::from_secs(6));
    thread::sleep(Duration::from_millis(1_500));

    let Some(frozen) = disk.freeze(hold) else { return };
    let held = now();
    gateway.send(&position("MEANWHILE", "MEANWHILE"));
    wait_until("it says that the disk does not answer", || {
        server.get("/ready").1.contains("degraded")
    });
    println!("degraded {:?} after the disk was held: {}", since(held), server.get("/ready").1);
    thread::sleep(hold.saturating_sub(since(held)));
    drop(frozen);
    well_again(&server);

    gateway.send(&position("AFTER", "AFTER"));
    load.must_be_untouched();
    // Even a kill costs nothing that is older than a second.
    thread::sleep(Duration::from_millis(1_500));
    server.signal(Signal::KILL);
    server.ended_unread();
    expect_all(&Server::with_data(&disk.data(), &args));
}

#[test]
fn a_disk_that_does_not_answer_does_not_hold_up_the_stop() {
    let Some(disk) = Disk::make() else { return };
    let mut server = Server::with_data(&disk.data(), &["--dump", "json"]);
    let mut client = server.client();
    client.socket.set_read_timeout(Some(RECOVERY)).unwrap();
    let Some(frozen) = disk.freeze(Duration::ZERO) else { return };
    client.send(&position("A", "ALPHA"));
    wait_until("it says that the disk does not answer", || {
        server.get("/ready").1.contains("degraded")
    });
    let asked = now();
    server.signal(Signal::TERM);
    while client.socket.read(&mut [0; 1024]).unwrap() > 0 {}
    println!("clients are let go {:?} after SIGTERM", since(asked));
    // Threads that the kernel has write cannot be taken from it, so there is still a process.
    let stat = format!("/proc/{}/stat", server.id());
    wait_until("the server ends", || read_to_string(&stat).unwrap().contains(") Z "));
    println!("it has ended {:?} after SIGTERM", since(asked));
    assert!(since(asked) < RECOVERY);
    drop(frozen);
    wait_until("the kernel is done with it", || !server.is_running());
}

#[test]
fn a_second_server_does_not_get_the_same_directory() {
    let dir = TempDir::new().unwrap();
    let server = Server::with_data(dir.path(), &[]);
    let data = dir.path().to_str().unwrap();
    let second = run(&["serve", "--cot-listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(second.status.code(), Some(74), "{}", stderr(&second));
    let message = stderr(&second);
    assert!(message.contains(data) && message.contains("another TinyCoT server"), "{message}");
    server.signal(Signal::KILL);
    server.ended_unread();
    Server::with_data(dir.path(), &[]);
}

/// An ext4 file system that can be held.
struct Disk {
    mount: Mount,
    dir: TempDir,
}

impl Disk {
    fn make() -> Option<Self> {
        let dir = TempDir::new_in(memory()).unwrap();
        let image = dir.path().join("image");
        let is_made = make_image(&image, 32 << 20);
        let mount = is_made.then(|| Mount::image(&image, &dir.path().join("disk"))).flatten();
        Some(Self { mount: possible(mount)?, dir })
    }

    /// Holds it for so long, and for as long as a test may take beside that.
    fn freeze(&self, hold: Duration) -> Option<Frozen> {
        let frozen = self.mount.freeze(hold + 2 * PATIENCE);
        if frozen.is_none() {
            println!("skipped: no file system can be held here");
        }
        frozen
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("disk/data")
    }
}

/// Clients that exchange events, each one per second.
struct Load(JoinHandle<Report>);

impl Load {
    fn start(server: SocketAddr, time: Duration) -> Self {
        let mut plan = Plan::new(server, Scenario::Open { rate: 1.0 });
        plan.clients = CLIENTS;
        plan.warmup = Duration::from_millis(500);
        plan.measure = time;
        Self(thread::spawn(move || loadtest::run(&plan, &mut |_| {}).unwrap()))
    }

    /// Waits for its end. Every event came to everyone, and none came late.
    fn must_be_untouched(self) {
        let report = self.0.join().unwrap();
        println!("{report}");
        let faults = [report.lost, report.duplicated, report.reordered, report.changed];
        assert_eq!((faults, report.unsent), ([0; 4], 0));
        assert!(report.latency.unwrap().max_us < 4e6, "a gap of more than four seconds");
    }
}

fn possible(mount: Option<Mount>) -> Option<Mount> {
    if mount.is_none() {
        println!("skipped: no file system can be mounted here");
    }
    mount
}

/// The content of a package of this number.
fn content(number: u8) -> Vec<u8> {
    let bytes = [number, 1, 2, 3, 5, 7, 11];
    bytes.into_iter().cycle().take(3_000_000).collect()
}

/// All packages, by name and hash; nothing when the search is not answered.
fn found(http: &mut Http) -> Option<Vec<(String, String)>> {
    let answer = http.ask("GET", "/Marti/sync/search", "", &[])?;
    let found: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = found.get("results")?.as_array()?.iter();
    Some(rows.map(|row| (text(row, "Name"), text(row, "Hash"))).collect())
}

/// Fills a disk up to a rest.
fn fill(path: &Path, rest: u64) {
    let mut file = File::create(path).unwrap();
    let mut len = 0;
    while let Ok(written) = file.write(&[0; 16 << 10]) {
        len += written as u64;
    }
    file.set_len(len - rest).unwrap();
}

fn well_again(server: &Server) {
    let free = now();
    wait_until("it is well again", || server.get("/ready").1.contains("\"ready\""));
    println!("well again after {:?}", since(free));
    assert!(since(free) < RECOVERY);
}

/// A newcomer is shown everything.
fn expect_all(server: &Server) {
    let mut newcomer = server.client();
    for uid in ["BEFORE", "MEANWHILE", "AFTER"] {
        newcomer.expect(&format!("uid=\"{uid}\""));
    }
}

/// Events in a dump, and events that it says are missing.
fn count(dir: &Path) -> (u64, u64) {
    let (mut recorded, mut missing) = (0, 0);
    for file in store::dump::list(dir).unwrap() {
        for line in DumpReader::open(file.path).unwrap() {
            match line.unwrap() {
                DumpLine::Event { .. } => recorded += 1,
                DumpLine::Gap { events, .. } => missing += events,
                _ => {}
            }
        }
    }
    (recorded, missing)
}

fn since(begin: Instant) -> Duration {
    now().duration_since(begin)
}
