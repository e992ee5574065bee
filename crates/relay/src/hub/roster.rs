//! Who has been here, and what is held for those who are away.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::log::Seq;
use crate::client::ClientId;

/// Bytes that a held event costs beside its own, about.
const OVERHEAD: usize = 256;

/// People who are away and for whom something is held because they all used the callsign that was
/// named: those who left last. One short message must not cost as much as thousands.
const MAX_NAMESAKES: usize = 16;

/// Somebody who has said who they are.
pub(super) struct Known {
    pub(super) callsign: Arc<str>,
    pub(super) team: Arc<str>,
    pub(super) role: Arc<str>,
    /// When they left, on the monotonic clock; `None` while they are here.
    pub(super) left_ms: Option<i64>,
    /// When they reported last, on the monotonic clock, if they were here when the server stopped:
    /// they count as having left when it began anew.
    pub(super) reported_ms: Option<i64>,
    /// Oldest first.
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// An event that waits for somebody.
pub(super) struct Held {
    /// Its place in the order of all that was ever held.
    pub(super) seq: u64,
    /// Its own uid.
    pub(super) uid: Arc<str>,
    /// The uid of its sender; empty if that had none.
    pub(super) sender: Arc<str>,
    /// The team of its sender; empty without one.
    pub(super) team: Arc<str>,
    /// When it was received, on the monotonic clock.
    pub(super) received_ms: i64,
    pub(super) event: Bytes,
    /// Where in the log it is on its way, and to which connection.
    pub(super) under_way: Option<(ClientId, Seq)>,
}

impl Held {
    fn cost(&self) -> usize {
        self.event.len() + OVERHEAD
    }
}

/// Bounds of the roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// People.
    pub(super) known: usize,
    /// Bytes held for all.
    pub(super) held: usize,
    /// Bytes held for one.
    pub(super) held_for_one: usize,
}

/// Those who have been here. Present ones are in it too: what they are remembered by is then
/// durable before they leave.
#[derive(Default)]
pub(super) struct Roster {
    by_uid: BTreeMap<Arc<str>, Known>,
    /// Uids of those who are away and when they left, by callsign.
    away: HashMap<Arc<str>, BTreeSet<(i64, Arc<str>)>>,
    /// Those who are away and for whom nothing is held, by the time they left.
    forgettable: BTreeSet<(i64, Arc<str>)>,
    /// Those for whom something is held.
    holding: BTreeSet<Arc<str>>,
    /// Those to whom something held is on its way.
    delivering: BTreeSet<Arc<str>>,
    /// The place of what was held last.
    last_seq: u64,
    held_events: usize,
    held_bytes: usize,
}

impl Roster {
    pub(super) fn held_events(&self) -> usize {
        self.held_events
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    pub(super) fn get(&self, uid: &str) -> Option<&Known> {
        self.by_uid.get(uid)
    }

    /// The uid, if it is somebody who has been here and is away.
    pub(super) fn away(&self, uid: &str) -> Option<Arc<str>> {
        let (uid, known) = self.by_uid.get_key_value(uid)?;
        known.left_ms.map(|_| uid.clone())
    }

    /// Uids of those who are away and used this callsign last: at most [`MAX_NAMESAKES`].
    pub(super) fn away_with_callsign(&self, callsign: &str) -> impl Iterator<Item = &Arc<str>> {
        let uids = self.away.get(callsign).into_iter().flat_map(|uids| uids.iter().rev());
        uids.map(|(_, uid)| uid).take(MAX_NAMESAKES)
    }

    /// Somebody is here, or has changed callsign or team. `None` when there is no room for them;
    /// otherwise whom that made the roster forget.
    pub(super) fn here(
        &mut self,
        uid: &Arc<str>,
        callsign: &Arc<str>,
        team: &Arc<str>,
        role: &Arc<str>,
        bounds: Bounds,
    ) -> Option<Option<Arc<str>>> {
        if self.by_uid.contains_key(uid) {
            self.unlist(uid);
            let known = self.by_uid.get_mut(uid)?;
            known.callsign = callsign.clone();
            known.team = team.clone();
            known.role = role.clone();
            known.left_ms = None;
            known.reported_ms = None;
            return Some(None);
        }
        let forgotten = if self.by_uid.len() < bounds.known {
            None
        } else {
            let (_, oldest) = self.forgettable.first()?.clone();
            self.forget(&oldest);
            Some(oldest)
        };
        let known = Known {
            callsign: callsign.clone(),
            team: team.clone(),
            role: role.clone(),
            left_ms: None,
            reported_ms: None,
            held: VecDeque::new(),
            held_bytes: 0,
        };
        self.by_uid.insert(uid.clone(), known);
        Some(forgotten)
    }

    /// Somebody has left. `false` when the roster does not know them.
    pub(super) fn left(&mut self, uid: &Arc<str>, now_ms: i64) -> bool {
        let Some(known) = self.by_uid.get_mut(uid) else { return false };
        known.left_ms = Some(now_ms);
        let callsign = known.callsign.clone();
        if known.held.is_empty() {
            self.forgettable.insert((now_ms, uid.clone()));
        }
        self.away.entry(callsign).or_default().insert((now_ms, uid.clone()));
        true
    }

    /// Holds an event for somebody, behind all others; a former one with the same uid goes. Hands
    /// out what is held; `None` when there is no room, or nobody of that uid is known.
    pub(super) fn hold(&mut self, to: &str, held: Held, bounds: Bounds) -> Option<&Held> {
        let (to, _) = self.by_uid.get_key_value(to)?;
        let to = to.clone();
        let known = self.by_uid.get_mut(&to)?;
        let at = known.held.iter().position(|other| other.uid == held.uid);
        let freed = at.and_then(|at| known.held.get(at)).map_or(0, Held::cost);
        let cost = held.cost();
        if known.held_bytes - freed + cost > bounds.held_for_one
            || self.held_bytes - freed + cost > bounds.held
        {
            return None;
        }
        known.held_bytes = known.held_bytes - freed + cost;
        self.held_bytes = self.held_bytes - freed + cost;
        if let Some(left_ms) = known.left_ms {
            self.forgettable.remove(&(left_ms, to.clone()));
        }
        self.holding.insert(to);
        match at {
            Some(at) => drop(known.held.remove(at)),
            None => self.held_events += 1,
        }
        known.held.push_back(held);
        known.held.back()
    }

    /// The place of what is held next. A restart orders by it: two clocks that are read in whole
    /// milliseconds, and one of which may be set, order nothing.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.last_seq = self.last_seq.saturating_add(1);
        self.last_seq
    }

    /// What is held next comes behind this place.
    pub(super) fn has_seq(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(seq);
    }

    /// Everything that is held for somebody and not on its way, to be sent on its way.
    pub(super) fn waiting(&mut self, to: &str) -> impl Iterator<Item = &mut Held> {
        let known = self.by_uid.get_mut(to);
        let held = known.into_iter().flat_map(|known| &mut known.held);
        held.filter(|held| held.under_way.is_none())
    }

    /// Remembers that something is on its way to them.
    pub(super) fn delivers(&mut self, to: &Arc<str>) {
        self.delivering.insert(to.clone());
    }

    /// Those to whom something is on its way, of some or of all.
    pub(super) fn delivering(&self, of: Option<&[Arc<str>]>) -> Vec<Arc<str>> {
        match of {
            Some(uids) => {
                uids.iter().filter(|uid| self.delivering.contains(*uid)).cloned().collect()
            }
            None => self.delivering.iter().cloned().collect(),
        }
    }

    /// Those for whom something is held.
    pub(super) fn holding(&self) -> Vec<Arc<str>> {
        self.holding.iter().cloned().collect()
    }

    /// What is held for `to` and on its way: `settle` says what became of each. `Some(true)`: it has
    /// arrived; `Some(false)`: it has to wait again. Returns the uids of those that arrived.
    pub(super) fn settle(
        &mut self,
        to: &Arc<str>,
        settle: impl Fn(ClientId, Seq) -> Option<bool>,
    ) -> Vec<Arc<str>> {
        let Some(known) = self.by_uid.get_mut(to) else {
            self.delivering.remove(to);
            return Vec::new();
        };
        let mut arrived = Vec::new();
        let mut is_open = false;
        for held in &mut known.held {
            match held.under_way.and_then(|(client, seq)| settle(client, seq)) {
                Some(true) => arrived.push(held.uid.clone()),
                Some(false) => held.under_way = None,
                None => is_open |= held.under_way.is_some(),
            }
        }
        if !is_open {
            self.delivering.remove(to);
        }
        self.remove(to, |held| arrived.contains(&held.uid));
        arrived
    }

    /// Removes what has been held since before `before_ms`, and hands it out with its addressee.
    pub(super) fn expire_held(&mut self, before_ms: i64) -> Vec<(Arc<str>, Held)> {
        let mut expired = Vec::new();
        for to in self.holding() {
            let gone =
                self.remove(&to, |held| held.received_ms <= before_ms && held.under_way.is_none());
            expired.extend(gone.into_iter().map(|held| (to.clone(), held)));
        }
        expired
    }

    /// Forgets those who left before `before_ms` and for whom nothing is held.
    pub(super) fn expire_known(&mut self, before_ms: i64) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        while self.forgettable.first().is_some_and(|&(left_ms, _)| left_ms <= before_ms) {
            if let Some((_, uid)) = self.forgettable.pop_first() {
                self.forget(&uid);
                gone.push(uid);
            }
        }
        gone
    }

    /// Those behind `after` in the order of uids, each with what is held for it.
    pub(super) fn after<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Known)> + use<'a> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_uid.range::<str, _>((start, Bound::Unbounded))
    }

    /// Puts in somebody from before a restart.
    pub(super) fn restore(
        &mut self,
        uid: &Arc<str>,
        callsign: &Arc<str>,
        team: &Arc<str>,
        role: &Arc<str>,
        left_ms: i64,
        bounds: Bounds,
    ) -> bool {
        let is_new = !self.by_uid.contains_key(uid);
        let is_in = is_new && self.by_uid.len() < bounds.known;
        is_in && self.here(uid, callsign, team, role, bounds).is_some() && self.left(uid, left_ms)
    }

    /// Says when somebody who is away reported last.
    pub(super) fn reported(&mut self, uid: &str, reported_ms: i64) {
        if let Some(known) = self.by_uid.get_mut(uid) {
            known.reported_ms = known.left_ms.map(|left_ms| reported_ms.min(left_ms));
        }
    }

    /// Removes some of what is held for somebody.
    fn remove(&mut self, to: &Arc<str>, mut is_gone: impl FnMut(&Held) -> bool) -> Vec<Held> {
        let Some(known) = self.by_uid.get_mut(to) else { return Vec::new() };
        let mut gone = Vec::new();
        if known.held.iter().any(&mut is_gone) {
            for held in std::mem::take(&mut known.held) {
                if is_gone(&held) {
                    known.held_bytes -= held.cost();
                    self.held_bytes -= held.cost();
                    self.held_events -= 1;
                    gone.push(held);
                } else {
                    known.held.push_back(held);
                }
            }
        }
        if known.held.is_empty()
            && self.holding.remove(to)
            && let Some(left_ms) = known.left_ms
        {
            self.forgettable.insert((left_ms, to.clone()));
        }
        gone
    }

    fn forget(&mut self, uid: &Arc<str>) {
        self.unlist(uid);
        self.by_uid.remove(uid);
    }

    /// Takes somebody off the lists of those who are away.
    fn unlist(&mut self, uid: &Arc<str>) {
        let Some(known) = self.by_uid.get(uid) else { return };
        let Some(left_ms) = known.left_ms else { return };
        let place = (left_ms, uid.clone());
        self.forgettable.remove(&place);
        if let Some(uids) = self.away.get_mut(&known.callsign) {
            uids.remove(&place);
            if uids.is_empty() {
                self.away.remove(&known.callsign);
            }
        }
    }
}

impl Known {
    /// What is held for them, oldest first.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }
}
