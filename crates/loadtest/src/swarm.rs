//! Many clients on one thread: sockets, one poll, one read buffer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::LoadError;
use crate::alarm::Alarm;
use crate::clock::{Clock, nanos};
use crate::event::{self, Who};
use crate::marker::Marker;
use crate::scan::{self, Scanner};

/// Bytes read at once: enough to make calls rare, few enough to be scanned from the cache.
const READ: usize = 256 * 1024;

/// Receive buffer of a client that will stop reading. Bytes. Small, so that it soon is felt.
const STALLED_BUFFER: usize = 32 * 1024;

/// Longest wait for the connection of such a client.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Quiet time before the first ping, and between pings, as ATAK has them.
const QUIET: Duration = Duration::from_secs(15);
const PING_EVERY: Duration = Duration::from_millis(4500);

/// How much later than its limit a poll may end.
const COARSE: Duration = Duration::from_millis(2);

/// How often clients are looked through for quiet ones.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One event as one client got it.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// Token of the client.
    pub(crate) link: usize,
    /// The mark in it, if it has one.
    pub(crate) marker: Option<Marker>,
    /// The text, from the end of the event before to its own.
    pub(crate) event: &'a [u8],
    /// When the read that brought it returned. Nanoseconds of the run's clock.
    pub(crate) now: u64,
}

/// The sockets of all clients of a run.
#[derive(Debug)]
pub(crate) struct Swarm {
    poll: Poll,
    alarm: Alarm,
    events: Events,
    target: SocketAddr,
    clock: Clock,
    links: Vec<Option<Link>>,
    free: Vec<usize>,
    /// Links whose socket may hold bytes, each once.
    readable: VecDeque<usize>,
    buf: Vec<u8>,
    scanner: Scanner,
    ended: Vec<usize>,
    next_look_ns: u64,
}

#[derive(Debug)]
struct Link {
    socket: TcpStream,
    who: Option<Who>,
    state: State,
    /// The begin of an event whose end has not come.
    carry: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
    is_listed: bool,
    is_writable: bool,
    heard_ns: u64,
    pinged_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Reads nothing any more.
    Stalled,
}

impl Swarm {
    pub(crate) fn new(target: SocketAddr, clock: Clock) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Poll { source };
        let poll = Poll::new().map_err(failed)?;
        Ok(Self {
            alarm: Alarm::new(poll.registry()).map_err(failed)?,
            poll,
            events: Events::with_capacity(1024),
            target,
            clock,
            links: Vec::new(),
            free: Vec::new(),
            readable: VecDeque::new(),
            buf: vec![0; READ],
            scanner: Scanner::new(),
            ended: Vec::new(),
            next_look_ns: 0,
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Begins to connect a client, which pings as `who` if given; its token.
    ///
    /// Tokens count from 0 in the order of calls, and those of closed clients are used again.
    pub(crate) fn connect(
        &mut self,
        who: Option<Who>,
        will_stall: bool,
    ) -> Result<usize, LoadError> {
        let link = self.free.last().copied().unwrap_or(self.links.len());
        let target = self.target;
        let failed = |source| LoadError::Connect { client: link, source, target };
        let opened = if will_stall { connect_small(target) } else { TcpStream::connect(target) };
        let mut socket = opened.map_err(failed)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(link), both).map_err(failed)?;
        let heard_ns = self.clock.now();
        let opened = Link {
            socket,
            who,
            state: State::Connecting,
            carry: Vec::new(),
            unsent: Vec::new(),
            is_listed: false,
            is_writable: false,
            heard_ns,
            pinged_ns: 0,
        };
        if self.free.pop().is_some() {
            if let Some(slot) = self.links.get_mut(link) {
                *slot = Some(opened);
            }
        } else {
            self.links.push(Some(opened));
        }
        Ok(link)
    }

    /// Whether the client is connected.
    pub(crate) fn is_open(&self, link: usize) -> bool {
        self.link(link).is_some_and(|link| link.state != State::Connecting)
    }

    /// Whether the socket took everything so far and may take more.
    pub(crate) fn is_clear(&self, link: usize) -> bool {
        self.link(link).is_some_and(|link| link.is_writable && link.unsent.is_empty())
    }

    /// Sends bytes, or keeps what the socket does not take until it does.
    pub(crate) fn send(&mut self, link: usize, bytes: &[u8]) {
        if let Some(open) = self.links.get_mut(link).and_then(Option::as_mut)
            && open.send(bytes).is_err()
        {
            self.end(link);
        }
    }

    /// Makes a client stop reading.
    pub(crate) fn stall(&mut self, link: usize) {
        if let Some(open) = self.links.get_mut(link).and_then(Option::as_mut) {
            open.state = State::Stalled;
        }
    }

    /// Makes a stalled client read again; whether it is still connected.
    pub(crate) fn resume(&mut self, link: usize) -> bool {
        let Some(open) = self.links.get_mut(link).and_then(Option::as_mut) else { return false };
        open.state = State::Open;
        if !std::mem::replace(&mut open.is_listed, true) {
            self.readable.push_back(link);
        }
        true
    }

    /// Closes a client.
    pub(crate) fn close(&mut self, link: usize) {
        if let Some(mut open) = self.links.get_mut(link).and_then(Option::take) {
            // Dropping the socket deregisters it; a failure here changes nothing.
            drop(self.poll.registry().deregister(&mut open.socket));
            self.free.push(link);
        }
    }

    /// Takes the tokens of the clients that the server closed since the last call.
    ///
    /// Their tokens are not used again before.
    pub(crate) fn take_ended(&mut self) -> Vec<usize> {
        let ended = std::mem::take(&mut self.ended);
        self.free.extend_from_slice(&ended);
        ended
    }

    /// Waits until something can be read or sent, at the latest until `until_ns`, and calls
    /// `on_arrival` with each event that came.
    pub(crate) fn turn(
        &mut self,
        until_ns: u64,
        mut on_arrival: impl FnMut(&Arrival<'_>),
    ) -> Result<(), LoadError> {
        let poll_failed = |source| LoadError::Poll { source };
        let left = Duration::from_nanos(until_ns.saturating_sub(self.clock.now()));
        let wait = if left.is_zero() || !self.readable.is_empty() {
            Some(Duration::ZERO)
        } else if left > COARSE {
            // Ends early rather than late; the caller comes again for the rest.
            Some(left - COARSE)
        } else {
            self.alarm.set(left).map_err(poll_failed)?
        };
        if let Err(source) = self.poll.poll(&mut self.events, wait)
            && source.kind() != ErrorKind::Interrupted
        {
            return Err(LoadError::Poll { source });
        }
        self.take_events()?;
        for _ in 0..self.readable.len() {
            let Some(link) = self.readable.pop_front() else { break };
            self.read(link, &mut on_arrival)?;
        }
        self.ping_where_quiet();
        Ok(())
    }

    fn link(&self, link: usize) -> Option<&Link> {
        self.links.get(link)?.as_ref()
    }

    fn end(&mut self, link: usize) {
        if let Some(mut open) = self.links.get_mut(link).and_then(Option::take) {
            drop(self.poll.registry().deregister(&mut open.socket));
            self.ended.push(link);
        }
    }

    fn take_events(&mut self) -> Result<(), LoadError> {
        let mut broken = Vec::new();
        for event in &self.events {
            let token = event.token().0;
            let Some(link) = self.links.get_mut(token).and_then(Option::as_mut) else { continue };
            if event.is_writable() {
                if link.state == State::Connecting {
                    let failure = link.socket.take_error().unwrap_or_else(Some);
                    if let Some(source) = failure.or_else(|| link.socket.peer_addr().err()) {
                        let target = self.target;
                        return Err(LoadError::Connect { client: token, source, target });
                    }
                    // Without this a small event waits for the answer to the one before.
                    let _unsupported = link.socket.set_nodelay(true);
                    link.state = State::Open;
                }
                link.is_writable = true;
                if link.flush().is_err() {
                    broken.push(token);
                    continue;
                }
            }
            if link.state == State::Stalled {
                if event.is_error() || event.is_write_closed() {
                    broken.push(token);
                }
            } else if (event.is_readable() || event.is_read_closed()) && !link.is_listed {
                link.is_listed = true;
                self.readable.push_back(token);
            }
        }
        for token in broken {
            self.end(token);
        }
        Ok(())
    }

    fn read(
        &mut self,
        token: usize,
        on_arrival: &mut impl FnMut(&Arrival<'_>),
    ) -> Result<(), LoadError> {
        let Some(link) = self.links.get_mut(token).and_then(Option::as_mut) else { return Ok(()) };
        link.is_listed = false;
        if link.state == State::Stalled {
            return Ok(());
        }
        let carried = link.carry.len();
        if carried > scan::LONGEST {
            let target = self.target;
            return Err(LoadError::TooLong { client: token, len: carried, target });
        }
        if self.buf.len() < carried + READ {
            self.buf.resize(carried + READ, 0);
        }
        let Some((head, tail)) = self.buf.split_at_mut_checked(carried) else { return Ok(()) };
        head.copy_from_slice(&link.carry);
        let room = tail.len();
        let n = match link.socket.read(tail) {
            Ok(0) => {
                self.end(token);
                return Ok(());
            }
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(_) => {
                self.end(token);
                return Ok(());
            }
        };
        let now = self.clock.now();
        link.heard_ns = now;
        let bytes = self.buf.get(..carried + n).unwrap_or_default();
        let used = self.scanner.scan(bytes, |marker, event| {
            on_arrival(&Arrival { link: token, marker, event, now });
        });
        link.carry.clear();
        link.carry.extend_from_slice(bytes.get(used..).unwrap_or_default());
        // On Unix a short read has emptied the socket, and the poll reports what comes next;
        // elsewhere only an attempt that would block says so.
        if n == room || n == 0 || !cfg!(unix) {
            link.is_listed = true;
            self.readable.push_back(token);
        }
        Ok(())
    }

    fn ping_where_quiet(&mut self) {
        let now = self.clock.now();
        if now < self.next_look_ns {
            return;
        }
        self.next_look_ns = now + nanos(LOOK_EVERY);
        let mut broken = Vec::new();
        for (token, link) in self.links.iter_mut().enumerate() {
            let Some(link) = link else { continue };
            let is_quiet = link.state == State::Open
                && now.saturating_sub(link.heard_ns) > nanos(QUIET)
                && now.saturating_sub(link.pinged_ns) > nanos(PING_EVERY);
            if let Some(who) = link.who
                && is_quiet
            {
                link.pinged_ns = now;
                if link.send(&event::ping(who)).is_err() {
                    broken.push(token);
                }
            }
        }
        for token in broken {
            self.end(token);
        }
    }
}

/// Connects with a small receive buffer.
///
/// Waits for the connection, because the size must be set before: a window that shrinks later
/// makes the system ignore what the peer acknowledges, and what the client sends gets stuck.
fn connect_small(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.set_recv_buffer_size(STALLED_BUFFER)?;
    socket.connect_timeout(&target.into(), CONNECT_LIMIT)?;
    socket.set_nonblocking(true)?;
    Ok(TcpStream::from_std(socket.into()))
}

impl Link {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut taken = 0;
        if self.is_writable && self.unsent.is_empty() {
            taken = self.write(bytes)?;
        }
        self.unsent.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let taken = self.write(&unsent)?;
            self.unsent.extend_from_slice(unsent.get(taken..).unwrap_or_default());
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(n) => taken += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_writable = false;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}
