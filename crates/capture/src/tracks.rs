//! Where things were, in the order of time.

mod geojson;
mod gpx;
mod kml;
mod xml;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use cot_core::{Event, EventType, Header, Point};

use crate::record::{self, Record};

/// Pause after which a track is cut, unless told otherwise: ten minutes.
pub const DEFAULT_SPLIT: Duration = Duration::from_secs(600);

/// Most positions that are kept, of all tracks together, unless told otherwise: ten million, which
/// take about 500 MB.
pub const DEFAULT_MAX_POSITIONS: usize = 10_000_000;

/// Longest uid, callsign, team or type that a track keeps, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// Collects positions by uid, and writes them as tracks.
///
/// Only things in the world count, those with a type within `a`, and only with a real position:
/// 0/0 of unknown accuracy is what clients without a position send. A track is cut where nothing
/// came for longer than the split, and where it crosses the 180th meridian.
#[derive(Debug)]
pub struct Tracks {
    split_ms: i64,
    max_positions: usize,
    positions: usize,
    dropped: u64,
    tracks: BTreeMap<String, Track>,
}

/// The movement of one thing.
#[derive(Clone, Debug, Default)]
pub struct Track {
    callsign: String,
    team: String,
    kind: String,
    positions: Vec<Position>,
}

/// Where a thing was at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    time_ms: i64,
    lat: f64,
    lon: f64,
    /// `NaN` for unknown, here and below: with options a position would be half as large again.
    hae: f32,
    course: f32,
    speed: f32,
}

/// A file format for tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackFormat {
    /// GeoJSON (RFC 7946): a `LineString` for each segment, with `coordTimes`.
    GeoJson,
    /// GPX 1.1: a `trk` for each uid, a `trkseg` for each segment.
    Gpx,
    /// KML 2.2 with `gx:Track`, which has times; in the colour of the team.
    Kml,
}

impl Default for Tracks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracks {
    /// No track, cut after [`DEFAULT_SPLIT`], with at most [`DEFAULT_MAX_POSITIONS`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            split_ms: 0,
            max_positions: DEFAULT_MAX_POSITIONS,
            positions: 0,
            dropped: 0,
            tracks: BTreeMap::new(),
        }
        .with_split(DEFAULT_SPLIT)
    }

    /// Cuts tracks where nothing came for longer than `pause`.
    #[must_use]
    pub fn with_split(mut self, pause: Duration) -> Self {
        self.split_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Keeps at most so many positions; later ones are [dropped](Self::dropped).
    #[must_use]
    pub const fn with_max_positions(mut self, positions: usize) -> Self {
        self.max_positions = positions;
        self
    }

    /// Takes in an event and says whether it had a position to keep. `header` is that of `record`.
    pub fn add(&mut self, record: &Record, header: &Header<'_>) -> bool {
        let Some(point) = real_point(header) else {
            return false;
        };
        let uid = header.uid().to_cow();
        if uid.len() > MAX_TEXT_BYTES || self.positions >= self.max_positions {
            self.dropped += 1;
            return false;
        }
        if !self.tracks.contains_key(&*uid) {
            self.tracks.insert(uid.clone().into_owned(), Track::default());
        }
        let Some(track) = self.tracks.get_mut(&*uid) else {
            return false;
        };
        track.describe(record, header);
        track.positions.push(Position::new(record.received_ms(), point, &motion(record)));
        self.positions += 1;
        true
    }

    /// Positions that were not kept: there were too many, or their uid was too long.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Number of positions.
    #[must_use]
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Number of tracks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether there is no track at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The tracks with their uids, in the order of these.
    ///
    /// Positions are sorted by time first if need be: a clock may have been set back.
    pub fn iter(&mut self) -> impl ExactSizeIterator<Item = (&str, &Track)> {
        for track in self.tracks.values_mut() {
            if !track.positions.is_sorted_by_key(|position| position.time_ms) {
                track.positions.sort_by_key(|position| position.time_ms);
            }
        }
        self.tracks.iter().map(|(uid, track)| (uid.as_str(), track))
    }

    /// Writes all tracks as one document.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&mut self, format: TrackFormat, out: &mut dyn io::Write) -> io::Result<()> {
        let split_ms = self.split_ms;
        match format {
            TrackFormat::GeoJson => geojson::write(self.iter(), split_ms, out),
            TrackFormat::Gpx => gpx::write(self.iter(), split_ms, out),
            TrackFormat::Kml => kml::write(self.iter(), split_ms, out),
        }
    }
}

impl Track {
    /// The callsign that the thing had last; empty when it has none.
    #[must_use]
    pub fn callsign(&self) -> &str {
        &self.callsign
    }

    /// The team that the thing was in last; empty when unknown.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// The `type` that the thing had last.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// All positions in the order of time.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The positions, cut where nothing came for longer than `split_ms` milliseconds, and at the
    /// 180th meridian. No segment is empty.
    pub fn segments(&self, split_ms: i64) -> impl Iterator<Item = &[Position]> {
        self.positions.chunk_by(move |a, b| {
            b.time_ms.saturating_sub(a.time_ms) <= split_ms && (b.lon - a.lon).abs() <= 180.0
        })
    }

    fn describe(&mut self, record: &Record, header: &Header<'_>) {
        let callsign = header.contact().and_then(|contact| contact.callsign);
        let group = header.group().and_then(|group| group.name);
        keep(&mut self.callsign, &callsign.map(|text| text.to_cow()).unwrap_or_default());
        match group.map(|text| text.to_cow()) {
            Some(team) => keep(&mut self.team, &team),
            // The team of who sent it is that of the thing only if the thing sent it.
            None if header.uid().eq_str(record.sender()) => keep(&mut self.team, record.team()),
            None => {}
        }
        keep(&mut self.kind, header.kind());
    }

    /// The callsign, or the uid of a thing without one.
    fn name<'a>(&'a self, uid: &'a str) -> &'a str {
        if self.callsign.is_empty() { uid } else { &self.callsign }
    }
}

impl Position {
    fn new(time_ms: i64, point: Point, (course, speed): &(f32, f32)) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a millimetre of a height is enough")]
        let hae = point.hae.filter(|hae| hae.abs() < 999_999.0).map_or(f32::NAN, |hae| hae as f32);
        Self { time_ms, lat: point.lat, lon: point.lon, hae, course: *course, speed: *speed }
    }

    /// When the report was received, in milliseconds since 1970.
    #[must_use]
    pub const fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Latitude in degrees, -90 to 90.
    #[must_use]
    pub const fn lat(&self) -> f64 {
        self.lat
    }

    /// Longitude in degrees, -180 to 180.
    #[must_use]
    pub const fn lon(&self) -> f64 {
        self.lon
    }

    /// Metres above the WGS-84 ellipsoid, if known.
    #[must_use]
    pub fn hae(&self) -> Option<f32> {
        known(self.hae)
    }

    /// Degrees from true north, 0 up to 360, if known.
    #[must_use]
    pub fn course(&self) -> Option<f32> {
        known(self.course)
    }

    /// Metres per second, if known.
    #[must_use]
    pub fn speed(&self) -> Option<f32> {
        known(self.speed)
    }
}

fn known(value: f32) -> Option<f32> {
    (!value.is_nan()).then_some(value)
}

fn keep(slot: &mut String, text: &str) {
    if !text.is_empty() && text.len() <= MAX_TEXT_BYTES && slot != text {
        text.clone_into(slot);
    }
}

/// The point of a thing in the world that knows where it is.
fn real_point(header: &Header<'_>) -> Option<Point> {
    if !EventType::new(header.kind()).is_atom() {
        return None;
    }
    located_point(header)
}

/// The point of an event, unless it is the one that stands for "unknown".
pub(crate) fn located_point(header: &Header<'_>) -> Option<Point> {
    let number = |text: &str| text.trim_ascii().parse::<f64>().ok().filter(|n| n.is_finite());
    let metres = |text: Option<cot_core::Text<'_>>| {
        number(&text?.to_cow()).filter(|metres| *metres < 999_999.0)
    };
    let mut point = Point::new(number(&header.lat().to_cow())?, number(&header.lon().to_cow())?);
    (point.hae, point.ce) = (metres(header.hae()), metres(header.ce()));
    let is_null = point.lat == 0.0 && point.lon == 0.0;
    (!is_null || point.ce.is_some()).then_some(point)
}

/// Course and speed of the first `<track>`, each `NaN` when unknown.
fn motion(record: &Record) -> (f32, f32) {
    const UNKNOWN: (f32, f32) = (f32::NAN, f32::NAN);
    // Reading the whole event takes much longer than looking for the name.
    if !record.event().contains("<track") {
        return UNKNOWN;
    }
    let event = Event::from_xml_within(record.event().as_bytes(), &record::limits());
    let Ok(event) = event else {
        return UNKNOWN;
    };
    let Some(track) = event.detail().track() else {
        return UNKNOWN;
    };
    #[expect(clippy::cast_possible_truncation, reason = "seven digits of a course or a speed")]
    let finite =
        |value: Option<f64>| value.filter(|v| v.is_finite()).map_or(f32::NAN, |v| v as f32);
    let course = finite(track.course.filter(|course| course.abs() < 3_600.0)).rem_euclid(360.0);
    // Negative and absurd speeds stand for "unknown".
    let speed = finite(track.speed.filter(|speed| (0.0..100_000.0).contains(speed)));
    (course, speed)
}
