//! The destinations of a directed event.

use super::element::{Element, Siblings};
use crate::text::Text;

/// One `<dest>` of a `<marti>`.
///
/// Of several attributes only the first in this order counts: `callsign`, `publish`, `uid`,
/// `mission`, `mission-guid`, `group`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Dest<'a> {
    /// Clients with this callsign.
    Callsign(Text<'a>),
    /// Clients in this group of the server.
    Group(Text<'a>),
    /// Subscribers of the mission with this name.
    Mission(Text<'a>),
    /// Subscribers of the mission with this identity.
    MissionGuid(Text<'a>),
    /// An old form that servers ignore.
    Publish(Text<'a>),
    /// Clients that send under this uid.
    Uid(Text<'a>),
    /// A destination without an attribute known here; it must not become a broadcast.
    Unknown,
}

impl<'a> Dest<'a> {
    fn read(element: Element<'a>) -> Self {
        let mut best = (usize::MAX, Self::Unknown);
        for attribute in element.attributes() {
            let (rank, make): (_, fn(Text<'a>) -> Self) = match attribute.name {
                "callsign" => (0, Self::Callsign),
                "publish" => (1, Self::Publish),
                "uid" => (2, Self::Uid),
                "mission" => (3, Self::Mission),
                "mission-guid" => (4, Self::MissionGuid),
                "group" => (5, Self::Group),
                _ => continue,
            };
            if rank < best.0 {
                best = (rank, make(attribute.value()));
            }
        }
        best.1
    }
}

/// Every destination of an event, in order. Reads the event's bytes as it goes.
#[derive(Clone, Debug)]
pub struct Dests<'a> {
    /// The detail's children from the first `<marti>` on.
    martis: Option<Siblings<'a>>,
    dests: Option<Siblings<'a>>,
}

impl<'a> Dests<'a> {
    pub(crate) fn new(first_marti: Option<Element<'a>>) -> Self {
        Self { martis: first_marti.map(Element::with_siblings), dests: None }
    }
}

impl<'a> Iterator for Dests<'a> {
    type Item = Dest<'a>;

    fn next(&mut self) -> Option<Dest<'a>> {
        loop {
            if let Some(dest) = self.dests.as_mut().and_then(next_dest) {
                return Some(dest);
            }
            let marti = self.martis.as_mut()?.find(|element| element.name() == "marti")?;
            self.dests = Some(marti.children());
        }
    }
}

fn next_dest<'a>(children: &mut Siblings<'a>) -> Option<Dest<'a>> {
    children.find(|element| element.name() == "dest").map(Dest::read)
}
