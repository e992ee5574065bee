//! The extensible part of an event.
//!
//! [`Detail`] is a list of elements in document order. What TAK clients agree on can be read and
//! written through typed views: [`Contact`], [`Group`], [`Takv`] and so on. A view covers the
//! attributes it knows; others, and elements without a view, stay as they are.
//!
//! ```
//! use cot_core::detail::{Contact, Detail, Group, Link};
//! use cot_core::xml::Element;
//!
//! let mut detail = Detail::new();
//! detail.set(&Contact { callsign: Some("HOPE"), ..Contact::default() });
//! detail.set(&Group { team: Some("Cyan"), role: Some("Medic"), ..Group::default() });
//! detail.push(&Link { uid: Some("A-1"), relation: Some("p-p"), ..Link::default() });
//! detail.element_mut().push(Element::new("__my_plugin").with("level", "3"));
//!
//! assert_eq!(detail.contact().and_then(|contact| contact.callsign), Some("HOPE"));
//! assert_eq!(detail.element().to_string(), concat!(
//!     r#"<detail><contact callsign="HOPE"/><__group name="Cyan" role="Medic"/>"#,
//!     r#"<link uid="A-1" relation="p-p"/><__my_plugin level="3"/></detail>"#,
//! ));
//! ```

mod chat;
mod dest;
mod value;
mod view;
mod views;

use std::borrow::Cow;

use crate::xml::Element;

pub use chat::Chat;
pub use dest::Dest;
pub use view::View;
pub use views::{
    AckRequest, AckResponse, Color, Contact, Emergency, FileShare, Group, Link, PrecisionLocation,
    Remarks, Status, Takv, Track, Uid, UserIcon,
};

/// `<detail>` with everything in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Detail(Element);

impl Detail {
    /// An empty detail.
    #[must_use]
    pub const fn new() -> Self {
        Self(Element::from_name(Cow::Borrowed("detail")))
    }

    /// Takes an element that is named `detail`.
    pub(crate) const fn from_element(element: Element) -> Self {
        Self(element)
    }

    /// The element itself, for what has no view.
    #[must_use]
    pub const fn element(&self) -> &Element {
        &self.0
    }

    /// The element itself, to change.
    pub const fn element_mut(&mut self) -> &mut Element {
        &mut self.0
    }

    /// Reads the first child of which `V` is the view.
    #[must_use]
    pub fn get<'a, V: View<'a>>(&'a self) -> Option<V> {
        self.all().next()
    }

    /// Reads every child of which `V` is the view, in document order.
    pub fn all<'a, V: View<'a>>(&'a self) -> impl Iterator<Item = V> {
        self.0.children(V::NAME).map(V::read)
    }

    /// Writes into the first child of which `V` is the view, or into a new one at the end.
    ///
    /// Attributes that the view does not know stay. Values that mean the same as before keep their
    /// text.
    pub fn set<'a, V: View<'a>>(&mut self, view: &V) {
        match self.0.child_mut(V::NAME) {
            Some(element) => view.write(element),
            None => self.push(view),
        }
    }

    /// Adds a child, even if there is one of that name: links and such.
    pub fn push<'a, V: View<'a>>(&mut self, view: &V) {
        let mut element = Element::new(V::NAME);
        view.write(&mut element);
        self.0.push(element);
    }

    /// Takes away every child of which `V` is the view and says how many there were.
    pub fn remove<'a, V: View<'a>>(&mut self) -> usize {
        self.0.remove_children(V::NAME)
    }

    /// [`Detail::push`], for chains.
    #[must_use]
    pub fn with<'a, V: View<'a>>(mut self, view: &V) -> Self {
        self.push(view);
        self
    }

    /// Adds any element at the end, for chains.
    #[must_use]
    pub fn with_element(mut self, element: Element) -> Self {
        self.0.push(element);
        self
    }
}

impl Default for Detail {
    fn default() -> Self {
        Self::new()
    }
}

/// Lists the shortcuts for views that are read often.
macro_rules! shortcuts {
    ($($(#[$doc:meta])* $name:ident: $view:ty;)*) => {
        impl Detail {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Option<$view> {
                self.get()
            })*
        }
    };
}

shortcuts! {
    /// Who this is: `<contact>`.
    contact: Contact<'_>;
    /// Team and role: `<__group>`.
    group: Group<'_>;
    /// Device and program: `<takv>`.
    takv: Takv<'_>;
    /// Battery: `<status>`.
    status: Status;
    /// Speed and course: `<track>`.
    track: Track;
    /// Where the position comes from: `<precisionlocation>`.
    precision_location: PrecisionLocation<'_>;
    /// Free text: `<remarks>`.
    remarks: Remarks<'_>;
    /// The first `<link>`; use [`Detail::links`] where there may be several.
    link: Link<'_>;
    /// An alert or its end: `<emergency>`.
    emergency: Emergency<'_>;
    /// An offer of a file: `<fileshare>`.
    file_share: FileShare<'_>;
}

impl Detail {
    /// Every `<link>`.
    pub fn links(&self) -> impl Iterator<Item = Link<'_>> {
        self.all()
    }

    /// Whether the user keeps the item: `<archive/>`.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.0.child("archive").is_some()
    }
}
