//! Counters of HTTP and of data packages.

use std::time::Duration;

use marti::MartiStats;
use serde::{Deserialize, Serialize};
use store::packages::{PackageStats, PackageStore, PackageUsage};
use tokio::time::timeout;

use super::Counts;
use crate::http::Packages;

/// Time in which a disk that works says how much there is.
const COUNTED_WITHIN: Duration = Duration::from_secs(1);

/// What was asked over HTTP, and what became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HttpTable {
    pub(crate) connections_open: u64,
    pub(crate) connections_accepted: u64,
    /// Because there were too many.
    pub(crate) connections_refused: u64,
    /// By outcome: each request that could be read has one.
    pub(crate) answers: Counts,
    /// Requests and connections that were broken off, by why.
    pub(crate) refused: Counts,
    /// Requests that failed by a fault of this program.
    pub(crate) panics: u64,
    /// Streams of events open now.
    pub(crate) streams_open: u64,
    /// Events taken from requests.
    pub(crate) events: u64,
}

/// The data packages there are, and what was done with them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackagesTable {
    /// Contents, entries of them for different audiences, and the bytes of the contents; null when
    /// the disk does not say.
    pub(crate) packages: Option<u64>,
    pub(crate) entries: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// Contents that are damaged now.
    pub(crate) damaged: u64,
    pub(crate) uploads_open: u64,
    pub(crate) uploads_completed: u64,
    /// Uploads of which nothing was kept, by why.
    pub(crate) uploads_failed: Counts,
    /// Bytes of uploads, whatever became of them.
    pub(crate) received_bytes: u64,
    /// Contents opened to be sent.
    pub(crate) downloads: u64,
    /// Bytes of contents that were sent; of a download that was cut, those before that.
    pub(crate) sent_bytes: u64,
    /// Entries removed, by why.
    pub(crate) removed: Counts,
    /// Contents that were not as uploaded and were set aside.
    pub(crate) quarantined: u64,
}

/// Both of what there is now; nothing before the store is open, or when packages are off.
pub(crate) async fn tables(packages: &Packages) -> Option<(HttpTable, PackagesTable)> {
    let (marti, store) = packages.marti().zip(packages.store())?;
    let usage = timeout(COUNTED_WITHIN, store.usage()).await.ok().and_then(Result::ok);
    let http = marti.stats();
    let packages = PackagesTable::new(&store.stats(), &http, usage);
    Some((HttpTable::from(&http), packages))
}

impl From<&MartiStats> for HttpTable {
    fn from(stats: &MartiStats) -> Self {
        Self {
            connections_open: stats.connections_open,
            connections_accepted: stats.connections_accepted,
            connections_refused: stats.connections_refused,
            answers: occurred([
                ("success", stats.answers_success),
                ("client_error", stats.answers_client_error),
                ("server_error", stats.answers_server_error),
            ]),
            refused: occurred([
                ("head", stats.heads_refused),
                ("body", stats.bodies_refused),
                ("slow_reader", stats.readers_refused),
                ("streams_full", stats.streams_refused),
            ]),
            panics: stats.panics,
            streams_open: stats.streams_open,
            events: stats.events_in,
        }
    }
}

impl PackagesTable {
    fn new(stats: &PackageStats, http: &MartiStats, usage: Option<PackageUsage>) -> Self {
        Self {
            packages: usage.map(|usage| usage.contents),
            entries: usage.map(|usage| usage.packages),
            bytes: usage.map(|usage| usage.bytes),
            damaged: usage.map_or(stats.contents_damaged, |usage| usage.damaged),
            uploads_open: stats.uploads_open,
            uploads_completed: stats.uploads_completed,
            uploads_failed: occurred(stats.uploads_failed.by_reason()),
            received_bytes: stats.bytes_received,
            downloads: stats.downloads_opened,
            sent_bytes: http.content_bytes_out,
            removed: occurred([
                ("asked", stats.entries_removed),
                ("expired", stats.entries_expired),
            ]),
            quarantined: stats.contents_quarantined,
        }
    }
}

fn occurred(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Counts {
    let occurred = counts.into_iter().filter(|&(_, count)| count > 0);
    occurred.map(|(reason, count)| (reason.to_owned(), count)).collect()
}
