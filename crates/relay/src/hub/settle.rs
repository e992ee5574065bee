//! Into the log and out of it: appending, announcing, superseding, trimming.

use super::Hub;
use super::client::{Client, Flow};
use super::keys::KeyId;
use super::log::{BLOCK, Edit, Meta, Seq};
use super::masks::{Mask, TeamId};
use crate::client::ClientId;
use crate::reason::{CloseReason, DropReason};

/// Bytes that stay in the tail even when everyone has read them: the next reports of the same uids
/// then supersede them there, and nothing has to be moved.
const MIN_TAIL: usize = BLOCK / 2;

/// Bytes of critical events that all lagging clients together may pin. Beyond it the one that is
/// furthest behind is closed.
const MAX_PINNED: usize = 16 << 20;

/// Who has to be told at the end of the turn.
#[derive(Debug, Default)]
pub(super) struct Pending {
    is_any: bool,
    mask: Option<Mask>,
    /// Recipients of directed events, in no order.
    listed: Vec<ClientId>,
    /// The only sender so far, which need not be told of its own events.
    sender: Option<ClientId>,
    has_several_senders: bool,
}

impl Pending {
    /// Makes the next settling happen even without an event.
    pub(super) fn touch(&mut self) {
        self.is_any = true;
    }

    pub(super) fn add(&mut self, meta: &Meta, list: &[ClientId]) {
        self.is_any = true;
        if meta.list.is_some() {
            self.listed.extend_from_slice(list);
            return;
        }
        let mask = self.mask.get_or_insert(Mask::NONE);
        mask.0 |= meta.mask.0;
        match self.sender {
            None => self.sender = Some(meta.sender),
            Some(sender) => self.has_several_senders |= sender != meta.sender,
        }
    }

    fn concerns(&self, client: &Client) -> bool {
        let is_only_sender = self.sender == Some(client.id) && !self.has_several_senders;
        self.mask.is_some_and(|mask| mask.meets(client.receives)) && !is_only_sender
    }
}

impl Hub {
    /// Appends an event whose audience is decided. Its audience learns of it when the turn settles.
    pub(super) fn append(&mut self, event: &[u8], edits: &[Edit<'_>], meta: Meta) -> Seq {
        let seq = self.log.append(event, edits, meta);
        let list = meta.list.map_or(&[][..], |list| self.log.list(list));
        self.pending.add(&meta, list);
        self.stats.events_accepted += 1;
        seq
    }

    /// Announces what was appended since the last time, and lets go of what nobody needs.
    pub(super) fn settle(&mut self) {
        if !self.pending.is_any {
            return;
        }
        self.log.seal();
        self.watch.settle(&self.log);
        let mut listed = std::mem::take(&mut self.pending.listed);
        for id in listed.drain(..) {
            self.wake(id);
        }
        let pending = std::mem::take(&mut self.pending);
        self.pending.listed = listed;
        if pending.mask.is_some() {
            for (_, client) in &mut self.clients {
                if client.flow == Flow::Idle && pending.concerns(client) {
                    client.flow = Flow::Ready;
                    client.cursor = client.cursor.max(self.settled);
                    self.readable.push_back(client.id);
                }
            }
        }
        self.settled = self.log.head();
        self.trim(MIN_TAIL);
    }

    /// Makes an idle client readable.
    pub(super) fn wake(&mut self, id: ClientId) {
        let settled = self.settled;
        if let Some(client) = self.client_mut(id)
            && client.flow == Flow::Idle
        {
            client.flow = Flow::Ready;
            client.cursor = client.cursor.max(settled);
            self.readable.push_back(id);
        }
    }

    /// Lets a newcomer read: first the current picture, then what happened since.
    pub(super) fn release_hold(&mut self, id: ClientId) {
        if let Some(client) = self.client_mut(id)
            && matches!(client.flow, Flow::Hold { .. })
        {
            client.flow = Flow::Ready;
            self.readable.push_back(id);
        }
    }

    /// Removes the oldest blocks: those that everyone has read, and beyond the log's bound also
    /// those that someone has not, who then is behind. `keep` bytes stay in any case.
    pub(super) fn trim(&mut self, keep: usize) {
        while let Some(end) = self.log.front_block_end() {
            if self.log.tail_bytes() <= keep {
                return;
            }
            let needed =
                self.clients.iter().any(|(_, client)| client.pins().is_some_and(|at| at < end));
            if needed {
                if self.log.tail_bytes() <= self.config.log_bytes {
                    return;
                }
                let held = |client: &Client| client.in_flight.is_some() && client.cursor < end;
                if self.clients.iter().any(|(_, client)| held(client)) {
                    return;
                }
                for (_, client) in &mut self.clients {
                    if client.pins().is_some_and(|at| at < end) {
                        client.is_behind = true;
                        self.behind += 1;
                    }
                }
            }
            self.pop_block();
        }
    }

    fn pop_block(&mut self) {
        let (clients, stats, any_behind) = (&mut self.clients, &mut self.stats, self.behind > 0);
        let mut far_behind = Vec::new();
        let most = self.config.max_critical_lag;
        self.log.pop_block(|log, seq, entry| {
            let is_newest = log.is_newest(seq, &entry.meta);
            if !any_behind {
                return is_newest;
            }
            let (mut is_needed, meta) = (is_newest, entry.meta);
            for (_, client) in
                clients.iter_mut().filter(|(_, client)| client.has_unread(seq, meta.is_critical))
            {
                let listed =
                    || entry.meta.list.is_none_or(|list| log.list(list).contains(&client.id));
                if seq < client.joined || !client.may_get(&entry.meta, listed) {
                    continue;
                }
                if entry.meta.is_critical {
                    is_needed = true;
                    client.critical_lag += entry.len as usize;
                    if client.critical_lag > most {
                        far_behind.push(client.id);
                    }
                } else if !is_newest {
                    client.counters.conflated += 1;
                    stats.conflated += 1;
                }
            }
            is_needed
        });
        // At once: what they do not read must not wait for the next tick to be bounded.
        far_behind.into_iter().for_each(|client| self.close(client, CloseReason::SlowConsumer));
        if self.log.pinned_bytes > MAX_PINNED {
            let clients = self.clients.iter().map(|(_, client)| client);
            let open = clients.filter(|client| client.closing.is_none());
            let worst = open.max_by_key(|client| client.critical_lag).map(|client| client.id);
            worst.into_iter().for_each(|client| self.close(client, CloseReason::SlowConsumer));
        }
    }

    /// Makes `seq` the newest event of a uid. The one before is not needed any more, save by those
    /// who lag behind a critical one.
    pub(super) fn supersede(&mut self, key: KeyId, seq: Seq) {
        let old = match self.log.keys.get_mut(key) {
            Some(key) => std::mem::replace(&mut key.newest, seq),
            None => return,
        };
        self.discard(old, None);
    }

    /// Forgets a uid; `reason` is why those who lag lose its event, `None` that it was replaced.
    pub(super) fn forget_key(&mut self, key: KeyId, reason: Option<DropReason>) {
        if let Some(key) = self.log.keys.remove(key) {
            if reason != Some(DropReason::Stale) {
                self.watch_remove(&key);
            }
            self.discard(key.newest, reason);
        }
    }

    /// Scope of the uids of a team: isolated teams do not share any.
    pub(super) fn scope_of(&self, team: TeamId) -> TeamId {
        if self.teams.is_open() { TeamId::UNASSIGNED } else { team }
    }

    /// Lets go of an event outside the tail that is not the newest of its uid any more.
    fn discard(&mut self, seq: Seq, reason: Option<DropReason>) {
        let Some(kept) = self.log.kept.get(&seq) else { return };
        let meta = kept.meta;
        let mut is_needed = false;
        if self.behind > 0 {
            let log = &self.log;
            for (_, client) in self
                .clients
                .iter_mut()
                .filter(|(_, client)| client.has_unread(seq, meta.is_critical))
            {
                let listed = || meta.list.is_none_or(|list| log.list(list).contains(&client.id));
                if seq < client.joined || !client.may_get(&meta, listed) {
                    continue;
                }
                match (meta.is_critical, reason) {
                    (true, _) => is_needed = true,
                    (false, None) => {
                        client.counters.conflated += 1;
                        self.stats.conflated += 1;
                    }
                    (false, Some(reason)) => {
                        client.counters.dropped.add(reason, 1);
                        self.stats.dropped.add(reason, 1);
                    }
                }
            }
        }
        if is_needed {
            self.log.pin(seq);
        } else {
            self.log.drop_kept(seq);
        }
    }
}
