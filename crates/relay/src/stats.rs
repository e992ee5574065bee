//! Counters and tables as plain data, for logs, metrics and operators.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::client::ClientId;
use crate::reason::{CloseReason, DropReason, PerReason, RefuseReason};

/// Counters of a relay since it was made. Every way of losing something has one.
///
/// What came in `= events_in + events_submitted`; of it each is accepted, held, control or rejected.
/// Over all clients: copies of accepted events `= delivered + conflated + dropped + pending`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that were admitted.
    pub connections_received: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Connections refused, by reason.
    pub connections_refused: PerReason<RefuseReason>,
    /// Connections closed, by reason.
    pub connections_closed: PerReason<CloseReason>,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Complete messages read from clients, whatever became of them.
    pub events_in: u64,
    /// Events submitted by those who have no connection, whatever became of them.
    pub events_submitted: u64,
    /// Events put into the log, by clients and by the server itself.
    pub events_accepted: u64,
    /// Control messages consumed by the relay (pings, negotiation, ...).
    pub events_control: u64,
    /// Events that went nowhere, by reason. Not well-formed ones are in `invalid`, see also
    /// [`Stats::rejected`].
    pub events_rejected: PerReason<DropReason>,
    /// Events whose addressees are all away and that are held for them.
    pub events_held: u64,
    /// Invalid input by the parser's code, as `(code, count)`, codes in alphabetical order.
    pub rejected: Vec<(&'static str, u64)>,
    /// Event copies written to clients, without replays.
    pub delivered: u64,
    /// Event copies written to newcomers: what had been accepted before they came.
    pub replayed: u64,
    /// Event copies not written because a newer event of the same uid replaced them.
    pub conflated: u64,
    /// Event copies lost for a client, by reason.
    pub dropped: PerReason<DropReason>,
    /// Uids whose newest event is kept for newcomers.
    pub state_events: u64,
    /// Bytes of those events.
    pub state_bytes: u64,
    /// Uids forgotten for newcomers because that memory was full.
    pub state_evicted: u64,
    /// Clients and callers that named a team for which there was no place. The relay knows 63 at one
    /// time, with names of at most 256 bytes. The 14 [colours](cot_core::TEAMS) and those that the
    /// policy names are always among them; of the others, under an isolating policy, one address
    /// gets a third of what is left. Under such a policy a client without a place is on its own.
    pub teams_refused: u64,
    /// Alerts that are being repeated.
    pub emergencies: u64,
    /// Events put by for somebody who is away, one for each addressee.
    pub held: u64,
    /// Of those, delivered after a return.
    pub held_delivered: u64,
    /// Of those, dropped because nobody returned in time.
    pub held_expired: u64,
    /// Events for somebody who is away for which there was no room.
    pub held_refused: u64,
    /// Events that are held now.
    pub held_events: u64,
    /// Bytes of memory that they use.
    pub held_bytes: u64,
    /// Bytes of events in the log that some client may still read.
    pub log_bytes: u64,
}

/// One connection, for the operator's table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The connection.
    pub id: ClientId,
    /// Where it comes from, if it has an address.
    pub addr: Option<SocketAddr>,
    /// The address of this host that it came to, if that is known.
    pub local_addr: Option<SocketAddr>,
    /// What carries it: `tcp`, or the embedder's own word.
    pub transport: &'static str,
    /// Encoding of the connection: `xml`.
    pub protocol: &'static str,
    /// The uid it first said it is; empty before that.
    pub uid: String,
    /// Its callsign; empty before it said one.
    pub callsign: String,
    /// Its team; empty without one.
    pub team: String,
    /// Its role; empty without one.
    pub role: String,
    /// Milliseconds since it connected.
    pub connected_ms: u64,
    /// Milliseconds since its last complete message, if there was one.
    pub last_in_ms: Option<u64>,
    /// Milliseconds since bytes were last written to it, if any were.
    pub last_out_ms: Option<u64>,
    /// Messages read from it.
    pub events_in: u64,
    /// Bytes read from it.
    pub bytes_in: u64,
    /// Event copies written to it, without its replay.
    pub delivered: u64,
    /// Event copies of its replay.
    pub replayed: u64,
    /// Bytes written to it.
    pub bytes_out: u64,
    /// Events in the log behind which it is, whoever they are for.
    pub lag_events: u64,
    /// Event copies it did not get because newer ones replaced them.
    pub conflated: u64,
    /// Event copies it lost, by reason.
    pub dropped: PerReason<DropReason>,
    /// Whether its socket takes no bytes at the moment.
    pub stalled: bool,
}

/// A uid that has said who it is (an event with `contact` callsign and endpoint).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ContactInfo {
    /// Its uid.
    pub uid: String,
    /// Its callsign.
    pub callsign: String,
    /// Its endpoint, as it said it.
    pub endpoint: String,
    /// The event type of its last report, such as `a-f-G-U-C`.
    pub kind: String,
    /// Its team; empty without one.
    pub team: String,
    /// Its role; empty without one.
    pub role: String,
    /// Connections that speak for it, newest last.
    pub clients: Vec<ClientId>,
    /// Milliseconds since its last report.
    pub last_seen_ms: u64,
}

/// Somebody who has said who they are, here or away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointInfo {
    /// Their uid.
    pub uid: Arc<str>,
    /// The callsign they used last.
    pub callsign: Arc<str>,
    /// Their team; empty without one.
    pub team: Arc<str>,
    /// Their role; empty without one.
    pub role: Arc<str>,
    /// Whether they are here now.
    pub is_here: bool,
    /// When they last reported, or left if they are away: milliseconds since 1970 by the server's
    /// clock. Who was here when the server stopped is away, and reported last before that.
    pub seen_ms: i64,
}

/// A team and who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TeamInfo {
    /// Its name, as the clients spell it; empty for those without a team.
    pub name: String,
    /// Connections in it.
    pub clients: usize,
    /// Teams whose events it receives; `*` alone means all.
    pub receives_from: Vec<String>,
}
