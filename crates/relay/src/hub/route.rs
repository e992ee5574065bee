//! What becomes of an event: who gets it, or why nobody does.
//!
//! The rules are those that TAK clients rely on; `docs/protocol.md` tells where each comes from.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use cot_core::{ChatRef, Dest, Header};

use super::contacts::Contacts;
use super::roster::Roster;
use crate::client::ClientId;
use crate::reason::DropReason;

/// The decision about one event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everyone whom the sender's team reaches.
    Broadcast,
    /// These connections, each once, as far as the sender's team reaches them.
    To(Vec<ClientId>),
    /// Nobody.
    Nobody(DropReason),
    /// The server itself.
    Control(Control),
}

/// The decision, and who else was meant.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// Uids of addressees who have been here and are away, each once.
    pub(crate) absent: Vec<Arc<str>>,
}

/// A message from a client to the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// `t-x-c-t`: answer with a pong.
    Ping,
    /// `t-x-takp-q`: answer, this connection stays with XML.
    TakRequest,
    /// Anything else that is not for other clients.
    Ignored,
}

/// How the log treats an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state of a uid: only the newest matters.
    State,
    /// Chat, alerts, deletions, file shares, tasking: never skipped.
    Critical,
    /// An alert that stays active until it is cancelled.
    Alert,
    /// The end of an alert.
    AlertCancel,
    /// `t-x-d-d` with a link: the linked item is gone.
    Deletion,
}

/// Decides for one valid event from `from`.
pub(crate) fn decide(
    header: &Header<'_>,
    from: ClientId,
    contacts: &Contacts,
    roster: &Roster,
) -> Decision {
    if let Some(control) = control(header) {
        return Verdict::Control(control).into();
    }
    let mut addressed = Addressed::default();
    for dest in header.dests() {
        match dest {
            Dest::Callsign(name) if name.eq_str("All Streaming") => {
                return Verdict::Broadcast.into();
            }
            Dest::Callsign(name) => {
                let name = name.to_cow();
                // Naming somebody a thousand times must not cost a thousand times as much.
                if addressed.callsigns.insert(name.clone()) {
                    let before = addressed.to.len();
                    addressed.add(contacts.with_callsign(&name));
                    if addressed.to.len() == before {
                        addressed.absent.extend(roster.away_with_callsign(&name).cloned());
                    }
                }
            }
            Dest::Uid(uid) => {
                let uid = uid.to_cow();
                if addressed.uids.insert(uid.clone()) {
                    addressed.add(contacts.owners(&uid).iter().copied());
                    addressed.absent.extend(roster.away(&uid));
                }
            }
            Dest::Mission(_) | Dest::MissionGuid(_) | Dest::Group(_) | Dest::Publish(_) => {
                addressed.any = true;
                addressed.unserved = true;
            }
            // A private message that cannot be read must not become a public one.
            _ => addressed.any = true,
        }
    }
    if !addressed.any && header.kind().starts_with("b-t-f") {
        chat_addressees(header, from, contacts, roster, &mut addressed);
    }
    let absent = std::mem::take(&mut addressed.absent).into_iter().collect();
    Decision { verdict: addressed.verdict(from), absent }
}

/// How the log treats a relayed event.
pub(crate) fn classify(header: &Header<'_>) -> Kind {
    let kind = header.kind();
    if kind == "t-x-d-d" {
        return Kind::Deletion;
    }
    if kind.starts_with("b-a-") || kind == "b-a" {
        let cancelled = header.emergency().is_some_and(|emergency| emergency.cancel);
        return if cancelled || kind == "b-a-o-can" { Kind::AlertCancel } else { Kind::Alert };
    }
    let critical = ["b-t-f", "b-f-t", "t-", "y-"];
    if critical.iter().any(|prefix| kind.starts_with(prefix)) {
        Kind::Critical
    } else {
        Kind::State
    }
}

/// The uid, relation and type of a deletion's link; `None` when receivers would ignore it.
pub(crate) fn deleted_uid<'a>(header: &Header<'a>) -> Option<Cow<'a, str>> {
    let link = header.link()?;
    let named = |text: Option<cot_core::Text<'a>>| text.filter(|text| !text.is_empty());
    named(link.relation)?;
    named(link.kind)?;
    named(link.uid).map(cot_core::Text::to_cow)
}

fn control(header: &Header<'_>) -> Option<Control> {
    match header.kind() {
        "t-x-c-t" => Some(Control::Ping),
        "t-x-takp-q" => Some(Control::TakRequest),
        // What pytak sends as a greeting looks like a deletion of nothing.
        "t-x-d-d" => deleted_uid(header).is_none().then_some(Control::Ignored),
        kind => is_for_servers(kind).then_some(Control::Ignored),
    }
}

/// Types that are said between a client and a server and mean nothing to other clients.
fn is_for_servers(kind: &str) -> bool {
    let answers = ["t-x-c-t-r", "t-x-takp-v", "t-x-takp-r"];
    // Metrics, filters, incognito and subscription control.
    let requests =
        ["t-x-c-m", "t-x-c-f", "t-x-c-i-e", "t-x-c-i-d", "t-b", "t-b-a", "t-b-c", "t-b-q"];
    answers.contains(&kind)
        || requests.contains(&kind)
        // Words of a server: a client that says them could fake a mission's end.
        || kind == "t-x-g-c"
        || kind.starts_with("t-x-m-")
}

#[derive(Default)]
struct Addressed<'a> {
    callsigns: BTreeSet<Cow<'a, str>>,
    uids: BTreeSet<Cow<'a, str>>,
    any: bool,
    unserved: bool,
    to: Vec<ClientId>,
    absent: BTreeSet<Arc<str>>,
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, absent: Vec::new() }
    }
}

impl Addressed<'_> {
    fn add(&mut self, clients: impl Iterator<Item = ClientId>) {
        self.any = true;
        self.to.extend(clients);
    }

    fn verdict(mut self, from: ClientId) -> Verdict {
        if !self.any {
            return Verdict::Broadcast;
        }
        self.to.sort_unstable();
        self.to.dedup();
        let found = !self.to.is_empty();
        self.to.retain(|&client| client != from);
        match (self.to.is_empty(), found, self.unserved) {
            (false, ..) => Verdict::To(self.to),
            (true, true, _) => Verdict::Nobody(DropReason::Echo),
            (true, false, true) => Verdict::Nobody(DropReason::NoSuchService),
            (true, false, false) => Verdict::Nobody(DropReason::UnknownAddressee),
        }
    }
}

/// Chat without destinations. Broadcasting a private message is the worse fault, so what names a
/// known person, a group of them or a team goes there only, and a receipt is never public.
fn chat_addressees(
    header: &Header<'_>,
    from: ClientId,
    contacts: &Contacts,
    roster: &Roster,
    to: &mut Addressed<'_>,
) {
    let is_receipt = header.kind() != "b-t-f";
    let Some(chat) = header.chat() else {
        to.any |= is_receipt;
        return;
    };
    let sender = |owners: &[ClientId]| owners.contains(&from);
    let mut name_person = |uid: &str| {
        let owners = contacts.owners(uid);
        if !owners.is_empty() && !sender(owners) {
            to.add(owners.iter().copied());
        } else if let Some(uid) = roster.away(uid) {
            to.any = true;
            to.absent.insert(uid);
        }
    };
    if let Some(id) = chat.id {
        name_person(&id.to_cow());
    }
    for (_, uid) in chat.members().filter(|&(index, _)| index > 0) {
        name_person(&uid.to_cow());
    }
    if is_receipt {
        to.any = true;
    } else if !to.any
        && is_team_room(&chat)
        && let Some(room) = chat.chatroom.or(chat.id)
    {
        to.add(contacts.in_team(&room.to_cow()));
    }
}

fn is_team_room(chat: &ChatRef<'_>) -> bool {
    chat.parent.is_some_and(|parent| parent.eq_str("TeamGroups"))
}
