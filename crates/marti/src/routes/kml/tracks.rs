//! Where things were, by uid.

use std::collections::BTreeMap;

use cot_core::{EventType, Header, Text};

/// Most places of all tracks together.
const MAX_FIXES: usize = 200_000;

/// Most tracks.
const MAX_TRACKS: usize = 10_000;

/// Longest uid, callsign or type that is kept. Bytes.
const MAX_TEXT_BYTES: usize = 512;

/// From here up a height or an error stands for "unknown". Metres.
const UNKNOWN_FROM: f64 = 999_999.0;

/// Tracks that are being collected: about 10 MB at most.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    fixes: usize,
    tracks: BTreeMap<String, Track>,
}

/// The movement of one thing.
#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) callsign: String,
    pub(super) kind: String,
    fixes: Vec<Fix>,
}

/// Where a thing was at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fix {
    /// When that was received. Milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
    /// Degrees.
    pub(super) lat: f64,
    pub(super) lon: f64,
    /// Metres above the ellipsoid, if known.
    pub(super) hae: Option<f32>,
}

impl Tracks {
    /// Takes what an event says of a thing in the world. `false` when there is no room for it.
    pub(super) fn add(&mut self, received_ms: i64, header: &Header<'_>) -> bool {
        let is_atom = EventType::new(header.kind()).is_atom();
        let Some(fix) = Fix::of(received_ms, header).filter(|_| is_atom) else { return true };
        let uid = header.uid().to_cow();
        if uid.len() > MAX_TEXT_BYTES {
            return true;
        }
        let is_new = !self.tracks.contains_key(&*uid);
        if self.fixes >= MAX_FIXES || (is_new && self.tracks.len() >= MAX_TRACKS) {
            return false;
        }
        let track = self.tracks.entry(uid.into_owned()).or_default();
        let callsign = header.contact().and_then(|contact| contact.callsign);
        keep(&mut track.callsign, &callsign.map(Text::to_cow).unwrap_or_default());
        keep(&mut track.kind, header.kind());
        track.fixes.push(fix);
        self.fixes += 1;
        true
    }

    /// The tracks with their uids, in the order of these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Track)> {
        self.tracks.iter().map(|(uid, track)| (uid.as_str(), track))
    }
}

impl Track {
    /// The places, cut where nothing came for longer than `split_ms` milliseconds, and at the 180th
    /// meridian. No segment is empty.
    pub(super) fn segments(&self, split_ms: i64) -> impl Iterator<Item = &[Fix]> {
        self.fixes.chunk_by(move |a, b| {
            b.at_ms.saturating_sub(a.at_ms) <= split_ms && (b.lon - a.lon).abs() <= 180.0
        })
    }
}

impl Fix {
    /// The place that an event names. None for 0/0 of unknown accuracy, which is what clients send
    /// that do not know where they are.
    pub(super) fn of(received_ms: i64, header: &Header<'_>) -> Option<Self> {
        let number = |text: Text<'_>| {
            text.to_cow().trim().parse::<f64>().ok().filter(|number| number.is_finite())
        };
        let known = |text: Option<Text<'_>>| number(text?).filter(|n| n.abs() < UNKNOWN_FROM);
        let (lat, lon) = (number(header.lat())?, number(header.lon())?);
        if lat == 0.0 && lon == 0.0 && known(header.ce()).is_none() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a centimetre of a height is enough")]
        let hae = known(header.hae()).map(|hae| hae as f32);
        Some(Self { at_ms: received_ms, lat, lon, hae })
    }
}

fn keep(slot: &mut String, text: &str) {
    if !text.is_empty() && text.len() <= MAX_TEXT_BYTES && slot != text {
        text.clone_into(slot);
    }
}
