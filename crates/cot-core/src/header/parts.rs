//! Views of the detail children that routing reads.

use core::ops::Range;

use super::element::{Attributes, Element};
use crate::text::Text;

/// What a `<contact>` says about the sender.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ContactRef<'a> {
    /// The display name.
    pub callsign: Option<Text<'a>>,
    /// Where the device takes direct messages; present on a device that speaks about itself.
    pub endpoint: Option<Text<'a>>,
}

/// What a `<__group>` says about the sender.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GroupRef<'a> {
    /// The team, a colour such as `Cyan`.
    pub name: Option<Text<'a>>,
    /// The role, such as `Team Member`.
    pub role: Option<Text<'a>>,
}

/// A `<__chat>` or `<__chatreceipt>`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ChatRef<'a> {
    /// Whether the element is `<__chatreceipt>`.
    pub receipt: bool,
    /// The conversation: a uid, a room, or a made-up identity.
    pub id: Option<Text<'a>>,
    /// Name of the room, or callsign of the peer.
    pub chatroom: Option<Text<'a>>,
    /// The parent in the contact tree, such as `RootContactGroup` or `TeamGroups`.
    pub parent: Option<Text<'a>>,
    /// Identity of the message.
    pub message_id: Option<Text<'a>>,
    /// Callsign of the sender.
    pub sender_callsign: Option<Text<'a>>,
    element: Element<'a>,
}

impl<'a> ChatRef<'a> {
    pub(super) fn read(element: Element<'a>) -> Self {
        let mut chat = Self {
            receipt: element.name() == "__chatreceipt",
            id: None,
            chatroom: None,
            parent: None,
            message_id: None,
            sender_callsign: None,
            element,
        };
        for attribute in element.attributes() {
            let field = match attribute.name {
                "id" => &mut chat.id,
                "chatroom" => &mut chat.chatroom,
                "parent" => &mut chat.parent,
                "messageId" => &mut chat.message_id,
                "senderCallsign" => &mut chat.sender_callsign,
                _ => continue,
            };
            *field = Some(attribute.value());
        }
        chat
    }

    /// The participants listed as `uid0`, `uid1` and so on in the first `<chatgrp>`, with their
    /// number, in the order they stand there. `uid0` is the sender.
    pub fn members(&self) -> Members<'a> {
        let group = self.element.children().find(|child| child.name() == "chatgrp");
        Members { attributes: group.map(Element::attributes) }
    }
}

/// The participants of a chat.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    attributes: Option<Attributes<'a>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (usize, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.attributes.as_mut()?.find_map(|attribute| {
            let number = attribute.name.strip_prefix("uid")?.parse().ok()?;
            Some((number, attribute.value()))
        })
    }
}

/// An `<emergency>`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EmergencyRef<'a> {
    /// The `type`, a label such as `911 Alert`.
    pub kind: Option<Text<'a>>,
    /// Whether it ends the alert: `cancel="true"`.
    pub cancel: bool,
}

impl<'a> EmergencyRef<'a> {
    pub(super) fn read(element: Element<'a>) -> Self {
        let cancel = element.attribute("cancel");
        let cancel = cancel.is_some_and(|value| value.to_cow().eq_ignore_ascii_case("true"));
        Self { kind: element.attribute("type"), cancel }
    }
}

/// A `<link>`: the sender, a parent, or the target of a deletion.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LinkRef<'a> {
    /// The uid linked to.
    pub uid: Option<Text<'a>>,
    /// The relation, such as `p-p`.
    pub relation: Option<Text<'a>>,
    /// The `type` of what is linked to.
    pub kind: Option<Text<'a>>,
}

impl<'a> LinkRef<'a> {
    pub(super) fn read(element: Element<'a>) -> Self {
        Self {
            uid: element.attribute("uid"),
            relation: element.attribute("relation"),
            kind: element.attribute("type"),
        }
    }
}

/// A `<_flow-tags_>`: one attribute for each server that the event has passed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlowTagsRef<'a> {
    /// The start tag, from its `<` to its `>`.
    pub range: Range<usize>,
    element: Element<'a>,
}

impl<'a> FlowTagsRef<'a> {
    pub(super) fn read(element: Element<'a>) -> Self {
        Self { range: element.start()..element.tag_end(), element }
    }

    /// The names of the servers, in order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.element.attributes().map(|attribute| attribute.name)
    }

    /// Whether the event has passed the server that writes `tag`.
    pub fn carries(&self, tag: &str) -> bool {
        self.names().any(|name| name == tag)
    }
}
