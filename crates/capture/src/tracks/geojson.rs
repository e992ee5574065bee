//! GeoJSON (RFC 7946), for maps in browsers and for geographic databases.

use std::io::{self, Write};

use cot_core::CotTime;
use serde_json::{Value, json};

use super::{Position, Track};

pub(super) fn write<'t>(
    tracks: impl Iterator<Item = (&'t str, &'t Track)>,
    split_ms: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    let mut separator = "\n";
    for (uid, track) in tracks {
        for segment in track.segments(split_ms) {
            out.write_all(separator.as_bytes())?;
            serde_json::to_writer(&mut *out, &feature(uid, track, segment))?;
            separator = ",\n";
        }
    }
    out.write_all(b"\n]}\n")
}

/// A line with the time of each of its places, or a point with its time.
fn feature(uid: &str, track: &Track, segment: &[Position]) -> Value {
    let time = |position: &Position| CotTime::from_unix_millis(position.time_ms).to_string();
    let mut properties = json!({ "uid": uid, "type": track.kind });
    for (name, value) in [("callsign", &track.callsign), ("team", &track.team)] {
        if !value.is_empty() {
            put(&mut properties, name, json!(value));
        }
    }
    let geometry = if let [position] = segment {
        put(&mut properties, "time", json!(time(position)));
        json!({ "type": "Point", "coordinates": place(position) })
    } else {
        put(&mut properties, "coordTimes", segment.iter().map(time).collect());
        let places: Vec<Value> = segment.iter().map(place).collect();
        json!({ "type": "LineString", "coordinates": places })
    };
    json!({ "type": "Feature", "geometry": geometry, "properties": properties })
}

/// Longitude first, height only when it is known.
fn place(position: &Position) -> Value {
    match position.hae() {
        Some(hae) => json!([position.lon, position.lat, hae]),
        None => json!([position.lon, position.lat]),
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
