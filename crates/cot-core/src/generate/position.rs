//! Position reports, pings and receipts: what a client sends by itself.

use super::pen::Pen;
use super::person::{Client, Person};

/// What `event` says of itself: everything but the times, which follow from the sender's hand.
pub(super) struct Envelope<'a, U> {
    pub(super) uid: U,
    pub(super) kind: &'a str,
    pub(super) how: &'a str,
    pub(super) now_ms: i64,
    pub(super) valid_ms: i64,
}

impl<U: std::fmt::Display> Envelope<'_, U> {
    /// Writes the declaration and the start tag of `event`.
    pub(super) fn write(&self, pen: &mut Pen<'_>) {
        pen.declaration().open("event").plain("version", "2.0").attr("uid", &self.uid);
        pen.plain("type", self.kind).time("time", self.now_ms).time("start", self.now_ms);
        pen.time("stale", self.now_ms.saturating_add(self.valid_ms)).plain("how", self.how);
        if pen.has_access() {
            pen.plain("access", "Undefined");
        }
        pen.body();
    }
}

/// Closes what [`Envelope::write`] and an open `<detail>` left open.
pub(super) fn end_event(pen: &mut Pen<'_>) {
    pen.close("detail").close("event");
}

/// The sender's own position, or 0/0 with everything unknown.
pub(super) fn write_point(pen: &mut Pen<'_>, person: &Person) {
    let motion = person.motion;
    pen.open("point");
    match person.client {
        Client::Atak => {
            let (degrees, metres) = if person.full_digits { (14, 13) } else { (7, 3) };
            pen.attr("lat", format_args!("{:.degrees$}", motion.lat));
            pen.attr("lon", format_args!("{:.degrees$}", motion.lon));
            pen.attr("hae", format_args!("{:.metres$}", motion.hae));
            pen.plain("ce", if person.has_gps { "4.9" } else { "9999999.0" });
            pen.plain("le", "9999999.0");
        }
        Client::Itak | Client::WinTak => {
            pen.attr("lat", format_args!("{:.8}", motion.lat));
            pen.attr("lon", format_args!("{:.8}", motion.lon));
            pen.attr("hae", format_args!("{:.8}", motion.hae));
            pen.plain("ce", "9999999").plain("le", "9999999");
        }
        Client::WebTak => {
            pen.attr("lat", format_args!("{:.5}", motion.lat));
            pen.attr("lon", format_args!("{:.5}", motion.lon));
            pen.plain("hae", "999999").plain("ce", "999999").plain("le", "999999");
        }
    }
    pen.empty();
}

/// Appends the person's position report.
pub(super) fn write_position(person: &Person, now_ms: i64, out: &mut Vec<u8>) {
    let pen = &mut Pen::new(out, person.hand);
    let (kind, valid_ms) = match person.client {
        Client::Atak => ("a-f-G-U-C", if person.motion.speed > 0.0 { 55_000 } else { 375_000 }),
        Client::Itak => ("a-f-G-U-C", 120_000),
        Client::WebTak => ("a-f-G-U-C-I", 240_000),
        Client::WinTak => ("a-f-G-U-C-I", 75_000),
    };
    let how = if person.has_gps { "m-g" } else { "h-e" };
    Envelope { uid: &person.uid, kind, how, now_ms, valid_ms }.write(pen);
    write_point(pen, person);
    pen.open("detail").body();
    match person.client {
        Client::Atak => {
            write_takv(pen, person);
            write_contact(pen, person);
            pen.open("uid").attr("Droid", &person.callsign).empty();
            write_precision(pen, person);
            write_group(pen, person);
            write_status(pen, person);
            write_track(pen, person);
        }
        Client::Itak | Client::WinTak => {
            write_contact(pen, person);
            pen.open("uid").attr("Droid", &person.callsign).empty();
            write_group(pen, person);
            write_precision(pen, person);
            write_status(pen, person);
            write_takv(pen, person);
            write_track(pen, person);
        }
        Client::WebTak => {
            write_contact(pen, person);
            write_group(pen, person);
            write_takv(pen, person);
            pen.open("link").plain("relation", "p-p").plain("type", kind);
            pen.attr("uid", &person.uid).empty();
        }
    }
    if person.has_flow_tag {
        write_flow_tag(pen, now_ms);
    }
    end_event(pen);
}

/// Appends a ping, which every client writes alike.
pub(super) fn write_ping(person: &Person, now_ms: i64, out: &mut Vec<u8>) {
    let hand = super::pen::Hand { declaration: "", fraction: 3, ..person.hand };
    let pen = &mut Pen::new(out, hand);
    let uid = format_args!("{}-ping", person.uid);
    Envelope { uid, kind: "t-x-c-t", how: "m-g", now_ms, valid_ms: 10_000 }.write(pen);
    pen.open("point").plain("lat", "0.00000000").plain("lon", "0.00000000");
    pen.plain("hae", "0.00000000").plain("ce", "9999999").plain("le", "9999999").empty();
    pen.open("detail").empty().close("event");
}

/// The trace a server leaves in what it passes on.
pub(super) fn write_flow_tag(pen: &mut Pen<'_>, now_ms: i64) {
    pen.open("_flow-tags_")
        .time("TAK-Server-7c1e0b5d94f2463aa8d06e3f51b7c920", now_ms + 84)
        .empty();
}

fn write_takv(pen: &mut Pen<'_>, person: &Person) {
    let platform = match person.client {
        Client::Atak => "ATAK-CIV",
        Client::Itak => "iTAK",
        Client::WebTak => "WebTAK",
        Client::WinTak => "WinTAK-CIV",
    };
    pen.open("takv").plain("os", person.os).plain("version", person.version);
    pen.plain("device", person.device).plain("platform", platform).empty();
}

fn write_contact(pen: &mut Pen<'_>, person: &Person) {
    pen.open("contact");
    if let Some(phone) = person.phone {
        pen.attr("phone", phone);
    }
    pen.plain("endpoint", "*:-1:stcp").attr("callsign", &person.callsign).empty();
}

fn write_group(pen: &mut Pen<'_>, person: &Person) {
    pen.open("__group").attr("role", &person.role).attr("name", &person.team).empty();
}

fn write_precision(pen: &mut Pen<'_>, person: &Person) {
    let source = if person.has_gps { "GPS" } else { "USER" };
    let altitude = if person.has_gps { "GPS" } else { "DTED2" };
    pen.open("precisionlocation").plain("altsrc", altitude).plain("geopointsrc", source).empty();
}

fn write_status(pen: &mut Pen<'_>, person: &Person) {
    pen.open("status").attr("battery", format_args!("{:.0}", person.motion.battery)).empty();
}

/// Android prints courses as a `double` widened from sensor data: thirteen decimals or so.
fn write_track(pen: &mut Pen<'_>, person: &Person) {
    let motion = person.motion;
    pen.open("track");
    match person.client {
        Client::Atak => {
            pen.attr("course", format_args!("{:.13}", motion.course));
            pen.attr("speed", format_args!("{:.1}", motion.speed));
        }
        Client::Itak | Client::WebTak | Client::WinTak => {
            pen.attr("speed", format_args!("{:.8}", motion.speed));
            pen.attr("course", format_args!("{:.8}", motion.course));
        }
    }
    pen.empty();
}
