//! The plainest possible broadcaster: the ceiling that a real relay is measured against.
//!
//! One thread and one poll. It cuts each stream behind `</event>`, and hands what came in one turn
//! to every other client with one vectored write each. It parses nothing, routes nothing, replays
//! nothing, answers no ping and queues without bound, so it is no server; but nothing that reads
//! and writes the same bytes through the same sockets does less.
//!
//! ```text
//! baseline [ADDR]      # default 127.0.0.1:0; prints `listening cot ADDR`, then `ready`
//! ```
#![expect(clippy::indexing_slicing, reason = "every range is cut from the buffer it indexes")]

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Bytes of all clients together that one turn takes in. Small enough to stay in the cache while
/// it is written to a hundred sockets.
const BATCH: usize = 512 * 1024;

/// Most bytes taken from one client per turn, so that every client gets its share of a batch.
const READ: usize = 64 * 1024;

/// Longest event; a client that sends more without an end is closed.
const LONGEST: usize = 1024 * 1024;

/// Slices handed to one vectored write when a queue is resumed.
const SLICES: usize = 64;

const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let addr: SocketAddr = match std::env::args().nth(1) {
        Some(addr) => addr.parse().map_err(io::Error::other)?,
        None => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let mut server = Server::bind(addr)?;
    let addr = server.listener.local_addr()?;
    // At once, and whether or not anyone reads it: who has read the address may be gone by `ready`.
    let _ = io::stdout().write_all(format!("listening cot {addr}\nready\n").as_bytes());
    server.run()
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    /// Clients whose socket may still hold bytes, oldest first.
    readable: VecDeque<usize>,
    /// The events of one turn, one client's after the other's; reused by every turn.
    batch: Vec<u8>,
}

struct Client {
    socket: TcpStream,
    /// The begin of an event whose end has not come.
    carry: Vec<u8>,
    /// What the socket did not take, oldest first.
    queue: VecDeque<(Rc<[u8]>, Range<usize>)>,
    /// This client's own part of the turn's batch.
    own: Range<usize>,
    is_listed: bool,
    is_writable: bool,
}

impl Server {
    fn bind(addr: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: Vec::new(),
            free: Vec::new(),
            readable: VecDeque::new(),
            batch: vec![0; BATCH],
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let wait = if self.readable.is_empty() { None } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let index = event.token().0;
                let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
                    continue;
                };
                if event.is_writable() {
                    client.is_writable = true;
                    if client.flush().is_err() {
                        self.close(index);
                        continue;
                    }
                }
                if event.is_readable() || event.is_read_closed() {
                    self.list(index);
                }
            }
            let filled = self.fill();
            if filled > 0 {
                self.spread(filled);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index), both)?;
            self.clients[index] = Some(Client {
                socket,
                carry: Vec::new(),
                queue: VecDeque::new(),
                own: 0..0,
                is_listed: false,
                is_writable: true,
            });
        }
    }

    fn list(&mut self, index: usize) {
        if let Some(client) = self.clients[index].as_mut()
            && !client.is_listed
        {
            client.is_listed = true;
            self.readable.push_back(index);
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(mut client) = self.clients[index].take() {
            // Closing the socket deregisters it; a failure here changes nothing.
            drop(self.poll.registry().deregister(&mut client.socket));
            self.readable.retain(|&listed| listed != index);
            self.free.push(index);
        }
    }

    /// Reads each readable client once, as long as the batch has room; the length of whole events.
    fn fill(&mut self) -> usize {
        let mut filled = 0;
        for _ in 0..self.readable.len() {
            let Some(&index) = self.readable.front() else { break };
            let Some(client) = self.clients[index].as_mut() else {
                self.readable.pop_front();
                continue;
            };
            let start = filled + client.carry.len();
            if filled > 0 && start + READ > BATCH {
                break;
            }
            self.readable.pop_front();
            client.is_listed = false;
            if start + READ > self.batch.len() {
                self.batch.resize(start + READ, 0);
            }
            match client.socket.read(&mut self.batch[start..start + READ]) {
                Ok(0) => self.close(index),
                Ok(n) => {
                    self.batch[filled..start].copy_from_slice(&client.carry);
                    let whole = whole_events(&self.batch[filled..start + n]);
                    client.own = filled..filled + whole;
                    client.carry.clear();
                    client.carry.extend_from_slice(&self.batch[filled + whole..start + n]);
                    filled += whole;
                    if client.carry.len() > LONGEST {
                        self.close(index);
                    } else if n == READ {
                        // A full read may have left bytes; a short one has emptied the socket.
                        self.list(index);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.close(index),
            }
        }
        filled
    }

    /// Writes the batch to every client but for the part that came from it.
    fn spread(&mut self, filled: usize) {
        // Made once per turn, and only when some socket does not take everything.
        let mut shared: Option<Rc<[u8]>> = None;
        for index in 0..self.clients.len() {
            let Some(client) = self.clients[index].as_mut() else { continue };
            let own = std::mem::replace(&mut client.own, 0..0);
            let (before, after) = (0..own.start, own.end..filled);
            let total = before.len() + after.len();
            if total == 0 {
                continue;
            }
            let mut taken = 0;
            if client.is_writable && client.queue.is_empty() {
                let parts = [
                    IoSlice::new(&self.batch[before.clone()]),
                    IoSlice::new(&self.batch[after.clone()]),
                ];
                // Two slices cost more than one, so an empty one is left out.
                let parts = if before.is_empty() { &parts[1..] } else { &parts[..] };
                match client.socket.write_vectored(parts) {
                    Ok(n) => taken = n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => {
                        self.close(index);
                        continue;
                    }
                }
            }
            if taken < total {
                client.is_writable = false;
                let shared = shared.get_or_insert_with(|| Rc::from(&self.batch[..filled]));
                for part in [before, after] {
                    let skip = taken.min(part.len());
                    taken -= skip;
                    if skip < part.len() {
                        client.queue.push_back((Rc::clone(shared), part.start + skip..part.end));
                    }
                }
            }
        }
    }
}

impl Client {
    /// Resumes the queue until it or the socket's room ends.
    fn flush(&mut self) -> io::Result<()> {
        while !self.queue.is_empty() {
            let parts: Vec<_> = self
                .queue
                .iter()
                .take(SLICES)
                .map(|(bytes, part)| IoSlice::new(&bytes[part.clone()]))
                .collect();
            let total: usize = parts.iter().map(|part| part.len()).sum();
            let taken = match self.socket.write_vectored(&parts) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            self.advance(taken);
            if taken < total {
                self.is_writable = false;
                return Ok(());
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut taken: usize) {
        while let Some((_, part)) = self.queue.front_mut() {
            if taken < part.len() {
                part.start += taken;
                return;
            }
            taken -= part.len();
            self.queue.pop_front();
        }
    }
}

/// The length of the whole events that `bytes` begins with, found one by one.
fn whole_events(bytes: &[u8]) -> usize {
    const END: &[u8] = b"</event>";
    memmem::find_iter(bytes, END).last().map_or(0, |at| at + END.len())
}
