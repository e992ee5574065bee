//! Events of those who have no connection: as if a client had sent them, but nobody is present.

use cot_core::Header;

use super::Hub;
use super::accept::{PublishError, Source};
use super::admit::CALLER;
use super::client::Client;
use super::masks::{Mask, TeamId};
use super::places::Founder;
use super::route::{self, Decision, Verdict};
use crate::now::Now;
use crate::observe::Audience;
use crate::reason::DropReason;

/// What came of an event that was [submitted](Hub::submit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submitted {
    /// Connections that it goes to now.
    pub reached: usize,
    /// Those who are away and for whom it is held.
    pub held: usize,
    /// Why it went nowhere and is not held either. `None` also for a public event that nobody is
    /// here to get, and for a word to the server itself, such as a ping, which is not relayed.
    pub refused: Option<DropReason>,
}

impl Hub {
    /// Takes an event of somebody who has no connection, as if a client of `team` had sent it: its
    /// `marti` decides who gets it, as far as the team reaches them; chat and notices of shared
    /// files are held for those who are away; the newest of each uid is kept for newcomers; alerts
    /// are repeated until they are cancelled. But it makes nobody present, whatever it says of its
    /// sender, so nobody is said to have gone either. Empty: without a team. Of the places for teams,
    /// all callers together get at most a third of what others leave, as one address does.
    ///
    /// # Errors
    ///
    /// When it is larger than clients can take.
    pub fn submit(
        &mut self,
        now: Now,
        header: &Header<'_>,
        team: &str,
    ) -> Result<Submitted, PublishError> {
        let id = self.team_named(now, team, Founder::Callers);
        if id == TeamId::OVERFLOW && !self.teams.is_open() {
            self.refuse_team(now);
            self.stats.events_submitted += 1;
            let refused = self.refuse(CALLER, DropReason::TeamsFull);
            return Ok(Submitted { refused, ..Submitted::default() });
        }
        let source = Source {
            client: CALLER,
            uid: self.none.clone(),
            team_name: team.into(),
            team: id,
            mask: self.teams.reaches(id),
            audience: Audience::Reach,
        };
        self.submit_from(now, header, source)
    }

    /// Takes an event of an operator, like [`submit`](Self::submit): of nobody's team, and every
    /// team receives it. `sender` is who says so, for who records it; empty where that is as the
    /// event says itself.
    ///
    /// # Errors
    ///
    /// When it is larger than clients can take.
    pub fn submit_as_operator(
        &mut self,
        now: Now,
        header: &Header<'_>,
        sender: &str,
    ) -> Result<Submitted, PublishError> {
        let source = Source {
            client: CALLER,
            uid: if sender.is_empty() { self.none.clone() } else { sender.into() },
            team_name: self.none.clone(),
            team: TeamId::UNASSIGNED,
            mask: Mask::ALL,
            audience: Audience::All,
        };
        self.submit_from(now, header, source)
    }

    fn submit_from(
        &mut self,
        now: Now,
        header: &Header<'_>,
        source: Source,
    ) -> Result<Submitted, PublishError> {
        self.stats.events_submitted += 1;
        let mut done = Submitted::default();
        if let Some(reason) = self.reason_to_refuse(header) {
            done.refused = self.refuse(CALLER, reason);
            let (len, limit) = (header.bytes().len(), self.config.max_relayed_event);
            return match reason {
                DropReason::Oversize => Err(PublishError::Oversize { len, limit }),
                _ => Ok(done),
            };
        }
        let decision = route::decide(header, CALLER, &self.contacts, &self.roster);
        if let Verdict::Control(_) = decision.verdict {
            self.stats.events_control += 1;
            return Ok(done);
        }
        let reached = self.reached(&source, &decision);
        let delivery = self.deliver(now, header, source, decision);
        (done.held, done.refused) = (delivery.held, delivery.refused);
        done.reached = if done.refused.is_none() { reached } else { 0 };
        Ok(done)
    }

    /// Connections that an event goes to.
    fn reached(&self, source: &Source, decision: &Decision) -> usize {
        let receives = |client: &Client| source.mask.meets(client.receives);
        match &decision.verdict {
            Verdict::Broadcast => {
                self.clients.iter().filter(|(_, client)| receives(client)).count()
            }
            Verdict::To(list) => {
                list.iter().filter(|&&to| self.client(to).is_some_and(receives)).count()
            }
            Verdict::Nobody(_) | Verdict::Control(_) => 0,
        }
    }
}
