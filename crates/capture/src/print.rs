//! Events as text, one after the other.

use cot_core::{CotTime, Event, Header, Text};
use serde::Serialize;
use serde_json::{Value, json};

use crate::record::{self, Record};
use crate::tracks::located_point;

/// How events are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventFormat {
    /// A dump as a server writes it, which can be read and replayed again: what was captured, with
    /// when it was received and from whom.
    Dump,
    /// One GeoJSON `FeatureCollection` with a point for each event that has a place.
    GeoJson,
    /// One line for each event: when it was received, from whom, and the event in the JSON form of
    /// `cot-core`.
    ///
    /// ```text
    /// {"t":"2026-11-22T10:15:00.123Z","uid":"ANDROID-1","team":"Cyan","event":{"version":"2.0","uid":..}}
    /// ```
    Json,
    /// The XML of the events as it was captured, each followed by a line feed. It can be read and
    /// replayed again, but has lost the receive times and the senders.
    #[default]
    Xml,
}

/// Prints events in one format.
#[derive(Debug)]
pub struct EventWriter {
    format: EventFormat,
    /// Events that were written.
    events: u64,
}

impl EventWriter {
    /// Nothing printed yet.
    #[must_use]
    pub const fn new(format: EventFormat) -> Self {
        Self { format, events: 0 }
    }

    /// Appends an event, and before the first one what the format begins with. Says whether it did:
    /// GeoJSON has no place for events without one. `header` is that of `record`.
    pub fn write(&mut self, record: &Record, header: &Header<'_>, out: &mut Vec<u8>) -> bool {
        match self.format {
            EventFormat::Dump => append_line(out, record, record.event()),
            EventFormat::GeoJson => {
                let Some(feature) = feature(record, header) else {
                    return false;
                };
                out.extend_from_slice(if self.events == 0 { GEOJSON_BEGIN } else { b",\n" });
                append(out, &feature);
            }
            EventFormat::Json => {
                let event = Event::from_xml_within(record.event().as_bytes(), &record::limits());
                match event {
                    Ok(event) => append_line(out, record, &event),
                    // The two readers agree on what an event is; should they ever not, this is all
                    // that is known of it.
                    Err(_) => append_line(out, record, record.event()),
                }
            }
            EventFormat::Xml => out.extend_from_slice(record.event().as_bytes()),
        }
        if self.format != EventFormat::GeoJson {
            out.push(b'\n');
        }
        self.events += 1;
        true
    }

    /// Appends what the format ends with.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.format == EventFormat::GeoJson {
            if self.events == 0 {
                out.extend_from_slice(GEOJSON_BEGIN);
            }
            out.extend_from_slice(b"\n]}\n");
        }
    }
}

const GEOJSON_BEGIN: &[u8] = b"{\"type\":\"FeatureCollection\",\"features\":[\n";

/// A line of a dump, around an event of either form.
#[derive(Serialize)]
struct Line<'a, E> {
    t: String,
    uid: &'a str,
    team: &'a str,
    event: E,
}

fn append_line(out: &mut Vec<u8>, record: &Record, event: impl Serialize) {
    let t = CotTime::from_unix_millis(record.received_ms()).to_string();
    append(out, &Line { t, uid: record.sender(), team: record.team(), event });
}

fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    // Writing into memory cannot fail, and every key is a text.
    let _ = serde_json::to_writer(out, value);
}

/// The place of the event, and who is there; `None` when it does not say where.
fn feature(record: &Record, header: &Header<'_>) -> Option<Value> {
    let point = located_point(header)?;
    let coordinates = match point.hae {
        Some(hae) => json!([point.lon, point.lat, hae]),
        None => json!([point.lon, point.lat]),
    };
    let own = |text: Option<Text<'_>>| text.map(|text| text.to_cow().into_owned());
    let callsign = own(header.contact().and_then(|contact| contact.callsign));
    let own_team = own(header.group().and_then(|group| group.name));
    let team = own_team.or_else(|| Some(record.team().to_owned()).filter(|team| !team.is_empty()));
    Some(json!({
        "type": "Feature",
        "geometry": { "type": "Point", "coordinates": coordinates },
        "properties": {
            "uid": header.uid().to_cow(),
            "type": header.kind(),
            "callsign": callsign,
            "team": team,
            "sender": record.sender(),
            "received": CotTime::from_unix_millis(record.received_ms()).to_string(),
        },
    }))
}
