//! KML 2.2, for globes and maps.

use std::io::{self, Write};

use cot_core::{CotTime, Dimension, EventType};

use super::xml::Xml;
use super::{Position, Track};

const KML: &str = "http://www.opengis.net/kml/2.2";
/// Where `gx:Track` lives: KML 2.2 itself has no line with times.
const GX: &str = "http://www.google.com/kml/ext/2.2";

/// The colours of teams, as red, green and blue.
const COLOURS: &[(&str, &str)] = &[
    ("Blue", "0000ff"),
    ("Brown", "a0714f"),
    ("Cyan", "00ffff"),
    ("Dark Blue", "00007f"),
    ("Dark Green", "007f00"),
    ("Green", "00ff00"),
    ("Magenta", "ff00ff"),
    ("Maroon", "7f0000"),
    ("Orange", "ff7700"),
    ("Purple", "7f007f"),
    ("Red", "ff0000"),
    ("Teal", "007f7f"),
    ("White", "ffffff"),
    ("Yellow", "ffff00"),
];

/// Of things without a team, or in one that has no colour.
const GREY: &str = "7f7f7f";

pub(super) fn write<'t>(
    tracks: impl Iterator<Item = (&'t str, &'t Track)>,
    split_ms: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut xml = Xml::new(out)?;
    xml.open("kml", &[("xmlns", KML), ("xmlns:gx", GX)])?;
    xml.open("Document", &[])?;
    for (_, colour) in COLOURS {
        style(&mut xml, colour)?;
    }
    style(&mut xml, GREY)?;
    for (uid, track) in tracks {
        placemark(&mut xml, uid, track, split_ms)?;
    }
    xml.close("Document")?;
    xml.close("kml")?;
    xml.finish()
}

/// Red, green and blue of a team.
pub(super) fn colour(team: &str) -> &'static str {
    let of_team = COLOURS.iter().find(|(name, _)| name.eq_ignore_ascii_case(team));
    of_team.map_or(GREY, |(_, colour)| colour)
}

fn style(xml: &mut Xml<'_>, colour: &str) -> io::Result<()> {
    // KML has them the other way round, behind the opacity.
    let part = |at: usize| colour.get(at..at + 2).unwrap_or("7f");
    let turned = format!("ff{}{}{}", part(4), part(2), part(0));
    xml.open("Style", &[("id", &format!("c{colour}"))])?;
    xml.open("IconStyle", &[])?;
    xml.text("color", &turned)?;
    xml.close("IconStyle")?;
    xml.open("LineStyle", &[])?;
    xml.text("color", &turned)?;
    xml.text("width", "3")?;
    xml.close("LineStyle")?;
    xml.close("Style")
}

fn placemark(xml: &mut Xml<'_>, uid: &str, track: &Track, split_ms: i64) -> io::Result<()> {
    xml.open("Placemark", &[])?;
    xml.text("name", track.name(uid))?;
    xml.text("styleUrl", &format!("#c{}", colour(&track.team)))?;
    xml.open("ExtendedData", &[])?;
    for (name, value) in [("uid", uid), ("team", &track.team), ("type", &track.kind)] {
        xml.open("Data", &[("name", name)])?;
        xml.text("value", value)?;
        xml.close("Data")?;
    }
    xml.close("ExtendedData")?;
    // Heights are above the ellipsoid, which a globe takes for heights above the sea: what stands
    // on the ground is better put there.
    let flies = EventType::new(&track.kind).dimension() == Some(Dimension::Air);
    let mode = if flies { "absolute" } else { "clampToGround" };
    xml.open("gx:MultiTrack", &[])?;
    for segment in track.segments(split_ms) {
        line(xml, segment, mode)?;
    }
    xml.close("gx:MultiTrack")?;
    xml.close("Placemark")
}

/// All times, then all places: the schema wants them so.
fn line(xml: &mut Xml<'_>, segment: &[Position], mode: &str) -> io::Result<()> {
    xml.open("gx:Track", &[])?;
    xml.text("altitudeMode", mode)?;
    for position in segment {
        xml.text("when", &CotTime::from_unix_millis(position.time_ms).to_string())?;
    }
    for position in segment {
        let hae = position.hae().unwrap_or_default();
        xml.text("gx:coord", &format!("{} {} {hae}", position.lon, position.lat))?;
    }
    xml.close("gx:Track")
}
