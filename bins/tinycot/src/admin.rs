//! The admin listener, for health checks, metrics and the operator's tables.
//!
//! | path | answer |
//! | --- | --- |
//! | `/live` | 200 while the relay's thread turns, 503 when it does not within a second |
//! | `/ready` | 200 while clients are served, with what is wrong with the storage, if anything; 503 once the server is stopping |
//! | `/metrics` | counters for Prometheus; no callsigns, no uids, no addresses |
//! | `/api/clients` | connections, a list of [`ClientRow`](api::ClientRow) |
//! | `/api/contacts` | who said who they are, a list of [`ContactRow`](api::ContactRow) |
//! | `/api/teams` | teams, a list of [`TeamRow`](api::TeamRow) |
//! | `/api/stats` | counters, one [`StatsTable`](api::StatsTable) |
//!
//! | `/Marti/...`, `/files/...` | data packages and the rest of the Marti API, as the operator |
//!
//! The Marti API is for requests that bear the [`Token`], which no web page and no other user of the
//! machine knows. The rest is `GET` and `HEAD` only, and nothing can be changed through it; there is
//! no authentication for it, hence the loopback default, and the check of `Host`: a web page that
//! points a name of its own at this address (DNS rebinding) is refused.

pub(crate) mod api;
mod metrics;
mod process;
mod respond;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use keeper::Monitor;
use prometheus_client::registry::Registry;
use relay::server::Relay;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

pub(crate) use self::token::Token;

use crate::app::Probe;
use crate::http::Packages;

/// Connections at one time, fewer than the files that are kept for the server itself. Further ones
/// wait in the kernel.
const MAX_CONNECTIONS: usize = 44;

/// Bytes of one request's head.
const MAX_HEAD: usize = 16 << 10;

/// Header lines of one request.
const MAX_HEADERS: usize = 64;

/// Time to send a request's head, also the longest that an idle connection stays.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest life of a connection, against readers that never finish.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause after a failed accept, which is mostly a lack of files that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Admin {
    relay: Relay,
    monitor: Monitor,
    packages: Packages,
    token: Token,
    metrics: Registry,
    probe: mpsc::Sender<Probe>,
    stopped: watch::Receiver<bool>,
}

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) relay: Relay,
    pub(crate) monitor: Monitor,
    pub(crate) packages: Packages,
    pub(crate) token: Token,
    pub(crate) probe: mpsc::Sender<Probe>,
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) started: Instant,
}

impl Admin {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { relay, monitor, packages, token, probe, stopped, started } = parts;
        let metrics = metrics::registry(relay.clone(), monitor.clone(), packages.clone(), started);
        Self { relay, monitor, packages, token, metrics, probe, stopped }
    }
}

/// Answers requests for as long as the process lives, also while the server stops.
pub(crate) async fn serve(listener: TcpListener, admin: Admin) {
    let admin = Arc::new(admin);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    // The semaphore is never closed, so that there is always a next permit.
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                debug!(%error, "admin connection not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admin = admin.clone();
        let service = service_fn(move |request| {
            let admin = admin.clone();
            async move { Ok::<_, std::convert::Infallible>(admin.answer(request).await) }
        });
        let conn = http.serve_connection(TokioIo::new(socket), service);
        tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(CONNECTION_TIMEOUT, conn).await {
                debug!(%error, "admin connection failed");
            }
            drop(permit);
        });
    }
}
