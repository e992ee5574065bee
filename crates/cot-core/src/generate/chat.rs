//! GeoChat messages and their receipts.

use super::pen::Pen;
use super::person::{Client, Person};
use super::position::{Envelope, end_event, write_flow_tag, write_point};
use super::rng::{Rng, Uuid};

const DAY_MS: i64 = 86_400_000;

/// Whom a message is for.
pub(super) enum Room<'a> {
    /// Everyone.
    All,
    /// One person, addressed by callsign or, from an iPhone, by uid.
    Person(&'a Person),
    /// A team, with the members its sender knows of.
    Team(&'a str, &'a [&'a Person]),
}

impl Room<'_> {
    /// `__chat@id`, `__chat@chatroom` and `__chat@parent`.
    fn names(&self) -> (&str, &str, &'static str) {
        match *self {
            Self::All => ("All Chat Rooms", "All Chat Rooms", "RootContactGroup"),
            Self::Person(person) => (&person.uid, &person.callsign, "RootContactGroup"),
            Self::Team(name, _) => (name, name, "TeamGroups"),
        }
    }

    fn members(&self) -> &[&Person] {
        match self {
            Self::All => &[],
            Self::Person(person) => std::slice::from_ref(person),
            Self::Team(_, members) => members,
        }
    }
}

const REMARKS: [&str; 14] = [
    "Roger",
    "On my way",
    "Copy, moving to the rally point",
    "At checkpoint 3, all quiet",
    "Need water & batteries at the gate",
    "ETA 15 min",
    "Say again?",
    "Bridge is \"closed\" <north side>",
    "Wir sind am Parkplatz, zwei Fahrzeuge",
    "Trouvé, tout va bien",
    "Hold position until 14:30",
    "Two hikers, one with a sprained ankle,\nnear the hut",
    "Thanks!",
    "Switching to channel 4",
];

/// A line of conversation.
pub(super) fn remark(rng: &mut Rng) -> &'static str {
    rng.pick(&REMARKS)
}

/// Appends a GeoChat message.
pub(super) fn write_chat(
    from: &Person,
    room: &Room<'_>,
    message: Uuid,
    text: &str,
    now_ms: i64,
    out: &mut Vec<u8>,
) {
    let pen = &mut Pen::new(out, from.hand);
    let (id, ..) = room.names();
    let uid = format_args!("GeoChat.{}.{id}.{message}", from.uid);
    Envelope { uid, kind: "b-t-f", how: "h-g-i-g-o", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point(pen, from);
    pen.open("detail").body();
    write_body(pen, "__chat", from, room, message);
    pen.open("link").attr("uid", &from.uid).plain("type", "a-f-G-U-C");
    pen.plain("relation", "p-p").empty();
    pen.open("__serverdestination");
    pen.attr("destinations", format_args!("{}:{}", from.address(), from.uid)).empty();
    pen.open("remarks").attr("source", format_args!("BAO.F.ATAK.{}", from.uid));
    if matches!(room, Room::Person(_)) {
        pen.attr("to", id);
    }
    pen.time("time", now_ms).body().text(text).close("remarks");
    write_marti(pen, from, room);
    if from.client == Client::WebTak {
        write_flow_tag(pen, now_ms);
    }
    end_event(pen);
}

/// Appends a receipt of `from` for a message that `to` sent; `kind` is `b-t-f-d` or `b-t-f-r`.
pub(super) fn write_receipt(
    from: &Person,
    to: &Person,
    kind: &str,
    message: Uuid,
    now_ms: i64,
    out: &mut Vec<u8>,
) {
    let pen = &mut Pen::new(out, from.hand);
    Envelope { uid: message, kind, how: "h-g-i-g-o", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point(pen, from);
    pen.open("detail").body();
    let element = if from.client == Client::WinTak { "__chat" } else { "__chatreceipt" };
    write_body(pen, element, from, &Room::Person(to), message);
    pen.open("link").attr("uid", &from.uid).plain("type", "a-f-G-U-C");
    pen.plain("relation", "p-p").empty();
    write_marti(pen, from, &Room::Person(to));
    end_event(pen);
}

fn write_body(pen: &mut Pen<'_>, element: &str, from: &Person, room: &Room<'_>, message: Uuid) {
    let (id, chatroom, parent) = room.names();
    pen.open(element);
    if from.client != Client::WinTak {
        pen.plain("parent", parent);
    }
    pen.plain("groupOwner", "false");
    if from.client != Client::WebTak {
        pen.attr("messageId", message);
    }
    pen.attr("chatroom", chatroom).attr("id", id).attr("senderCallsign", &from.callsign).body();
    pen.open("chatgrp").attr("uid0", &from.uid);
    match room {
        Room::Team(_, members) => {
            for (number, member) in members.iter().enumerate() {
                // uid9 is as far as the fixed names go; no test crowd needs a larger room.
                let names =
                    ["uid1", "uid2", "uid3", "uid4", "uid5", "uid6", "uid7", "uid8", "uid9"];
                if let Some(name) = names.get(number) {
                    pen.attr(name, &member.uid);
                }
            }
        }
        Room::All | Room::Person(_) => {
            pen.attr("uid1", id);
        }
    }
    pen.attr("id", id).empty().close(element);
}

fn write_marti(pen: &mut Pen<'_>, from: &Person, room: &Room<'_>) {
    let members = room.members();
    if members.is_empty() {
        return;
    }
    pen.open("marti").body();
    for member in members {
        match from.client {
            Client::Itak => pen.open("dest").attr("uid", &member.uid).empty(),
            _ => pen.open("dest").attr("callsign", &member.callsign).empty(),
        };
    }
    pen.close("marti");
}
