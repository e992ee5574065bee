//! Who has heard whom at the start of a run.
#![expect(clippy::indexing_slicing, reason = "pairs are below clients squared by construction")]

use std::time::Duration;

use crate::LoadError;
use crate::swarm::Arrival;

/// Keeps account of which clients have heard each other.
#[derive(Debug)]
pub(crate) struct Meeting {
    run: u16,
    /// Team of each client, all zero where everyone hears everyone.
    teams: Vec<u32>,
    /// Per receiver and sender, whether the one heard the other.
    heard: Vec<bool>,
    total: usize,
    missing: usize,
}

impl Meeting {
    /// Clients in these teams, of which nobody has heard anybody.
    pub(crate) fn new(run: u16, teams: Vec<u32>) -> Self {
        let clients = teams.len();
        let heard = vec![false; clients * clients];
        let mut meeting = Self { run, teams, heard, total: 0, missing: 0 };
        let expected = (0..clients).map(|receiver| meeting.expected(receiver).count()).sum();
        meeting.total = expected;
        meeting.missing = expected;
        meeting
    }

    /// Notes an event that a client got.
    pub(crate) fn note(&mut self, arrival: &Arrival<'_>) {
        let Some(marker) = arrival.marker.filter(|marker| marker.run == self.run) else { return };
        let (receiver, sender) = (arrival.link, usize::from(marker.sender));
        if sender < self.teams.len() && receiver < self.teams.len() {
            let pair = receiver * self.teams.len() + sender;
            if self.expects(receiver, sender) && !std::mem::replace(&mut self.heard[pair], true) {
                self.missing -= 1;
            }
        }
    }

    /// Whether everyone heard all that they should.
    pub(crate) fn is_over(&self) -> bool {
        self.missing == 0
    }

    /// Pairs that have met, and all that should.
    pub(crate) fn pairs(&self) -> (u64, u64) {
        ((self.total - self.missing) as u64, self.total as u64)
    }

    /// Whether all that should hear this client did.
    pub(crate) fn is_known(&self, sender: usize) -> bool {
        let clients = self.teams.len();
        (0..clients).all(|receiver| {
            !self.expects(receiver, sender) || self.heard[receiver * clients + sender]
        })
    }

    /// Names the first client that has not heard all it should.
    pub(crate) fn deaf(&self, waited_ns: u64) -> LoadError {
        let waited = Duration::from_nanos(waited_ns);
        let clients = self.teams.len();
        for client in 0..clients {
            let expected = self.expected(client).count();
            let heard = self.heard[client * clients..(client + 1) * clients].iter();
            let heard = heard.filter(|heard| **heard).count();
            if heard < expected {
                return LoadError::Deaf { client, expected, heard, waited };
            }
        }
        LoadError::Deaf { client: 0, expected: clients, heard: 0, waited }
    }

    fn expected(&self, receiver: usize) -> impl Iterator<Item = usize> {
        (0..self.teams.len()).filter(move |&sender| self.expects(receiver, sender))
    }

    fn expects(&self, receiver: usize, sender: usize) -> bool {
        receiver != sender && self.teams[receiver] == self.teams[sender]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marker::{HELLO, Marker};

    fn hears(meeting: &mut Meeting, link: usize, run: u16, sender: u16) {
        let marker = Some(Marker { run, sender, seq: HELLO, sent_ns: 1 });
        meeting.note(&Arrival { link, marker, event: b"", now: 2 });
    }

    #[test]
    fn a_meeting_is_over_when_each_pair_of_a_team_has_met() {
        let mut meeting = Meeting::new(7, vec![0, 1, 0, 1]);
        assert_eq!(meeting.pairs(), (0, 4));
        for (link, run, sender) in [(0, 7, 2), (0, 7, 2), (0, 7, 1), (0, 7, 0), (2, 8, 0)] {
            hears(&mut meeting, link, run, sender);
        }
        hears(&mut meeting, 9, 7, 0);
        hears(&mut meeting, 0, 7, 9);
        assert_eq!(meeting.pairs(), (1, 4));
        assert!(meeting.is_known(2) && !meeting.is_known(0));
        let deaf = meeting.deaf(1).to_string();
        assert!(deaf.starts_with("client 1 heard 0 of the 1 "), "{deaf}");
        for (link, sender) in [(2, 0), (1, 3), (3, 1)] {
            assert!(!meeting.is_over());
            hears(&mut meeting, link, 7, sender);
        }
        assert!(meeting.is_over());
    }
}
