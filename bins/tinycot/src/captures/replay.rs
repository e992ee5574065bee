//! `tinycot replay`: a capture to a server, as if it happened now.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use capture::{Due, Replay, ReplayOptions, Source};
use indicatif::HumanBytes;

use super::args::ReplayArgs;
use super::input::{Troubles, expand, filter_of};
use super::progress::Progress;
use crate::clock;
use crate::error::Failure;
use crate::report;

/// Longest wait for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server may take nothing at all before it counts as lost.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server may take to close the connection after the last event.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are sent at once, when so much is due.
const BATCH_BYTES: usize = 64 << 10;

/// Longest time without a look at the progress bar.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let source = Source::open(expand(&args.files)?)?;
    let mut options = ReplayOptions::default();
    options.filter = filter_of(&args.filter, &source);
    (options.speed, options.max_pause, options.repeat) = (args.speed, args.max_pause, args.repeat);
    let mut server = Server::connect(&args.to)?;
    let mut progress = Progress::new(&args.files, &options)?;
    let mut replay = Replay::new(source, options);
    let mut troubles = Troubles::default();
    let began = clock::now();
    let sent = server.send_all(&mut replay, &mut troubles, &mut progress, began);
    progress.finish();
    sent?;
    server.close()?;
    troubles.good += replay.left_out() + replay.missing();
    troubles.finish()?;
    let time = clock::now().duration_since(began).as_secs_f64();
    let Sent { events, bytes } = server.sent;
    let mut text = format!("sent {events} events ({}) in {time:.1} s", HumanBytes(bytes));
    for (count, what) in [(replay.left_out(), "left out"), (replay.missing(), "never recorded")] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    report::print(&format!("{text}\n")).map(drop)
}

/// What was handed to the system to be sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    events: u64,
    bytes: u64,
}

/// The connection.
#[derive(Debug)]
struct Server {
    addr: SocketAddr,
    socket: TcpStream,
    /// Says why the connection ended, once it did.
    ended: Receiver<io::Error>,
    sent: Sent,
}

impl Server {
    fn connect(target: &str) -> Result<Self, Failure> {
        let addrs = target.to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
        let mut failure = Failure::Target { target: target.to_owned() };
        for addr in addrs {
            match TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT) {
                Ok(socket) => {
                    return Self::new(addr, socket).map_err(|source| Failure::System {
                        doing: "the connection cannot be used",
                        source,
                    });
                }
                Err(source) => failure = Failure::NoAnswer { addr, source },
            }
        }
        Err(failure)
    }

    /// Reads what the server sends, for a reader that stalls would be a burden to it.
    fn new(addr: SocketAddr, socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let (end, ended) = sync_channel(1);
        let incoming = socket.try_clone()?;
        thread::Builder::new()
            .name("replay-read".to_owned())
            .spawn(move || discard(incoming, &end))?;
        Ok(Self { addr, socket, ended, sent: Sent::default() })
    }

    fn send_all(
        &mut self,
        replay: &mut Replay,
        troubles: &mut Troubles,
        progress: &mut Progress,
        began: Instant,
    ) -> Result<(), Failure> {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        let mut events = 0;
        while let Some(due) = next(replay, troubles, progress) {
            // What is due already goes together.
            let is_due = |due: &Due| clock::now().duration_since(began) >= due.after();
            if !batch.is_empty() && (batch.len() >= BATCH_BYTES || !is_due(&due)) {
                self.send(&mut batch, &mut events)?;
            }
            self.wait_until(&due, began, progress)?;
            due.write(clock::unix_ms(), &mut batch);
            events += 1;
            progress.show(&due, replay, self.sent.events + events);
        }
        self.send(&mut batch, &mut events)
    }

    /// Waits until the event is due, or the connection has ended.
    fn wait_until(&self, due: &Due, began: Instant, progress: &Progress) -> Result<(), Failure> {
        loop {
            let passed = clock::now().duration_since(began);
            let wait = due.after().saturating_sub(passed);
            match self.ended.recv_timeout(wait.min(TICK)) {
                Ok(source) => return Err(self.lost(source)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.lost(io::ErrorKind::ConnectionAborted.into()));
                }
                Err(RecvTimeoutError::Timeout) if wait > TICK => progress.tick(passed),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    fn send(&mut self, batch: &mut Vec<u8>, events: &mut u64) -> Result<(), Failure> {
        self.socket.write_all(batch).map_err(|source| self.lost(source))?;
        self.sent.events += std::mem::take(events);
        self.sent.bytes += u64::try_from(batch.len()).unwrap_or_default();
        batch.clear();
        Ok(())
    }

    /// Ends what is sent, and waits until the server has taken it.
    fn close(&self) -> Result<(), Failure> {
        if let Ok(source) = self.ended.try_recv() {
            return Err(self.lost(source));
        }
        self.socket.shutdown(Shutdown::Write).map_err(|source| self.lost(source))?;
        match self.ended.recv_timeout(CLOSE_TIMEOUT) {
            // A reset, or no TAK server at all: what was sent last has not been taken.
            Ok(source) if source.kind() != io::ErrorKind::UnexpectedEof => Err(self.lost(source)),
            // Whether a server closes its side too is its own affair.
            _ => Ok(()),
        }
    }

    fn lost(&self, source: io::Error) -> Failure {
        Failure::ConnectionLost { addr: self.addr, sent: self.sent.events, source }
    }
}

/// The next event; what cannot be read is reported.
fn next(replay: &mut Replay, troubles: &mut Troubles, progress: &Progress) -> Option<Due> {
    loop {
        match replay.next()? {
            Ok(due) => {
                troubles.good += 1;
                return Some(due);
            }
            Err(bad) => progress.aside(|| troubles.add(&bad)),
        }
    }
}

/// Reads until there is nothing more to read, and says why.
fn discard(mut incoming: TcpStream, end: &SyncSender<io::Error>) {
    let mut buf = vec![0; 64 << 10];
    let mut is_first = true;
    let error = loop {
        match incoming.read(&mut buf) {
            Ok(0) => break io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it"),
            Ok(_) if std::mem::take(&mut is_first) && buf.starts_with(b"HTTP/") => {
                break io::Error::new(io::ErrorKind::InvalidData, "it is an HTTP server");
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    // The sender may be done.
    let _ = end.try_send(error);
}
