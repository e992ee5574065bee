//! What the hub keeps per connection: a place in the log, and little else.

use std::sync::Arc;

use bytes::Bytes;

use super::log::{Meta, Seq};
use super::masks::{Mask, TeamId};
use crate::client::{ClientId, Peer};
use crate::reason::{CloseReason, DropReason, PerReason};

/// What the connection is doing about its unread events.
///
/// ```text
///   connect -> Hold --identified, or replay_hold over--> Ready <--> Idle
///                                                   something to read / read it all
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Waits to learn who the newcomer is before its replay.
    Hold { until_ms: u64 },
    /// Has read everything that is for it; its cursor counts as being at the head.
    Idle,
    /// Has been told to read and has not yet come to the end.
    Ready,
}

/// Changes of team that a client may make at once.
pub(crate) const MAX_TEAM_CHANGES: u8 = 16;

pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) peer: Peer,
    pub(crate) connected_ms: u64,
    pub(crate) flow: Flow,
    /// Next event to read. Not maintained while `Idle`.
    pub(crate) cursor: Seq,
    /// Events below this were accepted before it could see them: they are a replay.
    pub(crate) joined: Seq,
    /// Skips superseded events and holds no log memory.
    pub(crate) is_behind: bool,
    /// Cursor after the batch that is being written right now.
    pub(crate) in_flight: Option<Seq>,
    /// Rest of an event that was written in part.
    pub(crate) rest: Bytes,
    /// Whether `rest` is of an event that counts (not of a pong).
    pub(crate) rest_counts: bool,
    pub(crate) owes_pong: bool,
    /// The newest answer to a request for another protocol; empty when none is owed.
    pub(crate) answer: Bytes,
    /// Bytes of its unfinished event.
    pub(crate) unfinished: usize,
    /// Bytes of critical events it has not read and that had to leave the tail.
    pub(crate) critical_lag: usize,
    pub(crate) team: TeamId,
    /// The other teams that a viewer looks at.
    pub(crate) more_teams: Box<[TeamId]>,
    pub(crate) receives: Mask,
    pub(crate) team_name: Arc<str>,
    pub(crate) callsign: Arc<str>,
    pub(crate) role: Arc<str>,
    /// Uids it speaks for; the first is the one it is known by.
    pub(crate) uids: Vec<Arc<str>>,
    /// Changes of team that it may make now; one more every second.
    pub(crate) team_changes: u8,
    pub(crate) has_pinged: bool,
    pub(crate) last_in_ms: Option<u64>,
    pub(crate) last_out_ms: Option<u64>,
    /// When the unfinished event began.
    pub(crate) partial_since_ms: Option<u64>,
    pub(crate) blocked: Option<Blocked>,
    pub(crate) closing: Option<CloseReason>,
    pub(crate) counters: Counters,
}

/// A socket that takes no bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    pub(crate) since_ms: u64,
    /// Since when the bytes are counted: it must make progress again and again.
    pub(crate) counted_ms: u64,
    /// Bytes written in spite of it, in drips.
    pub(crate) bytes: usize,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) events_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) delivered: u64,
    pub(crate) replayed: u64,
    pub(crate) conflated: u64,
    pub(crate) dropped: PerReason<DropReason>,
}

impl Client {
    pub(crate) fn new(id: ClientId, peer: Peer, now_ms: u64, joined: Seq, flow: Flow) -> Self {
        let none: Arc<str> = Arc::from("");
        Self {
            id,
            peer,
            connected_ms: now_ms,
            flow,
            cursor: 0,
            joined,
            is_behind: true,
            in_flight: None,
            rest: Bytes::new(),
            rest_counts: false,
            owes_pong: false,
            answer: Bytes::new(),
            critical_lag: 0,
            team: TeamId::UNASSIGNED,
            more_teams: Box::default(),
            receives: Mask::NONE,
            team_name: none.clone(),
            callsign: none.clone(),
            role: none,
            uids: Vec::new(),
            team_changes: MAX_TEAM_CHANGES,
            has_pinged: false,
            last_in_ms: None,
            last_out_ms: None,
            partial_since_ms: None,
            unfinished: 0,
            blocked: None,
            closing: None,
            counters: Counters::default(),
        }
    }

    /// The one routing rule: whether this client may get the event. `list` is the event's
    /// explicit recipients.
    pub(crate) fn may_get(&self, meta: &Meta, list: impl FnOnce() -> bool) -> bool {
        meta.mask.meets(self.receives) && meta.sender != self.id && (meta.list.is_none() || list())
    }

    /// Whether the event at `seq` is still unread by this client. What is being written counts as
    /// read, unless it is critical: the write may fall short.
    pub(crate) fn has_unread(&self, seq: Seq, is_critical: bool) -> bool {
        let in_flight = self.in_flight.filter(|_| !is_critical);
        self.flow != Flow::Idle && in_flight.unwrap_or(self.cursor) <= seq
    }

    /// Cursor below which the log's tail must be held for this client.
    pub(crate) fn pins(&self) -> Option<Seq> {
        let pinned = self.in_flight.is_some() || (self.flow == Flow::Ready && !self.is_behind);
        pinned.then_some(self.cursor)
    }
}
