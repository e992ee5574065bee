//! A crowd whose members report where they are.

use super::chat::{self, Room};
use super::person::Person;
use super::position;

/// People with moving positions, for load tests: every method appends to a buffer that the caller
/// reuses and allocates nothing else.
///
/// One seed gives one crowd. Members do not disturb each other: what a member sends depends only on
/// the seed, the member's number and the calls made for that member.
///
/// ```
/// use cot_core::generate::Fleet;
///
/// let mut fleet = Fleet::new(7, 100);
/// let mut buf = Vec::with_capacity(1024);
/// for second in 0..3 {
///     buf.clear();
///     fleet.next_position(41, 1_700_000_000_000 + second * 1000, &mut buf);
///     assert!(buf.ends_with(b"</detail></event>"));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Fleet {
    people: Vec<Person>,
}

impl Fleet {
    /// Makes `size` people, at least one.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        Self { people: (0..size.max(1)).map(|index| Person::new(seed, index)).collect() }
    }

    /// The people, each at the number by which the other methods know them.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The people, to give them other callsigns, teams or roles.
    pub fn people_mut(&mut self) -> &mut [Person] {
        &mut self.people
    }

    /// Moves person `index` (modulo the size) on to `now_ms` and appends the position report.
    ///
    /// Always ends in `</detail></event>`, so a tool may put an element of its own before that.
    pub fn next_position(&mut self, index: usize, now_ms: i64, out: &mut Vec<u8>) {
        if let Some(person) = self.person_mut(index) {
            person.walk(now_ms);
            position::write_position(person, now_ms, out);
        }
    }

    /// Appends a ping of person `index`.
    pub fn ping(&self, index: usize, now_ms: i64, out: &mut Vec<u8>) {
        if let Some(person) = self.person(index) {
            position::write_ping(person, now_ms, out);
        }
    }

    /// Appends a GeoChat message of person `index` to All Chat Rooms.
    pub fn chat_to_all(&mut self, index: usize, text: &str, now_ms: i64, out: &mut Vec<u8>) {
        if let Some(from) = self.person_mut(index) {
            let message = from.rng.uuid();
            chat::write_chat(from, &Room::All, message, text, now_ms, out);
        }
    }

    /// Appends a GeoChat message of person `index` to person `to`, addressed by callsign.
    pub fn chat_to(&mut self, index: usize, to: usize, text: &str, now_ms: i64, out: &mut Vec<u8>) {
        let message = match self.person_mut(index) {
            Some(from) => from.rng.uuid(),
            None => return,
        };
        if let (Some(from), Some(to)) = (self.person(index), self.person(to)) {
            chat::write_chat(from, &Room::Person(to), message, text, now_ms, out);
        }
    }

    pub(super) fn person(&self, index: usize) -> Option<&Person> {
        self.people.get(index % self.people.len().max(1))
    }

    fn person_mut(&mut self, index: usize) -> Option<&mut Person> {
        let size = self.people.len().max(1);
        self.people.get_mut(index % size)
    }
}
