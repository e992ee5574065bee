//! Metrics of data packages and of HTTP.

use std::fmt::Error;

use prometheus_client::registry::Unit;

use super::Writer;
use crate::http::Packages;

/// Nothing before the store is open, or when packages are off.
pub(super) fn encode(out: &mut Writer<'_>, packages: &Packages) -> Result<(), Error> {
    let Some((marti, store)) = packages.marti().zip(packages.store()) else { return Ok(()) };
    let http = marti.stats();
    let accepted = http.connections_accepted;
    out.counter("http_connections_accepted", "HTTP connections accepted", None, accepted)?;
    let refused = "HTTP connections refused because there were too many";
    out.counter("http_connections_refused", refused, None, http.connections_refused)?;
    out.gauge("http_connections_open", "HTTP connections open now", None, http.connections_open)?;
    let answers = [
        ("success", http.answers_success),
        ("client_error", http.answers_client_error),
        ("server_error", http.answers_server_error),
    ];
    out.labelled("http_answers", "HTTP answers by outcome", "outcome", answers.into_iter())?;
    let refused = [
        ("head", http.heads_refused),
        ("body", http.bodies_refused),
        ("slow_reader", http.readers_refused),
        ("streams_full", http.streams_refused),
    ];
    out.labelled("http_refused", "Requests refused, by why", "reason", refused.into_iter())?;
    let panics = "Requests whose handling failed by a fault of this program";
    out.counter("http_panics", panics, None, http.panics)?;
    out.gauge("http_streams_open", "Streams of events open now", None, http.streams_open)?;

    let stats = store.stats();
    out.gauge("package_uploads_open", "Uploads that go on now", None, stats.uploads_open)?;
    let completed = stats.uploads_completed;
    out.counter("package_uploads_completed", "Uploads acknowledged", None, completed)?;
    let failed = stats.uploads_failed.by_reason().into_iter();
    out.labelled("package_uploads_failed", "Uploads that were not kept", "reason", failed)?;
    let bytes = Some(&Unit::Bytes);
    out.counter("package_received", "Content read from uploads", bytes, stats.bytes_received)?;
    let opened = stats.downloads_opened;
    out.counter("package_downloads_opened", "Contents opened to be read", None, opened)?;
    let sent = "Content sent to who downloads it";
    out.counter("package_sent", sent, bytes, http.content_bytes_out)?;
    let removed = [("asked", stats.entries_removed), ("expired", stats.entries_expired)];
    out.labelled("package_entries_removed", "Entries removed", "why", removed.into_iter())?;
    out.counter("package_scrubbed", "Content re-read", bytes, stats.bytes_scrubbed)?;
    let damaged = stats.contents_damaged;
    out.gauge("package_contents_damaged", "Contents that are damaged now", None, damaged)?;
    let quarantined = "Contents that were not as uploaded, and were set aside";
    out.counter("package_quarantined", quarantined, None, stats.contents_quarantined)
}
