//! Who is who: uids and callsigns, and the connections that speak for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::client::ClientId;

/// A uid that has said who it is.
pub(crate) struct Contact {
    pub(crate) callsign: Arc<str>,
    pub(crate) endpoint: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) team: Arc<str>,
    pub(crate) role: Arc<str>,
    /// Connections that speak for it, newest last. Never empty while in the table.
    pub(crate) owners: Vec<ClientId>,
    pub(crate) last_seen_ms: u64,
}

/// What an event says about its sender.
pub(crate) struct Report<'a> {
    pub(crate) uid: &'a str,
    pub(crate) callsign: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) team: &'a str,
    pub(crate) role: &'a str,
}

/// What a report has changed: the callsign, the team, or who speaks for the uid.
pub(crate) struct Reported {
    pub(crate) uid: Arc<str>,
    /// The connection did not speak for it before.
    pub(crate) is_new: bool,
}

#[derive(Default)]
pub(crate) struct Contacts {
    by_uid: HashMap<Arc<str>, Contact>,
    by_callsign: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Contacts {
    pub(crate) fn len(&self) -> usize {
        self.by_uid.len()
    }

    pub(crate) fn get(&self, uid: &str) -> Option<&Contact> {
        self.by_uid.get(uid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Contact)> {
        self.by_uid.iter()
    }

    /// Connections that speak for `uid`.
    pub(crate) fn owners(&self, uid: &str) -> &[ClientId] {
        self.by_uid.get(uid).map_or(&[], |contact| &contact.owners)
    }

    /// Connections of everyone who uses `callsign` now. Exact and case-sensitive; a callsign that
    /// two people use reaches both.
    pub(crate) fn with_callsign(&self, callsign: &str) -> impl Iterator<Item = ClientId> + '_ {
        let uids = self.by_callsign.get(callsign).into_iter().flatten();
        uids.flat_map(|uid| self.owners(uid).iter().copied())
    }

    /// Connections of the members of a team.
    pub(crate) fn in_team<'a>(&'a self, team: &'a str) -> impl Iterator<Item = ClientId> + 'a {
        let members = self.by_uid.values().filter(move |contact| *contact.team == *team);
        members.flat_map(|contact| contact.owners.iter().copied())
    }

    /// Updates or adds the contact. `None` when it is as it was.
    pub(crate) fn report(
        &mut self,
        from: ClientId,
        now_ms: u64,
        report: &Report<'_>,
    ) -> Option<Reported> {
        if let Some(contact) = self.by_uid.get_mut(report.uid) {
            contact.last_seen_ms = now_ms;
            // A report without a team does not leave it; its role comes with it.
            let changes_group = !report.team.is_empty()
                && (*contact.team != *report.team || *contact.role != *report.role);
            if !report.team.is_empty() {
                update(&mut contact.team, report.team);
                update(&mut contact.role, report.role);
            }
            update_box(&mut contact.kind, report.kind);
            update_box(&mut contact.endpoint, report.endpoint);
            let is_new = contact.owners.last() != Some(&from) && {
                let knew = contact.owners.contains(&from);
                contact.owners.retain(|&owner| owner != from);
                contact.owners.push(from);
                !knew
            };
            let renamed = (*contact.callsign != *report.callsign)
                .then(|| std::mem::replace(&mut contact.callsign, report.callsign.into()));
            if renamed.is_none() && !is_new && !changes_group {
                return None;
            }
            let (uid, _) = self.by_uid.get_key_value(report.uid)?;
            let uid = uid.clone();
            if let Some(old) = renamed {
                self.unlist(&old, &uid);
                self.by_callsign.entry(report.callsign.into()).or_default().insert(uid.clone());
            }
            return Some(Reported { uid, is_new });
        }
        let uid: Arc<str> = report.uid.into();
        let callsign: Arc<str> = report.callsign.into();
        self.by_callsign.entry(callsign.clone()).or_default().insert(uid.clone());
        let contact = Contact {
            callsign,
            endpoint: report.endpoint.into(),
            kind: report.kind.into(),
            team: report.team.into(),
            role: report.role.into(),
            owners: vec![from],
            last_seen_ms: now_ms,
        };
        self.by_uid.insert(uid.clone(), contact);
        Some(Reported { uid, is_new: true })
    }

    /// The connection no longer speaks for `uid`. Returns the contact when nobody else does.
    pub(crate) fn release(&mut self, uid: &Arc<str>, from: ClientId) -> Option<Contact> {
        let contact = self.by_uid.get_mut(uid)?;
        contact.owners.retain(|&owner| owner != from);
        if !contact.owners.is_empty() {
            return None;
        }
        let contact = self.by_uid.remove(uid)?;
        self.unlist(&contact.callsign, uid);
        Some(contact)
    }

    fn unlist(&mut self, callsign: &str, uid: &Arc<str>) {
        if let Some(uids) = self.by_callsign.get_mut(callsign) {
            uids.remove(uid);
            if uids.is_empty() {
                self.by_callsign.remove(callsign);
            }
        }
    }
}

fn update(field: &mut Arc<str>, value: &str) {
    if **field != *value {
        *field = value.into();
    }
}

fn update_box(field: &mut Box<str>, value: &str) {
    if **field != *value {
        *field = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report<'a>(uid: &'a str, callsign: &'a str) -> Report<'a> {
        Report { uid, callsign, endpoint: "*:-1:stcp", kind: "a-f-G-U-C", team: "Cyan", role: "" }
    }

    #[test]
    fn a_renamed_client_is_found_by_its_new_callsign_only() {
        let mut contacts = Contacts::default();
        assert!(contacts.report(ClientId(1), 0, &report("A", "OLD")).is_some());
        assert!(contacts.report(ClientId(1), 1, &report("A", "NEW")).is_some_and(|it| !it.is_new));
        assert!(contacts.report(ClientId(1), 1, &report("A", "NEW")).is_none());
        assert_eq!(contacts.with_callsign("OLD").count(), 0);
        assert_eq!(contacts.with_callsign("NEW").collect::<Vec<_>>(), [ClientId(1)]);
    }

    #[test]
    fn a_uid_stays_until_its_last_connection_lets_go() {
        let mut contacts = Contacts::default();
        let uid = contacts.report(ClientId(1), 0, &report("A", "ALPHA")).unwrap().uid;
        assert!(contacts.report(ClientId(2), 1, &report("A", "ALPHA")).is_some());
        assert_eq!(contacts.owners("A"), [ClientId(1), ClientId(2)]);
        assert!(contacts.release(&uid, ClientId(1)).is_none());
        assert!(contacts.release(&uid, ClientId(2)).is_some());
        assert_eq!(contacts.len(), 0);
        assert_eq!(contacts.with_callsign("ALPHA").count(), 0);
    }

    #[test]
    fn a_callsign_that_two_people_use_reaches_both() {
        let mut contacts = Contacts::default();
        contacts.report(ClientId(1), 0, &report("A", "ALPHA"));
        contacts.report(ClientId(2), 0, &report("B", "ALPHA"));
        assert_eq!(contacts.with_callsign("ALPHA").count(), 2);
        assert_eq!(contacts.with_callsign("alpha").count(), 0);
    }
}
