//! Who sees what.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Whom an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Audience {
    /// All who may use the server.
    Everyone,
    /// The members of any of these groups or teams.
    Groups(BTreeSet<String>),
}

impl Audience {
    /// The members of any of these groups.
    pub fn groups<S: Into<String>>(groups: impl IntoIterator<Item = S>) -> Self {
        Self::Groups(groups.into_iter().map(Into::into).collect())
    }

    /// Nobody but who sees everything.
    pub fn nobody() -> Self {
        Self::Groups(BTreeSet::new())
    }

    /// Whether this viewer belongs to it.
    pub fn includes(&self, viewer: &Viewer) -> bool {
        match (self, viewer) {
            (Self::Everyone, _) | (_, Viewer::Everything) => true,
            (Self::Groups(entry), Viewer::Groups(own)) => !entry.is_disjoint(own),
        }
    }
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Viewer {
    /// An operator, who sees everything.
    Everything,
    /// Somebody who sees what is for everyone or for one of these groups.
    Groups(BTreeSet<String>),
}

impl Viewer {
    /// Somebody who sees what is for everyone or for one of these groups.
    pub fn groups<S: Into<String>>(groups: impl IntoIterator<Item = S>) -> Self {
        Self::Groups(groups.into_iter().map(Into::into).collect())
    }
}

/// Whose entries are meant.
///
/// An entry belongs to the user who uploaded it; where no user was known, to the device that was
/// named as its creator, and to who is at the address that this device uploaded it from last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// Anybody's.
    Anyone,
    /// Those that no known user uploaded, and whose owner did from this address.
    Address(IpAddr),
    /// Those that no known user uploaded and that name this device. A device may claim any UID:
    /// good between people who trust each other.
    Device(String),
    /// The one of this number ([`DataPackage::key`](super::DataPackage::key)), whoever owns it.
    Entry(i64),
    /// Those that neither a known user uploaded nor a device is named for.
    Nobody,
    /// Those of a user.
    User(String),
}
