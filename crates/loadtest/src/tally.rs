//! Turns arrivals into figures.

use hdrhistogram::Histogram;

use crate::event::Template;
use crate::ledger::{Ledger, Verdict};
use crate::marker::{HELLO, VISITOR};
use crate::swarm::Arrival;

/// One delivery in so many has its text compared.
const COMPARE_EVERY: u64 = 64;

/// Longest latency that is told apart. Nanoseconds; longer ones count as this.
const LONGEST_NS: u64 = 600_000_000_000;

/// A new delivery, as a scenario needs to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    /// Index of the sender.
    pub(crate) sender: usize,
    /// Number of the event.
    pub(crate) seq: u32,
    /// Events of the sender before it that this receiver has not got.
    pub(crate) skipped: u32,
}

/// The figures of a run so far.
#[derive(Debug)]
pub(crate) struct Tally {
    run: u16,
    pub(crate) ledger: Ledger,
    /// Whether each client's deliveries count; those that will stall do not.
    pub(crate) counts: Vec<bool>,
    pub(crate) latency: Histogram<u64>,
    /// When the measured time begins and ends; both at the end of time until it is known.
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    /// Deliveries that came within the measured time.
    pub(crate) measured: u64,
    pub(crate) compared: u64,
    pub(crate) changed: u64,
    pub(crate) others: u64,
    /// When the latest due delivery came.
    pub(crate) latest_ns: u64,
}

impl Tally {
    pub(crate) fn new(run: u16, teams: Vec<u32>, counts: Vec<bool>) -> Self {
        Self {
            run,
            ledger: Ledger::new(teams),
            counts,
            latency: histogram(),
            begin_ns: u64::MAX,
            end_ns: u64::MAX,
            measured: 0,
            compared: 0,
            changed: 0,
            others: 0,
            latest_ns: 0,
        }
    }

    /// Enters an arrival; what a scenario must know of it.
    #[inline]
    pub(crate) fn arrive(
        &mut self,
        arrival: &Arrival<'_>,
        templates: &[Template],
    ) -> Option<Fresh> {
        let receiver = arrival.link;
        let Some(marker) = arrival.marker.filter(|marker| marker.run == self.run) else {
            self.others += 1;
            return None;
        };
        if marker.seq == HELLO || marker.sender == VISITOR || !*self.counts.get(receiver)? {
            return None;
        }
        let (sender, seq) = (usize::from(marker.sender), marker.seq);
        let template = templates.get(sender)?;
        let skipped = match self.ledger.enter(receiver, sender, seq) {
            Verdict::Fresh { skipped } => Some(skipped),
            Verdict::Late => None,
            Verdict::Duplicate | Verdict::Echo | Verdict::Leak => return None,
        };
        self.latest_ns = arrival.now;
        if arrival.now >= self.begin_ns && arrival.now < self.end_ns {
            self.measured += 1;
            if self.measured.is_multiple_of(COMPARE_EVERY) {
                self.compared += 1;
                self.changed += u64::from(!template.is_same_but_for_mark(arrival.event));
            }
        }
        if marker.sent_ns >= self.begin_ns && marker.sent_ns < self.end_ns {
            self.latency.saturating_record(arrival.now.saturating_sub(marker.sent_ns));
        }
        skipped.map(|skipped| Fresh { sender, seq, skipped })
    }
}

/// An empty histogram of nanoseconds, exact to one in a thousand.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are valid")
}
