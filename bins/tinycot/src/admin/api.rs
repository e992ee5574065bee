//! The JSON tables of the admin listener, as they are written and as `tinycot clients` reads them.
//!
//! Times are ages in milliseconds, so that no clock has to agree with another. A map of reasons has
//! only the reasons that occurred.

pub(crate) mod packages;

use std::collections::BTreeMap;

use keeper::{KeeperStats, StateStats};
use relay::{ClientInfo, ContactInfo, PerReason, Reason, Stats, TeamInfo};
use serde::{Deserialize, Serialize};
use store::dump::{DumpStats, GapReason};

use self::packages::{HttpTable, PackagesTable};

/// How often, by reason.
pub(crate) type Counts = BTreeMap<String, u64>;

/// One connection, as `/api/clients` lists it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    /// Number of the connection; never reused.
    pub(crate) id: u64,
    /// Its callsign; empty before it said one. The same for uid, team and role.
    pub(crate) callsign: String,
    pub(crate) uid: String,
    pub(crate) team: String,
    pub(crate) role: String,
    /// `IP:port`; null for transports without addresses.
    pub(crate) address: Option<String>,
    /// What carries it: `tcp`.
    pub(crate) transport: String,
    /// How events are written on it: `xml`.
    pub(crate) protocol: String,
    pub(crate) connected_ms: u64,
    /// Since its last complete message; null before the first.
    pub(crate) last_in_ms: Option<u64>,
    /// Since bytes were last written to it; null before the first.
    pub(crate) last_out_ms: Option<u64>,
    /// Messages and bytes read from it.
    pub(crate) messages_in: u64,
    pub(crate) bytes_in: u64,
    /// Messages written to it, those of its replay, and the bytes of both.
    pub(crate) messages_out: u64,
    pub(crate) replayed: u64,
    pub(crate) bytes_out: u64,
    /// Events in the log that it has not passed yet, whoever they are for.
    pub(crate) lag: u64,
    /// Whether its connection takes no bytes at the moment.
    pub(crate) stalled: bool,
    /// Messages it did not get because newer ones replaced them.
    pub(crate) conflated: u64,
    /// Messages it lost, by reason.
    pub(crate) dropped: Counts,
}

/// A uid that has said who it is, as `/api/contacts` lists it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ContactRow {
    pub(crate) callsign: String,
    pub(crate) uid: String,
    pub(crate) team: String,
    pub(crate) role: String,
    /// Event type of its last report, such as `a-f-G-U-C`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) endpoint: String,
    /// Connections that speak for it, newest last.
    pub(crate) clients: Vec<u64>,
    /// Since its last report.
    pub(crate) last_seen_ms: u64,
}

/// A team, as `/api/teams` lists it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TeamRow {
    /// Empty for those without a team.
    pub(crate) name: String,
    /// Connections in it.
    pub(crate) clients: usize,
    /// Teams whose events it receives; `*` alone means all.
    pub(crate) receives_from: Vec<String>,
}

/// The counters of the relay since its start, as `/api/stats` has them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StatsTable {
    pub(crate) connections_received: u64,
    pub(crate) connections_open: u64,
    pub(crate) connections_refused: Counts,
    pub(crate) connections_closed: Counts,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Complete messages read.
    pub(crate) messages_in: u64,
    /// Messages written, one per recipient, without replays.
    pub(crate) messages_out: u64,
    /// Messages written to newcomers: what had been accepted before they came.
    pub(crate) replayed: u64,
    /// Events put into the log.
    pub(crate) accepted: u64,
    /// Messages that were for the server itself, such as pings.
    pub(crate) control: u64,
    /// Events that went nowhere.
    pub(crate) rejected: Counts,
    /// Invalid input, by what was wrong with it.
    pub(crate) invalid: Counts,
    /// Messages not written because newer ones replaced them.
    pub(crate) conflated: u64,
    /// Messages lost for a recipient.
    pub(crate) dropped: Counts,
    /// Events kept for newcomers, their bytes, and how many were forgotten for want of memory.
    pub(crate) state_events: u64,
    pub(crate) state_bytes: u64,
    pub(crate) state_evicted: u64,
    /// Clients whose team had no place in the table.
    pub(crate) teams_refused: u64,
    /// Alerts that are being repeated.
    pub(crate) emergencies: u64,
    /// Bytes of events that some client may still read.
    pub(crate) event_log_bytes: u64,
    /// Events whose addressees were all away.
    pub(crate) events_held: u64,
    /// Events put by, one for each addressee, and what became of them.
    pub(crate) held: u64,
    pub(crate) held_delivered: u64,
    pub(crate) held_expired: u64,
    /// Events for which there was no room.
    pub(crate) held_refused: u64,
    /// Events put by now, and the memory that they use.
    pub(crate) held_events: u64,
    pub(crate) held_bytes: u64,
    /// What cannot be stored at the moment; the same as `/ready` says.
    pub(crate) problems: Vec<String>,
    /// The picture on disk; null when it is not kept.
    pub(crate) state: Option<StateTable>,
    /// The dump; null when there is none.
    pub(crate) dump: Option<DumpTable>,
    /// HTTP and data packages; null when there are none, or not yet.
    pub(crate) http: Option<HttpTable>,
    pub(crate) packages: Option<PackagesTable>,
}

/// What was written of the picture.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateTable {
    pub(crate) snapshots: u64,
    pub(crate) snapshot_bytes: u64,
    /// Changes since the last snapshot began.
    pub(crate) journal_bytes: u64,
    /// Times that changes were made durable, and how many changes.
    pub(crate) syncs: u64,
    pub(crate) changes: u64,
    /// Snapshots included.
    pub(crate) written_bytes: u64,
    /// Changes that came faster than the disk took them.
    pub(crate) lost_changes: u64,
    /// Operations that the disk refused.
    pub(crate) errors: u64,
    pub(crate) queue_bytes: u64,
}

/// What was recorded of the events.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DumpTable {
    pub(crate) events: u64,
    /// Before compression.
    pub(crate) bytes: u64,
    /// Events not recorded, by reason, and how many gaps say so.
    pub(crate) dropped: Counts,
    pub(crate) gaps: u64,
    /// Files, and the bytes that they take on disk.
    pub(crate) files: u64,
    pub(crate) stored_bytes: u64,
    /// Operations that the disk refused.
    pub(crate) errors: u64,
    pub(crate) queue_bytes: u64,
}

impl From<ClientInfo> for ClientRow {
    fn from(info: ClientInfo) -> Self {
        Self {
            id: info.id.as_u64(),
            callsign: info.callsign,
            uid: info.uid,
            team: info.team,
            role: info.role,
            address: info.addr.map(|addr| addr.to_string()),
            transport: info.transport.to_owned(),
            protocol: info.protocol.to_owned(),
            connected_ms: info.connected_ms,
            last_in_ms: info.last_in_ms,
            last_out_ms: info.last_out_ms,
            messages_in: info.events_in,
            bytes_in: info.bytes_in,
            messages_out: info.delivered,
            replayed: info.replayed,
            bytes_out: info.bytes_out,
            lag: info.lag_events,
            stalled: info.stalled,
            conflated: info.conflated,
            dropped: occurred(&info.dropped),
        }
    }
}

impl From<ContactInfo> for ContactRow {
    fn from(info: ContactInfo) -> Self {
        Self {
            callsign: info.callsign,
            uid: info.uid,
            team: info.team,
            role: info.role,
            kind: info.kind,
            endpoint: info.endpoint,
            clients: info.clients.iter().map(|client| client.as_u64()).collect(),
            last_seen_ms: info.last_seen_ms,
        }
    }
}

impl From<TeamInfo> for TeamRow {
    fn from(info: TeamInfo) -> Self {
        Self { name: info.name, clients: info.clients, receives_from: info.receives_from }
    }
}

impl StatsTable {
    pub(crate) fn new(
        stats: &Stats,
        kept: &KeeperStats,
        shared: Option<(HttpTable, PackagesTable)>,
        problems: Vec<String>,
    ) -> Self {
        let (http, packages) = shared.unzip();
        Self {
            connections_received: stats.connections_received,
            connections_open: stats.connections_open,
            connections_refused: occurred(&stats.connections_refused),
            connections_closed: occurred(&stats.connections_closed),
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_in: stats.events_in,
            messages_out: stats.delivered,
            replayed: stats.replayed,
            accepted: stats.events_accepted,
            control: stats.events_control,
            rejected: occurred(&stats.events_rejected),
            invalid: stats.rejected.iter().map(|&(code, n)| (code.to_owned(), n)).collect(),
            conflated: stats.conflated,
            dropped: occurred(&stats.dropped),
            state_events: stats.state_events,
            state_bytes: stats.state_bytes,
            state_evicted: stats.state_evicted,
            teams_refused: stats.teams_refused,
            emergencies: stats.emergencies,
            event_log_bytes: stats.log_bytes,
            events_held: stats.events_held,
            held: stats.held,
            held_delivered: stats.held_delivered,
            held_expired: stats.held_expired,
            held_refused: stats.held_refused,
            held_events: stats.held_events,
            held_bytes: stats.held_bytes,
            problems,
            state: kept.state.as_ref().map(StateTable::from),
            dump: kept.dump.as_ref().map(|dump| DumpTable::new(dump, kept)),
            http,
            packages,
        }
    }
}

impl From<&StateStats> for StateTable {
    fn from(stats: &StateStats) -> Self {
        Self {
            snapshots: stats.snapshots,
            snapshot_bytes: stats.snapshot_bytes,
            journal_bytes: stats.journal_bytes,
            syncs: stats.syncs,
            changes: stats.changes,
            written_bytes: stats.written_bytes,
            lost_changes: stats.lost_changes,
            errors: stats.errors,
            queue_bytes: stats.queue_bytes as u64,
        }
    }
}

impl DumpTable {
    fn new(dump: &DumpStats, kept: &KeeperStats) -> Self {
        let dropped = GapReason::ALL.map(|why| (why.label().to_owned(), dump.dropped.get(why)));
        Self {
            events: dump.events,
            bytes: dump.bytes,
            dropped: dropped.into_iter().filter(|&(_, count)| count > 0).collect(),
            gaps: dump.gaps,
            files: dump.files as u64,
            stored_bytes: dump.stored_bytes,
            errors: kept.dump_errors,
            queue_bytes: kept.dump_queue_bytes as u64,
        }
    }
}

fn occurred<R: Reason>(counts: &PerReason<R>) -> Counts {
    let occurred = counts.iter().filter(|&(_, count)| count > 0);
    occurred.map(|(reason, count)| (reason.as_str().to_owned(), count)).collect()
}
