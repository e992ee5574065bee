//! Counters.

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
    /// Streams of events open now.
    pub streams_open: u64,
    /// Events taken from requests.
    pub events_in: u64,
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
    pub(crate) streams_open: AtomicU64,
    pub(crate) events_in: AtomicU64,
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

    pub(crate) fn read(&self) -> MartiStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MartiStats {
            connections_accepted: get(&self.connections_accepted),
            connections_refused: get(&self.connections_refused),
            connections_open: get(&self.connections_open),
            answers_success: get(&self.answers_success),
            answers_client_error: get(&self.answers_client_error),
            answers_server_error: get(&self.answers_server_error),
            streams_open: get(&self.streams_open),
            events_in: get(&self.events_in),
        }
    }
}

/// One more in a gauge, for as long as it lives.
pub(crate) struct Gauged<'a>(&'a AtomicU64);

impl<'a> Gauged<'a> {
    pub(crate) fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Gauged<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
