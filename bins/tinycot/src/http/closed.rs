//! What HTTP clients are told while the store of packages cannot be opened.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 16;

/// Time of a connection, and the pause after a failed accept.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// The answer, in the form of the API's errors.
const BODY: &str = r#"{"status":"SERVICE_UNAVAILABLE","message":"the store of data packages cannot be opened; the log says why"}"#;

/// Answers 503 to everything, until it is dropped; who was accepted is answered all the same.
pub(super) async fn refuse(listener: &TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
        let conn = http.serve_connection(TokioIo::new(socket), service_fn(answer));
        // However it ends, nobody else is concerned.
        tokio::spawn(async move {
            drop(timeout(PATIENCE, conn).await);
            drop(place);
        });
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(answer)
}
