//! To whom an event is addressed.

use super::Detail;
use crate::xml::Element;

/// One `<dest>` of `<marti>`.
///
/// ```text
/// <marti><dest callsign="BRAVO"/><dest uid="ANDROID-2"/><dest mission="Search"/></marti>
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Dest<'a> {
    /// The client with this callsign.
    Callsign(&'a str),
    /// The clients of a server group.
    Group(&'a str),
    /// The subscribers of a mission, by name.
    Mission(&'a str),
    /// The subscribers of a mission, by guid.
    MissionGuid(&'a str),
    /// An old form that servers ignore.
    Publish(&'a str),
    /// The client with this uid.
    Uid(&'a str),
    /// Nothing that is known: addressed, but to nobody that can be found.
    Unknown,
}

impl<'a> Dest<'a> {
    /// Of several attributes the first counts, in the order that servers agree on.
    fn read(element: &'a Element) -> Self {
        let value = |name| element.attribute(name);
        let named = value("callsign").map(Dest::Callsign);
        named
            .or_else(|| value("publish").map(Dest::Publish))
            .or_else(|| value("uid").map(Dest::Uid))
            .or_else(|| value("mission").map(Dest::Mission))
            .or_else(|| value("mission-guid").map(Dest::MissionGuid))
            .or_else(|| value("group").map(Dest::Group))
            .unwrap_or(Self::Unknown)
    }

    fn to_element(self) -> Element {
        let element = Element::new("dest");
        match self {
            Self::Callsign(value) => element.with("callsign", value),
            Self::Group(value) => element.with("group", value),
            Self::Mission(value) => element.with("mission", value),
            Self::MissionGuid(value) => element.with("mission-guid", value),
            Self::Publish(value) => element.with("publish", value),
            Self::Uid(value) => element.with("uid", value),
            Self::Unknown => element,
        }
    }
}

impl Detail {
    /// Every `<dest>` of every `<marti>`. None means that the event is for all.
    pub fn dests(&self) -> impl Iterator<Item = Dest<'_>> {
        self.element().children("marti").flat_map(|marti| marti.children("dest")).map(Dest::read)
    }

    /// Addresses the event to `dests` alone; to all when there are none.
    pub fn set_dests(&mut self, dests: &[Dest<'_>]) {
        self.element_mut().remove_children("marti");
        if !dests.is_empty() {
            let marti = Element::new("marti");
            let marti = dests.iter().fold(marti, |marti, dest| marti.with_child(dest.to_element()));
            self.element_mut().push(marti);
        }
    }
}
