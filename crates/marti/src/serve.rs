//! The server: hyper over HTTP/1.1, with bounds on what a peer may hold.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use store::packages::PackageStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service;
use tracing::debug;

use crate::stats::Gauged;
use crate::{Caller, Marti};

/// Bytes of a request's head (robustness 1.2).
const MAX_HEAD: usize = 16 << 10;

/// Header lines of a request.
const MAX_HEADERS: usize = 64;

/// Pause after a failed accept, which is mostly a lack of files that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves plain HTTP until `shutdown`, and then until the requests that have begun are answered.
///
/// Everyone is who they say they are, so this is for networks whose users trust each other.
///
/// # Errors
///
/// None at present: a listener that fails for a while is tried again.
///
/// # Cancel safety
///
/// Dropping the future breaks all connections off.
pub async fn serve<P: PackageStore>(
    listener: TcpListener,
    marti: Marti<P>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = marti.config();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let crowd = Crowd::new(config.max_connections, config.max_connections_per_addr);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
        };
        let (socket, addr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let caller = Caller::plain(addr.ip());
        let Some(place) = crowd.enter(addr.ip().to_canonical()) else {
            marti.counters().connections_refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        marti.counters().connections_accepted.fetch_add(1, Ordering::Relaxed);
        // Small answers are not to wait for each other.
        let _ = socket.set_nodelay(true);
        let marti = marti.clone();
        let service_of = marti.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller.clone());
            service_of.clone().call(request)
        });
        let conn = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
        let mut stopped = stopped.clone();
        connections.spawn(async move {
            let _open = Gauged::new(&marti.counters().connections_open);
            let mut conn = pin!(conn);
            let ended = tokio::select! {
                ended = conn.as_mut() => ended,
                _ = stopped.changed() => {
                    conn.as_mut().graceful_shutdown();
                    conn.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, %addr, "connection failed");
            }
            drop(place);
        });
    }
    drop(listener);
    stop.send_replace(());
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// How many connections there are, in all and by address.
#[derive(Clone, Debug)]
struct Crowd {
    inner: Arc<Mutex<Inside>>,
    max: usize,
    max_per_addr: usize,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_addr: HashMap<IpAddr, usize>,
}

impl Crowd {
    fn new(max: usize, max_per_addr: usize) -> Self {
        Self { inner: Arc::default(), max, max_per_addr }
    }

    /// A place for a connection, if there is one.
    fn enter(&self, addr: IpAddr) -> Option<Place> {
        let mut inside = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.by_addr.get(&addr).copied().unwrap_or_default();
        if inside.all >= self.max || own >= self.max_per_addr {
            return None;
        }
        inside.all += 1;
        inside.by_addr.insert(addr, own + 1);
        Some(Place { crowd: self.clone(), addr })
    }
}

/// A connection's place, left when it is dropped.
#[derive(Debug)]
struct Place {
    crowd: Crowd,
    addr: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all -= 1;
        if let Some(own) = inside.by_addr.get_mut(&self.addr) {
            *own -= 1;
            if *own == 0 {
                inside.by_addr.remove(&self.addr);
            }
        }
    }
}
