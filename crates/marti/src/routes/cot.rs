//! Events by uid and by time (marti-api B.6).

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use cot_core::Header;
use relay::ExportCursor;
use store::packages::PackageStore;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::pipe::Pipe;
use crate::query::Query;
use crate::recall::{DAY_MS, PAGE, Recall, Span};
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

/// Longest time that the history of a uid is read for at once.
const MAX_HISTORY_MS: i64 = 31 * DAY_MS;

/// Longest time that everybody's events are read for at once.
const MAX_BETWEEN_MS: i64 = DAY_MS;

/// Most uids in one question.
const MAX_UIDS: usize = 1000;

/// Bytes of a list of uids.
const MAX_UIDS_BYTES: usize = 256 << 10;

/// Most uids that match.
const MAX_MATCHES: usize = 1000;

/// Type of a list of events.
const XML: &str = "application/xml";

const HEAD: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?><events>"#;
const TAIL: &[u8] = b"</events>";

/// Says behind the end of a document that it has not all there is.
pub(super) const CUT: &[u8] = b"<!-- there is more: ask for less at a time -->";

/// The newest event of a uid, as it was relayed.
pub(crate) async fn newest<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let viewer = Sight::of(&ask, &marti.relay).relay_viewer();
    match marti.relay.newest(ask.param("uid"), &viewer) {
        Some(event) => Ok(answer::xml(event)),
        None => Err(ApiError::NotFound("there is no event of this uid".to_owned())),
    }
}

/// What a uid was in the course of time.
pub(crate) async fn history<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let span = Span::of(&ask.query, ["start", "end"], time::now_ms(), MAX_HISTORY_MS)?;
    let recall = Recall::new(&marti, &ask, span);
    let uid = ask.param("uid").to_owned();
    let write = move |pipe: &mut Pipe| {
        write_events(pipe, &recall, |header: &Header<'_>| header.uid().eq_str(&uid))
    };
    marti.shared.pipes.answer(ask.caller.addr, XML, write).await
}

/// The newest events of several uids: a JSON list of them in the body, or parameters `uid`.
pub(crate) async fn several<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let body = ask.bytes(MAX_UIDS_BYTES).await?;
    let uids: Vec<String> = if body.is_empty() {
        ask.query.list("uid").map(str::to_owned).collect()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::BadRequest(format!("a JSON list of uids: {error}")))?
    };
    if uids.len() > MAX_UIDS {
        return Err(ApiError::BadRequest(format!("no more than {MAX_UIDS} uids at a time")));
    }
    let viewer = Sight::of(&ask, &marti.relay).relay_viewer();
    let relay = marti.relay.clone();
    let write = move |pipe: &mut Pipe| {
        pipe.write_all(HEAD)?;
        let mut is_whole = true;
        for event in uids.iter().filter_map(|uid| relay.newest(uid, &viewer)) {
            is_whole = pipe.has_room(event.len());
            if !is_whole {
                break;
            }
            pipe.write_all(&event)?;
        }
        finish(pipe, is_whole)
    };
    marti.shared.pipes.answer(ask.caller.addr, XML, write).await
}

/// Everybody's events of a time, in the whole world or in a part of it.
pub(crate) async fn between<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let span = Span::of(&ask.query, ["start", "end"], time::now_ms(), MAX_BETWEEN_MS)?;
    let area = Area::of(&ask.query)?;
    let recall = Recall::new(&marti, &ask, span);
    let write = move |pipe: &mut Pipe| {
        write_events(pipe, &recall, |header: &Header<'_>| {
            area.as_ref().is_none_or(|area| area.holds(header))
        })
    };
    marti.shared.pipes.answer(ask.caller.addr, XML, write).await
}

/// The uids of the picture that have this text in them, in whatever case.
pub(crate) async fn match_uid<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let Some(text) = ask.query.get("search").map(str::to_lowercase) else {
        return Err(ApiError::BadRequest("`search` is missing".to_owned()));
    };
    let viewer = Sight::of(&ask, &marti.relay).relay_viewer();
    let relay = marti.relay.clone();
    let search = move || {
        let mut uids = std::collections::BTreeSet::new();
        let mut cursor = ExportCursor::default();
        while uids.len() < MAX_MATCHES
            && let Some(items) = relay.picture(&mut cursor, PAGE, &viewer)
        {
            let found = items.into_iter().map(|item| item.uid);
            uids.extend(found.filter(|uid| uid.to_lowercase().contains(&text)));
        }
        Ok(answer::ok(&uids.iter().take(MAX_MATCHES).map(|uid| &**uid).collect::<Vec<_>>()))
    };
    marti.shared.pipes.run(ask.caller.addr, search).await
}

/// Writes those events that are wanted as a list.
fn write_events(
    pipe: &mut Pipe,
    recall: &Recall,
    is_wanted: impl Fn(&Header<'_>) -> bool,
) -> io::Result<()> {
    pipe.write_all(HEAD)?;
    let mut is_whole = true;
    let mut written = Ok(());
    recall.read(&mut |_, header| {
        let event = header.bytes();
        let is_wanted = is_wanted(header);
        is_whole = pipe.has_room(if is_wanted { event.len() } else { 0 });
        if is_whole && is_wanted {
            written = pipe.write_all(event);
        }
        if is_whole && written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    finish(pipe, is_whole)
}

fn finish(pipe: &mut Pipe, is_whole: bool) -> io::Result<()> {
    pipe.write_all(TAIL)?;
    if is_whole { Ok(()) } else { pipe.write_all(CUT) }
}

/// A part of the world, in degrees. Where its left side is east of its right one, it crosses the
/// 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    left: f64,
    bottom: f64,
    right: f64,
    top: f64,
}

impl Area {
    /// The part that a request names, if it does.
    fn of(query: &Query) -> Result<Option<Self>, ApiError> {
        let mut sides = [0.0; 4];
        let mut named = 0;
        for (side, name) in sides.iter_mut().zip(["left", "bottom", "right", "top"]) {
            let bad = |_| ApiError::BadRequest(format!("`{name}` is no number of degrees"));
            if let Some(degrees) = query.read::<f64>(name).map_err(bad)? {
                if !degrees.is_finite() || degrees.abs() > 360.0 {
                    return Err(bad(String::new()));
                }
                *side = degrees;
                named += 1;
            }
        }
        let [left, bottom, right, top] = sides;
        match named {
            0 => Ok(None),
            4 if bottom <= top => Ok(Some(Self { left, bottom, right, top })),
            _ => Err(ApiError::BadRequest(
                "`left`, `bottom`, `right` and `top` belong together".to_owned(),
            )),
        }
    }

    fn holds(&self, header: &Header<'_>) -> bool {
        let number = |text: cot_core::Text<'_>| text.to_cow().trim().parse::<f64>().ok();
        let (Some(lat), Some(lon)) = (number(header.lat()), number(header.lon())) else {
            return false;
        };
        let is_across = if self.left <= self.right {
            (self.left..=self.right).contains(&lon)
        } else {
            lon >= self.left || lon <= self.right
        };
        is_across && (self.bottom..=self.top).contains(&lat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(query: &str) -> Result<Option<Area>, ApiError> {
        Area::of(&Query::parse(query.as_bytes()))
    }

    #[test]
    fn an_area_has_four_sides_or_none() {
        assert_eq!(area("").unwrap(), None);
        let some = Area { left: 5.0, bottom: -1.0, right: 6.5, top: 1.0 };
        assert_eq!(area("left=5&bottom=-1&right=6.5&top=1").unwrap(), Some(some));
        for query in [
            "left=5",
            "left=5&bottom=2&right=6&top=1",
            "left=NaN&bottom=0&right=1&top=1",
            "left=inf&bottom=0&right=1&top=1",
            "left=x&bottom=0&right=1&top=1",
            "left=1e300&bottom=0&right=1&top=1",
        ] {
            assert!(area(query).is_err(), "{query}");
        }
    }

    #[test]
    fn an_area_may_cross_the_180th_meridian() {
        let holds = |area: Area, lat: f64, lon: f64| {
            let event = format!(
                r#"<event version="2.0" uid="A" type="a-f-G" time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:06:15Z" how="m-g"><point lat="{lat}" lon="{lon}" hae="0" ce="9" le="9"/><detail/></event>"#
            );
            area.holds(&cot_core::Scanner::new(Default::default()).scan(event.as_bytes()).unwrap())
        };
        let fiji = Area { left: 177.0, bottom: -20.0, right: -178.0, top: -15.0 };
        assert!(holds(fiji, -17.0, 178.0) && holds(fiji, -17.0, -179.0));
        assert!(!holds(fiji, -17.0, 0.0) && !holds(fiji, 17.0, 178.0));
        let alps = Area { left: 5.0, bottom: 44.0, right: 16.0, top: 48.0 };
        assert!(holds(alps, 46.0, 8.0) && !holds(alps, 46.0, 4.0) && !holds(alps, 50.0, 8.0));
    }
}
