//! The server as a whole: check the ground, bind everything, serve, stop.
//!
//! The main thread runs the relay: listeners, driver and connections, on one single-threaded
//! runtime. A second thread, [`ops`](crate::ops), has signals, the traffic line and the admin
//! listener, so that none of them waits for the relay or the relay for them. A third one has
//! [`http`](crate::http), which waits for the relay.

use std::fs::{DirBuilder, OpenOptions, remove_file};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use relay::server::{Driver, Relay};
use store::packages::Precedence;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::admin::Token;
use crate::config::{Loaded, Settings};
use crate::error::Failure;
use crate::http::{Http, Off, Packages};
use crate::logging::LogWriter;
use crate::ops::Ops;
use crate::storage::{self, Storage};
use crate::{announce, clock, limits, logging};

/// Tasks that run before sockets are looked at again. A turn of the relay, in which everyone who has
/// sent is read and then everyone is written to, should not be cut in two: a turn cut in two
/// writes everything in twice as many pieces.
const TASKS_PER_POLL: u32 = 1_024;

/// Connections that may wait to be accepted: a whole unit that reconnects at once.
const COT_BACKLOG: u32 = 1_024;

/// The same for HTTP.
const HTTP_BACKLOG: u32 = 256;

/// The same for the admin listener.
const ADMIN_BACKLOG: u32 = 64;

/// Questions of whether the relay's thread is alive that may wait for an answer.
const PROBES: usize = 16;

/// Longest wait at the end for a log that is read slowly.
pub(crate) const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// A question of whether the relay's thread is alive; answering is the answer.
pub(crate) type Probe = oneshot::Sender<()>;

/// Serves until a signal comes.
///
/// # Errors
///
/// What keeps the server from starting, and a relay that ends on its own.
pub(crate) fn serve(loaded: Loaded, started: Instant) -> Result<(), Failure> {
    let Loaded { settings, warnings, .. } = loaded;
    let log = logging::init(&settings.log, settings.log_format)
        .map_err(|source| Failure::System { doing: "the log cannot be started", source })?;
    let done = start(settings, warnings, started, &log);
    log.flush(LOG_PATIENCE);
    done
}

fn start(
    mut settings: Settings,
    warnings: Vec<String>,
    started: Instant,
    log: &LogWriter,
) -> Result<(), Failure> {
    for warning in warnings {
        warn!("{warning}");
    }
    prepare(&settings.data_dir)?;
    let _lock = storage::lock(&settings.data_dir)?;
    let token = Token::prepare(&settings.data_dir)?;
    fit_into_limits(&mut settings);

    let (relay, driver) = Relay::new(settings.hub_config());
    let storage = Storage::start(&relay, &settings)?;
    let precedence = Precedence::default();
    let runtime = relay_runtime(&precedence)?;
    let cot = bind_cot(&runtime, &settings)?;
    let http = bind_http(&runtime, &settings)?;
    let admin = bind_admin(&runtime, &settings)?;
    let cot_addrs = addresses(&cot)?;
    let admin_addr = admin.as_ref().map(std::net::TcpListener::local_addr).transpose();
    let admin_addr = admin_addr.map_err(lost_address)?;
    let http_addr = http.as_ref().map(std::net::TcpListener::local_addr).transpose();
    let http_addr = http_addr.map_err(lost_address)?;

    let (stop, stopped) = watch::channel(false);
    let (probe, probes) = mpsc::channel(PROBES);
    let packages = match (&http, settings.http_listen) {
        (Some(_), _) => Packages::default(),
        (None, Some(taken)) => Packages::off(Off::PortTaken(taken)),
        (None, None) => Packages::off(Off::Asked),
    };
    let ops = Ops {
        relay: relay.clone(),
        monitor: storage.monitor(),
        packages: packages.clone(),
        token,
        admin,
        stats_interval: settings.stats_interval,
        drain_timeout: settings.drain_timeout,
        probe,
        stop,
        started,
        log: log.clone(),
    };
    ops.start()?;
    let http_ended = match http {
        Some(listener) => {
            let http = Http::new(listener, relay.clone(), &settings, packages, stopped.clone());
            let http = http.map(|http| http.making_way(precedence));
            Some(http.map_err(lost_address)?.start()?)
        }
        None => None,
    };
    let version = env!("CARGO_PKG_VERSION");
    info!(version, cot = ?cot_addrs, http = ?http_addr, admin = ?admin_addr, "serving");
    announce::ready(&cot_addrs, http_addr, admin_addr, clock::now().duration_since(started));

    let parts = Parts { cot, relay, driver, probes, stopped, settings };
    let done = runtime.block_on(async {
        let done = parts.run().await;
        // The relay's thread goes on answering meanwhile.
        let _ = tokio::task::spawn_blocking(|| storage.finish()).await;
        if let Some(ended) = http_ended {
            // It has its own patience; the watcher of signals has the last word.
            let _ = ended.await;
        }
        done
    });
    // Connections that outlived the drain do not hold up the exit.
    runtime.shutdown_background();
    done
}

/// What the relay's thread needs.
struct Parts {
    cot: Vec<TcpListener>,
    relay: Relay,
    driver: Driver,
    probes: mpsc::Receiver<Probe>,
    stopped: watch::Receiver<bool>,
    settings: Settings,
}

impl Parts {
    async fn run(self) -> Result<(), Failure> {
        let Self { cot, relay, driver, mut probes, stopped, settings } = self;
        let mut driver = tokio::spawn(driver.run());
        let mut listeners = JoinSet::new();
        for listener in cot {
            listeners.spawn(relay::server::serve(listener, relay.clone(), asked(stopped.clone())));
        }
        tokio::spawn(async move {
            while let Some(probe) = probes.recv().await {
                // The asker may have stopped waiting.
                let _ = probe.send(());
            }
        });
        tokio::select! {
            () = asked(stopped) => {}
            _ = &mut driver => return Err(Failure::RelayEnded),
            Some(ended) = listeners.join_next() => match ended {
                // A listener stops only when it is asked to, which may win the race to be seen.
                Ok(Ok(())) => {}
                Ok(Err(source)) => {
                    return Err(Failure::System { doing: "no more clients can be accepted", source });
                }
                Err(_) => return Err(Failure::RelayEnded),
            }
        }
        while listeners.join_next().await.is_some() {}
        if !relay.drain(settings.drain_timeout).await {
            warn!("some clients did not take what was pending in time");
        }
        let stats = relay.stats();
        info!(messages_in = stats.events_in, messages_out = stats.delivered, "stopped");
        Ok(())
    }
}

/// Completes when the server has been asked to stop.
pub(crate) async fn asked(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the process; its loss is a reason to stop as well.
    let _ = stopped.wait_for(|&stopped| stopped).await;
}

/// The relay's runtime, on the thread that drives it. Data packages wait while it has work to do.
fn relay_runtime(precedence: &Precedence) -> Result<Runtime, Failure> {
    let (begin, end) = (precedence.clone(), precedence.clone());
    builder()
        .on_thread_unpark(move || begin.begin())
        .on_thread_park(move || end.end())
        .build()
        .map_err(|source| Failure::System { doing: "the relay's runtime cannot be made", source })
}

/// A runtime on the thread that drives it.
///
/// # Errors
///
/// The system has no more of what a runtime needs; `doing` says which one.
pub(crate) fn runtime(doing: &'static str) -> Result<Runtime, Failure> {
    builder().build().map_err(|source| Failure::System { doing, source })
}

fn builder() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.event_interval(TASKS_PER_POLL).enable_all();
    builder
}

/// Makes the data directory for its owner alone, and proves that files can be made in it.
fn prepare(dir: &Path) -> Result<(), Failure> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let probe = dir.join(format!(".probe-{}", std::process::id()));
        // In a container every start has the same number, and one may have ended just here.
        let _ = remove_file(&probe);
        OpenOptions::new().write(true).create_new(true).open(&probe)?;
        remove_file(&probe)
    };
    make().map_err(|source| Failure::DataDir { path: dir.to_owned(), source })
}

fn fit_into_limits(settings: &mut Settings) {
    let wanted = settings.hub.max_clients;
    let http = settings.http_listen.map(|_| settings.http_connections);
    let fit = limits::connections(wanted, http);
    settings.hub.max_clients = fit.cot;
    settings.http_connections = fit.http;
    if settings.hub.max_clients < wanted {
        warn!(
            max_clients = settings.hub.max_clients,
            wanted, "fewer clients fit into the limit on open files; raise it with `ulimit -n`"
        );
    }
}

fn bind_cot(runtime: &Runtime, settings: &Settings) -> Result<Vec<TcpListener>, Failure> {
    let listen = |&addr| {
        let bound = bind(runtime, addr, COT_BACKLOG);
        bound.map_err(|source| Failure::Bind { key: "cot_listen", addr, source })
    };
    settings.cot_listen.iter().map(listen).collect()
}

/// The listener for HTTP, not yet tied to a runtime. Where nobody has asked for it and another
/// program has the port, there is none.
fn bind_http(
    runtime: &Runtime,
    settings: &Settings,
) -> Result<Option<std::net::TcpListener>, Failure> {
    let Some(addr) = settings.http_listen else { return Ok(None) };
    match bind(runtime, addr, HTTP_BACKLOG).and_then(TcpListener::into_std) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if settings.is_http_default && error.kind() == io::ErrorKind::AddrInUse => {
            warn!(
                %addr,
                "another program has the port for data packages, so there are none; stop it, or say \
                 where to listen with --http-listen ADDR (or `off`)"
            );
            Ok(None)
        }
        Err(source) => Err(Failure::Bind { key: "http_listen", addr, source }),
    }
}

/// The admin listener, not yet tied to a runtime: it will be served by another thread.
fn bind_admin(
    runtime: &Runtime,
    settings: &Settings,
) -> Result<Option<std::net::TcpListener>, Failure> {
    let listen = |addr| {
        let bound = bind(runtime, addr, ADMIN_BACKLOG).and_then(TcpListener::into_std);
        bound.map_err(|source| Failure::Bind { key: "admin_listen", addr, source })
    };
    settings.admin_listen.map(listen).transpose()
}

fn bind(runtime: &Runtime, addr: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let _context = runtime.enter();
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for connections of the last run to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(backlog)
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>().map_err(lost_address)
}

fn lost_address(source: io::Error) -> Failure {
    Failure::System { doing: "a listener does not know its own address", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_an_interrupted_start_left_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let probe = dir.path().join(format!(".probe-{}", std::process::id()));
        std::fs::write(&probe, "").unwrap();
        prepare(dir.path()).unwrap();
        assert!(!probe.exists());
    }

    #[test]
    fn packages_make_way_while_the_relay_works_and_not_while_it_sleeps() {
        const LONGEST: Duration = Duration::from_millis(5);
        let precedence = Precedence::default();
        let runtime = relay_runtime(&precedence).unwrap();
        let wait = move || {
            let began = clock::now();
            precedence.make_way();
            clock::now().duration_since(began)
        };
        let is_at_once_asleep = |_| {
            let wait = wait.clone();
            runtime.block_on(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                // Woken: this thread works until the other is done.
                assert!(std::thread::spawn(wait.clone()).join().unwrap() >= LONGEST);
                tokio::task::spawn_blocking(wait).await.unwrap() < LONGEST
            })
        };
        // The system may take its time, but not always.
        assert!((0..1_000).any(is_at_once_asleep));
    }
}
