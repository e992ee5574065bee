//! Which event is the newest of each uid, and until when it is worth telling newcomers.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use super::log::Seq;
use super::masks::TeamId;
use crate::now::Now;
use crate::observe::Audience;

/// How long something without validity counts as the newest of its uid, for clients that lag.
pub(crate) const TRANSIENT_MS: u64 = 60_000;

/// One uid within one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A position, marker, drawing or route.
    Item,
    /// A device speaking about itself.
    Presence,
    /// Something without validity: newest for those who lag, nothing for newcomers.
    Transient,
    /// An alert that has not been cancelled.
    Emergency,
    /// A deletion; `until` when it was the item's own `time`, to know older copies of it.
    Tombstone { item_time: Option<i64> },
}

pub(crate) struct Key {
    pub(crate) uid: Arc<str>,
    pub(crate) scope: TeamId,
    /// Seq of the newest event.
    pub(crate) newest: Seq,
    pub(crate) kind: KeyKind,
    /// When it stops being worth telling, on the monotonic clock.
    pub(crate) until_ms: u64,
    /// The event's own `time`, if it could be read.
    pub(crate) time_ms: Option<i64>,
    pub(crate) origin: Origin,
}

/// Where the newest event of a uid came from: what a restart has to know besides the event.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The uid of its connection; empty if that had none.
    pub(crate) sender: Arc<str>,
    /// The team that its connection had named; empty without one.
    pub(crate) team: Arc<str>,
    pub(crate) audience: Audience,
    /// When it was received, on the monotonic clock; before a restart that is negative.
    pub(crate) received_ms: i64,
}

impl Origin {
    /// Something of the server itself.
    pub(crate) fn server(none: &Arc<str>, now: Now) -> Self {
        Self {
            sender: none.clone(),
            team: none.clone(),
            audience: Audience::Reach,
            received_ms: now.signed_ms(),
        }
    }
}

impl KeyKind {
    /// Whether newcomers are told, so that a restart has to remember it.
    pub(crate) fn is_lasting(self) -> bool {
        self != Self::Transient
    }
}

/// The table of uids. Scopes keep the uids of isolated teams apart, so that one team cannot
/// supersede what another one sees; an open server has one scope.
pub(crate) struct Keys {
    slab: Slab<Key>,
    by_scope: Vec<HashMap<Arc<str>, KeyId>>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self { slab: Slab::new(), by_scope: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, scope: TeamId, uid: &str) -> Option<KeyId> {
        self.by_scope.get(scope.index())?.get(uid).copied()
    }

    /// What is known of a uid in all scopes.
    pub(crate) fn find_all<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Key> {
        self.by_scope.iter().filter_map(move |map| self.get(*map.get(uid)?))
    }

    pub(crate) fn get(&self, key: KeyId) -> Option<&Key> {
        self.slab.get(key.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, key: KeyId) -> Option<&mut Key> {
        self.slab.get_mut(key.0 as usize)
    }

    /// Seq of the newest event; 0 when the uid is gone.
    pub(crate) fn newest(&self, key: KeyId) -> Seq {
        self.get(key).map_or(0, |key| key.newest)
    }

    /// Adds a uid that is not in the table.
    pub(crate) fn insert(&mut self, scope: TeamId, uid: &str, origin: Origin) -> KeyId {
        let uid: Arc<str> = uid.into();
        let index = scope.index();
        if self.by_scope.len() <= index {
            self.by_scope.resize_with(index + 1, HashMap::new);
        }
        let key = Key {
            uid: uid.clone(),
            scope,
            newest: 0,
            kind: KeyKind::Transient,
            until_ms: 0,
            time_ms: None,
            origin,
        };
        let id = KeyId(u32::try_from(self.slab.insert(key)).unwrap_or(u32::MAX));
        if let Some(map) = self.by_scope.get_mut(index) {
            map.insert(uid, id);
        }
        id
    }

    /// Forgets a uid.
    pub(crate) fn remove(&mut self, key: KeyId) -> Option<Key> {
        let key = self.slab.try_remove(key.0 as usize)?;
        if let Some(map) = self.by_scope.get_mut(key.scope.index()) {
            map.remove(&key.uid);
            if map.is_empty() && map.capacity() > 64 {
                map.shrink_to_fit();
            }
        }
        Some(key)
    }

    /// The first uid at or behind a place in the table, and its place.
    pub(crate) fn at_or_after(&self, place: usize) -> Option<(usize, &Key)> {
        // Places are few more than uids: those that leave make room for those that come.
        let places = place..self.slab.capacity();
        places.into_iter().find_map(|at| self.slab.get(at).map(|key| (at, key)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        let id = |at| KeyId(u32::try_from(at).unwrap_or(u32::MAX));
        self.slab.iter().map(move |(at, key)| (id(at), key))
    }
}
