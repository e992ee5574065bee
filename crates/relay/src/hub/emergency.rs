//! Active alerts: a client sends one once and relies on the server to repeat it.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use cot_core::{CotTime, Header};

use super::keys::Origin;
use super::log::{Edit, Meta};
use super::masks::{Mask, TeamId};
use crate::now::Now;

/// How long a repeated alert is valid, in milliseconds. TAK Server's own figure.
const REPEATED_VALID_MS: i64 = 15_000;

/// Alerts of one connection that are repeated, so that nobody takes all places.
const MAX_OF_SENDER: usize = 32;

/// An alert without a cancel.
pub(crate) struct Alert {
    pub(crate) scope: TeamId,
    pub(crate) uid: Box<str>,
    event: Bytes,
    time: Range<usize>,
    start: Option<Range<usize>>,
    stale: Range<usize>,
    pub(crate) meta: Meta,
    pub(crate) origin: Origin,
    pub(crate) next_ms: u64,
    pub(crate) until_ms: u64,
}

/// The alerts that are being repeated, by scope and uid.
#[derive(Default)]
pub(crate) struct Alerts {
    active: BTreeMap<(usize, Box<str>), Alert>,
}

impl Alert {
    pub(crate) fn new(
        header: &Header<'_>,
        scope: TeamId,
        meta: Meta,
        origin: Origin,
        next_ms: u64,
        until_ms: u64,
    ) -> Self {
        Self {
            scope,
            uid: header.uid().to_cow().into(),
            event: Bytes::copy_from_slice(header.bytes()),
            time: header.time_range(),
            start: header.start_range(),
            stale: header.stale_range(),
            meta,
            origin,
            next_ms,
            until_ms,
        }
    }

    /// Hands out the event and the edits that make it fresh.
    pub(crate) fn refreshed(&self, now: Now, put: impl FnOnce(&[u8], &[Edit<'_>])) {
        let time = CotTime::from_unix_millis(now.unix_ms).to_string();
        let stale = CotTime::from_unix_millis(now.unix_ms + REPEATED_VALID_MS).to_string();
        let mut edits = vec![
            Edit { range: self.time.clone(), text: time.as_bytes() },
            Edit { range: self.stale.clone(), text: stale.as_bytes() },
        ];
        if let Some(start) = &self.start {
            edits.push(Edit { range: start.clone(), text: time.as_bytes() });
        }
        edits.sort_by_key(|edit| edit.range.start);
        put(&self.event, &edits);
    }
}

impl Alerts {
    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    /// The teams that active alerts are limited to.
    pub(crate) fn limited_to(&self) -> Mask {
        Mask::limited_to(self.active.values().map(|alert| alert.meta.mask))
    }

    /// Adds or replaces an alert; refuses a new one beyond `max` in all, or too many of one sender.
    pub(crate) fn insert(&mut self, alert: Alert, max: usize) {
        let key = (alert.scope.index(), alert.uid.clone());
        let of_sender = self.active.values().filter(|other| other.meta.sender == alert.meta.sender);
        let has_room = self.active.len() < max && of_sender.count() < MAX_OF_SENDER;
        if has_room || self.active.contains_key(&key) {
            self.active.insert(key, alert);
        }
    }

    /// Puts in an alert from before a restart, whoever its sender was.
    pub(crate) fn restore(&mut self, alert: Alert, max: usize) {
        if self.active.len() < max {
            self.active.insert((alert.scope.index(), alert.uid.clone()), alert);
        }
    }

    pub(crate) fn remove(&mut self, scope: TeamId, uid: &str) {
        self.active.remove(&(scope.index(), uid.into()));
    }

    /// Forgets alerts that were never cancelled in all their time.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        self.active.retain(|_, alert| alert.until_ms > now_ms);
    }

    /// The alerts to repeat now, each put off by `period_ms`.
    pub(crate) fn due(&mut self, now_ms: u64, period_ms: u64) -> impl Iterator<Item = &Alert> {
        self.active.values_mut().filter(move |alert| alert.next_ms <= now_ms).map(move |alert| {
            alert.next_ms = now_ms + period_ms;
            &*alert
        })
    }
}
