//! The server: hyper over HTTP/1.1, with bounds on what a peer may hold.

mod chunks;
mod guard;
mod head;
mod sent;
mod unpanicked;
mod unstalled;
mod yielding;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};
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

use self::guard::Guard;
use self::head::{MAX_LINES, Refusal};
use self::sent::Sent;
use self::unpanicked::Unpanicked;
use self::unstalled::Unstalled;
use self::yielding::Yielding;
use crate::crowd::Crowd;
use crate::error::ApiError;
use crate::stats::{Counters, Gauged};
use crate::{Body, Caller, Marti};

/// Bytes that are read and written at a time. A head is smaller: the guard sees to that.
const MAX_BUF: usize = 64 << 10;

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
        .max_buf_size(MAX_BUF)
        .max_headers(MAX_LINES);
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
        let Some(place) = crowd.enter(Some(addr.ip())) else {
            marti.counters().connections_refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        marti.counters().connections_accepted.fetch_add(1, Ordering::Relaxed);
        // Small answers are not to wait for each other.
        let _ = socket.set_nodelay(true);
        let counters = marti.shared_counters();
        let socket = Yielding::new(socket, config.precedence.clone());
        let socket = Unstalled::new(socket, config.reader_patience, counters.clone());
        // What outlives HTTP, a WebSocket, is still one of the crowd.
        let held =
            (place, stopped.clone(), Gauged::new(counters.clone(), |all| &all.connections_open));
        let socket = Guard::new(socket, counters, held);
        let service = Connection {
            marti: marti.clone(),
            caller: Caller::plain(addr.ip()),
            stopping: Stopping(stopped.clone()),
        };
        let service = service_fn(move |request| {
            let answer = service.clone().answer(request);
            async move { answer.await.map(|answer| answer.map(Sent::new)) }
        });
        let conn = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
        let mut stopped = stopped.clone();
        connections.spawn(async move {
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
        });
    }
    drop(listener);
    stop.send_replace(());
    while connections.join_next().await.is_some() {}
    // Those that speak another protocol now.
    drop(stopped);
    stop.closed().await;
    Ok(())
}

/// Says when the server stops: an extension of requests.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<()>);

impl Stopping {
    /// Completes when the server stops; never where that is not known.
    pub(crate) async fn of(known: Option<Self>) {
        match known {
            Some(Self(mut stopped)) => {
                let _ = stopped.changed().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Answers the requests of one connection.
struct Connection<P> {
    marti: Marti<P>,
    caller: Caller,
    stopping: Stopping,
}

impl<P: PackageStore> Connection<P> {
    async fn answer(
        mut self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let counters = self.marti.shared_counters();
        if let Some(refusal) = Refusal::of(request.method(), request.uri().path()) {
            counters.heads_refused.fetch_add(1, Ordering::Relaxed);
            return Ok(refused(refusal, &counters));
        }
        let is_web_socket = head::is_web_socket(request.headers());
        request.extensions_mut().insert(self.caller);
        request.extensions_mut().insert(self.stopping);
        let mut answer = match Unpanicked::new(self.marti.call(request)).await {
            Some(Ok(answer)) => answer,
            None => {
                counters.panics.fetch_add(1, Ordering::Relaxed);
                let error = ApiError::Internal("the request failed; the server goes on".to_owned());
                let mut answer = error.into_answer();
                counters.answered(answer.status());
                close(&mut answer);
                answer
            }
        };
        // From such a request on the guard looks at nothing more.
        if is_web_socket && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            close(&mut answer);
        }
        Ok(answer)
    }
}

impl<P> Clone for Connection<P> {
    fn clone(&self) -> Self {
        Self {
            marti: self.marti.clone(),
            caller: self.caller.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

/// The answer to a head that the guard has refused.
fn refused(refusal: Refusal, counters: &Counters) -> Response<Body> {
    let mut answer = ApiError::BadRequest(refusal.text().to_owned()).into_answer();
    *answer.status_mut() = refusal.status();
    counters.answered(answer.status());
    close(&mut answer);
    answer
}

fn close(answer: &mut Response<Body>) {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
