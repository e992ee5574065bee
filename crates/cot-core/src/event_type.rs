//! What an event is about: its `type`.

mod functions;
mod names;

use std::fmt;

/// The `type` of an event: atoms joined by hyphens, from the general to the special.
///
/// `a-f-G-U-C` reads: atom, friendly, ground, unit, combat. Upper case comes from MIL-STD-2525, lower
/// case from CoT; case matters.
///
/// ```
/// use cot_core::{Affiliation, Dimension, EventType};
///
/// let kind = EventType::new("a-h-G-E-V-A-T");
/// assert_eq!(kind.affiliation(), Some(Affiliation::Hostile));
/// assert_eq!(kind.dimension(), Some(Dimension::Ground));
/// assert_eq!(kind.function(), Some("tank"));
/// assert_eq!(kind.describe(), "hostile ground tank");
/// assert!(kind.is_within("a-h-G"));
/// assert_eq!(EventType::new("b-t-f").describe(), "GeoChat message");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventType<'a>(&'a str);

/// The side that a thing is on, as the observer sees it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Affiliation {
    /// `a`: not confirmed.
    AssumedFriend,
    /// `k`: a friend who plays a hostile in an exercise.
    Faker,
    /// `f`.
    Friend,
    /// `h`.
    Hostile,
    /// `j`: a friend who plays a suspect in an exercise.
    Joker,
    /// `n`.
    Neutral,
    /// `o`: none of the others.
    Other,
    /// `p`: not yet decided.
    Pending,
    /// `s`.
    Suspect,
    /// `u`.
    Unknown,
}

/// Where a thing moves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Dimension {
    /// `A`.
    Air,
    /// `G`.
    Ground,
    /// `X`: none of the others.
    Other,
    /// `P`.
    Space,
    /// `F`: special operations forces.
    SpecialOperations,
    /// `U`: under water.
    Subsurface,
    /// `S`: on water.
    Surface,
}

impl<'a> EventType<'a> {
    /// Any text may stand in `type`; what is not known has no readable name.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The parts between hyphens. A note behind a semicolon is not one of them.
    pub fn atoms(self) -> impl Iterator<Item = &'a str> {
        self.code().split('-')
    }

    /// Whether this is `general` or one of its special cases: `a-f-G-U-C` is within `a-f`.
    #[must_use]
    pub fn is_within(self, general: &str) -> bool {
        let rest = self.code().strip_prefix(general);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// Whether this is a thing in the world, `a-`, rather than a message or a drawing.
    #[must_use]
    pub fn is_atom(self) -> bool {
        self.is_within("a")
    }

    /// Whether this is a ping: `t-x-c-t`.
    #[must_use]
    pub fn is_ping(self) -> bool {
        self.code() == "t-x-c-t"
    }

    /// Whether this is a pong: `t-x-c-t-r`.
    #[must_use]
    pub fn is_pong(self) -> bool {
        self.code() == "t-x-c-t-r"
    }

    /// Whether this says that an item is gone: `t-x-d-d`.
    #[must_use]
    pub fn is_delete(self) -> bool {
        self.code() == "t-x-d-d"
    }

    /// The side, for things in the world. An upper-case letter, which some tools write, counts too.
    #[must_use]
    pub fn affiliation(self) -> Option<Affiliation> {
        if !self.is_atom() {
            return None;
        }
        match self.atoms().nth(1)? {
            "a" | "A" => Some(Affiliation::AssumedFriend),
            "f" | "F" => Some(Affiliation::Friend),
            "h" | "H" => Some(Affiliation::Hostile),
            "j" | "J" => Some(Affiliation::Joker),
            "k" | "K" => Some(Affiliation::Faker),
            "n" | "N" => Some(Affiliation::Neutral),
            "o" | "O" => Some(Affiliation::Other),
            "p" | "P" => Some(Affiliation::Pending),
            "s" | "S" => Some(Affiliation::Suspect),
            "u" | "U" => Some(Affiliation::Unknown),
            _ => None,
        }
    }

    /// Where the thing moves, for things in the world.
    #[must_use]
    pub fn dimension(self) -> Option<Dimension> {
        if !self.is_atom() {
            return None;
        }
        match self.atoms().nth(2)? {
            "A" => Some(Dimension::Air),
            "F" => Some(Dimension::SpecialOperations),
            "G" => Some(Dimension::Ground),
            "P" => Some(Dimension::Space),
            "S" => Some(Dimension::Surface),
            "U" => Some(Dimension::Subsurface),
            "X" => Some(Dimension::Other),
            _ => None,
        }
    }

    /// What the thing does, in words: the most special case that has a name.
    #[must_use]
    pub fn function(self) -> Option<&'static str> {
        let dimension = self.dimension().filter(|_| self.affiliation().is_some())?;
        // `a-?-?` is five bytes: the dimension and the affiliation are one letter each.
        functions::find(dimension, self.code().get(5..)?.strip_prefix('-')?)
    }

    /// The type in words, for logs and tools; the text itself when it has no name.
    ///
    /// ```
    /// use cot_core::EventType;
    ///
    /// for (text, words) in [
    ///     ("a-n-A-C-F", "neutral air civil fixed wing aircraft"),
    ///     ("a-u-G", "unknown ground"),
    ///     ("b-m-p-s-m", "spot marker"),
    ///     ("t-x-d-d", "delete notice"),
    ///     ("b-x-private", "b-x-private"),
    /// ] {
    ///     assert_eq!(EventType::new(text).describe(), words);
    /// }
    /// ```
    #[must_use]
    pub fn describe(self) -> String {
        let (Some(affiliation), Some(dimension)) = (self.affiliation(), self.dimension()) else {
            return self.other_name().unwrap_or(self.0).to_owned();
        };
        let mut words = format!("{affiliation} {dimension}");
        if let Some(function) = self.function() {
            words.push(' ');
            words.push_str(function);
        }
        words
    }

    /// The words for a message, a drawing or a task.
    fn other_name(self) -> Option<&'static str> {
        match (self.is_atom(), self.affiliation()) {
            (true, Some(affiliation)) => Some(affiliation.as_str()),
            _ => names::find(self.code()),
        }
    }

    fn code(self) -> &'a str {
        self.0.split_once(';').map_or(self.0, |(code, _)| code)
    }
}

impl fmt::Display for EventType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Affiliation {
    /// One or two lower-case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssumedFriend => "assumed friendly",
            Self::Faker => "faker",
            Self::Friend => "friendly",
            Self::Hostile => "hostile",
            Self::Joker => "joker",
            Self::Neutral => "neutral",
            Self::Other => "other",
            Self::Pending => "pending",
            Self::Suspect => "suspect",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Affiliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Dimension {
    /// One or two lower-case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Air => "air",
            Self::Ground => "ground",
            Self::Other => "other",
            Self::Space => "space",
            Self::SpecialOperations => "special operations",
            Self::Subsurface => "subsurface",
            Self::Surface => "surface",
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
