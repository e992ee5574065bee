//! The open loop: events are due at fixed times, whatever the server does.
#![expect(clippy::indexing_slicing, reason = "senders are below clients")]

use crate::event::{self, Template};
use crate::steady::Pace;
use crate::swarm::Swarm;
use crate::tally::Fresh;

/// Most bytes that a client writes at once when it has fallen behind.
const BURST: usize = 64 * 1024;

/// A timetable: one event after the other at even distances, from each sender in turn.
#[derive(Debug)]
pub(crate) struct Open {
    start_ns: u64,
    /// Time between two events of any senders. Nanoseconds.
    interval_ns: f64,
    senders: usize,
    /// Events of all senders that have become due.
    due: u64,
    /// The sender whose event becomes due next.
    turn: usize,
    /// Per client, the number of its next event.
    next: Vec<u32>,
    /// Per client, events that are due and that its socket has not taken.
    owed: Vec<u32>,
    /// Clients that owe, each once.
    behind: Vec<usize>,
    /// If given, so many things are reported in turn by the first client.
    uids: Option<u32>,
    text: Vec<u8>,
}

impl Open {
    /// Begins at `start_ns` with `rate` events per second and sender.
    pub(crate) fn new(start_ns: u64, rate: f64, clients: usize, uids: Option<u32>) -> Self {
        let senders = if uids.is_some() { 1 } else { clients };
        Self {
            start_ns,
            interval_ns: 1e9 / rate / as_f64(senders as u64),
            senders,
            due: 0,
            turn: 0,
            next: vec![0; clients],
            owed: vec![0; clients],
            behind: Vec::new(),
            uids,
            text: Vec::new(),
        }
    }

    /// When the event with this number, counted over all senders, is due.
    fn time(&self, number: u64) -> u64 {
        self.start_ns.saturating_add(as_u64((as_f64(number) + 1.0) * self.interval_ns))
    }

    /// Sends so much of what `sender` owes as one write may hold.
    fn pay(&mut self, sender: usize, swarm: &mut Swarm, template: &mut Template) {
        self.text.clear();
        while self.owed[sender] > 0 && self.text.len() + event::LEN <= BURST {
            let seq = self.next[sender];
            let number = u64::from(seq) * self.senders as u64 + sender as u64;
            if let Some(uids) = self.uids {
                template.rename(seq % uids);
            }
            self.text.extend_from_slice(template.stamped(seq, self.time(number)));
            self.next[sender] = seq + 1;
            self.owed[sender] -= 1;
        }
        swarm.send(sender, &self.text);
    }
}

impl Pace for Open {
    fn delivered(&mut self, _fresh: Fresh) {}

    fn send(&mut self, now: u64, swarm: &mut Swarm, templates: &mut [Template]) {
        while self.time(self.due) <= now {
            let sender = self.turn;
            self.turn = (sender + 1) % self.senders;
            self.due += 1;
            if self.owed[sender] == 0 {
                self.behind.push(sender);
            }
            self.owed[sender] += 1;
        }
        let mut behind = std::mem::take(&mut self.behind);
        behind.retain(|&sender| {
            while self.owed[sender] > 0 && swarm.is_clear(sender) {
                self.pay(sender, swarm, &mut templates[sender]);
            }
            self.owed[sender] > 0
        });
        self.behind = behind;
    }

    fn sent(&self) -> &[u32] {
        &self.next
    }

    fn owed(&self) -> u64 {
        self.behind.iter().map(|&sender| u64::from(self.owed[sender])).sum()
    }

    fn next_ns(&self) -> Option<u64> {
        Some(self.time(self.due))
    }

    fn give_up(&mut self, _now: u64, _patience: u64) {}
}

#[expect(clippy::cast_precision_loss, reason = "event counts and nanoseconds stay below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are positive, and the cast saturates"
)]
fn as_u64(ns: f64) -> u64 {
    ns as u64
}
