//! The views, one per element that TAK clients agree on.

use super::value::{read_attribute, write_attribute};
use super::view::{View, views};
use crate::CotTime;
use crate::xml::Element;

views! {
    /// Who a client is and where it takes messages.
    ///
    /// ```text
    /// <contact callsign="HOPE" endpoint="*:-1:stcp" phone="5550100"/>
    /// ```
    Contact<'a> "contact" {
        /// The display name that the user chose.
        callsign: &'a str = "callsign",
        /// `host:port:proto`; `*:-1:stcp` for a client that is reached through a server. Without
        /// it the item is a marker, not a contact.
        endpoint: &'a str = "endpoint",
        /// Telephone number; may be the empty text.
        phone: &'a str = "phone",
        /// Mail address.
        email_address: &'a str = "emailAddress",
        /// Voice address.
        sip_address: &'a str = "sipAddress",
        /// Chat address.
        xmpp_username: &'a str = "xmppUsername",
    }

    /// Team and role.
    ///
    /// ```text
    /// <__group name="Cyan" role="Team Member"/>
    /// ```
    Group<'a> "__group" {
        /// The team, mostly one of [`TEAMS`](crate::TEAMS).
        team: &'a str = "name",
        /// The role, mostly one of [`ROLES`](crate::ROLES).
        role: &'a str = "role",
        /// A custom role beside the standard one.
        custom_role: &'a str = "exrole",
        /// Abbreviation of the custom role.
        abbreviation: &'a str = "abbr",
    }

    /// Device and program. Its presence marks an end-user device.
    ///
    /// ```text
    /// <takv device="SAMSUNG SM-G998U" platform="ATAK-CIV" os="34" version="5.1.0.11"/>
    /// ```
    Takv<'a> "takv" {
        /// The hardware.
        device: &'a str = "device",
        /// The program, such as `ATAK-CIV`, `iTAK`, `WinTAK-CIV`, `WebTAK`.
        platform: &'a str = "platform",
        /// The operating system.
        os: &'a str = "os",
        /// The program's version.
        version: &'a str = "version",
    }

    /// State of the device, or of a marker.
    ///
    /// ```text
    /// <status battery="88"/>
    /// ```
    Status "status" {
        /// Percent.
        battery: u64 = "battery",
        /// Whether a marked unit is ready.
        readiness: bool = "readiness",
    }

    /// Motion.
    ///
    /// ```text
    /// <track speed="1.2" course="142.75"/>
    /// ```
    Track "track" {
        /// Metres per second; iTAK sends -1 for unknown.
        speed: f64 = "speed",
        /// Degrees from true north; drones send negative ones.
        course: f64 = "course",
        /// Degrees of climb.
        slope: f64 = "slope",
    }

    /// Where position and height come from.
    ///
    /// ```text
    /// <precisionlocation geopointsrc="GPS" altsrc="DTED2"/>
    /// ```
    PrecisionLocation<'a> "precisionlocation" {
        /// `GPS`, `USER`, `???` and others.
        source: &'a str = "geopointsrc",
        /// `GPS`, `DTED0`, `SRTM1`, `???` and others.
        altitude_source: &'a str = "altsrc",
    }

    /// The callsign once more, for old clients.
    ///
    /// ```text
    /// <uid Droid="HOPE"/>
    /// ```
    Uid<'a> "uid" {
        /// The callsign.
        droid: &'a str = "Droid",
    }

    /// Free text; in GeoChat the message.
    ///
    /// ```text
    /// <remarks source="BAO.F.ATAK.ANDROID-1" to="ANDROID-2" time="2026-01-01T12:00:00.000Z">text</remarks>
    /// ```
    Remarks<'a> "remarks" {
        /// Who wrote it: `BAO.F.ATAK.` and the uid.
        source: &'a str = "source",
        /// Identity of the source.
        source_id: &'a str = "sourceID",
        /// For whom it is.
        to: &'a str = "to",
        /// When it was written.
        time: CotTime = "time",
        /// Search words.
        keywords: &'a str = "keywords",
        ;
        /// The text, line ends included.
        text
    }

    /// A relation to another item: the sender, a way point, what a notice is about.
    ///
    /// ```text
    /// <link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/>
    /// ```
    Link<'a> "link" {
        /// Identity of the other item.
        uid: &'a str = "uid",
        /// Type of the other item.
        kind: &'a str = "type",
        /// `p-p` parent, `c` child, `none`.
        relation: &'a str = "relation",
        /// Callsign of the maker.
        parent_callsign: &'a str = "parent_callsign",
        /// When the item was made.
        production_time: CotTime = "production_time",
        /// `lat,lon` or `lat,lon,hae` of a way point or corner.
        point: &'a str = "point",
        /// Name of a way point.
        callsign: &'a str = "callsign",
        /// A note on a way point.
        remarks: &'a str = "remarks",
        /// An address to open.
        url: &'a str = "url",
        /// What is at the address.
        mime: &'a str = "mime",
    }

    /// An alert, or its end.
    ///
    /// ```text
    /// <emergency type="911 Alert">HOPE</emergency>
    /// <emergency cancel="true">HOPE</emergency>
    /// ```
    Emergency<'a> "emergency" {
        /// What users read: `911 Alert`, `Ring The Bell`, `In Contact`.
        kind: &'a str = "type",
        /// Whether it is over.
        cancel: bool = "cancel",
        ;
        /// Callsign of who is in need.
        callsign
    }

    /// An offer of a file to fetch.
    ///
    /// ```text
    /// <fileshare filename="a.zip" senderUrl="https://host:8443/Marti/sync/content?hash=.." sizeInBytes="1814"
    ///            sha256=".." senderUid="ANDROID-1" senderCallsign="HOPE" name="a"/>
    /// ```
    FileShare<'a> "fileshare" {
        /// Name of the file.
        filename: &'a str = "filename",
        /// Name to show.
        name: &'a str = "name",
        /// Where to fetch it.
        sender_url: &'a str = "senderUrl",
        /// Bytes.
        size: u64 = "sizeInBytes",
        /// SHA-256 of the content, 64 hexadecimal digits.
        sha256: &'a str = "sha256",
        /// Who offers it.
        sender_uid: &'a str = "senderUid",
        /// Who offers it, by name.
        sender_callsign: &'a str = "senderCallsign",
    }

    /// A request to confirm that a file was fetched.
    ///
    /// ```text
    /// <ackrequest uid="2d35c256-.." ackrequested="true" tag="a"/>
    /// ```
    AckRequest<'a> "ackrequest" {
        /// Identity that the response repeats.
        uid: &'a str = "uid",
        /// Whether a response is wanted.
        ack_requested: bool = "ackrequested",
        /// What it is about, for people.
        tag: &'a str = "tag",
    }

    /// The response to an [`AckRequest`].
    ///
    /// ```text
    /// <ackresponse uid="2d35c256-.." senderUid="ANDROID-2" success="true" tag="a" reason="File already exists"/>
    /// ```
    AckResponse<'a> "ackresponse" {
        /// Identity of the request.
        uid: &'a str = "uid",
        /// Who responds.
        sender_uid: &'a str = "senderUid",
        /// Whether the file was fetched.
        success: bool = "success",
        /// As in the request.
        tag: &'a str = "tag",
        /// Why or why not.
        reason: &'a str = "reason",
        /// SHA-256 of the content.
        sha256: &'a str = "sha256",
        /// Bytes.
        size: u64 = "sizeInBytes",
    }

    /// Colour of an item.
    ///
    /// ```text
    /// <color argb="-65536"/>
    /// ```
    Color "color" {
        /// Alpha, red, green, blue from the highest byte down, as a signed number.
        argb: i32 = "argb",
        /// The same under the name that drawings use.
        value: i32 = "value",
    }

    /// Icon of a marker.
    ///
    /// ```text
    /// <usericon iconsetpath="COT_MAPPING_2525C/a-u/a-u-G"/>
    /// ```
    UserIcon<'a> "usericon" {
        /// Icon set and icon.
        iconset_path: &'a str = "iconsetpath",
    }
}
