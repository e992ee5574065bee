//! The server on a directory that outlives it, and what it has written.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::fs;
use std::io::{BufRead, BufReader, Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A running server, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it takes clients.
    pub(crate) addr: SocketAddr,
    admin: SocketAddr,
    /// Where it has data packages.
    pub(crate) http: SocketAddr,
    /// Time from the call that started it to its word that it is ready.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts a server on a data directory and waits until it is ready.
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn start(data: &Path, args: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(tinycot());
        command.args(["serve", "--cot-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--http-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(data).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begin = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Error::other("no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let (mut addr, mut admin, mut http) = (None, None, None);
        for line in &mut lines {
            let line = line?;
            if let Some(listening) = line.strip_prefix("listening cot ") {
                addr = listening.trim().parse().ok();
            } else if let Some(listening) = line.strip_prefix("listening admin ") {
                admin = listening.trim().parse().ok();
            } else if let Some(listening) = line.strip_prefix("listening http ") {
                http = listening.trim().parse().ok();
            } else if line.starts_with("ready") {
                break;
            }
        }
        let started_in = begin.elapsed();
        // Whatever else it prints is read, so that it never waits for us.
        thread::spawn(move || lines.for_each(drop));
        let (Some(addr), Some(admin), Some(http)) = (addr, admin, http) else {
            drop(child.kill());
            return Err(Error::other("the server did not say where it listens"));
        };
        Ok(Self { child, addr, admin, http, started_in })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning.
    pub(crate) fn kill(mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait().map(drop)
    }

    /// A figure of `/metrics`; 0 when there is none of this name.
    pub(crate) fn metric(&self, name: &str) -> Result<f64, Error> {
        let mut conn = TcpStream::connect(self.admin)?;
        let host = self.admin;
        write!(conn, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        conn.read_to_string(&mut answer)?;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
        Ok(answer.lines().find_map(value).unwrap_or(0.0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the run has reported by now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Bytes that a server has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Whole pages, as the kernel sends them to the disk.
    pub(crate) disk: f64,
    /// Handed to the state.
    pub(crate) state: f64,
    /// Handed to the dump.
    pub(crate) dump: f64,
}

impl Written {
    /// What a server writes within a time from now on.
    pub(crate) fn within(
        server: &Server,
        time: Duration,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let before = Self::now(server)?;
        thread::sleep(time);
        let after = Self::now(server)?;
        Ok(Self {
            disk: after.disk - before.disk,
            state: after.state - before.state,
            dump: after.dump - before.dump,
        })
    }

    fn now(server: &Server) -> Result<Self, Error> {
        let io = fs::read_to_string(format!("/proc/{}/io", server.pid()))?;
        let disk = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        Ok(Self {
            disk: disk.ok_or_else(|| Error::other("the system does not say what is written"))?,
            state: server.metric("tinycot_state_written_bytes_total")?,
            dump: server.metric("tinycot_dump_bytes_total")?,
        })
    }
}

/// The release binary: `TINYCOT_BIN`, or the one that was built next to this bench.
pub(crate) fn tinycot() -> PathBuf {
    if let Some(path) = std::env::var_os("TINYCOT_BIN") {
        return path.into();
    }
    // The bench is `release/deps/state-…`, the server `release/tinycot`.
    let bench = std::env::current_exe().unwrap_or_default();
    let release = bench.parent().and_then(|deps| deps.parent()).unwrap_or(&bench);
    release.join(format!("tinycot{}", std::env::consts::EXE_SUFFIX))
}
