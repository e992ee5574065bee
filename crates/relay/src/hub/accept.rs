//! What clients and the application put in.

use std::sync::Arc;

use bytes::Bytes;
use cot_core::{Header, Item, build};

use super::Hub;
use super::admit::SERVER;
use super::emergency::Alert;
use super::hold::{Holding, is_holdable};
use super::identify::MAX_IDENTITY_TEXT;
use super::keys::{KeyId, KeyKind, Origin, TRANSIENT_MS};
use super::log::{Edit, Meta};
use super::masks::{Mask, TeamId};
use super::route::{self, Control, Decision, Kind, Verdict};
use super::watch::watch_remove;
use crate::client::ClientId;
use crate::now::{Now, millis};
use crate::observe::Audience;
use crate::reason::{CloseReason, DropReason};

/// Bytes of an alert that is repeated. Real ones have under 1 KiB; a larger one is relayed once, or
/// one sender could have the server fill everybody's link for ever.
pub(super) const MAX_REPEATED_ALERT: usize = 4 << 10;

/// Bytes of unfinished events of all clients together. Beyond it a client whose event is too large
/// to be relayed anyway is closed.
const MAX_UNFINISHED: usize = 16 << 20;

/// Most bytes that the flow tag adds beside the server's name.
const FLOW_TAG_LEN: usize = 64;

/// Whom an event of the application is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Every client, whatever its team.
    All,
    /// One connection.
    Client(ClientId),
    /// The clients of one team.
    Team(String),
}

/// Why an event of the application was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It is not one valid event.
    #[error("the event is not valid: {0}")]
    Invalid(cot_core::Reject),
    /// Clients cannot take one as large as this.
    #[error("the event has {len} bytes; clients take at most {limit}")]
    Oversize {
        /// Its bytes.
        len: usize,
        /// [`max_relayed_event`](crate::HubConfig::max_relayed_event).
        limit: usize,
    },
}

/// Where an event comes from, and whom it may reach.
pub(super) struct Source {
    pub(super) client: ClientId,
    /// The uid of its connection; empty if that has none.
    pub(super) uid: Arc<str>,
    /// The team that its connection has named; empty without one.
    pub(super) team_name: Arc<str>,
    pub(super) team: TeamId,
    pub(super) mask: Mask,
    pub(super) audience: Audience,
}

/// What has become of an event besides being appended.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// Those for whom it is held.
    pub(super) held: usize,
    /// Why it was not appended and is not held either.
    pub(super) refused: Option<DropReason>,
}

impl Hub {
    /// Takes one item that a client's [`Deframer`](cot_core::Deframer) found.
    pub fn handle_item(&mut self, now: Now, from: ClientId, item: &Item<'_>) {
        let Some(client) = self.client_mut(from) else { return };
        client.last_in_ms = Some(now.mono_ms);
        client.counters.events_in += 1;
        self.stats.events_in += 1;
        match item {
            Item::Event(header) => self.handle_event(now, from, header),
            Item::Rejected(reject) => {
                self.stats.events_rejected.add(DropReason::Invalid, 1);
                *self.rejected.entry(reject.code.as_str()).or_default() += 1;
                tracing::debug!(client = from.as_u64(), %reject, "invalid event");
            }
            _ => self.stats.events_control += 1,
        }
    }

    /// Tells that `bytes` were read from a client, and how many of them wait for the rest of an
    /// event.
    pub fn handle_bytes(&mut self, now: Now, from: ClientId, bytes: usize, unfinished: usize) {
        self.stats.bytes_in += bytes as u64;
        let Some(client) = self.client_mut(from) else { return };
        client.counters.bytes_in += bytes as u64;
        let before = std::mem::replace(&mut client.unfinished, unfinished);
        client.partial_since_ms = match (unfinished, client.partial_since_ms) {
            (0, _) => None,
            // A rest that is no longer than what just came began with it.
            (rest, _) if rest <= bytes => Some(now.mono_ms),
            (_, since) => since.or(Some(now.mono_ms)),
        };
        self.unfinished = (self.unfinished + unfinished).saturating_sub(before);
        if self.unfinished > MAX_UNFINISHED && unfinished > self.config.max_relayed_event {
            self.close(from, CloseReason::Protocol);
        }
    }

    /// Puts in an event of the application. Its `marti` is not looked at.
    ///
    /// # Errors
    ///
    /// When it is larger than clients can take.
    pub fn publish(
        &mut self,
        now: Now,
        header: &Header<'_>,
        scope: &Scope,
    ) -> Result<(), PublishError> {
        let len = header.bytes().len();
        let limit = self.config.max_relayed_event;
        if len > limit {
            return Err(PublishError::Oversize { len, limit });
        }
        let mut audience = Audience::All;
        let (mask, list) = match scope {
            Scope::All => (Mask::ALL, None),
            Scope::Team(name) if self.teams.is_open() => {
                let mut members: Vec<_> = self.contacts.in_team(name).collect();
                // Lists are searched by halves.
                members.sort_unstable();
                members.dedup();
                (Mask::ALL, Some(members))
            }
            Scope::Team(name) => {
                audience = Audience::Team(name.as_str().into());
                (self.teams.mask_of(name), None)
            }
            Scope::Client(client) => (Mask::ALL, Some(vec![*client])),
        };
        let source = Source {
            client: SERVER,
            uid: self.none.clone(),
            team_name: self.none.clone(),
            team: TeamId::UNASSIGNED,
            mask,
            audience,
        };
        self.accept(now, header, source, list);
        Ok(())
    }

    fn handle_event(&mut self, now: Now, from: ClientId, header: &Header<'_>) {
        if let Some(reason) = self.reason_to_refuse(header) {
            self.refuse(from, reason);
            return;
        }
        let decision = route::decide(header, from, &self.contacts, &self.roster);
        if let Verdict::Control(control) = decision.verdict {
            return self.handle_control(now, from, header, &control);
        }
        self.identify(now, from, header);
        let (uid, team_name) = self.name_of(from);
        let Some(client) = self.client(from) else { return };
        let (team, mask) = (client.team, self.teams.reaches(client.team));
        let audience = Audience::Reach;
        let source = Source { client: from, uid, team_name, team, mask, audience };
        let is_lost =
            |reason| matches!(reason, DropReason::UnknownAddressee | DropReason::HoldFull);
        if self.deliver(now, header, source, decision).refused.is_some_and(is_lost)
            && header.kind() == "b-t-f"
        {
            self.return_undelivered(from, header);
        }
    }

    /// Why an event must not be relayed, whoever it is for.
    pub(super) fn reason_to_refuse(&self, header: &Header<'_>) -> Option<DropReason> {
        let tag = self.config.flow_tag.as_ref();
        let tag_len = tag.map_or(0, |tag| tag.len() + FLOW_TAG_LEN);
        if header.bytes().len() + tag_len > self.config.max_relayed_event {
            return Some(DropReason::Oversize);
        }
        let carries =
            |tag: &String| header.flow_tags().is_some_and(|tags| tags.carries(&flow_tag_name(tag)));
        tag.is_some_and(carries).then_some(DropReason::Loop)
    }

    /// Sends an event to whom it is for, as far as they may get it, and holds it for those who are
    /// away.
    pub(super) fn deliver(
        &mut self,
        now: Now,
        header: &Header<'_>,
        source: Source,
        decision: Decision,
    ) -> Delivery {
        let Decision { verdict, absent } = decision;
        let mut held = Holding::default();
        if !absent.is_empty() && is_holdable(header.kind()) {
            held = self.hold(now, &source, header, &absent);
        }
        let refused = match verdict {
            Verdict::Broadcast => self.accept(now, header, source, None),
            Verdict::To(mut list) => {
                // Delivery asks again; this is for the count.
                list.retain(|&to| self.client(to).is_some_and(|to| source.mask.meets(to.receives)));
                if !list.is_empty() {
                    self.accept(now, header, source, Some(list))
                } else if held.held > 0 {
                    self.held_only(now, header, &source)
                } else {
                    self.refuse(source.client, DropReason::Forbidden)
                }
            }
            Verdict::Nobody(_) if held.held > 0 => self.held_only(now, header, &source),
            Verdict::Nobody(DropReason::UnknownAddressee) if held.refused > 0 => {
                self.refuse(source.client, DropReason::HoldFull)
            }
            Verdict::Nobody(reason) => self.refuse(source.client, reason),
            Verdict::Control(_) => None,
        };
        Delivery { held: held.held, refused }
    }

    fn handle_control(&mut self, now: Now, from: ClientId, header: &Header<'_>, control: &Control) {
        self.stats.events_control += 1;
        match control {
            Control::Ping => {
                if let Some(client) = self.client_mut(from) {
                    client.has_pinged = true;
                    client.owes_pong = true;
                }
                self.wake(from);
            }
            Control::TakRequest => {
                let uid = header.uid().to_cow();
                if uid.len() <= MAX_IDENTITY_TEXT {
                    let answer = build::takp_response(&uid, false, now.unix_ms).to_xml();
                    if let Some(client) = self.client_mut(from) {
                        client.answer = answer.into();
                    }
                    self.wake(from);
                }
            }
            Control::Ignored => {}
        }
    }

    /// Counts an event that went to nobody yet, because all it was for are away.
    fn held_only(&mut self, now: Now, header: &Header<'_>, source: &Source) -> Option<DropReason> {
        self.stats.events_held += 1;
        if self.watch.what.events {
            let event = Bytes::copy_from_slice(header.bytes());
            self.watch.accepted(now, &source.uid, &source.team_name, 0, Some(event));
        }
        None
    }

    /// Appends a valid event whose audience is known, and remembers what it means for newcomers.
    /// Returns why it was not appended.
    fn accept(
        &mut self,
        now: Now,
        header: &Header<'_>,
        source: Source,
        to: Option<Vec<ClientId>>,
    ) -> Option<DropReason> {
        let (sender, mask) = (source.client, source.mask);
        let kind = route::classify(header);
        let scope = self.scope_of(source.team);
        let is_public = to.is_none();
        let is_critical = !is_public || kind != Kind::State;
        if kind == Kind::State && is_public && self.is_deleted(scope, header) {
            return self.refuse(sender, DropReason::Deleted);
        }
        let list = to.map(|clients| self.log.add_list(clients.into_boxed_slice()));
        let mut meta = Meta { mask, sender, list, key: None, is_critical };
        let origin = Origin {
            sender: source.uid,
            team: source.team_name,
            audience: source.audience,
            received_ms: now.signed_ms(),
        };
        if is_public {
            meta.key = self.key_for(now, header, scope, kind, &origin);
        }
        let tag = self.flow_tag(now, header);
        let edits = edits(header, list.is_some(), tag.as_ref());
        let seq = self.append(header.bytes(), &edits, meta);
        if self.watch.what.events {
            let original = (!edits.is_empty()).then(|| Bytes::copy_from_slice(header.bytes()));
            self.watch.accepted(now, &origin.sender, &origin.team, seq, original);
        }

        let key = meta.key?;
        self.supersede(key, seq);
        if kind != Kind::AlertCancel {
            self.watch_put(now, key);
        }
        match kind {
            Kind::Alert
                if !self.config.emergency_period.is_zero()
                    && header.bytes().len() <= MAX_REPEATED_ALERT =>
            {
                let next_ms = now.mono_ms + millis(self.config.emergency_period);
                let until_ms = now.mono_ms + millis(self.config.max_state_age);
                let again = Meta { is_critical: false, ..meta };
                let alert = Alert::new(header, scope, again, origin, next_ms, until_ms);
                self.alerts.insert(alert, self.config.max_emergencies);
            }
            Kind::AlertCancel => {
                self.alerts.remove(scope, &header.uid().to_cow());
                self.forget_key(key, None);
            }
            _ => {}
        }
        self.bound_state();
        None
    }

    /// The uid whose newest event this is, with what is to be known of it.
    fn key_for(
        &mut self,
        now: Now,
        header: &Header<'_>,
        scope: TeamId,
        kind: Kind,
        origin: &Origin,
    ) -> Option<KeyId> {
        if kind == Kind::Critical {
            return None;
        }
        let uid = match kind {
            Kind::Deletion => route::deleted_uid(header)?,
            Kind::Alert | Kind::AlertCancel => alert_key(&header.uid().to_cow()).into(),
            _ => header.uid().to_cow(),
        };
        let key = self.log.keys.find(scope, &uid);
        let key = key.unwrap_or_else(|| self.log.keys.insert(scope, &uid, origin.clone()));
        let longest = now.mono_ms + millis(self.config.max_state_age);
        let valid_ms = validity_ms(header);
        let is_presence = header.contact().is_some_and(|contact| contact.endpoint.is_some());
        let slot = self.log.keys.get_mut(key)?;
        let item_time = match slot.kind {
            KeyKind::Tombstone { item_time } => item_time,
            _ => slot.time_ms,
        };
        slot.time_ms = header.time_ms();
        slot.origin.clone_from(origin);
        if kind == Kind::State && valid_ms == 0 {
            watch_remove(&mut self.watch, &self.teams, slot);
        }
        (slot.kind, slot.until_ms) = match kind {
            Kind::Deletion => {
                // A time from a clock that is ahead must not outlaw everything until then.
                let item_time = item_time.map(|time| time.min(now.unix_ms));
                let until = now.mono_ms + millis(self.config.tombstone_age);
                (KeyKind::Tombstone { item_time }, until)
            }
            Kind::Alert | Kind::AlertCancel => (KeyKind::Emergency, longest),
            _ if valid_ms == 0 => (KeyKind::Transient, now.mono_ms + TRANSIENT_MS),
            _ => {
                let kind = if is_presence { KeyKind::Presence } else { KeyKind::Item };
                (kind, longest.min(now.mono_ms + valid_ms))
            }
        };
        Some(key)
    }

    /// Whether this is an old copy of something that has been deleted since.
    fn is_deleted(&self, scope: TeamId, header: &Header<'_>) -> bool {
        if header.contact().is_some_and(|contact| contact.endpoint.is_some()) {
            // Somebody speaking about themselves is there, whatever was said of them.
            return false;
        }
        let key = self.log.keys.find(scope, &header.uid().to_cow());
        let item_time = match key.and_then(|key| self.log.keys.get(key)).map(|key| key.kind) {
            Some(KeyKind::Tombstone { item_time }) => item_time,
            _ => None,
        };
        item_time.zip(header.time_ms()).is_some_and(|(deleted, time)| time <= deleted)
    }

    /// Appends an event for one client.
    fn append_to(&mut self, to: ClientId, event: &[u8], edits: &[Edit<'_>]) {
        let list = Some(self.log.add_list(Box::new([to])));
        let meta = Meta { mask: Mask::ALL, sender: SERVER, list, key: None, is_critical: true };
        self.append(event, edits, meta);
    }

    /// The server's flow tag for an event: where it goes, and its text.
    pub(super) fn flow_tag(&self, now: Now, header: &Header<'_>) -> Option<(usize, String)> {
        let name = flow_tag_name(self.config.flow_tag.as_ref()?);
        flow_tag_edit(header, &name, now.unix_ms)
    }

    /// Tells the sender of a chat that nobody was there to get it.
    pub(super) fn return_undelivered(&mut self, to: ClientId, header: &Header<'_>) {
        if header.bytes().len() + 2 > self.config.max_relayed_event {
            return;
        }
        let edit = Edit { range: header.kind_range(), text: b"b-t-f-s" };
        self.append_to(to, header.bytes(), &[edit]);
    }

    /// Counts an event that goes nowhere, and returns the reason.
    pub(super) fn refuse(&mut self, from: ClientId, reason: DropReason) -> Option<DropReason> {
        self.stats.events_rejected.add(reason, 1);
        tracing::debug!(client = from.as_u64(), %reason, "event not relayed");
        Some(reason)
    }
}

/// What tells an alert's name among the uids from the uid. No uid has a NUL in it: XML does not
/// allow one.
pub(super) const ALERT_SUFFIX: &str = "\0alert";

/// An alert's name among the uids: apart from items, so that no position, deletion or departure of
/// the same uid takes its place.
pub(super) fn alert_key(uid: &str) -> String {
    format!("{uid}{ALERT_SUFFIX}")
}

/// What is changed in an event on its way to others, in ascending order.
pub(super) fn edits<'a>(
    header: &Header<'_>,
    is_directed: bool,
    flow_tag: Option<&'a (usize, String)>,
) -> Vec<Edit<'a>> {
    let mut edits = Vec::new();
    if is_directed {
        edits.extend(header.marti_ranges().map(|range| Edit { range, text: b"".as_slice() }));
    }
    if let Some((at, text)) = flow_tag {
        edits.push(Edit { range: *at..*at, text: text.as_bytes() });
        edits.sort_by_key(|edit| edit.range.start);
    }
    edits
}

/// How long an event is valid, by its own clock, whatever that shows: `stale - time`.
fn validity_ms(header: &Header<'_>) -> u64 {
    let span = header.stale_ms().zip(header.time_ms().or_else(|| header.start_ms()));
    span.map_or(0, |(stale, time)| u64::try_from(stale.saturating_sub(time)).unwrap_or(0))
}

fn flow_tag_name(server: &str) -> String {
    format!("TinyCoT-{server}")
}

/// Where the server's flow tag goes, and its text. `None` for an event without a detail.
fn flow_tag_edit(header: &Header<'_>, name: &str, unix_ms: i64) -> Option<(usize, String)> {
    let time = cot_core::CotTime::from_unix_millis(unix_ms);
    if let Some(tags) = header.flow_tags() {
        let at = tags.range.start + "<_flow-tags_".len();
        return Some((at, format!(" {name}=\"{time}\"")));
    }
    header.detail_end().map(|at| (at, format!("<_flow-tags_ {name}=\"{time}\"/>")))
}
