//! A whole server on local ports, and clients that say exactly what a test writes: raw HTTP and raw
//! CoT over sockets.
//!
//! ```text
//! let server = Server::open();
//! let answer = server.get("/Marti/api/version");
//! let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
//! ```
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "each test binary uses its own part, and a helper that fails has failed the test"
)]

pub mod cot;
pub mod http;

use std::future::{Future, pending};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use marti::{Marti, MartiConfig};
use relay::server::Relay;
use relay::{HubConfig, TeamPolicy};
use store::packages::{MemoryPackages, PackageStore, PackagesConfig, SqlitePackages};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};

use cot::Cot;
use http::{Answer, Http};

/// How long a test waits for something that must happen. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Name of the directory of a store on disk.
pub const STORE: &str = "packages";

/// What to start a [`Server`] with.
#[derive(Debug)]
pub struct Setup {
    /// Of the API.
    pub marti: MartiConfig,
    /// Of the relay.
    pub hub: HubConfig,
    /// Of the store.
    pub packages: PackagesConfig,
}

impl Setup {
    /// Everyone sees everyone; the relay sends nothing without a cause.
    pub fn open() -> Self {
        let mut hub = HubConfig::default();
        hub.heartbeat = Duration::ZERO;
        hub.replay_hold = Duration::from_millis(20);
        let mut packages = PackagesConfig::default();
        // A test must not depend on how full the disk is.
        packages.min_free_bytes = 1 << 20;
        packages.ballast_bytes = 0;
        Self { marti: MartiConfig::default(), hub, packages }
    }

    /// A team sees only itself.
    pub fn isolated() -> Self {
        let mut setup = Self::open();
        setup.hub.teams = TeamPolicy::isolated();
        setup
    }

    /// Starts it over packages in memory.
    pub fn in_memory(self) -> Server<MemoryPackages> {
        let Self { marti, hub, packages } = self;
        Server::start(marti, hub, None, async move || MemoryPackages::new(packages))
    }

    /// Starts it over these packages.
    pub fn over<P: PackageStore>(self, packages: P) -> Server<P> {
        let Self { marti, hub, .. } = self;
        Server::start(marti, hub, None, async move || packages)
    }

    /// Starts it over packages in a temporary directory.
    pub fn on_disk(self) -> Server<SqlitePackages> {
        self.on_disk_in(tempfile::tempdir().unwrap())
    }

    /// Starts it over the packages that a former server left.
    pub fn on_disk_in(self, dir: TempDir) -> Server<SqlitePackages> {
        let Self { marti, hub, packages } = self;
        let path = dir.path().join(STORE);
        Server::start(marti, hub, Some(dir), async move || {
            SqlitePackages::open(path, packages).await.unwrap()
        })
    }
}

/// The API over HTTP and the relay over CoT, each on a port of 127.0.0.1, in a runtime of their own:
/// the test itself is blocking code.
pub struct Server<P = MemoryPackages> {
    /// Where HTTP is.
    pub http: SocketAddr,
    /// Where CoT is.
    pub cot: SocketAddr,
    /// The API, for calls without a socket.
    pub marti: Marti<P>,
    /// The relay.
    pub relay: Relay,
    /// The packages.
    pub packages: Arc<P>,
    runtime: Runtime,
    dir: Option<TempDir>,
}

impl Server {
    /// Over packages in memory, and everyone sees everyone.
    pub fn open() -> Self {
        Setup::open().in_memory()
    }

    /// Over packages in memory, and a team sees only itself.
    pub fn isolated() -> Self {
        Setup::isolated().in_memory()
    }
}

impl Server<SqlitePackages> {
    /// Ends as a process does that is killed, and leaves its files.
    pub fn kill(self) -> TempDir {
        let Self { marti, relay, packages, runtime, dir, .. } = self;
        runtime.shutdown_timeout(PATIENCE);
        drop((marti, relay, packages));
        dir.unwrap()
    }
}

impl<P: PackageStore> Server<P> {
    fn start(
        config: MartiConfig,
        hub: HubConfig,
        dir: Option<TempDir>,
        packages: impl AsyncFnOnce() -> P,
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (relay, driver) = Relay::new(hub);
        runtime.spawn(driver.run());
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (cot_listener, http_listener) = (bind(), bind());
        let cot = cot_listener.local_addr().unwrap();
        let http = http_listener.local_addr().unwrap();
        runtime.spawn(relay::server::serve(cot_listener, relay.clone(), pending()));
        let packages = Arc::new(runtime.block_on(packages()));
        let marti = Marti::new(config, relay.clone(), Arc::clone(&packages));
        runtime.spawn(marti::serve(http_listener, marti.clone(), pending()));
        Self { http, cot, marti, relay, packages, runtime, dir }
    }

    /// Runs a future where the server runs.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A directory with nothing in it but that of the store on disk, [`STORE`].
    pub fn root(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// The files of the store on disk that are contents, finished or not.
    pub fn blobs(&self) -> Vec<PathBuf> {
        let store = self.root().join(STORE);
        [files_in(&store.join("blobs")), files_in(&store.join("tmp"))].concat()
    }

    /// A connection for HTTP.
    pub fn connect(&self) -> Http {
        Http::connect(self.http)
    }

    /// A connection for HTTP that comes from another address of this host. On Linux all of
    /// 127.0.0.0/8 are.
    pub fn connect_from(&self, ip: IpAddr) -> Http {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((ip, 0).into()).unwrap();
        let stream = self.run(socket.connect(self.http)).unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        Http::over(stream)
    }

    /// `GET`, on a connection of its own, as clients do.
    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", b"")
    }

    /// A request with a sized body, on a connection of its own. `headers` are whole lines, each with
    /// its line end.
    pub fn ask(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.send(&self.head(method, target, headers, Some(body.len())));
        connection.try_send(body);
        if method == "HEAD" { connection.answer_to_head() } else { connection.answer() }
    }

    /// The head of a request to this server, with a `Content-Length` where there is a body.
    pub fn head(&self, method: &str, target: &str, headers: &str, len: Option<usize>) -> Vec<u8> {
        let length = len.filter(|len| *len > 0 || method != "GET" && method != "HEAD");
        let length = length.map(|len| format!("Content-Length: {len}\r\n")).unwrap_or_default();
        let host = self.http;
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n").into_bytes()
    }

    /// A client of the relay, which knows it when this returns.
    pub fn cot(&self, uid: &str, callsign: &str, team: &str) -> Cot {
        let mut cot = Cot::connect(self.cot);
        cot.send(&cot::sa(uid, callsign, team));
        until("the relay knows the client", || {
            self.relay.clients().iter().any(|client| client.uid == uid)
        });
        cot
    }
}

/// All files in a directory and below it.
pub fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_in(&entry.path())),
            _ => files.push(entry.path()),
        }
    }
    files
}

/// Waits until something is so.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
