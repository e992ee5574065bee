//! The servers under test, each a process of its own.

use std::io::{BufRead, BufReader, Error};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Baseline,
    TinyCot,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::TinyCot => "tinycot",
        }
    }
}

/// A running server, which is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it takes clients.
    pub(crate) addr: SocketAddr,
    /// Time from the call that started it to its word that it is ready.
    pub(crate) started_in: Duration,
    _data: TempDir,
}

impl Server {
    /// Starts a server and waits until it is ready.
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn start(kind: Kind) -> Result<Self, Error> {
        let data = TempDir::new()?;
        let mut command = match kind {
            Kind::Baseline => Command::new(env!("CARGO_BIN_EXE_baseline")),
            Kind::TinyCot => Command::new(tinycot()),
        };
        if kind == Kind::TinyCot {
            command.args(["serve", "--cot-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
            command.args(["--http-listen", "127.0.0.1:0"]);
            command.arg("--data-dir").arg(data.path());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begin = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Error::other("no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let mut addr = None;
        for line in &mut lines {
            let line = line?;
            if let Some(listening) = line.strip_prefix("listening cot ") {
                addr = listening.trim().parse().ok();
            } else if line.starts_with("ready") {
                break;
            }
        }
        let started_in = begin.elapsed();
        // Whatever else it prints is read, so that it never waits for us.
        thread::spawn(move || lines.for_each(drop));
        let Some(addr) = addr else {
            drop(child.kill());
            return Err(Error::other(format!("{} did not say where it listens", kind.name())));
        };
        Ok(Self { child, addr, started_in, _data: data })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the run has reported by now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The release binary: `TINYCOT_BIN`, or the one that was built next to this bench.
pub(crate) fn tinycot() -> PathBuf {
    if let Some(path) = std::env::var_os("TINYCOT_BIN") {
        return path.into();
    }
    // The bench is `release/deps/swarm-…`, the server `release/tinycot`.
    let bench = std::env::current_exe().unwrap_or_default();
    let release = bench.parent().and_then(|deps| deps.parent()).unwrap_or(&bench);
    release.join(format!("tinycot{}", std::env::consts::EXE_SUFFIX))
}
