//! GeoChat.

use super::{DAY_MS, Member, Sender, dests};
use crate::detail::{Chat, Detail, Remarks};
use crate::xml::Element;
use crate::{CotTime, Event};

/// Where a message is said.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Room<'a> {
    /// "All Chat Rooms": everyone.
    All,
    /// One person.
    Direct(Member<'a>),
    /// A group that a user made.
    Group {
        /// Identity of the group, a UUID.
        id: &'a str,
        /// Name of the group.
        name: &'a str,
        /// Everyone else in it.
        members: &'a [Member<'a>],
        /// Whether the sender made it.
        owned: bool,
    },
    /// A team, by its colour.
    Team {
        /// The colour.
        name: &'a str,
        /// Everyone else in it that the sender knows of.
        members: &'a [Member<'a>],
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Receipt {
    /// It arrived: `b-t-f-d`.
    Delivered,
    /// Its receiver opened the conversation: `b-t-f-r`.
    Read,
}

const ALL: &str = "All Chat Rooms";

impl<'a> Room<'a> {
    /// `__chat@id`, `__chat@chatroom` and `__chat@parent`.
    const fn names(self) -> (&'a str, &'a str, &'static str) {
        match self {
            Self::All => (ALL, ALL, "RootContactGroup"),
            Self::Direct(to) => (to.uid, to.callsign, "RootContactGroup"),
            Self::Group { id, name, .. } => (id, name, "UserGroups"),
            Self::Team { name, .. } => (name, name, "TeamGroups"),
        }
    }

    /// `uid1` and so on of `chatgrp`.
    fn uids(&self) -> Vec<&'a str> {
        match *self {
            Self::All => vec![ALL],
            Self::Direct(to) => vec![to.uid],
            Self::Group { members, .. } | Self::Team { members, .. } => {
                members.iter().map(|member| member.uid).collect()
            }
        }
    }

    fn addressees(&self) -> &[Member<'a>] {
        match self {
            Self::All => &[],
            Self::Direct(to) => std::slice::from_ref(to),
            Self::Group { members, .. } | Self::Team { members, .. } => members,
        }
    }
}

/// Makes a GeoChat message. Except for [`Room::All`] it is addressed, to each member by callsign; a
/// team or group without members would be for all, so it is addressed to its sender alone.
///
/// ```text
/// <event uid="GeoChat.ANDROID-1.ANDROID-2.MSG" type="b-t-f" stale="+1 day" how="h-g-i-g-o"><point .../><detail>
///   <__chat parent="RootContactGroup" groupOwner="false" messageId="MSG" chatroom="BRAVO" id="ANDROID-2"
///           senderCallsign="HOPE"><chatgrp uid0="ANDROID-1" uid1="ANDROID-2" id="ANDROID-2"/></__chat>
///   <link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/>
///   <remarks source="BAO.F.ATAK.ANDROID-1" to="ANDROID-2" time="T">text</remarks>
///   <marti><dest callsign="BRAVO"/></marti>
/// </detail></event>
/// ```
#[must_use]
pub fn geochat(
    sender: &Sender<'_>,
    room: Room<'_>,
    message_id: &str,
    text: &str,
    now_ms: i64,
) -> Event {
    let now = CotTime::from_unix_millis(now_ms);
    let (id, ..) = room.names();
    let uid = format!("GeoChat.{}.{id}.{message_id}", sender.uid);
    let source = format!("BAO.F.ATAK.{}", sender.uid);
    let remarks = Remarks {
        source: Some(&source),
        to: matches!(room, Room::Direct(_)).then_some(id),
        time: Some(now),
        text: Some(text),
        ..Remarks::default()
    };
    let mut detail = Detail::new();
    detail.set_chat(&chat(sender, &room, message_id));
    if let (Room::Group { id, name, members, .. }, Some(chat)) =
        (room, detail.element_mut().child_mut("__chat"))
    {
        chat.push(hierarchy(id, name, members, sender));
    }
    detail.push(&sender.link());
    detail.push(&remarks);
    let own = [Member { uid: sender.uid, callsign: sender.callsign }];
    match (room, room.addressees()) {
        (Room::All, _) => {}
        (_, []) => detail.set_dests(&dests(&own)),
        (_, members) => detail.set_dests(&dests(members)),
    }
    Event::new(&uid, "b-t-f", "h-g-i-g-o", now, DAY_MS).with_point(sender.point).with_detail(detail)
}

/// Makes a receipt for the message `message_id` that `to` sent.
///
/// ```text
/// <event uid="MSG" type="b-t-f-d" stale="+1 day" how="h-g-i-g-o"><point .../><detail>
///   <__chatreceipt parent="RootContactGroup" groupOwner="false" messageId="MSG" chatroom="HOPE" id="ANDROID-1"
///                  senderCallsign="BRAVO"><chatgrp uid0="ANDROID-2" uid1="ANDROID-1" id="ANDROID-1"/></__chatreceipt>
///   <link uid="ANDROID-2" type="a-f-G-U-C" relation="p-p"/><marti><dest callsign="HOPE"/></marti>
/// </detail></event>
/// ```
#[must_use]
pub fn receipt(
    sender: &Sender<'_>,
    to: Member<'_>,
    message_id: &str,
    receipt: Receipt,
    now_ms: i64,
) -> Event {
    let kind = match receipt {
        Receipt::Delivered => "b-t-f-d",
        Receipt::Read => "b-t-f-r",
    };
    let mut detail = Detail::new();
    let room = Room::Direct(to);
    detail.set_chat(&Chat { receipt: true, ..chat(sender, &room, message_id) });
    detail.push(&sender.link());
    detail.set_dests(&dests(&[to]));
    Event::new(message_id, kind, "h-g-i-g-o", CotTime::from_unix_millis(now_ms), DAY_MS)
        .with_point(sender.point)
        .with_detail(detail)
}

fn chat<'a>(sender: &Sender<'a>, room: &Room<'a>, message_id: &'a str) -> Chat<'a> {
    let (id, chatroom, parent) = room.names();
    Chat {
        receipt: false,
        id: Some(id),
        chatroom: Some(chatroom),
        sender_callsign: Some(sender.callsign),
        parent: Some(parent),
        message_id: Some(message_id),
        group_owner: Some(matches!(room, Room::Group { owned: true, .. })),
        members: [sender.uid].into_iter().chain(room.uids()).collect(),
    }
}

/// The members of a group as ATAK lists them, so that receivers can build the group.
///
/// ```text
/// <hierarchy><group uid="UserGroups" name="Groups"><group uid="ID" name="NAME">
///   <contact uid="ANDROID-2" name="BRAVO"/><contact uid="ANDROID-1" name="HOPE"/>
/// </group></group></hierarchy>
/// ```
fn hierarchy(id: &str, name: &str, members: &[Member<'_>], sender: &Sender<'_>) -> Element {
    let own = Member { uid: sender.uid, callsign: sender.callsign };
    let group = Element::new("group").with("uid", id).with("name", name);
    let group = members.iter().chain([&own]).fold(group, |group, member| {
        let contact = Element::new("contact").with("uid", member.uid);
        group.with_child(contact.with("name", member.callsign))
    });
    let root = Element::new("group").with("uid", "UserGroups").with("name", "Groups");
    Element::new("hierarchy").with_child(root.with_child(group))
}
