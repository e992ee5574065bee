//! The one ordered log: every accepted event once, with its audience decided.
//!
//! ```text
//!   kept (newest of each uid, and critical events someone still needs)   tail (all recent events)
//!   |  seq 3 . . 17 . . . . 41 . 42 |                                    | 58 59 60 61 62 ... head
//!   one allocation each, in seq order                                    contiguous in blocks
//! ```
//!
//! Recent events lie back to back in large blocks, so that a client that keeps up is served with
//! few long slices. A block that nobody needs any more goes; what it held and is still the newest
//! of its uid moves to `kept`.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use slab::Slab;

use super::keys::{KeyId, KeyKind, Keys};
use super::masks::Mask;
use crate::client::ClientId;

/// Bytes of a block. A larger event gets a block of its own size.
pub(crate) const BLOCK: usize = 64 << 10;

/// Place of an event in the log. Starts at 1; never reused.
pub(crate) type Seq = u64;

/// Places beyond this are not taken from a picture that is restored: there would be none left.
const MAX_SEQ: Seq = 1 << 62;

/// Who an event is for, and what it is to the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// Teams that may see it.
    pub(crate) mask: Mask,
    /// The connection it came from, which gets no copy.
    pub(crate) sender: ClientId,
    /// Explicit recipients, all of whom must also be within `mask`.
    pub(crate) list: Option<ListId>,
    /// The uid whose newest event it is or was.
    pub(crate) key: Option<KeyId>,
    /// Never skipped for a client that is behind.
    pub(crate) is_critical: bool,
}

/// Index of a recipient list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListId(u32);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Position of its first byte, counted over the whole life of the log.
    pub(crate) pos: u64,
    pub(crate) len: u32,
    pub(crate) meta: Meta,
}

pub(crate) struct Block {
    pub(crate) first: Seq,
    pub(crate) pos: u64,
    pub(crate) bytes: Bytes,
}

/// An event that outlived its block.
pub(crate) struct Kept {
    pub(crate) bytes: Bytes,
    pub(crate) meta: Meta,
    /// Kept only for those who lag, not as the newest of its uid.
    is_pinned: bool,
}

pub(crate) struct Log {
    open: BytesMut,
    open_first: Seq,
    open_pos: u64,
    blocks: VecDeque<Block>,
    entries: VecDeque<Entry>,
    /// Seq of `entries[0]`; everything below is in `kept` or gone.
    first: Seq,
    end_pos: u64,
    pub(crate) kept: BTreeMap<Seq, Kept>,
    /// Bytes kept as the newest of some uid.
    pub(crate) state_bytes: usize,
    /// Bytes kept for those who lag behind critical events.
    pub(crate) pinned_bytes: usize,
    pub(crate) keys: Keys,
    lists: Slab<Box<[ClientId]>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            open: BytesMut::new(),
            open_first: 1,
            open_pos: 0,
            blocks: VecDeque::new(),
            entries: VecDeque::new(),
            first: 1,
            end_pos: 0,
            kept: BTreeMap::new(),
            state_bytes: 0,
            pinned_bytes: 0,
            keys: Keys::new(),
            lists: Slab::new(),
        }
    }

    /// Seq that the next event will get.
    pub(crate) fn head(&self) -> Seq {
        self.first + self.entries.len() as u64
    }

    /// Seq of the oldest event in the tail.
    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    /// Bytes in the tail.
    pub(crate) fn tail_bytes(&self) -> usize {
        let start = self.entries.front().map_or(self.end_pos, |entry| entry.pos);
        usize::try_from(self.end_pos - start).unwrap_or(usize::MAX)
    }

    /// Appends one event, with the ranges of `edits` (ascending, not overlapping) replaced.
    pub(crate) fn append(&mut self, event: &[u8], edits: &[Edit<'_>], meta: Meta) -> Seq {
        let grown: usize = edits.iter().map(|edit| edit.text.len()).sum();
        let needed = event.len() + grown;
        if self.open.capacity() - self.open.len() < needed {
            self.seal();
            self.open.reserve(needed.max(BLOCK));
        }
        let before = self.open.len();
        splice(event, edits, &mut self.open);
        let len = self.open.len() - before;
        let seq = self.head();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.entries.push_back(Entry { pos: self.end_pos, len, meta });
        self.end_pos += u64::from(len);
        seq
    }

    /// Makes everything appended so far readable as blocks.
    pub(crate) fn seal(&mut self) {
        if !self.open.is_empty() {
            let bytes = self.open.split().freeze();
            self.blocks.push_back(Block { first: self.open_first, pos: self.open_pos, bytes });
        }
        self.open_first = self.head();
        self.open_pos = self.end_pos;
    }

    /// Position behind the last byte.
    pub(crate) fn end_pos(&self) -> u64 {
        self.end_pos
    }

    /// The event at `seq`, if it is still there and sealed. Shares the memory of its block.
    pub(crate) fn event(&self, seq: Seq) -> Option<Bytes> {
        let Some(at) = seq.checked_sub(self.first) else {
            return self.kept.get(&seq).map(|kept| kept.bytes.clone());
        };
        let entry = self.entries.get(usize::try_from(at).ok()?)?;
        let block = self.blocks_from(seq).next()?;
        let start = usize::try_from(entry.pos.checked_sub(block.pos)?).ok()?;
        let end = start.checked_add(entry.len as usize)?;
        (end <= block.bytes.len()).then(|| block.bytes.slice(start..end))
    }

    /// Who the event at `seq` is for, if it is still there.
    pub(crate) fn meta(&self, seq: Seq) -> Option<Meta> {
        match seq.checked_sub(self.first) {
            Some(at) => self.entries.get(usize::try_from(at).ok()?).map(|entry| entry.meta),
            None => self.kept.get(&seq).map(|kept| kept.meta),
        }
    }

    /// Puts in an event from before a restart, at its old place; what comes from now on comes
    /// behind it. `false` when the place is taken, or something else has come already.
    pub(crate) fn restore(&mut self, seq: Seq, bytes: Bytes, meta: Meta) -> bool {
        let is_fresh = self.entries.is_empty() && self.open.is_empty();
        if !is_fresh || seq == 0 || seq >= MAX_SEQ || self.kept.contains_key(&seq) {
            return false;
        }
        self.first = self.first.max(seq + 1);
        self.open_first = self.first;
        self.state_bytes += bytes.len();
        self.kept.insert(seq, Kept { bytes, meta, is_pinned: false });
        true
    }

    /// The tail's entries from `seq` on, with their seqs.
    pub(crate) fn entries_from(&self, seq: Seq) -> impl Iterator<Item = (Seq, &Entry)> {
        let seq = seq.max(self.first);
        let skip = usize::try_from(seq - self.first).unwrap_or(usize::MAX).min(self.entries.len());
        (seq..).zip(self.entries.range(skip..))
    }

    /// The sealed blocks from the one that holds `seq` on.
    pub(crate) fn blocks_from(&self, seq: Seq) -> impl Iterator<Item = &Block> {
        let at = self.blocks.partition_point(|block| block.first <= seq).saturating_sub(1);
        self.blocks.range(at..)
    }

    /// Seq behind the oldest sealed block's last event.
    pub(crate) fn front_block_end(&self) -> Option<Seq> {
        let next = self.blocks.get(1).map_or(self.open_first, |block| block.first);
        self.blocks.front().map(|_| next)
    }

    /// Removes the oldest block. `keep` says for each of its events whether it is still needed.
    pub(crate) fn pop_block(&mut self, mut keep: impl FnMut(&Self, Seq, &Entry) -> bool) {
        let Some(end) = self.front_block_end() else { return };
        let Some(block) = self.blocks.pop_front() else { return };
        while self.first < end {
            let Some(entry) = self.entries.front().copied() else { return };
            let seq = self.first;
            if keep(self, seq, &entry) {
                let start = usize::try_from(entry.pos - block.pos).unwrap_or(usize::MAX);
                let end = start.saturating_add(entry.len as usize).min(block.bytes.len());
                // A copy, so that one small event does not hold its whole block.
                let bytes = Bytes::copy_from_slice(block.bytes.get(start..end).unwrap_or_default());
                let is_pinned = !self.is_newest(seq, &entry.meta);
                *self.account(is_pinned) += bytes.len();
                self.kept.insert(seq, Kept { bytes, meta: entry.meta, is_pinned });
            } else {
                self.release(entry.meta);
            }
            self.entries.pop_front();
            self.first += 1;
        }
        if self.entries.is_empty() && self.entries.capacity() > 4096 {
            self.entries.shrink_to(1024);
        }
    }

    pub(crate) fn drop_kept(&mut self, seq: Seq) -> Option<Kept> {
        let kept = self.kept.remove(&seq)?;
        *self.account(kept.is_pinned) -= kept.bytes.len();
        self.release(kept.meta);
        Some(kept)
    }

    /// Keeps an event that is not the newest of its uid any more, for those who lag.
    pub(crate) fn pin(&mut self, seq: Seq) {
        let Some(kept) = self.kept.get_mut(&seq).filter(|kept| !kept.is_pinned) else { return };
        kept.is_pinned = true;
        let len = kept.bytes.len();
        self.state_bytes -= len;
        self.pinned_bytes += len;
    }

    fn account(&mut self, is_pinned: bool) -> &mut usize {
        if is_pinned { &mut self.pinned_bytes } else { &mut self.state_bytes }
    }

    /// Whether the event is the newest of its uid.
    pub(crate) fn is_newest(&self, seq: Seq, meta: &Meta) -> bool {
        meta.key.is_some_and(|key| self.keys.newest(key) == seq)
    }

    /// Whether the event is an alert that has not been cancelled.
    pub(crate) fn is_alert(&self, meta: &Meta) -> bool {
        let kind = meta.key.and_then(|key| self.keys.get(key)).map(|key| key.kind);
        kind == Some(KeyKind::Emergency)
    }

    /// Adds a list of recipients, in ascending order.
    pub(crate) fn add_list(&mut self, clients: Box<[ClientId]>) -> ListId {
        debug_assert!(clients.is_sorted(), "{clients:?}");
        ListId(u32::try_from(self.lists.insert(clients)).unwrap_or(u32::MAX))
    }

    pub(crate) fn list(&self, list: ListId) -> &[ClientId] {
        self.lists.get(list.0 as usize).map_or(&[], |clients| clients)
    }

    /// The teams that events are limited to which are still readable and not before `from`.
    pub(crate) fn limited_to(&self, from: Seq) -> Mask {
        let tail = self.entries_from(from).map(|(_, entry)| entry.meta.mask);
        let kept = self.kept.range(from..).map(|(_, kept)| kept.meta.mask);
        Mask::limited_to(tail.chain(kept))
    }

    fn release(&mut self, meta: Meta) {
        if let Some(list) = meta.list {
            self.lists.try_remove(list.0 as usize);
        }
    }
}

/// A replacement inside an event on its way into the log.
#[derive(Clone, Debug)]
pub(crate) struct Edit<'a> {
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) text: &'a [u8],
}

pub(crate) fn splice(event: &[u8], edits: &[Edit<'_>], out: &mut BytesMut) {
    let mut from = 0;
    for edit in edits {
        out.extend_from_slice(event.get(from..edit.range.start).unwrap_or_default());
        out.extend_from_slice(edit.text);
        from = edit.range.end;
    }
    out.extend_from_slice(event.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        Meta { mask: Mask::ALL, sender: ClientId(1), list: None, key: None, is_critical: false }
    }

    #[test]
    fn edits_replace_remove_and_insert() {
        let edits = [
            Edit { range: 1..2, text: b"XY" },
            Edit { range: 3..5, text: b"" },
            Edit { range: 6..6, text: b"+" },
        ];
        let mut out = BytesMut::new();
        splice(b"abcdefg", &edits, &mut out);
        assert_eq!(&out[..], b"aXYcf+g");
    }

    #[test]
    fn events_of_one_turn_share_a_block_and_leave_together() {
        let mut log = Log::new();
        for text in [b"one".as_slice(), b"two", b"three"] {
            log.append(text, &[], meta());
        }
        log.seal();
        log.append(b"four", &[], meta());
        assert_eq!(log.tail_bytes(), 15);
        assert_eq!(
            log.blocks_from(2).next().map(|block| &block.bytes[..]),
            Some(&b"onetwothree"[..])
        );
        log.pop_block(|_, seq, _| seq == 2);
        assert_eq!((log.first(), log.head(), log.tail_bytes()), (4, 5, 4));
        assert_eq!(log.kept.get(&2).map(|kept| &kept.bytes[..]), Some(&b"two"[..]));
        assert!(log.drop_kept(2).is_some() && log.state_bytes + log.pinned_bytes == 0);
    }

    #[test]
    fn an_event_larger_than_a_block_is_one_slice() {
        let mut log = Log::new();
        log.append(b"small", &[], meta());
        let large = vec![b'x'; BLOCK + 1];
        let seq = log.append(&large, &[], meta());
        log.seal();
        assert_eq!(log.blocks_from(seq).next().map(|block| block.bytes.len()), Some(BLOCK + 1));
    }
}
