//! The picture and tracks for globes and maps (marti-api B.9): KML, or KMZ, which is KML in a zip.

mod document;
mod tracks;

use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use cot_core::{EventType, Limits, Scanner};
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use relay::{ExportCursor, Viewer};
use store::packages::PackageStore;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use self::document::Document;
use self::tracks::Tracks;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::pipe::Pipe;
use crate::query::Query;
use crate::recall::{DAY_MS, PAGE, Recall, Span};
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

/// Longest time that tracks are drawn of.
const MAX_TRACKS_MS: i64 = 31 * DAY_MS;

/// Most uids that tracks are asked of by name.
const MAX_UIDS: usize = 1000;

/// Bytes of a form.
const MAX_FORM: usize = 256 << 10;

/// Most things in a picture.
const MAX_PLACEMARKS: usize = 50_000;

/// Pause that cuts a track, unless the request says another, and the longest it may say. Minutes.
const DEFAULT_SPLIT_MINUTES: f64 = 10.0;
const MAX_SPLIT_MINUTES: f64 = 31.0 * 24.0 * 60.0;

const KML: &str = "application/vnd.google-earth.kml+xml";
const KMZ: &str = "application/vnd.google-earth.kmz";

/// The current picture.
pub(crate) async fn latest<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let ago: Option<u32> = ask
        .query
        .read("secago")
        .map_err(|_| ApiError::BadRequest("`secago` is no number of seconds".to_owned()))?;
    let since_ms = ago.map_or(i64::MIN, |ago| time::now_ms() - i64::from(ago) * 1000);
    let kinds: Vec<_> = ask.query.list("cotType").map(str::to_owned).collect();
    let viewer = Sight::of(&ask, &marti.relay).relay_viewer();
    let is_zip = is_zip(&ask.query, false)?;
    let relay = marti.relay.clone();
    let name = marti.config.server_name.clone();
    let draw = move |pipe: &mut Pipe| {
        let parts = picture(&relay, &viewer, since_ms);
        write(pipe, is_zip, |out| {
            let mut document = Document::new(out, &name)?;
            let mut scanner = Scanner::new(Limits::default());
            let mut room = MAX_PLACEMARKS;
            for (received_ms, event) in parts {
                let Ok(header) = scanner.scan(&event) else { continue };
                let kind = EventType::new(header.kind());
                if !kinds.is_empty() && !kinds.iter().any(|wanted| kind.is_within(wanted)) {
                    continue;
                }
                if room == 0 {
                    return document.finish(false);
                }
                room -= usize::from(document.placemark(received_ms, &header)?);
            }
            document.finish(true)
        })
    };
    answer(&marti, ask.caller.addr, is_zip, "picture", draw).await
}

/// Where things were in the course of time.
pub(crate) async fn tracks<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let form = ask.bytes(MAX_FORM).await?;
    let form = (!form.is_empty()).then(|| Query::parse(&form));
    let query = form.as_ref().unwrap_or(&ask.query);
    let span = Span::of(query, ["startTime", "endTime"], time::now_ms(), MAX_TRACKS_MS)?;
    let uids: Vec<_> = query.all("uid").filter(|uid| !uid.is_empty()).map(str::to_owned).collect();
    if uids.len() > MAX_UIDS {
        return Err(ApiError::BadRequest(format!("no more than {MAX_UIDS} uids at a time")));
    }
    let split_ms = split_ms(query)?;
    let is_zip = is_zip(query, true)?;
    let recall = Recall::new(&marti, &ask, span);
    let name = marti.config.server_name.clone();
    let draw = move |pipe: &mut Pipe| {
        let mut tracks = Tracks::default();
        let mut is_whole = true;
        recall.read(&mut |received_ms, header| {
            is_whole = pipe.has_room(0);
            if !is_whole {
                return ControlFlow::Break(());
            }
            if uids.is_empty() || uids.iter().any(|uid| header.uid().eq_str(uid)) {
                is_whole = tracks.add(received_ms, header);
            }
            if is_whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        write(pipe, is_zip, |out| {
            let mut document = Document::new(out, &name)?;
            for track in tracks.iter() {
                document.track(track, split_ms)?;
            }
            document.finish(is_whole)
        })
    };
    answer(&marti, ask.caller.addr, is_zip, "tracks", draw).await
}

/// Whether a request wants KMZ.
fn is_zip(query: &Query, default: bool) -> Result<bool, ApiError> {
    match query.get("format").map(str::to_ascii_lowercase).as_deref() {
        None => Ok(default),
        Some("kmz") => Ok(true),
        Some("kml") => Ok(false),
        Some(_) => Err(ApiError::BadRequest("`format` is `kml` or `kmz`".to_owned())),
    }
}

/// After which pause a track is cut. Milliseconds.
fn split_ms(query: &Query) -> Result<i64, ApiError> {
    let name = "multiTrackThreshold";
    let bad = |_| ApiError::BadRequest(format!("`{name}` is no number of minutes"));
    let minutes: f64 = query.read(name).map_err(bad)?.unwrap_or(DEFAULT_SPLIT_MINUTES);
    if !(0.0..=MAX_SPLIT_MINUTES).contains(&minutes) {
        return Err(bad(String::new()));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a month of milliseconds at most")]
    Ok((minutes * 60_000.0) as i64)
}

/// An answer that is drawn while it is sent.
async fn answer<P: PackageStore>(
    marti: &Inner<P>,
    addr: Option<IpAddr>,
    is_zip: bool,
    name: &str,
    draw: impl FnOnce(&mut Pipe) -> io::Result<()> + Send + 'static,
) -> Result<Answer, ApiError> {
    let (content_type, extension) = if is_zip { (KMZ, "kmz") } else { (KML, "kml") };
    let mut answer = marti.shared.pipes.answer(addr, content_type, draw).await?;
    let file = format!("attachment; filename=\"{name}.{extension}\"");
    if let Ok(file) = HeaderValue::from_str(&file) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, file);
    }
    Ok(answer)
}

/// Has a document written, in a zip or as it is.
fn write(
    pipe: &mut Pipe,
    is_zip: bool,
    document: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if !is_zip {
        return document(pipe);
    }
    let mut zip = ZipWriter::new_stream(pipe);
    zip.start_file("doc.kml", SimpleFileOptions::default())?;
    document(&mut zip)?;
    zip.finish()?;
    Ok(())
}

/// The events of the picture, page by page, that were received since a time.
fn picture(
    relay: &relay::server::Relay,
    viewer: &Viewer,
    since_ms: i64,
) -> impl Iterator<Item = (i64, Bytes)> {
    let mut cursor = ExportCursor::default();
    let pages = std::iter::from_fn(move || relay.picture(&mut cursor, PAGE, viewer));
    let recent = pages.flatten().filter(move |item| item.received_ms >= since_ms);
    recent.map(|item| (item.received_ms, item.event))
}
