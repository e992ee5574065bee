//! Makes the events that programs send, in the forms that TAK clients take.
//!
//! Every function gives a whole event; what it leaves to taste can be changed afterwards through
//! [`Event`] and [`Detail`]. Identities and times are passed in: nothing here
//! reads a clock or makes up a uid.
//!
//! ```
//! use cot_core::build::{self, Sender};
//! use cot_core::Point;
//! use cot_core::detail::Status;
//!
//! let hope = Sender::new("ANDROID-1", "HOPE").at(Point::new(46.8, 9.8).with_hae(590.0));
//! let mut event = build::position(&hope, "Cyan", "Medic", 1_767_225_600_000);
//! event.detail_mut().set(&Status { battery: Some(88), ..Status::default() });
//! assert_eq!(event.to_xml(), concat!(
//!     r#"<event version="2.0" uid="ANDROID-1" type="a-f-G-U-C" time="2026-01-01T00:00:00.000Z" "#,
//!     r#"start="2026-01-01T00:00:00.000Z" stale="2026-01-01T00:01:15.000Z" how="m-g">"#,
//!     r#"<point lat="46.8" lon="9.8" hae="590.0" ce="9999999.0" le="9999999.0"/><detail>"#,
//!     r#"<contact callsign="HOPE" endpoint="*:-1:stcp"/><uid Droid="HOPE"/>"#,
//!     r#"<__group name="Cyan" role="Medic"/><status battery="88"/></detail></event>"#,
//! ));
//! ```

mod chat;
mod control;

use crate::detail::{
    AckRequest, Color, Contact, Dest, Detail, Emergency, FileShare, Group, Link, PrecisionLocation,
    Remarks, Status, Uid, UserIcon,
};
use crate::xml::Element;
use crate::{CotTime, Event, Point};

pub use chat::{Receipt, Room, geochat, receipt};
pub use control::{disconnect_notice, ping, pong, takp_response};

/// The endpoint of a client that is reached through its server.
pub const STREAM_ENDPOINT: &str = "*:-1:stcp";
/// How long a position report is valid: 75 s, twice a report every 30 s and a margin.
pub const POSITION_VALID_MS: i64 = 75_000;
/// How long a marker is valid: one year.
pub const MARKER_VALID_MS: i64 = 365 * DAY_MS;
/// How long an alert or a file offer is valid: 10 s.
pub const PROMPT_VALID_MS: i64 = 10_000;

const DAY_MS: i64 = 86_400_000;
/// The type of a person with a device, which clients use unless the user chose another.
const PERSON: &str = "a-f-G-U-C";

/// Who an event comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sender<'a> {
    /// The uid of the device.
    pub uid: &'a str,
    /// The callsign of its user.
    pub callsign: &'a str,
    /// The type of its position reports.
    pub kind: &'a str,
    /// Where it is.
    pub point: Point,
}

impl<'a> Sender<'a> {
    /// A person, `a-f-G-U-C`, at an unknown place.
    #[must_use]
    pub const fn new(uid: &'a str, callsign: &'a str) -> Self {
        Self { uid, callsign, kind: PERSON, point: Point::unknown() }
    }

    /// Sets the place.
    #[must_use]
    pub const fn at(mut self, point: Point) -> Self {
        self.point = point;
        self
    }

    /// Sets the type of the position reports.
    #[must_use]
    pub const fn with_kind(mut self, kind: &'a str) -> Self {
        self.kind = kind;
        self
    }

    /// `<link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/>`
    fn link(&self) -> Link<'a> {
        Link {
            uid: Some(self.uid),
            kind: Some(self.kind),
            relation: Some("p-p"),
            ..Link::default()
        }
    }
}

/// Whom an event is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Member<'a> {
    /// The uid of the device.
    pub uid: &'a str,
    /// The callsign of its user.
    pub callsign: &'a str,
}

/// Makes a position report, which also makes the sender a contact to others.
///
/// ```text
/// <event uid="ANDROID-1" type="a-f-G-U-C" stale="+75 s" how="m-g"><point .../><detail>
///   <contact callsign="HOPE" endpoint="*:-1:stcp"/><uid Droid="HOPE"/><__group name="Cyan" role="Medic"/>
/// </detail></event>
/// ```
#[must_use]
pub fn position(sender: &Sender<'_>, team: &str, role: &str, now_ms: i64) -> Event {
    let now = CotTime::from_unix_millis(now_ms);
    let contact = Contact {
        callsign: Some(sender.callsign),
        endpoint: Some(STREAM_ENDPOINT),
        ..Contact::default()
    };
    let detail = Detail::new()
        .with(&contact)
        .with(&Uid { droid: Some(sender.callsign) })
        .with(&Group { team: Some(team), role: Some(role), ..Group::default() });
    Event::new(sender.uid, sender.kind, "m-g", now, POSITION_VALID_MS)
        .with_point(sender.point)
        .with_detail(detail)
}

/// Makes a marker that its receivers keep, placed by a human.
///
/// ```text
/// <event uid="UID" type="a-u-G" stale="+1 year" how="h-g-i-g-o"><point .../><detail>
///   <status readiness="true"/><archive/><contact callsign="NAME"/><remarks/>
///   <link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p" parent_callsign="HOPE" production_time="T"/>
///   <color argb="-1"/><precisionlocation altsrc="???"/><usericon iconsetpath="COT_MAPPING_2525C/a-u/a-u-G"/>
/// </detail></event>
/// ```
///
/// Types other than things in the world, such as `b-m-p-s-m`, get no icon.
#[must_use]
pub fn marker(
    uid: &str,
    kind: &str,
    name: &str,
    point: Point,
    maker: &Sender<'_>,
    now_ms: i64,
) -> Event {
    let now = CotTime::from_unix_millis(now_ms);
    let link =
        Link { parent_callsign: Some(maker.callsign), production_time: Some(now), ..maker.link() };
    let mut detail = Detail::new()
        .with(&Status { readiness: Some(true), ..Status::default() })
        .with_element(Element::new("archive"))
        .with(&Contact { callsign: Some(name), ..Contact::default() })
        .with(&Remarks::default())
        .with(&link)
        .with(&Color { argb: Some(-1), ..Color::default() })
        .with(&PrecisionLocation { altitude_source: Some("???"), ..PrecisionLocation::default() });
    if let (true, Some(side)) = (kind.starts_with("a-"), kind.get(..3)) {
        let path = format!("COT_MAPPING_2525C/{side}/{kind}");
        detail.push(&UserIcon { iconset_path: Some(&path) });
    }
    Event::new(uid, kind, "h-g-i-g-o", now, MARKER_VALID_MS).with_point(point).with_detail(detail)
}

/// Offers a file to `to`, or to all when `to` is empty.
///
/// ```text
/// <event uid="UID" type="b-f-t-r" stale="+10 s" how="h-e"><point .../><detail>
///   <fileshare filename="a.zip" name="a" senderUrl="https://.." sizeInBytes="1814" sha256=".."
///              senderUid="ANDROID-1" senderCallsign="HOPE"/>
///   <ackrequest uid="ACK" ackrequested="true" tag="a"/>
///   <marti><dest callsign="BRAVO"/></marti>
/// </detail></event>
/// ```
///
/// The sender's part of `file` is filled in. `ack_uid` is what a receiver repeats in its response.
#[must_use]
pub fn file_share(
    uid: &str,
    sender: &Sender<'_>,
    file: &FileShare<'_>,
    ack_uid: &str,
    to: &[Member<'_>],
    now_ms: i64,
) -> Event {
    let file =
        FileShare { sender_uid: Some(sender.uid), sender_callsign: Some(sender.callsign), ..*file };
    let request = AckRequest {
        uid: Some(ack_uid),
        ack_requested: Some(true),
        tag: file.name.or(file.filename),
    };
    let mut detail = Detail::new().with(&file).with(&request);
    detail.set_dests(&dests(to));
    Event::new(uid, "b-f-t-r", "h-e", CotTime::from_unix_millis(now_ms), PROMPT_VALID_MS)
        .with_point(sender.point)
        .with_detail(detail)
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Alert<'a> {
    /// `b-a-o-c` with a label of the user's own.
    Custom(&'a str),
    /// `b-a-o-tbl`, "911 Alert".
    Emergency,
    /// `b-a-g`, "Geo-fence Breached".
    Geofence,
    /// `b-a-o-opn`, "In Contact".
    InContact,
    /// `b-a-o-pan`, "Ring The Bell".
    RingTheBell,
}

impl<'a> Alert<'a> {
    /// The type and the label.
    const fn forms(self) -> (&'static str, &'a str) {
        match self {
            Self::Custom(label) => ("b-a-o-c", label),
            Self::Emergency => ("b-a-o-tbl", "911 Alert"),
            Self::Geofence => ("b-a-g", "Geo-fence Breached"),
            Self::InContact => ("b-a-o-opn", "In Contact"),
            Self::RingTheBell => ("b-a-o-pan", "Ring The Bell"),
        }
    }
}

/// Raises an alert. The server repeats it until it is cancelled.
///
/// ```text
/// <event uid="ANDROID-1-9-1-1" type="b-a-o-tbl" stale="+10 s" how="m-g"><point .../><detail>
///   <link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/><contact callsign="HOPE-Alert"/>
///   <emergency type="911 Alert">HOPE</emergency>
/// </detail></event>
/// ```
#[must_use]
pub fn emergency(sender: &Sender<'_>, alert: Alert<'_>, now_ms: i64) -> Event {
    let (kind, label) = alert.forms();
    let emergency = Emergency { kind: Some(label), ..Emergency::default() };
    alert_event(sender, kind, emergency, now_ms)
}

/// Ends the alert that [`emergency`] raised: the same uid, type `b-a-o-can` and
/// `<emergency cancel="true">HOPE</emergency>`.
#[must_use]
pub fn emergency_cancel(sender: &Sender<'_>, now_ms: i64) -> Event {
    let emergency = Emergency { cancel: Some(true), ..Emergency::default() };
    alert_event(sender, "b-a-o-can", emergency, now_ms)
}

fn alert_event(sender: &Sender<'_>, kind: &str, form: Emergency<'_>, now_ms: i64) -> Event {
    let uid = format!("{}-9-1-1", sender.uid);
    let name = format!("{}-Alert", sender.callsign);
    let detail = Detail::new()
        .with(&sender.link())
        .with(&Contact { callsign: Some(&name), ..Contact::default() })
        .with(&Emergency { callsign: Some(sender.callsign), ..form });
    Event::new(&uid, kind, "m-g", CotTime::from_unix_millis(now_ms), PROMPT_VALID_MS)
        .with_point(sender.point)
        .with_detail(detail)
}

/// Addresses by callsign, which every server and client understands.
fn dests<'a>(members: &[Member<'a>]) -> Vec<Dest<'a>> {
    members.iter().map(|member| Dest::Callsign(member.callsign)).collect()
}
