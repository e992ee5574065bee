//! What a front end that is not a CoT connection asks of a relay, such as an HTTP server.

use std::net::IpAddr;

use bytes::Bytes;
use cot_core::Scanner;

use super::Relay;
use crate::{ClientInfo, EndpointInfo, ExportCursor, Item, PublishError, Submitted};
use crate::{TeamPolicy, Viewer};

/// Whose an event is that came without a connection.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// An operator's, who is recorded by this uid.
    Operator(&'a str),
    /// That of somebody in this team.
    Team(&'a str),
}

impl Relay {
    /// Takes an event of somebody who has no connection, as if a client of `team` had sent it; see
    /// [`Hub::submit`](crate::Hub::submit).
    ///
    /// # Errors
    ///
    /// When `event` is not one valid event, or is larger than clients can take.
    pub fn submit(&self, event: &[u8], team: &str) -> Result<Submitted, PublishError> {
        self.submit_for(event, Origin::Team(team))
    }

    /// Takes an event of an operator, which every team receives; its `marti` decides who gets it.
    /// `sender` is the uid it is recorded under; empty where that is as the event says itself. See
    /// [`Hub::submit_as_operator`](crate::Hub::submit_as_operator).
    ///
    /// # Errors
    ///
    /// When `event` is not one valid event, or is larger than clients can take.
    pub fn submit_as_operator(
        &self,
        event: &[u8],
        sender: &str,
    ) -> Result<Submitted, PublishError> {
        self.submit_for(event, Origin::Operator(sender))
    }

    fn submit_for(&self, event: &[u8], origin: Origin<'_>) -> Result<Submitted, PublishError> {
        let limits = self.shared.shell().hub.config().limits;
        let mut scanner = Scanner::new(limits);
        let header = scanner.scan(event).map_err(PublishError::Invalid)?;
        let now = self.shared.clock.now();
        let submitted = {
            let hub = &mut self.shared.shell().hub;
            match origin {
                Origin::Operator(sender) => hub.submit_as_operator(now, &header, sender),
                Origin::Team(team) => hub.submit(now, &header, team),
            }
        };
        self.shared.end_turn();
        submitted
    }

    /// The newest event of a uid that `viewer` may see; see [`Hub::newest`](crate::Hub::newest).
    pub fn newest(&self, uid: &str, viewer: &Viewer) -> Option<Bytes> {
        self.shared.shell().hub.newest(self.shared.clock.now(), uid, viewer)
    }

    /// The next part of the picture that `viewer` may see; see
    /// [`Hub::picture`](crate::Hub::picture).
    pub fn picture(
        &self,
        cursor: &mut ExportCursor,
        max: usize,
        viewer: &Viewer,
    ) -> Option<Vec<Item>> {
        self.shared.shell().hub.picture(self.shared.clock.now(), cursor, max, viewer)
    }

    /// Everybody who has said who they are, here or away; see
    /// [`Hub::known_contacts`](crate::Hub::known_contacts).
    pub fn known_contacts(&self) -> Vec<EndpointInfo> {
        self.shared.shell().hub.known_contacts(self.shared.clock.now())
    }

    /// The clients at an address; see [`Hub::clients_at`](crate::Hub::clients_at).
    pub fn clients_at(&self, ip: IpAddr) -> Vec<ClientInfo> {
        self.shared.shell().hub.clients_at(self.shared.clock.now(), ip)
    }

    /// Whether members of the team `to` receive what members of `from` send, whoever is here. The
    /// empty name stands for those without a team.
    pub fn receives(&self, from: &str, to: &str) -> bool {
        self.shared.shell().hub.receives(from, to)
    }

    /// Who sees whom.
    pub fn policy(&self) -> TeamPolicy {
        self.shared.shell().hub.config().teams.clone()
    }
}
