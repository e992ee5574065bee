//! A server as a process that can be killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, now};

/// A running server. It is killed when this goes out of scope.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) cot: SocketAddr,
    /// `None` when it has none.
    pub(crate) admin: Option<SocketAddr>,
    /// Where data packages are; `None` when it has no such listener.
    pub(crate) http: Option<SocketAddr>,
    /// Time from the call that started it to its word that it is ready.
    pub(crate) ready_in: Duration,
    /// Kept so that the server never writes into nothing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a server and waits until it is ready; its log goes to a file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let begin = now();
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut cot, mut admin, mut http, mut is_ready) = (None, None, None, false);
        for line in &mut lines {
            let Ok(line) = line else { break };
            if let Some(addr) = line.strip_prefix("listening cot ") {
                cot = addr.parse().ok();
            } else if let Some(addr) = line.strip_prefix("listening admin ") {
                admin = addr.parse().ok();
            } else if let Some(addr) = line.strip_prefix("listening http ") {
                http = addr.parse().ok();
            } else if line.starts_with("ready") {
                is_ready = true;
                break;
            }
        }
        let ready_in = now().duration_since(begin);
        match cot.filter(|_| is_ready) {
            Some(cot) => Ok(Self { child, cot, admin, http, ready_in, _lines: lines }),
            None => {
                // It may have ended by itself.
                let _ = child.kill();
                Err(format!("the server did not get ready: {:?}", child.wait()))
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// For how long what relays and what stores were ready to run and had no processor, so far.
    /// Zero where the system does not tell.
    pub(crate) fn waited(&self) -> Duration {
        let dir = format!("/proc/{}/task", self.id());
        let tasks = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let nanos = tasks.filter_map(|task| {
            let read = |name| std::fs::read_to_string(task.path().join(name)).ok();
            let is_one = task.file_name().to_str()? == self.id().to_string();
            let name = read("comm")?;
            let waited = read("schedstat")?.split(' ').nth(1)?.parse::<u64>().ok()?;
            (is_one || ["state", "dump"].contains(&name.trim())).then_some(waited)
        });
        Duration::from_nanos(nanos.sum())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; whether that was a success.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    /// The status and the body of `GET path` from the admin listener.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let host = self.admin.unwrap();
        let mut conn = TcpStream::connect(host).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(conn, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        conn.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
