//! Counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// What the API has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MartiStats {
    /// Connections that [`serve`](crate::serve) has accepted.
    pub connections_accepted: u64,
    /// Connections refused because there were too many, in all or from one address.
    pub connections_refused: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Answers of success: status 2xx, and 1xx for changes of protocol.
    pub answers_success: u64,
    /// Answers that say what is wrong with the request: status 4xx.
    pub answers_client_error: u64,
    /// Answers that say what is wrong with the server: status 5xx.
    pub answers_server_error: u64,
    /// Requests refused for their head alone: what is no unambiguous HTTP, or too large.
    pub heads_refused: u64,
    /// Bodies that could not be read on because their chunks were none.
    pub bodies_refused: u64,
    /// Connections broken off because the peer took nothing of what it asked for.
    pub readers_refused: u64,
    /// Requests whose handling panicked. Each is a fault of the server.
    pub panics: u64,
    /// Streams of events open now.
    pub streams_open: u64,
    /// Streams of events refused because there were too many, in all or from one address.
    pub streams_refused: u64,
    /// Events taken from requests.
    pub events_in: u64,
    /// Bytes of the contents of packages that went to who downloads them. Under
    /// [`serve`](crate::serve), those that the system took for the connection, so that a download
    /// that is cut counts as far as it came; elsewhere, those that the [`Body`](crate::Body) gave.
    pub content_bytes_out: u64,
}

/// The counters that grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections_accepted: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    answers_success: AtomicU64,
    answers_client_error: AtomicU64,
    answers_server_error: AtomicU64,
    pub(crate) heads_refused: AtomicU64,
    pub(crate) bodies_refused: AtomicU64,
    pub(crate) readers_refused: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) streams_open: AtomicU64,
    streams_refused: AtomicU64,
    events_in: AtomicU64,
    content_bytes_out: AtomicU64,
}

impl Counters {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let counter = match status.as_u16() {
            400..500 => &self.answers_client_error,
            500.. => &self.answers_server_error,
            _ => &self.answers_success,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts events that were taken.
    pub(crate) fn took(&self, events: u64) {
        self.events_in.fetch_add(events, Ordering::Relaxed);
    }

    /// Counts bytes of a content that went out.
    pub(crate) fn gave(&self, bytes: usize) {
        self.content_bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a stream that there was no room for.
    pub(crate) fn refused_stream(&self) {
        self.streams_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> MartiStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MartiStats {
            connections_accepted: get(&self.connections_accepted),
            connections_refused: get(&self.connections_refused),
            connections_open: get(&self.connections_open),
            answers_success: get(&self.answers_success),
            answers_client_error: get(&self.answers_client_error),
            answers_server_error: get(&self.answers_server_error),
            heads_refused: get(&self.heads_refused),
            bodies_refused: get(&self.bodies_refused),
            readers_refused: get(&self.readers_refused),
            panics: get(&self.panics),
            streams_open: get(&self.streams_open),
            streams_refused: get(&self.streams_refused),
            events_in: get(&self.events_in),
            content_bytes_out: get(&self.content_bytes_out),
        }
    }
}

/// One more in a gauge, for as long as it lives.
pub(crate) struct Gauged {
    counters: Arc<Counters>,
    gauge: fn(&Counters) -> &AtomicU64,
}

impl Gauged {
    pub(crate) fn new(counters: Arc<Counters>, gauge: fn(&Counters) -> &AtomicU64) -> Self {
        gauge(&counters).fetch_add(1, Ordering::Relaxed);
        Self { counters, gauge }
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        (self.gauge)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}
