//! What somebody who is not a client may see: the newest of a uid, the picture, who is known.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::Hub;
use super::accept::alert_key;
use super::contacts::Contact;
use super::keys::{Key, KeyKind};
use super::masks::Mask;
use super::picture::ExportCursor;
use super::watch::item;
use crate::now::Now;
use crate::observe::Item;
use crate::stats::{ClientInfo, EndpointInfo};
use crate::viewer::Viewer;

impl Hub {
    /// The newest event of a uid, as it was relayed, if it is in the picture and `viewer` may see
    /// it. Teams that are isolated may each have their own of one uid: then the newest of those. An
    /// alert counts like any other event. `None` for what was deleted, has left or has run out.
    pub fn newest(&mut self, now: Now, uid: &str, viewer: &Viewer) -> Option<Bytes> {
        self.log.seal();
        let sees = self.received_by(viewer);
        let alert = alert_key(uid);
        let keys = self.log.keys.find_all(uid).chain(self.log.keys.find_all(&alert));
        let seen = keys.filter(|key| self.is_shown(now, key, sees));
        let newest = seen.max_by_key(|key| key.newest)?;
        // A copy: whoever reads it slowly must not hold the memory of its neighbours.
        self.log.event(newest.newest).map(|event| Bytes::copy_from_slice(&event))
    }

    /// The next part of the picture as `viewer` may see it: of the next `max` uids what a newcomer
    /// would be sent, so no deletions, and nothing that has run out. A part may be empty; `None`
    /// when there is no more. It may go on over many turns. What is handed out shares its memory
    /// with the log: do not keep it.
    pub fn picture(
        &mut self,
        now: Now,
        cursor: &mut ExportCursor,
        max: usize,
        viewer: &Viewer,
    ) -> Option<Vec<Item>> {
        self.log.seal();
        let sees = self.received_by(viewer);
        let mut items = Vec::new();
        for count in 0..max.max(1) {
            let Some(key) = cursor.next(&self.log) else {
                return (count > 0).then_some(items);
            };
            if self.is_shown(now, key, sees) {
                let event = self.log.event(key.newest);
                items.extend(event.and_then(|event| item(now, key, &self.teams, event)));
            }
        }
        Some(items)
    }

    /// Everybody who has said who they are, by uid: those who are here, and those who left within
    /// [`hold_age`](crate::HubConfig::hold_age).
    pub fn known_contacts(&self, now: Now) -> Vec<EndpointInfo> {
        let here = |uid: &Arc<str>, contact: &Contact| EndpointInfo {
            uid: uid.clone(),
            callsign: contact.callsign.clone(),
            team: contact.team.clone(),
            role: contact.role.clone(),
            is_here: true,
            seen_ms: now.unix_of(i64::try_from(contact.last_seen_ms).unwrap_or(i64::MAX)),
        };
        let known = self.roster.after(None).filter_map(|(uid, known)| {
            if let Some(contact) = self.contacts.get(uid) {
                return Some(here(uid, contact));
            }
            Some(EndpointInfo {
                uid: uid.clone(),
                callsign: known.callsign.clone(),
                team: known.team.clone(),
                role: known.role.clone(),
                is_here: false,
                seen_ms: now.unix_of(known.reported_ms.or(known.left_ms)?),
            })
        });
        let mut rows: Vec<_> = known.collect();
        // Those for whom there was no room, or all if nothing is held for anybody.
        let others = self.contacts.iter().filter(|(uid, _)| self.roster.get(uid).is_none());
        rows.extend(others.map(|(uid, contact)| here(uid, contact)));
        rows.sort_by(|a, b| a.uid.cmp(&b.uid));
        rows
    }

    /// One row per client that is connected from `ip`, oldest first; not those that only look on. An
    /// IPv4 address and the same one written as IPv6 count as one.
    pub fn clients_at(&self, now: Now, ip: IpAddr) -> Vec<ClientInfo> {
        let ip = ip.to_canonical();
        let from_there = self.clients.iter().filter(|(_, client)| {
            client.peer.addr.is_some_and(|addr| addr.ip().to_canonical() == ip)
        });
        // Most callers have no client at all: then nothing is searched.
        let from_there = from_there.take(self.connections_from(ip)).map(|(_, client)| client);
        let clients = from_there.filter(|client| client.peer.viewer.is_none());
        let mut rows: Vec<_> = clients.map(|client| self.client_info(now, client)).collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// Whether members of the team `to` receive what members of `from` send, whoever is here. The
    /// empty name stands for those without a team.
    pub fn receives(&self, from: &str, to: &str) -> bool {
        self.teams.permits(from, to)
    }

    /// Which events a viewer receives.
    fn received_by(&self, viewer: &Viewer) -> Mask {
        match viewer {
            Viewer::Everything => Mask::ALL,
            Viewer::Teams(_) if self.teams.is_open() => Mask::ALL,
            Viewer::Teams(names) => names
                .iter()
                .fold(Mask::NONE, |mask, name| Mask(mask.0 | self.teams.received_by(name).0)),
        }
    }

    /// Whether a newcomer who receives `sees` would be sent the newest event of a uid.
    fn is_shown(&self, now: Now, key: &Key, sees: Mask) -> bool {
        matches!(key.kind, KeyKind::Item | KeyKind::Presence | KeyKind::Emergency)
            && key.until_ms > now.mono_ms
            && self.log.meta(key.newest).is_some_and(|meta| meta.mask.meets(sees))
    }
}
