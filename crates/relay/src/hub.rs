//! The routing core.

mod accept;
mod admit;
mod client;
mod contacts;
mod emergency;
mod hold;
mod identify;
mod keys;
mod log;
mod masks;
mod picture;
mod places;
mod pong;
mod read;
mod report;
mod roster;
mod route;
mod settle;
mod submit;
mod timer;
mod view;
mod watch;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;

use self::client::Client;
use self::contacts::Contacts;
use self::emergency::Alerts;
use self::keys::KeyId;
use self::log::{Log, Seq};
use self::masks::Teams;
use self::places::Pinned;
use self::pong::Pong;
use self::roster::Roster;
use self::settle::Pending;
use self::watch::Watch;
use crate::client::ClientId;
use crate::config::HubConfig;
use crate::reason::CloseReason;
use crate::stats::Stats;

pub use self::accept::{PublishError, Scope};
pub use self::picture::ExportCursor;
pub use self::read::Batch;
pub use self::submit::Submitted;

/// The routing core: performs no I/O, reads no clock, spawns nothing.
///
/// It has four classes of method: `handle_*` for what the world did; [`publish`](Self::publish) and
/// [`submit`](Self::submit) for what the application wants; [`poll_output`](Self::poll_output) and
/// [`poll_timeout`](Self::poll_timeout) for what the caller must do next; and getters.
///
/// > After any `handle_*`, `publish` or `submit`, drain `poll_output` to `None`, then arm one timer for
/// > `poll_timeout`. Draining may be put off to the end of a turn, so that several events leave
/// > in one write.
///
/// For a client that is [`Readable`](Output::Readable), call [`read`](Self::read), write the
/// batch, and [`commit`](Self::commit) what was written, until a read is empty or the transport
/// takes no more; in the latter case go on when it does. While shutting down, an empty read is the
/// end of a connection: drain `poll_output` after it too.
///
/// Calls for a [`ClientId`] that is closed do nothing: a shell may race with a close.
///
/// ```
/// use cot_core::{Deframer, Item, Limits, Scanner};
/// use relay::{Batch, Hub, HubConfig, Now, Output, Peer};
///
/// let mut hub = Hub::new(HubConfig::default());
/// let now = Now { mono_ms: 1_000, unix_ms: 1_767_225_600_000 };
/// let alpha = hub.handle_connect(now, Peer::local("memory"))?;
/// let bravo = hub.handle_connect(now, Peer::local("memory"))?;
/// let later = Now { mono_ms: 1_300, ..now }; // bravo did not say who it is: replay starts anyway
/// hub.handle_timeout(later);
///
/// let bytes = br#"<event version="2.0" uid="A" type="a-f-G-U-C" how="m-g"
///   time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:06:15Z"
///   ><point lat="1" lon="2" hae="0" ce="9" le="9"/></event>"#;
/// let (mut deframer, mut scanner) = (Deframer::new(), Scanner::new(Limits::default()));
/// deframer.feed(&mut scanner, bytes, &mut |item: Item<'_>| hub.handle_item(later, alpha, &item))?;
///
/// let mut readable = Vec::new();
/// while let Some(output) = hub.poll_output() {
///     if let Output::Readable { client } = output {
///         readable.push(client);
///     }
/// }
/// assert!(readable.contains(&bravo));
/// let mut batch = Batch::default();
/// hub.read(later, bravo, &mut batch, 65_536);
/// assert_eq!(batch.slices(), [&bytes[..]]);
/// hub.commit(later, bravo, &batch, batch.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Hub {
    config: HubConfig,
    clients: Slab<Client>,
    next_serial: u32,
    per_address: HashMap<IpAddr, usize>,
    contacts: Contacts,
    teams: Teams,
    alerts: Alerts,
    /// Who has been here, and what is held for those who are away.
    roster: Roster,
    log: Log,
    pong: Pong,
    /// Uids whose newest word is that they are gone, oldest first, each with that word's place.
    departed: VecDeque<(KeyId, Seq)>,
    /// Everything below this has been announced to its audience.
    settled: Seq,
    /// Who has to be told of the events from `settled` on.
    pending: Pending,
    /// Clients in replay, catching up or stalled: those that may need what left the tail.
    behind: usize,
    readable: VecDeque<ClientId>,
    closing: VecDeque<(ClientId, CloseReason)>,
    /// Newcomers waiting for their replay, in the order of their deadlines.
    holds: VecDeque<(u64, ClientId)>,
    next_tick_ms: u64,
    /// The places for teams that events still need.
    pinned: Pinned,
    /// When the log may be told again that a team has no place.
    next_team_warning_ms: u64,
    /// Bytes of unfinished events of all clients.
    unfinished: usize,
    /// Set when shutting down: whoever has got everything below this is done.
    drains_to: Option<Seq>,
    stats: Stats,
    rejected: BTreeMap<&'static str, u64>,
    /// What is to be reported to an observer.
    watch: Watch,
    /// The empty text, shared.
    none: Arc<str>,
}

/// What the caller must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// The client has something to read at its cursor.
    Readable {
        /// Which client.
        client: ClientId,
    },
    /// End the connection, then call [`Hub::handle_disconnect`].
    Close {
        /// Which client.
        client: ClientId,
        /// Why.
        reason: CloseReason,
    },
}

impl Hub {
    /// Makes an empty relay.
    pub fn new(config: HubConfig) -> Self {
        Self {
            clients: Slab::new(),
            next_serial: 1,
            per_address: HashMap::new(),
            contacts: Contacts::default(),
            teams: Teams::new(config.teams.clone()),
            alerts: Alerts::default(),
            roster: Roster::default(),
            log: Log::new(),
            pong: Pong::default(),
            departed: VecDeque::new(),
            settled: 1,
            pending: Pending::default(),
            behind: 0,
            readable: VecDeque::new(),
            closing: VecDeque::new(),
            holds: VecDeque::new(),
            next_tick_ms: 0,
            pinned: Pinned::default(),
            next_team_warning_ms: 0,
            unfinished: 0,
            drains_to: None,
            stats: Stats::default(),
            rejected: BTreeMap::new(),
            watch: Watch::default(),
            none: Arc::from(""),
            config,
        }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    /// Hands out what the caller must do next, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.settle();
        // What concerns those who left meanwhile is passed over: their place may be another's.
        while let Some((client, reason)) = self.closing.pop_front() {
            if self.client(client).is_some() {
                return Some(Output::Close { client, reason });
            }
        }
        while let Some(client) = self.readable.pop_front() {
            if self.client(client).is_some() {
                return Some(Output::Readable { client });
            }
        }
        None
    }

    /// Whether `poll_output` has a connection to close.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(id.slot()).filter(|client| client.id == id)
    }

    fn client_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(id.slot()).filter(|client| client.id == id)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("clients", &self.clients.len())
            .field("contacts", &self.contacts.len())
            .field("head", &self.log.head())
            .finish_non_exhaustive()
    }
}
