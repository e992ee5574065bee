//! Counters and tables for the world outside.

use super::Hub;
use super::client::{Client, Flow};
use crate::now::Now;
use crate::stats::{ClientInfo, ContactInfo, Stats, TeamInfo};

impl Hub {
    /// All counters.
    pub fn stats(&self) -> Stats {
        Stats {
            connections_open: self.clients.len() as u64,
            rejected: self.rejected.iter().map(|(&code, &count)| (code, count)).collect(),
            state_events: self.log.keys.len() as u64,
            state_bytes: self.log.state_bytes as u64,
            emergencies: self.alerts.len() as u64,
            held_events: self.roster.held_events() as u64,
            held_bytes: self.roster.held_bytes() as u64,
            log_bytes: self.log.tail_bytes() as u64,
            ..self.stats.clone()
        }
    }

    /// One row per connection, oldest first.
    pub fn clients(&self, now: Now) -> Vec<ClientInfo> {
        let mut rows: Vec<_> =
            self.clients.iter().map(|(_, client)| self.client_info(now, client)).collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// One row per uid that has said who it is, by callsign.
    pub fn contacts(&self, now: Now) -> Vec<ContactInfo> {
        let row = |(uid, contact): (&std::sync::Arc<str>, &super::contacts::Contact)| ContactInfo {
            uid: uid.to_string(),
            callsign: contact.callsign.to_string(),
            endpoint: contact.endpoint.to_string(),
            kind: contact.kind.to_string(),
            team: contact.team.to_string(),
            role: contact.role.to_string(),
            clients: contact.owners.clone(),
            last_seen_ms: now.mono_ms.saturating_sub(contact.last_seen_ms),
        };
        let mut rows: Vec<_> = self.contacts.iter().map(row).collect();
        rows.sort_by(|a, b| (&a.callsign, &a.uid).cmp(&(&b.callsign, &b.uid)));
        rows
    }

    /// One row per team with clients, by name.
    pub fn teams(&self) -> Vec<TeamInfo> {
        let row = |(name, clients, receives_from): (&str, usize, Vec<String>)| TeamInfo {
            name: name.to_owned(),
            clients,
            receives_from,
        };
        let mut rows: Vec<_> = self.teams.table().map(row).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    pub(super) fn client_info(&self, now: Now, client: &Client) -> ClientInfo {
        let age = |at: u64| now.mono_ms.saturating_sub(at);
        let cursor = match client.flow {
            Flow::Idle => self.log.head(),
            Flow::Hold { .. } | Flow::Ready => client.cursor.max(client.joined),
        };
        ClientInfo {
            id: client.id,
            addr: client.peer.addr,
            local_addr: client.peer.local_addr,
            transport: client.peer.transport,
            protocol: "xml",
            uid: client.uids.first().map(ToString::to_string).unwrap_or_default(),
            callsign: client.callsign.to_string(),
            team: client.team_name.to_string(),
            role: client.role.to_string(),
            connected_ms: age(client.connected_ms),
            last_in_ms: client.last_in_ms.map(age),
            last_out_ms: client.last_out_ms.map(age),
            events_in: client.counters.events_in,
            bytes_in: client.counters.bytes_in,
            delivered: client.counters.delivered,
            replayed: client.counters.replayed,
            bytes_out: client.counters.bytes_out,
            lag_events: self.log.head() - cursor,
            conflated: client.counters.conflated,
            dropped: client.counters.dropped.clone(),
            stalled: client.blocked.is_some(),
        }
    }
}
