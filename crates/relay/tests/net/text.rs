//! Events as clients write them.

/// An event with `detail` children, valid for six minutes.
pub fn event(uid: &str, kind: &str, detail: &str) -> String {
    format!(
        r#"<event version="2.0" uid="{uid}" type="{kind}" time="2026-01-01T00:00:00.000Z" start="2026-01-01T00:00:00.000Z" stale="2026-01-01T00:06:00.000Z" how="m-g"><point lat="60.1" lon="24.9" hae="12.0" ce="9.9" le="9999999.0"/><detail>{detail}</detail></event>"#
    )
}

/// A position report of a device speaking about itself.
pub fn sa(uid: &str, callsign: &str, team: &str) -> String {
    let group = match team {
        "" => String::new(),
        team => format!(r#"<__group name="{team}" role="Team Member"/>"#),
    };
    let contact = format!(r#"<contact callsign="{callsign}" endpoint="*:-1:stcp"/>"#);
    event(uid, "a-f-G-U-C", &format!("{contact}{group}"))
}

pub fn marker(uid: &str) -> String {
    event(uid, "a-u-G", r#"<contact callsign="a marker"/><archive/>"#)
}

/// A marker that carries a number, to tell its versions apart.
pub fn numbered(uid: &str, number: usize) -> String {
    event(uid, "a-u-G", &format!(r#"<contact callsign="marker"/><n n="{number}"/>"#))
}

/// Chat to everyone.
pub fn chat(uid: &str, text: &str) -> String {
    let room = "All Chat Rooms";
    event(
        uid,
        "b-t-f",
        &format!(
            r#"<__chat id="{room}" chatroom="{room}" parent="RootContactGroup"/><remarks>{text}</remarks>"#
        ),
    )
}

/// Any event with destinations: `dest("callsign", "BRAVO")` and the like.
pub fn directed(uid: &str, kind: &str, dests: &[String]) -> String {
    event(uid, kind, &format!("<marti>{}</marti>", dests.concat()))
}

pub fn dest(attribute: &str, value: &str) -> String {
    format!(r#"<dest {attribute}="{value}"/>"#)
}

/// The `marti` element and all in it taken out of an event.
pub fn without_marti(event: &str) -> String {
    let (before, rest) = event.split_once("<marti>").expect("destinations");
    let (_, after) = rest.split_once("</marti>").expect("their end");
    format!("{before}{after}")
}

pub fn ping() -> String {
    event("a-ping", "t-x-c-t", "")
}

pub fn is_pong(event: &str) -> bool {
    event.contains(" type=\"t-x-c-t-r\"")
}

/// The first `name="..."` in an event.
pub fn attribute<'a>(event: &'a str, name: &str) -> &'a str {
    let (_, rest) = event.split_once(&format!(" {name}=\"")).expect("the attribute");
    rest.split_once('"').expect("its end").0
}

pub fn uids(events: &[String]) -> Vec<&str> {
    events.iter().map(|event| attribute(event, "uid")).collect()
}
