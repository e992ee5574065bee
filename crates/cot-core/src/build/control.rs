//! What servers and clients say to each other behind the users' backs.

use super::PERSON;
use crate::detail::{Detail, Link};
use crate::xml::Element;
use crate::{CotTime, Event, Point};

/// How long a ping is valid.
const PING_VALID_MS: i64 = 10_000;
/// How long notices of a server are valid.
const NOTICE_VALID_MS: i64 = 20_000;
/// How long a step of the protocol negotiation is valid.
const NEGOTIATION_VALID_MS: i64 = 60_000;

/// Makes the ping of a device.
///
/// ```text
/// <event uid="ANDROID-1-ping" type="t-x-c-t" stale="+10 s" how="m-g"><point .../><detail/></event>
/// ```
#[must_use]
pub fn ping(device_uid: &str, now_ms: i64) -> Event {
    let uid = format!("{device_uid}-ping");
    notice(&uid, "t-x-c-t", "m-g", PING_VALID_MS, now_ms)
}

/// Makes a server's answer to a ping.
///
/// ```text
/// <event uid="takPong" type="t-x-c-t-r" stale="+20 s" how="h-g-i-g-o"><point .../></event>
/// ```
#[must_use]
pub fn pong(now_ms: i64) -> Event {
    notice("takPong", "t-x-c-t-r", "h-g-i-g-o", NOTICE_VALID_MS, now_ms).without_detail()
}

/// Makes a server's notice that a client is gone: receivers turn the contact grey.
///
/// ```text
/// <event uid="EVENT" type="t-x-d-d" stale="+20 s" how="h-g-i-g-o"><point .../><detail>
///   <link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/>
/// </detail></event>
/// ```
///
/// `event_uid` has to be new for each notice. `contact_kind` is the type of the client's last
/// position report; receivers ignore a notice without one, so an empty one becomes `a-f-G-U-C`.
#[must_use]
pub fn disconnect_notice(
    event_uid: &str,
    contact_uid: &str,
    contact_kind: &str,
    now_ms: i64,
) -> Event {
    let link = Link {
        uid: Some(contact_uid),
        kind: Some(if contact_kind.is_empty() { PERSON } else { contact_kind }),
        relation: Some("p-p"),
        ..Link::default()
    };
    notice(event_uid, "t-x-d-d", "h-g-i-g-o", NOTICE_VALID_MS, now_ms)
        .with_detail(Detail::new().with(&link))
}

/// Makes a server's answer to a request to change the protocol.
///
/// ```text
/// <event uid="UID" type="t-x-takp-r" stale="+60 s" how="m-g"><point .../><detail>
///   <TakControl><TakResponse status="true"/></TakControl>
/// </detail></event>
/// ```
///
/// `uid` is that of the request.
#[must_use]
pub fn takp_response(uid: &str, status: bool, now_ms: i64) -> Event {
    let response = Element::new("TakResponse").with("status", status.to_string());
    let control = Element::new("TakControl").with_child(response);
    notice(uid, "t-x-takp-r", "m-g", NEGOTIATION_VALID_MS, now_ms)
        .with_detail(Detail::new().with_element(control))
}

/// An event about no place: 0/0 at height 0.
fn notice(uid: &str, kind: &str, how: &str, valid_ms: i64, now_ms: i64) -> Event {
    Event::new(uid, kind, how, CotTime::from_unix_millis(now_ms), valid_ms)
        .with_point(Point::unknown().with_hae(0.0))
}
