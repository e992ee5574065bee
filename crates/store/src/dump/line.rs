//! Lines to events and gaps.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::encode::sum_text;
use super::time;

/// One line of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpLine {
    /// An event.
    Event {
        /// When it was received: milliseconds since 1970-01-01 UTC.
        received_ms: i64,
        /// Uid of the client that sent it; empty when unknown.
        sender: String,
        /// Team of the sender; empty when unknown.
        team: String,
        /// The event's XML, as received.
        event: String,
    },
    /// Events that were not recorded before this line.
    Gap {
        /// When recording went on: milliseconds since 1970-01-01 UTC.
        at_ms: i64,
        /// How many events are missing.
        events: u64,
        /// Why.
        why: String,
    },
}

/// Begins the checksum at the end of a line, which is this, eight digits, and `"}`.
const SUM: &[u8] = b",\"sum\":\"";
const SUM_BYTES: usize = SUM.len() + 8 + 2;

/// Whether a line's checksum is right; `None` when it has none.
pub(super) fn check(line: &[u8]) -> Option<bool> {
    let (summed, end) = line.split_at_checked(line.len().checked_sub(SUM_BYTES)?)?;
    let sum = end.strip_prefix(SUM)?;
    let expected = sum_text(crc32fast::hash(summed));
    Some(sum.strip_prefix(&expected).is_some_and(|end| end == b"\"}"))
}

/// The members of a line. Others are refused: a flipped bit in the name `sum` must not make a line
/// one without a checksum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    t: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    team: String,
    event: Option<String>,
    gap: Option<u64>,
    #[serde(default)]
    why: String,
    #[serde(rename = "sum")]
    _sum: Option<IgnoredAny>,
}

/// Reads a line, without its line feed, whose checksum was looked at. The error says what is wrong.
pub(super) fn decode(line: &[u8]) -> Result<DumpLine, String> {
    let members: Members = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let at_ms =
        time::parse(&members.t).ok_or_else(|| format!("`{}` is not a valid time", members.t))?;
    match (members.event, members.gap) {
        (Some(event), None) => Ok(DumpLine::Event {
            received_ms: at_ms,
            sender: members.uid,
            team: members.team,
            event,
        }),
        (None, Some(events)) => Ok(DumpLine::Gap { at_ms, events, why: members.why }),
        _ => Err("neither an event nor a gap".to_owned()),
    }
}
