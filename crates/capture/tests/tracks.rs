//! Tracks are cut where they should be, and each format is what its readers expect.

mod support;

use std::time::Duration;

use capture::{Record, TrackFormat, Tracks};
use cot_core::detail::Track as Motion;
use cot_core::{Event, Point};
use roxmltree::{Document, Node};
use serde_json::{Value, json};
use support::{BEGIN, report};

const GPX: &str = "http://www.topografix.com/GPX/1/1";
const KML: &str = "http://www.opengis.net/kml/2.2";
const GX: &str = "http://www.google.com/kml/ext/2.2";
const HOSTILE: &str = "<script>&amp;]]>\"'\u{9b}31m\u{202e}狐";

/// Tracks of events, each received when it was made.
fn tracks(events: &[Event]) -> Tracks {
    let (mut tracks, mut scanner) = (Tracks::new(), capture::scanner());
    for event in events {
        let received_ms = event.time().expect("a time").as_unix_millis();
        let record = Record::new(received_ms, event.uid(), "Red", event.to_xml(), &mut scanner);
        let record = record.expect("valid");
        tracks.add(&record, &record.header(&mut scanner).expect("scanned before"));
    }
    tracks
}

fn write(tracks: &mut Tracks, format: TrackFormat) -> String {
    let mut out = Vec::new();
    tracks.write(format, &mut out).expect("memory takes all");
    String::from_utf8(out).expect("text")
}

fn at(event: Event, lat: f64, lon: f64) -> Event {
    event.with_point(Point::new(lat, lon).with_ce(5.0))
}

/// Two segments of one device, and a single position of another with a hostile callsign.
fn two() -> Tracks {
    let mut moving = report("A", "HOPE", 1_000);
    moving.detail_mut().set(&Motion { speed: Some(1.5), course: Some(-90.0), ..Motion::default() });
    tracks(&[
        report("A", "HOPE", 0),
        moving,
        report("A", "HOPE", 700_000),
        report("A", "HOPE-2", 701_000),
        at(report("B<&>", HOSTILE, 5_000), -33.25, 151.5),
    ])
}

fn segments(tracks: &mut Tracks) -> Vec<Vec<usize>> {
    let lens = |track: &capture::Track| track.segments(600_000).map(<[_]>::len).collect();
    tracks.iter().map(|(_, track)| lens(track)).collect()
}

#[test]
fn a_track_is_cut_at_long_pauses() {
    let mut found = two();
    assert_eq!(segments(&mut found), [vec![2, 2], vec![1]]);
    assert_eq!((found.len(), found.positions(), found.dropped()), (2, 5, 0));
    let mut patient = two().with_split(Duration::from_secs(3_600));
    let gpx = write(&mut patient, TrackFormat::Gpx);
    assert_eq!(gpx.matches("<trkseg>").count(), 2);
}

#[test]
fn a_track_is_cut_at_the_date_line() {
    let lons = [179.5, 179.9, -179.9, -179.5];
    let events: Vec<_> =
        (0_i64..).zip(lons).map(|(n, lon)| at(report("A", "A", n * 1_000), 1.0, lon)).collect();
    assert_eq!(segments(&mut tracks(&events)), [vec![2, 2]]);
}

#[test]
fn positions_are_in_the_order_of_time() {
    let mut found =
        tracks(&[report("A", "A", 5_000), report("A", "A", 0), report("A", "A", 9_000)]);
    let (_, track) = found.iter().next().expect("a track");
    let times: Vec<_> = track.positions().iter().map(|at| at.time_ms() - BEGIN).collect();
    assert_eq!(times, [0, 5_000, 9_000]);
}

#[test]
fn only_things_in_the_world_with_a_real_position_make_tracks() {
    let mut chat = report("A", "A", 0);
    chat.set_kind("b-t-f");
    let unknown = report("B", "B", 0).with_point(Point::unknown());
    let equator = at(report("C", "C", 0), 0.0, 0.0);
    let mut found = tracks(&[chat, unknown, equator]);
    assert_eq!(found.iter().map(|(uid, _)| uid).collect::<Vec<_>>(), ["C"]);
}

#[test]
fn unknown_values_are_none() {
    let mut odd = report("A", "A", 0).with_point(Point::new(1.0, 2.0).with_ce(1.0));
    odd.detail_mut().set(&Motion { speed: Some(-1.0), course: Some(725.0), ..Motion::default() });
    let mut found = tracks(&[odd, report("B", "B", 0)]);
    let positions: Vec<_> = found.iter().map(|(_, track)| track.positions()[0]).collect();
    assert_eq!(
        (positions[0].hae(), positions[0].speed(), positions[0].course()),
        (None, None, Some(5.0))
    );
    assert_eq!(
        (positions[1].hae(), positions[1].speed(), positions[1].course()),
        (Some(400.5), None, None)
    );
}

#[test]
fn a_track_has_the_last_callsign_and_team() {
    let mut found = two();
    let (uid, track) = found.iter().next().expect("a track");
    assert_eq!(
        (uid, track.callsign(), track.team(), track.kind()),
        ("A", "HOPE-2", "Cyan", "a-f-G-U-C")
    );
}

#[test]
fn more_positions_than_allowed_are_dropped_and_counted() {
    let (mut found, mut scanner) = (Tracks::new().with_max_positions(2), capture::scanner());
    for n in 0..5 {
        let event = report("A", "A", n).to_xml();
        let record = Record::new(BEGIN + n, "A", "", event, &mut scanner).expect("valid");
        assert_eq!(
            found.add(&record, &record.header(&mut scanner).expect("scanned before")),
            n < 2
        );
    }
    assert_eq!((found.positions(), found.dropped()), (2, 3));
}

/// The elements of one name, wherever they are.
fn all<'a>(
    document: &'a Document<'_>,
    namespace: &'static str,
    name: &'static str,
) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.has_tag_name((namespace, name))).collect()
}

fn texts<'a>(nodes: &[Node<'a, 'a>]) -> Vec<&'a str> {
    nodes.iter().map(|node| node.text().unwrap_or_default()).collect()
}

#[test]
fn gpx_is_well_formed_and_complete() {
    let text = write(&mut two(), TrackFormat::Gpx);
    let document = Document::parse(&text).expect("well-formed");
    let root = document.root_element();
    assert!(root.has_tag_name((GPX, "gpx")));
    assert_eq!(
        (root.attribute("version"), root.attribute("creator")),
        (Some("1.1"), Some("TinyCoT"))
    );
    assert_eq!(texts(&all(&document, GPX, "name")), ["HOPE-2", HOSTILE]);
    assert_eq!(texts(&all(&document, GPX, "desc")), ["uid A, team Cyan", "uid B<&>, team Cyan"]);
    assert_eq!(all(&document, GPX, "trkseg").len(), 3);
    let points = all(&document, GPX, "trkpt");
    assert_eq!(points.len(), 5);
    // The schema fixes the order of what a point has.
    let children: Vec<_> =
        points[1].children().filter(Node::is_element).map(|n| n.tag_name().name()).collect();
    assert_eq!(children, ["ele", "time", "extensions"]);
    assert_eq!(
        (points[4].attribute("lat"), points[4].attribute("lon")),
        (Some("-33.25"), Some("151.5"))
    );
    assert_eq!(texts(&all(&document, GPX, "time"))[1], "2026-11-22T10:00:01.000Z");
    let tpx = "http://www.garmin.com/xmlschemas/TrackPointExtension/v2";
    assert_eq!(texts(&all(&document, tpx, "speed")), ["1.5"]);
    assert_eq!(texts(&all(&document, tpx, "course")), ["270"]);
}

#[test]
fn kml_is_well_formed_and_complete() {
    let text = write(&mut two(), TrackFormat::Kml);
    let document = Document::parse(&text).expect("well-formed");
    assert!(document.root_element().has_tag_name((KML, "kml")));
    let marks = all(&document, KML, "Placemark");
    assert_eq!(marks.len(), 2);
    assert_eq!(texts(&all(&document, KML, "name")), ["HOPE-2", HOSTILE]);
    let lines = all(&document, GX, "Track");
    assert_eq!(lines.len(), 3);
    for line in lines {
        let count = |name| line.children().filter(|node| node.has_tag_name(name)).count();
        assert_eq!(count((KML, "when")), count((GX, "coord")));
    }
    assert_eq!(texts(&all(&document, GX, "coord"))[4], "151.5 -33.25 0");
    // Every style that is used is there; cyan is blue and green.
    let styles: Vec<_> =
        all(&document, KML, "Style").iter().filter_map(|s| s.attribute("id")).collect();
    for url in texts(&all(&document, KML, "styleUrl")) {
        assert!(url.strip_prefix('#').is_some_and(|id| styles.contains(&id)), "{url}");
    }
    let cyan =
        all(&document, KML, "Style").into_iter().find(|s| s.attribute("id") == Some("c00ffff"));
    let colour = cyan.and_then(|s| s.descendants().find(|node| node.has_tag_name((KML, "color"))));
    assert_eq!(colour.and_then(|node| node.text()), Some("ffffff00"));
}

#[test]
fn geojson_has_a_line_for_each_segment_and_a_point_for_a_single_position() {
    let document: Value =
        serde_json::from_str(&write(&mut two(), TrackFormat::GeoJson)).expect("JSON");
    assert_eq!(document["type"], "FeatureCollection");
    let features = document["features"].as_array().expect("a list");
    let kinds: Vec<_> = features.iter().map(|feature| &feature["geometry"]["type"]).collect();
    assert_eq!(kinds, ["LineString", "LineString", "Point"]);
    assert_eq!(
        features[0]["geometry"]["coordinates"],
        json!([[8.5, 47.0, 400.5], [8.5, 47.001, 400.5]])
    );
    assert_eq!(
        features[0]["properties"]["coordTimes"],
        json!(["2026-11-22T10:00:00.000Z", "2026-11-22T10:00:01.000Z"])
    );
    assert_eq!(features[2]["geometry"]["coordinates"], json!([151.5, -33.25]));
    assert_eq!(
        features[2]["properties"],
        json!({"uid": "B<&>", "type": "a-f-G-U-C", "callsign": HOSTILE, "team": "Cyan",
               "time": "2026-11-22T10:00:05.000Z"})
    );
}

#[test]
fn without_tracks_each_format_is_an_empty_document() {
    for format in [TrackFormat::Gpx, TrackFormat::Kml] {
        Document::parse(&write(&mut Tracks::new(), format)).expect("well-formed");
    }
    let document: Value =
        serde_json::from_str(&write(&mut Tracks::new(), TrackFormat::GeoJson)).expect("JSON");
    assert_eq!(document["features"], json!([]));
}

#[test]
fn a_team_from_the_dump_may_be_any_text() {
    let (mut found, mut scanner) = (Tracks::new(), capture::scanner());
    let event = report("A", "A", 0).to_xml().replace("<__group name=\"Cyan\"", "<group x=\"\"");
    let record =
        Record::new(BEGIN, "A", "\0\u{1b}[31m\u{ffff}<&", event, &mut scanner).expect("valid");
    found.add(&record, &record.header(&mut scanner).expect("scanned before"));
    for format in [TrackFormat::Gpx, TrackFormat::Kml] {
        let text = write(&mut found, format);
        Document::parse(&text).expect("well-formed");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
