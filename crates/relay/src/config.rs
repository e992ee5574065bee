//! Everything a relay can be told, with defaults, units and reasons.

use std::time::Duration;

use cot_core::Limits;

use crate::teams::TeamPolicy;

/// Settings of a relay. Start from [`HubConfig::default`] and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubConfig {
    /// Connections at one time. A further one is refused. Defaults to 10,000.
    pub max_clients: usize,
    /// Connections at one time from one IP address. Whole units sit behind one NAT address, so the
    /// default is generous: 2,048. Lower it on the open internet.
    pub max_clients_per_address: usize,
    /// Limits on one inbound event. See [`Limits`].
    pub limits: Limits,
    /// Largest event handed to clients, in bytes. ATAK, WinTAK and iTAK cannot take more than
    /// 65,536 bytes and may lose the event behind a larger one, so that is the default. A larger
    /// event is accepted, counted as `oversize` and not relayed.
    pub max_relayed_event: usize,
    /// Bytes of unread events kept for clients that lag for a moment. A client further behind than
    /// this skips what has been superseded. Defaults to 1 MiB, shared by all clients.
    pub log_bytes: usize,
    /// A client whose socket takes no bytes for this long skips superseded events from then on and
    /// no longer holds log memory. Defaults to 1 s.
    pub stall_grace: Duration,
    /// A client that stays stalled for this long is closed as `write_timeout`. It costs only its
    /// place in the log until then, and the dead are found by TCP, so the default is long: 120 s.
    pub write_timeout: Duration,
    /// Bytes of undelivered critical events (chat, alerts, deletions, directed events) that one
    /// client may fall behind before it is closed as `slow_consumer`: silent loss of chat is worse
    /// than a reconnect. Defaults to 256 KiB.
    pub max_critical_lag: usize,
    /// Uids whose newest event is kept for newcomers. Beyond it the oldest is dropped and counted.
    /// Defaults to 20,000, about 20 MB of position reports.
    pub max_state_events: usize,
    /// Bytes of events kept for newcomers. Beyond it the oldest is dropped and counted. Defaults to
    /// 16 MiB.
    pub max_state_bytes: usize,
    /// Longest time an event is kept for newcomers whatever its stale time says. Defaults to 24 h.
    pub max_state_age: Duration,
    /// How long a deletion is remembered for late joiners. Defaults to 1 h.
    pub tombstone_age: Duration,
    /// How long a newcomer's replay waits for the newcomer to say who it is, so that its own old
    /// position is not sent back to it and an isolated team is known. Defaults to 250 ms.
    pub replay_hold: Duration,
    /// Alerts that are repeated until cancelled. Further ones are relayed once. Defaults to 256.
    pub max_emergencies: usize,
    /// Time between two repetitions of an active alert. Defaults to 10 s; zero turns repetition
    /// off.
    pub emergency_period: Duration,
    /// Longest time that chat and notices of shared files are held for somebody who has been here
    /// and is away. Defaults to 24 h; zero turns holding off.
    pub hold_age: Duration,
    /// Bytes held for those who are away. One of them gets at most half of
    /// [`max_critical_lag`](Self::max_critical_lag). What does not fit goes back to its sender.
    /// Defaults to 4 MiB.
    pub max_held_bytes: usize,
    /// A client that was sent nothing for this long gets a pong. ATAK drops a link after 25 s
    /// without a complete message, so the default keeps 5 s of margin: 20 s. Zero turns it off.
    pub heartbeat: Duration,
    /// A client that has pinged before and then sends nothing for this long is taken for dead.
    /// Listeners that never ping are left alone. Defaults to 300 s; zero turns it off.
    pub idle_timeout: Duration,
    /// Time to complete an event once its first byte came. Defaults to 15 s.
    pub event_timeout: Duration,
    /// Extra time to gather events before they are written, for boards where CPU matters more than
    /// latency. Defaults to zero: what has accumulated goes out at the end of each turn.
    pub gather: Duration,
    /// Who sees whom. Defaults to [`TeamPolicy::open`].
    pub teams: TeamPolicy,
    /// Server name for a flow tag `TinyCoT-<name>`: added to every relayed event, and an event that
    /// carries it already is dropped as a loop. Off by default. Letters, digits, `.`, `-`, `_`.
    pub flow_tag: Option<String>,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            max_clients: 10_000,
            max_clients_per_address: 2_048,
            limits: Limits::default(),
            max_relayed_event: 65_536,
            log_bytes: 1 << 20,
            stall_grace: Duration::from_secs(1),
            write_timeout: Duration::from_secs(120),
            max_critical_lag: 256 << 10,
            max_state_events: 20_000,
            max_state_bytes: 16 << 20,
            max_state_age: Duration::from_secs(24 * 3600),
            tombstone_age: Duration::from_secs(3600),
            replay_hold: Duration::from_millis(250),
            max_emergencies: 256,
            emergency_period: Duration::from_secs(10),
            hold_age: Duration::from_secs(24 * 3600),
            max_held_bytes: 4 << 20,
            heartbeat: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(300),
            event_timeout: Duration::from_secs(15),
            gather: Duration::ZERO,
            teams: TeamPolicy::open(),
            flow_tag: None,
        }
    }
}
