//! Store and forward: chat and file shares for somebody who is away wait until they return.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cot_core::{Header, Scanner};

use super::Hub;
use super::accept::{Source, edits};
use super::admit::SERVER;
use super::client::{Client, Flow};
use super::contacts::Contact;
use super::log::{Meta, Seq, splice};
use super::roster::{Bounds, Held, Known};
use crate::client::ClientId;
use crate::now::{Now, millis};
use crate::observe::{Audience, HeldEvent, KnownContact, PictureChange, Record, RecordKey};

/// Whether an event of this type waits for somebody who is away: chat, its receipts, and the
/// notice of a shared file. Whatever else is directed is of the moment.
pub(super) fn is_holdable(kind: &str) -> bool {
    kind.starts_with("b-t-f") || kind == "b-f-t-r"
}

/// What came of holding an event for those who are away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    /// Those for whom it is held now.
    pub(super) held: usize,
    /// Those for whom there was no room.
    pub(super) refused: usize,
}

impl Hub {
    /// Whether anything is held at all.
    pub(super) fn holds(&self) -> bool {
        !self.config.hold_age.is_zero()
    }

    pub(super) fn roster_bounds(&self) -> Bounds {
        Bounds {
            known: self.config.max_state_events,
            held: self.config.max_held_bytes,
            // All of it will be on its way to one client at once.
            held_for_one: self.config.max_critical_lag / 2,
        }
    }

    /// Remembers that somebody is here, or how they are called now.
    pub(super) fn know(&mut self, now: Now, uid: &Arc<str>) {
        if !self.holds() {
            return;
        }
        let Some(contact) = self.contacts.get(uid) else { return };
        let bounds = self.roster_bounds();
        let Contact { callsign, team, role, .. } = contact;
        let Some(forgotten) = self.roster.here(uid, callsign, team, role, bounds) else { return };
        if let Some(uid) = forgotten {
            self.watch_forgotten(uid);
        }
        self.watch_known(now, uid);
    }

    /// Remembers when somebody left.
    pub(super) fn know_left(&mut self, now: Now, uid: &Arc<str>) {
        if self.holds() && self.roster.left(uid, now.signed_ms()) {
            self.watch_known(now, uid);
        }
    }

    /// Holds an event for those of `absent` whom its sender's team reaches.
    pub(super) fn hold(
        &mut self,
        now: Now,
        source: &Source,
        header: &Header<'_>,
        absent: &[Arc<str>],
    ) -> Holding {
        // An operator's word is for whoever it names, like that of their own team.
        let is_for_all = source.audience == Audience::All;
        let mut done = Holding::default();
        let mut event: Option<Bytes> = None;
        for to in absent {
            let Some(known) = self.roster.get(to) else { continue };
            if !is_for_all && !self.teams.permits(&source.team_name, &known.team) {
                continue;
            }
            let team = if is_for_all { &known.team } else { &source.team_name }.clone();
            let event = event.get_or_insert_with(|| self.as_relayed(now, header));
            let held = Held {
                seq: self.roster.next_seq(),
                uid: header.uid().to_cow().into(),
                sender: source.uid.clone(),
                team,
                received_ms: now.signed_ms(),
                event: event.clone(),
                under_way: None,
            };
            if self.hold_one(now, to, held) {
                done.held += 1;
            } else {
                done.refused += 1;
            }
        }
        done
    }

    /// Holds again what a client had not read when its connection ended.
    pub(super) fn hold_unread(&mut self, now: Now, client: &Client, unread: Vec<(Meta, Bytes)>) {
        let Some(to) = client.uids.first().filter(|uid| self.roster.get(uid).is_some()) else {
            return;
        };
        let mut scanner = Scanner::new(self.config.limits);
        for (meta, event) in unread {
            let Ok(header) = scanner.scan(&event) else { continue };
            if !is_holdable(header.kind()) {
                continue;
            }
            let uid = header.uid().to_cow().into();
            let (sender, mut team) = self.name_of(meta.sender);
            if sender.is_empty() {
                // Its sender has gone too. It was for this client, so it may be later.
                team = client.team_name.clone();
            }
            let received_ms = now.signed_ms();
            let seq = self.roster.next_seq();
            let held = Held { seq, uid, sender, team, received_ms, event, under_way: None };
            let to = to.clone();
            self.hold_one(now, &to, held);
        }
    }

    /// Sends what was held for `uid` on its way to the connection that now speaks for it.
    pub(super) fn deliver_held(&mut self, client: ClientId, uid: &Arc<str>) {
        if self.roster.held_events() == 0 {
            return;
        }
        let mut is_any = false;
        let receives = self.client(client).map(|client| client.receives);
        let (log, pending) = (&mut self.log, &mut self.pending);
        for held in self.roster.waiting(uid) {
            let mask = self.teams.reach_of(&held.team);
            if receives.is_none_or(|receives| !mask.meets(receives)) {
                continue;
            }
            let list = log.add_list(Box::new([client]));
            let list = Some(list);
            let meta = Meta { mask, sender: SERVER, list, key: None, is_critical: true };
            let seq = log.append(&held.event, &[], meta);
            pending.add(&meta, &[client]);
            self.stats.events_accepted += 1;
            held.under_way = Some((client, seq));
            is_any = true;
        }
        if is_any {
            self.roster.delivers(uid);
        }
    }

    /// Sends what waits for any of `uids` on its way, if somebody speaks for them: a connection that
    /// was made before the one that was to take it broke off, or whose team was not known yet.
    pub(super) fn forward_held(&mut self, uids: &[Arc<str>]) {
        for uid in uids {
            if let Some(&newest) = self.contacts.owners(uid).last() {
                self.deliver_held(newest, uid);
            }
        }
    }

    /// Finds out which held events have been written to whom they were held for. When a client
    /// leaves, only what was on its way to it.
    pub(super) fn settle_held(&mut self, leaving: Option<&Client>) {
        for to in self.roster.delivering(leaving.map(|client| client.uids.as_slice())) {
            let (clients, settled) = (&self.clients, self.settled);
            let arrived = self.roster.settle(&to, |id, seq| {
                if let Some(leaving) = leaving.filter(|client| client.id == id) {
                    return Some(has_got(leaving, seq, settled));
                }
                match clients.get(id.slot()).filter(|client| client.id == id) {
                    Some(client) => has_got(client, seq, settled).then_some(true),
                    None => Some(false),
                }
            });
            for uid in arrived {
                self.stats.held_delivered += 1;
                self.watch_unheld(to.clone(), uid);
            }
        }
    }

    /// Lets go of what was held for too long, and of those who have been away for too long.
    pub(super) fn expire_held(&mut self, now: Now) {
        if self.roster.is_empty() {
            return;
        }
        let age = i64::try_from(millis(self.config.hold_age)).unwrap_or(i64::MAX);
        let before_ms = now.signed_ms().saturating_sub(age);
        let mut scanner = None;
        for (to, held) in self.roster.expire_held(before_ms) {
            self.stats.held_expired += 1;
            let sender = self.contacts.owners(&held.sender).last().copied();
            if let Some(sender) = sender {
                let scanner = scanner.get_or_insert_with(|| Scanner::new(self.config.limits));
                if let Ok(header) = scanner.scan(&held.event)
                    && header.kind() == "b-t-f"
                {
                    self.return_undelivered(sender, &header);
                }
            }
            self.watch_unheld(to, held.uid);
        }
        for uid in self.roster.expire_known(before_ms) {
            self.watch_forgotten(uid);
        }
        self.forward_held(&self.roster.holding());
    }

    /// The event as others get it: with the server's flow tag, and without its destinations.
    fn as_relayed(&self, now: Now, header: &Header<'_>) -> Bytes {
        let tag = self.flow_tag(now, header);
        let mut relayed = BytesMut::with_capacity(header.bytes().len());
        splice(header.bytes(), &edits(header, true, tag.as_ref()), &mut relayed);
        relayed.freeze()
    }

    /// The uid and the team of a connection; empty ones if it has none, or is gone.
    pub(super) fn name_of(&self, client: ClientId) -> (Arc<str>, Arc<str>) {
        match self.client(client) {
            Some(client) => {
                let uid = client.uids.first().unwrap_or(&self.none);
                (uid.clone(), client.team_name.clone())
            }
            None => (self.none.clone(), self.none.clone()),
        }
    }

    fn hold_one(&mut self, now: Now, to: &Arc<str>, held: Held) -> bool {
        let Some(held) = self.roster.hold(to, held, self.roster_bounds()) else {
            self.stats.held_refused += 1;
            return false;
        };
        self.stats.held += 1;
        if self.watch.what.changes {
            let record = held_record(now, to, held);
            self.watch.change(PictureChange::Put(Record::Held(record)));
        }
        true
    }

    fn watch_known(&mut self, now: Now, uid: &Arc<str>) {
        if self.watch.what.changes
            && let Some(known) = self.roster.get(uid)
        {
            let contact = known_contact(now, uid, known);
            self.watch.change(PictureChange::Put(Record::Contact(contact)));
        }
    }

    fn watch_forgotten(&mut self, uid: Arc<str>) {
        if self.watch.what.changes {
            self.watch.change(PictureChange::Remove(RecordKey::Contact { uid }));
        }
    }

    fn watch_unheld(&mut self, to: Arc<str>, uid: Arc<str>) {
        if self.watch.what.changes {
            self.watch.change(PictureChange::Remove(RecordKey::Held { to, uid }));
        }
    }
}

/// Whether all of the event at `seq` has been written to the client.
fn has_got(client: &Client, seq: Seq, settled: Seq) -> bool {
    match client.flow {
        // It counts as having read what it was told of.
        Flow::Idle => seq < client.cursor.max(settled),
        Flow::Hold { .. } => false,
        Flow::Ready => client.cursor > seq && client.rest.is_empty(),
    }
}

/// Somebody known, as a record.
pub(super) fn known_contact(now: Now, uid: &Arc<str>, known: &Known) -> KnownContact {
    KnownContact {
        uid: uid.clone(),
        callsign: known.callsign.clone(),
        team: known.team.clone(),
        role: known.role.clone(),
        left_ms: known.left_ms.map(|left_ms| now.unix_of(left_ms)),
    }
}

/// A held event as a record.
pub(super) fn held_record(now: Now, to: &Arc<str>, held: &Held) -> HeldEvent {
    HeldEvent {
        seq: held.seq,
        to: to.clone(),
        uid: held.uid.clone(),
        sender: held.sender.clone(),
        team: held.team.clone(),
        received_ms: now.unix_of(held.received_ms),
        event: held.event.clone(),
    }
}
