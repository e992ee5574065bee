//! The closed loop: every client has a fixed number of events under way.
#![expect(clippy::indexing_slicing, reason = "senders are below clients, and slots are masked")]

use crate::event::Template;
use crate::steady::Pace;
use crate::swarm::Swarm;
use crate::tally::Fresh;

/// Windows of all senders.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Events that a sender may have under way.
    window: u32,
    /// Per sender, how many clients must get each event.
    hearers: Vec<u32>,
    /// Per sender, one slot for each of its latest events.
    slots: Vec<Slot>,
    /// Slots per sender, less one; a power of two less one.
    mask: u32,
    /// Per sender, the number of its next event.
    next: Vec<u32>,
    /// Per sender, when it sent last, to find those that wait in vain.
    sent_ns: Vec<u64>,
    /// Senders that may be able to send, each once.
    ready: Vec<usize>,
    is_ready: Vec<bool>,
    /// Events that each sender sends at most.
    most: u32,
    /// If given, so many things are reported in turn by the first client.
    uids: Option<u32>,
    text: Vec<u8>,
}

/// One event under way.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    seq: u32,
    /// Clients that have not got it.
    left: u32,
}

impl Closed {
    pub(crate) fn new(window: u32, hearers: Vec<u32>, uids: Option<u32>) -> Self {
        let clients = hearers.len();
        let senders = if uids.is_some() { 1 } else { clients };
        let ring = window.next_power_of_two();
        Self {
            window,
            slots: vec![Slot::default(); clients * ring as usize],
            mask: ring - 1,
            next: vec![0; clients],
            sent_ns: vec![0; clients],
            ready: (0..senders).collect(),
            is_ready: vec![true; clients],
            most: u32::MAX - 1,
            uids,
            text: Vec::new(),
            hearers,
        }
    }

    /// Ends after `most` events of each sender.
    pub(crate) fn up_to(self, most: u32) -> Self {
        Self { most, ..self }
    }

    fn slot(&mut self, sender: usize, seq: u32) -> &mut Slot {
        let ring = self.mask as usize + 1;
        &mut self.slots[sender * ring + (seq & self.mask) as usize]
    }

    fn ready(&mut self, sender: usize) {
        if !std::mem::replace(&mut self.is_ready[sender], true) {
            self.ready.push(sender);
        }
    }

    /// One client fewer has to get the event.
    #[inline]
    fn arrived(&mut self, sender: usize, seq: u32) {
        let slot = self.slot(sender, seq);
        // What was given up may still come, when the slot is already another event's.
        if slot.seq == seq && slot.left > 0 {
            slot.left -= 1;
            if slot.left == 0 {
                self.ready(sender);
            }
        }
    }
}

impl Pace for Closed {
    #[inline]
    fn delivered(&mut self, fresh: Fresh) {
        let Fresh { sender, seq, skipped } = fresh;
        // What a server left out is over as well: it would not come behind a later one.
        for seq in seq - skipped.min(self.window)..=seq {
            self.arrived(sender, seq);
        }
    }

    fn send(&mut self, now: u64, swarm: &mut Swarm, templates: &mut [Template]) {
        let mut ready = std::mem::take(&mut self.ready);
        let mut text = std::mem::take(&mut self.text);
        for sender in ready.drain(..) {
            self.is_ready[sender] = false;
            text.clear();
            loop {
                let seq = self.next[sender];
                // The event a window earlier must be everywhere; those before it are by induction.
                if seq >= self.window && self.slot(sender, seq - self.window).left > 0 {
                    break;
                }
                let left = self.hearers[sender];
                if seq == self.most || left == 0 || text.len() > 64 * 1024 {
                    break;
                }
                *self.slot(sender, seq) = Slot { seq, left };
                if let Some(uids) = self.uids {
                    templates[sender].rename(seq % uids);
                }
                text.extend_from_slice(templates[sender].stamped(seq, now));
                self.next[sender] = seq + 1;
            }
            if !text.is_empty() {
                self.sent_ns[sender] = now;
                swarm.send(sender, &text);
            }
        }
        self.text = text;
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    fn sent(&self) -> &[u32] {
        &self.next
    }

    fn owed(&self) -> u64 {
        0
    }

    fn next_ns(&self) -> Option<u64> {
        None
    }

    fn give_up(&mut self, now: u64, patience: u64) {
        for sender in 0..self.next.len() {
            let next = self.next[sender];
            if next > 0 && now.saturating_sub(self.sent_ns[sender]) > patience {
                for seq in next.saturating_sub(self.window)..next {
                    self.slot(sender, seq).left = 0;
                }
                self.ready(sender);
            }
        }
    }
}
