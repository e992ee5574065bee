//! What a front end that is not a CoT connection asks of a relay, such as an HTTP server.

use std::net::IpAddr;

use bytes::Bytes;
use cot_core::Scanner;

use super::Relay;
use crate::{ClientInfo, EndpointInfo, ExportCursor, Item, PublishError, Submitted};
use crate::{TeamPolicy, Viewer};

impl Relay {
    /// Takes an event of somebody who has no connection, as if a client of `team` had sent it; see
    /// [`Hub::submit`](crate::Hub::submit).
    ///
    /// # Errors
    ///
    /// When `event` is not one valid event, or is larger than clients can take.
    pub fn submit(&self, event: &[u8], team: &str) -> Result<Submitted, PublishError> {
        self.submit_for(event, Some(team))
    }

    /// Takes an event of an operator, which every team receives; its `marti` decides who gets it.
    /// See [`Hub::submit`](crate::Hub::submit).
    ///
    /// # Errors
    ///
    /// When `event` is not one valid event, or is larger than clients can take.
    pub fn submit_as_operator(&self, event: &[u8]) -> Result<Submitted, PublishError> {
        self.submit_for(event, None)
    }

    fn submit_for(&self, event: &[u8], team: Option<&str>) -> Result<Submitted, PublishError> {
        let limits = self.shared.shell().hub.config().limits;
        let mut scanner = Scanner::new(limits);
        let header = scanner.scan(event).map_err(PublishError::Invalid)?;
        let now = self.shared.clock.now();
        let submitted = {
            let hub = &mut self.shared.shell().hub;
            match team {
                Some(team) => hub.submit(now, &header, team),
                None => hub.submit_as_operator(now, &header),
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
