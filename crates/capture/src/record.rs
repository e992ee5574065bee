//! One captured event, and what a capture says it lost.

use cot_core::{Header, Limits, Reject, Scanner};

/// Longest event that is read from a capture, in bytes: 8 MiB, eight times what a server takes by
/// default.
pub const MAX_EVENT_BYTES: usize = 8 << 20;

/// A scanner for the events of captures: the default limits, with [`MAX_EVENT_BYTES`].
///
/// One per thread; it is passed to whatever reads an event's header.
#[must_use]
pub fn scanner() -> Scanner {
    Scanner::new(limits())
}

/// The limits on an event of a capture.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.event = MAX_EVENT_BYTES;
    limits
}

/// One event as it was received, when, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    received_ms: i64,
    sender: String,
    team: String,
    /// One valid event, from `<event` to `</event>`.
    event: String,
}

impl Record {
    /// Takes an event that `scanner` finds valid; a declaration, blanks and comments around it are
    /// cut off.
    ///
    /// `received_ms` is in milliseconds since 1970. `sender` is the uid of the client that sent the
    /// event and `team` that client's team; either may be empty, which means unknown.
    ///
    /// # Errors
    ///
    /// What is wrong with the event.
    pub fn new(
        received_ms: i64,
        sender: impl Into<String>,
        team: impl Into<String>,
        mut event: String,
        scanner: &mut Scanner,
    ) -> Result<Self, Reject> {
        let found = scanner.scan(event.as_bytes())?.as_str();
        if found.len() != event.len() {
            event = found.to_owned();
        }
        Ok(Self { received_ms, sender: sender.into(), team: team.into(), event })
    }

    /// Takes an event that was scanned already.
    pub(crate) fn scanned(
        received_ms: i64,
        sender: String,
        team: String,
        header: &Header<'_>,
    ) -> Self {
        Self { received_ms, sender, team, event: header.as_str().to_owned() }
    }

    /// When the event was received, in milliseconds since 1970.
    #[must_use]
    pub const fn received_ms(&self) -> i64 {
        self.received_ms
    }

    /// Uid of the client that sent the event; empty when unknown.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// Team of the client that sent the event; empty when unknown.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// The event as XML, as it was captured.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Reads the header of the event.
    ///
    /// # Errors
    ///
    /// Only when the limits of `scanner` are tighter than those the record was made with.
    pub fn header(&self, scanner: &mut Scanner) -> Result<Header<'_>, Reject> {
        scanner.scan(self.event.as_bytes())
    }

    pub(crate) fn set_received_ms(&mut self, received_ms: i64) {
        self.received_ms = received_ms;
    }
}

/// Events that a capture says it could not record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// When recording went on, in milliseconds since 1970; `None` when the capture does not say.
    pub until_ms: Option<i64>,
    /// How many events are missing.
    pub events: u64,
    /// Why, as the recorder said it.
    pub why: String,
}

/// One thing in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// An event.
    Event(Record),
    /// Events that are missing here.
    Gap(Gap),
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str =
        "<event uid='A' type='a-f-G' time='' stale=''><point lat='1' lon='2'/></event>";

    #[test]
    fn what_stands_around_an_event_is_cut_off() {
        let text = format!("<?xml version='1.0'?>\n{EVENT}\n");
        let record = Record::new(5, "S", "Cyan", text, &mut scanner()).expect("valid");
        assert_eq!(record.event(), EVENT);
        assert_eq!((record.received_ms(), record.sender(), record.team()), (5, "S", "Cyan"));
        assert_eq!(record.header(&mut scanner()).expect("scanned before").kind(), "a-f-G");
    }

    #[test]
    fn an_invalid_event_makes_no_record() {
        let broken = EVENT.replace("lat='1'", "lat='91'");
        assert!(Record::new(0, "", "", broken, &mut scanner()).is_err());
    }
}
