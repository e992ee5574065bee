//! A small language for tests of the real binary: [`Server`], [`Client`], [`run`].

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest wait for anything; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, with nothing of the surrounding environment that concerns it.
pub(crate) fn tinycot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinycot"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TINYCOT_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    tinycot().args(args).output().unwrap()
}

/// What a finished command printed.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a finished command complained about.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asks until the answer is yes.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = now();
    while !is_so() {
        assert!(now().duration_since(start) < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "tests measure how long a process takes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A running server on free ports of the loopback interface, killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    /// Everything it printed up to and including `ready`.
    pub(crate) banner: String,
    pub(crate) cot: SocketAddr,
    /// Port 0 when there is no admin listener.
    pub(crate) admin: SocketAddr,
    /// Of data packages; port 0 when there are none.
    pub(crate) http: SocketAddr,
    /// Lives as long as the server.
    data: Option<TempDir>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts with further arguments.
    pub(crate) fn with(args: &[&str]) -> Self {
        let data = TempDir::new().unwrap();
        let mut server = Self::with_data(data.path(), args);
        server.data = Some(data);
        server
    }

    /// Starts with a data directory of the test and further arguments.
    pub(crate) fn with_data(data: &Path, args: &[&str]) -> Self {
        Self::spawn(tinycot(), data, args)
    }

    /// Starts from a shell that does something before.
    pub(crate) fn run_by(script: &str) -> Self {
        let data = TempDir::new().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(env!("CARGO_BIN_EXE_tinycot"));
        let mut server = Self::spawn(shell, data.path(), &[]);
        server.data = Some(data);
        server
    }

    fn spawn(mut command: Command, data: &Path, args: &[&str]) -> Self {
        command.args(["serve", "--cot-listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        for listen in ["--admin-listen", "--http-listen"] {
            if !args.contains(&listen) {
                command.args([listen, "127.0.0.1:0"]);
            }
        }
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.lines().last().is_some_and(|line| line.starts_with("ready")) {
            let read = lines.read_line(&mut banner).unwrap();
            assert_ne!(read, 0, "ended before it was ready: {banner}");
        }
        let listening = |what: &str| {
            let prefix = format!("listening {what} ");
            let addr = banner.lines().find_map(|line| line.strip_prefix(prefix.as_str()));
            addr.map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), |addr| addr.parse().unwrap())
        };
        let (cot, admin, http) = (listening("cot"), listening("admin"), listening("http"));
        Self { child, banner, cot, admin, http, data: None }
    }

    pub(crate) fn client(&self) -> Client {
        let socket = TcpStream::connect(self.cot).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Client { socket, received: Vec::new() }
    }

    /// Two clients that are connected, as the server sees it too.
    pub(crate) fn pair(&self) -> [Client; 2] {
        self.pair_beside(0)
    }

    /// The same where `others` are connected already.
    pub(crate) fn pair_beside(&self, others: u64) -> [Client; 2] {
        let clients = [self.client(), self.client()];
        let all = others + 2;
        wait_until("both are connected", || self.json("/api/stats")["connections_open"] == all);
        clients
    }

    /// Asks the admin listener: the head and the body of the answer.
    pub(crate) fn http(&self, request: &str) -> (String, String) {
        let mut conn = TcpStream::connect(self.admin).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        conn.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        conn.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.to_owned(), body.to_owned())
    }

    /// The status and the body of `GET path`.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let host = self.admin;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (head, body) = self.http(&request);
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    /// A table of the admin listener.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log, from the start.
    pub(crate) fn log(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end without reading its log.
    pub(crate) fn ended_unread(mut self) -> ExitStatus {
        wait_until("the server ends", || !self.is_running());
        self.child.wait().unwrap()
    }

    /// Waits for its end: how it ended, when, and its log.
    pub(crate) fn ended(mut self) -> (ExitStatus, Instant, String) {
        // Read while it ends, so that a full pipe does not hold it up.
        let mut log = self.child.stderr.take().unwrap();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        let mut status = None;
        wait_until("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), now(), reader.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TAK client on plain TCP.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// Whether `text` has come.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.received.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Reads until `text` has come.
    pub(crate) fn expect(&mut self, text: &str) {
        let mut buf = [0; 4096];
        while !self.has(text) {
            let read = self.socket.read(&mut buf).unwrap();
            assert_ne!(read, 0, "closed before `{text}` came");
            self.received.extend_from_slice(&buf[..read]);
        }
    }
}

/// A position report of a device that says who it is.
pub(crate) fn position(uid: &str, callsign: &str) -> String {
    format!(
        "<event version=\"2.0\" uid=\"{uid}\" type=\"a-f-G-U-C\" how=\"m-g\" \
         time=\"2026-05-01T12:00:00.000Z\" start=\"2026-05-01T12:00:00.000Z\" \
         stale=\"2026-05-01T12:10:00.000Z\">\
         <point lat=\"47.1\" lon=\"8.5\" hae=\"400\" ce=\"5\" le=\"5\"/><detail>\
         <contact callsign=\"{callsign}\" endpoint=\"*:-1:stcp\"/>\
         <__group name=\"Cyan\" role=\"Team Lead\"/></detail></event>"
    )
}
