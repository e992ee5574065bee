//! Events that say who made them and which of theirs they are, and reading them again.

use memchr::memmem;

/// For how long an event is valid unless it is a brief one. Milliseconds.
const VALID_MS: u32 = 3_600_000;

/// Who made an event, by number, and which of theirs it is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) by: usize,
    pub(crate) n: u32,
}

/// What a player got, as far as it matters.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) uid: String,
    pub(crate) kind: String,
    /// The uid that it links to.
    pub(crate) link: Option<String>,
    /// Missing in what the server says itself.
    pub(crate) stamp: Option<Stamp>,
}

/// The name, and the uid, of a player.
pub(crate) fn name(player: usize) -> String {
    format!("P{player}")
}

/// A device about itself.
pub(crate) fn position(stamp: Stamp) -> String {
    let name = name(stamp.by);
    let detail = format!(
        "<contact callsign=\"{name}\" endpoint=\"*:-1:stcp\"/>\
         <__group name=\"Cyan\" role=\"Team Member\"/>"
    );
    event(stamp, &name, "a-f-G-U-C", VALID_MS, &detail)
}

pub(crate) fn marker(stamp: Stamp, uid: &str) -> String {
    event(stamp, uid, "a-u-G", VALID_MS, "<contact callsign=\"a marker\"/><archive/>")
}

/// A marker that is valid for `valid_ms`.
pub(crate) fn brief(stamp: Stamp, uid: &str, valid_ms: u32) -> String {
    event(stamp, uid, "a-u-G", valid_ms, "<contact callsign=\"a brief marker\"/>")
}

pub(crate) fn deletion(stamp: Stamp, uid: &str) -> String {
    let own = format!("{uid}.deletion-{}", stamp.n);
    let detail = format!("<link uid=\"{uid}\" relation=\"none\" type=\"none\"/><__forcedelete/>");
    event(stamp, &own, "t-x-d-d", 20_000, &detail)
}

pub(crate) fn alert(stamp: Stamp, uid: &str) -> String {
    event(stamp, uid, "b-a-o-tbl", 10_000, "<emergency type=\"911 Alert\">an alert</emergency>")
}

pub(crate) fn cancel(stamp: Stamp, uid: &str) -> String {
    event(stamp, uid, "b-a-o-can", 10_000, "<emergency cancel=\"true\">an alert</emergency>")
}

/// Chat; `tag` makes its uid, so that the order of uids is not that of the messages.
pub(crate) fn chat(stamp: Stamp, tag: u64, to: usize) -> String {
    let (from, to) = (name(stamp.by), name(to));
    let uid = format!("GeoChat.{from}.{to}.{tag:016x}");
    let detail = format!(
        "<__chat id=\"{to}\" chatroom=\"{to}\" senderCallsign=\"{from}\"/>\
         <marti><dest uid=\"{to}\"/></marti>"
    );
    event(stamp, &uid, "b-t-f", VALID_MS, &detail)
}

fn event(stamp: Stamp, uid: &str, kind: &str, valid_ms: u32, detail: &str) -> String {
    let Stamp { by, n } = stamp;
    let (time, stale) = (time(n), time(n + valid_ms));
    format!(
        "<event version=\"2.0\" uid=\"{uid}\" type=\"{kind}\" how=\"m-g\" time=\"{time}\" \
         start=\"{time}\" stale=\"{stale}\"><point lat=\"47.1\" lon=\"8.5\" hae=\"400\" ce=\"5\" \
         le=\"5\"/><detail>{detail}<remarks>op {by} {n}</remarks></detail></event>"
    )
}

/// The `time` of an event with this number: later ones of a player are newer. Whether the day is
/// long past does not matter to the server.
fn time(ms: u32) -> String {
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("2026-05-01T{:02}:{:02}:{:02}.{ms:03}Z", s / 3_600, s / 60 % 60, s % 60)
}

/// Cuts the events off the front of what was received.
pub(crate) fn take(received: &mut Vec<u8>) -> Vec<Got> {
    let mut all = Vec::new();
    let mut at = 0;
    for end in memmem::find_iter(received, b"</event>") {
        let end = end + b"</event>".len();
        all.push(read(&received[at..end]));
        at = end;
    }
    received.drain(..at);
    all
}

/// The stamp of an event's text.
pub(crate) fn stamp(event: &[u8]) -> Option<Stamp> {
    let remarks = between(event, b"<remarks>op ", b"<")?;
    let (by, n) = remarks.split_once(' ')?;
    Some(Stamp { by: by.parse().ok()?, n: n.parse().ok()? })
}

fn read(event: &[u8]) -> Got {
    let link = memmem::find(event, b"<link ").map(|at| &event[at..]);
    Got {
        uid: between(event, b" uid=\"", b"\"").unwrap_or_default(),
        kind: between(event, b" type=\"", b"\"").unwrap_or_default(),
        link: link.and_then(|link| between(link, b" uid=\"", b"\"")),
        stamp: stamp(event),
    }
}

fn between(text: &[u8], start: &[u8], end: &[u8]) -> Option<String> {
    let text = &text[memmem::find(text, start)? + start.len()..];
    let text = &text[..memmem::find(text, end)?];
    Some(String::from_utf8_lossy(text).into_owned())
}
