//! Reading the log for one client: live, catching up and replay are the same walk.

use bytes::{Buf, Bytes};

use super::Hub;
use super::admit::SERVER;
use super::client::{Blocked, Client, Flow};
use super::keys::KeyKind;
use super::log::{Entry, Log, Meta, Seq};
use crate::client::ClientId;
use crate::now::Now;
use crate::reason::{CloseReason, DropReason};

/// Slices of one batch: what one vectored write can usefully take.
const MAX_SLICES: usize = 64;

/// What to write to one client next. Reuse it: it keeps its memory.
#[derive(Debug, Default)]
pub struct Batch {
    slices: Vec<Bytes>,
    /// The events of a client that is behind. One that keeps up needs only their number: what it
    /// gets can be worked out again from the log, which holds them until the commit.
    marks: Vec<Mark>,
    /// Events of a client that keeps up.
    events: u64,
    bytes: usize,
    /// Bytes in front of the first mark: the rest of an event, a pong.
    lead: usize,
    rest: usize,
    rest_counts: bool,
    /// Cursor when all of it has been written.
    upto: Seq,
    /// Superseded events passed over behind the last mark.
    skipped: u32,
}

/// One event of a batch.
#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: Seq,
    len: u32,
    /// Superseded events passed over since the mark before.
    skipped: u32,
    is_replay: bool,
    is_critical: bool,
}

impl Batch {
    /// The bytes, in order. Shared with the log, not copied.
    pub fn slices(&self) -> &[Bytes] {
        &self.slices
    }

    /// Bytes in all slices.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Lets go of the slices and keeps the memory.
    pub fn clear(&mut self) {
        self.slices.clear();
        self.marks.clear();
        (self.bytes, self.lead, self.rest, self.skipped, self.events) = (0, 0, 0, 0, 0);
    }

    fn mark(&mut self, seq: Seq, len: u32, is_replay: bool, is_critical: bool) {
        let skipped = std::mem::take(&mut self.skipped);
        self.marks.push(Mark { seq, len, skipped, is_replay, is_critical });
    }

    fn push(&mut self, slice: Bytes) {
        self.bytes += slice.len();
        self.slices.push(slice);
    }

    /// The `len` bytes at `offset`, copied so that they do not hold a whole block.
    fn copy_of(&self, mut offset: usize, len: usize) -> Bytes {
        let mut copy = Vec::with_capacity(len);
        for slice in &self.slices {
            match slice.get(offset..) {
                Some(start) => {
                    let wanted = start.get(..len - copy.len()).unwrap_or(start);
                    copy.extend_from_slice(wanted);
                    offset = 0;
                }
                None => offset -= slice.len(),
            }
        }
        copy.into()
    }
}

/// What became of a batch.
#[derive(Default)]
struct Done {
    delivered: u64,
    replayed: u64,
    conflated: u64,
}

impl Batch {
    /// Finds the event at which a short write to a client that keeps up has ended.
    fn settle_events(&self, log: &Log, client: &mut Client, written: usize, done: &mut Done) {
        let mut end = self.lead;
        for (seq, entry) in log.entries_from(client.cursor) {
            if end >= written {
                client.cursor = seq;
                return;
            }
            if !client.may_get(&entry.meta, || listed(log, &entry.meta, client.id)) {
                continue;
            }
            end += entry.len as usize;
            if end > written {
                client.rest = self.copy_of(written, end - written);
                client.rest_counts = true;
                client.cursor = seq + 1;
                return;
            }
            done.delivered += 1;
        }
    }

    /// Goes through the events of a client that is behind, as far as they were written.
    fn settle_marks(&self, log: &Log, client: &mut Client, written: usize, done: &mut Done) {
        let mut end = self.lead;
        let mut begun = 0;
        for mark in &self.marks {
            done.conflated += u64::from(mark.skipped);
            if end >= written {
                client.cursor = mark.seq;
                break;
            }
            begun += 1;
            end += mark.len as usize;
            if mark.is_critical {
                client.critical_lag = client.critical_lag.saturating_sub(mark.len as usize);
            }
            if end > written {
                client.rest = self.copy_of(written, end - written);
                client.rest_counts = !mark.is_replay;
                client.cursor = mark.seq + 1;
            } else if mark.is_replay {
                done.replayed += 1;
            } else {
                done.delivered += 1;
            }
        }
        // What had to leave the log while this write was under way cannot be read again.
        let unread = self.marks.get(begun..).unwrap_or_default();
        let gone = unread.iter().filter(|mark| {
            !mark.is_replay && mark.seq < log.first() && !log.kept.contains_key(&mark.seq)
        });
        done.conflated += gone.count() as u64;
    }
}

/// What a client's cursor makes of an event it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Not for this client.
    Foreign,
    /// To be written.
    Take { is_replay: bool },
    /// Replaced by a newer event of its uid.
    Superseded,
}

impl Hub {
    /// Fills `batch` with what `client` should be sent next: at most `max_bytes`, but at least one
    /// event if there is any. An empty batch means that it has everything; it will be announced
    /// again by [`Output::Readable`](super::Output::Readable).
    ///
    /// After writing, [`commit`](Self::commit) must follow before the next read.
    pub fn read(&mut self, now: Now, client: ClientId, batch: &mut Batch, max_bytes: usize) {
        batch.clear();
        self.log.seal();
        let Some(client) = self.clients.get_mut(client.slot()).filter(|slot| slot.id == client)
        else {
            return;
        };
        if matches!(client.flow, Flow::Hold { .. }) {
            return;
        }
        if self.drains_to.is_some_and(|end| client.cursor >= end) && client.rest.is_empty() {
            // Those that still send must not keep it from the end.
            let id = client.id;
            return self.close(id, CloseReason::Shutdown);
        }
        if !client.rest.is_empty() {
            batch.rest = client.rest.len();
            batch.rest_counts = client.rest_counts;
            batch.push(client.rest.clone());
        }
        if client.owes_pong {
            batch.push(self.pong.at(now.unix_ms));
        }
        if !client.answer.is_empty() {
            batch.push(client.answer.clone());
        }
        batch.lead = batch.bytes;
        let walk = Walk { log: &self.log, contacts: &self.contacts, now, max_bytes };
        batch.upto = if client.is_behind {
            walk.catch_up(client, batch)
        } else {
            walk.keep_up(client, batch)
        };
        if batch.is_empty() {
            client.counters.conflated += u64::from(batch.skipped);
            self.stats.conflated += u64::from(batch.skipped);
            client.cursor = batch.upto;
            client.flow = Flow::Idle;
            client.critical_lag = 0;
            if std::mem::take(&mut client.is_behind) {
                self.behind -= 1;
            }
            if self.drains_to.is_some() {
                let id = client.id;
                self.close(id, CloseReason::Shutdown);
            }
        } else {
            client.in_flight = Some(batch.upto);
        }
    }

    /// Tells how many bytes of `batch` the transport took. Fewer than all means that it takes no
    /// more for now.
    pub fn commit(&mut self, now: Now, client: ClientId, batch: &Batch, written: usize) {
        let Some(client) = self.clients.get_mut(client.slot()).filter(|slot| slot.id == client)
        else {
            return;
        };
        client.in_flight = None;
        client.counters.bytes_out += written as u64;
        self.stats.bytes_out += written as u64;
        if written > 0 {
            client.last_out_ms = Some(now.mono_ms);
        }
        if written >= batch.bytes {
            client.blocked = None;
        } else {
            let since_ms = now.mono_ms;
            let begun = Blocked { since_ms, counted_ms: since_ms, bytes: 0 };
            let blocked = client.blocked.get_or_insert(begun);
            blocked.bytes = blocked.bytes.saturating_add(written);
        }

        let mut delivered = 0;
        if batch.rest > 0 {
            client.rest.advance(written.min(client.rest.len()));
            delivered += u64::from(client.rest.is_empty() && batch.rest_counts);
        }
        if written > batch.rest && batch.lead > batch.rest {
            client.owes_pong = false;
            client.answer = Bytes::new();
            client.rest = batch.copy_of(written, batch.lead.saturating_sub(written));
            client.rest_counts = false;
        }
        let mut done = Done::default();
        if written >= batch.bytes {
            done.conflated += u64::from(batch.skipped);
            client.cursor = batch.upto;
        }
        if batch.events == 0 {
            batch.settle_marks(&self.log, client, written, &mut done);
        } else if written >= batch.bytes {
            done.delivered += batch.events;
        } else {
            batch.settle_events(&self.log, client, written, &mut done);
        }
        let Done { conflated, replayed, .. } = done;
        delivered += done.delivered;
        client.counters.conflated += conflated;
        client.counters.delivered += delivered;
        client.counters.replayed += replayed;
        self.stats.conflated += conflated;
        self.stats.delivered += delivered;
        self.stats.replayed += replayed;
    }

    /// Counts everything `client` has not read as lost with it. Returns what of it was for this
    /// client among few, each with its bytes; not what another connection of the same uid gets, too.
    pub(super) fn forfeit(&mut self, client: &Client) -> Vec<(Meta, Bytes)> {
        self.log.seal();
        let from =
            if client.flow == Flow::Idle { client.cursor.max(self.settled) } else { client.cursor };
        let log = &self.log;
        let kept = log.kept.range(from..).map(|(&seq, kept)| (seq, kept.meta));
        let tail = log.entries_from(from).map(|(seq, entry)| (seq, entry.meta));
        let (mut closed, mut superseded) =
            (u64::from(!client.rest.is_empty() && client.rest_counts), 0);
        let holds = !self.config.hold_age.is_zero() && !client.uids.is_empty();
        let owners = client.uids.first().map_or(&[][..], |uid| self.contacts.owners(uid));
        let others: Vec<_> = owners.iter().filter(|&&owner| owner != client.id).collect();
        let mut unread = Vec::new();
        let mut keep = |seq, meta: Meta| {
            let list = meta.list.map(|list| log.list(list)).filter(|_| holds);
            let is_lost = |list: &[ClientId]| others.iter().all(|other| !list.contains(other));
            if list.is_some_and(is_lost) && meta.sender != SERVER {
                unread.extend(log.event(seq).map(|event| (meta, Bytes::copy_from_slice(&event))));
            }
        };
        if closed > 0
            && let Some(seq) = client.cursor.checked_sub(1)
            && let Some(meta) = log.meta(seq)
        {
            keep(seq, meta);
        }
        for (seq, meta) in kept.chain(tail) {
            match pass(log, client, seq, &meta) {
                Pass::Take { is_replay: false } => {
                    closed += 1;
                    keep(seq, meta);
                }
                Pass::Superseded => superseded += 1,
                Pass::Take { is_replay: true } | Pass::Foreign => {}
            }
        }
        self.stats.dropped.add(DropReason::Closed, closed);
        self.stats.conflated += superseded;
        unread
    }
}

/// The rule for one event. Only a client that is behind ever skips what has been superseded.
fn pass(log: &Log, client: &Client, seq: Seq, meta: &Meta) -> Pass {
    if !client.may_get(meta, || listed(log, meta, client.id)) {
        return Pass::Foreign;
    }
    let is_replay = seq < client.joined;
    if is_replay {
        let is_state = log.is_newest(seq, meta) && meta.list.is_none();
        return if is_state { Pass::Take { is_replay } } else { Pass::Foreign };
    }
    if client.is_behind && !meta.is_critical && !log.is_newest(seq, meta) {
        return Pass::Superseded;
    }
    Pass::Take { is_replay }
}

fn listed(log: &Log, meta: &Meta, client: ClientId) -> bool {
    meta.list.is_none_or(|list| log.list(list).binary_search(&client).is_ok())
}

struct Walk<'a> {
    log: &'a Log,
    contacts: &'a super::contacts::Contacts,
    now: Now,
    max_bytes: usize,
}

impl Walk<'_> {
    /// What is still the newest of its uid, and all that is critical. Returns the cursor behind it.
    fn catch_up(&self, client: &Client, batch: &mut Batch) -> Seq {
        for (&seq, kept) in self.log.kept.range(client.cursor..) {
            if self.is_full(batch) {
                return seq;
            }
            if let Pass::Take { is_replay } = pass(self.log, client, seq, &kept.meta)
                && self.is_worth(client, &kept.meta, is_replay)
            {
                let len = u32::try_from(kept.bytes.len()).unwrap_or(u32::MAX);
                batch.mark(seq, len, is_replay, kept.meta.is_critical);
                batch.push(kept.bytes.clone());
            }
        }
        let from = client.cursor.max(self.log.first());
        self.tail(from, batch, |batch, seq, entry| match pass(self.log, client, seq, &entry.meta) {
            Pass::Take { is_replay } => {
                let takes = self.is_worth(client, &entry.meta, is_replay);
                if takes {
                    batch.mark(seq, entry.len, is_replay, entry.meta.is_critical);
                }
                takes
            }
            Pass::Superseded => {
                batch.skipped += 1;
                false
            }
            Pass::Foreign => false,
        })
    }

    /// Everything in order. Returns the cursor behind it.
    fn keep_up(&self, client: &Client, batch: &mut Batch) -> Seq {
        self.tail(client.cursor, batch, |batch, _, entry| {
            let takes = client.may_get(&entry.meta, || listed(self.log, &entry.meta, client.id));
            batch.events += u64::from(takes);
            takes
        })
    }

    /// Events from `from` on that `take` takes, in slices as long as possible. Returns the cursor
    /// behind them.
    fn tail(
        &self,
        from: Seq,
        batch: &mut Batch,
        mut take: impl FnMut(&mut Batch, Seq, &Entry) -> bool,
    ) -> Seq {
        let mut blocks = self.log.blocks_from(from);
        let Some(mut block) = blocks.next() else { return self.log.head() };
        let mut run = 0..0;
        let mut upto = self.log.head();
        for (seq, entry) in self.log.entries_from(from) {
            if batch.bytes + (run.end - run.start) >= self.max_bytes
                || batch.slices.len() >= MAX_SLICES
            {
                upto = seq;
                break;
            }
            if !take(batch, seq, entry) {
                continue;
            }
            while entry.pos >= block.pos + block.bytes.len() as u64 {
                flush(&mut run, &block.bytes, batch);
                match blocks.next() {
                    Some(next) => block = next,
                    None => return seq,
                }
            }
            let start = usize::try_from(entry.pos - block.pos).unwrap_or(usize::MAX);
            if run.end != start {
                flush(&mut run, &block.bytes, batch);
                run = start..start;
            }
            run.end = start + entry.len as usize;
        }
        flush(&mut run, &block.bytes, batch);
        upto
    }

    fn is_full(&self, batch: &Batch) -> bool {
        batch.bytes >= self.max_bytes || batch.slices.len() >= MAX_SLICES
    }

    /// A replay leaves out what has run out, and the newcomer's own last position.
    fn is_worth(&self, client: &Client, meta: &Meta, is_replay: bool) -> bool {
        if !is_replay {
            return true;
        }
        let Some(key) = meta.key.and_then(|key| self.log.keys.get(key)) else { return false };
        let is_own =
            key.kind == KeyKind::Presence && self.contacts.owners(&key.uid).contains(&client.id);
        key.until_ms > self.now.mono_ms && key.kind != KeyKind::Transient && !is_own
    }
}

fn flush(run: &mut std::ops::Range<usize>, block: &Bytes, batch: &mut Batch) {
    if run.start < run.end {
        batch.push(block.slice(run.clone()));
    }
    *run = 0..0;
}
