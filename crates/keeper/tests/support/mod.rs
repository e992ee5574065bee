//! A relay with real clients, and a disk that can be held, filled and broken.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

pub(crate) mod disk;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cot_core::CotTime;
use keeper::record::write_entry;
use relay::server::{Relay, serve};
use relay::{ExportCursor, HubConfig, Record};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longest wait for anything; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A relay that serves TCP on the loopback interface.
pub(crate) struct World {
    pub(crate) relay: Relay,
    addr: SocketAddr,
    runtime: Runtime,
}

impl World {
    /// A relay before its first client.
    pub(crate) fn new() -> Self {
        let mut config = HubConfig::default();
        config.replay_hold = Duration::from_millis(20);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (relay, driver) = Relay::new(config);
        runtime.spawn(driver.run());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, relay.clone(), std::future::pending()));
        Self { relay, addr, runtime }
    }

    pub(crate) fn client(&self) -> Client {
        let socket = TcpStream::connect(self.addr).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket, received: Vec::new() }
    }

    /// Waits until so many events have been accepted.
    pub(crate) fn has_accepted(&self, events: u64) {
        wait_until("they are accepted", || self.relay.stats().events_accepted >= events);
    }

    /// Everything the relay would want to find after a restart, but for times and whether somebody
    /// is here.
    pub(crate) fn picture(&self) -> Vec<String> {
        picture(&self.relay)
    }
}

/// Everything a relay would want to find after a restart, as comparable text.
pub(crate) fn picture(relay: &Relay) -> Vec<String> {
    let mut cursor = ExportCursor::default();
    let mut all = Vec::new();
    loop {
        let part = relay.export(&mut cursor, 7);
        if part.is_empty() {
            break;
        }
        all.extend(part.into_iter().map(|record| text(&record)));
    }
    all.sort();
    all
}

fn text(record: &Record) -> String {
    let entry = write_entry(record).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&entry.value.unwrap()).unwrap();
    let fields = value.as_object_mut().unwrap();
    for time in ["received", "until", "left"] {
        fields.remove(time);
    }
    if entry.key.starts_with("alert/") {
        // It is repeated now and then, with new times.
        fields.remove("seq");
        let event = fields.remove("event").unwrap();
        let (_, place) = event.as_str().unwrap().split_once("<point").unwrap();
        fields.insert("place".to_owned(), place.into());
    }
    format!("{} {value}", entry.key)
}

/// A TAK client on plain TCP.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, event: &str) {
        self.socket.write_all(event.as_bytes()).unwrap();
    }

    /// Reads until `text` has come.
    pub(crate) fn expect(&mut self, text: &str) {
        let mut buf = [0; 16_384];
        while !self.has(text) {
            let read = self.socket.read(&mut buf).unwrap();
            assert_ne!(read, 0, "closed before `{text}` came");
            self.received.extend_from_slice(buf.get(..read).unwrap());
        }
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.received.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// An event with a validity of an hour from now.
pub(crate) fn event(uid: &str, kind: &str, detail: &str) -> String {
    let time = CotTime::from_unix_millis(unix_ms());
    let stale = time.plus_millis(3_600_000);
    format!(
        "<event version=\"2.0\" uid=\"{uid}\" type=\"{kind}\" how=\"m-g\" time=\"{time}\" \
         start=\"{time}\" stale=\"{stale}\"><point lat=\"47.1\" lon=\"8.5\" hae=\"400\" ce=\"5\" \
         le=\"5\"/><detail>{detail}</detail></event>"
    )
}

/// A position report of a device that says who it is.
pub(crate) fn position(uid: &str) -> String {
    let detail = format!(
        "<contact callsign=\"CALL-{uid}\" endpoint=\"*:-1:stcp\"/>\
         <__group name=\"Cyan\" role=\"Team Lead\"/>"
    );
    event(uid, "a-f-G-U-C", &detail)
}

/// A marker of some size.
pub(crate) fn marker(uid: &str, bytes: usize) -> String {
    event(uid, "a-h-G", &format!("<remarks>{}</remarks>", "x".repeat(bytes)))
}

/// Asks until the answer is yes.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begin = now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "events of tests are of now")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests measure how long something takes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The bytes of all files in a directory.
pub(crate) fn dir_bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// A copy of a directory, as it is at this moment.
pub(crate) fn copy(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        // A file may go while others are copied.
        let _ = std::fs::copy(entry.path(), copy.path().join(entry.file_name()));
    }
    copy
}
