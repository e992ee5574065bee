//! The Tokio shell: sockets, timers and tasks around a [`Hub`].
//!
//! ```no_run
//! use relay::{HubConfig, server};
//! # async fn example() -> std::io::Result<()> {
//! let (relay, driver) = server::Relay::new(HubConfig::default());
//! tokio::spawn(driver.run());
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8087").await?;
//! server::serve(listener, relay, std::future::pending()).await
//! # }
//! ```
//!
//! Any transport that is `AsyncRead + AsyncWrite` plugs in with [`Relay::attach`]. A relay does
//! the least work on a `current_thread` runtime, where nothing is ever contended; it also runs on a
//! multi-threaded one. With many clients, have the runtime finish a turn before it looks at sockets
//! again, with `Builder::event_interval(1024)`: writes under load are fewer and larger then.

mod accept;
mod connection;
mod driver;
mod front;
mod scratch;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cot_core::Scanner;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::connection::Connection;
use self::driver::Shell;
use self::scratch::ScratchPool;
use crate::{ClientInfo, CloseReason, ContactInfo, ExportCursor, Hub, HubConfig, Now, Observe};
use crate::{Observed, Peer, PublishError, Record, RefuseReason, Restored, Scope, Stats, TeamInfo};

pub use self::accept::serve;
pub use self::driver::Driver;

/// A running relay. Clones share it; its driver ends when the last one is gone.
#[derive(Clone, Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    _alive: Arc<Alive>,
}

impl Relay {
    /// Makes a relay. Nothing moves until the driver runs, on the runtime that serves the clients.
    pub fn new(config: HubConfig) -> (Self, Driver) {
        let limits = config.limits;
        let gather = config.gather;
        let shared = Arc::new(Shared {
            shell: Mutex::new(Shell::new(Hub::new(config))),
            reporter: Mutex::new(Reporter::default()),
            turn: Notify::new(),
            emptied: Notify::new(),
            scratch: ScratchPool::new(limits),
            clock: Clock::start(),
        });
        let alive = Arc::new(Alive { shared: shared.clone() });
        let driver = Driver::new(shared.clone(), gather);
        (Self { shared, _alive: alive }, driver)
    }

    /// Serves one connection until it ends, and says why it did.
    ///
    /// The transport should write without delay (`TCP_NODELAY`) and find dead peers by itself;
    /// [`serve`] sees to both.
    ///
    /// # Errors
    ///
    /// When the connection is not admitted. Nothing was read or written then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the connection as if the peer had closed it.
    pub async fn attach<S>(&self, io: S, peer: Peer) -> Result<CloseReason, RefuseReason>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let id = self.shared.shell().hub.handle_connect(self.shared.clock.now(), peer)?;
        self.shared.end_turn();
        Ok(Connection::new(io, id, self.clone()).await)
    }

    /// Sends an event of the application.
    ///
    /// # Errors
    ///
    /// When `event` is not one valid event, or is larger than clients can take.
    pub fn publish(&self, event: &[u8], scope: &Scope) -> Result<(), PublishError> {
        let limits = self.shared.shell().hub.config().limits;
        let mut scanner = Scanner::new(limits);
        let header = scanner.scan(event).map_err(PublishError::Invalid)?;
        self.shared.shell().hub.publish(self.shared.clock.now(), &header, scope)?;
        self.shared.end_turn();
        Ok(())
    }

    /// Reports to `observer` from now on, at the end of each turn. It takes the place of the former
    /// one. See [`Observed`].
    pub fn observe(&self, what: Observe, observer: Box<dyn Observer>) {
        let mut reporter = self.shared.reporter();
        reporter.observer = Some(observer);
        let mut shell = self.shared.shell();
        shell.hub.observe(what);
        shell.is_observed = true;
    }

    /// Reports what has happened since the last turn at once, on the caller's thread: for the end,
    /// when no turn may follow.
    pub fn report(&self) {
        self.shared.report();
    }

    /// Changes of the picture so far; see [`Observed::changes_upto`].
    pub fn changes(&self) -> u64 {
        self.shared.shell().hub.changes()
    }

    /// The next part of the picture; see [`Hub::export`].
    pub fn export(&self, cursor: &mut ExportCursor, max: usize) -> Vec<Record> {
        self.shared.shell().hub.export(self.shared.clock.now(), cursor, max)
    }

    /// Puts in a picture from before a restart, before the first client comes; see
    /// [`Hub::restore`].
    pub fn restore(&self, records: impl IntoIterator<Item = Record>) -> Restored {
        self.shared.shell().hub.restore(self.shared.clock.now(), records)
    }

    /// The wall clock as the relay reads it, and its monotonic one.
    pub fn now(&self) -> Now {
        self.shared.clock.now()
    }

    /// All counters.
    pub fn stats(&self) -> Stats {
        self.shared.shell().hub.stats()
    }

    /// One row per connection, oldest first.
    pub fn clients(&self) -> Vec<ClientInfo> {
        self.shared.shell().hub.clients(self.shared.clock.now())
    }

    /// One row per uid that has said who it is, by callsign.
    pub fn contacts(&self) -> Vec<ContactInfo> {
        self.shared.shell().hub.contacts(self.shared.clock.now())
    }

    /// One row per team with clients, by name.
    pub fn teams(&self) -> Vec<TeamInfo> {
        self.shared.shell().hub.teams()
    }

    /// Refuses newcomers, writes what was accepted before, and closes every connection. Returns
    /// whether all were done within `within`; the rest keep going until their tasks are dropped.
    ///
    /// # Cancel safety
    ///
    /// The draining goes on when the future is dropped.
    pub async fn drain(&self, within: Duration) -> bool {
        self.shared.shell().hub.handle_shutdown();
        self.shared.end_turn();
        let emptied = async {
            loop {
                let notified = self.shared.emptied.notified();
                if self.shared.shell().hub.stats().connections_open == 0 {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(within, emptied).await.is_ok()
    }
}

#[derive(Debug)]
struct Shared {
    /// Sections under this lock are short, never wait and never write to a socket.
    shell: Mutex<Shell>,
    /// Never locked by one who holds `shell`.
    reporter: Mutex<Reporter>,
    /// Wakes the driver.
    turn: Notify,
    /// A connection has ended.
    emptied: Notify,
    scratch: ScratchPool,
    clock: Clock,
}

impl Shared {
    fn shell(&self) -> MutexGuard<'_, Shell> {
        // A panic in another task must not take the relay down with it.
        self.shell.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells the observer what has happened since the last time.
    fn report(&self) {
        let mut reporter = self.reporter();
        let Reporter { observer, observed } = &mut *reporter;
        let Some(observer) = observer else { return };
        self.shell().hub.take_observed(observed);
        if !observed.is_empty() {
            observer.observe(observed);
            observed.clear();
        }
    }

    /// Has the driver hand out what the hub wants done, once the tasks that are ready now have run.
    fn end_turn(&self) {
        let is_first = !std::mem::replace(&mut self.shell().is_turn_due, true);
        if is_first {
            self.turn.notify_one();
        }
    }
}

/// Is told what happens in a relay.
pub trait Observer: Send + 'static {
    /// Takes the report of a turn. Called on the relay's thread, between two turns: must not wait.
    /// It may take the lists out of `observed`; what it leaves is dropped.
    fn observe(&mut self, observed: &mut Observed);
}

/// Who is told, and the lists that are used again and again.
#[derive(Default)]
struct Reporter {
    observer: Option<Box<dyn Observer>>,
    observed: Observed,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").field("observed", &self.observed).finish_non_exhaustive()
    }
}

/// Held by every handle; the last one ends the driver.
#[derive(Debug)]
struct Alive {
    shared: Arc<Shared>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.shell().has_ended = true;
        self.shared.turn.notify_one();
    }
}

/// The only clock of the relay. It stands still when the runtime's does, so that tests can be
/// quick about long times.
#[derive(Debug)]
struct Clock {
    origin: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { origin: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono_ms: crate::now::millis(self.origin.elapsed()),
            unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
        }
    }
}
