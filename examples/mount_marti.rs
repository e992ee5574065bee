//! A server of your own with the HTTP API of TAK clients in it: `/hello` is yours, the rest is
//! Marti's, on one listener.
//!
//! ```text
//! cargo run -p examples --example mount_marti -- my-packages 127.0.0.1:8080 127.0.0.1:8087
//! curl http://127.0.0.1:8080/hello
//! curl http://127.0.0.1:8080/Marti/api/contacts/all
//! curl --data-binary @notes.zip 'http://127.0.0.1:8080/Marti/sync/upload?name=notes.zip'
//! ```
//!
//! Point ATAK at the last address, with plain TCP: it asks for packages on port 8080 of the same
//! host.
#![expect(clippy::print_stdout, reason = "saying what it does is what the program is for")]

use std::env;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use marti::{Caller, Marti, MartiConfig};
use relay::HubConfig;
use relay::server::{self, Relay};
use store::packages::{PackagesConfig, SqlitePackages};
use tokio::net::TcpListener;
use tower_service::Service;

/// Time to send the head of a request: what your server bounds is yours to choose.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "my-packages".to_owned());
    let web = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let cot = args.next().unwrap_or_else(|| "127.0.0.1:8087".to_owned());

    let (relay, driver) = Relay::new(HubConfig::default());
    tokio::spawn(driver.run());
    let listener = TcpListener::bind(&cot).await?;
    println!("CoT on {}", listener.local_addr()?);
    tokio::spawn(server::serve(listener, relay.clone(), std::future::pending()));

    let packages = SqlitePackages::open(&dir, PackagesConfig::default()).await?;
    let marti = Marti::new(MartiConfig::default(), relay, Arc::new(packages));
    let listener = TcpListener::bind(&web).await?;
    println!("HTTP on {}", listener.local_addr()?);
    loop {
        let (socket, addr) = listener.accept().await?;
        let marti = marti.clone();
        let service = service_fn(move |request| answer(marti.clone(), addr.ip(), request));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        // Web tools get events over a WebSocket, which is an upgrade.
        let conn = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = conn.await {
                println!("{addr}: {error}");
            }
        });
    }
}

/// Answers what is this program's own, and gives the rest to Marti.
async fn answer(
    mut marti: Marti<SqlitePackages>,
    addr: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, marti::Body>>, std::convert::Infallible> {
    if request.uri().path() == "/hello" {
        return Ok(Response::new(Either::Left(Full::from("hello\n"))));
    }
    // Without a caller Marti answers only what is public. A server that knows its users says
    // `Caller::user(name, groups)` here.
    request.extensions_mut().insert(Caller::plain(addr));
    let answer = marti.call(request).await?;
    Ok(answer.map(Either::Right))
}
