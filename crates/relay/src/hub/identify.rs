//! Who is behind a connection, learnt from what it sends.

use cot_core::{Header, Text};

use super::Hub;
use super::contacts::{Report, Reported};
use super::masks::TeamId;
use crate::client::ClientId;
use crate::now::Now;

/// Uids that one connection can speak for. Gateways speak for many; a uid beyond this is relayed
/// but not listed.
const MAX_UIDS_PER_CLIENT: usize = 4096;

/// Bytes of a uid, callsign, endpoint, type, team or role of somebody who is listed as present. An
/// event with a longer one is relayed, and its sender not listed.
pub(super) const MAX_IDENTITY_TEXT: usize = 256;

impl Hub {
    /// Learns from an event who is behind the connection. Nobody is behind one that only looks on.
    pub(super) fn identify(&mut self, now: Now, from: ClientId, header: &Header<'_>) {
        if self.client(from).is_none_or(|client| client.peer.viewer.is_some()) {
            return;
        }
        let Some(contact) = header.contact().filter(|_| !header.has_ack_response()) else { return };
        let is_said = |text: Option<Text<'_>>| text.is_some_and(|text| !text.is_empty());
        if !is_said(contact.callsign) || !is_said(contact.endpoint) {
            return;
        }
        let group = header.group();
        let uid = header.uid().to_cow();
        let (callsign, endpoint) = (cow(contact.callsign), cow(contact.endpoint));
        let team = cow(group.and_then(|group| group.name));
        let role = cow(group.and_then(|group| group.role));
        let is_known = self.contacts.get(&uid).is_some();
        let texts = [&uid, &callsign, &endpoint, &team, &role].map(|text| text.len());
        if (!is_known && self.contacts.len() >= self.config.max_state_events)
            || texts.iter().any(|&len| len > MAX_IDENTITY_TEXT)
            || header.kind().len() > MAX_IDENTITY_TEXT
        {
            return self.release_hold(from);
        }
        let report = Report {
            uid: &uid,
            callsign: &callsign,
            endpoint: &endpoint,
            kind: header.kind(),
            team: &team,
            role: &role,
        };
        let (mut returned, mut is_first) = (None, false);
        let has_room =
            self.client(from).is_some_and(|client| client.uids.len() < MAX_UIDS_PER_CLIENT);
        let speaks_for = self.contacts.owners(&uid).contains(&from);
        if (has_room || speaks_for)
            && let Some(Reported { uid, is_new }) = self.contacts.report(from, now.mono_ms, &report)
        {
            is_first = self.client(from).is_some_and(|client| client.uids.is_empty());
            if is_first {
                // Before it speaks for anybody: those who saw it so far never saw this uid, and are
                // not told that it has left them.
                self.know_by(now, from, &report);
            }
            if let Some(client) = self.client_mut(from).filter(|_| is_new) {
                client.uids.push(uid.clone());
            }
            self.know(now, &uid);
            returned = is_new.then_some(uid);
        }
        if !is_first && self.is_known_by(from, &report) {
            self.know_by(now, from, &report);
        }
        self.release_hold(from);
        if let Some(uid) = returned {
            self.deliver_held(from, &uid);
        }
    }

    /// A connection is known by the first uid that it speaks for.
    fn is_known_by(&self, from: ClientId, report: &Report<'_>) -> bool {
        let first = self.client(from).and_then(|client| client.uids.first());
        first.is_some_and(|first| **first == *report.uid)
    }

    /// Puts a connection in the team of the uid that it is known by.
    fn know_by(&mut self, now: Now, from: ClientId, report: &Report<'_>) {
        let Some(client) = self.client_mut(from) else { return };
        if *client.callsign != *report.callsign {
            client.callsign = report.callsign.into();
        }
        if !report.team.is_empty() {
            if *client.role != *report.role {
                client.role = report.role.into();
            }
            let has_no_place = client.team == TeamId::OVERFLOW;
            let wants_change = *client.team_name != *report.team;
            if (wants_change && client.team_changes > 0) || has_no_place {
                // A change costs a replay, so they are rationed; the next report tells again.
                client.team_changes -= u8::from(wants_change && client.team_changes > 0);
                self.change_team(now, from, report.team);
            }
        }
    }
}

fn cow(text: Option<Text<'_>>) -> std::borrow::Cow<'_, str> {
    text.map(Text::to_cow).unwrap_or_default()
}
