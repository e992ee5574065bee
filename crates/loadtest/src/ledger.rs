//! Keeps account of every delivery: what came, what is missing, what came twice or out of order.
#![expect(clippy::indexing_slicing, reason = "pairs are below clients squared by construction")]

use std::collections::BTreeMap;

/// Most stretches of missing events that are kept in mind for late arrivals. The oldest beyond
/// that count as lost for good.
const GAPS: usize = 65_536;

/// What one delivery was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver had it already.
    Duplicate,
    /// The receiver sent it itself.
    Echo,
    /// New, and the latest of its sender; so many before it have not come.
    Fresh {
        /// Events of the sender between the latest before and this one.
        skipped: u32,
    },
    /// New, but a later one of its sender came before.
    Late,
    /// The receiver should not have got it: it belongs to another team.
    Leak,
}

/// Counts over all receivers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Deliveries that were due and came, each counted once.
    pub(crate) delivered: u64,
    /// Deliveries of an event that the receiver had already.
    pub(crate) duplicated: u64,
    /// Deliveries to the sender itself.
    pub(crate) echoed: u64,
    /// Deliveries to another team.
    pub(crate) leaked: u64,
    /// Deliveries that came behind a later event of the same sender.
    pub(crate) reordered: u64,
    /// Events missing at a receiver that got a later one of the same sender.
    pub(crate) skipped: u64,
}

/// The state of every pair of receiver and sender.
#[derive(Debug)]
pub(crate) struct Ledger {
    clients: usize,
    /// Team of each client, all zero where everyone hears everyone.
    teams: Vec<u32>,
    /// Per receiver and sender, the number that comes next.
    next: Vec<u32>,
    /// Stretches that were skipped: pair and first number, to the number behind the last.
    gaps: BTreeMap<(usize, u32), u32>,
    counts: Counts,
}

impl Ledger {
    /// Accounts for clients in these teams, where only the own team is heard.
    pub(crate) fn new(teams: Vec<u32>) -> Self {
        let clients = teams.len();
        let next = vec![0; clients * clients];
        Self { clients, teams, next, gaps: BTreeMap::new(), counts: Counts::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Enters that `receiver` got number `seq` of `sender`; both are below the number of clients.
    #[inline]
    pub(crate) fn enter(&mut self, receiver: usize, sender: usize, seq: u32) -> Verdict {
        let pair = receiver * self.clients + sender;
        let next = self.next[pair];
        if seq == next && receiver != sender && self.teams[receiver] == self.teams[sender] {
            self.next[pair] = seq + 1;
            self.counts.delivered += 1;
            return Verdict::Fresh { skipped: 0 };
        }
        self.enter_unusual(receiver, sender, seq)
    }

    #[cold]
    fn enter_unusual(&mut self, receiver: usize, sender: usize, seq: u32) -> Verdict {
        if receiver == sender {
            self.counts.echoed += 1;
            return Verdict::Echo;
        }
        if self.teams[receiver] != self.teams[sender] {
            self.counts.leaked += 1;
            return Verdict::Leak;
        }
        let pair = receiver * self.clients + sender;
        let next = self.next[pair];
        if seq > next {
            let skipped = seq - next;
            self.next[pair] = seq.saturating_add(1);
            self.counts.delivered += 1;
            self.counts.skipped += u64::from(skipped);
            self.gaps.insert((pair, next), seq);
            if self.gaps.len() > GAPS {
                self.gaps.pop_first();
            }
            return Verdict::Fresh { skipped };
        }
        if self.fill(pair, seq) {
            self.counts.delivered += 1;
            self.counts.reordered += 1;
            self.counts.skipped -= 1;
            Verdict::Late
        } else {
            self.counts.duplicated += 1;
            Verdict::Duplicate
        }
    }

    /// Takes `seq` out of the missing of `pair`; whether it was missing.
    fn fill(&mut self, pair: usize, seq: u32) -> bool {
        let Some((&key, &end)) = self.gaps.range(..=(pair, seq)).next_back() else {
            return false;
        };
        let (owner, start) = key;
        if owner != pair || seq >= end {
            return false;
        }
        if start < seq {
            self.gaps.insert(key, seq);
        } else {
            self.gaps.remove(&key);
        }
        if seq + 1 < end {
            self.gaps.insert((pair, seq + 1), end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_irregularity_is_told_apart() {
        let mut ledger = Ledger::new(vec![0, 0, 1]);
        let enter = |ledger: &mut Ledger, seqs: &[u32]| -> Vec<Verdict> {
            seqs.iter().map(|&seq| ledger.enter(0, 1, seq)).collect()
        };
        let fresh = Verdict::Fresh { skipped: 0 };
        assert_eq!(enter(&mut ledger, &[0, 1]), [fresh, fresh]);
        assert_eq!(enter(&mut ledger, &[6]), [Verdict::Fresh { skipped: 4 }]);
        assert_eq!(enter(&mut ledger, &[3, 5]), [Verdict::Late, Verdict::Late]);
        let twice = Verdict::Duplicate;
        assert_eq!(enter(&mut ledger, &[3, 1, 6, 5]), [twice, twice, twice, twice]);
        assert_eq!(enter(&mut ledger, &[2, 7]), [Verdict::Late, fresh]);
        assert_eq!(ledger.enter(1, 1, 0), Verdict::Echo);
        assert_eq!(ledger.enter(2, 1, 0), Verdict::Leak);
        let counts = ledger.counts();
        assert_eq!((counts.delivered, counts.skipped, counts.reordered), (7, 1, 3));
        assert_eq!((counts.duplicated, counts.echoed, counts.leaked), (4, 1, 1));
    }

    #[test]
    fn missing_events_are_remembered_within_a_bound() {
        let mut ledger = Ledger::new(vec![0, 0]);
        let gaps = u32::try_from(GAPS).expect("small");
        for gap in 0..gaps + 10 {
            ledger.enter(0, 1, gap * 2 + 1);
        }
        assert_eq!(ledger.gaps.len(), GAPS);
        assert_eq!(ledger.counts().skipped, u64::from(gaps) + 10);
        assert_eq!(ledger.enter(0, 1, 0), Verdict::Duplicate);
        assert_eq!(ledger.enter(0, 1, gaps), Verdict::Late);
    }
}
