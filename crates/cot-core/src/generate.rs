//! Realistic traffic from a seed, for tests, benches and load tests.
//!
//! The same seed gives the same bytes on every machine. Times are passed in. Callsigns, uids and
//! positions are made up.
//!
//! - [`Traffic`] yields single events in the proportions of a working server: 78 % position reports,
//!   7 % GeoChat, 5 % pings, 10 % everything else.
//! - [`Fleet`] is a crowd whose members move and report, for load tests that keep their own pace.

mod chat;
mod fleet;
mod items;
mod pen;
mod person;
mod position;
mod rng;

pub use fleet::Fleet;
pub use person::{Client, Person};

use chat::Room;
use rng::Rng;

/// People in the crowd that [`Traffic`] draws its senders from.
const CROWD: usize = 200;
/// 2026-01-01T00:00:00Z, where the clock of [`Traffic`] starts unless told otherwise.
const START_MS: i64 = 1_767_225_600_000;

/// An endless source of events, each a `Vec<u8>` that holds one complete event.
///
/// Position reports are about 630, 720 and 810 bytes long at the tenth, fiftieth and ninetieth
/// percentile. They come in the shapes of ATAK, iTAK, WinTAK and WebTAK: both
/// quote styles, with and without XML declaration, flow tags, escaped and non-ASCII callsigns.
///
/// ```
/// use cot_core::generate::Traffic;
///
/// let first: Vec<Vec<u8>> = Traffic::new(1).events().take(1000).collect();
/// let again: Vec<Vec<u8>> = Traffic::new(1).events().take(1000).collect();
/// assert_eq!(first, again);
/// ```
#[derive(Clone, Debug)]
pub struct Traffic {
    fleet: Fleet,
    rng: Rng,
    now_ms: i64,
}

impl Traffic {
    /// Starts at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { fleet: Fleet::new(seed, CROWD), rng: Rng::new(!seed), now_ms: START_MS }
    }

    /// Sets the clock: Unix milliseconds. Every event moves it on by 1 to 40 ms.
    #[must_use]
    pub const fn starting_at(mut self, now_ms: i64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// Yields mixed traffic without end.
    pub fn events(mut self) -> impl Iterator<Item = Vec<u8>> {
        std::iter::repeat_with(move || {
            let mut event = Vec::new();
            self.write_event(&mut event);
            event
        })
    }

    /// Gives the next `count` position reports.
    pub fn sa(&mut self, count: usize) -> Vec<Vec<u8>> {
        self.collect(count, Self::write_sa)
    }

    /// Gives the next `count` events of mixed traffic.
    pub fn mix(&mut self, count: usize) -> Vec<Vec<u8>> {
        self.collect(count, Self::write_event)
    }

    /// Appends one position report.
    pub fn write_sa(&mut self, out: &mut Vec<u8>) {
        let now_ms = self.tick();
        self.fleet.next_position(self.rng.below(CROWD), now_ms, out);
    }

    /// Appends one event of mixed traffic.
    pub fn write_event(&mut self, out: &mut Vec<u8>) {
        match self.rng.below(1000) {
            0..780 => self.write_sa(out),
            780..850 => self.write_chat(out),
            850..900 => {
                let now_ms = self.tick();
                self.fleet.ping(self.rng.below(CROWD), now_ms, out);
            }
            _ => self.write_other(out),
        }
    }

    fn collect(&mut self, count: usize, write: fn(&mut Self, &mut Vec<u8>)) -> Vec<Vec<u8>> {
        std::iter::repeat_with(|| {
            let mut event = Vec::new();
            write(self, &mut event);
            event
        })
        .take(count)
        .collect()
    }

    fn tick(&mut self) -> i64 {
        self.now_ms += 1 + i64::try_from(self.rng.below(40)).unwrap_or_default();
        self.now_ms
    }

    /// GeoChat: half to everyone, the rest to a person or a team.
    fn write_chat(&mut self, out: &mut Vec<u8>) {
        let now_ms = self.tick();
        let Self { fleet, rng, .. } = self;
        let people = fleet.people();
        let (from, to, third) = (rng.below(CROWD), rng.below(CROWD), rng.below(CROWD));
        let (Some(from), Some(to), Some(third)) =
            (people.get(from), people.get(to), people.get(third))
        else {
            return;
        };
        let members = [to, third];
        let room = match rng.below(100) {
            0..50 => Room::All,
            50..85 => Room::Person(to),
            _ => Room::Team(&from.team, &members),
        };
        chat::write_chat(from, &room, rng.uuid(), chat::remark(rng), now_ms, out);
    }

    /// Markers, drawings, receipts, alerts, files.
    fn write_other(&mut self, out: &mut Vec<u8>) {
        let now_ms = self.tick();
        let Self { fleet, rng, .. } = self;
        let people = fleet.people();
        let (from, to) = (people.get(rng.below(CROWD)), people.get(rng.below(CROWD)));
        let (Some(from), Some(to)) = (from, to) else { return };
        match rng.below(100) {
            0..40 => items::write_marker(from, rng, now_ms, out),
            40..60 => items::write_shape(from, rng, now_ms, out),
            60..70 => items::write_route(from, rng, now_ms, out),
            70..74 => items::write_telestration(from, rng, now_ms, out),
            74..90 => {
                let kind = rng.pick(&["b-t-f-d", "b-t-f-d", "b-t-f-r"]);
                chat::write_receipt(from, to, kind, rng.uuid(), now_ms, out);
            }
            90..93 => items::write_emergency(from, false, rng, now_ms, out),
            93..95 => items::write_emergency(from, true, rng, now_ms, out),
            _ => items::write_file_share(from, to, rng, now_ms, out),
        }
    }
}
