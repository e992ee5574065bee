//! Events that were received within a time, as far as somebody may see them: from what is recorded,
//! or from the current picture where nothing is.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use cot_core::{Dest, Header, Limits, Scanner, Text};
use relay::server::Relay;
use relay::{ExportCursor, TeamPolicy, Viewer};
use store::packages::PackageStore;
use tracing::warn;

use crate::ask::Ask;
use crate::error::ApiError;
use crate::query::Query;
use crate::service::Inner;
use crate::sight::Sight;
use crate::{History, Role, time};

/// A day. Milliseconds.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Largest event that is recorded. Bytes.
const MAX_EVENT: usize = 16 << 20;

/// How far clocks of two threads may be apart, one of which was made to wait in between: what was
/// received just now may bear a later time than that of a request. Milliseconds.
const SLACK_MS: i64 = 60 * 1000;

/// Uids of the picture that are looked at in one turn.
pub(crate) const PAGE: usize = 64;

/// The room of everybody.
const ALL_CHAT_ROOMS: &str = "All Chat Rooms";

/// A time, both ends included. Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

impl Span {
    /// The time that a request names: the last `secago` seconds, or from one parameter to another.
    /// Without an end it holds all that was received until now; without a begin it is a day, or `max_ms` if that is less.
    ///
    /// # Errors
    ///
    /// It cannot be read, is longer than `max_ms`, or ends before it begins.
    pub(crate) fn of(
        query: &Query,
        [start, end]: [&str; 2],
        now_ms: i64,
        max_ms: i64,
    ) -> Result<Self, ApiError> {
        let bad = |what: &str| ApiError::BadRequest(format!("`{what}` cannot be read"));
        let ago: Option<u32> = query.read("secago").map_err(|_| bad("secago"))?;
        let at = |name: &str| match query.get(name) {
            Some(text) => time::read(text).map(Some).ok_or_else(|| bad(name)),
            None => Ok(None),
        };
        let (start_ms, end_ms) = (at(start)?, at(end)?);
        let end_ms = end_ms.filter(|_| ago.is_none());
        let to_ms = end_ms.unwrap_or(now_ms);
        let from_ms = match ago {
            Some(seconds) => now_ms - i64::from(seconds) * 1000,
            None => start_ms.unwrap_or_else(|| to_ms.saturating_sub(DAY_MS.min(max_ms))),
        };
        let span = Self { from_ms, to_ms };
        if span.from_ms > span.to_ms {
            return Err(ApiError::BadRequest(format!("`{end}` is before `{start}`")));
        }
        if span.to_ms.saturating_sub(span.from_ms) > max_ms {
            let hours = max_ms / 3_600_000;
            return Err(ApiError::BadRequest(format!("no more than {hours} hours at a time")));
        }
        let slack_ms = if end_ms.is_none() { SLACK_MS } else { 0 };
        Ok(Self { to_ms: to_ms.saturating_add(slack_ms), ..span })
    }

    fn holds(self, at_ms: i64) -> bool {
        (self.from_ms..=self.to_ms).contains(&at_ms)
    }
}

/// What somebody may see of the events of a time.
pub(crate) struct Recall {
    relay: Relay,
    history: Option<Arc<dyn History>>,
    policy: TeamPolicy,
    viewer: Viewer,
    sees_all: bool,
    is_operator: bool,
    span: Span,
}

impl Recall {
    pub(crate) fn new<P: PackageStore>(marti: &Inner<P>, ask: &Ask, span: Span) -> Self {
        let policy = marti.relay.policy();
        let sight = Sight::of(ask, &marti.relay);
        let sees_all = match &sight {
            Sight::Everything => true,
            Sight::Teams(teams) => teams.iter().any(|team| policy.sources(team).is_none()),
        };
        Self {
            relay: marti.relay.clone(),
            history: marti.history.clone(),
            policy,
            viewer: sight.relay_viewer(),
            sees_all,
            is_operator: ask.caller.role == Role::Operator,
            span,
        }
    }

    /// Gives the events with the times of their receipt, until `each` has had enough: what is
    /// recorded oldest first, and the picture in no order. May take long.
    ///
    /// # Errors
    ///
    /// What is recorded cannot be read.
    pub(crate) fn read(
        &self,
        each: &mut dyn FnMut(i64, &Header<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut limits = Limits::default();
        limits.event = MAX_EVENT;
        let mut scanner = Scanner::new(limits);
        let Some(history) = &self.history else {
            self.read_picture(&mut scanner, each);
            return Ok(());
        };
        let Span { from_ms, to_ms } = self.span;
        let read = history.read(from_ms, to_ms, &mut |past| {
            if !past.team.map_or(self.sees_all, |team| self.viewer.sees(&self.policy, team)) {
                return ControlFlow::Continue(());
            }
            match scanner.scan(past.event.as_bytes()) {
                Ok(header) if self.is_operator || is_for_all(&header) => {
                    each(past.received_ms, &header)
                }
                _ => ControlFlow::Continue(()),
            }
        });
        read.map_err(|error| {
            warn!(error = &*error as &dyn std::error::Error, "recorded events cannot be read");
            io::Error::other(error)
        })
    }

    fn read_picture(
        &self,
        scanner: &mut Scanner,
        each: &mut dyn FnMut(i64, &Header<'_>) -> ControlFlow<()>,
    ) {
        let mut cursor = ExportCursor::default();
        while let Some(items) = self.relay.picture(&mut cursor, PAGE, &self.viewer) {
            for item in items.iter().filter(|item| self.span.holds(item.received_ms)) {
                let Ok(header) = scanner.scan(&item.event) else { continue };
                if each(item.received_ms, &header).is_break() {
                    return;
                }
            }
        }
    }
}

/// Whether an event was for everybody whom its sender reaches. What was for some of them, or for
/// the server, is not told to others afterwards. Whom a chat without destinations was for depended
/// on who was there, so only that of the room of everybody counts.
fn is_for_all(header: &Header<'_>) -> bool {
    let is_public = |dest| matches!(dest, Dest::Callsign(name) if name.eq_str("All Streaming"));
    let mut dests = header.dests().peekable();
    if dests.peek().is_some() {
        return dests.any(is_public);
    }
    let kind = header.kind();
    if kind.starts_with("b-t-f") {
        return kind == "b-t-f"
            && header.chat().is_some_and(|chat| {
                let is_room =
                    |text: Option<Text<'_>>| text.is_some_and(|text| text.eq_str(ALL_CHAT_ROOMS));
                is_room(chat.id) || (chat.id.is_none() && is_room(chat.chatroom))
            });
    }
    !kind.starts_with("t-x-") || kind == "t-x-d-d"
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn span(query: &str, max_ms: i64) -> Option<(i64, i64)> {
        let query = Query::parse(query.as_bytes());
        let span = Span::of(&query, ["start", "end"], NOW, max_ms).ok()?;
        Some((NOW - span.from_ms, NOW - span.to_ms))
    }

    #[test]
    fn a_time_is_named_in_two_ways() {
        assert_eq!(span("secago=60", DAY_MS), Some((60_000, -SLACK_MS)));
        assert_eq!(span("SecAgo=0", DAY_MS), Some((0, -SLACK_MS)));
        assert_eq!(span("", DAY_MS), Some((DAY_MS, -SLACK_MS)));
        assert_eq!(span("", 1000), Some((1000, -SLACK_MS)));
        let (start, end) = (time::text(NOW - 5000), time::text(NOW - 2000));
        assert_eq!(span(&format!("start={start}&end={end}"), DAY_MS), Some((5000, 2000)));
        assert_eq!(span(&format!("start={start}"), DAY_MS), Some((5000, -SLACK_MS)));
    }

    #[test]
    fn a_time_that_makes_no_sense_is_refused() {
        for query in [
            "secago=1000000",
            "secago=-1",
            "secago=99999999999999999999",
            "secago=x",
            "start=yesterday",
            "end=1",
            "start=2030-01-01T00:00:00Z",
            "start=0001-01-01T00:00:00Z&end=9999-01-01T00:00:00Z",
            "end=0000-01-01T00:00:00Z&start=9999-12-31T23:59:59Z",
        ] {
            assert_eq!(span(query, DAY_MS), None, "{query}");
        }
    }

    #[test]
    fn what_was_for_some_is_not_for_all() {
        let is_public = |kind: &str, detail: &str| {
            let event = format!(
                r#"<event version="2.0" uid="A" type="{kind}" time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:06:15Z" how="m-g"><point lat="1" lon="2" hae="0" ce="9" le="9"/><detail>{detail}</detail></event>"#
            );
            let mut scanner = Scanner::new(Limits::default());
            is_for_all(&scanner.scan(event.as_bytes()).unwrap())
        };
        let to = |name: &str| format!(r#"<marti><dest callsign="{name}"/></marti>"#);
        let chat = |id: &str| format!(r#"<__chat id="{id}" chatroom="{id}"><chatgrp/></__chat>"#);
        assert!(is_public("a-f-G-U-C", ""));
        assert!(is_public("a-f-G-U-C", &to("All Streaming")));
        assert!(!is_public("a-f-G-U-C", &to("BRAVO")));
        assert!(!is_public("b-f-t-r", &to("BRAVO")));
        assert!(is_public("b-t-f", &chat("All Chat Rooms")));
        assert!(!is_public("b-t-f", &chat("ANDROID-1")));
        assert!(!is_public("b-t-f", ""));
        assert!(!is_public("b-t-f-d", &chat("All Chat Rooms")));
        assert!(is_public("t-x-d-d", ""));
        assert!(!is_public("t-x-c-t", ""));
    }
}
