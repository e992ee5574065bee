//! KML 2.2, written piece by piece.
//!
//! Whatever comes from events is in elements that hold plain text, none that viewers take for HTML.

use std::io::{self, Write};

use cot_core::xml::Element;
use cot_core::{Affiliation, Dimension, EventType, Header, Text};

use super::tracks::{Fix, Track};
use crate::routes::cot::CUT;
use crate::time;

/// Where `gx:Track` lives: KML 2.2 itself has no line with times.
const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>"#;

const TAIL: &str = "</Document></kml>\n";

/// Names of the styles, and their colours: blue, green and red behind the opacity.
const STYLES: [(&str, &str); 5] = [
    ("friend", "ffffe080"),
    ("hostile", "ff8080ff"),
    ("neutral", "ffaaffaa"),
    ("unknown", "ff80ffff"),
    ("other", "ffffffff"),
];

/// Longest text that is copied from an event. Characters.
const MAX_TEXT: usize = 256;

/// A KML document that is being written.
pub(super) struct Document<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Document<'a> {
    /// Begins.
    pub(super) fn new(out: &'a mut dyn Write, name: &str) -> io::Result<Self> {
        out.write_all(HEAD.as_bytes())?;
        write!(out, "{}", text("name", name))?;
        for (id, colour) in STYLES {
            let style = Element::new("Style")
                .with("id", id)
                .with_child(Element::new("IconStyle").with_child(text("color", colour)))
                .with_child(
                    Element::new("LineStyle")
                        .with_child(text("color", colour))
                        .with_child(text("width", "3")),
                );
            write!(out, "{style}")?;
        }
        Ok(Self { out })
    }

    /// Adds a thing, and says whether it is anywhere.
    pub(super) fn placemark(&mut self, received_ms: i64, header: &Header<'_>) -> io::Result<bool> {
        let Some(fix) = Fix::of(received_ms, header) else { return Ok(false) };
        let callsign = header.contact().and_then(|contact| contact.callsign);
        let callsign = callsign.map(Text::to_cow).unwrap_or_default();
        let uid = header.uid().to_cow();
        let mut placemark = Element::new("Placemark")
            .with_child(text("name", if callsign.is_empty() { &uid } else { &callsign }));
        let when = header.time_ms().unwrap_or(received_ms);
        placemark.push(Element::new("TimeStamp").with_child(text("when", &time::text(when))));
        placemark.push(style_of(header.kind()));
        placemark.push(data(&uid, header.kind()));
        let place = format!("{},{},{}", fix.lon, fix.lat, fix.hae.unwrap_or_default());
        placemark.push(
            Element::new("Point")
                .with_child(altitude_mode(header.kind()))
                .with_child(text("coordinates", &place)),
        );
        write!(self.out, "{placemark}")?;
        Ok(true)
    }

    /// Adds a track, cut where nothing came for longer than `split_ms` milliseconds.
    pub(super) fn track(&mut self, (uid, track): (&str, &Track), split_ms: i64) -> io::Result<()> {
        let name = if track.callsign.is_empty() { uid } else { &track.callsign };
        let (name, style) = (text("name", name), style_of(&track.kind));
        let data = data(uid, &track.kind);
        write!(self.out, "<Placemark>{name}{style}{data}<gx:MultiTrack>")?;
        for segment in track.segments(split_ms) {
            // All times, then all places: the schema wants them so.
            write!(self.out, "<gx:Track>{}", altitude_mode(&track.kind))?;
            for fix in segment {
                write!(self.out, "<when>{}</when>", time::text(fix.at_ms))?;
            }
            for fix in segment {
                let hae = fix.hae.unwrap_or_default();
                write!(self.out, "<gx:coord>{} {} {hae}</gx:coord>", fix.lon, fix.lat)?;
            }
            self.out.write_all(b"</gx:Track>")?;
        }
        self.out.write_all(b"</gx:MultiTrack></Placemark>")
    }

    /// Ends, and says if this is not all there is.
    pub(super) fn finish(self, is_whole: bool) -> io::Result<()> {
        self.out.write_all(TAIL.as_bytes())?;
        if is_whole { Ok(()) } else { self.out.write_all(CUT) }
    }
}

fn text(name: &'static str, value: &str) -> Element {
    let end = value.char_indices().nth(MAX_TEXT).map_or(value.len(), |(at, _)| at);
    Element::new(name).with_text(value.get(..end).unwrap_or_default())
}

fn style_of(kind: &str) -> Element {
    use Affiliation as A;
    let id = match EventType::new(kind).affiliation() {
        Some(A::Friend | A::AssumedFriend) => "#friend",
        Some(A::Hostile | A::Suspect | A::Faker | A::Joker) => "#hostile",
        Some(A::Neutral) => "#neutral",
        Some(A::Unknown | A::Pending) => "#unknown",
        _ => "#other",
    };
    text("styleUrl", id)
}

fn data(uid: &str, kind: &str) -> Element {
    let datum = |name: &str, value: &str| {
        Element::new("Data").with("name", name).with_child(text("value", value))
    };
    Element::new("ExtendedData").with_child(datum("uid", uid)).with_child(datum("type", kind))
}

/// Heights are above the ellipsoid, which a globe takes for heights above the sea: what stands on
/// the ground is better put there.
fn altitude_mode(kind: &str) -> Element {
    let flies = EventType::new(kind).dimension() == Some(Dimension::Air);
    text("altitudeMode", if flies { "absolute" } else { "clampToGround" })
}
