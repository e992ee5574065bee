//! GPX 1.1, for navigation devices and maps.

use std::io::{self, Write};

use cot_core::CotTime;

use super::xml::Xml;
use super::{Position, Track};

const GPX: &str = "http://www.topografix.com/GPX/1/1";
/// GPX 1.1 has no speed and no course of its own; this extension is the one that most programs read.
const EXTENSION: &str = "http://www.garmin.com/xmlschemas/TrackPointExtension/v2";

pub(super) fn write<'t>(
    tracks: impl Iterator<Item = (&'t str, &'t Track)>,
    split_ms: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut xml = Xml::new(out)?;
    xml.open(
        "gpx",
        &[("version", "1.1"), ("creator", "TinyCoT"), ("xmlns", GPX), ("xmlns:tpx", EXTENSION)],
    )?;
    for (uid, track) in tracks {
        xml.open("trk", &[])?;
        xml.text("name", track.name(uid))?;
        let team = if track.team.is_empty() { "none" } else { &track.team };
        xml.text("desc", &format!("uid {uid}, team {team}"))?;
        xml.text("type", &track.kind)?;
        for segment in track.segments(split_ms) {
            xml.open("trkseg", &[])?;
            for position in segment {
                point(&mut xml, position)?;
            }
            xml.close("trkseg")?;
        }
        xml.close("trk")?;
    }
    xml.close("gpx")?;
    xml.finish()
}

fn point(xml: &mut Xml<'_>, position: &Position) -> io::Result<()> {
    let (lat, lon) = (position.lat.to_string(), position.lon.to_string());
    xml.open("trkpt", &[("lat", &lat), ("lon", &lon)])?;
    if let Some(hae) = position.hae() {
        xml.text("ele", &hae.to_string())?;
    }
    xml.text("time", &CotTime::from_unix_millis(position.time_ms).to_string())?;
    if position.speed().is_some() || position.course().is_some() {
        xml.open("extensions", &[])?;
        xml.open("tpx:TrackPointExtension", &[])?;
        if let Some(speed) = position.speed() {
            xml.text("tpx:speed", &speed.to_string())?;
        }
        if let Some(course) = position.course() {
            xml.text("tpx:course", &course.to_string())?;
        }
        xml.close("tpx:TrackPointExtension")?;
        xml.close("extensions")?;
    }
    xml.close("trkpt")
}
