//! The picture as records: exported for a snapshot, restored after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cot_core::Scanner;

use super::Hub;
use super::accept::{ALERT_SUFFIX, MAX_REPEATED_ALERT};
use super::admit::BEFORE;
use super::emergency::Alert;
use super::hold::{held_record, known_contact};
use super::keys::{Key, KeyKind, Origin};
use super::log::{Log, Meta};
use super::masks::{Mask, TeamId};
use super::roster::Held;
use super::watch::item;
use crate::now::{Now, millis};
use crate::observe::{Audience, HeldEvent, Item, ItemKind, KnownContact, Record, Restored};

/// How far an export has come. Starts with the default.
#[derive(Clone, Debug, Default)]
pub struct ExportCursor {
    /// Place in the table of uids.
    place: usize,
    has_items: bool,
    /// The contact that was exported last.
    contact: Option<Arc<str>>,
}

impl ExportCursor {
    /// The next uid of the table.
    pub(super) fn next<'a>(&mut self, log: &'a Log) -> Option<&'a Key> {
        let next = if self.has_items { None } else { log.keys.at_or_after(self.place) };
        let Some((at, key)) = next else {
            self.has_items = true;
            return None;
        };
        self.place = at + 1;
        Some(key)
    }
}

impl Hub {
    /// The next part of the picture: about `max` records, and all that is held for the last contact
    /// among them. Empty when there is no more.
    ///
    /// An export may go on over many turns. Together with the changes observed since it began it
    /// gives the picture of any later moment.
    pub fn export(&mut self, now: Now, cursor: &mut ExportCursor, max: usize) -> Vec<Record> {
        self.log.seal();
        let mut records = Vec::new();
        while records.len() < max
            && let Some(key) = cursor.next(&self.log)
        {
            let event = self.log.event(key.newest);
            let event = event.and_then(|event| item(now, key, &self.teams, event));
            records.extend(event.map(Record::Item));
        }
        if records.len() >= max {
            return records;
        }
        for (uid, known) in self.roster.after(cursor.contact.as_deref()) {
            records.push(Record::Contact(known_contact(now, uid, known)));
            records.extend(known.held().map(|held| Record::Held(held_record(now, uid, held))));
            cursor.contact = Some(uid.clone());
            if records.len() >= max {
                break;
            }
        }
        records
    }

    /// Puts in records from before a restart, before the first client comes. Ages are judged by
    /// the wall clock of then and now, never by that of a sender; a clock that has gone back makes
    /// nothing older. Events held for somebody come behind that contact, in the order of
    /// `seq`.
    pub fn restore(&mut self, now: Now, records: impl IntoIterator<Item = Record>) -> Restored {
        let mut scanner = Scanner::new(self.config.limits);
        let mut done = Restored::default();
        let (mut reported, mut present) = (HashMap::new(), Vec::new());
        for record in records {
            let (outcome, count) = match record {
                Record::Item(item) => {
                    if item.kind == ItemKind::Presence {
                        let last = reported.entry(item.uid.clone()).or_insert(i64::MIN);
                        *last = received_ms(now, item.received_ms).max(*last);
                    }
                    (self.restore_item(now, &mut scanner, &item), &mut done.items)
                }
                Record::Contact(contact) => {
                    present.extend(contact.left_ms.is_none().then(|| contact.uid.clone()));
                    (self.restore_contact(now, &contact), &mut done.contacts)
                }
                Record::Held(held) => (self.restore_held(now, &mut scanner, held), &mut done.held),
            };
            match outcome {
                Outcome::Restored => *count += 1,
                Outcome::Expired => done.expired += 1,
                Outcome::Refused => done.refused += 1,
            }
        }
        // Those who were here have been away since about now, but not reported since.
        for uid in present {
            if let Some(&reported_ms) = reported.get(&uid) {
                self.roster.reported(&uid, reported_ms);
            }
        }
        self.settled = self.settled.max(self.log.head());
        done
    }

    fn restore_item(&mut self, now: Now, scanner: &mut Scanner, item: &Item) -> Outcome {
        let left_ms = left_ms(now, item.received_ms, item.until_ms);
        let longest = match item.kind {
            ItemKind::Deletion { .. } => self.config.tombstone_age,
            _ => self.config.max_state_age,
        };
        let until_ms = now.mono_ms.saturating_add(left_ms.min(millis(longest)));
        if left_ms == 0 {
            return Outcome::Expired;
        }
        let Ok(header) = scanner.scan(&item.event) else { return Outcome::Refused };
        let team = self.teams.restore(&item.team);
        if team == TeamId::OVERFLOW || header.bytes().len() != item.event.len() {
            return Outcome::Refused;
        }
        let mask = match &item.audience {
            Audience::All => Mask::ALL,
            Audience::Reach => self.teams.reaches(team),
            Audience::Team(name) => {
                let team = self.teams.restore(name);
                self.teams.receives(team)
            }
        };
        let scope = self.scope_of(team);
        let uid = match item.kind {
            ItemKind::Alert => format!("{}{ALERT_SUFFIX}", item.uid).into(),
            _ => item.uid.clone(),
        };
        let is_critical = matches!(item.kind, ItemKind::Alert | ItemKind::Deletion { .. });
        if let Some(other) = self.log.keys.find(scope, &uid) {
            // Teams that were isolated had this uid twice; on an open server the later word counts.
            if self.log.keys.newest(other) >= item.seq {
                return Outcome::Refused;
            }
            self.forget_key(other, None);
        }
        let origin = Origin {
            sender: item.sender.clone(),
            team: item.team.clone(),
            audience: item.audience.clone(),
            received_ms: received_ms(now, item.received_ms),
        };
        let key = self.log.keys.insert(scope, &uid, origin.clone());
        let meta = Meta { mask, sender: BEFORE, list: None, key: Some(key), is_critical };
        if !self.log.restore(item.seq, Bytes::copy_from_slice(&item.event), meta) {
            self.log.keys.remove(key);
            return Outcome::Refused;
        }
        if let Some(slot) = self.log.keys.get_mut(key) {
            slot.newest = item.seq;
            slot.until_ms = until_ms;
            slot.time_ms = header.time_ms();
            slot.kind = match item.kind {
                ItemKind::Alert => KeyKind::Emergency,
                ItemKind::Deletion { item_time_ms } => {
                    KeyKind::Tombstone { item_time: item_time_ms }
                }
                ItemKind::Item => KeyKind::Item,
                ItemKind::Presence => KeyKind::Presence,
            };
        }
        if item.kind == ItemKind::Alert && item.event.len() <= MAX_REPEATED_ALERT {
            let again = Meta { is_critical: false, ..meta };
            let alert = Alert::new(&header, scope, again, origin, now.mono_ms, until_ms);
            self.alerts.restore(alert, self.config.max_emergencies);
        }
        self.bound_state();
        Outcome::Restored
    }

    fn restore_contact(&mut self, now: Now, contact: &KnownContact) -> Outcome {
        if !self.holds() {
            return Outcome::Refused;
        }
        // Who was here when the server stopped has been away since about now.
        let left_ms =
            contact.left_ms.map_or_else(|| now.signed_ms(), |left| received_ms(now, left));
        let KnownContact { uid, callsign, team, role, .. } = contact;
        let bounds = self.roster_bounds();
        Outcome::of(self.roster.restore(uid, callsign, team, role, left_ms, bounds))
    }

    fn restore_held(&mut self, now: Now, scanner: &mut Scanner, held: HeldEvent) -> Outcome {
        let received_ms = received_ms(now, held.received_ms);
        let age = i64::try_from(millis(self.config.hold_age)).unwrap_or(i64::MAX);
        if now.signed_ms().saturating_sub(received_ms) >= age {
            return Outcome::Expired;
        }
        let HeldEvent { seq, to, uid, sender, team, event, .. } = held;
        if scanner.scan(&event).is_ok_and(|header| header.bytes().len() == event.len()) {
            let held = Held { seq, uid, sender, team, received_ms, event, under_way: None };
            self.roster.has_seq(seq);
            Outcome::of(self.roster.hold(&to, held, self.roster_bounds()).is_some())
        } else {
            Outcome::Refused
        }
    }
}

enum Outcome {
    Restored,
    Expired,
    Refused,
}

impl Outcome {
    fn of(is_in: bool) -> Self {
        if is_in { Self::Restored } else { Self::Refused }
    }
}

/// When something was received, on the monotonic clock.
fn received_ms(now: Now, received_unix_ms: i64) -> i64 {
    let age = now.unix_ms.saturating_sub(received_unix_ms).max(0);
    now.signed_ms().saturating_sub(age)
}

/// Milliseconds for which something received then is still valid.
fn left_ms(now: Now, received_ms: i64, until_ms: i64) -> u64 {
    let valid = until_ms.saturating_sub(received_ms);
    let age = now.unix_ms.saturating_sub(received_ms).max(0);
    u64::try_from(valid.saturating_sub(age)).unwrap_or(0)
}
