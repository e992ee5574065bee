//! GeoChat messages and receipts.

use super::Detail;
use super::value::{read_attribute, write_attribute};
use crate::xml::{Element, Node};

/// A GeoChat message or a receipt for one; the text of a message is in
/// [`Remarks`](super::Remarks).
///
/// ```text
/// <__chat parent="RootContactGroup" groupOwner="false" messageId="0b1c.." chatroom="BRAVO" id="ANDROID-2"
///         senderCallsign="ALPHA">
///   <chatgrp uid0="ANDROID-1" uid1="ANDROID-2" id="ANDROID-2"/>
/// </__chat>
/// ```
///
/// Clients leave out any of these: WinTAK the parent, WebTAK the message id, old ATAK nearly all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Chat<'a> {
    /// Whether the element is `__chatreceipt`. WinTAK writes `__chat` in its receipts too: ask the
    /// event's type to be sure.
    pub receipt: bool,
    /// Identity of the conversation: a uid, a room, a team.
    pub id: Option<&'a str>,
    /// Name of the conversation: a callsign, a room, a team.
    pub chatroom: Option<&'a str>,
    /// Callsign of the sender.
    pub sender_callsign: Option<&'a str>,
    /// `RootContactGroup`, `TeamGroups`, `UserGroups` or `DataSyncMissionsList`.
    pub parent: Option<&'a str>,
    /// Identity of the message.
    pub message_id: Option<&'a str>,
    /// Whether the sender made the group.
    pub group_owner: Option<bool>,
    /// `uid0`, `uid1` and so on of `chatgrp`: the sender, then the others.
    pub members: Vec<&'a str>,
}

const MESSAGE: &str = "__chat";
const RECEIPT: &str = "__chatreceipt";

impl Detail {
    /// The first `__chat` or `__chatreceipt`.
    #[must_use]
    pub fn chat(&self) -> Option<Chat<'_>> {
        self.element().elements().find(|element| is_chat(element)).map(Chat::read)
    }

    /// Writes into the first element of the same kind, or into a new one at the end.
    pub fn set_chat(&mut self, chat: &Chat<'_>) {
        let name = if chat.receipt { RECEIPT } else { MESSAGE };
        if let Some(element) = self.element_mut().child_mut(name) {
            chat.write(element);
        } else {
            let mut element = Element::new(name);
            chat.write(&mut element);
            self.element_mut().push(element);
        }
    }
}

fn is_chat(element: &Element) -> bool {
    matches!(element.name(), MESSAGE | RECEIPT)
}

impl<'a> Chat<'a> {
    fn read(element: &'a Element) -> Self {
        Self {
            receipt: element.name() == RECEIPT,
            id: element.attribute("id"),
            chatroom: element.attribute("chatroom"),
            sender_callsign: element.attribute("senderCallsign"),
            parent: element.attribute("parent"),
            message_id: element.attribute("messageId"),
            group_owner: read_attribute(element, "groupOwner"),
            members: element.child("chatgrp").map(members).unwrap_or_default(),
        }
    }

    fn write(&self, element: &mut Element) {
        write_attribute(element, "parent", self.parent.as_ref());
        write_attribute(element, "groupOwner", self.group_owner.as_ref());
        write_attribute(element, "messageId", self.message_id.as_ref());
        write_attribute(element, "chatroom", self.chatroom.as_ref());
        write_attribute(element, "id", self.id.as_ref());
        write_attribute(element, "senderCallsign", self.sender_callsign.as_ref());
        if element.child("chatgrp").map(members).unwrap_or_default() == self.members {
            return;
        }
        if element.child("chatgrp").is_none() {
            // Before `hierarchy`, as ATAK has it.
            element.nodes_mut().insert(0, Node::Element(Element::new("chatgrp")));
        }
        if let Some(group) = element.child_mut("chatgrp") {
            self.write_members(group);
        }
    }

    fn write_members(&self, group: &mut Element) {
        let names: Vec<_> = group.attributes().map(|(name, _)| name.to_owned()).collect();
        for name in names.iter().filter(|name| member_number(name).is_some()) {
            group.remove_attribute(name);
        }
        for (number, uid) in self.members.iter().enumerate() {
            let set = group.try_set_attribute(&format!("uid{number}"), *uid);
            set.expect("letters and digits make a name");
        }
        write_attribute(group, "id", self.id.as_ref());
    }
}

/// The values of `uid0`, `uid1` and so on in the order of their numbers.
fn members(group: &Element) -> Vec<&str> {
    let numbered = group.attributes();
    let numbered = numbered.filter_map(|(name, value)| Some((member_number(name)?, value)));
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_by_key(|&(number, _)| number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

/// The number in `uid0`, `uid1` and so on.
fn member_number(name: &str) -> Option<u32> {
    name.strip_prefix("uid").and_then(|number| number.parse().ok())
}
