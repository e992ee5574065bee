//! Connections come and go.

use std::net::IpAddr;
use std::sync::Arc;

use cot_core::build;

use super::Hub;
use super::client::{Client, Flow};
use super::keys::{KeyKind, Origin, TRANSIENT_MS};
use super::log::Meta;
use super::masks::{Mask, TeamId};
use super::places::Founder;
use super::watch::watch_remove;
use crate::client::{ClientId, Peer};
use crate::now::{Now, millis};
use crate::reason::{CloseReason, Reason, RefuseReason};
use crate::viewer::Viewer;

/// The server's own events come from here, and reach every client.
pub(super) const SERVER: ClientId = ClientId(0);

/// Events of those who have no connection come from here.
pub(super) const CALLER: ClientId = ClientId(u32::MAX as u64 - 1);

/// What was restored comes from nobody who is connected.
pub(super) const BEFORE: ClientId = ClientId(u32::MAX as u64);

/// Least time between two lines of the log about teams without a place, in milliseconds.
const TEAM_WARNING_MS: u64 = 60_000;

impl Hub {
    /// Admits a connection.
    ///
    /// # Errors
    ///
    /// The reason for which it must be closed at once.
    pub fn handle_connect(&mut self, now: Now, peer: Peer) -> Result<ClientId, RefuseReason> {
        if let Err(reason) = self.may_admit(&peer) {
            self.stats.connections_refused.add(reason, 1);
            return Err(reason);
        }
        if let Some(addr) = peer.addr {
            *self.per_address.entry(addr.ip().to_canonical()).or_default() += 1;
        }
        let (team, more_teams, receives) = self.enter_teams(now, &peer);
        let until_ms = now.mono_ms + millis(self.config.replay_hold);
        let is_viewer = peer.viewer.is_some();
        let flow = if is_viewer { Flow::Ready } else { Flow::Hold { until_ms } };
        let slot = self.clients.vacant_entry();
        let id = ClientId((u64::from(self.next_serial) << 32) | slot.key() as u64);
        self.next_serial = self.next_serial.checked_add(1).unwrap_or(1);
        let client = slot.insert(Client::new(id, peer, now.mono_ms, self.log.head(), flow));
        (client.team, client.more_teams, client.receives) = (team, more_teams, receives);
        if let Some(Viewer::Teams(names)) = &client.peer.viewer
            && let Some(name) = names.first()
        {
            client.team_name = name.as_str().into();
        }
        if is_viewer {
            self.readable.push_back(id);
        } else {
            self.holds.push_back((until_ms, id));
        }
        self.behind += 1;
        self.stats.connections_received += 1;
        Ok(id)
    }

    /// Tells that a connection has ended. Others learn of the uids that only it spoke for.
    pub fn handle_disconnect(&mut self, now: Now, client: ClientId, reason: CloseReason) {
        if self.client(client).is_none() {
            return;
        }
        let client = self.clients.remove(client.slot());
        self.stats.connections_closed.add(reason, 1);
        self.settle_held(Some(&client));
        let unread = self.forfeit(&client);
        if client.is_behind {
            self.behind -= 1;
        }
        if let Some(addr) = client.peer.addr
            && let ip = addr.ip().to_canonical()
            && let Some(count) = self.per_address.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&ip);
            }
        }
        self.unfinished = self.unfinished.saturating_sub(client.unfinished);
        let audience = self.teams.reaches(client.team);
        for uid in &client.uids {
            let kind = self.contacts.get(uid).map(|contact| contact.kind.clone());
            if self.contacts.release(uid, client.id).is_some() {
                self.know_left(now, uid);
            }
            // Those whom somebody else still tells of the uid need not hear that it has gone.
            let lost = audience.without(self.reach_of(uid));
            if let Some(kind) = kind.filter(|_| lost != Mask::NONE) {
                self.announce_gone(now, client.team, lost, uid, &kind);
            }
        }
        self.hold_unread(now, &client, unread);
        self.forward_held(&client.uids);
        self.teams.leave(client.team);
        client.more_teams.iter().for_each(|&team| self.teams.leave(team));
        if self.clients.is_empty() {
            self.clients.shrink_to_fit();
            self.per_address.shrink_to_fit();
        }
    }

    /// Asks for every connection to be closed once it has been sent what was accepted before, and
    /// refuses newcomers.
    pub fn handle_shutdown(&mut self) {
        self.drains_to = Some(self.log.head());
        let has_all = |client: &&Client| client.flow != Flow::Ready;
        self.settle();
        let done: Vec<_> =
            self.clients.iter().map(|(_, client)| client).filter(has_all).map(|c| c.id).collect();
        for client in done {
            self.close(client, CloseReason::Shutdown);
        }
    }

    /// Asks the caller, once, to close a connection.
    pub(super) fn close(&mut self, client: ClientId, reason: CloseReason) {
        let Some(client) = self.client_mut(client) else { return };
        if client.closing.is_none() {
            client.closing = Some(reason);
            let id = client.id;
            tracing::debug!(client = id.as_u64(), reason = reason.as_str(), "closing");
            self.closing.push_back((id, reason));
        }
    }

    /// Puts a client into the team it names. Returns quickly when nothing changes.
    pub(super) fn change_team(&mut self, now: Now, id: ClientId, name: &str) {
        let Some(client) = self.client(id) else { return };
        let founder = Founder::of(&client.peer);
        let team = self.team_named(now, name, founder);
        let (pending, settled) = (&mut self.pending, self.settled);
        let receives = self.teams.receives(team);
        let Some(client) = self.clients.get_mut(id.slot()).filter(|client| client.id == id) else {
            return;
        };
        if *client.team_name != *name {
            client.team_name = name.into();
        }
        let old = std::mem::replace(&mut client.team, team);
        if old == team {
            return;
        }
        let sees_differently = client.receives != receives;
        client.receives = receives;
        let (replayed_to, uids) = (client.joined, client.uids.clone());
        if sees_differently && !matches!(client.flow, Flow::Hold { .. }) {
            // The picture of the new team is a replay; what it has read already is not repeated.
            let read_to =
                if client.flow == Flow::Idle { client.cursor.max(settled) } else { client.cursor };
            client.joined = replayed_to.max(read_to);
            client.cursor = 0;
            if !client.is_behind {
                client.is_behind = true;
                self.behind += 1;
            }
            if client.flow == Flow::Idle {
                client.flow = Flow::Ready;
                self.readable.push_back(id);
            }
            pending.touch();
        }
        self.teams.leave(old);
        self.teams.enter(team);
        if team == TeamId::OVERFLOW {
            self.refuse_team(now);
        }
        let reached = self.teams.reaches(old);
        for uid in uids {
            // Its owners are in their new teams by now.
            let lost = reached.without(self.reach_of(&uid));
            let kind = self.contacts.get(&uid).map(|contact| contact.kind.clone());
            if let Some(kind) = kind.filter(|_| lost != Mask::NONE) {
                self.announce_gone(now, old, lost, &uid, &kind);
            }
        }
    }

    /// The team that those who name `name` are in, which `founder` gives a place if it has none.
    pub(super) fn team_named(&mut self, now: Now, name: &str, founder: Founder) -> TeamId {
        let Self { teams, pinned, log, alerts, .. } = self;
        let is_open = teams.is_open();
        // On an open server every event is for everyone.
        let pinned = || if is_open { Mask::NONE } else { pinned.look(now.mono_ms, log, alerts) };
        teams.intern(name, founder, pinned)
    }

    /// Counts somebody whose team has no place, and tells the operator what would help.
    pub(super) fn refuse_team(&mut self, now: Now) {
        self.stats.teams_refused += 1;
        if !self.teams.is_open() && now.mono_ms >= self.next_team_warning_ms {
            self.next_team_warning_ms = now.mono_ms.saturating_add(TEAM_WARNING_MS);
            tracing::warn!(
                refused = self.stats.teams_refused,
                "a new team has no place, so its members see nobody; a rule that names a team \
                 (`allow`) keeps a place for it"
            );
        }
    }

    /// Connections that are open from an address, in whichever form it is written.
    pub(super) fn connections_from(&self, ip: IpAddr) -> usize {
        self.per_address.get(&ip.to_canonical()).copied().unwrap_or(0)
    }

    /// Puts a newcomer into its teams: the one it is in, and the others that it looks at. Also says
    /// which events it receives.
    fn enter_teams(&mut self, now: Now, peer: &Peer) -> (TeamId, Box<[TeamId]>, Mask) {
        let viewer = peer.viewer.as_ref();
        let names = match viewer {
            Some(Viewer::Teams(names)) => names.as_slice(),
            Some(Viewer::Everything) | None => &[],
        };
        let mut entered: Vec<TeamId> = Vec::new();
        for name in names {
            let team = self.team_named(now, name, Founder::of(peer));
            if !entered.contains(&team) {
                // At once, or the next could take its place in a full table.
                self.teams.enter(team);
                entered.push(team);
            }
        }
        if entered.contains(&TeamId::OVERFLOW) {
            self.refuse_team(now);
        }
        let seen =
            entered.iter().fold(Mask::NONE, |mask, &team| mask.or(self.teams.receives(team)));
        if entered.is_empty() {
            let team = self.teams.restore("");
            self.teams.enter(team);
            entered.push(team);
        }
        let team = entered.remove(0);
        let receives = match viewer {
            None => self.teams.receives(team),
            Some(Viewer::Everything) => Mask::ALL,
            Some(Viewer::Teams(_)) if self.teams.is_open() => Mask::ALL,
            Some(Viewer::Teams(_)) => seen,
        };
        (team, entered.into_boxed_slice(), receives)
    }

    /// Who is told of a uid by those who speak for it.
    fn reach_of(&self, uid: &str) -> Mask {
        let owners = self.contacts.owners(uid).iter().filter_map(|&owner| self.client(owner));
        owners.fold(Mask::NONE, |mask, owner| Mask(mask.0 | self.teams.reaches(owner.team).0))
    }

    /// Tells `audience` that a uid is gone, and newcomers nothing of it any more.
    fn announce_gone(
        &mut self,
        now: Now,
        scope: TeamId,
        audience: Mask,
        uid: &Arc<str>,
        kind: &str,
    ) {
        if self.drains_to.is_some() {
            // Everyone is about to be gone, and nobody is to wait for word of it.
            return;
        }
        let scope = self.scope_of(scope);
        let event_uid = format!("{uid}-gone-{}", now.unix_ms);
        let notice = build::disconnect_notice(&event_uid, uid, kind, now.unix_ms).to_xml();
        // The newest word of the uid: who lags gets it, unless the uid is back by then.
        let key = self.log.keys.find(scope, uid);
        let key = key
            .unwrap_or_else(|| self.log.keys.insert(scope, uid, Origin::server(&self.none, now)));
        if let Some(slot) = self.log.keys.get_mut(key) {
            watch_remove(&mut self.watch, &self.teams, slot);
            slot.kind = KeyKind::Transient;
            slot.until_ms = now.mono_ms + TRANSIENT_MS;
            slot.time_ms = None;
        }
        let meta =
            Meta { mask: audience, sender: SERVER, list: None, key: Some(key), is_critical: false };
        let seq = self.append(notice.as_bytes(), &[], meta);
        self.supersede(key, seq);
        self.departed.push_back((key, seq));
        self.bound_state();
    }

    fn may_admit(&self, peer: &Peer) -> Result<(), RefuseReason> {
        let from_there = peer.addr.map_or(0, |addr| self.connections_from(addr.ip()));
        if self.drains_to.is_some() {
            Err(RefuseReason::Shutdown)
        } else if self.clients.len() >= self.config.max_clients {
            Err(RefuseReason::Full)
        } else if from_there >= self.config.max_clients_per_address {
            Err(RefuseReason::PerAddress)
        } else {
            Ok(())
        }
    }
}
