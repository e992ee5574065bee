//! A relay on a local port and raw clients: what tests over real sockets need.
#![allow(
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test binary uses its own part"
)]

pub mod text;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use memchr::memmem;
use relay::server::{Relay, serve};
use relay::{ClientInfo, HubConfig, Stats};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use text::{is_pong, ping, sa};

/// How long a test waits for something that must happen. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Settings for tests: nothing is sent without a cause, and listeners need not wait.
pub fn config() -> HubConfig {
    let mut config = HubConfig::default();
    config.heartbeat = Duration::ZERO;
    config.replay_hold = Duration::from_millis(20);
    config
}

/// The same, for clients that need not be known before their replay.
pub fn hasty() -> HubConfig {
    let mut config = config();
    config.replay_hold = Duration::ZERO;
    config
}

/// Tests that measure time or memory hold this alone, all others together.
static MEASURING: RwLock<()> = RwLock::new(());

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime")
}

/// Runs a test on a runtime of one thread, as the relay likes it best.
pub fn on_current_thread(test: impl Future<Output = ()>) {
    let _others = MEASURING.read().unwrap_or_else(PoisonError::into_inner);
    current_thread().block_on(test);
}

/// Runs a test on both kinds of runtime.
pub fn on_both_runtimes(test: impl AsyncFn()) {
    let _others = MEASURING.read().unwrap_or_else(PoisonError::into_inner);
    current_thread().block_on(test());
    multi_thread().block_on(test());
}

/// Runs a test on a runtime of four threads while no other test runs.
pub fn alone_on_multi_thread(test: impl Future<Output = ()>) {
    let _alone = MEASURING.write().unwrap_or_else(PoisonError::into_inner);
    multi_thread().block_on(test);
}

/// Runs a test on both kinds of runtime while no other test runs.
pub fn alone_on_both_runtimes(test: impl AsyncFn()) {
    let _alone = MEASURING.write().unwrap_or_else(PoisonError::into_inner);
    current_thread().block_on(test());
    multi_thread().block_on(test());
}

/// Waits for something that must happen.
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let result = tokio::time::timeout(PATIENCE, future).await;
        result.unwrap_or_else(|_| panic!("in vain: {what}, at {caller}"))
    }
}

/// Resident memory of this process, in bytes.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// A relay that serves a local port.
pub struct Server {
    pub relay: Relay,
    pub addr: SocketAddr,
    pub driver: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub async fn start(config: HubConfig) -> Self {
        let (relay, driver) = Relay::new(config);
        let driver = tokio::spawn(driver.run());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, relay.clone(), async {
            let _ = stopped.await;
        }));
        Self { relay, addr, driver, stop: Some(stop), serving }
    }

    /// A connection that has said nothing.
    pub async fn dial(&self) -> Client {
        let stream = soon("a connection", TcpStream::connect(self.addr)).await.expect("connected");
        stream.set_nodelay(true).expect("an option");
        Client::new(stream)
    }

    /// A connection from a loopback address of its own that has said nothing.
    pub async fn dial_from(&self, ip: [u8; 4]) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((ip, 0).into()).expect("a loopback address");
        let stream = soon("a connection", socket.connect(self.addr)).await.expect("connected");
        stream.set_nodelay(true).expect("an option");
        Client::new(stream)
    }

    /// A listener for which the kernel holds little.
    pub async fn narrow_listener(&self) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(8 << 10).expect("an option");
        let stream = soon("a connection", socket.connect(self.addr)).await.expect("connected");
        stream.set_nodelay(true).expect("an option");
        let mut client = Client::new(stream);
        client.sync().await;
        client
    }

    /// A connection that has only pinged, past its replay.
    pub async fn listener(&self) -> Client {
        let mut client = self.dial().await;
        client.sync().await;
        client
    }

    /// A connection that has sent its first position report, past its replay.
    pub async fn join(&self, uid: &str, callsign: &str, team: &str) -> Client {
        let mut client = self.dial().await;
        client.say(sa(uid, callsign, team)).await;
        client
    }

    /// Accepts no more connections.
    pub async fn stop_accepting(&mut self) {
        drop(self.stop.take());
        let ended = soon("the end of serving", &mut self.serving).await;
        ended.expect("no panic").expect("a working listener");
    }

    pub fn stats(&self) -> Stats {
        self.relay.stats()
    }

    /// The row of the client with this callsign or address.
    pub fn row(&self, client: &Client) -> ClientInfo {
        let addr = client.stream.local_addr().expect("connected");
        let rows = self.relay.clients().into_iter();
        rows.into_iter().find(|row| row.addr == Some(addr)).expect("a row")
    }

    /// Waits until the counters are as they must become.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Stats) -> bool) {
        let all = async {
            while !is_so(&self.stats()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            panic!("in vain: {what}: {:#?}", self.stats());
        }
    }
}

/// The far end of a connection.
pub struct Client<S = TcpStream> {
    pub stream: S,
    inbox: Vec<u8>,
    read: usize,
}

/// The reading half of a client, what it has got already included.
pub type Reader = Client<tokio::io::Join<OwnedReadHalf, tokio::io::Sink>>;

impl Client {
    /// Parts a client in two that can be used at the same time.
    pub fn split(self) -> (Reader, OwnedWriteHalf) {
        let (reader, writer) = self.stream.into_split();
        let stream = tokio::io::join(reader, tokio::io::sink());
        (Client { stream, inbox: self.inbox, read: self.read }, writer)
    }
}

impl Reader {
    /// Puts both halves together again.
    pub fn unsplit(self, writer: OwnedWriteHalf) -> Client {
        let (reader, _) = self.stream.into_inner();
        let stream = reader.reunite(writer).expect("halves of one socket");
        Client { stream, inbox: self.inbox, read: self.read }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, inbox: Vec::new(), read: 0 }
    }

    /// Writes bytes; they are on their way afterwards.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let writing = async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        };
        soon("room to write", writing).await.expect("an open connection");
    }

    /// Writes bytes and waits until the relay has dealt with them. Returns what came meanwhile.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> Vec<String> {
        self.send(bytes).await;
        self.sync().await
    }

    /// Everything that was accepted for this client before the call.
    ///
    /// Everything accepted when a ping is handled is written along with its pong, at the latest;
    /// the second pong shows that this is done.
    pub async fn sync(&mut self) -> Vec<String> {
        let mut got = Vec::new();
        for _ in 0..2 {
            self.send(ping()).await;
            loop {
                let event = self.event().await;
                if is_pong(&event) {
                    break;
                }
                got.push(event);
            }
        }
        got
    }

    /// The next event. It must begin right behind the one before.
    #[track_caller]
    pub fn event(&mut self) -> impl Future<Output = String> {
        soon("an event", async {
            loop {
                if let Some(event) = self.take() {
                    return event;
                }
                assert!(self.fill().await, "closed; left over: {:?}", self.left_over());
            }
        })
    }

    /// The next `count` events.
    pub async fn events(&mut self, count: usize) -> Vec<String> {
        let mut got = Vec::with_capacity(count);
        while got.len() < count {
            got.push(self.event().await);
        }
        got
    }

    /// Waits for the end of the connection. Returns the events before it; the last is a whole one.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Vec<String>> {
        soon("the end of the connection", async {
            while self.fill().await {}
            let mut got = Vec::new();
            while let Some(event) = self.take() {
                got.push(event);
            }
            assert_eq!(self.left_over(), "", "an event was cut");
            got
        })
    }

    /// The events before the end of the connection, the last of which may be cut.
    #[track_caller]
    pub fn stream_to_end(&mut self) -> impl Future<Output = Vec<String>> {
        soon("the end of the connection", async {
            while self.fill().await {}
            std::iter::from_fn(|| self.take()).collect()
        })
    }

    /// A whole event that has arrived, if there is one.
    pub fn take(&mut self) -> Option<String> {
        let unread = &self.inbox[self.read..];
        let end = memmem::find(unread, b"</event>")? + "</event>".len();
        let event = std::str::from_utf8(&unread[..end]).expect("UTF-8").to_owned();
        assert!(event.starts_with("<event"), "not an event: {event:?}");
        self.read += end;
        if self.read == self.inbox.len() {
            self.inbox.clear();
            self.read = 0;
        }
        Some(event)
    }

    pub fn left_over(&self) -> String {
        String::from_utf8_lossy(&self.inbox[self.read..]).into_owned()
    }

    /// Reads once; `false` at the end of the connection.
    pub async fn fill(&mut self) -> bool {
        if self.read > 1 << 20 {
            self.inbox.drain(..self.read);
            self.read = 0;
        }
        self.inbox.reserve(64 << 10);
        matches!(self.stream.read_buf(&mut self.inbox).await, Ok(1..))
    }
}
